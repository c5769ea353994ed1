//! Keys that OpenSSL 3.0 and python-cryptography 48 made, with what they say of them.

use super::*;
use crate::testing::{SeededRng, hex};

const P256: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104201d0cbf49738dcfcf849a577f3b\
    c8bf5ce488844827eb4f462b8703c3de492320a1440342000476976a3b650499448ea75967c991b019bcc8e57d769c049201c8f153d7b503f6\
    218666a960dd242fd30b1b3d5669887a7af234f2732cf3a159a892a65c5b43d7";
/// The same key, without the public one inside.
const P256_BARE: &str = "3041020100301306072a8648ce3d020106082a8648ce3d0301070427302502010104201d0cbf49738dcfcf849a577f3bc\
    8bf5ce488844827eb4f462b8703c3de492320";
const P384: &str = "3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430c4abf895463ba4ae29593fc015ea47424f45aa6a\
    7767c4615743ac572e8e9ab2c30627f1e5f6e41f07d19e40b6882e83a164036200040969c6798a6b59d23a4b1160e3b383f0065fd23637\
    dfce866234cfadc41d8f1c4a003c1ddee54856de813c78a8e00f4c956b0a62d4e37a8c4949190216e82a56c975dca042b5008005ac317c\
    8317bcc6f1072c4842eb0218012afd5d707ff707";
const ED25519_KEY: &str =
    "302e020100300506032b6570042204202453b8415a7869911359a6713d907f3851bc7b772bc18e02836e6b9a78fe1809";
const ML_DSA_44_KEY: &str = "3034020100300b060960864801650304031104228020000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const ML_DSA_65_KEY: &str = "3034020100300b060960864801650304031204228020000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Of algorithms that are not here.
const UNKNOWN: [&str; 2] = [
    // ECDSA with secp256k1
    "308184020100301006072a8648ce3d020106052b8104000a046d306b02010104203b3839762abec2bf4376f29aebbfdf10ac4deab60c98\
     4c8097bc348c2a982c10a14403420004dbc9e91e7bb54c3d8dffee39867a462b7c744d2f8e4b6c02df7ad292b3a59110ece1943163493a\
     49eb9ff6e39bf359f020fffdbc4ab2bdd9c154d2da6e0ef698",
    // X25519
    "302e020100300506032b656e042204207030cc1bfd6ae82ade372f68ed999f23eac8eeebb7e45a782687648c3629a744",
];

fn read(der: &[u8]) -> Result<(Algorithm, Vec<u8>, Vec<u8>), NoKey> {
    let key = PrivateKey::from_pkcs8(der)?;
    let public_key = encoded(&key.load().unwrap().public_key());
    Ok((key.algorithm, key.secret.expose_secret().to_vec(), public_key))
}

#[test]
fn keys_of_others_are_read_and_written_as_they_were() {
    let seed = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    for (der, algorithm, secret, public_key) in [
        (
            P256,
            Algorithm::Es256,
            "1d0cbf49738dcfcf849a577f3bc8bf5ce488844827eb4f462b8703c3de492320",
            "0476976a3b650499448ea75967c991b019bcc8e57d769c049201c8f153d7b503f6",
        ),
        (
            P384,
            Algorithm::Es384,
            "c4abf895463ba4ae29593fc015ea47424f45aa6a7767c4615743ac572e8e9ab2c30627f1e5f6e41f07d19e40b6882e83",
            "040969c6798a6b59d23a4b1160e3b383f0065fd23637dfce866234cfadc41d8f1c4a003c1ddee54856de813c78a8e00f4c",
        ),
        (
            ED25519_KEY,
            Algorithm::EdDsa,
            "2453b8415a7869911359a6713d907f3851bc7b772bc18e02836e6b9a78fe1809",
            "124f117753cdd3bd74819b9252f03bc68afab41b80d50b6275914967cc561ce7",
        ),
        (
            ML_DSA_44_KEY,
            Algorithm::MlDsa44,
            seed,
            "d7b2b47254aae0db45e7930d4a98d2c97d8f1397d1789dafa17024b316e9bec9",
        ),
        (
            ML_DSA_65_KEY,
            Algorithm::MlDsa65,
            seed,
            "48683d91978e31eb3dddb8b0473482d2b88a5f625949fd8f58a561e696bd4c27",
        ),
    ] {
        let (found, found_secret, found_public) = read(&hex(der)).unwrap();
        assert_eq!((found, found_secret), (algorithm, hex(secret)));
        assert!(found_public.starts_with(&hex(public_key)), "{algorithm:?}");
        let key = PrivateKey::from_pkcs8(&hex(der)).ok().unwrap();
        assert_eq!(key.to_pkcs8().unwrap().as_bytes(), hex(der), "{algorithm:?}");
    }
}

#[test]
fn a_key_without_its_public_key_is_the_same() {
    assert_eq!(read(&hex(P256_BARE)), read(&hex(P256)));
}

#[test]
fn every_key_comes_back_and_the_second_name_of_a_scheme_becomes_the_first() {
    let mut rng = SeededRng::new(1);
    for algorithm in Algorithm::ALL {
        let (key, signing_key) = PrivateKey::generate(&mut rng, algorithm);
        let (found, secret, public_key) = read(key.to_pkcs8().unwrap().as_bytes()).unwrap();
        assert_eq!(secret, key.secret.expose_secret());
        assert_eq!(public_key, encoded(&signing_key.public_key()));
        assert_eq!(found.scheme(), algorithm.scheme());
        assert!(found.is_advertised());
    }
}

#[test]
fn what_is_no_key_of_its_algorithm_is_not_written() {
    for algorithm in Algorithm::ALL {
        let length = if algorithm.scheme() == Scheme::P384 {
            48
        } else {
            32
        };
        for secret in [vec![0xFF; length - 1], vec![0xFF; length + 1], Vec::new()] {
            let secret = SecretBytes::from_slice(&secret);
            assert!(PrivateKey { algorithm, secret }.to_pkcs8().is_none());
        }
    }
    let secret = SecretBytes::from_slice(&[0xFF; 32]);
    let algorithm = Algorithm::Es256;
    assert!(PrivateKey { algorithm, secret }.to_pkcs8().is_none());
}

#[test]
fn an_algorithm_that_is_not_here_is_told_from_damage() {
    for der in UNKNOWN {
        assert_eq!(read(&hex(der)), Err(NoKey::UnknownAlgorithm));
    }
    // The algorithm of the key, with something where there are no parameters.
    let with_null = "3030020100300706032b65700500042204202453b8415a7869911359a6713d907f3851bc7b772bc18e02836e6b9a78fe1809";
    assert_eq!(read(&hex(with_null)), Err(NoKey::UnknownAlgorithm));
}

#[test]
fn what_is_cut_off_or_goes_on_is_no_key() {
    for der in [P256, P384, ED25519_KEY, ML_DSA_44_KEY] {
        let der = hex(der);
        for len in 0..der.len() {
            assert_eq!(read(&der[..len]), Err(NoKey::Damaged), "{len}");
        }
        assert_eq!(read(&[&der[..], &[0]].concat()), Err(NoKey::Damaged));
    }
}

/// `CXF 1.0 §3.3.12`: the key gives the public key that the site knows. Mutation: the public key beside it
/// is not compared.
#[test]
fn a_public_key_that_is_another_one_is_noticed() {
    let mut inside = hex(P256);
    *inside.last_mut().unwrap() ^= 1;
    assert_eq!(read(&inside), Err(NoKey::Damaged));

    // The version that has a public key beside the private one.
    let beside = |public_key: &str| {
        hex(&format!(
            "3051020101300506032b6570042204202453b8415a7869911359a6713d907f3851bc7b772bc18e02836e6b9a78fe1809812100{public_key}"
        ))
    };
    let right = "124f117753cdd3bd74819b9252f03bc68afab41b80d50b6275914967cc561ce7";
    assert_eq!(read(&beside(right)), read(&hex(ED25519_KEY)));
    let wrong = right.replace("124f", "134f");
    assert_eq!(read(&beside(&wrong)), Err(NoKey::Damaged));
}

/// Whatever bit of a key is another one: it is refused, or it is another key, never a panic.
#[test]
fn damage_does_no_harm() {
    for der in [P256, P256_BARE, ED25519_KEY] {
        let der = hex(der);
        let (_, secret, _) = read(&der).unwrap();
        for bit in 0..8 * der.len() {
            let mut changed = der.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok((algorithm, found, _)) = read(&changed) {
                let is_another = found != secret || algorithm != read(&der).unwrap().0;
                assert!(is_another, "bit {bit}");
            }
        }
    }
}

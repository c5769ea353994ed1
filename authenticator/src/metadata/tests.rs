use super::*;
use crate::config::{Algorithms, Enterprise, LargeBlobs};
use crate::gesture::Modality;
use crate::pin::built_in::Verifier;
use crate::testing::Key;

const ROOT: &[u8] = b"a certificate";
/// remainingDiscoverableCredentials, uvCountSinceLastPinEntry, encIdentifier, encCredStoreState.
const NOT_OF_THE_MODEL: [u64; 4] = [0x14, 0x17, 0x19, 0x1E];

/// Every way in which a key can be set up, one thing at a time.
fn keys() -> Vec<Key> {
    let key = |kind| Key::new(kind);
    let mut keys = vec![key(KeyKind::Synced), key(KeyKind::DeviceBound)];
    let mut with = |change: &dyn Fn(&mut Authenticator)| {
        let mut key = key(KeyKind::DeviceBound);
        change(&mut key.authenticator);
        keys.push(key);
    };
    with(&|key| key.config.algorithms = Algorithms::WithMlDsa);
    with(&|key| key.config.attestation = Attestation::Authority);
    with(&|key| key.config.enterprise = Some(Enterprise::default()));
    with(&|key| key.config.large_blobs = LargeBlobs::Extension);
    with(&|key| key.config.hide_fido_2_3 = true);
    for modality in [Modality::Fingerprint, Modality::Password, Modality::Pin] {
        with(&|key| {
            key.set_verifier(Some(Verifier {
                modality,
                ready: true,
            }))
        });
    }
    keys
}

fn text_in<'a>(map: &Map<'a>, name: &str) -> &'a str {
    let Some(Value::Text(text)) = map.get(name) else {
        panic!("{name}")
    };
    text
}

fn texts_in<'a>(map: &Map<'a>, name: &str) -> Vec<&'a str> {
    let Some(Value::Array(items)) = map.get(name) else {
        panic!("{name}")
    };
    items
        .iter()
        .map(|item| {
            let Value::Text(text) = item else {
                panic!("{item:?}")
            };
            *text
        })
        .collect()
}

/// The methods of each way to use the key.
fn ways_in<'a>(statement: &Map<'a>) -> Vec<Vec<&'a str>> {
    let Some(Value::Array(ways)) = statement.get("userVerificationDetails") else {
        panic!()
    };
    ways.iter()
        .map(|way| {
            let Value::Array(methods) = way else { panic!() };
            methods
                .iter()
                .map(|method| {
                    let Value::Map(method) = method else {
                        panic!("{method:?}")
                    };
                    text_in(method, "userVerificationMethod")
                })
                .collect()
        })
        .collect()
}

fn stated<T>(mut key: Key, tell: impl FnOnce(&Map<'_>) -> T) -> T {
    key.authenticator.metadata_statement(ROOT, tell)
}

#[test]
fn whatever_get_info_says_is_in_the_statement_by_its_name() {
    for mut key in keys() {
        let answer = key.cbor(&[0x04]);
        let info = answer.members();
        stated(key, |statement| {
            let Some(Value::Map(named)) = statement.get("authenticatorGetInfo") else {
                panic!()
            };
            let mut left = named.entries().len();
            for (key, value) in info.entries() {
                let crate::cbor::Key::Unsigned(key) = *key else {
                    panic!()
                };
                if NOT_OF_THE_MODEL.contains(&key) {
                    continue;
                }
                let (_, name) = NAMES.into_iter().find(|(known, _)| *known == key).unwrap();
                if key != AAGUID {
                    assert_eq!(named.get(name), Some(value), "{name}");
                }
                left -= 1;
            }
            assert_eq!(left, 0, "nothing else is there");
        });
    }
}

#[test]
fn the_model_is_named_in_two_ways() {
    for (kind, uuid) in [
        (KeyKind::Synced, "841295c2-9ffe-407a-893c-2e41b27ac240"),
        (KeyKind::DeviceBound, "9e326632-c098-4e72-b441-1e8a7ccdf57d"),
    ] {
        stated(Key::new(kind), |statement| {
            assert_eq!(text_in(statement, "aaguid"), uuid);
            let Some(Value::Map(info)) = statement.get("authenticatorGetInfo") else {
                panic!()
            };
            assert_eq!(text_in(info, "aaguid"), uuid.replace('-', ""));
            assert_eq!(statement.get("authenticatorVersion"), Some(&Value::Unsigned(3)));
        });
    }
}

#[test]
fn every_version_of_fido2_is_stated_and_u2f_is_not() {
    for (hide, minors) in [(false, vec![0, 1, 3]), (true, vec![0, 1])] {
        let mut key = Key::new(KeyKind::Synced);
        key.authenticator.config.hide_fido_2_3 = hide;
        let version = |minor| {
            Value::Map(Map::new([
                ("major", Value::Unsigned(1)),
                ("minor", Value::Unsigned(minor)),
            ]))
        };
        let expected = Value::Array(minors.into_iter().map(version).collect());
        stated(key, |statement| assert_eq!(statement.get("upv"), Some(&expected)));
    }
}

#[test]
fn algorithms_have_the_names_of_the_registry_where_it_has_one() {
    for algorithms in [Algorithms::Classical, Algorithms::WithMlDsa] {
        let mut key = Key::new(KeyKind::Synced);
        key.authenticator.config.algorithms = algorithms;
        stated(key, |statement| {
            assert_eq!(
                texts_in(statement, "authenticationAlgorithms"),
                [
                    "secp256r1_ecdsa_sha256_raw",
                    "ed25519_eddsa_sha512_raw",
                    "secp384r1_ecdsa_sha384_raw"
                ]
            );
        });
    }
}

#[test]
fn who_vouches_is_stated_with_a_root_where_it_is_not_the_passkey() {
    const ITSELF: &str = "basic_surrogate";
    const AUTHORITY: &str = "basic_full";
    for (attestation, enterprise, types, roots) in [
        (Attestation::OfItself, false, &[ITSELF][..], &[][..]),
        (Attestation::OfItself, true, &[ITSELF, AUTHORITY], &[ROOT]),
        (Attestation::Authority, false, &[AUTHORITY], &[ROOT]),
        (Attestation::Authority, true, &[AUTHORITY], &[ROOT]),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        key.authenticator.config.attestation = attestation;
        key.authenticator.config.enterprise = enterprise.then(Enterprise::default);
        stated(key, |statement| {
            assert_eq!(texts_in(statement, "attestationTypes"), types);
            let roots = roots.iter().map(|root| Value::Bytes(root)).collect();
            assert_eq!(
                statement.get("attestationRootCertificates"),
                Some(&Value::Array(roots))
            );
        });
    }
}

#[test]
fn the_ways_to_use_the_key_follow_from_its_options() {
    let always = [
        vec!["none"],
        vec!["presence_internal"],
        vec!["passcode_external", "presence_internal"],
    ];
    stated(Key::new(KeyKind::Synced), |statement| {
        assert_eq!(ways_in(statement), always);
    });
    for (modality, method) in [
        (Modality::Fingerprint, "fingerprint_internal"),
        (Modality::Password, "passcode_internal"),
        (Modality::Pin, "passcode_internal"),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        key.authenticator.set_verifier(Some(Verifier {
            modality,
            ready: true,
        }));
        stated(key, |statement| {
            let (built_in, others) = ways_in(statement)
                .split_last()
                .map(|(last, rest)| (last.clone(), rest.to_vec()))
                .unwrap();
            assert_eq!(others, always);
            assert_eq!(built_in, [method, "presence_internal"]);
        });
    }
}

#[test]
fn a_pin_is_described_as_it_is() {
    stated(Key::new(KeyKind::Synced), |statement| {
        let Some(Value::Array(ways)) = statement.get("userVerificationDetails") else {
            panic!()
        };
        let Value::Array(methods) = &ways[2] else { panic!() };
        let Value::Map(method) = &methods[0] else { panic!() };
        let Some(Value::Map(pin)) = method.get("caDesc") else {
            panic!()
        };
        assert_eq!(pin.get("minLength"), Some(&Value::Unsigned(4)));
        assert_eq!(pin.get("maxRetries"), Some(&Value::Unsigned(8)));
    });
}

#[test]
fn passkeys_on_several_devices_are_stated_as_such() {
    for (kind, support) in [
        (KeyKind::Synced, "implicit"),
        (KeyKind::DeviceBound, "unsupported"),
    ] {
        stated(Key::new(kind), |statement| {
            assert_eq!(text_in(statement, "multiDeviceCredentialSupport"), support);
        });
    }
}

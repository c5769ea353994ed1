use StatusCode as S;
use redb::backends::InMemoryBackend;
use wardkey_vault::CredentialId;

use super::*;
use crate::KeyKind;
use crate::cbor::Map;
use crate::command::MESSAGE_LEN_MAX;
use crate::config::Algorithms;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::{Answer, Key, Members, algorithm, descriptors, map, option, resident, user};

/// The outputs beside authenticator data, of an assertion.
fn outputs(answer: &Answer) -> Map<'_> {
    outputs_in(answer, 8)
}

fn outputs_in(answer: &Answer, member: u64) -> Map<'_> {
    let members = answer.members();
    match members.get(member) {
        Some(Value::Map(outputs)) => match outputs.get("largeBlob") {
            Some(Value::Map(outputs)) => outputs.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn write(key: &mut Key, id: &[u8], data: &[u8]) -> bool {
    let input = map([
        ("write", Value::Bytes(data)),
        ("originalSize", Value::Unsigned(1)),
    ]);
    let request = Members::get_assertion()
        .with(3, descriptors([id]))
        .with(4, map([("largeBlob", input)]));
    let answer = key.cbor(&request.encode(0x02));
    outputs(&answer).get("written") == Some(&Value::Bool(true))
}

#[test]
fn the_longest_answer_fits_into_a_message() {
    let config = Config {
        algorithms: Algorithms::WithMlDsa,
        large_blobs: LargeBlobs::Extension,
        ..Key::config(KeyKind::Synced)
    };
    let mut key = Key::configured(config, InMemoryBackend::new(), 1);
    let name = "n".repeat(1000);
    let user = map([
        ("id", Value::Bytes(&[1; 64])),
        ("name", Value::Text(&name)),
        ("displayName", Value::Text(&name)),
    ]);
    let extensions = map([
        ("hmac-secret", Value::Bool(true)),
        ("credBlob", Value::Bytes(&[2; 64])),
        ("thirdPartyPayment", Value::Bool(true)),
        ("largeBlob", map([("support", Value::Text("required"))])),
    ]);
    let registration = key.register(
        &resident()
            .with(3, user)
            .with(4, Value::Array(vec![algorithm(-49)]))
            .with(6, extensions),
    );
    assert!(write(&mut key, &registration.id, &[3; LEN_MAX]));
    assert!(!write(&mut key, &registration.id, &[4; LEN_MAX + 1]));

    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let secret = key.agree(Protocol::Two).hmac_secret(&[5; 64]);
    let everything = map([
        ("hmac-secret", secret.value()),
        ("credBlob", Value::Bool(true)),
        ("thirdPartyPayment", Value::Bool(true)),
        ("largeBlob", map([("read", Value::Bool(true))])),
    ]);
    let request = Members::get_assertion()
        .with(4, everything)
        .with(5, option("uv", true));
    let answer = key.cbor_and(&request.encode(0x02), Gesture::Verified);
    assert_eq!(outputs(&answer).get("blob"), Some(&Value::Bytes(&[3; LEN_MAX])));
    assert!(answer.members().get(4_u64).is_some());
    assert_eq!(answer.outputs().unwrap().entries().len(), 3);
    // Nothing keeps the other kinds of ids from becoming as long as an id may be.
    let longest = answer.bytes.len() + CredentialId::LEN_MAX - registration.id.len();
    assert!(longest <= MESSAGE_LEN_MAX, "{longest}");
}

// What relying parties ask for

fn key_on(disk: Disk) -> Key {
    let config = Config {
        large_blobs: LargeBlobs::Extension,
        ..Key::config(KeyKind::Synced)
    };
    Key::configured(config, disk, 1)
}

fn with_support(request: Members<'static>, support: &'static str) -> Members<'static> {
    let input = map([("support", Value::Text(support))]);
    request.with(6, map([("largeBlob", input)]))
}

fn read(key: &mut Key, id: Option<&[u8]>) -> Answer {
    let input = map([("read", Value::Bool(true))]);
    let mut request = Members::get_assertion().with(4, map([("largeBlob", input)]));
    if let Some(id) = id {
        request = request.with(3, descriptors([id]));
    }
    key.cbor(&request.encode(0x02))
}

fn blob(data: &[u8]) -> Map<'_> {
    Map::new([("blob", Value::Bytes(data)), ("originalSize", Value::Unsigned(1))])
}

#[test]
fn a_discoverable_credential_supports_it_and_another_does_not() {
    for (request, support, told) in [
        (resident(), "preferred", Some(true)),
        (resident(), "required", Some(true)),
        (Members::make_credential(), "preferred", Some(false)),
        (Members::make_credential(), "required", None),
    ] {
        let mut key = key_on(Disk::default());
        let answer = key.cbor(&with_support(request, support).encode(0x01));
        match told {
            Some(supported) => {
                let expected = Map::new([("supported", Value::Bool(supported))]);
                assert_eq!(outputs_in(&answer, 6), expected);
                assert_eq!(answer.outputs(), None, "it is no output in authenticator data");
            }
            None => {
                let refused = (None, vec![S::UNSUPPORTED_OPTION.byte()]);
                assert_eq!((answer.prompt, answer.bytes), refused);
            }
        }
    }
}

#[test]
fn what_was_written_is_read_and_can_be_written_again() {
    for request in [resident(), with_support(resident(), "preferred")] {
        let disk = Disk::default();
        let mut key = key_on(disk.clone());
        let id = key.register(&request).id;
        assert_eq!(read(&mut key, Some(&id)).members().get(8_u64), None);
        for data in [&b"first"[..], &[0xB1; LEN_MAX], b""] {
            assert!(write(&mut key, &id, data));
            let mut reopened = key_on(disk.after_power_cut());
            for key in [&mut key, &mut reopened] {
                assert_eq!(outputs(&read(key, Some(&id))), blob(data));
                assert_eq!(outputs(&read(key, None)), blob(data));
            }
        }
    }
}

#[test]
fn a_blob_too_long_leaves_the_old_one() {
    let mut key = key_on(Disk::default());
    let id = key.register(&resident()).id;
    assert!(write(&mut key, &id, b"old"));
    assert!(!write(&mut key, &id, &[0; LEN_MAX + 1]));
    assert_eq!(outputs(&read(&mut key, Some(&id))), blob(b"old"));
}

#[test]
fn only_a_stored_credential_that_is_named_is_written_to() {
    let mut key = key_on(Disk::default());
    let wrapped = key.register(&Members::make_credential()).id;
    assert!(!write(&mut key, &wrapped, b"blob"));
    let stored = key.register(&resident()).id;
    let input = map([
        ("write", Value::Bytes(b"blob")),
        ("originalSize", Value::Unsigned(1)),
    ]);
    let request = Members::get_assertion().with(4, map([("largeBlob", input)]));
    let answer = key.cbor(&request.encode(0x02));
    assert_eq!(outputs(&answer), Map::new([("written", Value::Bool(false))]));
    assert_eq!(read(&mut key, Some(&stored)).members().get(8_u64), None);
}

#[test]
fn each_account_has_its_own_and_a_new_credential_none() {
    let mut key = key_on(Disk::default());
    let [one, two] = [&b"one"[..], b"two"].map(|id| key.register(&resident().with(3, user(id))).id);
    assert!(write(&mut key, &one, b"of one") && write(&mut key, &two, b"of two"));
    assert_eq!(outputs(&read(&mut key, None)), blob(b"of two"));
    assert_eq!(outputs(&key.cbor(&[0x08])), blob(b"of one"));
    key.register(&resident().with(3, user(b"one")));
    assert_eq!(read(&mut key, None).members().get(8_u64), None);
}

#[test]
fn malformed_inputs_are_invalid_cbor() {
    let mut key = key_on(Disk::default());
    let id = key.register(&resident()).id;
    let (data, size) = (|| Value::Bytes(b"blob"), || Value::Unsigned(1));
    for input in [
        Value::Bool(true),
        Value::Text("required"),
        map([]),
        map([("support", Value::Text("wanted"))]),
        map([("support", Value::Bool(true))]),
        map([("read", Value::Bool(true))]),
    ] {
        let request = resident().with(6, map([("largeBlob", input)]));
        assert_eq!(key.cbor(&request.encode(0x01)).bytes, [S::INVALID_CBOR.byte()]);
    }
    for input in [
        Value::Bool(true),
        map([]),
        map([("read", Value::Bool(false))]),
        map([("read", Value::Unsigned(1))]),
        map([("write", data())]),
        map([("originalSize", size())]),
        map([("write", Value::Text("blob")), ("originalSize", size())]),
        map([("write", data()), ("originalSize", Value::Text("4"))]),
        map([("write", data()), ("originalSize", Value::integer(-1))]),
        map([("read", Value::Bool(true)), ("write", data())]),
        map([("read", Value::Bool(true)), ("originalSize", size())]),
        map([
            ("read", Value::Bool(true)),
            ("write", data()),
            ("originalSize", size()),
        ]),
    ] {
        let request = Members::get_assertion()
            .with(3, descriptors([&id[..]]))
            .with(4, map([("largeBlob", input)]));
        let answer = key.cbor(&request.encode(0x02));
        assert_eq!(
            (answer.prompt, answer.bytes),
            (None, vec![S::INVALID_CBOR.byte()])
        );
    }
}

#[test]
fn a_key_with_an_array_does_not_know_it() {
    let mut key = Key::new(KeyKind::Synced);
    let answer = key.cbor(&with_support(resident(), "required").encode(0x01));
    assert_eq!((answer.status(), answer.members().get(6_u64)), (S::OK, None));
    let answer = read(&mut key, None);
    assert_eq!((answer.status(), answer.members().get(8_u64)), (S::OK, None));
}

use StatusCode as S;

use crate::cbor::Value;
use crate::testing::disk::Disk;
use crate::testing::{Answer, Key, Members, descriptors, map, resident, user};
use crate::{Config, KeyKind, LargeBlobs, StatusCode};

fn wanted() -> Value<'static> {
    map([("largeBlobKey", Value::Bool(true))])
}

fn ask(key: &mut Key, list: Option<&[u8]>) -> Answer {
    let mut request = Members::get_assertion().with(4, wanted());
    if let Some(id) = list {
        request = request.with(3, descriptors([id]));
    }
    key.cbor(&request.encode(0x02))
}

fn register(key: &mut Key, user_id: &[u8]) -> Vec<u8> {
    let request = resident().with(3, user(user_id)).with(6, wanted());
    let answer = key.cbor(&request.encode(0x01));
    assert_eq!(answer.outputs(), None, "it is no output in authenticator data");
    answer.bytes_of(5)
}

#[test]
fn each_credential_has_a_key_of_32_bytes_for_ever() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    let [one, two] = [&b"one"[..], b"two"].map(|user_id| register(&mut key, user_id));
    assert_eq!((one.len(), two.len()), (32, 32));
    assert_ne!(one, two);
    let mut reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    for key in [&mut key, &mut reopened] {
        let first = ask(key, None);
        assert_eq!((first.bytes_of(7), first.outputs()), (two.clone(), None));
        assert_eq!(key.cbor(&[0x08]).bytes_of(7), one);
    }
    assert_ne!(register(&mut key, b"one"), one, "a new credential has a new key");
}

#[test]
fn a_credential_that_was_not_made_with_one_has_none() {
    let mut key = Key::new(KeyKind::Synced);
    let stored = key.register(&resident()).id;
    let wrapped = key.register(&Members::make_credential()).id;
    for id in [&stored, &wrapped] {
        let answer = ask(&mut key, Some(id));
        assert_eq!((answer.status(), answer.members().get(7_u64)), (S::OK, None));
    }
    register(&mut key, b"one");
    let answer = key.cbor(&Members::get_assertion().encode(0x02));
    assert_eq!(answer.members().get(7_u64), None, "who does not ask is not told");
}

#[test]
fn inputs_other_than_true_are_refused() {
    for (input, status) in [
        (Value::Bool(false), S::INVALID_OPTION),
        (Value::Unsigned(1), S::CBOR_UNEXPECTED_TYPE),
        (Value::Text("true"), S::CBOR_UNEXPECTED_TYPE),
        (map([]), S::CBOR_UNEXPECTED_TYPE),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        key.register(&resident());
        let extensions = || map([("largeBlobKey", input.clone())]);
        for request in [
            resident().with(6, extensions()).encode(0x01),
            Members::get_assertion().with(4, extensions()).encode(0x02),
        ] {
            let answer = key.cbor(&request);
            assert_eq!((answer.prompt, answer.bytes), (None, vec![status.byte()]));
        }
    }
}

#[test]
fn only_a_discoverable_credential_can_have_one() {
    let mut key = Key::new(KeyKind::Synced);
    let answer = key.cbor(&Members::make_credential().with(6, wanted()).encode(0x01));
    assert_eq!(
        (answer.prompt, answer.bytes),
        (None, vec![S::INVALID_OPTION.byte()])
    );
}

#[test]
fn a_key_that_keeps_blobs_with_credentials_does_not_know_it() {
    let config = Config {
        large_blobs: LargeBlobs::Extension,
        ..Key::config(KeyKind::Synced)
    };
    let mut key = Key::configured(config, Disk::default(), 1);
    for input in [Value::Bool(true), Value::Bool(false), Value::Unsigned(1)] {
        let extensions = || map([("largeBlobKey", input.clone())]);
        let answer = key.cbor(&resident().with(6, extensions()).encode(0x01));
        assert_eq!((answer.status(), answer.members().get(5_u64)), (S::OK, None));
        let request = Members::get_assertion().with(4, extensions());
        let answer = key.cbor(&request.encode(0x02));
        assert_eq!((answer.status(), answer.members().get(7_u64)), (S::OK, None));
    }
}

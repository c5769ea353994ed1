use StatusCode as S;

use super::*;
use crate::KeyKind;
use crate::testing::disk::Disk;
use crate::testing::{Answer, Key, Members, descriptors, map, resident, user};

fn with_blob<'a>(request: Members<'a>, blob: &'a [u8]) -> Members<'a> {
    request.with(6, map([("credBlob", Value::Bytes(blob))]))
}

fn ask(key: &mut Key, list: Option<&[u8]>) -> Answer {
    let mut request = Members::get_assertion().with(4, map([("credBlob", Value::Bool(true))]));
    if let Some(id) = list {
        request = request.with(3, descriptors([id]));
    }
    key.cbor(&request.encode(0x02))
}

fn outputs(answer: &Answer) -> Option<Value<'_>> {
    answer.outputs().map(Value::Map)
}

#[test]
fn a_discoverable_credential_keeps_up_to_64_bytes() {
    for (len, kept) in [
        (0, true),
        (1, true),
        (32, true),
        (64, true),
        (65, false),
        (1024, false),
    ] {
        let disk = Disk::default();
        let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
        let blob = vec![0xB1; len];
        let answer = key.cbor(&with_blob(resident(), &blob).encode(0x01));
        let told = map([("credBlob", Value::Bool(kept))]);
        assert_eq!(outputs(&answer), Some(told), "{len}");
        let expected = if kept { &blob[..] } else { &[] };
        let mut reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
        for key in [&mut key, &mut reopened] {
            let told = map([("credBlob", Value::Bytes(expected))]);
            assert_eq!(outputs(&ask(key, None)), Some(told), "{len}");
        }
    }
}

#[test]
fn another_credential_keeps_nothing_and_says_so() {
    let mut key = Key::new(KeyKind::Synced);
    let request = with_blob(Members::make_credential(), b"blob");
    let answer = key.cbor(&request.encode(0x01));
    assert_eq!(outputs(&answer), Some(map([("credBlob", Value::Bool(false))])));
    let id = key.register(&request).id;
    let nothing = map([("credBlob", Value::Bytes(&[]))]);
    assert_eq!(outputs(&ask(&mut key, Some(&id))), Some(nothing));
}

#[test]
fn who_does_not_ask_is_not_told() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&with_blob(resident(), b"blob"));
    for extensions in [map([]), map([("credBlob", Value::Bool(false))])] {
        let request = Members::get_assertion().with(4, extensions);
        assert_eq!(outputs(&key.cbor(&request.encode(0x02))), None);
    }
}

#[test]
fn each_account_has_its_own_and_a_new_credential_a_new_one() {
    let mut key = Key::new(KeyKind::Synced);
    for (id, blob) in [
        (&b"one"[..], &b"first"[..]),
        (b"two", b"second"),
        (b"one", b"third"),
    ] {
        key.register(&with_blob(resident().with(3, user(id)), blob));
    }
    for (answer, blob) in [
        (ask(&mut key, None), &b"third"[..]),
        (key.cbor(&[0x08]), b"second"),
    ] {
        let told = map([("credBlob", Value::Bytes(blob))]);
        assert_eq!(outputs(&answer), Some(told));
    }
    key.register(&resident().with(3, user(b"one")));
    let nothing = map([("credBlob", Value::Bytes(&[]))]);
    assert_eq!(outputs(&ask(&mut key, None)), Some(nothing));
}

#[test]
fn inputs_have_their_types() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    for input in [Value::Bool(true), Value::Text("blob"), Value::Null] {
        let request = resident().with(6, map([("credBlob", input)]));
        assert_eq!(key.cbor(&request.encode(0x01)).status(), S::CBOR_UNEXPECTED_TYPE);
    }
    for input in [Value::Bytes(b"blob"), Value::Unsigned(1), Value::Null] {
        let request = Members::get_assertion().with(4, map([("credBlob", input)]));
        assert_eq!(key.cbor(&request.encode(0x02)).status(), S::CBOR_UNEXPECTED_TYPE);
    }
}

use StatusCode as S;

use crate::cbor::{Map, Value};
use crate::testing::disk::Disk;
use crate::testing::{Answer, Key, Members, RP_ID, map, resident};
use crate::{KeyKind, StatusCode};

/// A key that tells [`RP_ID`] about PINs, and what it then demands of them.
fn key_with_list(disk: Disk, length: u64, complexity: bool) -> Key {
    let mut key = Key::on(KeyKind::Synced, disk, 1);
    let parameters = Map::new([
        (1_u64, Value::Unsigned(length)),
        (2, Value::Array(vec![Value::Text(RP_ID)])),
        (4, Value::Bool(complexity)),
    ]);
    let request = Members::empty()
        .with(1, Value::Unsigned(3))
        .with(2, Value::Map(parameters));
    assert_eq!(key.cbor(&request.encode(0x0D)).status(), S::OK);
    key
}

fn both(min_pin_length: bool, pin_complexity_policy: bool) -> Value<'static> {
    map([
        ("minPinLength", Value::Bool(min_pin_length)),
        ("pinComplexityPolicy", Value::Bool(pin_complexity_policy)),
    ])
}

fn outputs(answer: &Answer) -> Option<Value<'_>> {
    answer.outputs().map(Value::Map)
}

#[test]
fn a_listed_relying_party_is_told_what_it_asks_for() {
    for (length, complexity) in [(4, false), (9, true)] {
        let disk = Disk::default();
        let key = key_with_list(disk.clone(), length, complexity);
        let reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
        for mut key in [key, reopened] {
            let length = || ("minPinLength", Value::Unsigned(length));
            let policy = || ("pinComplexityPolicy", Value::Bool(complexity));
            for (asked, expected) in [
                (both(true, true), Some(map([length(), policy()]))),
                (both(true, false), Some(map([length()]))),
                (both(false, true), Some(map([policy()]))),
                (both(false, false), None),
                (map([]), None),
            ] {
                for request in [Members::make_credential(), resident()] {
                    let request = request.with(6, asked.clone());
                    let answer = key.cbor(&request.encode(0x01));
                    assert_eq!(outputs(&answer), expected);
                }
            }
        }
    }
}

#[test]
fn for_others_the_extensions_do_not_exist() {
    let mut key = key_with_list(Disk::default(), 4, true);
    for rp_id in ["example.com", "EXAMPLE.ORG", "www.example.org", "org"] {
        let request = Members::make_credential()
            .with(2, map([("id", Value::Text(rp_id))]))
            .with(6, both(true, true));
        let answer = key.cbor(&request.encode(0x01));
        assert_eq!((answer.status(), outputs(&answer)), (S::OK, None));
    }
    let request = Members::make_credential().with(6, both(true, true));
    let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x01));
    assert_eq!(outputs(&answer), None);
}

#[test]
fn at_login_they_are_no_extensions() {
    let mut key = key_with_list(Disk::default(), 4, true);
    key.register(&resident());
    for asked in [both(true, true), map([("minPinLength", Value::Text("x"))])] {
        let request = Members::get_assertion().with(4, asked);
        let answer = key.cbor(&request.encode(0x02));
        assert_eq!((answer.status(), outputs(&answer)), (S::OK, None));
    }
}

#[test]
fn inputs_have_their_types() {
    for name in ["minPinLength", "pinComplexityPolicy"] {
        let request = Members::make_credential().with(6, map([(name, Value::Unsigned(1))]));
        let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x01));
        assert_eq!(answer.bytes, [S::CBOR_UNEXPECTED_TYPE.byte()]);
    }
}

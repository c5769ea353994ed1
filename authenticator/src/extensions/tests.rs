//! What holds for extensions together, and thirdPartyPayment, which is nothing but a flag.

use StatusCode as S;

use super::*;
use crate::KeyKind;
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::{Key, Members, descriptors, map, option, resident};

#[test]
fn unknown_extensions_are_ignored_whatever_they_say() {
    let mut key = Key::new(KeyKind::Synced);
    for value in [Value::Bool(true), Value::Null, map([("read", Value::Bool(true))])] {
        let extensions = || map([("uvm", value.clone()), ("appid", value.clone())]);
        let answer = key.cbor(&resident().with(6, extensions()).encode(0x01));
        assert_eq!((answer.status(), answer.outputs()), (S::OK, None));
        let request = Members::get_assertion().with(4, extensions());
        let answer = key.cbor(&request.encode(0x02));
        assert_eq!((answer.status(), answer.outputs()), (S::OK, None));
    }
}

#[test]
fn everything_asked_for_is_put_out_in_canonical_order() {
    let mut key = Key::new(KeyKind::Synced);
    let agreement = key.agree(Protocol::Two);
    let salts = agreement.hmac_secret(&[5; 64]);
    let request = resident().with(
        6,
        map([
            ("credBlob", Value::Bytes(b"blob")),
            ("credProtect", Value::Unsigned(1)),
            ("hmac-secret", Value::Bool(true)),
            ("hmac-secret-mc", salts.value()),
            ("largeBlobKey", Value::Bool(true)),
            ("thirdPartyPayment", Value::Bool(true)),
        ]),
    );
    let answer = key.cbor(&request.encode(0x01));
    assert_eq!(answer.flags() & 0x80, 0x80);
    assert_eq!(
        keys(&answer.outputs().unwrap()),
        ["credBlob", "credProtect", "hmac-secret", "hmac-secret-mc"].map(cbor::Key::from)
    );
    assert_eq!(keys(&answer.members()), [1_u64, 2, 3, 5].map(cbor::Key::from));
    let request = Members::get_assertion().with(
        4,
        map([
            ("credBlob", Value::Bool(true)),
            ("hmac-secret", salts.value()),
            ("largeBlobKey", Value::Bool(true)),
            ("thirdPartyPayment", Value::Bool(true)),
        ]),
    );
    let answer = key.cbor(&request.encode(0x02));
    assert_eq!(
        keys(&answer.outputs().unwrap()),
        ["credBlob", "hmac-secret", "thirdPartyPayment"].map(cbor::Key::from)
    );
    assert_eq!(keys(&answer.members()), [1_u64, 2, 3, 4, 7].map(cbor::Key::from));
}

fn keys<'a>(map: &Map<'a>) -> Vec<cbor::Key<'a>> {
    map.entries().iter().map(|(key, _)| *key).collect()
}

#[test]
fn a_payment_credential_says_so_when_asked() {
    for request in [Members::make_credential(), resident()] {
        for (extensions, is_one) in [
            (map([("thirdPartyPayment", Value::Bool(true))]), true),
            (map([("thirdPartyPayment", Value::Bool(false))]), false),
            (map([]), false),
        ] {
            let disk = Disk::default();
            let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
            let request = request.clone().with(6, extensions);
            let answer = key.cbor(&request.encode(0x01));
            assert_eq!(answer.outputs(), None, "registration says nothing");
            let id = key.register(&request).id;
            let mut reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
            for key in [&mut key, &mut reopened] {
                for up in [false, true] {
                    let ask = |extensions| {
                        Members::get_assertion()
                            .with(3, descriptors([&id[..]]))
                            .with(4, extensions)
                            .with(5, option("up", up))
                            .encode(0x02)
                    };
                    let asked = ask(map([("thirdPartyPayment", Value::Bool(true))]));
                    let told = Map::new([("thirdPartyPayment", Value::Bool(is_one))]);
                    assert_eq!(key.cbor(&asked).outputs(), Some(told));
                    for extensions in [map([]), map([("thirdPartyPayment", Value::Bool(false))])] {
                        assert_eq!(key.cbor(&ask(extensions)).outputs(), None);
                    }
                }
            }
        }
    }
}

#[test]
fn whether_it_is_for_payments_is_true_or_false() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    let extensions = || map([("thirdPartyPayment", Value::Unsigned(1))]);
    for request in [
        resident().with(6, extensions()).encode(0x01),
        Members::get_assertion().with(4, extensions()).encode(0x02),
    ] {
        assert_eq!(key.cbor(&request).bytes, [S::CBOR_UNEXPECTED_TYPE.byte()]);
    }
}

use StatusCode as S;

use super::*;
use crate::KeyKind;
use crate::gesture::Purpose;
use crate::testing::disk::Disk;
use crate::testing::platform::{CM, GA, MC, PIN};
use crate::testing::{Answer, Key, Members, RP_ID, descriptors, map, option, resident, user};

/// A makeCredential with this level, or without the extension.
fn with_level(request: Members<'_>, level: Option<u64>) -> Members<'_> {
    match level {
        None => request,
        Some(level) => request.with(6, map([("credProtect", Value::Unsigned(level))])),
    }
}

const LEVELS: [Option<u64>; 4] = [None, Some(1), Some(2), Some(3)];

/// A key with a PIN and a credential of this level, and its id.
fn key_with(disk: Disk, request: Members<'_>, level: Option<u64>) -> (Key, Vec<u8>) {
    let mut key = Key::on(KeyKind::Synced, disk, 1);
    let id = key.register(&with_level(request, level)).id;
    key.set_pin(PIN);
    (key, id)
}

fn log_in(key: &mut Key, list: Option<&[u8]>, verified: bool, up: bool) -> Answer {
    let mut request = Members::get_assertion().with(5, option("up", up));
    if let Some(id) = list {
        request = request.with(3, descriptors([id]));
    }
    let request = if verified {
        key.token(GA, None).get_assertion(request)
    } else {
        request.encode(0x02)
    };
    key.cbor(&request)
}

#[test]
fn each_level_is_found_by_those_it_is_for() {
    for level in LEVELS {
        let disk = Disk::default();
        let (key, id) = key_with(disk.clone(), resident(), level);
        let reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
        for mut key in [key, reopened] {
            for verified in [false, true] {
                for (list, greatest) in [(None, 1), (Some(&id[..]), 2)] {
                    for up in [false, true] {
                        let found = verified || level.unwrap_or(1) <= greatest;
                        let answer = log_in(&mut key, list, verified, up);
                        let status = if found { S::OK } else { S::NO_CREDENTIALS };
                        assert_eq!(answer.status(), status, "{level:?} {verified} {up}");
                        assert_eq!(answer.prompt.is_some(), found && up, "nobody is asked in vain");
                    }
                }
            }
        }
    }
}

#[test]
fn a_credential_in_its_own_id_knows_its_level_too() {
    for level in LEVELS {
        let (mut key, id) = key_with(Disk::default(), Members::make_credential(), level);
        for verified in [false, true] {
            let found = verified || level != Some(3);
            let status = if found { S::OK } else { S::NO_CREDENTIALS };
            let answer = log_in(&mut key, Some(&id), verified, true);
            assert_eq!(answer.status(), status, "{level:?} {verified}");
        }
    }
}

#[test]
fn hidden_credentials_are_not_counted() {
    let mut key = Key::new(KeyKind::Synced);
    for (id, level) in [(&b"one"[..], 1), (b"two", 2), (b"three", 3), (b"four", 1)] {
        key.register(&with_level(resident().with(3, user(id)), Some(level)));
    }
    key.set_pin(PIN);
    for (verified, count) in [(false, 2), (true, 4)] {
        let answer = log_in(&mut key, None, verified, true);
        assert_eq!(answer.members().get(5_u64), Some(&Value::Unsigned(count)));
        for _ in 1..count {
            assert_eq!(key.cbor(&[0x08]).status(), S::OK);
        }
        assert_eq!(key.cbor(&[0x08]).status(), S::NOT_ALLOWED);
    }
}

#[test]
fn an_allow_list_is_searched_on_behind_a_hidden_credential() {
    let mut key = Key::new(KeyKind::Synced);
    let [hidden, open] = [(&b"one"[..], 3), (b"two", 1)].map(|(id, level)| {
        key.register(&with_level(resident().with(3, user(id)), Some(level)))
            .id
    });
    let request = Members::get_assertion().with(3, descriptors([&hidden[..], &open]));
    let answer = key.cbor(&request.encode(0x02));
    let members = answer.members();
    let descriptor = map([("type", Value::Text("public-key")), ("id", Value::Bytes(&open))]);
    assert_eq!(members.get(1_u64), Some(&descriptor));
}

#[test]
fn an_excluded_credential_is_told_to_those_it_is_for() {
    for request in [Members::make_credential(), resident()] {
        for level in LEVELS {
            for verified in [false, true] {
                let (mut key, id) = key_with(Disk::default(), request.clone(), level);
                let again = Members::make_credential().with(5, descriptors([&id[..]]));
                let again = if verified {
                    key.token(MC, None).make_credential(again)
                } else {
                    again.encode(0x01)
                };
                let answer = key.cbor(&again);
                let (status, purpose) = if verified || level != Some(3) {
                    (S::CREDENTIAL_EXCLUDED, Purpose::AlreadyRegistered)
                } else {
                    (S::OK, Purpose::Register)
                };
                assert_eq!(answer.status(), status, "{level:?} {verified}");
                assert_eq!(answer.prompt.unwrap().purpose, purpose);
            }
        }
    }
}

#[test]
fn behind_a_hidden_one_another_is_excluded() {
    let mut key = Key::new(KeyKind::Synced);
    let [hidden, open] = [3, 1].map(|level| {
        let request = with_level(Members::make_credential(), Some(level));
        key.register(&request).id
    });
    for (list, status) in [
        (vec![&hidden[..]], S::OK),
        (vec![&hidden[..], &open], S::CREDENTIAL_EXCLUDED),
    ] {
        let request = Members::make_credential().with(5, descriptors(list));
        assert_eq!(key.cbor(&request.encode(0x01)).status(), status);
    }
}

#[test]
fn the_level_is_echoed_if_it_was_asked_for() {
    for request in [Members::make_credential(), resident()] {
        for level in LEVELS {
            let request = with_level(request.clone(), level);
            let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x01));
            let expected = level.map(|level| map([("credProtect", Value::Unsigned(level))]));
            assert_eq!(answer.outputs().map(Value::Map), expected);
        }
    }
}

#[test]
fn an_account_s_new_credential_has_the_level_it_was_made_with() {
    let mut key = Key::new(KeyKind::Synced);
    for (level, status) in [
        (Some(3), S::NO_CREDENTIALS),
        (None, S::OK),
        (Some(2), S::NO_CREDENTIALS),
    ] {
        key.register(&with_level(resident(), level));
        assert_eq!(log_in(&mut key, None, false, true).status(), status);
    }
}

#[test]
fn a_new_name_leaves_the_level() {
    let (mut key, id) = key_with(Disk::default(), resident(), Some(3));
    let descriptor = map([("type", Value::Text("public-key")), ("id", Value::Bytes(&id))]);
    let parameters = crate::cbor::Map::new([(2_u64, descriptor), (3, user(b"ali"))]);
    let request = key
        .token(CM, None)
        .manage_credentials(0x07, Some(Value::Map(parameters)));
    assert_eq!(key.cbor(&request).status(), S::OK);
    assert_eq!(
        log_in(&mut key, Some(&id), false, true).status(),
        S::NO_CREDENTIALS
    );
    assert_eq!(log_in(&mut key, None, true, true).status(), S::OK);
}

#[test]
fn at_login_it_is_no_extension() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    let request = Members::get_assertion().with(4, map([("credProtect", Value::Text(RP_ID))]));
    let answer = key.cbor(&request.encode(0x02));
    assert_eq!((answer.status(), answer.outputs()), (S::OK, None));
}

#[test]
fn other_levels_are_no_option() {
    for (level, status) in [
        (Value::Unsigned(0), S::INVALID_OPTION),
        (Value::Unsigned(4), S::INVALID_OPTION),
        (Value::Unsigned(256 + 1), S::INVALID_OPTION),
        (Value::integer(-1), S::CBOR_UNEXPECTED_TYPE),
        (Value::Text("1"), S::CBOR_UNEXPECTED_TYPE),
        (Value::Bool(true), S::CBOR_UNEXPECTED_TYPE),
    ] {
        let request = resident().with(6, map([("credProtect", level)]));
        let mut key = Key::new(KeyKind::Synced);
        let answer = key.cbor(&request.encode(0x01));
        assert_eq!((answer.prompt, answer.bytes), (None, vec![status.byte()]));
        assert!(key.authenticator.vault().is_empty());
    }
}

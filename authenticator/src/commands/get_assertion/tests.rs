use core::time::Duration;

use sha2::{Digest, Sha256};

use super::*;
use crate::cbor::Value;
use crate::command::MESSAGE_LEN_MAX;
use crate::config::{Algorithms, KeyKind};
use crate::gesture::Modality;
use crate::pin::built_in::Verifier;
use crate::testing::SeededRng;
use crate::testing::disk::Disk;
use crate::testing::platform::{GA, PIN};
use crate::testing::{
    Answer, CLIENT_DATA_HASH, Key, Members, RP_ID, Registration, algorithm, descriptors, map, option,
    resident, user, verifies,
};

fn base() -> Members<'static> {
    Members::get_assertion()
}

fn next(key: &mut Key) -> Answer {
    key.cbor(&[0x08])
}

fn credential_in(answer: &Answer) -> Vec<u8> {
    let members = answer.members();
    let Some(Value::Map(credential)) = members.get(1_u64) else {
        panic!()
    };
    assert_eq!(credential.get("type"), Some(&Value::Text("public-key")));
    let Some(Value::Bytes(id)) = credential.get("id") else {
        panic!()
    };
    id.to_vec()
}

fn user_in(answer: &Answer) -> Option<Vec<u8>> {
    let members = answer.members();
    let Value::Map(user) = members.get(4_u64)? else {
        panic!()
    };
    assert_eq!(user.entries().len(), 1, "only the id without user verification");
    let Some(Value::Bytes(id)) = user.get("id") else {
        panic!()
    };
    Some(id.to_vec())
}

fn assert_signed_by(registration: &Registration, answer: &Answer) {
    assert_eq!(credential_in(answer), registration.id);
    let (auth_data, signature) = (answer.bytes_of(2), answer.bytes_of(3));
    assert!(verifies(
        &registration.public_key,
        &[&auth_data[..], &CLIENT_DATA_HASH].concat(),
        &signature
    ));
    assert!(!verifies(
        &registration.public_key,
        &[&auth_data[..], &[0; 32]].concat(),
        &signature
    ));
}

mod accounts;
mod faults;
mod verification;

// Signatures and authenticator data

#[test]
fn every_kind_of_credential_signs_in() {
    for kind in [KeyKind::Synced, KeyKind::DeviceBound] {
        for identifier in [-7, -8, -9, -19, -35, -48, -49, -51] {
            for kept in [false, true] {
                let mut key = Key::new(kind);
                key.authenticator.config.algorithms = Algorithms::WithMlDsa;
                let parameters = Value::Array(vec![algorithm(identifier)]);
                let registration = key.register(
                    &Members::make_credential()
                        .with(4, parameters)
                        .with(7, option("rk", kept)),
                );
                // What new credentials may have says nothing of those that exist.
                key.authenticator.config.algorithms = Algorithms::Classical;
                let request = base().with(3, descriptors([&registration.id[..]])).encode(0x02);
                let answer = key.cbor(&request);
                assert_signed_by(&registration, &answer);
                assert!(answer.bytes.len() <= MESSAGE_LEN_MAX);
            }
        }
    }
}

#[test]
fn a_discoverable_credential_needs_no_allow_list() {
    for list in [None, Some(Value::Array(vec![]))] {
        let mut key = Key::new(KeyKind::Synced);
        let registration = key.register(&resident());
        let request = list.map_or(base(), |list| base().with(3, list));
        let answer = key.cbor(&request.encode(0x02));
        assert_signed_by(&registration, &answer);
        assert_eq!(user_in(&answer).as_deref(), Some(&b"ali"[..]));
        assert_eq!(answer.members().get(5_u64), None);
    }
}

#[test]
fn authenticator_data_is_37_bytes_with_the_flags_of_the_evidence() {
    for (kind, up, flags) in [
        (KeyKind::Synced, true, 0x09),
        (KeyKind::Synced, false, 0x08),
        (KeyKind::DeviceBound, true, 0x01),
        (KeyKind::DeviceBound, false, 0x00),
    ] {
        let mut key = Key::new(kind);
        key.register(&resident());
        let auth_data = key
            .cbor(&base().with(5, option("up", up)).encode(0x02))
            .bytes_of(2);
        assert_eq!(auth_data.len(), 37);
        assert_eq!(auth_data[..32], Sha256::digest(RP_ID)[..]);
        assert_eq!(auth_data[32], flags);
    }
}

#[test]
fn only_credentials_that_stay_on_one_device_count() {
    for (kind, counts) in [(KeyKind::Synced, [0, 0, 0]), (KeyKind::DeviceBound, [2, 3, 4])] {
        let mut key = Key::new(kind);
        key.register(&resident());
        let counted = [(); 3].map(|()| {
            let auth_data = key.cbor(&base().encode(0x02)).bytes_of(2);
            u32::from_be_bytes(auth_data[33..].try_into().unwrap())
        });
        assert_eq!(counted, counts);
    }
}

#[test]
fn the_user_is_told_of_stored_credentials_only() {
    let mut key = Key::new(KeyKind::Synced);
    let (stored, wrapped) = (
        key.register(&resident()).id,
        key.register(&Members::make_credential()).id,
    );
    let answer = key.cbor(&base().with(3, descriptors([&stored[..]])).encode(0x02));
    assert_eq!(user_in(&answer).as_deref(), Some(&b"ali"[..]));
    let answer = key.cbor(&base().with(3, descriptors([&wrapped[..]])).encode(0x02));
    assert_eq!(user_in(&answer), None);
}

#[test]
fn names_are_told_only_after_user_verification() {
    let full = || User {
        id: vec![1],
        name: Some("n".to_owned()),
        display_name: Some("d".to_owned()),
    };
    let only_id = User {
        id: vec![1],
        name: None,
        display_name: None,
    };
    assert_eq!(
        shown_to_relying_party(full(), &Evidence::in_test(true, false)),
        only_id
    );
    assert_eq!(
        shown_to_relying_party(full(), &Evidence::in_test(false, true)),
        full()
    );
    let encoded = crate::cbor::encode(&Value::Map(user_entity(&full())));
    assert_eq!(encoded, b"\xA3\x62id\x41\x01\x64name\x61n\x6BdisplayName\x61d");
}

// Status codes, two faults each: the earlier step wins

#[test]
fn of_two_faults_the_earlier_step_answers() {
    use StatusCode as S;
    let proof = |members: Members<'static>| {
        members
            .with(6, Value::Bytes(&[1; 16]))
            .with(7, Value::Unsigned(3))
    };
    let nobody = || base().with(1, Value::Text("example.com"));
    let both = |first, second| map([(first, Value::Bool(true)), (second, Value::Bool(true))]);
    for (faults, request, status) in [
        (
            "type, blink",
            base().with(5, Value::Null).with(6, Value::Bytes(&[])),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        (
            "blink, option",
            base().with(5, option("rk", true)).with(6, Value::Bytes(&[])),
            S::PIN_NOT_SET,
        ),
        (
            "proof, option",
            proof(base().with(5, option("rk", true))),
            S::INVALID_PARAMETER,
        ),
        ("uv, rk", base().with(5, both("uv", "rk")), S::INVALID_OPTION),
        (
            "option, credentials",
            nobody().with(5, option("rk", true)),
            S::UNSUPPORTED_OPTION,
        ),
        (
            "blink, credentials",
            nobody().with(6, Value::Bytes(&[])),
            S::PIN_NOT_SET,
        ),
    ] {
        assert_eq!(
            Key::new(KeyKind::Synced).cbor(&request.encode(0x02)).status(),
            status,
            "{faults}"
        );
    }
}

// The question and the gesture

#[test]
fn without_a_credential_nobody_is_asked() {
    let mut key = Key::new(KeyKind::Synced);
    for request in [base(), base().with(3, descriptors([&[9; 75][..]]))] {
        let answer = key.cbor(&request.encode(0x02));
        assert_eq!(
            (answer.prompt, answer.bytes),
            (None, vec![StatusCode::NO_CREDENTIALS.byte()])
        );
    }
}

#[test]
fn the_question_names_the_account_if_only_one_can_be_meant() {
    let mut key = Key::new(KeyKind::Synced);
    let id = key.register(&resident()).id;
    let prompt = key.cbor(&base().encode(0x02)).prompt.unwrap();
    assert_eq!(
        (prompt.purpose, prompt.rp_id.as_deref()),
        (Purpose::SignIn, Some(RP_ID))
    );
    assert_eq!(prompt.user_name.as_deref(), Some("ali@example.org"));
    key.register(&resident().with(3, user(b"zoe")));
    assert_eq!(key.cbor(&base().encode(0x02)).prompt.unwrap().user_name, None);
    let listed = base().with(3, descriptors([&id[..]]));
    assert_eq!(
        key.cbor(&listed.encode(0x02))
            .prompt
            .unwrap()
            .user_display_name
            .as_deref(),
        Some("Ali")
    );
}

#[test]
fn up_false_is_answered_without_a_question() {
    let mut key = Key::new(KeyKind::Synced);
    let registration = key.register(&Members::make_credential());
    let request = base()
        .with(3, descriptors([&registration.id[..]]))
        .with(5, option("up", false));
    let answer = key.cbor(&request.encode(0x02));
    assert_eq!(answer.prompt, None);
    assert_signed_by(&registration, &answer);
}

#[test]
fn without_approval_nothing_is_signed() {
    for (gesture, status) in [
        (Gesture::Declined, StatusCode::OPERATION_DENIED),
        (Gesture::TimedOut, StatusCode::OPERATION_DENIED),
        (Gesture::Cancelled, StatusCode::KEEPALIVE_CANCEL),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        key.register(&resident());
        key.register(&resident().with(3, user(b"zoe")));
        for request in [base(), base().with(6, Value::Bytes(&[]))] {
            assert_eq!(
                key.cbor_and(&request.encode(0x02), gesture.clone()).bytes,
                [status.byte()]
            );
            assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
        }
    }
}

#[test]
fn an_empty_proof_asks_for_a_touch_only() {
    let answer = Key::new(KeyKind::Synced).cbor(&base().with(6, Value::Bytes(&[])).encode(0x02));
    assert_eq!(answer.prompt, Some(Prompt::bare(Purpose::Identify)));
    assert_eq!(answer.status(), StatusCode::PIN_NOT_SET);
}

#[test]
fn a_credential_deleted_during_the_question_does_not_sign() {
    let mut key = Key::new(KeyKind::Synced);
    let id = CredentialId::new(&key.register(&resident()).id).unwrap();
    let outcome = key.authenticator.handle_cbor(key.now, &base().encode(0x02));
    let crate::Outcome::NeedsGesture(pending) = outcome else {
        panic!()
    };
    key.authenticator
        .vault_mut()
        .delete(&mut SeededRng::new(9), &id, None)
        .unwrap();
    let answer = key.authenticator.resume(key.now, pending, Gesture::Approved);
    let crate::Outcome::Done(answer) = answer else {
        panic!()
    };
    assert_eq!(answer, [StatusCode::NO_CREDENTIALS.byte()]);
}

// getNextAssertion

fn key_with_three_accounts() -> (Key, [Registration; 3]) {
    let mut key = Key::new(KeyKind::DeviceBound);
    let registrations = [&b"one"[..], b"two", b"three"].map(|id| key.register(&resident().with(3, user(id))));
    (key, registrations)
}

#[test]
fn several_accounts_are_told_newest_first() {
    let (mut key, [one, two, three]) = key_with_three_accounts();
    let first = key.cbor(&base().encode(0x02));
    assert_eq!(first.members().get(5_u64), Some(&Value::Unsigned(3)));
    assert_eq!(user_in(&first).as_deref(), Some(&b"three"[..]));
    assert_signed_by(&three, &first);
    let second = next(&mut key);
    assert_eq!((second.prompt.clone(), second.members().get(5_u64)), (None, None));
    assert_eq!(user_in(&second).as_deref(), Some(&b"two"[..]));
    assert_signed_by(&two, &second);
    let third = next(&mut key);
    assert_signed_by(&one, &third);
    for (answer, count) in [(&first, 4), (&second, 5), (&third, 6)] {
        assert_eq!(
            answer.bytes_of(2)[32..],
            [&[0x01][..], &u32::to_be_bytes(count)].concat()
        );
    }
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
}

#[test]
fn an_allow_list_is_answered_once() {
    let (mut key, [one, two, _]) = key_with_three_accounts();
    let answer = key.cbor(&base().with(3, descriptors([&two.id[..], &one.id])).encode(0x02));
    assert_signed_by(&two, &answer);
    assert_eq!(answer.members().get(5_u64), None);
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
}

#[test]
fn up_false_holds_for_the_next_assertions_too() {
    let (mut key, _) = key_with_three_accounts();
    key.cbor(&base().with(5, option("up", false)).encode(0x02));
    assert_eq!(next(&mut key).bytes_of(2)[32], 0x00);
}

#[test]
fn the_next_assertion_waits_30_seconds_after_the_last_one() {
    let (mut key, _) = key_with_three_accounts();
    key.cbor(&base().encode(0x02));
    key.wait(Duration::from_secs(30));
    assert_eq!(next(&mut key).status(), StatusCode::OK);
    key.wait(Duration::from_millis(30_001));
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
}

#[test]
fn only_get_info_and_u2f_leave_the_next_assertion_alone() {
    let make_credential = Members::make_credential().encode(0x01);
    let get_assertion = base().with(3, descriptors([&[9; 75][..]])).encode(0x02);
    for (request, status) in [
        (&[0x04][..], StatusCode::OK),
        (&[0x0B], StatusCode::NOT_ALLOWED),
        (&[0x07], StatusCode::NOT_ALLOWED),
        (&make_credential, StatusCode::NOT_ALLOWED),
        (&get_assertion, StatusCode::NOT_ALLOWED),
    ] {
        let (mut key, _) = key_with_three_accounts();
        key.cbor(&base().encode(0x02));
        key.cbor_and(request, Gesture::Declined);
        assert_eq!(next(&mut key).status(), status, "{request:02x?}");
    }
    let (mut key, _) = key_with_three_accounts();
    key.cbor(&base().encode(0x02));
    key.msg(&[0, 3, 0, 0]);
    assert_eq!(next(&mut key).status(), StatusCode::OK);
}

#[test]
fn a_power_cycle_forgets_the_next_assertion() {
    let (mut key, _) = key_with_three_accounts();
    key.cbor(&base().encode(0x02));
    key.authenticator.power_cycle(key.now);
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
}

#[test]
fn without_a_first_assertion_there_is_no_next() {
    assert_eq!(
        next(&mut Key::new(KeyKind::Synced)).status(),
        StatusCode::NOT_ALLOWED
    );
}

#[test]
fn the_next_assertion_waits_no_longer_than_the_token_of_the_first_is_in_use() {
    for (verified, status) in [(true, StatusCode::NOT_ALLOWED), (false, StatusCode::OK)] {
        let (mut key, _) = key_with_three_accounts();
        key.set_pin(PIN);
        let ticket = key.token(GA, None);
        let silent = ticket.get_assertion(base().with(5, option("up", false)));
        assert_eq!(key.cbor(&silent).status(), StatusCode::OK);
        key.wait(Duration::from_secs(590));
        let request = if verified {
            ticket.get_assertion(base())
        } else {
            base().encode(0x02)
        };
        assert_eq!(key.cbor(&request).status(), StatusCode::OK);
        assert_eq!(next(&mut key).status(), StatusCode::OK);
        key.wait(Duration::from_secs(10));
        assert_eq!(next(&mut key).status(), status);
    }
}

#[test]
fn a_credential_deleted_meanwhile_is_passed_over() {
    let (mut key, [one, two, _]) = key_with_three_accounts();
    assert_eq!(key.cbor(&base().encode(0x02)).status(), StatusCode::OK);
    let id = CredentialId::new(&two.id).unwrap();
    let vault = key.authenticator.vault_mut();
    assert!(vault.delete(&mut SeededRng::new(9), &id, None).unwrap());
    assert_signed_by(&one, &next(&mut key));
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
}

#[test]
fn a_further_assertion_that_cannot_be_counted_is_the_last() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::DeviceBound, disk.clone(), 1);
    for id in [&b"one"[..], b"two", b"three"] {
        key.register(&resident().with(3, user(id)));
    }
    assert_eq!(key.cbor(&base().encode(0x02)).status(), StatusCode::OK);
    disk.break_after(0);
    assert_eq!(next(&mut key).bytes, [StatusCode::OTHER.byte()]);
    assert_eq!(next(&mut key).status(), StatusCode::NOT_ALLOWED);
}

#[test]
fn a_list_too_long_is_refused_before_anybody_is_verified() {
    let mut key = Key::new(KeyKind::Synced);
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let request = base()
        .with(3, descriptors([&[9; 40][..]; 21]))
        .with(5, option("uv", true));
    let answer = key.cbor(&request.encode(0x02));
    assert_eq!(
        (answer.prompt, answer.bytes),
        (None, vec![StatusCode::LIMIT_EXCEEDED.byte()])
    );
}

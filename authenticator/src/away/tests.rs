use super::*;
use crate::cbor::Value;
use crate::testing::vault_pin::{kept_disk, locked, locked_key_on, locked_vault, unlocked};
use crate::testing::{Members, descriptors, resident};
use crate::{LockedOutcome, StatusCode, StatusWord};

const GET_INFO: [u8; 1] = [0x04];

fn away(key: Authenticator<Locked>) -> Authenticator<Away> {
    key.stand_aside().1
}

/// A key without its vault, in which is a credential with this id.
fn used() -> (Authenticator<Away>, Vec<u8>) {
    let mut key = unlocked(locked_key_on(kept_disk()));
    let id = key.register(&resident()).id;
    (away(locked(key)), id)
}

fn done(outcome: AwayOutcome) -> Vec<u8> {
    match outcome {
        AwayOutcome::Done(bytes) => bytes,
        AwayOutcome::NeedsGesture(pending) => panic!("{:?}", pending.prompt()),
        AwayOutcome::Waits => panic!("it waits"),
    }
}

fn status(status: StatusCode) -> Vec<u8> {
    vec![status.byte()]
}

#[test]
fn get_info_says_what_it_says_while_the_vault_is_locked() {
    let mut key = unlocked(locked_key_on(kept_disk()));
    key.set_pin("1234");
    let mut key = locked(key);
    let LockedOutcome::Done(while_locked) = key.handle_cbor(&GET_INFO) else {
        panic!("no answer");
    };
    assert_eq!(done(away(key).handle_cbor(&GET_INFO)), while_locked);
}

#[test]
fn what_needs_the_vault_waits_whether_it_can_be_there_or_not() {
    let (mut key, id) = used();
    let asserting = |id: &[u8]| Members::get_assertion().with(3, descriptors([id])).encode(0x02);
    for waits in [
        asserting(&id),
        asserting(&[9; 32]),
        Members::get_assertion().encode(0x02),
        Members::make_credential().encode(0x01),
        vec![0x07],
    ] {
        assert!(
            matches!(key.handle_cbor(&waits), AwayOutcome::Waits),
            "{waits:02x?}"
        );
    }
}

#[test]
fn what_needs_no_vault_is_answered_at_once() {
    let (mut key, _) = used();
    assert_eq!(done(key.handle_cbor(&[0x08])), status(StatusCode::NOT_ALLOWED));
    let with_token = Members::make_credential()
        .with(8, Value::Bytes(&[0; 16]))
        .with(9, Value::Unsigned(1));
    assert_eq!(
        done(key.handle_cbor(&with_token.encode(0x01))),
        status(StatusCode::PIN_AUTH_INVALID)
    );
    for (command, answer) in [
        (vec![0x0B], status(StatusCode::OK)),
        (
            Members::make_credential()
                .with(8, Value::Bytes(&[]))
                .with(9, Value::Unsigned(1))
                .encode(0x01),
            status(StatusCode::PIN_NOT_SET),
        ),
    ] {
        let AwayOutcome::NeedsGesture(pending) = key.handle_cbor(&command) else {
            panic!("no question: {command:02x?}");
        };
        assert_eq!(key.resume(pending, Gesture::Approved), answer);
    }
}

#[test]
fn u2f_hears_not_yet_and_nothing_about_a_key_handle() {
    let (mut key, id) = used();
    let application = [[7; 32], [9; 32]].concat();
    let handle = [&application[..], &[u8::try_from(id.len()).unwrap()], &id].concat();
    let apdu = |instruction, control, data: &[u8]| {
        let length = u8::try_from(data.len()).unwrap();
        [&[0, instruction, control, 0, 0, 0, length], data, &[0, 0]].concat()
    };
    for (request, answer) in [
        (apdu(1, 0, &application), StatusWord::CONDITIONS_NOT_SATISFIED),
        (apdu(2, 3, &handle), StatusWord::CONDITIONS_NOT_SATISFIED),
        (apdu(2, 7, &handle), StatusWord::NO_PRECISE_DIAGNOSIS),
        (apdu(1, 0, &[0; 3]), StatusWord::WRONG_LENGTH),
        (apdu(9, 0, &[]), StatusWord::INS_NOT_SUPPORTED),
    ] {
        assert_eq!(key.handle_msg(&request), answer.bytes(), "{request:02x?}");
    }
    let version = key.handle_msg(&[0, 3, 0, 0, 0, 0, 0]);
    assert!(version.starts_with(b"U2F_V2"));
}

/// Mutation: the state of before is kept.
#[test]
fn the_key_that_comes_back_is_what_others_have_left() {
    let disk = kept_disk();
    let key = away(locked_key_on(disk.clone()));
    let mut other = unlocked(locked_key_on(disk.clone()));
    other.set_pin("1234");
    drop(other);
    let mut key = key.come_back(locked_vault(disk.clone()));
    let LockedOutcome::Done(answer) = key.handle_cbor(&GET_INFO) else {
        panic!("no answer");
    };
    let LockedOutcome::Done(expected) = locked_key_on(disk).handle_cbor(&GET_INFO) else {
        panic!("no answer");
    };
    assert_eq!(answer, expected);
    assert!(key.state.pin_retries > 0 && key.is_protected());
}

use super::*;
use crate::cbor::Value;
use crate::testing::vault_pin::{kept_disk, locked, locked_key, locked_key_on, locked_key_with, unlocked};
use crate::testing::{Key, Members, RP_ID, descriptors, resident};
use crate::{KeyKind, StatusWord};

const GET_INFO: [u8; 1] = [0x04];

fn done(outcome: LockedOutcome) -> Vec<u8> {
    match outcome {
        LockedOutcome::Done(bytes) => bytes,
        LockedOutcome::NeedsGesture(pending) => panic!("{:?}", pending.prompt()),
        LockedOutcome::NeedsVault(prompt) => panic!("needs the vault: {prompt:?}"),
    }
}

fn needs_vault(outcome: LockedOutcome) -> Prompt {
    match outcome {
        LockedOutcome::NeedsVault(prompt) => prompt,
        LockedOutcome::Done(bytes) => panic!("{bytes:02x?}"),
        LockedOutcome::NeedsGesture(pending) => panic!("{:?}", pending.prompt()),
    }
}

fn status(status: StatusCode) -> Vec<u8> {
    vec![status.byte()]
}

/// Locked, with a discoverable credential and one that is not, both at [`RP_ID`]; and their ids.
fn used() -> (Authenticator<Locked>, Vec<u8>, Vec<u8>) {
    let mut key = unlocked(locked_key());
    let stored = key.register(&resident()).id;
    let wrapped = key.register(&Members::make_credential()).id;
    (locked(key), stored, wrapped)
}

fn asserting(id: &[u8]) -> Vec<u8> {
    Members::get_assertion().with(3, descriptors([id])).encode(0x02)
}

#[test]
fn get_info_says_the_same_but_for_what_counts_credentials() {
    let mut key = unlocked(locked_key());
    key.set_pin("1234");
    let mut open = key.cbor(&GET_INFO).members_owned();
    let mut key = locked(key);
    let answer = crate::testing::Answer {
        prompt: None,
        bytes: done(key.handle_cbor(&GET_INFO)),
    };
    let shut = answer.members_owned();
    open.remove(&0x14);
    assert_eq!(shut, open);
}

/// Mutation: no `mend_public_state` in `unlock`.
#[test]
fn a_public_state_that_is_not_what_was_written_is_mended_by_the_next_opening() {
    let disk = kept_disk();
    let mut key = unlocked(locked_key_on(disk.clone()));
    key.set_pin("1234");
    drop(key);
    let get_info = |key: &mut Authenticator<Locked>| done(key.handle_cbor(&GET_INFO));
    let shut = get_info(&mut locked_key_on(disk.clone()));
    // Another key for what is recognized: nothing in clear is believed.
    let mut key = locked_key_with(disk.clone(), [1; 32]);
    assert_ne!(get_info(&mut key), shut);
    assert_eq!(get_info(&mut locked(unlocked(key))), shut);
    assert_eq!(get_info(&mut locked_key_with(disk, [1; 32])), shut);
}

#[test]
fn what_is_not_here_is_answered_at_once_and_what_may_be_waits_for_the_vault() {
    let (mut key, stored, wrapped) = used();
    for id in [&stored, &wrapped] {
        assert_eq!(
            needs_vault(key.handle_cbor(&asserting(id))).rp_id.as_deref(),
            Some(RP_ID)
        );
    }
    let prompt = needs_vault(key.handle_cbor(&Members::get_assertion().encode(0x02)));
    assert_eq!(prompt.purpose, Purpose::SignIn);
    let none = status(StatusCode::NO_CREDENTIALS);
    for foreign in [vec![1; 32], vec![2; 64], stored[..31].to_vec()] {
        assert_eq!(done(key.handle_cbor(&asserting(&foreign))), none);
    }
    let request = Members::get_assertion().with(1, Value::Text("example.net"));
    let request = request.encode(0x02);
    assert_eq!(done(key.handle_cbor(&request)), none);
    for id in [&stored, &wrapped] {
        let request = Members::get_assertion().with(1, Value::Text("example.net"));
        let request = request.with(3, descriptors([id.as_slice()]));
        assert_eq!(done(key.handle_cbor(&request.encode(0x02))), none);
    }
}

#[test]
fn after_unlocking_both_credentials_sign_and_after_locking_again_nothing_does() {
    let (key, stored, wrapped) = used();
    let mut key = unlocked(key);
    for id in [&stored, &wrapped] {
        assert_eq!(key.cbor(&asserting(id)).status(), StatusCode::OK);
    }
    let mut key = locked(key);
    needs_vault(key.handle_cbor(&asserting(&stored)));
}

#[test]
fn registering_says_for_whom_and_tokens_have_ended() {
    let mut key = locked_key();
    let prompt = needs_vault(key.handle_cbor(&resident().encode(0x01)));
    assert_eq!(
        (prompt.purpose, prompt.rp_id.as_deref()),
        (Purpose::Register, Some(RP_ID))
    );
    assert_eq!(prompt.user_name.as_deref(), Some("ali@example.org"));
    for (request, command) in [
        (Members::make_credential(), 0x01),
        (Members::get_assertion(), 0x02),
    ] {
        let (param, protocol) = if command == 0x01 { (8, 9) } else { (6, 7) };
        let with_token = request
            .with(param, Value::Bytes(&[7; 32]))
            .with(protocol, Value::Unsigned(2));
        let answer = done(key.handle_cbor(&with_token.encode(command)));
        assert_eq!(answer, status(StatusCode::PIN_AUTH_INVALID));
    }
}

#[test]
fn a_zero_length_parameter_and_selection_ask_for_a_touch_only() {
    let mut key = locked_key();
    let blink = Members::get_assertion().with(6, Value::Bytes(&[]));
    let requests = [
        (blink.encode(0x02), StatusCode::PIN_NOT_SET),
        (vec![0x0B], StatusCode::OK),
    ];
    for (request, expected) in requests {
        let LockedOutcome::NeedsGesture(pending) = key.handle_cbor(&request) else {
            panic!()
        };
        assert_eq!(pending.prompt(), &Prompt::bare(Purpose::Identify));
        assert_eq!(key.resume(pending, Gesture::Approved), status(expected));
    }
}

#[test]
fn key_agreement_and_retries_need_no_vault_and_go_on_with_it() {
    let mut key = locked_key();
    let ask = |subcommand| {
        Members::empty()
            .with(1, Value::Unsigned(2))
            .with(2, Value::Unsigned(subcommand))
    };
    let before = done(key.handle_cbor(&ask(2).encode(0x06)));
    assert_eq!(before[0], 0);
    assert_eq!(
        done(key.handle_cbor(&ask(1).encode(0x06))),
        [0x00, 0xA2, 0x03, 0x08, 0x04, 0xF4]
    );
    assert_eq!(
        needs_vault(key.handle_cbor(&ask(5).encode(0x06))).purpose,
        Purpose::Unlock
    );
    let mut key = unlocked(key);
    assert_eq!(key.cbor(&ask(2).encode(0x06)).bytes, before);
}

#[test]
fn everything_else_waits_for_the_vault_and_lists_are_forgotten() {
    let mut key = locked_key();
    assert_eq!(done(key.handle_cbor(&[0x08])), status(StatusCode::NOT_ALLOWED));
    let reads_large_blobs = Members::empty()
        .with(1, Value::Unsigned(16))
        .with(3, Value::Unsigned(0));
    let requests = [
        vec![0x07],
        Members::empty().with(1, Value::Unsigned(1)).encode(0x0A),
        reads_large_blobs.encode(0x0C),
        Members::empty().with(1, Value::Unsigned(2)).encode(0x0D),
    ];
    for request in requests {
        assert_eq!(
            needs_vault(key.handle_cbor(&request)),
            Prompt::bare(Purpose::Unlock)
        );
    }
    assert_eq!(
        done(key.handle_cbor(&[0x01, 0xFF])),
        status(StatusCode::INVALID_CBOR)
    );
    assert_eq!(
        done(key.handle_cbor(&[0x55])),
        status(StatusCode::INVALID_COMMAND)
    );
}

#[test]
fn u2f_is_answered_as_ever_for_what_is_not_here() {
    let mut key = unlocked(locked_key());
    let application = [9; 32];
    let register = [&[0, 1, 0, 0, 64][..], &[7; 32], &application].concat();
    let answer = key.msg(&register).bytes;
    let handle = answer[67..67 + usize::from(answer[66])].to_vec();
    let authenticate = |control: u8, application: [u8; 32], handle: &[u8]| {
        let data = [
            &[7; 32][..],
            &application,
            &[u8::try_from(handle.len()).unwrap()],
            handle,
        ]
        .concat();
        [&[0, 2, control, 0, u8::try_from(data.len()).unwrap()][..], &data].concat()
    };
    let mut key = locked(key);
    let word = |word: StatusWord| word.bytes().to_vec();
    for control in [0x03, 0x07, 0x08] {
        let other = authenticate(control, [8; 32], &handle);
        assert_eq!(done(key.handle_msg(&other)), word(StatusWord::WRONG_DATA));
        let foreign = authenticate(control, application, &[5; 64]);
        assert_eq!(done(key.handle_msg(&foreign)), word(StatusWord::WRONG_DATA));
    }
    let check = authenticate(0x07, application, &handle);
    assert_eq!(
        done(key.handle_msg(&check)),
        word(StatusWord::CONDITIONS_NOT_SATISFIED)
    );
    for control in [0x03, 0x08] {
        let ours = authenticate(control, application, &handle);
        assert_eq!(needs_vault(key.handle_msg(&ours)), Prompt::bare(Purpose::SignIn));
    }
    assert_eq!(
        needs_vault(key.handle_msg(&register)),
        Prompt::bare(Purpose::Register)
    );
    assert_eq!(done(key.handle_msg(&[0, 3, 0, 0])), b"U2F_V2\x90\x00");
}

#[test]
fn a_vault_without_a_vault_pin_stays_open() {
    let key = Key::new(KeyKind::Synced);
    assert!(key.authenticator.lock().is_err());
}

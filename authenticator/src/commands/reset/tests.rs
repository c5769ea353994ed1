use core::time::Duration;

use crate::cbor::Value;
use crate::config::Aaguid;
use crate::config::KeyKind;
use crate::gesture::{Gesture, Prompt, Purpose};
use crate::pin::protocol::Protocol;
use crate::status::StatusCode;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, GA, PCMR, PIN, Protection};
use crate::testing::{Key, Members, descriptors, option, resident, user};

const RESET: &[u8] = &[0x07];

#[test]
fn every_credential_stops_working() {
    let mut key = Key::new(KeyKind::Synced);
    let stored = key
        .register(&Members::make_credential().with(7, option("rk", true)))
        .id;
    let wrapped = key.register(&Members::make_credential()).id;
    let answer = key.cbor(RESET);
    assert_eq!(answer.prompt, Some(Prompt::bare(Purpose::Reset)));
    assert_eq!(answer.bytes, [0x00]);
    assert!(key.authenticator.vault().is_empty());
    for request in [
        Members::get_assertion(),
        Members::get_assertion().with(3, descriptors([&stored[..]])),
        Members::get_assertion().with(3, descriptors([&wrapped[..]])),
    ] {
        assert_eq!(
            key.cbor(&request.encode(0x02)).status(),
            StatusCode::NO_CREDENTIALS
        );
    }
}

#[test]
fn the_signature_counter_goes_on() {
    let mut key = Key::new(KeyKind::DeviceBound);
    let before = key.register(&Members::make_credential()).signature_count;
    key.cbor(RESET);
    assert!(key.register(&Members::make_credential()).signature_count > before);
}

#[test]
fn a_reset_is_requested_within_ten_seconds_after_power_up() {
    let mut key = Key::new(KeyKind::Synced);
    key.wait(Duration::from_secs(10));
    assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
    key.wait(Duration::from_millis(1));
    let late = key.cbor(RESET);
    assert_eq!(
        (late.prompt, late.bytes),
        (None, vec![StatusCode::NOT_ALLOWED.byte()])
    );
    key.authenticator.power_cycle(key.now);
    assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
}

#[test]
fn without_approval_everything_stays() {
    for (gesture, status) in [
        (Gesture::Declined, StatusCode::OPERATION_DENIED),
        (Gesture::TimedOut, StatusCode::USER_ACTION_TIMEOUT),
        (Gesture::Cancelled, StatusCode::KEEPALIVE_CANCEL),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        key.register(&Members::make_credential().with(7, option("rk", true)));
        assert_eq!(key.cbor_and(RESET, gesture).bytes, [status.byte()]);
        assert_eq!(key.authenticator.vault().len(), 1);
    }
}

// Where a long touch is demanded

/// A key that wants a long touch for a reset, and has a credential.
fn key_with_long_touch() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    let enable_long_touch = [0x0D, 0xA1, 0x01, 0x04];
    assert_eq!(key.cbor(&enable_long_touch).status(), StatusCode::OK);
    key
}

#[test]
fn instead_of_a_long_touch_the_user_agrees_twice() {
    let mut key = key_with_long_touch();
    let (prompts, answer) = key.cbor_after(RESET, [Gesture::Approved, Gesture::Approved]);
    let expected = [Purpose::Reset, Purpose::ConfirmReset].map(Prompt::bare);
    assert_eq!((prompts.as_slice(), answer.bytes), (&expected[..], vec![0x00]));
    assert!(key.authenticator.vault().is_empty());
    // The next one is as short as the first ever.
    let (prompts, answer) = key.cbor_after(RESET, [Gesture::Approved]);
    assert_eq!((prompts.len(), answer.bytes), (1, vec![0x00]));
}

#[test]
fn whoever_agrees_once_only_has_erased_nothing() {
    for (gesture, status) in [
        (Gesture::Declined, StatusCode::OPERATION_DENIED),
        (Gesture::NotVerified, StatusCode::OPERATION_DENIED),
        (Gesture::TimedOut, StatusCode::USER_ACTION_TIMEOUT),
        (Gesture::Cancelled, StatusCode::KEEPALIVE_CANCEL),
    ] {
        for gestures in [vec![gesture.clone()], vec![Gesture::Approved, gesture]] {
            let mut key = key_with_long_touch();
            let (_, answer) = key.cbor_after(RESET, gestures);
            assert_eq!(answer.bytes, [status.byte()]);
            assert_eq!(key.authenticator.vault().len(), 1);
        }
    }
}

// What it clears and what not

#[test]
fn a_key_whose_pin_is_blocked_is_as_new() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    key.set_pin(PIN);
    for _ in 0..3 {
        key.authenticator.power_cycle(key.now);
        for _ in 0..3 {
            let _ = key.pin_token(Protocol::Two, "4321");
        }
    }
    assert_eq!(key.pin_retries(), (0, false));
    assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
    let mut reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    for key in [&mut key, &mut reopened] {
        assert_eq!(key.pin_retries(), (8, false));
        assert_eq!(key.pin_token(Protocol::Two, PIN), Err(StatusCode::PIN_NOT_SET));
        key.set_pin("56789");
        assert!(key.pin_token(Protocol::Two, "56789").is_ok());
    }
}

#[test]
fn whatever_was_given_out_is_void() {
    let mut key = Key::new(KeyKind::Synced);
    let protection = Protection {
        pin: true,
        fingerprint: true,
        always_uv: false,
    };
    protection.set(&mut key);
    let _ = key.token_by_uv(GA, [Gesture::NotVerified, Gesture::Declined]);
    assert_eq!(key.uv_retries(), 7);
    let before = Protocol::ALL.map(|protocol| key.key_agreement_key(protocol));
    let persistent = key.token(PCMR, None);
    let token = key.token(ACFG | GA, None);
    assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
    assert_eq!(key.uv_retries(), 8);
    let after = Protocol::ALL.map(|protocol| key.key_agreement_key(protocol));
    assert!(before.iter().all(|key| !after.contains(key)));
    for request in [
        token.configure(0x02, None),
        token.get_assertion(Members::get_assertion()),
        persistent.manage_credentials(0x01, None),
    ] {
        assert_eq!(key.cbor(&request).bytes, [StatusCode::PIN_AUTH_INVALID.byte()]);
    }
}

#[test]
fn what_one_command_left_for_the_next_is_gone() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    key.register(&resident().with(3, user(b"zoe")));
    let answer = key.cbor(&Members::get_assertion().encode(0x02));
    assert_eq!(answer.members().get(5_u64), Some(&Value::Unsigned(2)));
    assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
    assert_eq!(key.cbor(&[0x08]).bytes, [StatusCode::NOT_ALLOWED.byte()]);
}

#[test]
fn a_reset_key_describes_itself_as_a_new_one_does() {
    for kind in [KeyKind::Synced, KeyKind::DeviceBound] {
        let new = Key::new(kind).cbor(&[0x04]);
        let mut key = Key::new(kind);
        key.register(&resident());
        key.set_pin(PIN);
        let request = key.token(ACFG, None).configure(0x02, None);
        assert_eq!(key.cbor(&request).status(), StatusCode::OK);
        key.token(PCMR, None);
        assert_ne!(key.cbor(&[0x04]), new);
        assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
        assert_eq!(key.cbor(&[0x04]), new);
        let model = match kind {
            KeyKind::Synced => Aaguid::SYNCED,
            KeyKind::DeviceBound => Aaguid::DEVICE_BOUND,
        };
        assert_eq!(key.register(&resident()).aaguid, model.0);
    }
}

#[test]
fn after_a_reset_the_same_account_gets_another_credential() {
    let mut key = Key::new(KeyKind::Synced);
    let before = key.register(&resident());
    assert_eq!(key.cbor(RESET).status(), StatusCode::OK);
    let after = key.register(&resident());
    assert!(after.id != before.id && after.public_key != before.public_key);
    let excluded = resident().with(5, descriptors([&before.id[..]]));
    assert_eq!(key.cbor(&excluded.encode(0x01)).status(), StatusCode::OK);
}

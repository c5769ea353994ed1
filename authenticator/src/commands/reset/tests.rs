use core::time::Duration;

use crate::config::KeyKind;
use crate::gesture::{Gesture, Prompt, Purpose};
use crate::status::StatusCode;
use crate::testing::{Key, Members, descriptors, option};

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

//! What PINs are taken, and how often they can be guessed: over every way to enter one, across power cycles, and on a
//! disk that breaks at any moment.

use StatusCode as S;

use super::*;
use crate::KeyKind;
use crate::testing::Key;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, Agreement, ClientPin, GA, PIN, padded};

const WRONG: &str = "4321";

/// The ways to enter the PIN over the platform.
const WAYS: [fn(&Agreement, &str) -> ClientPin; 3] = [
    |agreement, pin| agreement.change_pin(pin, "56789"),
    Agreement::pin_token,
    |agreement, pin| agreement.token(pin, GA),
];

fn key_with_pin() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    key
}

/// Enters a PIN in the simplest way.
fn enter(key: &mut Key, pin: &str) -> StatusCode {
    key.pin_token(Protocol::Two, pin)
        .map_or_else(|status| status, |_| S::OK)
}

fn power_cycle(key: &mut Key) {
    key.authenticator.power_cycle(key.now);
}

// Counting

#[test]
fn three_wrong_pins_in_a_row_and_eight_in_all() {
    for protocol in Protocol::ALL {
        for way in WAYS {
            let mut key = key_with_pin();
            let enter = |key: &mut Key, pin| {
                let agreement = key.agree(protocol);
                key.cbor(&way(&agreement, pin).encode()).bytes
            };
            for (tries, statuses) in [
                (8, [S::PIN_INVALID, S::PIN_INVALID, S::PIN_AUTH_BLOCKED]),
                (5, [S::PIN_INVALID, S::PIN_INVALID, S::PIN_AUTH_BLOCKED]),
                (2, [S::PIN_INVALID, S::PIN_BLOCKED, S::PIN_BLOCKED]),
            ] {
                assert_eq!(key.pin_retries(), (tries, false));
                for status in statuses {
                    assert_eq!(enter(&mut key, WRONG), [status.byte()]);
                }
                // The right one is no better now, and costs nothing.
                let left = tries.saturating_sub(3);
                assert_eq!(key.pin_retries(), (left, left > 0));
                assert_eq!(enter(&mut key, PIN), [statuses[2].byte()]);
                assert_eq!(key.pin_retries(), (left, left > 0));
                power_cycle(&mut key);
            }
            assert_eq!(enter(&mut key, PIN), [S::PIN_BLOCKED.byte()]);
        }
    }
}

#[test]
fn wrong_pins_count_together_however_they_are_entered() {
    let mut key = key_with_pin();
    let statuses = [0, 1, 2].map(|at| {
        let agreement = key.agree(Protocol::ALL[at % 2]);
        key.cbor(&WAYS[at](&agreement, WRONG).encode()).status()
    });
    assert_eq!(statuses, [S::PIN_INVALID, S::PIN_INVALID, S::PIN_AUTH_BLOCKED]);
}

#[test]
fn the_right_pin_starts_the_count_anew() {
    let mut key = key_with_pin();
    for _ in 0..4 {
        assert_eq!(
            [WRONG, WRONG].map(|pin| enter(&mut key, pin)),
            [S::PIN_INVALID; 2]
        );
        assert_eq!(key.pin_retries(), (6, false));
        assert_eq!(enter(&mut key, PIN), S::OK);
        assert_eq!(key.pin_retries(), (8, false));
    }
}

#[test]
fn a_key_that_is_blocked_for_ever_does_not_ask_for_a_power_cycle() {
    let mut key = key_with_pin();
    for wrong in [2, 3, 3] {
        power_cycle(&mut key);
        for _ in 0..wrong {
            enter(&mut key, WRONG);
        }
    }
    assert_eq!(key.pin_retries(), (0, false));
    assert_eq!(enter(&mut key, PIN), S::PIN_BLOCKED);
}

#[test]
fn retries_survive_a_power_cut_and_the_row_does_not() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    key.set_pin(PIN);
    for _ in 0..3 {
        enter(&mut key, WRONG);
    }
    assert_eq!(key.pin_retries(), (5, true));
    let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    assert_eq!(key.pin_retries(), (5, false));
    assert_eq!(enter(&mut key, WRONG), S::PIN_INVALID);
    assert_eq!(enter(&mut key, PIN), S::OK);
}

#[test]
fn a_pin_that_is_no_hash_is_wrong() {
    for protocol in Protocol::ALL {
        let mut key = key_with_pin();
        let agreement = key.agree(protocol);
        let short = ClientPin {
            pin_hash: Some(agreement.encrypt(&[])),
            ..agreement.pin_token(PIN)
        };
        assert_eq!(key.cbor(&short.encode()).status(), S::PIN_INVALID);
        let agreement = key.agree(protocol);
        let broken = ClientPin {
            pin_hash: Some(vec![0; 17]),
            ..agreement.pin_token(PIN)
        };
        assert_eq!(key.cbor(&broken.encode()).status(), S::PIN_INVALID);
        assert_eq!(key.pin_retries(), (6, false));
    }
}

#[test]
fn after_a_wrong_pin_the_agreement_is_void() {
    for protocol in Protocol::ALL {
        let mut key = key_with_pin();
        let agreement = key.agree(protocol);
        let other = key.agree(if protocol == Protocol::One {
            Protocol::Two
        } else {
            Protocol::One
        });
        assert_eq!(
            key.cbor(&agreement.pin_token(WRONG).encode()).status(),
            S::PIN_INVALID
        );
        assert_eq!(
            key.cbor(&agreement.pin_token(PIN).encode()).status(),
            S::PIN_INVALID
        );
        assert_ne!(key.key_agreement_key(protocol), agreement.key);
        assert_eq!(key.cbor(&other.pin_token(PIN).encode()).status(), S::OK);
    }
}

#[test]
fn a_power_cycle_makes_every_agreement_void() {
    let mut key = key_with_pin();
    for protocol in Protocol::ALL {
        let before = key.key_agreement_key(protocol);
        assert_eq!(key.key_agreement_key(protocol), before);
        power_cycle(&mut key);
        assert_ne!(key.key_agreement_key(protocol), before);
    }
}

// The disk

#[test]
fn every_attempt_is_counted_on_the_disk_before_it_is_compared() {
    for (pin, counts) in [(WRONG, &[7][..]), (PIN, &[7, 8])] {
        let disk = Disk::default();
        let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
        key.set_pin(PIN);
        disk.record();
        enter(&mut key, pin);
        let mut found: Vec<u64> = disk
            .recorded()
            .into_iter()
            .map(|disk| Key::on(KeyKind::Synced, disk, 2).pin_retries().0)
            .collect();
        found.dedup();
        assert_eq!(found, counts);
    }
}

#[test]
fn on_a_broken_disk_nobody_learns_whether_a_pin_is_right() {
    for way in WAYS {
        for pin in [PIN, WRONG] {
            let disk = Disk::default();
            let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
            key.set_pin(PIN);
            let agreement = key.agree(Protocol::Two);
            disk.break_after(0);
            assert_eq!(key.cbor(&way(&agreement, pin).encode()).bytes, [S::OTHER.byte()]);
            assert_eq!(key.pin_retries(), (8, false));
        }
    }
}

#[test]
fn cutting_the_power_during_an_attempt_gives_no_further_one() {
    let mut cuts = 0;
    loop {
        let disk = Disk::default();
        let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
        key.set_pin(PIN);
        disk.break_after(cuts);
        let status = enter(&mut key, WRONG);
        let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
        if !disk.is_broken() {
            assert_eq!((status, key.pin_retries().0), (S::PIN_INVALID, 7));
            break;
        }
        // Whoever was told that it was wrong has paid for it.
        assert!(status == S::OTHER || key.pin_retries().0 == 7);
        cuts += 1;
    }
    assert!(cuts > 2, "one attempt is more than {cuts} changes of the disk");
}

// Which PINs are allowed

#[test]
fn a_new_pin_is_held_against_the_policy() {
    let long = "x".repeat(62) + "y";
    for (name, padded, status) in [
        ("four digits", padded(b"1234"), S::OK),
        ("three digits", padded(b"123"), S::PIN_POLICY_VIOLATION),
        ("nothing", padded(b""), S::PIN_POLICY_VIOLATION),
        ("63 bytes", padded(long.as_bytes()), S::OK),
        (
            "64 bytes, none of them zero",
            vec![b'x'; 64],
            S::PIN_POLICY_VIOLATION,
        ),
        ("four characters of eight bytes", padded("äöüß".as_bytes()), S::OK),
        (
            "three characters of six bytes",
            padded("äöü".as_bytes()),
            S::PIN_POLICY_VIOLATION,
        ),
        (
            "one character of four bytes",
            padded("🔑".as_bytes()),
            S::PIN_POLICY_VIOLATION,
        ),
        ("no UTF-8", padded(b"12345\xFF"), S::PIN_POLICY_VIOLATION),
        ("a zero in the middle", padded(b"12\x0034"), S::OK),
        ("48 bytes", vec![b'x'; 48], S::INVALID_PARAMETER),
        (
            "80 bytes",
            [padded(b"1234"), vec![0; 16]].concat(),
            S::INVALID_PARAMETER,
        ),
        ("no bytes", Vec::new(), S::INVALID_PARAMETER),
    ] {
        for protocol in Protocol::ALL {
            let mut key = Key::new(KeyKind::Synced);
            let set = key.agree(protocol).set_padded_pin(&padded);
            assert_eq!(key.cbor(&set.encode()).status(), status, "set: {name}");
            let mut key = key_with_pin();
            let change = key.agree(protocol).change_padded_pin(PIN, &padded);
            assert_eq!(key.cbor(&change.encode()).status(), status, "change: {name}");
            // Whether the new one is taken or not, the old one was right.
            assert_eq!(key.pin_retries(), (8, false));
        }
    }
}

#[test]
fn a_long_pin_is_compared_as_a_whole() {
    let (first, second) = ("x".repeat(62) + "1", "x".repeat(62) + "2");
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(&first);
    assert_eq!(enter(&mut key, &second), S::PIN_INVALID);
    assert_eq!(enter(&mut key, &first[..62]), S::PIN_INVALID);
    assert_eq!(enter(&mut key, &first), S::OK);
}

#[test]
fn repetition_and_sequences_are_not_complex() {
    for pin in ["0000", "1234", "4321", "abcd", "dcba", "🔑🔑🔑🔑", "a", ""] {
        assert!(!is_complex(pin), "{pin}");
    }
    for pin in ["0001", "1235", "1357", "2468", "abce", "äöüß", "correct horse"] {
        assert!(is_complex(pin), "{pin}");
    }
}

#[test]
fn complexity_is_demanded_once_it_is_the_policy() {
    use crate::cbor::{Map, Value};
    for (pin, status) in [("1234", S::PIN_POLICY_VIOLATION), ("1357", S::OK)] {
        let mut key = key_with_pin();
        let demand = Value::Map(Map::new([(4_u64, Value::Bool(true))]));
        let configure = key.token(ACFG, None).configure(0x03, Some(demand));
        assert_eq!(key.cbor(&configure).status(), S::OK);
        assert_eq!(key.change_pin(Protocol::Two, PIN, pin), status);
    }
}

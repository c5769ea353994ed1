//! Every gesture for every command that verifies the user, how often it may fail, and what then.

use StatusCode as S;
use zeroize::Zeroizing;

use super::*;
use crate::KeyKind;
use crate::cbor::{Map, Value};
use crate::gesture::Purpose;
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, GA, MC, PIN};
use crate::testing::{Answer, Key, Members, map};

/// The commands that verify the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    MakeCredential,
    GetAssertion,
    TokenUsingUv,
}

const COMMANDS: [Command; 3] = [
    Command::MakeCredential,
    Command::GetAssertion,
    Command::TokenUsingUv,
];

fn pin(text: &str) -> Gesture {
    Gesture::Pin(EnteredPin::new(Zeroizing::new(text.to_owned())))
}

fn set_verifier(key: &mut Key, modality: Modality, ready: bool) {
    key.authenticator.set_verifier(Some(Verifier { modality, ready }));
}

/// A key on `disk` with a credential, verified in this way, and with a PIN where it takes one.
fn key_on(disk: Disk, modality: Modality, has_pin: bool) -> Key {
    let mut key = Key::on(KeyKind::Synced, disk, 1);
    let resident = Members::make_credential().with(7, map([("rk", Value::Bool(true))]));
    key.register(&resident);
    if has_pin {
        key.set_pin(PIN);
    }
    set_verifier(&mut key, modality, true);
    key
}

fn key(modality: Modality) -> Key {
    key_on(Disk::default(), modality, modality == Modality::Pin)
}

fn send(
    key: &mut Key,
    command: Command,
    gestures: impl IntoIterator<Item = Gesture>,
) -> (Vec<Prompt>, Answer) {
    let uv = map([("uv", Value::Bool(true))]);
    let request = match command {
        Command::MakeCredential => Members::make_credential().with(7, uv).encode(0x01),
        Command::GetAssertion => Members::get_assertion().with(5, uv).encode(0x02),
        Command::TokenUsingUv => key.agree(Protocol::Two).token_by_uv(MC | GA).encode(),
    };
    key.cbor_after(&request, gestures)
}

fn attempts_left(prompts: &[Prompt]) -> Vec<u8> {
    let left = |prompt: &Prompt| match prompt.demand {
        Demand::Verification { attempts_left, .. } => attempts_left,
        Demand::Presence | Demand::VaultPin => panic!("{prompt:?}"),
    };
    prompts.iter().map(left).collect()
}

/// Fails until no attempt is left.
fn block(key: &mut Key) {
    while key.uv_retries() > 0 {
        let attempts = key.uv_retries().min(3).try_into().unwrap();
        send(key, Command::TokenUsingUv, vec![Gesture::NotVerified; attempts]);
    }
}

#[test]
fn each_gesture_has_its_answer_from_each_command() {
    for modality in [Modality::Fingerprint, Modality::Password, Modality::Pin] {
        for command in COMMANDS {
            for (gesture, status) in [
                (Gesture::Verified, S::OK),
                (Gesture::Approved, S::OPERATION_DENIED),
                (Gesture::ApprovedAccount(0), S::OPERATION_DENIED),
                (Gesture::Declined, S::OPERATION_DENIED),
                (Gesture::TimedOut, S::USER_ACTION_TIMEOUT),
                (Gesture::Cancelled, S::KEEPALIVE_CANCEL),
            ] {
                let mut key = key(modality);
                let (prompts, answer) = send(&mut key, command, [gesture.clone()]);
                assert_eq!(answer.status(), status, "{modality:?} {command:?} {gesture:?}");
                assert_eq!(answer.bytes.len() > 1, status == S::OK);
                assert_eq!(prompts.len(), 1);
                assert_eq!(key.uv_retries(), 8, "nothing has failed");
            }
        }
    }
}

#[test]
fn the_question_says_what_it_is_for_and_how_the_user_is_verified() {
    for modality in [Modality::Fingerprint, Modality::Password, Modality::Pin] {
        for (command, purpose) in [
            (Command::MakeCredential, Purpose::Register),
            (Command::GetAssertion, Purpose::SignIn),
            (Command::TokenUsingUv, Purpose::Verify),
        ] {
            let (prompts, _) = send(&mut key(modality), command, [Gesture::Declined]);
            let attempts_left = if modality == Modality::Pin { 3 } else { 8 };
            assert_eq!(prompts[0].purpose, purpose);
            assert_eq!(
                prompts[0].demand,
                Demand::Verification {
                    modality,
                    attempts_left
                }
            );
        }
    }
}

#[test]
fn who_is_verified_is_there_and_not_asked_again() {
    for modality in [Modality::Fingerprint, Modality::Password, Modality::Pin] {
        for command in [Command::MakeCredential, Command::GetAssertion] {
            let (prompts, answer) = send(&mut key(modality), command, [Gesture::Verified]);
            assert_eq!(prompts.len(), 1);
            assert_eq!(answer.bytes_of(2)[32] & 0x05, 0x05);
        }
    }
    let (_, answer) = send(&mut key(Modality::Pin), Command::MakeCredential, [pin(PIN)]);
    assert_eq!(answer.bytes_of(2)[32] & 0x05, 0x05);
}

#[test]
fn without_a_wish_for_it_nobody_is_verified() {
    let mut key = key(Modality::Fingerprint);
    let answer = key.cbor(&Members::get_assertion().encode(0x02));
    assert_eq!(answer.prompt.as_ref().unwrap().demand, Demand::Presence);
    assert_eq!(answer.bytes_of(2)[32] & 0x05, 0x01);
}

#[test]
fn three_failed_attempts_end_a_command() {
    for (command, status) in [
        (Command::MakeCredential, S::OPERATION_DENIED),
        (Command::GetAssertion, S::OPERATION_DENIED),
        (Command::TokenUsingUv, S::UV_INVALID),
    ] {
        let mut key = key(Modality::Fingerprint);
        let (prompts, answer) = send(&mut key, command, vec![Gesture::NotVerified; 3]);
        assert_eq!((answer.status(), answer.bytes.len()), (status, 1), "{command:?}");
        assert_eq!(attempts_left(&prompts), [8, 7, 6]);
        assert_eq!(key.uv_retries(), 5);
    }
}

#[test]
fn a_later_attempt_may_succeed_and_starts_the_count_anew() {
    for command in COMMANDS {
        let mut key = key(Modality::Password);
        let gestures = [Gesture::NotVerified, Gesture::NotVerified, Gesture::Verified];
        let (prompts, answer) = send(&mut key, command, gestures);
        assert_eq!((prompts.len(), answer.status()), (3, S::OK), "{command:?}");
        assert_eq!(key.uv_retries(), 8);
    }
}

#[test]
fn giving_up_after_a_failed_attempt_is_what_it_was() {
    for (gesture, status) in [
        (Gesture::Declined, S::OPERATION_DENIED),
        (Gesture::TimedOut, S::USER_ACTION_TIMEOUT),
        (Gesture::Cancelled, S::KEEPALIVE_CANCEL),
    ] {
        for command in COMMANDS {
            let mut key = key(Modality::Fingerprint);
            let (_, answer) = send(&mut key, command, [Gesture::NotVerified, gesture.clone()]);
            assert_eq!(answer.status(), status, "{command:?}");
            assert_eq!(key.uv_retries(), 7);
        }
    }
}

#[test]
fn eight_failed_attempts_block_it_until_the_pin_is_entered() {
    for (command, without_pin, with_pin) in [
        (Command::MakeCredential, S::PIN_BLOCKED, S::PIN_BLOCKED),
        (Command::GetAssertion, S::PIN_BLOCKED, S::PUAT_REQUIRED),
        (Command::TokenUsingUv, S::UV_BLOCKED, S::UV_BLOCKED),
    ] {
        for (has_pin, status) in [(false, without_pin), (true, with_pin)] {
            let mut key = key_on(Disk::default(), Modality::Fingerprint, has_pin);
            for _ in 0..2 {
                send(&mut key, Command::TokenUsingUv, vec![Gesture::NotVerified; 3]);
            }
            // The last two attempts are in one command, which says so.
            let (prompts, answer) = send(&mut key, command, vec![Gesture::NotVerified; 2]);
            assert_eq!(attempts_left(&prompts), [2, 1]);
            assert_eq!(answer.status(), status, "{command:?} {has_pin}");
            // From then on nobody is asked, not even after a power cycle.
            key.authenticator.power_cycle(key.now);
            let (prompts, answer) = send(&mut key, command, []);
            assert_eq!(
                (prompts.len(), answer.status()),
                (0, status),
                "{command:?} {has_pin}"
            );
            if has_pin {
                key.pin_token(Protocol::One, PIN).unwrap();
                assert_eq!(key.uv_retries(), 8);
                let (_, answer) = send(&mut key, command, [Gesture::Verified]);
                assert_eq!(answer.status(), S::OK);
            }
        }
    }
}

#[test]
fn with_a_pin_a_failed_login_sends_the_platform_to_it() {
    let mut key = key_on(Disk::default(), Modality::Fingerprint, true);
    for (command, status) in [
        (Command::MakeCredential, S::OPERATION_DENIED),
        (Command::GetAssertion, S::PUAT_REQUIRED),
    ] {
        let (_, answer) = send(&mut key, command, vec![Gesture::NotVerified; 3]);
        assert_eq!(answer.status(), status);
    }
}

#[test]
fn failed_attempts_are_counted_on_the_disk() {
    let disk = Disk::default();
    let mut key = key_on(disk.clone(), Modality::Fingerprint, false);
    let gestures = [Gesture::NotVerified, Gesture::NotVerified, Gesture::Declined];
    send(&mut key, Command::GetAssertion, gestures);
    let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    set_verifier(&mut key, Modality::Fingerprint, true);
    assert_eq!(key.uv_retries(), 6);
}

#[test]
fn what_cannot_be_counted_does_not_verify() {
    for gesture in [Gesture::Verified, Gesture::NotVerified, pin(PIN), pin("4321")] {
        for command in COMMANDS {
            let disk = Disk::default();
            let mut key = key_on(disk.clone(), Modality::Pin, true);
            disk.break_after(0);
            let (_, answer) = send(&mut key, command, [gesture.clone()]);
            assert_eq!(answer.bytes, [S::OTHER.byte()], "{command:?} {gesture:?}");
        }
    }
}

#[test]
fn until_it_is_set_up_it_is_no_option() {
    for (modality, ready, has_pin) in [
        (Modality::Fingerprint, false, false),
        (Modality::Password, false, true),
        (Modality::Pin, true, false),
        (Modality::Pin, false, true),
    ] {
        let mut key = key_on(Disk::default(), modality, has_pin);
        set_verifier(&mut key, modality, ready);
        for (command, status) in [
            (Command::MakeCredential, S::INVALID_OPTION),
            (Command::GetAssertion, S::INVALID_OPTION),
            (Command::TokenUsingUv, S::NOT_ALLOWED),
        ] {
            let (prompts, answer) = send(&mut key, command, []);
            assert_eq!(
                (prompts.len(), answer.status()),
                (0, status),
                "{modality:?} {command:?}"
            );
        }
    }
}

#[test]
fn verifications_since_the_pin_are_counted() {
    let mut key = key_on(Disk::default(), Modality::Fingerprint, true);
    let count = |key: &mut Key| match key.cbor(&[0x04]).members().get(0x17_u64) {
        Some(Value::Unsigned(count)) => *count,
        other => panic!("{other:?}"),
    };
    assert_eq!(count(&mut key), 0);
    send(&mut key, Command::GetAssertion, [Gesture::Verified]);
    send(
        &mut key,
        Command::TokenUsingUv,
        [Gesture::NotVerified, Gesture::Verified],
    );
    assert_eq!(count(&mut key), 2);
    assert_eq!(key.pin_token(Protocol::Two, "4321"), Err(S::PIN_INVALID));
    assert_eq!(count(&mut key), 2);
    key.pin_token(Protocol::Two, PIN).unwrap();
    assert_eq!(count(&mut key), 0);
}

// By the key's own PIN

#[test]
fn the_key_s_own_pin_verifies_wherever_it_is_typed() {
    for command in COMMANDS {
        let mut key = key(Modality::Pin);
        let (prompts, answer) = send(&mut key, command, [pin("4321"), pin(PIN)]);
        assert_eq!((prompts.len(), answer.status()), (2, S::OK), "{command:?}");
        assert_eq!((key.pin_retries(), key.uv_retries()), ((8, false), 8));
    }
}

#[test]
fn three_wrong_pins_in_a_row_block_both_ways_to_enter_it() {
    for (command, status) in [
        (Command::MakeCredential, S::PIN_BLOCKED),
        (Command::GetAssertion, S::PUAT_REQUIRED),
        (Command::TokenUsingUv, S::UV_BLOCKED),
    ] {
        let mut key = key(Modality::Pin);
        let (prompts, answer) = send(&mut key, command, vec![pin("4321"); 3]);
        assert_eq!(attempts_left(&prompts), [3, 2, 1]);
        assert_eq!(answer.status(), status, "{command:?}");
        assert_eq!(key.pin_retries(), (5, true));
        assert_eq!(key.pin_token(Protocol::Two, PIN), Err(S::PIN_AUTH_BLOCKED));
        let (prompts, answer) = send(&mut key, command, []);
        assert_eq!((prompts.len(), answer.status()), (0, status));
        key.authenticator.power_cycle(key.now);
        let (_, answer) = send(&mut key, command, [pin(PIN)]);
        assert_eq!(answer.status(), S::OK);
    }
}

#[test]
fn wrong_pins_count_together_in_the_prompt_and_over_the_platform() {
    let mut key = key(Modality::Pin);
    for _ in 0..2 {
        assert_eq!(key.pin_token(Protocol::Two, "4321"), Err(S::PIN_INVALID));
    }
    let (prompts, answer) = send(&mut key, Command::TokenUsingUv, [pin("4321")]);
    assert_eq!(attempts_left(&prompts), [1]);
    assert_eq!(answer.status(), S::UV_BLOCKED);
    assert_eq!(key.pin_retries(), (5, true));
}

#[test]
fn a_pin_typed_where_something_else_verifies_is_a_failed_attempt() {
    let mut key = key_on(Disk::default(), Modality::Fingerprint, true);
    let gestures = [pin(PIN), Gesture::Declined];
    let (_, answer) = send(&mut key, Command::GetAssertion, gestures);
    assert_eq!(answer.status(), S::OPERATION_DENIED);
    assert_eq!((key.pin_retries(), key.uv_retries()), ((8, false), 7));
}

#[test]
fn a_pin_that_has_to_be_changed_verifies_nobody() {
    let mut key = key(Modality::Pin);
    let force = Value::Map(Map::new([(3_u64, Value::Bool(true))]));
    let request = key.token(ACFG, None).configure(0x03, Some(force));
    assert_eq!(key.cbor(&request).status(), S::OK);
    for (command, status) in [
        (Command::MakeCredential, S::INVALID_OPTION),
        (Command::GetAssertion, S::INVALID_OPTION),
        (Command::TokenUsingUv, S::NOT_ALLOWED),
    ] {
        let (prompts, answer) = send(&mut key, command, []);
        assert_eq!((prompts.len(), answer.status()), (0, status), "{command:?}");
    }
    assert_eq!(key.change_pin(Protocol::Two, PIN, "56789"), S::OK);
    let (_, answer) = send(&mut key, Command::GetAssertion, [pin("56789")]);
    assert_eq!(answer.status(), S::OK);
}

#[test]
fn a_key_that_was_blocked_is_blocked_for_every_command() {
    let mut key = key(Modality::Fingerprint);
    block(&mut key);
    for (command, status) in [
        (Command::MakeCredential, S::PIN_BLOCKED),
        (Command::GetAssertion, S::PIN_BLOCKED),
        (Command::TokenUsingUv, S::UV_BLOCKED),
    ] {
        let (prompts, answer) = send(&mut key, command, []);
        assert_eq!((prompts.len(), answer.status()), (0, status), "{command:?}");
    }
}

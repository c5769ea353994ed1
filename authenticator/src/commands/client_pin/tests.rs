use StatusCode as S;

use super::*;
use crate::gesture::{Demand, Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::testing::disk::Disk;
use crate::testing::platform::{
    ACFG, Agreement, BE, CM, ClientPin, CoseKey, GA, LBW, MC, PCMR, PIN, Ticket, padded,
};
use crate::testing::{Key, Members, RP_ID};
use crate::{KeyKind, LargeBlobs};

mod faults;

fn key_with_pin() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    key
}

fn key_with_fingerprint() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    key
}

fn force_pin_change(key: &mut Key) {
    let parameters = Value::Map(Map::new([(3_u64, Value::Bool(true))]));
    let request = key.token(ACFG, None).configure(0x03, Some(parameters));
    assert_eq!(key.cbor(&request).status(), S::OK);
}

/// What a silent getAssertion is answered, which needs a token with that permission.
fn use_for_assertion(key: &mut Key, ticket: &Ticket, rp_id: &'static str) -> StatusCode {
    let silent = Value::Map(Map::new([("up", Value::Bool(false))]));
    let request = Members::get_assertion()
        .with(1, Value::Text(rp_id))
        .with(5, silent);
    key.cbor(&ticket.get_assertion(request)).status()
}

/// Whether the key knows the token. There is no credential, and only with authority that is told.
fn is_alive(key: &mut Key, ticket: &Ticket) -> bool {
    match use_for_assertion(key, ticket, RP_ID) {
        S::NO_CREDENTIALS => true,
        S::PIN_AUTH_INVALID => false,
        other => panic!("{other:?}"),
    }
}

fn can_list(key: &mut Key, ticket: &Ticket) -> bool {
    match key.cbor(&ticket.manage_credentials(0x01, None)).status() {
        S::OK => true,
        S::PIN_AUTH_INVALID => false,
        other => panic!("{other:?}"),
    }
}

// getKeyAgreement, getPINRetries, getUVRetries

#[test]
fn the_key_agreement_key_is_a_cose_key_and_nothing_else() {
    for protocol in Protocol::ALL {
        let request = ClientPin {
            protocol: Some(protocol.number()),
            ..ClientPin::bare(0x02)
        };
        let answer = Key::new(KeyKind::Synced).cbor(&request.encode());
        let members = answer.members();
        assert_eq!(members.entries().len(), 1);
        let Some(Value::Map(key)) = members.get(1_u64) else {
            panic!()
        };
        let [kty, alg, crv, x, y] = [1, 3, -1, -2, -3].map(|name: i64| key.get(name).unwrap());
        assert_eq!(key.entries().len(), 5);
        assert_eq!((kty, alg), (&Value::Unsigned(2), &Value::integer(-25)));
        assert_eq!(crv, &Value::Unsigned(1));
        assert!(matches!((x, y), (Value::Bytes(x), Value::Bytes(y)) if x.len() == 32 && y.len() == 32));
    }
}

#[test]
fn each_protocol_has_a_key_of_its_own() {
    let mut key = Key::new(KeyKind::Synced);
    let [one, two] = [Protocol::One, Protocol::Two].map(|protocol| key.key_agreement_key(protocol));
    assert_ne!(one, two);
}

#[test]
fn retries_are_told_without_a_pin_too() {
    assert_eq!(Key::new(KeyKind::Synced).pin_retries(), (8, false));
    assert_eq!(key_with_fingerprint().uv_retries(), 8);
}

// setPIN and changePIN

#[test]
fn a_pin_is_set_and_changed_under_both_protocols() {
    for protocol in Protocol::ALL {
        let mut key = Key::new(KeyKind::Synced);
        let answer = {
            let request = key.agree(protocol).set_pin(PIN);
            key.cbor(&request.encode())
        };
        assert_eq!((answer.prompt, answer.bytes), (None, vec![S::OK.byte()]));
        assert!(key.pin_token(protocol, PIN).is_ok());
        assert_eq!(key.change_pin(protocol, PIN, "56789"), S::OK);
        assert_eq!(key.pin_token(protocol, PIN), Err(S::PIN_INVALID));
        assert!(key.pin_token(protocol, "56789").is_ok());
    }
}

#[test]
fn a_pin_that_was_set_is_there_after_a_power_cut() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    key.set_pin(PIN);
    assert_eq!(key.change_pin(Protocol::Two, PIN, "56789"), S::OK);
    let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    assert!(key.pin_token(Protocol::One, "56789").is_ok());
    assert_eq!(key.pin_token(Protocol::One, PIN), Err(S::PIN_INVALID));
}

#[test]
fn a_new_pin_ends_every_token() {
    let mut key = key_with_pin();
    for (old, new) in [(PIN, "56789"), ("56789", PIN)] {
        let persistent = {
            let agreement = key.agree(Protocol::Two);
            let answer = key.cbor(&agreement.token(old, PCMR).encode());
            Ticket {
                protocol: Protocol::Two,
                secret: agreement.decrypt(&answer.bytes_of(2)),
            }
        };
        let token = key.pin_token(Protocol::One, old).unwrap();
        assert!(is_alive(&mut key, &token) && can_list(&mut key, &persistent));
        assert_eq!(key.change_pin(Protocol::Two, old, new), S::OK);
        assert!(!is_alive(&mut key, &token) && !can_list(&mut key, &persistent));
    }
}

#[test]
fn the_first_pin_ends_the_tokens_that_were_given_without_one() {
    let mut key = key_with_fingerprint();
    let persistent = key.token_by_uv(PCMR, [Gesture::Verified]).unwrap();
    let token = key.token_by_uv(GA, [Gesture::Verified]).unwrap();
    assert!(is_alive(&mut key, &token) && can_list(&mut key, &persistent));
    key.set_pin(PIN);
    assert!(!is_alive(&mut key, &token) && !can_list(&mut key, &persistent));
}

#[test]
fn a_pin_may_be_changed_to_itself_unless_it_has_to_be_changed() {
    let mut key = key_with_pin();
    assert_eq!(key.change_pin(Protocol::Two, PIN, PIN), S::OK);
    force_pin_change(&mut key);
    assert_eq!(key.change_pin(Protocol::Two, PIN, PIN), S::PIN_POLICY_VIOLATION);
    assert_eq!(key.change_pin(Protocol::Two, PIN, "56789"), S::OK);
    assert_eq!(key.change_pin(Protocol::Two, "56789", "56789"), S::OK);
}

#[test]
fn a_pin_that_has_to_be_changed_gives_no_token() {
    for protocol in Protocol::ALL {
        let mut key = key_with_pin();
        force_pin_change(&mut key);
        let _ = key.pin_token(protocol, "4321");
        assert_eq!(key.pin_token(protocol, PIN), Err(S::PIN_INVALID));
        assert_eq!(key.pin_retries(), (8, false), "it was the right one");
        for permissions in [MC, PCMR] {
            let request = key.agree(protocol).token(PIN, permissions);
            assert_eq!(key.cbor(&request.encode()).status(), S::PIN_POLICY_VIOLATION);
        }
        assert_eq!(key.change_pin(protocol, PIN, "56789"), S::OK);
        assert!(key.pin_token(protocol, "56789").is_ok());
    }
}

#[test]
fn a_failed_change_leaves_the_pin_and_its_tokens() {
    let mut key = key_with_pin();
    let token = key.token(GA, None);
    let attempts = [
        key.agree(Protocol::Two).change_pin(PIN, "123"),
        key.agree(Protocol::Two).change_padded_pin(PIN, &[b'x'; 48]),
        key.agree(Protocol::Two).change_padded_pin(PIN, &[b'x'; 64]),
    ];
    for attempt in attempts {
        assert_ne!(key.cbor(&attempt.encode()).status(), S::OK);
    }
    assert!(is_alive(&mut key, &token));
    assert!(key.pin_token(Protocol::Two, PIN).is_ok());
}

// Tokens by PIN

#[test]
fn a_token_has_32_bytes_and_is_never_given_twice() {
    let mut key = key_with_pin();
    let mut secrets: Vec<_> = (0..2)
        .flat_map(|_| {
            let with = |key: &mut Key, protocol| key.token_under(protocol, GA, None).secret;
            let without = |key: &mut Key, protocol| key.pin_token(protocol, PIN).unwrap().secret;
            Protocol::ALL.map(|protocol| [with(&mut key, protocol), without(&mut key, protocol)])
        })
        .flatten()
        .collect();
    assert!(secrets.iter().all(|secret| secret.len() == 32));
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 8);
}

#[test]
fn a_new_token_ends_every_other_whatever_its_protocol() {
    let mut key = key_with_pin();
    for first in Protocol::ALL {
        for second in Protocol::ALL {
            let old = key.token_under(first, GA, None);
            let new = key.pin_token(second, PIN).unwrap();
            assert!(!is_alive(&mut key, &old));
            assert!(is_alive(&mut key, &new));
        }
    }
}

#[test]
fn a_wrong_pin_ends_no_token() {
    let mut key = key_with_pin();
    let token = key.token(GA, None);
    assert_eq!(key.pin_token(Protocol::Two, "4321"), Err(S::PIN_INVALID));
    assert!(is_alive(&mut key, &token));
}

#[test]
fn a_token_of_the_old_kind_registers_and_signs_in_at_one_site() {
    let mut key = key_with_pin();
    let token = key.pin_token(Protocol::Two, PIN).unwrap();
    assert!(!can_list(&mut key, &token));
    assert_eq!(
        use_for_assertion(&mut key, &token, "other.example"),
        S::NO_CREDENTIALS
    );
    assert_eq!(use_for_assertion(&mut key, &token, RP_ID), S::PIN_AUTH_INVALID);
    let token = key.pin_token(Protocol::Two, PIN).unwrap();
    let request = token.make_credential(Members::make_credential());
    assert_eq!(key.cbor(&request).status(), S::OK);
}

#[test]
fn a_token_is_bound_to_the_site_it_was_asked_for() {
    let mut key = key_with_pin();
    let token = key.token(GA, Some("other.example"));
    assert_eq!(use_for_assertion(&mut key, &token, RP_ID), S::PIN_AUTH_INVALID);
    assert_eq!(
        use_for_assertion(&mut key, &token, "other.example"),
        S::NO_CREDENTIALS
    );
}

#[test]
fn each_permission_is_granted_or_unauthorized() {
    for (large_blobs, permissions, status) in [
        (LargeBlobs::Array, MC, S::OK),
        (LargeBlobs::Array, GA, S::OK),
        (LargeBlobs::Array, CM, S::OK),
        (LargeBlobs::Array, BE, S::UNAUTHORIZED_PERMISSION),
        (LargeBlobs::Array, LBW, S::OK),
        (LargeBlobs::Extension, LBW, S::UNAUTHORIZED_PERMISSION),
        (LargeBlobs::Array, ACFG, S::OK),
        (LargeBlobs::Array, PCMR, S::OK),
        (LargeBlobs::Array, MC | GA | CM | LBW | ACFG, S::OK),
        (LargeBlobs::Array, MC | BE, S::UNAUTHORIZED_PERMISSION),
        (LargeBlobs::Array, PCMR | GA, S::UNAUTHORIZED_PERMISSION),
        (LargeBlobs::Array, PCMR | BE, S::UNAUTHORIZED_PERMISSION),
        (LargeBlobs::Array, PCMR | 0x80, S::OK),
        (LargeBlobs::Array, GA | 1 << 40, S::OK),
        (LargeBlobs::Array, 0x80, S::OK),
        (LargeBlobs::Array, 0, S::INVALID_PARAMETER),
    ] {
        let config = crate::Config {
            large_blobs,
            ..Key::config(KeyKind::Synced)
        };
        let mut key = Key::configured(config, Disk::default(), 1);
        key.set_pin(PIN);
        let request = key.agree(Protocol::Two).token(PIN, permissions);
        let answer = key.cbor(&request.encode());
        assert_eq!(answer.status(), status, "{large_blobs:?} {permissions:02x}");
        key.authenticator.set_verifier(Some(Verifier {
            modality: Modality::Password,
            ready: true,
        }));
        let gestures = (status == S::OK).then_some(Gesture::Verified);
        let token = key.token_by_uv(permissions, gestures);
        assert_eq!(
            token.err().unwrap_or(S::OK),
            status,
            "{large_blobs:?} {permissions:02x}"
        );
    }
}

#[test]
fn a_token_with_no_known_permission_opens_nothing() {
    let mut key = key_with_pin();
    let token = key.token(0x80, None);
    assert!(!is_alive(&mut key, &token) && !can_list(&mut key, &token));
}

// The persistent token

#[test]
fn the_persistent_token_is_the_same_until_the_pin_changes_or_the_key_is_reset() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    key.set_pin(PIN);
    let secret = key.token(PCMR, None).secret;
    assert_eq!(key.token_under(Protocol::One, PCMR, Some(RP_ID)).secret, secret);
    key.authenticator.power_cycle(key.now);
    assert_eq!(key.token(PCMR, None).secret, secret);
    let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    assert_eq!(key.token(PCMR, None).secret, secret);
    assert_eq!(key.change_pin(Protocol::Two, PIN, PIN), S::OK);
    let after_change = key.token(PCMR, None).secret;
    assert_ne!(after_change, secret);
    assert_eq!(key.cbor(&[0x07]).status(), S::OK);
    key.set_pin(PIN);
    let after_reset = key.token(PCMR, None).secret;
    assert!(after_reset != secret && after_reset != after_change);
}

#[test]
fn the_persistent_token_outlives_every_timer_and_reads_only() {
    let mut key = key_with_pin();
    let persistent = key.token(PCMR, None);
    key.wait(core::time::Duration::from_secs(100_000));
    key.authenticator.power_cycle(key.now);
    assert!(can_list(&mut key, &persistent));
    assert!(!is_alive(&mut key, &persistent));
    for request in [
        persistent.make_credential(Members::make_credential()),
        persistent.configure(0x02, None),
        persistent.write_large_blobs(&[0x80; 17], 0, Some(17)),
    ] {
        assert_eq!(key.cbor(&request).status(), S::PIN_AUTH_INVALID);
    }
}

#[test]
fn the_persistent_token_and_the_other_do_not_end_each_other() {
    let mut key = key_with_pin();
    let token = key.token(GA, None);
    let persistent = key.token(PCMR, None);
    assert!(is_alive(&mut key, &token));
    key.token(GA, None);
    assert!(can_list(&mut key, &persistent));
    assert!(!is_alive(&mut key, &token));
}

#[test]
fn forcing_a_new_pin_ends_tokens_but_not_the_persistent_one() {
    let mut key = key_with_pin();
    let persistent = key.token(PCMR, None);
    let parameters = Value::Map(Map::new([(3_u64, Value::Bool(true))]));
    let token = key.token(GA | ACFG, None);
    let request = token.configure(0x03, Some(parameters));
    assert_eq!(key.cbor(&request).status(), S::OK);
    assert!(!is_alive(&mut key, &token));
    assert!(can_list(&mut key, &persistent));
}

// Tokens by user verification

#[test]
fn the_question_for_a_token_names_the_site() {
    let mut key = key_with_fingerprint();
    let request = ClientPin {
        rp_id: Some(RP_ID),
        ..key.agree(Protocol::Two).token_by_uv(MC)
    };
    let answer = key.cbor_and(&request.encode(), Gesture::Verified);
    let expected = Prompt {
        rp_id: Some(RP_ID.to_owned()),
        demand: Demand::Verification {
            modality: Modality::Fingerprint,
            attempts_left: 8,
        },
        ..Prompt::bare(Purpose::Verify)
    };
    assert_eq!(answer.prompt, Some(expected));
    assert_eq!(answer.status(), S::OK);
}

#[test]
fn a_token_by_user_verification_brings_presence_for_30_seconds() {
    for (seconds, prompts) in [(0, 0), (29, 0), (30, 1)] {
        let mut key = key_with_fingerprint();
        let token = key.token_by_uv(MC | GA, [Gesture::Verified]).unwrap();
        // Silent use keeps the token alive and leaves presence alone.
        assert!(is_alive(&mut key, &token));
        key.wait(core::time::Duration::from_secs(seconds));
        let gestures = (prompts > 0).then_some(Gesture::Approved);
        let request = token.make_credential(Members::make_credential());
        let (asked, answer) = key.cbor_after(&request, gestures);
        assert_eq!((asked.len(), answer.status()), (prompts, S::OK));
        assert_eq!(answer.bytes_of(2)[32] & 0x05, 0x05);
        assert!(!is_alive(&mut key, &token), "it is spent");
    }
}

#[test]
fn a_token_by_pin_brings_no_presence() {
    let mut key = key_with_pin();
    let request = key.token(MC, None).make_credential(Members::make_credential());
    let (asked, answer) = key.cbor_after(&request, [Gesture::Approved]);
    assert_eq!((asked.len(), answer.status()), (1, S::OK));
}

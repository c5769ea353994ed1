use StatusCode as S;

use super::*;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, CM, GA, LBW, MC, PCMR, PIN, Ticket};
use crate::testing::{Key, Members, RP_ID, map as named, resident};
use crate::{KeyKind, StatusCode};

const TOGGLE: u8 = 0x02;
const MIN_PIN_LENGTH: u8 = 0x03;
const LONG_TOUCH: u8 = 0x04;

fn key_with_pin() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    key
}

fn set_fingerprint(key: &mut Key) {
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
}

/// The parameters of setMinPINLength.
fn parameters<const N: usize>(members: [(u64, Value<'_>); N]) -> Value<'_> {
    Value::Map(Map::new(members))
}

fn rp_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value<'a> {
    Value::Array(ids.into_iter().map(Value::Text).collect())
}

fn without_proof(subcommand: u8, parameters: Option<Value<'_>>) -> Vec<u8> {
    let request = Members::empty().with(1, Value::Unsigned(subcommand.into()));
    match parameters {
        None => request.encode(0x0D),
        Some(parameters) => request.with(2, parameters).encode(0x0D),
    }
}

/// Configures with a token where the key wants one.
fn configure(key: &mut Key, subcommand: u8, parameters: Option<Value<'_>>) -> StatusCode {
    let request = if key.authenticator.state.pin.is_some() {
        key.token(ACFG, None).configure(subcommand, parameters)
    } else {
        without_proof(subcommand, parameters)
    };
    let answer = key.cbor(&request);
    assert_eq!((&answer.prompt, answer.bytes.len()), (&None, 1));
    answer.status()
}

/// What getInfo says of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settings {
    always_uv: bool,
    make_cred_uv_not_required: bool,
    speaks_u2f: bool,
    min_pin_length: u64,
    force_pin_change: bool,
    complexity: bool,
    long_touch: bool,
}

const DEFAULT: Settings = Settings {
    always_uv: false,
    make_cred_uv_not_required: true,
    speaks_u2f: true,
    min_pin_length: 4,
    force_pin_change: false,
    complexity: false,
    long_touch: false,
};

fn settings(key: &mut Key) -> Settings {
    let answer = key.cbor(&[0x04]);
    let info = answer.members();
    let flag = |value: Option<&Value<'_>>| value == Some(&Value::Bool(true));
    let Some(Value::Map(options)) = info.get(0x04_u64) else {
        panic!()
    };
    let Some(Value::Array(versions)) = info.get(0x01_u64) else {
        panic!()
    };
    let Some(Value::Unsigned(min_pin_length)) = info.get(0x0D_u64) else {
        panic!()
    };
    Settings {
        always_uv: flag(options.get("alwaysUv")),
        make_cred_uv_not_required: flag(options.get("makeCredUvNotRqd")),
        speaks_u2f: versions.contains(&Value::Text("U2F_V2")),
        min_pin_length: *min_pin_length,
        force_pin_change: flag(info.get(0x0C_u64)),
        complexity: flag(info.get(0x1B_u64)),
        long_touch: flag(info.get(0x18_u64)),
    }
}

/// What minPinLength tells this relying party.
fn told_length(key: &mut Key, rp_id: &str) -> Option<u64> {
    let request = Members::make_credential()
        .with(2, named([("id", Value::Text(rp_id))]))
        .with(6, named([("minPinLength", Value::Bool(true))]));
    let answer = key.cbor(&request.encode(0x01));
    match answer.outputs()?.get("minPinLength") {
        Some(Value::Unsigned(length)) => Some(*length),
        other => panic!("{other:?}"),
    }
}

// Each subcommand

#[test]
fn always_uv_is_switched_on_and_off() {
    for pin in [None, Some(PIN)] {
        let mut key = Key::new(KeyKind::Synced);
        if let Some(pin) = pin {
            key.set_pin(pin);
        }
        let on = Settings {
            always_uv: true,
            make_cred_uv_not_required: false,
            speaks_u2f: false,
            ..DEFAULT
        };
        for expected in [on.clone(), DEFAULT, on] {
            assert_eq!(configure(&mut key, TOGGLE, None), S::OK);
            assert_eq!(settings(&mut key), expected);
        }
    }
}

#[test]
fn a_long_touch_for_reset_is_switched_on_only() {
    let mut key = key_with_pin();
    for _ in 0..2 {
        assert_eq!(configure(&mut key, LONG_TOUCH, None), S::OK);
        assert!(settings(&mut key).long_touch);
    }
}

#[test]
fn the_minimum_length_grows_only() {
    let mut key = key_with_pin();
    for (length, status, minimum) in [
        (3, S::PIN_POLICY_VIOLATION, 4),
        (4, S::OK, 4),
        (0, S::PIN_POLICY_VIOLATION, 4),
        (64, S::PIN_POLICY_VIOLATION, 4),
        (255, S::PIN_POLICY_VIOLATION, 4),
        (256 + 5, S::PIN_POLICY_VIOLATION, 4),
        (1 << 33, S::PIN_POLICY_VIOLATION, 4),
    ] {
        let wanted = parameters([(1, Value::Unsigned(length))]);
        assert_eq!(
            configure(&mut key, MIN_PIN_LENGTH, Some(wanted)),
            status,
            "{length}"
        );
        assert_eq!(settings(&mut key).min_pin_length, minimum);
    }
    let mut key = Key::new(KeyKind::Synced);
    for (length, status, minimum) in [
        (8, S::OK, 8),
        (8, S::OK, 8),
        (7, S::PIN_POLICY_VIOLATION, 8),
        (63, S::OK, 63),
        (62, S::PIN_POLICY_VIOLATION, 63),
    ] {
        let wanted = parameters([(1, Value::Unsigned(length))]);
        assert_eq!(
            configure(&mut key, MIN_PIN_LENGTH, Some(wanted)),
            status,
            "{length}"
        );
        assert_eq!(settings(&mut key).min_pin_length, minimum);
    }
}

#[test]
fn a_pin_that_is_too_short_from_now_on_has_to_be_changed() {
    for (pin, length, forced) in [
        ("12345", 4, false),
        ("12345", 5, false),
        ("12345", 6, true),
        // Counted in characters: six of them are in twelve bytes.
        ("äöüßéè", 6, false),
        ("äöüßéè", 7, true),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        key.set_pin(pin);
        let agreement = key.agree(Protocol::Two);
        let answer = key.cbor(&agreement.token(pin, ACFG | GA).encode());
        let ticket = Ticket {
            protocol: Protocol::Two,
            secret: agreement.decrypt(&answer.bytes_of(2)),
        };
        let wanted = parameters([(1, Value::Unsigned(length))]);
        let request = ticket.configure(MIN_PIN_LENGTH, Some(wanted.clone()));
        assert_eq!(key.cbor(&request).status(), S::OK);
        assert_eq!(settings(&mut key).force_pin_change, forced, "{pin} {length}");
        // Where it has to be, what it has opened is closed.
        let status = if forced { S::PIN_AUTH_INVALID } else { S::OK };
        assert_eq!(key.cbor(&request).status(), status);
    }
}

#[test]
fn a_pin_that_is_not_complex_has_to_be_changed_once_it_is_demanded() {
    for (pin, forced) in [("1234", true), ("1357", false)] {
        let mut key = Key::new(KeyKind::Synced);
        key.set_pin(pin);
        let agreement = key.agree(Protocol::Two);
        let answer = key.cbor(&agreement.token(pin, ACFG).encode());
        let ticket = Ticket {
            protocol: Protocol::Two,
            secret: agreement.decrypt(&answer.bytes_of(2)),
        };
        let wanted = parameters([(4, Value::Bool(true))]);
        let request = ticket.configure(MIN_PIN_LENGTH, Some(wanted));
        assert_eq!(key.cbor(&request).status(), S::OK);
        let expected = Settings {
            complexity: true,
            force_pin_change: forced,
            ..DEFAULT
        };
        assert_eq!(settings(&mut key), expected);
    }
}

#[test]
fn complexity_is_switched_on_only() {
    let mut key = Key::new(KeyKind::Synced);
    for (wanted, is_on) in [(false, false), (true, true), (false, true)] {
        let wanted = parameters([(4, Value::Bool(wanted))]);
        assert_eq!(configure(&mut key, MIN_PIN_LENGTH, Some(wanted)), S::OK);
        assert_eq!(settings(&mut key).complexity, is_on);
    }
}

#[test]
fn a_new_pin_can_be_forced_where_there_is_one() {
    let force = || parameters([(3, Value::Bool(true))]);
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(configure(&mut key, MIN_PIN_LENGTH, Some(force())), S::PIN_NOT_SET);
    assert_eq!(settings(&mut key), DEFAULT);
    key.set_pin(PIN);
    let no = parameters([(3, Value::Bool(false))]);
    assert_eq!(configure(&mut key, MIN_PIN_LENGTH, Some(no)), S::OK);
    assert_eq!(settings(&mut key), DEFAULT);
    assert_eq!(configure(&mut key, MIN_PIN_LENGTH, Some(force())), S::OK);
    assert!(settings(&mut key).force_pin_change);
    assert_eq!(key.change_pin(Protocol::One, PIN, "56789"), S::OK);
    assert_eq!(settings(&mut key), DEFAULT);
}

#[test]
fn without_parameters_nothing_changes() {
    for parameters in [None, Some(Value::Map(Map::default()))] {
        let mut key = key_with_pin();
        assert_eq!(configure(&mut key, MIN_PIN_LENGTH, parameters), S::OK);
        assert_eq!(settings(&mut key), DEFAULT);
    }
}

#[test]
fn listed_relying_parties_are_told_the_length_until_another_list_comes() {
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(told_length(&mut key, RP_ID), None);
    for (list, length, told) in [
        (vec![RP_ID, "b.example"], 4, [Some(4), Some(4), None]),
        (vec![], 5, [Some(5), Some(5), None]),
        (vec!["c.example"], 6, [None, None, Some(6)]),
    ] {
        let wanted = parameters([(1, Value::Unsigned(length)), (2, rp_ids(list))]);
        assert_eq!(configure(&mut key, MIN_PIN_LENGTH, Some(wanted)), S::OK);
        assert_eq!(
            [RP_ID, "b.example", "c.example"].map(|rp_id| told_length(&mut key, rp_id)),
            told
        );
    }
}

#[test]
fn the_list_has_room_for_sixteen_relying_parties() {
    let ids: Vec<String> = (0..17).map(|number| format!("{number}.example")).collect();
    let list = |count: usize| rp_ids(ids[..count].iter().map(String::as_str));
    let long = "x".repeat(256);
    for (list, status) in [
        (list(16), S::OK),
        (list(17), S::KEY_STORE_FULL),
        (rp_ids([&long[1..]]), S::OK),
        (rp_ids([long.as_str()]), S::KEY_STORE_FULL),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        let wanted = parameters([(1, Value::Unsigned(9)), (2, list)]);
        assert_eq!(configure(&mut key, MIN_PIN_LENGTH, Some(wanted)), status);
        // All of it or nothing.
        let expected = if status == S::OK { 9 } else { 4 };
        assert_eq!(settings(&mut key).min_pin_length, expected);
    }
}

#[test]
fn settings_survive_a_power_cut_and_not_a_reset() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    key.set_pin("135790");
    set_fingerprint(&mut key);
    let all = parameters([
        (1, Value::Unsigned(7)),
        (2, rp_ids([RP_ID])),
        (3, Value::Bool(true)),
        (4, Value::Bool(true)),
    ]);
    for (subcommand, parameters) in [(TOGGLE, None), (LONG_TOUCH, None), (MIN_PIN_LENGTH, Some(all))] {
        let ticket = key.token_by_uv(ACFG, [Gesture::Verified]).unwrap();
        let request = ticket.configure(subcommand, parameters);
        assert_eq!(key.cbor(&request).status(), S::OK);
    }
    let expected = Settings {
        always_uv: true,
        make_cred_uv_not_required: false,
        speaks_u2f: false,
        min_pin_length: 7,
        force_pin_change: true,
        complexity: true,
        long_touch: true,
    };
    assert_eq!(settings(&mut key), expected);
    let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    assert_eq!(settings(&mut key), expected);
    let (_, answer) = key.cbor_after(&[0x07], [Gesture::Approved, Gesture::Approved]);
    assert_eq!(answer.status(), S::OK);
    assert_eq!(settings(&mut key), DEFAULT);
    assert_eq!(told_length(&mut key, RP_ID), None);
}

// Who may

#[test]
fn an_unprotected_key_is_configured_by_anyone() {
    for subcommand in [TOGGLE, MIN_PIN_LENGTH, LONG_TOUCH] {
        let request = Members::empty().with(1, Value::Unsigned(subcommand.into()));
        for request in [
            request.clone(),
            request.clone().with(4, Value::Bytes(&[1; 32])),
            request.clone().with(3, Value::Unsigned(9)),
            request
                .with(4, Value::Bytes(&[1; 32]))
                .with(3, Value::Unsigned(9)),
        ] {
            let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x0D));
            assert_eq!((answer.prompt, answer.bytes), (None, vec![S::OK.byte()]));
        }
    }
}

#[test]
fn a_protected_key_wants_a_proof_for_each_subcommand() {
    for protect in [|key: &mut Key| key.set_pin(PIN), set_fingerprint] {
        for subcommand in [TOGGLE, MIN_PIN_LENGTH, LONG_TOUCH] {
            let base = || Members::empty().with(1, Value::Unsigned(subcommand.into()));
            let garbage = || base().with(4, Value::Bytes(&[1; 32]));
            for (name, request, status) in [
                ("no proof", base(), S::PUAT_REQUIRED),
                (
                    "only a protocol",
                    base().with(3, Value::Unsigned(2)),
                    S::PUAT_REQUIRED,
                ),
                ("no protocol", garbage(), S::MISSING_PARAMETER),
                (
                    "protocol 3",
                    garbage().with(3, Value::Unsigned(3)),
                    S::INVALID_PARAMETER,
                ),
                (
                    "a wrong proof",
                    garbage().with(3, Value::Unsigned(2)),
                    S::PIN_AUTH_INVALID,
                ),
            ] {
                let mut key = Key::new(KeyKind::Synced);
                protect(&mut key);
                let before = settings(&mut key);
                let answer = key.cbor(&request.encode(0x0D));
                assert_eq!(answer.bytes, [status.byte()], "{name}");
                assert_eq!(settings(&mut key), before);
            }
        }
    }
}

#[test]
fn only_the_permission_for_it_configures() {
    for (permissions, status) in [
        (ACFG, S::OK),
        (MC | GA | CM | LBW, S::PIN_AUTH_INVALID),
        (PCMR, S::PIN_AUTH_INVALID),
    ] {
        for protocol in Protocol::ALL {
            let mut key = key_with_pin();
            let ticket = key.token_under(protocol, permissions, Some(RP_ID));
            for subcommand in [TOGGLE, MIN_PIN_LENGTH, LONG_TOUCH] {
                let request = ticket.configure(subcommand, None);
                assert_eq!(key.cbor(&request).status(), status, "{permissions:02x}");
            }
        }
    }
}

#[test]
fn a_proof_is_of_the_subcommand_and_its_parameters() {
    let mut key = key_with_pin();
    let ticket = key.token(ACFG, None);
    let wanted = || parameters([(1, Value::Unsigned(5))]);
    let encoded = cbor::encode(&wanted());
    let proved = |message: &[u8]| {
        let request = Members::empty()
            .with(1, Value::Unsigned(MIN_PIN_LENGTH.into()))
            .with(2, wanted());
        ticket.prove(request, [4, 3], message, 0x0D)
    };
    let head = [0xFF; 32];
    for message in [
        [&head[..], &[0x0D, TOGGLE], &encoded].concat(),
        [&head[..], &[0x0D, MIN_PIN_LENGTH]].concat(),
        [&head[..], &[0x0C, MIN_PIN_LENGTH], &encoded].concat(),
        [&head[1..], &[0x0D, MIN_PIN_LENGTH], &encoded].concat(),
        [&[MIN_PIN_LENGTH], &encoded[..]].concat(),
        [&head[..], &[0x0D, MIN_PIN_LENGTH], &encoded, &[0]].concat(),
    ] {
        assert_eq!(key.cbor(&proved(&message)).status(), S::PIN_AUTH_INVALID);
    }
    let right = [&head[..], &[0x0D, MIN_PIN_LENGTH], &encoded].concat();
    assert_eq!(key.cbor(&proved(&right)).status(), S::OK);
}

#[test]
fn always_uv_that_nobody_could_prove_anything_for_can_be_switched_off() {
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(key.cbor(&without_proof(TOGGLE, None)).status(), S::OK);
    for subcommand in [MIN_PIN_LENGTH, LONG_TOUCH] {
        let answer = key.cbor(&without_proof(subcommand, None));
        assert_eq!(answer.status(), S::PUAT_REQUIRED);
    }
    assert_eq!(key.cbor(&without_proof(TOGGLE, None)).status(), S::OK);
    assert_eq!(settings(&mut key), DEFAULT);
    // With a PIN there is a way to prove it.
    assert_eq!(key.cbor(&without_proof(TOGGLE, None)).status(), S::OK);
    key.set_pin(PIN);
    assert_eq!(key.cbor(&without_proof(TOGGLE, None)).status(), S::PUAT_REQUIRED);
}

#[test]
fn configuring_does_not_use_the_token_up() {
    let mut key = key_with_pin();
    let ticket = key.token(ACFG, None);
    for _ in 0..3 {
        assert_eq!(key.cbor(&ticket.configure(TOGGLE, None)).status(), S::OK);
    }
}

// Faults

#[test]
fn unknown_subcommands_are_refused_before_anything_is_proved() {
    for subcommand in [0x00, 0x01, 0x05, 0xFF] {
        for mut key in [Key::new(KeyKind::Synced), key_with_pin()] {
            let answer = key.cbor(&without_proof(subcommand, None));
            assert_eq!(answer.status(), S::INVALID_SUBCOMMAND, "{subcommand}");
        }
    }
    let large = Members::empty().with(1, Value::Unsigned(0x102)).encode(0x0D);
    let answer = Key::new(KeyKind::Synced).cbor(&large);
    assert_eq!(answer.status(), S::INVALID_SUBCOMMAND);
    for empty in [&[0x0D][..], &[0x0D, 0xA0]] {
        let answer = Key::new(KeyKind::Synced).cbor(empty);
        assert_eq!(answer.status(), S::MISSING_PARAMETER);
    }
}

#[test]
fn every_parameter_has_its_type() {
    for key in [1, 2, 3, 4] {
        let request = Members::empty()
            .with(1, Value::Unsigned(TOGGLE.into()))
            .with(key, Value::Bool(true));
        let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x0D));
        assert_eq!(answer.status(), S::CBOR_UNEXPECTED_TYPE, "{key}");
    }
    for (name, wanted) in [
        ("length is text", parameters([(1, Value::Text("8"))])),
        ("length is negative", parameters([(1, Value::integer(-8))])),
        ("list is text", parameters([(2, Value::Text("x"))])),
        (
            "list of bytes",
            parameters([(2, Value::Array(vec![Value::Bytes(b"x")]))]),
        ),
        ("force is 1", parameters([(3, Value::Unsigned(1))])),
        ("complexity is 1", parameters([(4, Value::Unsigned(1))])),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        let answer = key.cbor(&without_proof(MIN_PIN_LENGTH, Some(wanted.clone())));
        assert_eq!(answer.status(), S::CBOR_UNEXPECTED_TYPE, "{name}");
        // The other subcommands have no such parameters.
        let answer = key.cbor(&without_proof(LONG_TOUCH, Some(wanted)));
        assert_eq!(answer.status(), S::OK, "{name}");
    }
}

#[test]
fn of_two_faults_the_earlier_step_answers() {
    let short = || parameters([(1, Value::Unsigned(3)), (3, Value::Bool(true))]);
    let list = || rp_ids(["x"; 17]);
    for (name, wanted, status) in [
        ("too short, no PIN", short(), S::PIN_POLICY_VIOLATION),
        (
            "no PIN, too many",
            parameters([(2, list()), (3, Value::Bool(true))]),
            S::PIN_NOT_SET,
        ),
        (
            "too long, too many",
            parameters([(1, Value::Unsigned(64)), (2, list())]),
            S::PIN_POLICY_VIOLATION,
        ),
        ("too many", parameters([(2, list())]), S::KEY_STORE_FULL),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        let answer = key.cbor(&without_proof(MIN_PIN_LENGTH, Some(wanted.clone())));
        assert_eq!(answer.status(), status, "{name}");
        assert_eq!(settings(&mut key), DEFAULT, "{name}");
        // A missing proof is noticed first.
        key.set_pin(PIN);
        let answer = key.cbor(&without_proof(MIN_PIN_LENGTH, Some(wanted)));
        assert_eq!(answer.status(), S::PUAT_REQUIRED, "{name}");
    }
}

// alwaysUv in makeCredential and getAssertion

#[test]
fn with_always_uv_nothing_with_presence_works_without_verification() {
    let make_credential = Members::make_credential();
    let get_assertion = Members::get_assertion();
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    assert_eq!(configure(&mut key, TOGGLE, None), S::OK);
    for protect in [None, Some(PIN)] {
        if let Some(pin) = protect {
            key.set_pin(pin);
        }
        for request in [make_credential.encode(0x01), get_assertion.encode(0x02)] {
            let answer = key.cbor(&request);
            assert_eq!(
                (answer.prompt, answer.bytes),
                (None, vec![S::PUAT_REQUIRED.byte()])
            );
        }
        let silent = get_assertion.clone().with(5, named([("up", Value::Bool(false))]));
        assert_eq!(key.cbor(&silent.encode(0x02)).status(), S::OK);
    }
    let ticket = key.token(MC, None);
    let answer = key.cbor(&ticket.make_credential(make_credential.clone()));
    assert_eq!(answer.flags() & 0x05, 0x05);
    let ticket = key.token(GA, None);
    let answer = key.cbor(&ticket.get_assertion(get_assertion.clone()));
    assert_eq!(answer.flags() & 0x05, 0x05);
    // The key verifies by itself where it can, although nobody has asked for it.
    set_fingerprint(&mut key);
    for request in [make_credential.encode(0x01), get_assertion.encode(0x02)] {
        let (prompts, answer) = key.cbor_after(&request, [Gesture::Verified]);
        assert_eq!((prompts.len(), answer.flags() & 0x05), (1, 0x05));
    }
}

#[test]
fn with_always_uv_a_proof_for_an_unprotected_key_is_no_help() {
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(configure(&mut key, TOGGLE, None), S::OK);
    let with_proof = |members: Members<'static>, [param, protocol]: [u64; 2], command| {
        members
            .with(param, Value::Bytes(&[1; 32]))
            .with(protocol, Value::Unsigned(2))
            .encode(command)
    };
    for request in [
        with_proof(Members::make_credential(), [8, 9], 0x01),
        with_proof(Members::get_assertion(), [6, 7], 0x02),
    ] {
        assert_eq!(key.cbor(&request).bytes, [S::PUAT_REQUIRED.byte()]);
    }
}

//! One fault at a time, and two at a time, in the order of the steps.

use super::*;

/// A request for a subcommand, and what a token would authenticate of it.
struct Request {
    members: Members<'static>,
    message: Vec<u8>,
}

const HASH: [u8; 32] = [7; 32];

fn descriptor() -> Value<'static> {
    map([
        ("type", Value::Text("public-key")),
        ("id", Value::Bytes(&[7; 32])),
    ])
}

/// Each subcommand that wants a proof, with its parameters.
fn requests() -> [(u8, Option<Value<'static>>); 5] {
    let parameters = |members: Vec<(u64, Value<'static>)>| Some(Value::Map(Map::new(members)));
    [
        (METADATA, None),
        (RPS_BEGIN, None),
        (CREDENTIALS_BEGIN, parameters(vec![(1, Value::Bytes(&HASH))])),
        (DELETE, parameters(vec![(2, descriptor())])),
        (UPDATE, parameters(vec![(2, descriptor()), (3, user(b"ali"))])),
    ]
}

fn request(subcommand: u8, parameters: Option<Value<'static>>) -> Request {
    let encoded = parameters.as_ref().map(cbor::encode).unwrap_or_default();
    let members = Members::empty().with(1, Value::Unsigned(subcommand.into()));
    let with_parameters = matches!(subcommand, CREDENTIALS_BEGIN | DELETE | UPDATE);
    Request {
        members: match parameters {
            Some(parameters) => members.with(2, parameters),
            None => members,
        },
        message: if with_parameters {
            [&[subcommand][..], &encoded].concat()
        } else {
            vec![subcommand]
        },
    }
}

/// What the request is answered on an empty key with a PIN, with this proof.
fn answer_to(request: &Request, prove: impl FnOnce(&mut Key, Members<'_>, &[u8]) -> Vec<u8>) -> StatusCode {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let bytes = prove(&mut key, request.members.clone(), &request.message);
    let answer = key.cbor(&bytes);
    assert_eq!(answer.prompt, None);
    assert!(answer.bytes.len() == 1 || answer.status() == S::OK);
    answer.status()
}

fn properly(key: &mut Key, members: Members<'_>, message: &[u8]) -> Vec<u8> {
    key.token(CM, None).prove(members, [4, 3], message, 0x0A)
}

fn with_garbage(protocol: Option<u64>) -> impl Fn(&mut Key, Members<'_>, &[u8]) -> Vec<u8> {
    move |_, members, _| {
        let members = members.with(4, Value::Bytes(&[1; 32]));
        match protocol {
            None => members.encode(0x0A),
            Some(protocol) => members.with(3, Value::Unsigned(protocol)).encode(0x0A),
        }
    }
}

fn without_proof(_: &mut Key, members: Members<'_>, _: &[u8]) -> Vec<u8> {
    members.encode(0x0A)
}

#[test]
fn every_subcommand_wants_a_proof_in_the_same_way() {
    for (subcommand, parameters) in requests() {
        let request = request(subcommand, parameters);
        let done = if subcommand == METADATA {
            S::OK
        } else {
            S::NO_CREDENTIALS
        };
        assert_eq!(answer_to(&request, properly), done, "{subcommand}");
        assert_eq!(answer_to(&request, without_proof), S::PUAT_REQUIRED);
        assert_eq!(answer_to(&request, with_garbage(None)), S::MISSING_PARAMETER);
        assert_eq!(answer_to(&request, with_garbage(Some(0))), S::INVALID_PARAMETER);
        assert_eq!(answer_to(&request, with_garbage(Some(3))), S::INVALID_PARAMETER);
        assert_eq!(answer_to(&request, with_garbage(Some(1))), S::PIN_AUTH_INVALID);
        assert_eq!(answer_to(&request, with_garbage(Some(2))), S::PIN_AUTH_INVALID);
        let empty = answer_to(&request, |_, members, _| {
            let members = members.with(4, Value::Bytes(&[]));
            members.with(3, Value::Unsigned(2)).encode(0x0A)
        });
        assert_eq!(empty, S::PIN_AUTH_INVALID);
    }
}

#[test]
fn without_any_protection_a_proof_is_wanted_too() {
    for (subcommand, parameters) in requests() {
        let members = request(subcommand, parameters).members;
        let mut key = Key::new(KeyKind::Synced);
        assert_eq!(key.cbor(&members.encode(0x0A)).status(), S::PUAT_REQUIRED);
        let garbage = with_garbage(Some(2))(&mut key, members, &[]);
        assert_eq!(key.cbor(&garbage).status(), S::PIN_AUTH_INVALID);
    }
}

#[test]
fn a_proof_is_of_the_subcommand_and_its_parameters() {
    for (subcommand, parameters) in requests() {
        let request = request(subcommand, parameters);
        let of = |message: Vec<u8>| {
            answer_to(&request, |key, members, _| {
                key.token(CM, None).prove(members, [4, 3], &message, 0x0A)
            })
        };
        assert_eq!(of(vec![subcommand ^ 1]), S::PIN_AUTH_INVALID);
        assert_eq!(of([&request.message[..], &[0]].concat()), S::PIN_AUTH_INVALID);
        assert_eq!(of(Vec::new()), S::PIN_AUTH_INVALID);
        if request.message.len() > 1 {
            assert_eq!(of(vec![subcommand]), S::PIN_AUTH_INVALID);
        }
    }
}

#[test]
fn what_a_subcommand_needs_is_missed_after_the_proof_and_before_its_protocol() {
    let parameters = |members: Vec<(u64, Value<'static>)>| Some(Value::Map(Map::new(members)));
    for (subcommand, parameters) in [
        (CREDENTIALS_BEGIN, None),
        (CREDENTIALS_BEGIN, parameters(vec![])),
        (CREDENTIALS_BEGIN, parameters(vec![(2, descriptor())])),
        (DELETE, None),
        (DELETE, parameters(vec![(1, Value::Bytes(&HASH))])),
        (UPDATE, None),
        (UPDATE, parameters(vec![(2, descriptor())])),
        (UPDATE, parameters(vec![(3, user(b"ali"))])),
    ] {
        let request = request(subcommand, parameters);
        assert_eq!(answer_to(&request, without_proof), S::PUAT_REQUIRED);
        assert_eq!(
            answer_to(&request, properly),
            S::MISSING_PARAMETER,
            "{subcommand}"
        );
        assert_eq!(answer_to(&request, with_garbage(Some(3))), S::MISSING_PARAMETER);
        assert_eq!(answer_to(&request, with_garbage(Some(2))), S::MISSING_PARAMETER);
    }
}

#[test]
fn unknown_subcommands_are_refused_before_anything_is_proved() {
    for subcommand in [0x00, 0x08, 0xFF] {
        let request = request(subcommand, None);
        assert_eq!(answer_to(&request, without_proof), S::INVALID_SUBCOMMAND);
        assert_eq!(answer_to(&request, properly), S::INVALID_SUBCOMMAND);
    }
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(key.cbor(&[0x0A, 0xA0]).status(), S::MISSING_PARAMETER);
    assert_eq!(key.cbor(&[0x0A]).status(), S::MISSING_PARAMETER);
}

#[test]
fn every_parameter_has_its_type() {
    let base = || request(METADATA, None).members;
    for key in [1, 2, 3, 4] {
        let bytes = base().with(key, Value::Bool(true)).encode(0x0A);
        let answer = Key::new(KeyKind::Synced).cbor(&bytes);
        assert_eq!(answer.status(), S::CBOR_UNEXPECTED_TYPE, "{key}");
    }
    for (name, key, value, status) in [
        ("hash is text", 1_u64, Value::Text("x"), S::CBOR_UNEXPECTED_TYPE),
        ("hash is short", 1, Value::Bytes(&[7; 31]), S::INVALID_LENGTH),
        (
            "descriptor is bytes",
            2,
            Value::Bytes(&HASH),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        ("descriptor is empty", 2, map([]), S::CBOR_UNEXPECTED_TYPE),
        (
            "descriptor has no type",
            2,
            map([("id", Value::Bytes(&HASH))]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        ("user is text", 3, Value::Text("x"), S::CBOR_UNEXPECTED_TYPE),
        ("user has no id", 3, map([]), S::CBOR_UNEXPECTED_TYPE),
        ("user id is long", 3, user(&[7; 65]), S::INVALID_LENGTH),
        (
            "name is a number",
            3,
            map([("id", Value::Bytes(b"x")), ("name", Value::Unsigned(1))]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
    ] {
        let parameters = Value::Map(Map::new([(key, value)]));
        let bytes = base().with(2, parameters).encode(0x0A);
        let answer = Key::new(KeyKind::Synced).cbor(&bytes);
        assert_eq!(answer.status(), status, "{name}");
    }
}

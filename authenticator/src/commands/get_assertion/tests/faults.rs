//! One fault at a time, and the code it is answered with.

use StatusCode as S;

use super::*;
use crate::testing::Fault;

/// Sends each request to a key with one discoverable credential.
fn check(faults: &[Fault<'_>]) {
    for fault in faults {
        let mut key = Key::new(KeyKind::Synced);
        key.register(&resident());
        let answer = key.cbor(&fault.request.encode(0x02));
        assert_eq!(answer.status(), fault.status, "{}", fault.name);
        let is_bare = answer.bytes.len() == 1;
        assert_eq!(
            is_bare,
            fault.status != S::OK,
            "{}: only a success has a body",
            fault.name
        );
    }
}

const NUMBER: Value<'_> = Value::Unsigned(1);
const TEXT: Value<'_> = Value::Text("x");
const BYTES: Value<'_> = Value::Bytes(b"x");
const PUBLIC_KEY: Value<'_> = Value::Text("public-key");

fn fault<'a>(name: &'static str, key: u64, value: Value<'a>, status: StatusCode) -> Fault<'a> {
    Fault {
        name,
        request: base().with(key, value),
        status,
    }
}

fn one(value: Value<'_>) -> Value<'_> {
    Value::Array(vec![value])
}

#[test]
fn parameters() {
    let missing = |name, key| Fault {
        name,
        request: base().without(key),
        status: S::MISSING_PARAMETER,
    };
    check(&[
        Fault {
            name: "nothing wrong",
            request: base(),
            status: S::OK,
        },
        missing("no rpId", 1),
        missing("no clientDataHash", 2),
        fault(
            "rpId is bytes",
            1,
            Value::Bytes(b"example.org"),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("rpId is empty", 1, Value::Text(""), S::INVALID_PARAMETER),
        fault("another rpId", 1, Value::Text("example.com"), S::NO_CREDENTIALS),
        fault(
            "an rpId in another case",
            1,
            Value::Text("Example.org"),
            S::NO_CREDENTIALS,
        ),
        fault("clientDataHash is text", 2, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault(
            "clientDataHash is long",
            2,
            Value::Bytes(&[0; 33]),
            S::INVALID_LENGTH,
        ),
        fault(
            "extensions is an array",
            4,
            Value::Array(vec![]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("unknown extensions", 4, map([("x", Value::Null)]), S::OK),
        fault("an unknown parameter", 99, Value::Null, S::OK),
    ]);
}

#[test]
fn allow_list() {
    // The same key makes the same credential in check().
    let ours = Key::new(KeyKind::Synced).register(&resident()).id;
    let ours = || map([("type", PUBLIC_KEY), ("id", Value::Bytes(&ours))]);
    let descriptor = |kind, id| map([("type", kind), ("id", id)]);
    check(&[
        fault("a map", 3, map([]), S::CBOR_UNEXPECTED_TYPE),
        fault("nothing in it", 3, Value::Array(vec![]), S::OK),
        fault("ours", 3, one(ours()), S::OK),
        fault("a text in it", 3, one(TEXT), S::CBOR_UNEXPECTED_TYPE),
        fault("no type", 3, one(map([("id", BYTES)])), S::CBOR_UNEXPECTED_TYPE),
        fault(
            "no id",
            3,
            one(map([("type", PUBLIC_KEY)])),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "type is a number",
            3,
            one(descriptor(NUMBER, BYTES)),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "id is text",
            3,
            one(descriptor(PUBLIC_KEY, TEXT)),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "ours, and one fault",
            3,
            Value::Array(vec![ours(), NUMBER]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "only another type",
            3,
            one(descriptor(TEXT, BYTES)),
            S::NO_CREDENTIALS,
        ),
        fault(
            "another type, and ours",
            3,
            Value::Array(vec![descriptor(TEXT, BYTES), ours()]),
            S::OK,
        ),
        fault(
            "not ours",
            3,
            descriptors([&[][..], &[1], &[9; 75], &[9; 300]]),
            S::NO_CREDENTIALS,
        ),
        fault("as many as allowed", 3, Value::Array(vec![ours(); 20]), S::OK),
        fault(
            "one too many",
            3,
            Value::Array(vec![ours(); 21]),
            S::LIMIT_EXCEEDED,
        ),
    ]);
}

#[test]
fn options() {
    check(&[
        fault("an array", 5, Value::Array(vec![]), S::CBOR_UNEXPECTED_TYPE),
        fault(
            "up is a number",
            5,
            map([("up", NUMBER)]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("an unknown option", 5, option("x", true), S::OK),
        fault("rk:true", 5, option("rk", true), S::UNSUPPORTED_OPTION),
        fault("rk:false", 5, option("rk", false), S::UNSUPPORTED_OPTION),
        fault("uv:true", 5, option("uv", true), S::INVALID_OPTION),
        fault("uv:false", 5, option("uv", false), S::OK),
        fault("up:true", 5, option("up", true), S::OK),
        fault("up:false", 5, option("up", false), S::OK),
    ]);
}

#[test]
fn proof_of_user_verification() {
    let proof = Value::Bytes(&[0; 16]);
    let complete = base().with(6, proof.clone());
    check(&[
        fault("text", 6, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("empty", 6, Value::Bytes(&[]), S::PIN_NOT_SET),
        fault("without protocol", 6, proof, S::MISSING_PARAMETER),
        Fault {
            name: "with a protocol that is not known",
            request: complete.clone().with(7, Value::Unsigned(3)),
            status: S::INVALID_PARAMETER,
        },
        // As nothing protects the key, there is nothing to prove.
        Fault {
            name: "with protocol",
            request: complete.with(7, NUMBER),
            status: S::OK,
        },
        fault("protocol is text", 7, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("protocol alone", 7, NUMBER, S::OK),
    ]);
}

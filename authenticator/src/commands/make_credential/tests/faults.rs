//! One fault at a time, and the code it is answered with.

use StatusCode as S;

use super::*;
use crate::testing::Fault;

fn check(faults: &[Fault<'_>]) {
    for fault in faults {
        let answer = answer_to(&fault.request);
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
        missing("no clientDataHash", 1),
        missing("no rp", 2),
        missing("no user", 3),
        missing("no pubKeyCredParams", 4),
        fault("clientDataHash is text", 1, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault(
            "clientDataHash is short",
            1,
            Value::Bytes(&[0; 31]),
            S::INVALID_LENGTH,
        ),
        fault(
            "extensions is an array",
            6,
            Value::Array(vec![]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("unknown extensions", 6, map([("x", Value::Null)]), S::OK),
        fault("enterpriseAttestation is text", 10, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("enterpriseAttestation", 10, NUMBER, S::INVALID_PARAMETER),
        fault(
            "enterpriseAttestation of no known kind",
            10,
            Value::Unsigned(3),
            S::INVALID_PARAMETER,
        ),
        fault("an unknown parameter", 99, Value::Undefined, S::OK),
    ]);
}

#[test]
fn relying_party() {
    check(&[
        fault("rp is text", 2, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("no id", 2, map([("name", TEXT)]), S::CBOR_UNEXPECTED_TYPE),
        fault("id is bytes", 2, map([("id", BYTES)]), S::CBOR_UNEXPECTED_TYPE),
        fault(
            "id is empty",
            2,
            map([("id", Value::Text(""))]),
            S::INVALID_PARAMETER,
        ),
        fault("id is no domain", 2, map([("id", Value::Text("ssh:"))]), S::OK),
        fault(
            "name is a number",
            2,
            map([("id", TEXT), ("name", NUMBER)]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("icon is ignored", 2, map([("id", TEXT), ("icon", NUMBER)]), S::OK),
    ]);
}

#[test]
fn user_account() {
    check(&[
        fault("user is text", 3, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("no id", 3, map([("name", TEXT)]), S::CBOR_UNEXPECTED_TYPE),
        fault("id is text", 3, map([("id", TEXT)]), S::CBOR_UNEXPECTED_TYPE),
        fault("id is empty", 3, user(&[]), S::INVALID_LENGTH),
        fault("id has 64 bytes", 3, user(&[0; 64]), S::OK),
        fault("id has 65 bytes", 3, user(&[0; 65]), S::INVALID_LENGTH),
        fault("nothing but an id", 3, map([("id", BYTES)]), S::OK),
        fault(
            "icon is ignored",
            3,
            map([("id", BYTES), ("icon", NUMBER)]),
            S::OK,
        ),
        fault(
            "name is a number",
            3,
            map([("id", BYTES), ("name", NUMBER)]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "displayName is bytes",
            3,
            map([("id", BYTES), ("displayName", BYTES)]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
    ]);
}

#[test]
fn algorithms() {
    let element = |kind, algorithm| one(map([("type", kind), ("alg", algorithm)]));
    let es256 = || Value::integer(-7);
    check(&[
        fault("a map", 4, map([]), S::CBOR_UNEXPECTED_TYPE),
        fault("none", 4, Value::Array(vec![]), S::UNSUPPORTED_ALGORITHM),
        fault("an element is no map", 4, one(NUMBER), S::CBOR_UNEXPECTED_TYPE),
        fault("no type", 4, one(map([("alg", es256())])), S::INVALID_CBOR),
        fault("no alg", 4, one(map([("type", PUBLIC_KEY)])), S::INVALID_CBOR),
        fault(
            "type is a number",
            4,
            element(NUMBER, es256()),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "alg is text",
            4,
            element(PUBLIC_KEY, TEXT),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "one good, one bad",
            4,
            Value::Array(vec![algorithm(-7), NUMBER]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "alg is unknown",
            4,
            one(algorithm(-257)),
            S::UNSUPPORTED_ALGORITHM,
        ),
        fault(
            "alg is out of range",
            4,
            one(algorithm(i64::MIN)),
            S::UNSUPPORTED_ALGORITHM,
        ),
        fault("alg is positive", 4, one(algorithm(7)), S::UNSUPPORTED_ALGORITHM),
        fault(
            "type is unknown",
            4,
            element(TEXT, es256()),
            S::UNSUPPORTED_ALGORITHM,
        ),
        fault(
            "an unknown one first",
            4,
            Value::Array(vec![algorithm(-257), algorithm(-8)]),
            S::OK,
        ),
    ]);
}

#[test]
fn exclude_list() {
    let descriptor = |kind, id| one(map([("type", kind), ("id", id)]));
    check(&[
        fault("a map", 5, map([]), S::CBOR_UNEXPECTED_TYPE),
        fault("nothing in it", 5, Value::Array(vec![]), S::OK),
        fault("a number in it", 5, one(NUMBER), S::CBOR_UNEXPECTED_TYPE),
        fault("no type", 5, one(map([("id", BYTES)])), S::CBOR_UNEXPECTED_TYPE),
        fault(
            "no id",
            5,
            one(map([("type", PUBLIC_KEY)])),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "type is a number",
            5,
            descriptor(NUMBER, BYTES),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault(
            "id is text",
            5,
            descriptor(PUBLIC_KEY, TEXT),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("an unknown credential", 5, descriptors([&[9; 75][..]]), S::OK),
        fault(
            "ids of every length",
            5,
            descriptors([&[][..], &[9; 255], &[9; 256], &[9; 1024]]),
            S::OK,
        ),
        fault("as many as allowed", 5, descriptors([&[9; 40][..]; 20]), S::OK),
        fault(
            "one too many",
            5,
            descriptors([&[9; 40][..]; 21]),
            S::LIMIT_EXCEEDED,
        ),
    ]);
}

#[test]
fn options() {
    check(&[
        fault("an array", 7, Value::Array(vec![]), S::CBOR_UNEXPECTED_TYPE),
        fault(
            "rk is a number",
            7,
            map([("rk", NUMBER)]),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        fault("an unknown option", 7, map([("x", NUMBER)]), S::OK),
        fault("rk:false", 7, option("rk", false), S::OK),
        fault("rk:true", 7, option("rk", true), S::OK),
        fault("uv:false", 7, option("uv", false), S::OK),
        fault("uv:true", 7, option("uv", true), S::INVALID_OPTION),
        fault("up:true", 7, option("up", true), S::OK),
        fault("up:false", 7, option("up", false), S::INVALID_OPTION),
    ]);
}

#[test]
fn proof_of_user_verification() {
    let proof = Value::Bytes(&[0; 16]);
    let complete = base().with(8, proof.clone());
    check(&[
        fault("text", 8, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("empty", 8, Value::Bytes(&[]), S::PIN_NOT_SET),
        fault("without protocol", 8, proof, S::MISSING_PARAMETER),
        Fault {
            name: "with a protocol that is not known",
            request: complete.clone().with(9, Value::Unsigned(3)),
            status: S::INVALID_PARAMETER,
        },
        // As nothing protects the key, there is nothing to prove.
        Fault {
            name: "with protocol",
            request: complete.with(9, NUMBER),
            status: S::OK,
        },
        fault("protocol is text", 9, TEXT, S::CBOR_UNEXPECTED_TYPE),
        fault("protocol alone", 9, NUMBER, S::OK),
    ]);
}

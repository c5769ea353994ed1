//! `Authr-MakeCred-Req-4`: pubKeyCredParams, CTAP 2.3 §6.1.2 step 3.

use ciborium::Value;
use wardkey_sim::fido_client::Status;

use crate::bench::{Bench, ES256, MAKE_CREDENTIAL};
use crate::case::{Case, Outcome, Script, ensure_eq};
use crate::parameters::{Kind, text_map, values_of_other_types};
use crate::scripts::make_credential::{parameters, refuses_values};
use crate::signature::algorithm_of;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Req-4",
    cases: &[
        Case::new(
            "P-1",
            "passes over an algorithm that it does not know",
            unknown_algorithm_first,
        ),
        Case::new("F-1", "refuses an item that is not a map", |bench| {
            refuses_values(
                bench,
                4,
                values_of_other_types(Kind::Map).map(|item| Value::Array(vec![item])),
            )
        }),
        Case::new("F-2", "refuses an item without type", |bench| {
            refuses(
                bench,
                &text_map([("alg", Value::from(ES256))]),
                Status::INVALID_CBOR,
            )
        }),
        Case::new("F-3", "refuses a type that is not text", type_not_text),
        Case::new("F-4", "refuses an item without alg", |bench| {
            refuses(
                bench,
                &text_map([("type", Value::from("public-key"))]),
                Status::INVALID_CBOR,
            )
        }),
        Case::new("F-5", "refuses an alg that is not an integer", alg_not_integer),
        Case::new("F-6", "refuses when it knows no algorithm of the list", |bench| {
            refuses(bench, &item("public-key", UNKNOWN), Status::UNSUPPORTED_ALGORITHM)
        }),
        Case::new("F-7", "refuses when it knows no type of the list", |bench| {
            refuses(bench, &item("private-key", ES256), Status::UNSUPPORTED_ALGORITHM)
        }),
    ],
};

/// Nothing in the registry of COSE algorithms.
const UNKNOWN: i32 = -65_000;

fn item(kind: &str, algorithm: i32) -> Value {
    text_map([("type", Value::from(kind)), ("alg", Value::from(algorithm))])
}

/// A list is refused because of one of its items, also behind one that could be chosen.
fn refuses(bench: &mut Bench, bad: &Value, expected: Status) -> Outcome {
    let request = parameters(bench).with(4, Value::Array(vec![bad.clone()]));
    bench.refuses(MAKE_CREDENTIAL, &request, expected)?;
    if expected == Status::UNSUPPORTED_ALGORITHM {
        return Ok(());
    }
    let request = parameters(bench).with(4, Value::Array(vec![item("public-key", ES256), bad.clone()]));
    bench.refuses(MAKE_CREDENTIAL, &request, expected)
}

fn unknown_algorithm_first(bench: &mut Bench) -> Outcome {
    let mut request = bench.registration();
    request.algorithms = vec![UNKNOWN, ES256];
    let credential = bench.register(&request)?;
    ensure_eq!(
        algorithm_of(&credential.public_key),
        Some(ES256),
        "the algorithm of the key"
    );
    Ok(())
}

fn type_not_text(bench: &mut Bench) -> Outcome {
    for kind in values_of_other_types(Kind::Text) {
        let item = text_map([("type", kind), ("alg", Value::from(ES256))]);
        refuses(bench, &item, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}

fn alg_not_integer(bench: &mut Bench) -> Outcome {
    // A positive number is an integer, too; it is only not the name of an algorithm of this key.
    let others = values_of_other_types(Kind::Negative).filter(|value| !value.is_integer());
    for algorithm in others {
        let item = text_map([("type", Value::from("public-key")), ("alg", algorithm)]);
        refuses(bench, &item, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}

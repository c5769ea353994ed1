//! `wardkey-encoding`: what a request may look like, CTAP 2.3 §8.

use ciborium::Value;
use wardkey_sim::fido_client::{Status, to_bytes};

use crate::bench::{Bench, MAKE_CREDENTIAL};
use crate::case::{Case, Outcome, Script, present, refused};
use crate::parameters::Parameters;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-encoding",
    cases: &[
        Case::new("trailing-bytes", "refuses bytes behind the parameters", |bench| {
            refuses(bench, |bytes| bytes.push(0))
        }),
        Case::new("truncated", "refuses parameters that end early", |bench| {
            refuses(bench, |bytes| bytes.truncate(bytes.len() - 1))
        }),
        Case::new(
            "long-integer",
            "refuses an integer that is longer than needed",
            |bench| {
                refuses(bench, |bytes| {
                    bytes.splice(1..2, [0x18, 0x01]);
                })
            },
        ),
        Case::new("duplicate-key", "refuses a key that comes twice", |bench| {
            refuses(bench, |bytes| {
                bytes[0] += 1;
                bytes.extend([0x04, 0x80]);
            })
        }),
        Case::new(
            "indefinite-length",
            "refuses lengths that are not told",
            |bench| {
                refuses(bench, |bytes| {
                    bytes[0] = 0xBF;
                    bytes.push(0xFF);
                })
            },
        ),
        Case::new("key-order", "refuses keys out of order", key_order),
        Case::new("tag", "refuses tags", tag),
        Case::new("utf-8", "refuses text that is not UTF-8", utf_8),
        Case::new("depth", "refuses maps in maps in maps in maps in maps", depth),
        Case::new("no-map", "refuses parameters that are not a map", no_map),
        Case::new("no-parameters", "misses what it needs", no_parameters),
        Case::new(
            "unknown-parameter",
            "ignores a parameter that it does not know",
            unknown_parameter,
        ),
        Case::new(
            "canonical-answers",
            "answers in canonical CBOR",
            canonical_answers,
        ),
    ],
};

/// A request that would be accepted is refused after this change to its bytes.
fn refuses(bench: &mut Bench, change: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let mut bytes = bench.registration().to_bytes();
    change(&mut bytes);
    refused(bench.client().call(MAKE_CREDENTIAL, &bytes), Status::INVALID_CBOR)
}

fn key_order(bench: &mut Bench) -> Outcome {
    let parameters = Parameters::from(&bench.registration());
    let bytes = parameters.to_bytes_in_reverse();
    refused(bench.client().call(MAKE_CREDENTIAL, &bytes), Status::INVALID_CBOR)
}

fn tag(bench: &mut Bench) -> Outcome {
    let parameters = Parameters::from(&bench.registration());
    let tagged = Value::Tag(24, Box::new(Value::from(vec![1; 32])));
    bench.refuses(MAKE_CREDENTIAL, &parameters.with(1, tagged), Status::INVALID_CBOR)
}

fn utf_8(bench: &mut Bench) -> Outcome {
    const NAME: &[u8] = b"\x63ada";
    let mut bytes = bench.registration().to_bytes();
    let name = bytes.windows(NAME.len()).position(|window| window == NAME);
    let name = present(name, "the name in the request")?;
    bytes.splice(name + 1..name + 4, [0xFF, 0xFE, 0xFD]);
    refused(bench.client().call(MAKE_CREDENTIAL, &bytes), Status::INVALID_CBOR)
}

fn depth(bench: &mut Bench) -> Outcome {
    let mut deep = Value::from(1);
    for _ in 0..5 {
        deep = Value::Array(vec![deep]);
    }
    let parameters = Parameters::from(&bench.registration());
    bench.refuses(
        MAKE_CREDENTIAL,
        &parameters.with_inner(6, "deep", deep),
        Status::INVALID_CBOR,
    )
}

fn no_map(bench: &mut Bench) -> Outcome {
    for value in [Value::from(1), Value::Array(Vec::new()), Value::from("text")] {
        let answer = bench.client().call(MAKE_CREDENTIAL, &to_bytes(&value));
        refused(answer, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}

fn no_parameters(bench: &mut Bench) -> Outcome {
    const COMMANDS: [u8; 5] = [0x01, 0x02, 0x06, 0x0A, 0x0D];
    for command in COMMANDS {
        for parameters in [&[][..], &[0xA0]] {
            refused(
                bench.client().call(command, parameters),
                Status::MISSING_PARAMETER,
            )?;
        }
    }
    Ok(())
}

fn unknown_parameter(bench: &mut Bench) -> Outcome {
    let parameters = Parameters::from(&bench.registration()).with(0x7F, "unknown");
    bench.registers(&parameters).map(drop)
}

/// The client that the cases use is more tolerant; this asks for the order of keys in all maps.
fn canonical_answers(bench: &mut Bench) -> Outcome {
    const GET_INFO: u8 = 0x04;
    let registration = Parameters::from(&bench.resident_registration());
    let answers = [
        bench.client().call(GET_INFO, &[])?,
        bench.accepts(MAKE_CREDENTIAL, &registration)?,
    ];
    for answer in answers {
        let value = wardkey_sim::fido_client::from_bytes(&answer)?;
        let canonical = to_bytes(&wardkey_sim::fido_client::canonical(value));
        crate::case::ensure!(canonical == answer, "an answer is not canonical: {answer:02x?}");
    }
    Ok(())
}

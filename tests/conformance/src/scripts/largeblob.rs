//! `largeBlob`: the extension largeBlob, CTAP 2.3 §12.4. Inputs and outputs are maps, as the specification has them.

use ciborium::Value;
use wardkey_sim::fido_client::{Assertion, Status};

use crate::bench::{Bench, GET_ASSERTION, MAKE_CREDENTIAL, RP_ID, Registered};
use crate::case::{Case, Outcome, Script, Stop, ensure_eq, present};
use crate::parameters::{Kind, Parameters, member_of, numbered, text_map, values_of_other_types};

pub(super) const SCRIPT: Script = Script {
    name: "largeBlob",
    cases: &[
        Case::new("P-1", "supports large blobs where that is preferred", |bench| {
            register(bench, "preferred").map(drop)
        }),
        Case::new("P-2", "supports large blobs where that is required", |bench| {
            register(bench, "required").map(drop)
        }),
        Case::new("P-3", "writes", writes),
        Case::new("P-4", "reads what was written", reads),
        Case::new("P-5", "does not write where no credential is named", unnamed),
        Case::skipped(
            "P-6",
            "does not write where support was not asked for",
            "the other way to be conforming; P-7 shows which one this key has",
        ),
        Case::new("P-7", "writes where support was not asked for", not_asked_for),
        Case::new(
            "F-1",
            "refuses a malformed input when registering",
            malformed_registration,
        ),
        Case::new("F-2", "refuses a malformed input when signing", |bench| {
            let inputs = [text_map([]), text_map([("write", Value::from(vec![1]))])];
            assertion_refused(bench, inputs)
        }),
        Case::new("F-3", "refuses to read and write at once", |bench| {
            assertion_refused(bench, [read_and_write()])
        }),
        Case::new("F-4", "refuses read of another type", |bench| {
            let others = values_of_other_types(Kind::Bool);
            assertion_refused(bench, others.map(|read| text_map([("read", read)])))
        }),
        Case::new(
            "F-5",
            "refuses write and originalSize of other types",
            wrong_types,
        ),
    ],
};

const EXTENSION: &str = "largeBlob";
const IN_ATTESTATION: u8 = 6;
const IN_ASSERTION: u8 = 8;

fn needed(bench: &mut Bench) -> Outcome {
    bench.needs_extension(EXTENSION, "the key keeps large blobs in one array")
}

/// The output of the extension among further members of an answer.
fn output(more: Vec<(Value, Value)>, key: u8) -> Result<Value, Stop> {
    let members = Value::Map(more);
    let outputs = present(numbered(&members, key), "unsignedExtensionOutputs")?;
    present(member_of(outputs, EXTENSION).cloned(), EXTENSION)
}

fn register(bench: &mut Bench, support: &str) -> Result<Registered, Stop> {
    needed(bench)?;
    let request = bench.resident_registration();
    let input = text_map([("support", Value::from(support))]);
    let credential = bench.register(&request.with_extensions([(EXTENSION, input)]))?;
    let output = output(credential.attestation.more.clone(), IN_ATTESTATION)?;
    ensure_eq!(output, text_map([("supported", Value::from(true))]), "the output");
    ensure_eq!(
        credential.attestation.auth_data.extensions,
        None,
        "the signed outputs"
    );
    Ok(credential)
}

fn write_input(blob: &[u8], original_size: u32) -> Value {
    text_map([
        ("write", Value::from(blob)),
        ("originalSize", Value::from(original_size)),
    ])
}

fn read_and_write() -> Value {
    text_map([
        ("read", Value::from(true)),
        ("write", Value::from(vec![1])),
        ("originalSize", Value::from(1)),
    ])
}

fn assert_with(bench: &mut Bench, credential: &Registered, input: Value) -> Result<Value, Stop> {
    let request = bench.assertion_of(credential);
    let assertion = bench.assert(&request.with_extensions([(EXTENSION, input)]))?;
    output_of(assertion)
}

fn output_of(assertion: Assertion) -> Result<Value, Stop> {
    ensure_eq!(assertion.auth_data.extensions, None, "the signed outputs");
    output(assertion.more, IN_ASSERTION)
}

fn writes(bench: &mut Bench) -> Outcome {
    let credential = register(bench, "required")?;
    let output = assert_with(bench, &credential, write_input(&[7; 100], 300))?;
    ensure_eq!(output, text_map([("written", Value::from(true))]), "the output");
    Ok(())
}

fn reads(bench: &mut Bench) -> Outcome {
    let credential = register(bench, "required")?;
    let blob = bench.rng.bytes::<100>();
    assert_with(bench, &credential, write_input(&blob, 300))?;
    let output = assert_with(bench, &credential, text_map([("read", Value::from(true))]))?;
    let read = member_of(&output, "blob").and_then(Value::as_bytes);
    ensure_eq!(present(read, "blob")?.as_slice(), blob.as_slice(), "the blob");
    ensure_eq!(
        member_of(&output, "originalSize"),
        Some(&Value::from(300)),
        "originalSize"
    );
    Ok(())
}

fn unnamed(bench: &mut Bench) -> Outcome {
    register(bench, "required")?;
    let request = bench.assertion_for(RP_ID);
    let request = request.with_extensions([(EXTENSION, write_input(&[7; 100], 300))]);
    let output = output_of(bench.assert(&request)?)?;
    ensure_eq!(output, text_map([("written", Value::from(false))]), "the output");
    Ok(())
}

fn not_asked_for(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let request = bench.resident_registration();
    let credential = bench.register(&request)?;
    let output = assert_with(bench, &credential, write_input(&[7; 100], 300))?;
    ensure_eq!(output, text_map([("written", Value::from(true))]), "the output");
    Ok(())
}

fn malformed_registration(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let supports = values_of_other_types(Kind::Text).chain([Value::from("perhaps")]);
    let inputs = supports
        .map(|support| text_map([("support", support)]))
        .chain([text_map([])])
        .chain(values_of_other_types(Kind::Map));
    for input in inputs {
        let request = bench
            .resident_registration()
            .with_extensions([(EXTENSION, input)]);
        bench.refuses(MAKE_CREDENTIAL, &Parameters::from(&request), Status::INVALID_CBOR)?;
    }
    Ok(())
}

fn assertion_refused(bench: &mut Bench, inputs: impl IntoIterator<Item = Value>) -> Outcome {
    let credential = register(bench, "required")?;
    for input in inputs {
        let request = bench
            .assertion_of(&credential)
            .with_extensions([(EXTENSION, input)]);
        bench.refuses(GET_ASSERTION, &Parameters::from(&request), Status::INVALID_CBOR)?;
    }
    Ok(())
}

fn wrong_types(bench: &mut Bench) -> Outcome {
    let blobs = values_of_other_types(Kind::Bytes);
    let blobs = blobs.map(|blob| text_map([("write", blob), ("originalSize", Value::from(1))]));
    let sizes = values_of_other_types(Kind::Unsigned);
    let sizes = sizes.map(|size| text_map([("write", Value::from(vec![1])), ("originalSize", size)]));
    assertion_refused(bench, blobs.chain(sizes))
}

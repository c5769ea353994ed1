//! `largeBlobKey`: the extension largeBlobKey, CTAP 2.3 §12.3.

use ciborium::Value;
use wardkey_sim::fido_client::Status;

use crate::bench::{Bench, GET_ASSERTION, MAKE_CREDENTIAL, Registered};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present};
use crate::parameters::{Kind, Parameters, numbered, values_of_other_types};

pub(super) const SCRIPT: Script = Script {
    name: "largeBlobKey",
    cases: &[
        Case::new("P-1", "gives each credential a key of its own", own_keys),
        Case::new("P-2", "gives the same key with every assertion", same_key),
        Case::new("F-1", "refuses false when registering", |bench| {
            registration_refused(bench, [Value::from(false)], Status::INVALID_OPTION)
        }),
        Case::new("F-2", "refuses another type when registering", |bench| {
            let others = values_of_other_types(Kind::Bool);
            registration_refused(bench, others, Status::CBOR_UNEXPECTED_TYPE)
        }),
        Case::new("F-3", "refuses false when signing", |bench| {
            assertion_refused(bench, [Value::from(false)], Status::INVALID_OPTION)
        }),
        Case::new("F-4", "refuses another type when signing", |bench| {
            let others = values_of_other_types(Kind::Bool);
            assertion_refused(bench, others, Status::CBOR_UNEXPECTED_TYPE)
        }),
    ],
};

const EXTENSION: &str = "largeBlobKey";
const IN_ATTESTATION: u8 = 5;
const IN_ASSERTION: u8 = 7;

fn key_in(more: Vec<(Value, Value)>, key: u8) -> Result<Vec<u8>, Stop> {
    let members = Value::Map(more);
    let found = present(numbered(&members, key).and_then(Value::as_bytes), EXTENSION)?;
    ensure_eq!(found.len(), 32, "the length of the key");
    Ok(found.clone())
}

fn register(bench: &mut Bench) -> Result<(Registered, Vec<u8>), Stop> {
    bench.needs_extension(EXTENSION, "the key keeps large blobs with their credentials")?;
    let request = bench.resident_registration();
    let request = request.with_extensions([(EXTENSION, Value::from(true))]);
    let credential = bench.register(&request)?;
    ensure_eq!(
        credential.attestation.auth_data.extensions,
        None,
        "the extension outputs"
    );
    let key = key_in(credential.attestation.more.clone(), IN_ATTESTATION)?;
    Ok((credential, key))
}

fn own_keys(bench: &mut Bench) -> Outcome {
    let (_, one) = register(bench)?;
    let (_, other) = register(bench)?;
    ensure!(one != other, "two credentials have the same key");
    Ok(())
}

fn same_key(bench: &mut Bench) -> Outcome {
    let (credential, registered) = register(bench)?;
    let request = bench.assertion_of(&credential);
    let request = request.with_extensions([(EXTENSION, Value::from(true))]);
    let assertion = bench.assert(&request)?;
    ensure_eq!(assertion.auth_data.extensions, None, "the extension outputs");
    ensure_eq!(
        key_in(assertion.more, IN_ASSERTION)?,
        registered,
        "the key in the assertion"
    );
    Ok(())
}

fn registration_refused(
    bench: &mut Bench,
    inputs: impl IntoIterator<Item = Value>,
    expected: Status,
) -> Outcome {
    bench.needs_extension(EXTENSION, "the key keeps large blobs with their credentials")?;
    for input in inputs {
        let request = bench
            .resident_registration()
            .with_extensions([(EXTENSION, input)]);
        bench.refuses(MAKE_CREDENTIAL, &Parameters::from(&request), expected)?;
    }
    Ok(())
}

fn assertion_refused(
    bench: &mut Bench,
    inputs: impl IntoIterator<Item = Value>,
    expected: Status,
) -> Outcome {
    let (credential, _) = register(bench)?;
    for input in inputs {
        let request = bench
            .assertion_of(&credential)
            .with_extensions([(EXTENSION, input)]);
        bench.refuses(GET_ASSERTION, &Parameters::from(&request), expected)?;
    }
    Ok(())
}

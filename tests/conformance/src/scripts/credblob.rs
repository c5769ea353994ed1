//! `credBlob`: the extension credBlob, CTAP 2.3 §12.2.

use ciborium::Value;

use crate::bench::{Bench, Registered};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present};
use crate::parameters::text_map;

pub(super) const SCRIPT: Script = Script {
    name: "credBlob",
    cases: &[
        Case::new("P-1", "takes blobs of at least 32 bytes", longest),
        Case::new("P-2", "gives back the blob", gives_back),
        Case::new("P-3", "gives no bytes where there is no blob", empty),
    ],
};

const EXTENSION: &str = "credBlob";
const MAX_CRED_BLOB_LENGTH: u8 = 0x0F;

fn max_length(bench: &mut Bench) -> Result<usize, Stop> {
    let info = bench.info()?;
    let length = info.member(MAX_CRED_BLOB_LENGTH).and_then(Value::as_integer);
    let length = length.and_then(|length| usize::try_from(i128::from(length)).ok());
    present(length, "maxCredBlobLength")
}

fn longest(bench: &mut Bench) -> Outcome {
    let length = max_length(bench)?;
    ensure!(length >= 32, "maxCredBlobLength is {length}");
    Ok(())
}

/// The output of the extension in an assertion.
fn blob_of(bench: &mut Bench, credential: &Registered) -> Result<Value, Stop> {
    let request = bench.assertion_of(credential);
    let request = request.with_extensions([(EXTENSION, Value::from(true))]);
    present(
        bench.assert(&request)?.auth_data.extensions,
        "the extension outputs",
    )
}

fn gives_back(bench: &mut Bench) -> Outcome {
    let longest = max_length(bench)?;
    for length in [longest, 1] {
        let blob: Vec<u8> = (0..length).flat_map(|_| bench.rng.bytes::<1>()).collect();
        let request = bench.resident_registration();
        let request = request.with_extensions([(EXTENSION, Value::from(blob.as_slice()))]);
        let credential = bench.register(&request)?;
        let outputs = credential.attestation.auth_data.extensions.as_ref();
        let expected = text_map([(EXTENSION, Value::from(true))]);
        ensure_eq!(outputs, Some(&expected), "the outputs of the registration");
        let expected = text_map([(EXTENSION, Value::from(blob))]);
        ensure_eq!(
            blob_of(bench, &credential)?,
            expected,
            "the outputs of the assertion"
        );
    }
    Ok(())
}

fn empty(bench: &mut Bench) -> Outcome {
    let request = bench.resident_registration();
    let credential = bench.register(&request)?;
    let expected = text_map([(EXTENSION, Value::Bytes(Vec::new()))]);
    ensure_eq!(
        blob_of(bench, &credential)?,
        expected,
        "the outputs of the assertion"
    );
    Ok(())
}

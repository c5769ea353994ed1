//! `thirdPartyPayment`: the extension thirdPartyPayment, CTAP 2.3 §12.

use ciborium::Value;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure_eq};
use crate::parameters::text_map;

pub(super) const SCRIPT: Script = Script {
    name: "thirdPartyPayment",
    cases: &[
        Case::new("P-1", "remembers it for a stored credential", |bench| {
            remembers(bench, true, true)
        }),
        Case::new(
            "P-2",
            "remembers it for a credential that is not stored",
            |bench| remembers(bench, false, true),
        ),
        Case::new("F-1", "says no where it was not asked for", |bench| {
            remembers(bench, false, false)
        }),
    ],
};

const EXTENSION: &str = "thirdPartyPayment";

fn remembers(bench: &mut Bench, resident: bool, asked: bool) -> Outcome {
    let mut request = bench.registration_of(resident);
    if asked {
        request = request.with_extensions([(EXTENSION, Value::from(true))]);
    }
    let credential = bench.register(&request)?;
    ensure_eq!(
        credential.attestation.auth_data.extensions,
        None,
        "the outputs of the registration"
    );
    let request = bench.assertion_of(&credential);
    let request = request.with_extensions([(EXTENSION, Value::from(true))]);
    let outputs = bench.assert(&request)?.auth_data.extensions;
    let expected = text_map([(EXTENSION, Value::from(asked))]);
    ensure_eq!(outputs, Some(expected), "the outputs of the assertion");
    Ok(())
}

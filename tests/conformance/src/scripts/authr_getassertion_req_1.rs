//! `Authr-GetAssertion-Req-1`: the parameters of authenticatorGetAssertion, CTAP 2.3 §6.2.1.

use ciborium::Value;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script};
use crate::parameters::{Kind, values_of_other_types};
use crate::scripts::get_assertion::{is_signed_by, missing, refuses_values, request, wrong_type};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-GetAssertion-Req-1",
    cases: &[
        Case::new("P-1", "accepts a valid request", valid),
        Case::new("F-1", "refuses a request without rpId", |bench| missing(bench, 1)),
        Case::new("F-2", "refuses an rpId that is not text", |bench| {
            wrong_type(bench, 1, Kind::Text)
        }),
        Case::new("F-3", "refuses a request without clientDataHash", |bench| {
            missing(bench, 2)
        }),
        Case::new("F-4", "refuses a clientDataHash that is not bytes", |bench| {
            wrong_type(bench, 2, Kind::Bytes)
        }),
        Case::new("F-5", "refuses an allowList that is not an array", |bench| {
            wrong_type(bench, 3, Kind::Array)
        }),
        Case::new(
            "F-6",
            "refuses an allowList with an item that is not a map",
            |bench| {
                refuses_values(
                    bench,
                    3,
                    values_of_other_types(Kind::Map).map(|item| Value::Array(vec![item])),
                )
            },
        ),
    ],
};

fn valid(bench: &mut Bench) -> Outcome {
    let (credential, request) = request(bench)?;
    let assertion = bench.assert(&request)?;
    is_signed_by(&credential, &request, &assertion)
}

//! `Authr-MakeCred-Req-1`: the parameters of authenticatorMakeCredential, CTAP 2.3 §6.1.1.

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script};
use crate::parameters::Kind;
use crate::scripts::make_credential::{missing, wrong_type};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Req-1",
    cases: &[
        Case::new("P-1", "accepts a valid request", valid),
        Case::new("F-1", "refuses a request without clientDataHash", |bench| {
            missing(bench, 1)
        }),
        Case::new("F-2", "refuses a clientDataHash that is not bytes", |bench| {
            wrong_type(bench, 1, Kind::Bytes)
        }),
        Case::new("F-3", "refuses a request without rp", |bench| missing(bench, 2)),
        Case::new("F-4", "refuses an rp that is not a map", |bench| {
            wrong_type(bench, 2, Kind::Map)
        }),
        Case::new("F-5", "refuses a request without user", |bench| missing(bench, 3)),
        Case::new("F-6", "refuses a user that is not a map", |bench| {
            wrong_type(bench, 3, Kind::Map)
        }),
        Case::new("F-7", "refuses a request without pubKeyCredParams", |bench| {
            missing(bench, 4)
        }),
        Case::new("F-8", "refuses pubKeyCredParams that are not an array", |bench| {
            wrong_type(bench, 4, Kind::Array)
        }),
        Case::new("F-9", "refuses an excludeList that is not an array", |bench| {
            wrong_type(bench, 5, Kind::Array)
        }),
        Case::new("F-10", "refuses extensions that are not a map", |bench| {
            wrong_type(bench, 6, Kind::Map)
        }),
        Case::new("F-11", "refuses options that are not a map", |bench| {
            wrong_type(bench, 7, Kind::Map)
        }),
    ],
};

fn valid(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    bench.register(&request).map(drop)
}

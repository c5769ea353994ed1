//! `Authr-ClientPin2-GetPinToken`: getPinToken with PIN/UV auth protocol two, CTAP 2.3 §6.5.5.7.1.

use wardkey_sim::fido_client::{Configuration, LargeBlobs, PinProtocol, Status, serialize_large_blobs};

use crate::bench::{Bench, PIN};
use crate::case::{Case, Outcome, Script, refused};
use crate::scripts::NO_BIO_ENROLLMENT;
use crate::scripts::client_pin::{
    asserts_with, gives_old_token, no_old_token_when_forced, old_token, registers_with,
};

const PROTOCOL: PinProtocol = PinProtocol::Two;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin2-GetPinToken",
    cases: &[
        Case::new("P-1", "gives a token", |bench| gives_old_token(bench, PROTOCOL)),
        Case::new("P-2", "registers a verified user", |bench| {
            bench.set_pin(PROTOCOL)?;
            let token = old_token(bench, PROTOCOL, PIN)?;
            registers_with(bench, &token, false)
        }),
        Case::new("P-3", "signs for a verified user", |bench| {
            bench.set_pin(PROTOCOL)?;
            asserts_with(bench, |bench| old_token(bench, PROTOCOL, PIN))
        }),
        Case::new(
            "F-1",
            "does not let the token manage credentials",
            credential_management,
        ),
        Case::skipped(
            "F-2",
            "does not let the token enrol fingerprints",
            NO_BIO_ENROLLMENT,
        ),
        Case::new("F-3", "does not let the token write large blobs", large_blobs),
        Case::new("F-4", "does not let the token configure the key", configuration),
        Case::new("F-5", "gives no token while a change is forced", |bench| {
            no_old_token_when_forced(bench, PROTOCOL)
        }),
    ],
};

fn credential_management(bench: &mut Bench) -> Outcome {
    bench.set_pin(PROTOCOL)?;
    let token = old_token(bench, PROTOCOL, PIN)?;
    refused(bench.client().creds_metadata(&token), Status::PIN_AUTH_INVALID)
}

fn large_blobs(bench: &mut Bench) -> Outcome {
    bench.needs_option("largeBlobs", "the key keeps large blobs with their credentials")?;
    bench.set_pin(PROTOCOL)?;
    let token = old_token(bench, PROTOCOL, PIN)?;
    let serialized = serialize_large_blobs(&[0x80]);
    let request = LargeBlobs::set(&serialized, 0, 17).authorized_by(&token);
    refused(bench.client().large_blobs(&request), Status::PIN_AUTH_INVALID)
}

fn configuration(bench: &mut Bench) -> Outcome {
    bench.set_pin(PROTOCOL)?;
    let token = old_token(bench, PROTOCOL, PIN)?;
    let answer = bench
        .client()
        .configure(&Configuration::ToggleAlwaysUv, Some(&token));
    refused(answer, Status::PIN_AUTH_INVALID)
}

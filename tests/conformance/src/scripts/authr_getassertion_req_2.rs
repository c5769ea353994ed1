//! `Authr-GetAssertion-Req-2`: the options of authenticatorGetAssertion, CTAP 2.3 §6.2.2 step 4.

use wardkey_sim::auth_data::Flags;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure};
use crate::scripts::get_assertion::{parameters, request};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-GetAssertion-Req-2",
    cases: &[
        Case::new("P-1", "ignores an option that it does not know", unknown_option),
        Case::new("P-2", "asks for presence when told to", user_presence),
        Case::new("P-3", "verifies the user when told to", user_verification),
    ],
};

fn unknown_option(bench: &mut Bench) -> Outcome {
    let request = parameters(bench)?.with_inner(5, "conformance", true);
    bench.asserts(&request).map(drop)
}

fn user_presence(bench: &mut Bench) -> Outcome {
    let (_, mut request) = request(bench)?;
    request.up = Some(true);
    let flags = bench.assert(&request)?.auth_data.flags;
    ensure!(flags.contains(Flags::USER_PRESENT), "flag UP is not set");
    ensure!(!flags.contains(Flags::USER_VERIFIED), "flag UV is set");
    request.up = Some(false);
    let flags = bench.assert(&request)?.auth_data.flags;
    ensure!(
        !flags.contains(Flags::USER_PRESENT),
        "flag UP is set, and nobody was asked"
    );
    Ok(())
}

fn user_verification(bench: &mut Bench) -> Outcome {
    bench.needs_option("uv", "the key has no built-in user verification")?;
    let (_, mut request) = request(bench)?;
    request.uv = Some(true);
    let flags = bench.assert(&request)?.auth_data.flags;
    ensure!(flags.contains(Flags::USER_VERIFIED), "flag UV is not set");
    Ok(())
}

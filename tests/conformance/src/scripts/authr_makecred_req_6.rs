//! `Authr-MakeCred-Req-6`: the options of authenticatorMakeCredential, CTAP 2.3 §6.1.2 step 5.

use ciborium::Value;
use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::Status;

use crate::bench::{Bench, MAKE_CREDENTIAL};
use crate::case::{Case, Outcome, Script, ensure};
use crate::scripts::make_credential::parameters;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Req-6",
    cases: &[
        Case::new("P-1", "ignores an option that it does not know", unknown_option),
        Case::new("P-2", "verifies the user when asked to", user_verification),
        Case::new("P-3", "accepts that presence is asked for", user_presence),
        Case::new("F-1", "refuses to do without presence", no_user_presence),
    ],
};

fn unknown_option(bench: &mut Bench) -> Outcome {
    let request = parameters(bench).with_inner(7, "conformance", true);
    bench.registers(&request)?;
    let request = parameters(bench).with_inner(7, "conformance", Value::from("text"));
    bench.registers(&request).map(drop)
}

fn user_verification(bench: &mut Bench) -> Outcome {
    bench.needs_option("uv", "the key has no built-in user verification")?;
    let mut request = bench.registration();
    request.uv = Some(true);
    let flags = bench.register(&request)?.attestation.auth_data.flags;
    ensure!(flags.contains(Flags::USER_VERIFIED), "flag UV is not set");
    Ok(())
}

fn user_presence(bench: &mut Bench) -> Outcome {
    let mut request = bench.registration();
    request.up = Some(true);
    let flags = bench.register(&request)?.attestation.auth_data.flags;
    ensure!(flags.contains(Flags::USER_PRESENT), "flag UP is not set");
    Ok(())
}

fn no_user_presence(bench: &mut Bench) -> Outcome {
    let request = parameters(bench).with_inner(7, "up", false);
    bench.refuses(MAKE_CREDENTIAL, &request, Status::INVALID_OPTION)
}

//! `wardkey-absent`: what this key does not have, it says so.

use wardkey_sim::fido_client::Status;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure_eq, refused};

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-absent",
    cases: &[
        Case::new(
            "bio-enrollment",
            "refuses authenticatorBioEnrollment",
            bio_enrollment,
        ),
        Case::new(
            "vendor-commands",
            "refuses commands that no specification names",
            vendor_commands,
        ),
        Case::new("uvm", "ignores the extension uvm", uvm),
    ],
};

fn bio_enrollment(bench: &mut Bench) -> Outcome {
    ensure_eq!(bench.info()?.option("bioEnroll"), None, "option bioEnroll");
    // getModality, which would need no authorization.
    for command in [0x09, 0x40] {
        let answer = bench.client().call(command, &[0xA1, 0x06, 0xF5]);
        refused(answer, Status::INVALID_COMMAND)?;
    }
    Ok(())
}

fn vendor_commands(bench: &mut Bench) -> Outcome {
    for command in [0x00, 0x03, 0x05, 0x0E, 0x3F, 0x42, 0xBF, 0xC0, 0xFF] {
        refused(bench.client().call(command, &[]), Status::INVALID_COMMAND)?;
    }
    Ok(())
}

fn uvm(bench: &mut Bench) -> Outcome {
    let request = bench.registration().with_extensions([("uvm", true.into())]);
    let credential = bench.register(&request)?;
    ensure_eq!(
        credential.attestation.auth_data.extensions,
        None,
        "the extension outputs"
    );
    Ok(())
}

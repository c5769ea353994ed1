//! `credProtect`: the extension credProtect, CTAP 2.3 §12.1.

use ciborium::Value;
use wardkey_sim::fido_client::{Permissions, PinProtocol, Status};

use crate::bench::{Bench, RP_ID, Registered, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure_eq, present, refused};
use crate::parameters::text_map;

pub(super) const SCRIPT: Script = Script {
    name: "credProtect",
    cases: &[
        Case::new("P-1", "lets level 1 be found without verification", |bench| {
            found_without_verification(bench, OPTIONAL, true, true)
        }),
        Case::new(
            "P-2",
            "lets level 2 be used without verification, but not be found",
            |bench| found_without_verification(bench, OPTIONAL_WITH_LIST, true, false),
        ),
        Case::new("P-3", "hides level 3 without verification", |bench| {
            found_without_verification(bench, REQUIRED, false, false)
        }),
        Case::new("P-4", "shows the level to who manages credentials", managed),
    ],
};

const OPTIONAL: u8 = 1;
const OPTIONAL_WITH_LIST: u8 = 2;
const REQUIRED: u8 = 3;

fn register(bench: &mut Bench, level: u8) -> Result<Registered, Stop> {
    let request = bench.resident_registration();
    let request = request.with_extensions([("credProtect", Value::from(level))]);
    let credential = bench.register(&request)?;
    let outputs = credential.attestation.auth_data.extensions.as_ref();
    let outputs = present(outputs, "the extension outputs")?;
    ensure_eq!(
        outputs,
        &text_map([("credProtect", Value::from(level))]),
        "the extension outputs"
    );
    Ok(credential)
}

/// Whether an assertion without presence and verification finds a credential: by its id, and by itself.
fn found_without_verification(bench: &mut Bench, level: u8, by_id: bool, by_itself: bool) -> Outcome {
    let credential = register(bench, level)?;
    let named = bench.assertion_of(&credential);
    let discovered = bench.assertion_for(RP_ID);
    for (mut request, found) in [(named, by_id), (discovered, by_itself)] {
        request.up = Some(false);
        let answer = bench.client().get_assertion(&request);
        if found {
            ensure_eq!(
                answer?.credential_id.as_ref(),
                Some(&credential.id),
                "the credential"
            );
        } else {
            refused(answer, Status::NO_CREDENTIALS)?;
        }
    }
    Ok(())
}

fn managed(bench: &mut Bench) -> Outcome {
    let levels = [OPTIONAL, OPTIONAL_WITH_LIST, REQUIRED];
    let mut credentials = Vec::new();
    for level in levels {
        credentials.push((register(bench, level)?, level));
    }
    bench.set_pin(PinProtocol::Two)?;
    let token = bench.token(PinProtocol::Two, Permissions::CREDENTIAL_MANAGEMENT, None)?;
    let mut listed = vec![
        bench
            .client()
            .enumerate_credentials_begin(&token, sha256(RP_ID))?,
    ];
    for _ in 1..levels.len() {
        listed.push(bench.client().enumerate_credentials_next()?);
    }
    for (credential, level) in &credentials {
        let found = listed.iter().find(|listed| listed.credential_id == credential.id);
        let found = present(found, "a credential of the list")?;
        ensure_eq!(
            found.cred_protect,
            Some(u32::from(*level)),
            "the level in the list"
        );
    }
    Ok(())
}

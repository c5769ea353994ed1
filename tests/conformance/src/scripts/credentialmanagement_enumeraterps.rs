//! `CredentialManagement-EnumerateRPs`: CTAP 2.3 §6.8.2 and §6.8.3.

use wardkey_sim::fido_client::{EnumeratedRp, Permissions, Status};

use crate::bench::{Bench, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, refused};
use crate::scripts::credential_management::{MANAGE, READ, store, token};

pub(super) const SCRIPT: Script = Script {
    name: "CredentialManagement-EnumerateRPs",
    cases: &[
        Case::new("P-1", "counts credentials", |bench| counts(bench, MANAGE)),
        Case::new("P-2", "names the first relying party", |bench| {
            let (first, _) = both(bench, MANAGE)?;
            is_first(&first)
        }),
        Case::new("P-3", "names the next relying party", |bench| {
            let (first, next) = both(bench, MANAGE)?;
            is_next(&first, &next)
        }),
        Case::new("P-4", "counts credentials for a persistent token", |bench| {
            counts(bench, READ)
        }),
        Case::new(
            "P-5",
            "names the first relying party for a persistent token",
            |bench| {
                let (first, _) = both(bench, READ)?;
                is_first(&first)
            },
        ),
        Case::new(
            "P-6",
            "names the next relying party for a persistent token",
            |bench| {
                let (first, next) = both(bench, READ)?;
                is_next(&first, &next)
            },
        ),
    ],
};

const RP_IDS: [&str; 2] = ["one.example", "two.example"];

fn counts(bench: &mut Bench, permissions: Permissions) -> Outcome {
    store(bench, &["one.example"])?;
    let granted = token(bench, permissions)?;
    let metadata = bench.client().creds_metadata(&granted)?;
    ensure_eq!(metadata.existing, 1, "existingResidentCredentialsCount");
    let remaining = metadata.max_possible_remaining;
    ensure!(
        remaining > 1,
        "maxPossibleRemainingResidentCredentialsCount is {remaining}"
    );
    let making = bench.token(
        wardkey_sim::fido_client::PinProtocol::Two,
        Permissions::MAKE_CREDENTIAL,
        Some("two.example"),
    )?;
    let mut request = bench.resident_registration();
    request.rp.id = "two.example".to_owned();
    bench.register(&request.authorized_by(&making))?;
    let granted = token(bench, permissions)?;
    let metadata = bench.client().creds_metadata(&granted)?;
    ensure_eq!(
        metadata.existing,
        2,
        "existingResidentCredentialsCount after another"
    );
    Ok(())
}

fn both(bench: &mut Bench, permissions: Permissions) -> Result<(EnumeratedRp, EnumeratedRp), Stop> {
    store(bench, &RP_IDS)?;
    let token = token(bench, permissions)?;
    let first = bench.client().enumerate_rps_begin(&token)?;
    let next = bench.client().enumerate_rps_next()?;
    refused(bench.client().enumerate_rps_next(), Status::NOT_ALLOWED)?;
    Ok((first, next))
}

fn is_known(rp: &EnumeratedRp) -> Outcome {
    ensure!(
        RP_IDS.contains(&rp.rp.id.as_str()),
        "{:?} was never registered",
        rp.rp.id
    );
    ensure_eq!(rp.rp_id_hash, sha256(&rp.rp.id), "rpIDHash");
    ensure_eq!(rp.more, Vec::new(), "further members");
    Ok(())
}

fn is_first(first: &EnumeratedRp) -> Outcome {
    is_known(first)?;
    ensure_eq!(first.total, Some(2), "totalRPs");
    Ok(())
}

fn is_next(first: &EnumeratedRp, next: &EnumeratedRp) -> Outcome {
    is_known(next)?;
    ensure!(
        next.rp.id != first.rp.id,
        "the same relying party was named twice"
    );
    ensure_eq!(next.total, None, "totalRPs of a later answer");
    Ok(())
}

//! `CredentialManagement-EnumerateCredentials`: CTAP 2.3 §6.8.4.

use wardkey_sim::fido_client::{EnumeratedCredential, Permissions, Status};

use crate::bench::{Bench, RP_ID, Registered, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present, refused};
use crate::scripts::credential_management::{MANAGE, READ, store, token};

pub(super) const SCRIPT: Script = Script {
    name: "CredentialManagement-EnumerateCredentials",
    cases: &[
        Case::new("P-1", "shows the first credential", |bench| {
            let (stored, [first, _]) = both(bench, MANAGE)?;
            is_one_of(&stored, &first)?;
            ensure_eq!(first.total, Some(2), "totalCredentials");
            Ok(())
        }),
        Case::new("P-2", "shows the next credential", |bench| {
            let (stored, [first, next]) = both(bench, MANAGE)?;
            is_one_of(&stored, &next)?;
            ensure!(
                next.credential_id != first.credential_id,
                "a credential was shown twice"
            );
            ensure_eq!(next.total, None, "totalCredentials of a later answer");
            Ok(())
        }),
        Case::new("P-3", "shows credentials for a persistent token", |bench| {
            let (stored, [first, next]) = both(bench, READ)?;
            is_one_of(&stored, &first)?;
            is_one_of(&stored, &next)
        }),
    ],
};

fn both(
    bench: &mut Bench,
    permissions: Permissions,
) -> Result<(Vec<Registered>, [EnumeratedCredential; 2]), Stop> {
    let stored = store(bench, &[RP_ID, RP_ID, "another.example"])?;
    let token = token(bench, permissions)?;
    let first = bench
        .client()
        .enumerate_credentials_begin(&token, sha256(RP_ID))?;
    let next = bench.client().enumerate_credentials_next()?;
    refused(bench.client().enumerate_credentials_next(), Status::NOT_ALLOWED)?;
    Ok((stored, [first, next]))
}

fn is_one_of(stored: &[Registered], shown: &EnumeratedCredential) -> Outcome {
    let found = stored
        .iter()
        .find(|stored| stored.rp_id == RP_ID && stored.id == shown.credential_id);
    let found = present(found, "the credential that is shown")?;
    ensure_eq!(shown.user, found.account, "user");
    ensure_eq!(shown.public_key, found.public_key, "publicKey");
    ensure_eq!(shown.cred_protect, Some(1), "credProtect");
    ensure_eq!(shown.large_blob_key, None, "largeBlobKey");
    ensure_eq!(shown.third_party_payment, Some(false), "thirdPartyPayment");
    ensure_eq!(shown.more, Vec::new(), "further members");
    Ok(())
}

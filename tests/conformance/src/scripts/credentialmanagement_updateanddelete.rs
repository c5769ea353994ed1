//! `CredentialManagement-UpdateAndDelete`: CTAP 2.3 §6.8.5 and §6.8.6.

use wardkey_sim::fido_client::{Status, User};

use crate::bench::{Bench, RP_ID, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present, refused};
use crate::encrypted_state::{CRED_STORE_STATE, EncryptedState};
use crate::scripts::credential_management::{MANAGE, store, token};

pub(super) const SCRIPT: Script = Script {
    name: "CredentialManagement-UpdateAndDelete",
    cases: &[
        Case::new("P-1", "changes the names of an account", updates),
        Case::new("P-2", "deletes a credential", deletes),
    ],
};

fn updates(bench: &mut Bench) -> Outcome {
    let stored = store(bench, &[RP_ID])?;
    let credential = present(stored.first(), "the credential")?;
    let state = EncryptedState::new(bench, CRED_STORE_STATE)?;
    let before = state.read(bench)?;
    let granted = token(bench, MANAGE)?;
    let updated = User {
        id: credential.account.id.clone(),
        name: Some("grace".to_owned()),
        display_name: None,
    };
    bench
        .client()
        .update_user_information(&granted, &credential.id, &updated)?;
    let shown = bench
        .client()
        .enumerate_credentials_begin(&granted, sha256(RP_ID))?;
    ensure_eq!(shown.user, updated, "user after the update");
    is_changed(before, state.read(bench)?)
}

fn deletes(bench: &mut Bench) -> Outcome {
    let stored = store(bench, &[RP_ID, "another.example"])?;
    let credential = present(stored.first(), "the credential")?;
    let state = EncryptedState::new(bench, CRED_STORE_STATE)?;
    let before = state.read(bench)?;
    let token = token(bench, MANAGE)?;
    bench.client().delete_credential(&token, &credential.id)?;
    let request = bench.assertion_of(credential);
    refused(bench.client().get_assertion(&request), Status::NO_CREDENTIALS)?;
    let other = present(stored.get(1), "the other credential")?;
    let request = bench.assertion_of(other);
    bench.assert(&request)?;
    is_changed(before, state.read(bench)?)
}

fn is_changed(before: [u8; 16], after: [u8; 16]) -> Result<(), Stop> {
    ensure!(before != after, "the state of the store did not change");
    Ok(())
}

//! `wardkey-credential-management`: authenticatorCredentialManagement in its order, CTAP 2.3 §6.8.

use std::time::Duration;

use ciborium::Value;
use wardkey_sim::fido_client::{
    CredentialManagement, Permissions, PinProtocol, PinUvAuthToken, Status, User,
};

use crate::bench::{Bench, RP_ID, Registered, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure_eq, refused};
use crate::parameters::Parameters;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-credential-management",
    cases: &[
        Case::new(
            "unknown-subcommand",
            "refuses a subcommand that it does not know",
            unknown_subcommand,
        ),
        Case::new(
            "no-param",
            "wants a pinUvAuthParam, before anything else",
            no_param,
        ),
        Case::new("no-protocol", "wants to know the protocol", no_protocol),
        Case::new(
            "protocol-unknown",
            "refuses a protocol that it does not know",
            protocol_unknown,
        ),
        Case::new(
            "wrong-param",
            "refuses a pinUvAuthParam over something else",
            wrong_param,
        ),
        Case::new(
            "no-permission",
            "refuses a token for something else",
            no_permission,
        ),
        Case::new(
            "bound-token",
            "lets a token for one relying party list only that",
            bound_token,
        ),
        Case::new(
            "bound-delete",
            "lets a token for one relying party delete only there",
            bound_delete,
        ),
        Case::new("empty", "has nothing to list in a new key", empty),
        Case::new(
            "next-without-first",
            "gives no next before the first",
            next_without_first,
        ),
        Case::new("next-elsewhere", "gives the next on any channel", next_elsewhere),
        Case::new("next-replug", "forgets the rest when it loses power", next_replug),
        Case::new(
            "next-expires",
            "forgets the rest when the token that began it does",
            next_expires,
        ),
        Case::new(
            "unknown-credential",
            "does not know what is not there",
            unknown_credential,
        ),
        Case::new("wrapped", "does not list what it does not store", wrapped),
        Case::new(
            "other-user",
            "does not give a credential to another account",
            other_user,
        ),
        Case::new("read-only", "lets a persistent token change nothing", read_only),
        Case::new("large-blob-key", "shows the key to large blobs", large_blob_key),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;
const COMMAND: u8 = 0x0A;
const PARAM: u8 = 4;
const PROTOCOL: u8 = 3;

/// One stored credential, and a token to manage it.
fn managed(bench: &mut Bench) -> Result<(Registered, PinUvAuthToken), Stop> {
    let request = bench.resident_registration();
    let credential = bench.register(&request)?;
    bench.set_pin(TWO)?;
    let token = manage(bench, None)?;
    Ok((credential, token))
}

fn manage(bench: &mut Bench, rp_id: Option<&str>) -> Result<PinUvAuthToken, Stop> {
    bench.token(TWO, Permissions::CREDENTIAL_MANAGEMENT, rp_id)
}

fn parameters(request: &CredentialManagement, token: Option<&PinUvAuthToken>) -> Result<Parameters, Stop> {
    Parameters::decode(&request.to_bytes(token))
}

fn requests(credential: &Registered) -> [CredentialManagement; 5] {
    [
        CredentialManagement::GetCredsMetadata,
        CredentialManagement::EnumerateRpsBegin,
        CredentialManagement::EnumerateCredentialsBegin(sha256(RP_ID)),
        CredentialManagement::UpdateUserInformation(credential.id.clone(), credential.account.clone()),
        CredentialManagement::DeleteCredential(credential.id.clone()),
    ]
}

fn unknown_subcommand(bench: &mut Bench) -> Outcome {
    let (_, token) = managed(bench)?;
    for subcommand in [0, 8, 255] {
        let request = parameters(&CredentialManagement::GetCredsMetadata, Some(&token))?;
        bench.refuses(COMMAND, &request.with(1, subcommand), Status::INVALID_SUBCOMMAND)?;
    }
    Ok(())
}

/// Also without a PIN, and without what the subcommand needs.
fn no_param(bench: &mut Bench) -> Outcome {
    for subcommand in [1, 2, 4, 6, 7] {
        let request = Parameters::decode(&[0xA1, 0x01, subcommand])?;
        bench.refuses(COMMAND, &request, Status::PUAT_REQUIRED)?;
    }
    let (credential, _) = managed(bench)?;
    for request in requests(&credential) {
        let request = parameters(&request, None)?;
        bench.refuses(COMMAND, &request, Status::PUAT_REQUIRED)?;
    }
    Ok(())
}

fn no_protocol(bench: &mut Bench) -> Outcome {
    let (credential, token) = managed(bench)?;
    for request in requests(&credential) {
        let request = parameters(&request, Some(&token))?;
        bench.refuses(
            COMMAND,
            &request.clone().without(PROTOCOL),
            Status::MISSING_PARAMETER,
        )?;
    }
    for request in requests(&credential).iter().skip(2) {
        let request = parameters(request, Some(&token))?;
        bench.refuses(COMMAND, &request.without(2), Status::MISSING_PARAMETER)?;
    }
    Ok(())
}

fn protocol_unknown(bench: &mut Bench) -> Outcome {
    let (credential, token) = managed(bench)?;
    for request in requests(&credential) {
        let request = parameters(&request, Some(&token))?;
        bench.refuses(COMMAND, &request.with(PROTOCOL, 3), Status::INVALID_PARAMETER)?;
    }
    Ok(())
}

/// The param of one request does not fit another.
fn wrong_param(bench: &mut Bench) -> Outcome {
    let (credential, token) = managed(bench)?;
    for request in requests(&credential) {
        let request = parameters(&request, Some(&token))?;
        let other = token.authenticate(&[0x7F]);
        bench.refuses(
            COMMAND,
            &request.with(PARAM, Value::from(other)),
            Status::PIN_AUTH_INVALID,
        )?;
    }
    ensure_eq!(
        bench.client().creds_metadata(&token)?.existing,
        1,
        "the number of credentials"
    );
    Ok(())
}

fn no_permission(bench: &mut Bench) -> Outcome {
    let (credential, _) = managed(bench)?;
    let all_others = Permissions::MAKE_CREDENTIAL
        .and(Permissions::GET_ASSERTION)
        .and(Permissions::CONFIGURATION);
    let token = bench.token(TWO, all_others, Some(RP_ID))?;
    for request in requests(&credential) {
        let request = parameters(&request, Some(&token))?;
        bench.refuses(COMMAND, &request, Status::PIN_AUTH_INVALID)?;
    }
    Ok(())
}

/// What counts or names all relying parties is not for it; what it is bound to, is.
fn bound_token(bench: &mut Bench) -> Outcome {
    let (credential, _) = managed(bench)?;
    let token = manage(bench, Some(RP_ID))?;
    for request in requests(&credential).iter().take(2) {
        let request = parameters(request, Some(&token))?;
        bench.refuses(COMMAND, &request, Status::PIN_AUTH_INVALID)?;
    }
    let other = bench
        .client()
        .enumerate_credentials_begin(&token, sha256("another.example"));
    refused(other, Status::PIN_AUTH_INVALID)?;
    let own = bench
        .client()
        .enumerate_credentials_begin(&token, sha256(RP_ID))?;
    ensure_eq!(own.credential_id, credential.id, "the credential");
    Ok(())
}

fn bound_delete(bench: &mut Bench) -> Outcome {
    let (credential, _) = managed(bench)?;
    let foreign = manage(bench, Some("another.example"))?;
    for request in requests(&credential).iter().skip(3) {
        let request = parameters(request, Some(&foreign))?;
        bench.refuses(COMMAND, &request, Status::PIN_AUTH_INVALID)?;
    }
    let own = manage(bench, Some(RP_ID))?;
    let unknown = bench.client().delete_credential(&own, &[9; 32]);
    refused(unknown, Status::PIN_AUTH_INVALID)?;
    bench
        .client()
        .update_user_information(&own, &credential.id, &credential.account)?;
    bench.client().delete_credential(&own, &credential.id)?;
    Ok(())
}

fn empty(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = manage(bench, None)?;
    ensure_eq!(
        bench.client().creds_metadata(&token)?.existing,
        0,
        "the number of credentials"
    );
    refused(bench.client().enumerate_rps_begin(&token), Status::NO_CREDENTIALS)?;
    let credentials = bench.client().enumerate_credentials_begin(&token, sha256(RP_ID));
    refused(credentials, Status::NO_CREDENTIALS)
}

fn next_without_first(bench: &mut Bench) -> Outcome {
    let (_, token) = managed(bench)?;
    refused(bench.client().enumerate_rps_next(), Status::NOT_ALLOWED)?;
    refused(bench.client().enumerate_credentials_next(), Status::NOT_ALLOWED)?;
    // The other sequence does not count.
    bench.client().enumerate_rps_begin(&token)?;
    refused(bench.client().enumerate_credentials_next(), Status::NOT_ALLOWED)
}

fn two_rps(bench: &mut Bench) -> Result<PinUvAuthToken, Stop> {
    let mut request = bench.resident_registration();
    request.rp.id = "another.example".to_owned();
    bench.register(&request)?;
    Ok(managed(bench)?.1)
}

fn next_elsewhere(bench: &mut Bench) -> Outcome {
    let token = two_rps(bench)?;
    bench.client().enumerate_rps_begin(&token)?;
    let mut other = bench.another_client()?;
    other.enumerate_rps_next()?;
    Ok(())
}

fn next_replug(bench: &mut Bench) -> Outcome {
    let token = two_rps(bench)?;
    bench.client().enumerate_rps_begin(&token)?;
    bench.power_cycle()?;
    refused(bench.client().enumerate_rps_next(), Status::NOT_ALLOWED)
}

/// §6: a sequence does not outlive its token.
fn next_expires(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    let token = two_rps(bench)?;
    bench.client().enumerate_rps_begin(&token)?;
    bench.wait(Duration::from_secs(601))?;
    refused(bench.client().enumerate_rps_next(), Status::NOT_ALLOWED)
}

fn unknown_credential(bench: &mut Bench) -> Outcome {
    let (credential, token) = managed(bench)?;
    refused(
        bench.client().delete_credential(&token, &[9; 32]),
        Status::NO_CREDENTIALS,
    )?;
    let update = bench
        .client()
        .update_user_information(&token, &[9; 32], &credential.account);
    refused(update, Status::NO_CREDENTIALS)?;
    bench.client().delete_credential(&token, &credential.id)?;
    refused(
        bench.client().delete_credential(&token, &credential.id),
        Status::NO_CREDENTIALS,
    )
}

fn wrapped(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    let wrapped = bench.register(&request)?;
    bench.set_pin(TWO)?;
    let token = manage(bench, None)?;
    ensure_eq!(
        bench.client().creds_metadata(&token)?.existing,
        0,
        "the number of credentials"
    );
    refused(
        bench.client().delete_credential(&token, &wrapped.id),
        Status::NO_CREDENTIALS,
    )
}

fn other_user(bench: &mut Bench) -> Outcome {
    let (credential, token) = managed(bench)?;
    let other = User {
        id: vec![9; 8],
        ..credential.account.clone()
    };
    let update = bench
        .client()
        .update_user_information(&token, &credential.id, &other);
    refused(update, Status::INVALID_PARAMETER)
}

fn read_only(bench: &mut Bench) -> Outcome {
    let (credential, _) = managed(bench)?;
    let permissions = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;
    let token = bench.token(TWO, permissions, None)?;
    for request in requests(&credential).iter().skip(3) {
        let request = parameters(request, Some(&token))?;
        bench.refuses(COMMAND, &request, Status::PIN_AUTH_INVALID)?;
    }
    // Reading does not need the person, and survives a loss of power.
    bench.power_cycle()?;
    ensure_eq!(
        bench.client().creds_metadata(&token)?.existing,
        1,
        "the number of credentials"
    );
    Ok(())
}

fn large_blob_key(bench: &mut Bench) -> Outcome {
    bench.needs_extension("largeBlobKey", "the key keeps large blobs with their credentials")?;
    let request = bench.resident_registration();
    let request = request.with_extensions([
        ("largeBlobKey", Value::from(true)),
        ("thirdPartyPayment", Value::from(true)),
    ]);
    let credential = bench.register(&request)?;
    let given = Value::Map(credential.attestation.more.clone());
    let given = crate::parameters::numbered(&given, 5)
        .and_then(Value::as_bytes)
        .cloned();
    bench.set_pin(TWO)?;
    let token = manage(bench, None)?;
    let shown = bench
        .client()
        .enumerate_credentials_begin(&token, sha256(RP_ID))?;
    ensure_eq!(shown.large_blob_key, given, "largeBlobKey");
    ensure_eq!(shown.third_party_payment, Some(true), "thirdPartyPayment");
    Ok(())
}

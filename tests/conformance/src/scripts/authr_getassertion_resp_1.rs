//! `Authr-GetAssertion-Resp-1`: the answer to authenticatorGetAssertion, CTAP 2.3 §6.2.3, WebAuthn L3 §6.1.

use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{from_bytes, to_bytes};

use crate::bench::{Bench, GET_ASSERTION, RP_ID, sha256};
use crate::case::{Case, Outcome, Script, ensure, ensure_eq, present};
use crate::parameters::{Parameters, member_of, numbered};
use crate::scripts::get_assertion::{is_signed_by, request};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-GetAssertion-Resp-1",
    cases: &[
        Case::new("P-1", "answers with credential, authData and signature", members),
        Case::new("P-2", "gives authenticator data of 37 bytes", authenticator_data),
        Case::new(
            "P-3",
            "counts signatures, or says that it does not count",
            counter,
        ),
        Case::new("P-4", "signs authenticator data and client data hash", signature),
        Case::new(
            "F-1",
            "gives no outputs of extensions that nobody asked for",
            no_unsigned_outputs,
        ),
    ],
};

fn members(bench: &mut Bench) -> Outcome {
    let (credential, request) = request(bench)?;
    let answer = bench.accepts(GET_ASSERTION, &Parameters::from(&request))?;
    let answer = from_bytes(&answer)?;
    let named = present(numbered(&answer, 1), "credential")?;
    let id = present(
        member_of(named, "id").and_then(|id| id.as_bytes()),
        "credential.id",
    )?;
    ensure!(*id == credential.id, "another credential is named");
    let kind = present(member_of(named, "type"), "credential.type")?;
    ensure_eq!(kind.as_text(), Some("public-key"), "the type");
    ensure!(
        numbered(&answer, 2).is_some_and(|data| data.is_bytes()),
        "authData is not bytes"
    );
    ensure!(
        numbered(&answer, 3).is_some_and(|data| data.is_bytes()),
        "signature is not bytes"
    );
    let members = present(answer.as_map(), "the answer, a map,")?;
    ensure_eq!(
        members.len(),
        3,
        "the number of members, in {:02x?}",
        to_bytes(&answer)
    );
    Ok(())
}

fn authenticator_data(bench: &mut Bench) -> Outcome {
    let (_, request) = request(bench)?;
    let data = bench.assert(&request)?.auth_data;
    ensure_eq!(data.raw.len(), 37, "the length of the authenticator data");
    ensure_eq!(data.rp_id_hash, sha256(RP_ID), "the hash of the RP ID");
    ensure!(!data.flags.contains(Flags::ATTESTED), "flag AT is set");
    ensure!(!data.flags.contains(Flags::EXTENSIONS), "flag ED is set");
    Ok(())
}

/// WebAuthn L3 §6.1.1: a credential on several devices cannot count; one on a single device does.
fn counter(bench: &mut Bench) -> Outcome {
    let (credential, request) = request(bench)?;
    let mut counts = vec![credential.attestation.auth_data.sign_count];
    for _ in 0..3 {
        counts.push(bench.assert(&request)?.auth_data.sign_count);
    }
    if bench.configuration().synced {
        ensure_eq!(counts, [0; 4], "the counters of a synced credential");
    } else {
        ensure!(
            counts.is_sorted_by(|one, next| one < next),
            "the counters do not increase: {counts:?}"
        );
    }
    Ok(())
}

fn signature(bench: &mut Bench) -> Outcome {
    let (credential, request) = request(bench)?;
    let assertion = bench.assert(&request)?;
    is_signed_by(&credential, &request, &assertion)
}

fn no_unsigned_outputs(bench: &mut Bench) -> Outcome {
    let (_, request) = request(bench)?;
    let answer = bench.accepts(GET_ASSERTION, &Parameters::from(&request))?;
    ensure!(
        numbered(&from_bytes(&answer)?, 8).is_none(),
        "unsignedExtensionOutputs is there"
    );
    Ok(())
}

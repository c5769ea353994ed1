//! `Authr-MakeCred-Resp-1`: the answer to authenticatorMakeCredential, CTAP 2.3 §6.1.3, WebAuthn L3 §6.5 and §8.2.

use ciborium::Value;
use wardkey_sim::auth_data::Flags;

use crate::bench::{Bench, RP_ID, Registered, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present};
use crate::certificate;
use crate::metadata::Statement;
use crate::parameters::member_of;
use crate::signature::{algorithm_of, verifies, verifies_p256};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Resp-1",
    cases: &[
        Case::new("P-01", "attests in the packed format", packed),
        Case::new("P-02", "gives well-formed authenticator data", authenticator_data),
        Case::new(
            "P-03",
            "names the algorithm of the signature and signs",
            statement,
        ),
        Case::new(
            "P-04",
            "gives a certificate that its metadata statement vouches for",
            certificates,
        ),
        Case::new(
            "P-06",
            "signs a self attestation with the credential's key",
            self_attestation,
        ),
        Case::new(
            "F-01",
            "gives no outputs of extensions that nobody asked for",
            no_unsigned_outputs,
        ),
    ],
};

const ATTESTS_ITSELF: &str = "new credentials attest themselves; P-06 is about that";

fn registered(bench: &mut Bench) -> Result<(Registered, [u8; 32]), Stop> {
    let request = bench.registration();
    Ok((bench.register(&request)?, request.client_data_hash))
}

fn packed(bench: &mut Bench) -> Outcome {
    let (credential, _) = registered(bench)?;
    ensure_eq!(credential.attestation.format, "packed", "the format");
    Ok(())
}

fn authenticator_data(bench: &mut Bench) -> Outcome {
    /// RP ID hash, flags, counter, AAGUID, length of the id, id of 16 bytes, key.
    const SHORTEST: usize = 32 + 1 + 4 + 16 + 2 + 16 + 77;
    let aaguid = bench.info()?.aaguid;
    let (credential, _) = registered(bench)?;
    let data = &credential.attestation.auth_data;
    ensure!(
        data.raw.len() >= SHORTEST,
        "the authenticator data has {} bytes",
        data.raw.len()
    );
    ensure_eq!(data.rp_id_hash, sha256(RP_ID), "the hash of the RP ID");
    ensure!(data.flags.contains(Flags::USER_PRESENT), "flag UP is not set");
    ensure!(data.flags.contains(Flags::ATTESTED), "flag AT is not set");
    ensure!(!data.flags.contains(Flags::EXTENSIONS), "flag ED is set");
    ensure!(data.extensions.is_none(), "there are extension outputs");
    ensure_eq!(data.flags.0 & 0x22, 0, "the reserved flags");
    let attested = present(data.attested.as_ref(), "attested credential data")?;
    ensure_eq!(attested.aaguid.as_slice(), aaguid.as_slice(), "the AAGUID");
    let length = attested.credential_id.len();
    ensure!(
        (16..=1023).contains(&length),
        "the credential id has {length} bytes"
    );
    key_has_its_members_only(&attested.public_key)
}

/// WebAuthn L3 §6.5.1: the required members of the key type, alg, and nothing else.
fn key_has_its_members_only(key: &Value) -> Outcome {
    let members = present(key.as_map(), "the public key, a map,")?;
    let keys: Vec<&Value> = members.iter().map(|(key, _)| key).collect();
    let expected = [1, 3, -1, -2, -3].map(Value::from);
    ensure_eq!(
        keys,
        expected.iter().collect::<Vec<_>>(),
        "the members of the ES256 key"
    );
    Ok(())
}

fn statement(bench: &mut Bench) -> Outcome {
    let (credential, _) = registered(bench)?;
    let statement = &credential.attestation.statement;
    let algorithm = present(member_of(statement, "alg"), "alg")?;
    ensure_eq!(
        algorithm.as_integer().map(i128::from),
        algorithm_of(&credential.public_key).map(i128::from),
        "the algorithm of the signature"
    );
    let signature = present(member_of(statement, "sig"), "sig")?;
    ensure!(signature.is_bytes(), "sig is not bytes");
    Ok(())
}

/// The certificate is one that the metadata statement vouches for, and its key made the signature.
fn certificates(bench: &mut Bench) -> Outcome {
    let (credential, client_data_hash) = registered(bench)?;
    let Some(chain) = member_of(&credential.attestation.statement, "x5c") else {
        return Err(Stop::NotApplicable(ATTESTS_ITSELF));
    };
    let chain = present(chain.as_array(), "x5c, an array,")?;
    ensure_eq!(chain.len(), 1, "the number of certificates");
    let der = present(chain.first().and_then(Value::as_bytes), "the certificate")?;
    let attested = credential.attestation.auth_data.attested.as_ref();
    let aaguid = present(attested, "attested credential data")?.aaguid;
    let key = certificate::check_packed(der, &aaguid)?;
    let signature = member_of(&credential.attestation.statement, "sig");
    let signature = present(signature.and_then(Value::as_bytes), "sig")?;
    let signed = [credential.attestation.auth_data.raw.as_slice(), &client_data_hash].concat();
    ensure!(
        verifies_p256(&key, &signed, signature),
        "the signature is not by the certificate's key"
    );
    ensure!(
        certificate::serial_number_of_key(der).is_none(),
        "an ordinary certificate tells which key it is"
    );
    let statement = Statement::new(bench.metadata()?);
    ensure!(
        statement.attests_by("basic_full")?,
        "the metadata statement does not mention certificates"
    );
    ensure!(
        certificate::is_vouched_for(der, &statement.attestation_roots()?),
        "the metadata statement does not vouch for the certificate"
    );
    Ok(())
}

fn self_attestation(bench: &mut Bench) -> Outcome {
    let (credential, client_data_hash) = registered(bench)?;
    let statement = &credential.attestation.statement;
    if member_of(statement, "x5c").is_some() {
        return Err(Stop::NotApplicable(
            "the key attests by an authority; P-04 is about that",
        ));
    }
    let signature = present(member_of(statement, "sig").and_then(Value::as_bytes), "sig")?;
    let signed = [credential.attestation.auth_data.raw.as_slice(), &client_data_hash].concat();
    ensure!(
        verifies(&credential.public_key, &signed, signature),
        "the signature is not by the credential's key"
    );
    Ok(())
}

fn no_unsigned_outputs(bench: &mut Bench) -> Outcome {
    let (credential, _) = registered(bench)?;
    ensure_eq!(
        credential.attestation.more,
        Vec::new(),
        "members beside fmt, authData and attStmt"
    );
    Ok(())
}

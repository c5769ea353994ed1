//! The checks of WebAuthn L3 §7.1 and §7.2 for Ed25519 credentials, which webauthn-rs 0.6 does not support.
//!
//! In: what was asked, and the client's answer. Out: the public key to keep, or the reason to refuse. The order is that
//! of the standard. Not here: finding the account, and the single use of a challenge (`relying_party.rs`).

use ciborium::Value;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use url::Url;
use webauthn_rs_core::proto::{
    AuthenticatorAssertionResponseRaw, CollectedClientData, UserVerificationPolicy,
};

use super::RP_ID;
use super::attested::{Attested, AuthenticatorData, Flags};
use super::refused::Refused;

/// COSE (RFC 9053): key type OKP, algorithm EdDSA, curve Ed25519.
const KEY_TYPE_OKP: i8 = 1;
const ALGORITHM_EDDSA: i8 = -8;
const CURVE_ED25519: i8 = 6;

/// What the answer must refer to.
pub(super) struct Expected {
    pub(super) challenge: Vec<u8>,
    pub(super) origin: Url,
    pub(super) user_verification: UserVerificationPolicy,
}

/// A registered Ed25519 public key.
pub(super) struct Credential {
    pub(super) id: Vec<u8>,
    key: VerifyingKey,
    counter: u32,
    backup_eligible: bool,
}

/// Verifies a registration, WebAuthn L3 §7.1.
pub(super) fn verify_registration(
    expected: &Expected,
    attested: &Attested,
    client_data: &[u8],
) -> Result<Credential, Refused> {
    check_client_data(expected, "webauthn.create", client_data)?;
    check_authenticator_data(expected, &attested.data)?;
    let key = public_key(attested)?;
    check_attestation(attested, &key, client_data)?;
    Ok(Credential {
        id: attested.credential.id.clone(),
        key,
        counter: attested.data.counter,
        backup_eligible: attested.data.flags.backup_eligible(),
    })
}

/// Verifies a login, WebAuthn L3 §7.2, and keeps the new counter.
pub(super) fn verify_login(
    expected: &Expected,
    credential: &mut Credential,
    answer: &AuthenticatorAssertionResponseRaw,
) -> Result<(), Refused> {
    check_client_data(expected, "webauthn.get", &answer.client_data_json)?;
    let data = AuthenticatorData::parse(&answer.authenticator_data)?;
    check_authenticator_data(expected, &data)?;
    if data.flags.backup_eligible() != credential.backup_eligible {
        return Err(Refused::BackupFlags);
    }
    verify(
        &credential.key,
        &answer.authenticator_data,
        &answer.client_data_json,
        &answer.signature,
    )
    .ok_or(Refused::BadSignature)?;
    let counts = data.counter != 0 || credential.counter != 0;
    if counts && data.counter <= credential.counter {
        return Err(Refused::CounterNotHigher);
    }
    credential.counter = data.counter;
    Ok(())
}

fn check_client_data(expected: &Expected, kind: &str, json: &[u8]) -> Result<(), Refused> {
    let data: CollectedClientData =
        serde_json::from_slice(json).map_err(|error| Refused::Malformed(error.to_string()))?;
    if data.type_ != kind {
        return Err(Refused::WrongType);
    }
    if data.challenge != expected.challenge {
        return Err(Refused::WrongChallenge);
    }
    if data.origin.origin() != expected.origin.origin() {
        return Err(Refused::WrongOrigin);
    }
    if data.cross_origin == Some(true) {
        return Err(Refused::CrossOrigin);
    }
    Ok(())
}

fn check_authenticator_data(expected: &Expected, data: &AuthenticatorData) -> Result<(), Refused> {
    if data.rp_id_hash[..] != Sha256::digest(RP_ID)[..] {
        return Err(Refused::WrongRelyingParty);
    }
    check_flags(expected, data.flags)
}

fn check_flags(expected: &Expected, flags: Flags) -> Result<(), Refused> {
    if !flags.user_present() {
        return Err(Refused::UserNotPresent);
    }
    if expected.user_verification == UserVerificationPolicy::Required && !flags.user_verified() {
        return Err(Refused::UserNotVerified);
    }
    if flags.backed_up() && !flags.backup_eligible() {
        return Err(Refused::BackupFlags);
    }
    Ok(())
}

/// The credential's public key, RFC 9053 §7.2.
fn public_key(attested: &Attested) -> Result<VerifyingKey, Refused> {
    let member = |label: i8| attested.credential.public_key.get(label);
    let is = |label, value: i8| member(label) == Some(&value.into());
    if !(is(1, KEY_TYPE_OKP) && is(3, ALGORITHM_EDDSA) && is(-1, CURVE_ED25519)) {
        return Err(Refused::AlgorithmNotOffered);
    }
    let unusable = || Refused::Malformed("the public key is not an Ed25519 key".to_owned());
    let Some(Value::Bytes(x)) = member(-2) else {
        return Err(unusable());
    };
    let x = x.as_slice().try_into().map_err(|_| unusable())?;
    VerifyingKey::from_bytes(x).map_err(|_| unusable())
}

/// WebAuthn L3 §8.2 (self attestation only) and §8.7.
fn check_attestation(attested: &Attested, key: &VerifyingKey, client_data: &[u8]) -> Result<(), Refused> {
    match attested.format.as_str() {
        "none" if attested.statement.is_empty() => Ok(()),
        "packed" => {
            let member = |name: &str| attested.statement.get(name);
            match (member("alg"), member("sig"), member("x5c")) {
                (Some(alg), Some(Value::Bytes(signature)), None) if *alg == ALGORITHM_EDDSA.into() => {
                    verify(key, &attested.signed, client_data, signature).ok_or(Refused::BadAttestation)
                }
                _ => Err(Refused::BadAttestation),
            }
        }
        _ => Err(Refused::BadAttestation),
    }
}

/// Both kinds of signature cover the authenticator data and the hash of the client data.
fn verify(key: &VerifyingKey, authenticator_data: &[u8], client_data: &[u8], signature: &[u8]) -> Option<()> {
    let signature = Signature::from_slice(signature).ok()?;
    let message = [authenticator_data, &Sha256::digest(client_data)].concat();
    key.verify_strict(&message, &signature).ok()
}

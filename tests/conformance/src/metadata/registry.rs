//! Members whose values are names in the FIDO Registry of Predefined Values.

use super::Statement;
use crate::case::{Outcome, ensure};

const AUTHENTICATION_ALGORITHMS: [&str; 19] = [
    "secp256r1_ecdsa_sha256_raw",
    "secp256r1_ecdsa_sha256_der",
    "rsassa_pss_sha256_raw",
    "rsassa_pss_sha256_der",
    "secp256k1_ecdsa_sha256_raw",
    "secp256k1_ecdsa_sha256_der",
    "sm2_sm3_raw",
    "rsa_emsa_pkcs1_sha256_raw",
    "rsa_emsa_pkcs1_sha256_der",
    "rsassa_pss_sha384_raw",
    "rsassa_pss_sha512_raw",
    "rsassa_pkcsv15_sha256_raw",
    "rsassa_pkcsv15_sha384_raw",
    "rsassa_pkcsv15_sha512_raw",
    "rsassa_pkcsv15_sha1_raw",
    "secp384r1_ecdsa_sha384_raw",
    "secp521r1_ecdsa_sha512_raw",
    "ed25519_eddsa_sha512_raw",
    "ed448_eddsa_sha512_raw",
];

const PUBLIC_KEY_ENCODINGS: [&str; 5] = [
    "ecc_x962_raw",
    "ecc_x962_der",
    "rsa_2048_raw",
    "rsa_2048_der",
    "cose",
];

const ATTESTATION_TYPES: [&str; 6] = [
    "basic_full",
    "basic_surrogate",
    "ecdaa",
    "attca",
    "anonca",
    "none",
];

const KEY_SCOPES: [&str; 3] = ["public-key-credential-source", "device-spk", "provider-spk"];

const MULTI_DEVICE: [&str; 3] = ["unsupported", "explicit", "implicit"];

/// `authenticationAlgorithms`.
pub(crate) fn authentication_algorithms(statement: &Statement) -> Outcome {
    statement
        .texts_of("authenticationAlgorithms", &AUTHENTICATION_ALGORITHMS)
        .map(drop)
}

/// `publicKeyAlgAndEncodings`.
pub(crate) fn public_key_encodings(statement: &Statement) -> Outcome {
    let encodings = statement.texts_of("publicKeyAlgAndEncodings", &PUBLIC_KEY_ENCODINGS)?;
    ensure!(
        encodings.contains(&"cose"),
        "publicKeyAlgAndEncodings has no cose"
    );
    Ok(())
}

/// `attestationTypes`.
pub(crate) fn attestation_types(statement: &Statement) -> Outcome {
    statement
        .texts_of("attestationTypes", &ATTESTATION_TYPES)
        .map(drop)
}

/// `keyScope`.
pub(crate) fn key_scope(statement: &Statement) -> Outcome {
    one_of(statement, "keyScope", &KEY_SCOPES)
}

/// `multiDeviceCredentialSupport`.
pub(crate) fn multi_device(statement: &Statement) -> Outcome {
    one_of(statement, "multiDeviceCredentialSupport", &MULTI_DEVICE)
}

fn one_of(statement: &Statement, name: &str, known: &[&str]) -> Outcome {
    if let Some(text) = statement.optional_text(name)? {
        ensure!(known.contains(&text), "{name} is {text}");
    }
    Ok(())
}

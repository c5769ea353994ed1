//! Which members a statement has, and plain ones: identity, versions, certificates.

use base64ct::{Base64, Encoding};
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::Statement;
use crate::case::{Outcome, Stop, ensure, ensure_eq, present};

const ALLOWED: [&str; 36] = [
    "legalHeader",
    "aaid",
    "aaguid",
    "attestationCertificateKeyIdentifiers",
    "friendlyNames",
    "description",
    "alternativeDescriptions",
    "authenticatorVersion",
    "protocolFamily",
    "schema",
    "upv",
    "authenticationAlgorithms",
    "publicKeyAlgAndEncodings",
    "attestationTypes",
    "userVerificationDetails",
    "keyProtection",
    "isKeyRestricted",
    "isFreshUserVerificationRequired",
    "matcherProtection",
    "cryptoStrength",
    "attachmentHint",
    "tcDisplay",
    "tcDisplayContentType",
    "tcDisplayPNGCharacteristics",
    "attestationRootCertificates",
    "ecdaaTrustAnchors",
    "icon",
    "iconDark",
    "providerLogoLight",
    "providerLogoDark",
    "supportedExtensions",
    "keyScope",
    "multiDeviceCredentialSupport",
    "authenticatorGetInfo",
    "cxpConfigURL",
    "certifications",
];

/// Members of earlier editions.
const DEPRECATED: [&str; 6] = [
    "assertionScheme",
    "authenticationAlgorithm",
    "publicKeyAlgAndEncoding",
    "isSecondFactorOnly",
    "operatingEnv",
    "logo",
];

/// What the example in the specification says of itself.
const EXAMPLE_AAGUID: &str = "0132d110-bf4e-4208-a403-ab4f5f12efe5";
const EXAMPLE_DESCRIPTION: &str = "FIDO Alliance Sample FIDO2 Authenticator";

/// That of the example in the specification, and that of the statements which the metadata service publishes.
const LEGAL_HEADERS: [&str; 2] = [
    "https://fidoalliance.org/metadata/metadata-statement-legal-header/",
    "Submission of this statement and retrieval and use of this statement indicates acceptance of the appropriate \
     agreement located at https://fidoalliance.org/metadata/metadata-legal-terms/.",
];

/// `legalHeader` is a text.
pub(crate) fn legal_header(statement: &Statement) -> Outcome {
    statement.optional_text("legalHeader").map(drop)
}

/// `legalHeader` is that of this edition.
pub(crate) fn legal_header_value(statement: &Statement) -> Outcome {
    if let Some(header) = statement.optional_text("legalHeader")? {
        ensure!(LEGAL_HEADERS.contains(&header), "legalHeader is {header:?}");
    }
    Ok(())
}

/// `aaguid`, as RFC 4122 writes one.
pub(crate) fn aaguid(statement: &Statement) -> Outcome {
    let aaguid = statement.text("aaguid")?;
    let groups: Vec<&str> = aaguid.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    ensure_eq!(lengths, [8, 4, 4, 4, 12], "the groups of aaguid {aaguid}");
    let is_hex = |group: &&str| group.bytes().all(|digit| digit.is_ascii_hexdigit());
    ensure!(groups.iter().all(is_hex), "aaguid {aaguid} is not hexadecimal");
    Ok(())
}

/// Members of other protocol families are not there.
pub(crate) fn no_other_identity(statement: &Statement) -> Outcome {
    for name in [
        "aaid",
        "attestationCertificateKeyIdentifiers",
        "supportedExtensions",
    ] {
        ensure!(statement.get(name).is_none(), "{name} is there");
    }
    Ok(())
}

/// `authenticatorVersion`.
pub(crate) fn authenticator_version(statement: &Statement) -> Outcome {
    let version = statement.required("authenticatorVersion")?.as_u64();
    ensure!(
        version.is_some_and(|version| u16::try_from(version).is_ok()),
        "authenticatorVersion is {version:?}"
    );
    Ok(())
}

/// `protocolFamily`.
pub(crate) fn protocol_family(statement: &Statement) -> Outcome {
    ensure_eq!(statement.text("protocolFamily")?, "fido2", "protocolFamily");
    Ok(())
}

/// `upv` has CTAP 2.3.
pub(crate) fn versions(statement: &Statement) -> Outcome {
    let versions = present(statement.required("upv")?.as_array(), "upv, a sequence,")?;
    let number = |version: &Value, name: &str| version.get(name).and_then(Value::as_u64);
    for version in versions {
        let whole = number(version, "major").is_some() && number(version, "minor").is_some();
        ensure!(whole, "upv has {version}");
    }
    let is_2_3 = |version: &Value| (number(version, "major"), number(version, "minor")) == (Some(1), Some(3));
    ensure!(versions.iter().any(is_2_3), "upv does not have CTAP 2.3, 1.3");
    Ok(())
}

/// `schema`.
pub(crate) fn schema(statement: &Statement) -> Outcome {
    ensure_eq!(statement.required("schema")?.as_u64(), Some(3), "schema");
    Ok(())
}

/// `isKeyRestricted`.
pub(crate) fn key_restricted(statement: &Statement) -> Outcome {
    statement.optional_boolean("isKeyRestricted")
}

/// `isFreshUserVerificationRequired`.
pub(crate) fn fresh_verification(statement: &Statement) -> Outcome {
    statement.optional_boolean("isFreshUserVerificationRequired")
}

/// `cryptoStrength`.
pub(crate) fn crypto_strength(statement: &Statement) -> Outcome {
    let Some(strength) = statement.get("cryptoStrength") else {
        return Ok(());
    };
    ensure!(
        strength.as_u64().is_some_and(|bits| bits > 0),
        "cryptoStrength is {strength}"
    );
    Ok(())
}

/// `attestationRootCertificates`: Base64 of DER; there is one unless credentials attest themselves.
pub(crate) fn root_certificates(statement: &Statement) -> Outcome {
    let certificates = statement.texts("attestationRootCertificates")?;
    let types = statement.texts("attestationTypes")?;
    if types.iter().any(|kind| *kind != "basic_surrogate") {
        ensure!(!certificates.is_empty(), "attestationRootCertificates is empty");
    }
    for certificate in certificates {
        decode_certificate(certificate)?;
    }
    Ok(())
}

/// The DER of a certificate in a statement.
pub(crate) fn decode_certificate(text: &str) -> Result<Vec<u8>, Stop> {
    let der = Base64::decode_vec(text).ok();
    let der = der.filter(|der| Certificate::from_der(der).is_ok());
    present(der, "a root certificate, in Base64,")
}

/// `ecdaaTrustAnchors`.
pub(crate) fn ecdaa_trust_anchors(statement: &Statement) -> Outcome {
    let Some(anchors) = statement.get("ecdaaTrustAnchors") else {
        return Ok(());
    };
    for anchor in present(anchors.as_array(), "ecdaaTrustAnchors, a sequence,")? {
        for name in ["X", "Y", "c", "sx", "sy", "G1Curve"] {
            let text = anchor.get(name).and_then(Value::as_str);
            ensure!(
                text.is_some_and(|text| !text.is_empty()),
                "a trust anchor has no {name}"
            );
        }
    }
    Ok(())
}

/// `cxpConfigURL`.
pub(crate) fn exchange_url(statement: &Statement) -> Outcome {
    statement.optional_text("cxpConfigURL").map(drop)
}

/// Nothing of earlier editions.
pub(crate) fn no_deprecated(statement: &Statement) -> Outcome {
    for name in DEPRECATED {
        ensure!(statement.get(name).is_none(), "{name} is deprecated");
    }
    Ok(())
}

/// Nothing that this edition does not know.
pub(crate) fn only_allowed(statement: &Statement) -> Outcome {
    for name in statement.members()?.keys() {
        ensure!(ALLOWED.contains(&name.as_str()), "there is no member {name}");
    }
    Ok(())
}

/// Not the example.
pub(crate) fn no_example(statement: &Statement) -> Outcome {
    ensure!(
        statement.text("aaguid")? != EXAMPLE_AAGUID,
        "the aaguid is that of the example"
    );
    ensure!(
        !statement.text("description")?.contains(EXAMPLE_DESCRIPTION),
        "the description is that of the example"
    );
    Ok(())
}

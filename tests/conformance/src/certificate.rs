//! Attestation certificates as WebAuthn L3 §8.2.1 wants them.

use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::name::Name;

use crate::case::{Outcome, Stop, ensure, ensure_eq, present};
use crate::signature::verifies_p256;

/// The object identifier of the subject's organizational unit and its only value.
const ORGANIZATIONAL_UNIT: (&str, &str) = ("2.5.4.11", "Authenticator Attestation");
const COUNTRY: &str = "2.5.4.6";
const ORGANIZATION: &str = "2.5.4.10";
const COMMON_NAME: &str = "2.5.4.3";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
/// id-fido-gen-ce-sernum: of the key, not of the certificate.
const SERIAL_NUMBER: &str = "1.3.6.1.4.1.45724.1.1.2";
/// id-fido-gen-ce-aaguid.
const AAGUID: &str = "1.3.6.1.4.1.45724.1.1.4";

/// Checks a leaf certificate for packed attestation by this model; gives its P-256 key as an uncompressed point.
pub(crate) fn check_packed(der: &[u8], aaguid: &[u8; 16]) -> Result<Vec<u8>, Stop> {
    let malformed = |error| Stop::Failed(format!("the certificate is malformed: {error}"));
    let certificate = Certificate::from_der(der).map_err(malformed)?;
    let signed = certificate.tbs_certificate();
    ensure_eq!(signed.version(), Version::V3, "the version of the certificate");
    check_subject(signed.subject())?;
    let extensions = signed.extensions().map(Vec::as_slice).unwrap_or_default();
    let extension = |oid: &str| {
        let oid = ObjectIdentifier::new_unwrap(oid);
        extensions.iter().find(|extension| extension.extn_id == oid)
    };
    let constraints = present(extension(BASIC_CONSTRAINTS), "Basic Constraints")?;
    let constraints = BasicConstraints::from_der(constraints.extn_value.as_bytes()).map_err(malformed)?;
    ensure!(!constraints.ca, "the certificate is that of an authority");
    check_aaguid(extension(AAGUID), aaguid)?;
    let key = signed.subject_public_key_info().subject_public_key.as_bytes();
    Ok(present(key, "the public key")?.to_vec())
}

fn check_subject(subject: &Name) -> Outcome {
    let text = |oid: &str| {
        let oid = ObjectIdentifier::new_unwrap(oid);
        let attribute = subject.iter().find(|attribute| attribute.oid == oid)?;
        String::from_utf8(attribute.value.value().to_vec()).ok()
    };
    let country = present(text(COUNTRY), "the country of the subject")?;
    let is_code = country.len() == 2 && country.chars().all(|letter| letter.is_ascii_uppercase());
    ensure!(is_code, "the country is {country:?}, not a code of ISO 3166");
    let (oid, unit) = ORGANIZATIONAL_UNIT;
    ensure_eq!(
        text(oid).as_deref(),
        Some(unit),
        "the organizational unit of the subject"
    );
    for (oid, name) in [(ORGANIZATION, "organization"), (COMMON_NAME, "common name")] {
        ensure!(
            text(oid).is_some_and(|text| !text.is_empty()),
            "the subject has no {name}"
        );
    }
    Ok(())
}

/// The extension may be absent; what is there is the model, in an octet string in an octet string, not critical.
fn check_aaguid(extension: Option<&Extension>, aaguid: &[u8; 16]) -> Outcome {
    let Some(extension) = extension else {
        return Ok(());
    };
    let inner = OctetString::from_der(extension.extn_value.as_bytes());
    let inner = inner.map_err(|error| Stop::Failed(format!("the AAGUID of the certificate: {error}")))?;
    ensure_eq!(
        inner.as_bytes(),
        aaguid.as_slice(),
        "the AAGUID of the certificate"
    );
    ensure!(!extension.critical, "the AAGUID of the certificate is critical");
    Ok(())
}

/// The serial number of the key, which only certificates for enterprises have; WebAuthn L3 §8.2.2.
pub(crate) fn serial_number_of_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let oid = ObjectIdentifier::new_unwrap(SERIAL_NUMBER);
    let mut extensions = certificate.tbs_certificate().extensions()?.iter();
    let extension = extensions.find(|extension| extension.extn_id == oid)?;
    let serial_number = OctetString::from_der(extension.extn_value.as_bytes()).ok()?;
    (!extension.critical).then(|| serial_number.as_bytes().to_vec())
}

/// Whether `der` is one of these certificates, or was issued by one of them; all keys are of P-256.
pub(crate) fn is_vouched_for(der: &[u8], roots: &[Vec<u8>]) -> bool {
    roots
        .iter()
        .any(|root| root == der || is_issued_by(der, root).is_some())
}

fn is_issued_by(der: &[u8], issuer: &[u8]) -> Option<()> {
    let (certificate, issuer) = (
        Certificate::from_der(der).ok()?,
        Certificate::from_der(issuer).ok()?,
    );
    let (signed, authority) = (certificate.tbs_certificate(), issuer.tbs_certificate());
    let key = authority
        .subject_public_key_info()
        .subject_public_key
        .as_bytes()?;
    let signature = certificate.signature().as_bytes()?;
    let is_named = signed.issuer() == authority.subject();
    (is_named && verifies_p256(key, &signed.to_der().ok()?, signature)).then_some(())
}

//! X.509 certificates (`RFC 5280 §4.1`), which this key makes and never reads: the one in every U2F registration, that of
//! an attestation authority, and those which such an authority issues. In: whose key, and who signs. Out: DER.

use core::str::FromStr;

use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{self, DateTime, Encode};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use crate::config::Aaguid;

/// id-fido-gen-ce-aaguid, the model of the authenticator: `WebAuthn L3 §8.2.1`.
const AAGUID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");
/// id-fido-gen-ce-sernum, which of that model it is: `WebAuthn L3 §8.2.2`.
const SERIAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.2");

/// Tells one key of a model from all others, `WebAuthn L3 §8.2.2`.
pub(crate) type SerialNumberOfKey = [u8; 16];

/// What a certificate says besides whose public key it is.
struct Contents {
    subject: Name,
    issuer: Name,
    purpose: Purpose,
}

/// What a certificate is for.
enum Purpose {
    U2f,
    Authority,
    Attestation {
        aaguid: Aaguid,
        serial: Option<SerialNumberOfKey>,
    },
}

/// The certificate of a U2F registration: for the new key, signed by the new key. So two registrations have nothing in
/// common, and the certificate claims nothing that it could not prove.
pub(crate) fn u2f(rng: &mut dyn CryptoRng, key: &SigningKey) -> Vec<u8> {
    let subject = name("CN=wardkey U2F");
    let contents = Contents {
        issuer: subject.clone(),
        subject,
        purpose: Purpose::U2f,
    };
    contents.certify(rng, key.verifying_key(), key)
}

/// The certificate of an attestation authority, made by itself.
pub(crate) fn authority(rng: &mut dyn CryptoRng, key: &SigningKey) -> Vec<u8> {
    let subject = authority_name(key.verifying_key());
    let contents = Contents {
        issuer: subject.clone(),
        subject,
        purpose: Purpose::Authority,
    };
    contents.certify(rng, key.verifying_key(), key)
}

/// The certificate that an authority issues for an attestation key, `WebAuthn L3 §8.2.1`; with a serial number one for
/// enterprise attestation, `§8.2.2`.
pub(crate) fn attestation(
    rng: &mut dyn CryptoRng,
    authority: &SigningKey,
    key: &VerifyingKey,
    aaguid: Aaguid,
    serial: Option<SerialNumberOfKey>,
) -> Vec<u8> {
    let contents = Contents {
        // ZZ is nobody's country: no vendor but the person who uses it stands behind the key.
        subject: name("CN=wardkey,OU=Authenticator Attestation,O=wardkey,C=ZZ"),
        issuer: authority_name(authority.verifying_key()),
        purpose: Purpose::Attestation { aaguid, serial },
    };
    contents.certify(rng, key, authority)
}

/// Every authority has its own name, so that a relying party which trusts several finds the right one.
fn authority_name(key: &VerifyingKey) -> Name {
    let hash = Sha256::digest(key.to_sec1_point(true));
    let number: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    name(&format!(
        "CN=wardkey attestation authority {number},O=wardkey,C=ZZ"
    ))
}

fn name(text: &str) -> Name {
    Name::from_str(text).expect("the names in this file are of the right form")
}

impl Contents {
    fn certify(self, rng: &mut dyn CryptoRng, key: &VerifyingKey, signer: &SigningKey) -> Vec<u8> {
        self.try_certify(rng, key, signer)
            .expect("certificates of these forms can be encoded, and the generator is infallible")
    }

    fn try_certify(
        self,
        rng: &mut dyn CryptoRng,
        key: &VerifyingKey,
        signer: &SigningKey,
    ) -> builder::Result<Vec<u8>> {
        let serial_number = SerialNumber::generate(rng);
        let key = SubjectPublicKeyInfo::from_key(key)?;
        let certificate = CertificateBuilder::new(self, serial_number, validity()?, key)?
            .build_with_rng::<_, DerSignature, _>(signer, rng)?;
        Ok(certificate.to_der()?)
    }
}

/// Without a well-defined expiration date, `RFC 5280 §4.1.2.5`.
fn validity() -> builder::Result<Validity> {
    let not_before = DateTime::new(2026, 1, 1, 0, 0, 0)?;
    Ok(Validity::new(not_before.into(), Time::INFINITY))
}

impl BuilderProfile for Contents {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        signer: SubjectPublicKeyInfoRef<'_>,
        _certificate: &TbsCertificate,
    ) -> builder::Result<Extensions> {
        Ok(match &self.purpose {
            Purpose::U2f => vec![extension((false, &END_ENTITY))?],
            Purpose::Authority => vec![
                extension(&AUTHORITY)?,
                extension(&KeyUsage(KeyUsages::KeyCertSign.into()))?,
                extension(&SubjectKeyIdentifier::try_from(key)?)?,
            ],
            Purpose::Attestation { aaguid, serial } => {
                let mut extensions = vec![
                    extension(&END_ENTITY)?,
                    extension(&AuthorityKeyIdentifier::try_from(signer)?)?,
                    octets(AAGUID, &aaguid.0)?,
                ];
                if let Some(serial) = serial {
                    extensions.push(octets(SERIAL, serial)?);
                }
                extensions
            }
        })
    }
}

const END_ENTITY: BasicConstraints = BasicConstraints {
    ca: false,
    path_len_constraint: None,
};

/// It certifies attestation keys and no other authorities.
const AUTHORITY: BasicConstraints = BasicConstraints {
    ca: true,
    path_len_constraint: Some(0),
};

/// An extension that does not depend on what else is in the certificate.
fn extension(value: impl ToExtension<Error = der::Error>) -> der::Result<Extension> {
    value.to_extension(&Name::default(), &[])
}

/// A FIDO extension: not critical, an octet string in the octet string that every extension is.
fn octets(id: ObjectIdentifier, octets: &[u8]) -> der::Result<Extension> {
    extension((id, false, &OctetString::new(octets)?))
}

#[cfg(test)]
mod tests;

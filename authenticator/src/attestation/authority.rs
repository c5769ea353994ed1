//! The attestation authority of an installation: a key that certifies attestation keys, so that whoever was given its
//! certificate can tell this installation's credentials from others. Made when it is first needed, kept by the vault as
//! one sealed document, and not touched by a reset, as `WebAuthn L3 §8.2.2` wants of the serial number.
//!
//! Every registration has an attestation key of its own. That key exists while it signs, and not longer; the authority
//! alone is kept.

use rand_core::CryptoRng;
use wardkey_vault::{Document, Error, SecretBytes, Vault};
use zeroize::Zeroizing;

use super::Statement;
use crate::authenticator::Authenticator;
use crate::cbor::{self, Map, Value};
use crate::certificate::{self, SerialNumberOfKey};
use crate::config::Aaguid;
use crate::cose::Algorithm;
use crate::private_key::{PrivateKey, SigningKey};

// The members of the document.
const KEY: u64 = 1;
const CERTIFICATE: u64 = 2;
const SERIAL: u64 = 3;

/// The authority, and the serial number that it may tell an enterprise.
pub(crate) struct Authority {
    key: PrivateKey,
    certificate: Vec<u8>,
    serial: SerialNumberOfKey,
}

impl Authority {
    /// The authority of this installation; made where there is none yet.
    pub(crate) fn of(vault: &mut Vault, rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        if let Some(document) = vault.document(Document::Attestation)? {
            return Self::decode(&document).ok_or(Error::Tampered);
        }
        let new = Self::generate(rng);
        vault.put_document(rng, Document::Attestation, new.encode(), None)?;
        Ok(new)
    }

    fn generate(rng: &mut dyn CryptoRng) -> Self {
        let (key, signing_key) = PrivateKey::generate(rng, Algorithm::Es256);
        let certificate = certificate::authority(rng, p256(&signing_key));
        let mut serial = SerialNumberOfKey::default();
        rng.fill_bytes(&mut serial);
        Self {
            key,
            certificate,
            serial,
        }
    }

    /// A statement over `message` by a new attestation key that the authority certifies.
    pub(crate) fn attest(
        &self,
        rng: &mut dyn CryptoRng,
        aaguid: Aaguid,
        disclosure: Disclosure,
        message: &[u8],
    ) -> Result<Statement, Error> {
        let authority = self.key.load().ok_or(Error::Tampered)?;
        let (_, attestation_key) = PrivateKey::generate(rng, Algorithm::Es256);
        let serial = match disclosure {
            Disclosure::Model => None,
            Disclosure::SerialNumber => Some(self.serial),
        };
        let certificate = certificate::attestation(
            rng,
            p256(&authority),
            p256(&attestation_key).verifying_key(),
            aaguid,
            serial,
        );
        Ok(Statement::PackedCertified {
            algorithm: Algorithm::Es256,
            signature: attestation_key.sign(rng, message),
            certificate,
        })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(cbor::encode(&Value::Map(Map::new([
            (KEY, Value::Bytes(self.key.secret.expose_secret())),
            (CERTIFICATE, Value::Bytes(&self.certificate)),
            (SERIAL, Value::Bytes(&self.serial)),
        ]))))
    }

    fn decode(document: &[u8]) -> Option<Self> {
        let Ok(Value::Map(members)) = cbor::decode(document) else {
            return None;
        };
        let bytes = |key: u64| match members.get(key) {
            Some(Value::Bytes(bytes)) => Some(*bytes),
            _ => None,
        };
        Some(Self {
            key: PrivateKey {
                algorithm: Algorithm::Es256,
                secret: SecretBytes::from_slice(bytes(KEY)?),
            },
            certificate: bytes(CERTIFICATE)?.to_vec(),
            serial: bytes(SERIAL)?.try_into().ok()?,
        })
    }
}

impl Authenticator {
    /// The certificate of this installation's attestation authority, in DER: what a relying party must be given to
    /// recognize the attestation of [`crate::Attestation::Authority`]. The authority is made where there is none yet.
    pub fn attestation_root(&mut self) -> Result<Vec<u8>, Error> {
        Ok(Authority::of(&mut self.vault, &mut *self.rng)?.certificate)
    }
}

/// What a certified statement says of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disclosure {
    /// Which model it is.
    Model,
    /// Which key it is, `CTAP 2.3 §7.1`.
    SerialNumber,
}

fn p256(key: &SigningKey) -> &p256::ecdsa::SigningKey {
    key.p256().expect("a key of ES256 is one of P-256")
}

#[cfg(test)]
mod tests;

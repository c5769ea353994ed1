//! Private keys as other programs have them: PKCS#8 (`RFC 5958`). Inside is the key of the scheme: `RFC 5915` for ECDSA,
//! `RFC 8410 §7` for Ed25519, the seed of `RFC 9881 §6` for ML-DSA.

use p256::pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use p256::pkcs8::spki::AlgorithmIdentifierRef;
use p256::pkcs8::{AssociatedOid, EncodePrivateKey, PrivateKeyInfoRef, SecretDocument};
use wardkey_vault::SecretBytes;
use zeroize::Zeroizing;

use super::PrivateKey;
use crate::cose::{Algorithm, KeyValue, PublicKey, Scheme};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");

const SEED_LEN: usize = 32;
/// The head of the seed: an octet string, and one with the tag `[0]` in its place.
const ED25519_HEAD: [u8; 2] = [0x04, 0x20];
const ML_DSA_HEAD: [u8; 2] = [0x80, 0x20];

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// It is for an algorithm that this program does not have.
    UnknownAlgorithm,
    /// It is no PKCS#8, or no key of its algorithm, or the public key with it is another one.
    Damaged,
}

impl PrivateKey {
    /// The key in PKCS#8; of the names of a scheme, the key has the first.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, NoKey> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| NoKey::Damaged)?;
        let algorithm = algorithm_of(&info.algorithm).ok_or(NoKey::UnknownAlgorithm)?;
        let public_key = info.public_key.map(|bits| bits.as_bytes());
        let secret = secret_of(info, algorithm.scheme()).ok_or(NoKey::Damaged)?;
        let key = Self { algorithm, secret };
        let signing_key = key.load().ok_or(NoKey::Damaged)?;
        match public_key {
            Some(found) if found != Some(&encoded(&signing_key.public_key())) => Err(NoKey::Damaged),
            Some(_) | None => Ok(key),
        }
    }

    /// In PKCS#8; `None` when the bytes are not a key of the algorithm.
    pub(crate) fn to_pkcs8(&self) -> Option<SecretDocument> {
        let bytes = self.secret.expose_secret();
        match self.algorithm.scheme() {
            Scheme::P256 => {
                let key = p256::SecretKey::from_bytes(bytes.try_into().ok()?).ok()?;
                key.to_pkcs8_der().ok()
            }
            Scheme::P384 => {
                let key = p384::SecretKey::from_bytes(bytes.try_into().ok()?).ok()?;
                key.to_pkcs8_der().ok()
            }
            Scheme::Ed25519 => with_seed(ED25519, ED25519_HEAD, bytes),
            Scheme::MlDsa44 => with_seed(ML_DSA_44, ML_DSA_HEAD, bytes),
            Scheme::MlDsa65 => with_seed(ML_DSA_65, ML_DSA_HEAD, bytes),
        }
    }
}

fn algorithm_of(found: &AlgorithmIdentifierRef<'_>) -> Option<Algorithm> {
    let curve = |curve: ObjectIdentifier| found.parameters == Some(AnyRef::from(&curve));
    match found.oid {
        EC_PUBLIC_KEY if curve(p256::NistP256::OID) => Some(Algorithm::Es256),
        EC_PUBLIC_KEY if curve(p384::NistP384::OID) => Some(Algorithm::Es384),
        ED25519 if found.parameters.is_none() => Some(Algorithm::EdDsa),
        ML_DSA_44 if found.parameters.is_none() => Some(Algorithm::MlDsa44),
        ML_DSA_65 if found.parameters.is_none() => Some(Algorithm::MlDsa65),
        _ => None,
    }
}

/// The key as it is at rest.
fn secret_of(info: PrivateKeyInfoRef<'_>, scheme: Scheme) -> Option<SecretBytes> {
    let inside = info.private_key.as_bytes();
    match scheme {
        Scheme::P256 => {
            let key = p256::SecretKey::try_from(info).ok()?;
            Some(SecretBytes::from_slice(&Zeroizing::new(key.to_bytes())))
        }
        Scheme::P384 => {
            let key = p384::SecretKey::try_from(info).ok()?;
            Some(SecretBytes::from_slice(&Zeroizing::new(key.to_bytes())))
        }
        Scheme::Ed25519 => inside.strip_prefix(&ED25519_HEAD).map(SecretBytes::from_slice),
        Scheme::MlDsa44 | Scheme::MlDsa65 => inside.strip_prefix(&ML_DSA_HEAD).map(SecretBytes::from_slice),
    }
}

fn with_seed(oid: ObjectIdentifier, head: [u8; 2], seed: &[u8]) -> Option<SecretDocument> {
    let mut inside = Zeroizing::new([0; 2 + SEED_LEN]);
    let seed: &[u8; SEED_LEN] = seed.try_into().ok()?;
    inside[..2].copy_from_slice(&head);
    inside[2..].copy_from_slice(seed);
    let algorithm = AlgorithmIdentifierRef {
        oid,
        parameters: None,
    };
    let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&*inside).ok()?);
    SecretDocument::encode_msg(&info).ok()
}

/// The public key as it stands beside a private one.
fn encoded(public_key: &PublicKey) -> Vec<u8> {
    match &public_key.value {
        KeyValue::P256 { x, y } => [&[0x04][..], x, y].concat(),
        KeyValue::P384 { x, y } => [&[0x04][..], x, y].concat(),
        KeyValue::Ed25519(key) => key.to_vec(),
        KeyValue::MlDsa(key) => key.clone(),
    }
}

#[cfg(test)]
mod tests;

//! Private keys: made, derived from a seed, and used to sign. A key at rest is an algorithm and secret bytes; the form
//! that signs exists only while it signs. ECDSA nonces are derived from key and message (`RFC 6979`) and hedged with
//! randomness; ML-DSA signs with randomness, too (`FIPS 204 §3.4`).

pub(crate) mod pkcs8;

use ed25519_dalek::Signer;
use ml_dsa::{ExpandedSigningKey, MlDsa44, MlDsa65, MlDsaParams};
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256, Sha384};
use wardkey_vault::{Secret, SecretBytes};

use crate::cose::{Algorithm, KeyValue, PublicKey, Scheme};
use crate::pin::protocol::expand;

/// HKDF label of a private key that is made from a seed; algorithm and attempt follow.
const DERIVED: &[u8] = b"wardkey private key";

/// How many bytes the longest key at rest has.
const SECRET_LEN_MAX: usize = 48;

/// A private key at rest: for ECDSA the scalar, big endian, as long as the field; for Ed25519 and ML-DSA the 32 bytes
/// of the seed.
pub(crate) struct PrivateKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) secret: SecretBytes,
}

impl PrivateKey {
    /// A new key, and its usable form.
    pub(crate) fn generate(rng: &mut dyn CryptoRng, algorithm: Algorithm) -> (Self, SigningKey) {
        let key = Self::first_of(algorithm, |_, length| SecretBytes::random(rng, length));
        let signing_key = key.load().expect("a valid key can be loaded");
        (key, signing_key)
    }

    /// The key that follows from `seed`.
    pub(crate) fn derive(seed: &Secret<32>, algorithm: Algorithm) -> Self {
        Self::first_of(algorithm, |attempt, length| {
            let label = [DERIVED, &algorithm.identifier().to_be_bytes(), &[attempt]].concat();
            let bytes: Secret<{ SECRET_LEN_MAX }> = expand(seed.expose_secret(), &label);
            SecretBytes::from_slice(&bytes.expose_secret()[..length])
        })
    }

    /// The first of these uniformly random candidates that is a key. A candidate knows its number and how many bytes it
    /// has.
    fn first_of(algorithm: Algorithm, mut candidate: impl FnMut(u8, usize) -> SecretBytes) -> Self {
        let length = secret_len(algorithm.scheme());
        (0..=u8::MAX)
            .map(|attempt| Self {
                algorithm,
                secret: candidate(attempt, length),
            })
            .find(Self::is_valid)
            .expect("one candidate in 2^32 is no key, not 256 in a row")
    }

    /// Whether the bytes are a key of the algorithm; much less work than [`Self::load`].
    fn is_valid(&self) -> bool {
        let bytes = self.secret.expose_secret();
        match self.algorithm.scheme() {
            Scheme::P256 => bytes
                .try_into()
                .is_ok_and(|bytes| p256::SecretKey::from_bytes(bytes).is_ok()),
            Scheme::P384 => bytes
                .try_into()
                .is_ok_and(|bytes| p384::SecretKey::from_bytes(bytes).is_ok()),
            scheme @ (Scheme::Ed25519 | Scheme::MlDsa44 | Scheme::MlDsa65) => {
                bytes.len() == secret_len(scheme)
            }
        }
    }

    /// The form that signs; `None` when the bytes are not a key of the algorithm.
    pub(crate) fn load(&self) -> Option<SigningKey> {
        let bytes = self.secret.expose_secret();
        let key = match self.algorithm.scheme() {
            Scheme::P256 => Key::P256(Box::new(
                p256::ecdsa::SigningKey::from_bytes(bytes.try_into().ok()?).ok()?,
            )),
            Scheme::P384 => Key::P384(Box::new(
                p384::ecdsa::SigningKey::from_bytes(bytes.try_into().ok()?).ok()?,
            )),
            Scheme::Ed25519 => Key::Ed25519(Box::new(bytes.try_into().ok()?)),
            Scheme::MlDsa44 => Key::MlDsa44(ml_dsa_key(bytes)?),
            Scheme::MlDsa65 => Key::MlDsa65(ml_dsa_key(bytes)?),
        };
        Some(SigningKey {
            algorithm: self.algorithm,
            key,
        })
    }
}

/// How many bytes a key at rest has.
const fn secret_len(scheme: Scheme) -> usize {
    match scheme {
        Scheme::P384 => SECRET_LEN_MAX,
        Scheme::P256 | Scheme::Ed25519 | Scheme::MlDsa44 | Scheme::MlDsa65 => 32,
    }
}

fn ml_dsa_key<P: MlDsaParams>(seed: &[u8]) -> Option<Box<ExpandedSigningKey<P>>> {
    Some(Box::new(ExpandedSigningKey::from_seed(seed.try_into().ok()?)))
}

/// A private key in the form that signs.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    key: Key,
}

/// The libraries wipe their keys on drop; they are boxed so that moving this value leaves no copies behind.
enum Key {
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa44(Box<ExpandedSigningKey<MlDsa44>>),
    MlDsa65(Box<ExpandedSigningKey<MlDsa65>>),
}

impl SigningKey {
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        let value = match &self.key {
            Key::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                KeyValue::P256 {
                    x: (*point.x().expect(UNCOMPRESSED)).into(),
                    y: (*point.y().expect(UNCOMPRESSED)).into(),
                }
            }
            Key::P384(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                KeyValue::P384 {
                    x: (*point.x().expect(UNCOMPRESSED)).into(),
                    y: (*point.y().expect(UNCOMPRESSED)).into(),
                }
            }
            Key::Ed25519(key) => KeyValue::Ed25519(key.verifying_key().to_bytes()),
            Key::MlDsa44(key) => KeyValue::MlDsa(key.verifying_key().encode().to_vec()),
            Key::MlDsa65(key) => KeyValue::MlDsa(key.verifying_key().encode().to_vec()),
        };
        PublicKey {
            algorithm: self.algorithm,
            value,
        }
    }

    /// The key as the library has it, if it is one of P-256.
    pub(crate) fn p256(&self) -> Option<&p256::ecdsa::SigningKey> {
        match &self.key {
            Key::P256(key) => Some(key),
            Key::P384(_) | Key::Ed25519(_) | Key::MlDsa44(_) | Key::MlDsa65(_) => None,
        }
    }

    /// The signature over `message` in the form that WebAuthn uses, `WebAuthn L3 §6.5.5`: DER for ECDSA, the bytes of the
    /// signature for the others.
    pub(crate) fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::P256(key) => {
                let signature: p256::ecdsa::Signature = key
                    .sign_prehash_with_rng(rng, &Sha256::digest(message))
                    .expect(INFALLIBLE);
                signature.to_der().as_bytes().to_vec()
            }
            Key::P384(key) => {
                let signature: p384::ecdsa::Signature = key
                    .sign_prehash_with_rng(rng, &Sha384::digest(message))
                    .expect(INFALLIBLE);
                signature.to_der().as_bytes().to_vec()
            }
            Key::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Key::MlDsa44(key) => sign_ml_dsa(key, rng, message),
            Key::MlDsa65(key) => sign_ml_dsa(key, rng, message),
        }
    }
}

const UNCOMPRESSED: &str = "an uncompressed point has both coordinates";
const INFALLIBLE: &str = "an infallible generator and a digest as long as the field";

/// `FIPS 204 §5.2` with an empty context, as `RFC 9964 §4` wants.
fn sign_ml_dsa<P: MlDsaParams>(
    key: &ExpandedSigningKey<P>,
    rng: &mut dyn CryptoRng,
    message: &[u8],
) -> Vec<u8> {
    let signature = key
        .sign_randomized(message, &[], rng)
        .expect("an infallible generator, a context that is not too long");
    signature.encode().to_vec()
}

#[cfg(test)]
mod tests;

//! Private keys: made, and used to sign. A key at rest is an algorithm and 32 secret bytes; the form that signs exists
//! only while it signs. ECDSA nonces are derived from key and message (`RFC 6979`) and hedged with randomness.

use ed25519_dalek::Signer;
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use wardkey_vault::{Secret, SecretBytes};

use crate::cose::{Algorithm, PublicKey};
use crate::pin::protocol::expand;

/// The bytes of a private key at rest.
const KEY_LEN: usize = 32;

/// HKDF label of a private key that is made from a seed; algorithm and attempt follow.
const DERIVED: &[u8] = b"wardkey private key";

/// A private key at rest: for P-256 the scalar, big endian; for Ed25519 the seed.
pub(crate) struct PrivateKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) secret: SecretBytes,
}

impl PrivateKey {
    /// A new key, and its usable form.
    pub(crate) fn generate(rng: &mut dyn CryptoRng, algorithm: Algorithm) -> (Self, SigningKey) {
        loop {
            let key = Self {
                algorithm,
                secret: SecretBytes::random(rng, KEY_LEN),
            };
            // One in 2^32 random strings is not a P-256 scalar; then the next one is.
            if let Some(signing_key) = key.load() {
                return (key, signing_key);
            }
        }
    }

    /// The key that follows from `seed`.
    pub(crate) fn derive(seed: &Secret<32>, algorithm: Algorithm) -> Self {
        let candidate = |attempt: u8| {
            let label = [DERIVED, &algorithm.identifier().to_be_bytes(), &[attempt]].concat();
            let bytes: Secret<KEY_LEN> = expand(seed.expose_secret(), &label);
            Self {
                algorithm,
                secret: SecretBytes::from_slice(bytes.expose_secret()),
            }
        };
        (0..=u8::MAX)
            .map(candidate)
            .find(Self::is_valid)
            .expect("one candidate in 2^32 is no key, not 256 in a row")
    }

    /// Whether the bytes are a key of the algorithm; much less work than [`Self::load`].
    fn is_valid(&self) -> bool {
        let bytes = self.secret.expose_secret();
        match self.algorithm {
            Algorithm::Es256 => p256::SecretKey::from_slice(bytes).is_ok(),
            Algorithm::EdDsa => bytes.len() == KEY_LEN,
        }
    }

    /// The form that signs; `None` when the bytes are not a key of the algorithm.
    pub(crate) fn load(&self) -> Option<SigningKey> {
        let bytes = self.secret.expose_secret();
        match self.algorithm {
            Algorithm::Es256 => p256::ecdsa::SigningKey::from_slice(bytes)
                .ok()
                .map(|key| SigningKey::Es256(Box::new(key))),
            Algorithm::EdDsa => {
                let seed = bytes.try_into().ok()?;
                Some(SigningKey::EdDsa(Box::new(
                    ed25519_dalek::SigningKey::from_bytes(seed),
                )))
            }
        }
    }
}

/// A private key in the form that signs. Both libraries wipe their keys on drop; they are boxed so that moving this
/// value leaves no copies behind.
pub(crate) enum SigningKey {
    Es256(Box<p256::ecdsa::SigningKey>),
    EdDsa(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Self::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let coordinate =
                    |field: Option<&_>| <[u8; 32]>::from(*field.expect("an uncompressed point has both"));
                PublicKey::P256 {
                    x: coordinate(point.x()),
                    y: coordinate(point.y()),
                }
            }
            Self::EdDsa(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
        }
    }

    /// The signature over `message` in the form that WebAuthn uses, `WebAuthn L3 §6.5.5`: DER for ECDSA, 64 bytes for
    /// EdDSA.
    pub(crate) fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key
                    .sign_prehash_with_rng(rng, &Sha256::digest(message))
                    .expect("an infallible generator and a digest as long as the field");
                signature.to_der().as_bytes().to_vec()
            }
            Self::EdDsa(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Verifier;

    use super::*;
    use crate::testing::SeededRng;

    #[test]
    fn an_ecdsa_signature_verifies_and_is_not_repeated() {
        let mut rng = SeededRng::new(1);
        let (_, key) = PrivateKey::generate(&mut rng, Algorithm::Es256);
        let PublicKey::P256 { x, y } = key.public_key() else {
            panic!()
        };
        let point = [&[4][..], &x, &y].concat();
        let verifier = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
        let (first, second) = (key.sign(&mut rng, b"message"), key.sign(&mut rng, b"message"));
        assert_ne!(first, second);
        for signature in [first, second] {
            let signature = p256::ecdsa::DerSignature::from_bytes(&signature).unwrap();
            assert!(verifier.verify(b"message", &signature).is_ok());
            assert!(verifier.verify(b"massage", &signature).is_err());
        }
    }

    #[test]
    fn an_eddsa_signature_verifies() {
        let mut rng = SeededRng::new(1);
        let (_, key) = PrivateKey::generate(&mut rng, Algorithm::EdDsa);
        let PublicKey::Ed25519(point) = key.public_key() else {
            panic!()
        };
        let verifier = ed25519_dalek::VerifyingKey::from_bytes(&point).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&key.sign(&mut rng, b"message")).unwrap();
        assert!(verifier.verify_strict(b"message", &signature).is_ok());
        assert!(verifier.verify_strict(b"massage", &signature).is_err());
    }

    #[test]
    fn bytes_that_are_no_scalar_are_no_key() {
        for bytes in [[0; 32], [0xFF; 32]] {
            let secret = SecretBytes::from_slice(&bytes);
            assert!(
                PrivateKey {
                    algorithm: Algorithm::Es256,
                    secret
                }
                .load()
                .is_none()
            );
        }
    }
}

//! P-256 as the devices of a vault use it: public points, and ECDSA signatures over SHA-256 hashes that name their
//! purpose. Private keys are in key stores.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature as P256Signature, VerifyingKey};

use crate::once::once;

/// A point of P-256 that is not the neutral one; public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicPoint([u8; Self::LEN]);

impl PublicPoint {
    /// Uncompressed, SEC 1 §2.3.3.
    pub const LEN: usize = 65;

    /// `None` for bytes that are no such point in the uncompressed form.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; Self::LEN]>::try_from(bytes).ok()?;
        p256::PublicKey::from_sec1_bytes(&bytes)
            .is_ok()
            .then_some(Self(bytes))
    }

    /// 0x04 ‖ x ‖ y.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    pub(crate) fn to_key(self) -> p256::PublicKey {
        p256::PublicKey::from_sec1_bytes(&self.0).expect("checked when it was made")
    }

    /// Whether the holder of the private key signed `hash`.
    pub(crate) fn verify(&self, hash: &SignedHash, signature: &Signature) -> bool {
        let input = || [b"verify", &self.0[..], &hash.0, &signature.0].concat();
        once(input, || {
            let key = VerifyingKey::from(self.to_key());
            P256Signature::from_slice(&signature.0)
                // The other form of the same signature would be an object with another hash that nobody signed.
                .is_ok_and(|signature| {
                    signature.normalize_s() == signature && key.verify_prehash(&hash.0, &signature).is_ok()
                })
        })
    }
}

/// What a key is asked to sign: made in this crate only, from labelled input.
pub struct SignedHash([u8; 32]);

impl SignedHash {
    pub(crate) fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The same, for a key store that works elsewhere.
    pub fn copy(&self) -> Self {
        Self(self.0)
    }

    /// The SHA-256 hash, for a key store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// r ‖ s, with the lesser of the two possible s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; Self::LEN]);

impl Signature {
    pub(crate) const LEN: usize = 64;

    /// From r ‖ s as a key store makes it; `None` when that is no signature.
    pub fn new(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let signature = P256Signature::from_slice(bytes).ok()?;
        Some(Self(signature.normalize_s().to_bytes().into()))
    }

    pub(crate) fn unchecked(bytes: &[u8; Self::LEN]) -> Self {
        Self(*bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

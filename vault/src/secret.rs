//! Secret bytes: no Debug, Display, Clone, Copy, Default, PartialEq or Serialize; wiped on drop; read by one method.

use std::convert::Infallible;

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes, in a place of their own: moving a value would leave a copy where it was, which nothing wipes.
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> Secret<N> {
    /// Fills a new secret in place.
    pub fn fill_with<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// A new random secret.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let Ok(secret) = Self::fill_with(|bytes| {
            rng.fill_bytes(bytes);
            Ok::<(), Infallible>(())
        });
        secret
    }

    /// A copy of `bytes`; `None` when there are not exactly `N` of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Self::fill_with(|secret| {
            if secret.len() != bytes.len() {
                return Err(());
            }
            secret.copy_from_slice(bytes);
            Ok(())
        })
        .ok()
    }

    /// The bytes. Call as late and keep as short as possible.
    pub fn expose_secret(&self) -> &[u8; N] {
        &self.0
    }
}

/// Secret bytes whose number is not fixed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// A copy of `bytes`.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// `len` new random bytes.
    pub fn random(rng: &mut dyn CryptoRng, len: usize) -> Self {
        let mut secret = Self(vec![0; len]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// The bytes. Call as late and keep as short as possible.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

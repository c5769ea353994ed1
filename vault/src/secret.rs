//! Secret bytes: no Debug, Display, Clone, Copy, Default, PartialEq or Serialize; wiped on drop; read by one method.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Fills a new secret in place.
    pub fn fill_with<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self([0; N]);
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// The bytes. Call as late and keep as short as possible.
    pub fn expose_secret(&self) -> &[u8; N] {
        &self.0
    }
}

/// The key from which every key of a vault is derived.
pub type RootKey = Secret<32>;

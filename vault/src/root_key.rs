//! The root key, and the seam behind which it is kept: a file today, something that asks for a PIN or a hardware
//! key tomorrow. The vault itself is only ever given the key.

use rand_core::CryptoRng;

use crate::Secret;

/// The key from which every key of a vault is derived.
pub type RootKey = Secret<32>;

/// A place that keeps one root key.
pub trait RootKeyStore {
    /// Why the place could not be read or written.
    type Error;

    /// The key; `None` when none was ever created here. A key that is there but cannot be had is an error, never
    /// `None`: the caller would make a new one.
    fn load(&mut self) -> Result<Option<RootKey>, Self::Error>;

    /// Makes a key and keeps it durably before returning it; an error when there is one already.
    fn create(&mut self, rng: &mut dyn CryptoRng) -> Result<RootKey, Self::Error>;
}

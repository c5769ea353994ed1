//! The root key. Where it comes from is not the vault's business: it is only ever given the key.

use crate::Secret;

/// The key from which every key of a vault is derived.
pub type RootKey = Secret<32>;

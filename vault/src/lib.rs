//! Records and keys; never CTAP2. The vault stores passkeys sealed, answers by relying party and by credential id
//! from memory, and wraps the keys of credentials that it does not store.
//!
//! Read in this order: `record.rs` (what is kept), `keys.rs` (which key does what), `seal.rs` (one sealed object),
//! `payload.rs` (what is inside), `wrap.rs` (credential ids that carry their own key), `database.rs` (the disk),
//! `index.rs` (the memory), `vault.rs` (all of it together). `FORMAT.md` gives every byte, `DESIGN.md` the reasons.

mod cbor;
mod database;
mod document;
mod error;
#[cfg(test)]
mod format_example;
mod index;
mod kdf;
mod keyring;
mod keys;
mod padding;
mod payload;
mod pin;
mod record;
mod root_key;
mod seal;
mod secret;
#[cfg(test)]
mod testing;
mod vault;
mod wrap;

pub use document::{Document, StoreState};
pub use error::Error;
pub use kdf::{KdfCost, KdfParameters, KdfRefused, OutOfMemory};
pub use keys::{DeviceId, KeyAuth, PinSecret, VaultId};
pub use pin::{GuessLimit, PinRefused, VaultPin};
pub use record::{CredProtect, CredentialId, LargeBlob, Passkey, Profile, RpIdHash};
pub use root_key::{RootKey, RootKeyStore};
pub use secret::{Secret, SecretBytes};
pub use vault::{Entry, Vault};

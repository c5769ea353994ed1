//! Records and keys; never CTAP2. The vault stores passkeys sealed, answers by relying party and by credential id
//! from memory, and wraps the keys of credentials that it does not store.

mod error;
mod record;
mod secret;
mod vault;

pub use error::Error;
pub use record::{CredentialId, Passkey, Profile, RpIdHash};
pub use secret::{RootKey, Secret};
pub use vault::{Entry, Vault};

//! Passkeys as other programs take and give them: the Credential Exchange Format of the FIDO Alliance, `CXF 1.0 §3.3.12`
//! (Proposed Standard of 2025-08-14, with the errata of 2026-03-09). A file of it is JSON in clear: whoever reads it has
//! the passkeys. The protocol that would encrypt it (CXP) is a draft, and not here.
//!
//! Here and not in the vault, because only the authenticator knows what the bytes of a key are to its algorithm. `write.rs`
//! has what goes out, `read.rs` what comes in, `base64url.rs` how bytes stand in it.
//!
//! CXF has no place for credProtect, for the name of the relying party beside the title, and for a largeBlobKey: a
//! passkey that comes in has no credProtect, and gets a largeBlobKey if it has a large blob.

mod base64url;
mod read;
mod write;

use wardkey_vault::{CredentialId, Document, Error, Passkey, Profile, Vault};

pub use self::read::{Found, Incomplete, LeftOut, Lost, NotRead, Reason, looks_like_json, read};
pub use self::write::{TooLarge, Written, write};
use crate::large_blob_array::{Owner, Parts};

/// The longest file that is written or read.
const LEN_MAX: usize = 64 << 20;

/// The passkeys of a vault that may leave it.
pub struct Leaving {
    /// Those, complete: also with the large blobs that a platform put into its array.
    pub passkeys: Vec<Passkey>,
    /// Those that may not: they are bound to this device, and count their signatures.
    pub staying: Vec<CredentialId>,
}

/// What may leave a vault, the oldest first.
pub fn leaving(vault: &Vault) -> Result<Leaving, Error> {
    let (mut passkeys, mut staying) = (Vec::new(), Vec::new());
    for entry in vault.entries() {
        let passkey = vault.load(&entry.id)?.ok_or(Error::Tampered)?;
        match passkey.profile {
            Profile::Synced => passkeys.push(passkey),
            Profile::DeviceBound | Profile::U2f => staying.push(entry.id),
        }
    }
    // Where the vault syncs, what the array has for credentials was given to them.
    if !vault.syncs()
        && let Some(array) = vault.document(Document::LargeBlobs)?
    {
        let owners = vault.with_large_blob_key()?.into_iter().filter_map(Owner::of);
        let parts = Parts::of(&array, &owners.collect::<Vec<_>>()).unwrap_or_default();
        for passkey in &mut passkeys {
            let in_array = parts.blobs.get(&passkey.id);
            passkey.large_blob = passkey.large_blob.take().or_else(|| in_array.cloned());
        }
    }
    Ok(Leaving { passkeys, staying })
}

#[cfg(test)]
mod tests;

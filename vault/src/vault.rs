//! The vault.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{CredentialId, Error, Passkey, Profile, RootKey, RpIdHash};

/// A credential as the in-memory index knows it: enough to choose, nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names the credential.
    pub id: CredentialId,
    /// Its relying party.
    pub rp_id_hash: RpIdHash,
    /// See [`Passkey::created_unix_ms`].
    pub created_unix_ms: u64,
}

/// An open vault.
pub struct Vault {}

impl Vault {
    /// Opens the vault in `backend`, or makes one where `backend` is empty.
    pub fn open(_backend: impl redb::StorageBackend, _root: &RootKey, _rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        unimplemented!()
    }
    /// The stored credentials of a relying party, newest first.
    pub fn find_by_rp(&self, _rp: &RpIdHash) -> Vec<CredentialId> {
        unimplemented!()
    }
    /// The stored credential with this id, opened; `None` when there is none.
    pub fn load(&self, _id: &CredentialId) -> Result<Option<Passkey>, Error> {
        unimplemented!()
    }
    /// Stores `passkey` durably; one with the same relying party id and user handle is replaced in the same
    /// transaction. When this returns, a power cut loses nothing.
    pub fn store(&mut self, _rng: &mut dyn CryptoRng, _passkey: Passkey) -> Result<(), Error> {
        unimplemented!()
    }
    /// Deletes a stored credential durably; `false` when there was none.
    pub fn delete(&mut self, _id: &CredentialId) -> Result<bool, Error> {
        unimplemented!()
    }
    /// Every stored credential, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        unimplemented!()
    }
    /// How many credentials are stored.
    pub fn len(&self) -> usize {
        unimplemented!()
    }
    /// Whether no credential is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Makes a credential id that carries `secret` sealed, bound to the relying party and the profile.
    /// `secret` is at most 64 bytes.
    pub fn wrap(&self, _rng: &mut dyn CryptoRng, _rp: &RpIdHash, _profile: Profile, _secret: &[u8]) -> CredentialId {
        unimplemented!()
    }
    /// What [`Self::wrap`] put into `id` for this relying party; `None` for every id that this vault did not make.
    pub fn unwrap(&self, _rp: &RpIdHash, _id: &CredentialId) -> Option<(Profile, Zeroizing<Vec<u8>>)> {
        unimplemented!()
    }
    /// The next value of the signature counter for credentials that are not synced; durable before it returns.
    pub fn next_signature_count(&mut self) -> Result<u32, Error> {
        unimplemented!()
    }
    /// Removes every credential and makes every wrapped credential id unusable, in one transaction. The signature
    /// counter goes on.
    pub fn reset(&mut self, _rng: &mut dyn CryptoRng) -> Result<(), Error> {
        unimplemented!()
    }
}

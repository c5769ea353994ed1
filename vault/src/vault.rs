//! The vault: database, keys and index as one. Each operation is a few named steps; what they mean on disk is in
//! `seal.rs` and `database.rs`. A change is durable first and in memory second, so that what is answered from memory
//! is never more than what a power cut leaves.

use rand_core::CryptoRng;
use redb::StorageBackend;
use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::database::{Change, Database, Meta};
use crate::index::Index;
use crate::keyring::Keyring;
use crate::keys::{VaultId, VaultKey};
use crate::seal::{self, Place, RowId, Unopened};
use crate::{CredentialId, Error, Passkey, Profile, RootKey, RpIdHash, Secret, payload, wrap};

/// The format of the database that this program writes, and the newest it reads.
const FORMAT: u64 = 1;
/// The only field of the sealed signature counter.
const COUNT: u64 = 1;

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
pub struct Vault {
    database: Database,
    root: RootKey,
    key: VaultKey,
    keyring: Keyring,
    index: Index,
    signature_count: u32,
}

impl Vault {
    /// Opens the vault in `backend`, or makes one where `backend` is empty. Every record is opened and checked.
    ///
    /// A vault that is there is left as it was by every error. Making one is not one step: where the power may go
    /// meanwhile, make it in a file beside and rename that.
    ///
    /// When a later call fails with [`Error::Database`] or [`Error::Corrupted`], the vault must be opened again; what
    /// was being changed is then there in whole or not at all.
    pub fn open(
        backend: impl StorageBackend,
        root: &RootKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Error> {
        let database = Database::open(backend)?;
        let root = Secret::from_slice(root.expose_secret()).expect("keys are of one length");
        if database.is_new()? {
            Self::create(database, root, rng)
        } else {
            Self::read(database, root)
        }
    }

    fn create(database: Database, root: RootKey, rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        let (key, keyring) = new_keys(&root, rng);
        let signature_count = 0;
        database.apply(&Change {
            put_meta: describe(&key, &keyring, signature_count, rng),
            ..Change::default()
        })?;
        Ok(Self {
            database,
            root,
            key,
            keyring,
            index: Index::default(),
            signature_count,
        })
    }

    fn read(database: Database, root: RootKey) -> Result<Self, Error> {
        check_format(&database)?;
        let vault_id = require(&database, Meta::Vault)?;
        let vault_id = VaultId(vault_id.as_slice().try_into().map_err(|_| Error::Tampered)?);
        let key = VaultKey::derive(&root, vault_id);
        let keyring = read_keyring(&database, &key)?;
        let signature_count = read_signature_count(&database, &key)?;
        let index = read_index(&database, &key)?;
        Ok(Self {
            database,
            root,
            key,
            keyring,
            index,
            signature_count,
        })
    }

    /// The stored credentials of a relying party, newest first.
    pub fn find_by_rp(&self, rp: &RpIdHash) -> Vec<CredentialId> {
        self.index.find_by_rp(rp).cloned().collect()
    }

    /// The stored credential with this id, opened; `None` when there is none.
    pub fn load(&self, id: &CredentialId) -> Result<Option<Passkey>, Error> {
        let Some(row) = self.index.row(id) else {
            return Ok(None);
        };
        let sealed = self.database.passkey(row)?.ok_or(Error::Tampered)?;
        let passkey = open_passkey(&self.key, row, &sealed)?;
        if passkey.id == *id {
            Ok(Some(passkey))
        } else {
            Err(Error::Tampered)
        }
    }

    /// Stores `passkey` durably; one with the same relying party id and user handle is replaced in the same
    /// transaction. When this returns, a power cut loses nothing.
    pub fn store(&mut self, rng: &mut dyn CryptoRng, mut passkey: Passkey) -> Result<(), Error> {
        passkey.created_unix_ms = passkey
            .created_unix_ms
            .max(self.index.newest_unix_ms().saturating_add(1));
        let mut row = RowId([0; 16]);
        rng.fill_bytes(&mut row.0);
        let sealed = seal::seal(
            &self.key,
            seal::fresh(rng),
            Place::Passkey(row),
            payload::encode(&passkey)?,
        )
        .ok_or(Error::TooLarge)?;
        let replaced = self.index.replaced_by(&passkey);
        self.database.apply(&Change {
            remove_passkeys: replaced.iter().filter_map(|id| self.index.row(id)).collect(),
            put_passkey: Some((row, sealed)),
            ..Change::default()
        })?;
        for id in &replaced {
            self.index.remove(id);
        }
        self.index
            .insert(&passkey, row)
            .expect("what was in the way is removed");
        Ok(())
    }

    /// Deletes a stored credential durably; `false` when there was none.
    pub fn delete(&mut self, id: &CredentialId) -> Result<bool, Error> {
        let Some(row) = self.index.row(id) else {
            return Ok(false);
        };
        self.database.apply(&Change {
            remove_passkeys: vec![row],
            ..Change::default()
        })?;
        self.index.remove(id);
        Ok(true)
    }

    /// Every stored credential, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.index.entries()
    }

    /// How many credentials are stored.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no credential is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes a credential id that carries `secret` sealed, bound to the relying party and the profile.
    ///
    /// # Panics
    ///
    /// When `secret` is longer than 64 bytes.
    pub fn wrap(
        &self,
        rng: &mut dyn CryptoRng,
        rp: &RpIdHash,
        profile: Profile,
        secret: &[u8],
    ) -> CredentialId {
        wrap::wrap(self.keyring.current(), rng, rp, profile, secret)
    }

    /// What [`Self::wrap`] put into `id` for this relying party; `None` for every id that this vault did not make.
    pub fn unwrap(&self, rp: &RpIdHash, id: &CredentialId) -> Option<(Profile, Zeroizing<Vec<u8>>)> {
        wrap::unwrap(&self.keyring, rp, id)
    }

    /// The next value of the signature counter for credentials that are not synced; durable before it returns.
    pub fn next_signature_count(&mut self) -> Result<u32, Error> {
        let next = self.signature_count.saturating_add(1);
        let sealed = seal_signature_count(&self.key, next);
        self.database.apply(&Change {
            put_meta: vec![(Meta::Counter, sealed)],
            ..Change::default()
        })?;
        self.signature_count = next;
        Ok(next)
    }

    /// Removes every credential and makes every wrapped credential id unusable, in one transaction. The signature
    /// counter goes on.
    pub fn reset(&mut self, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        let (key, keyring) = new_keys(&self.root, rng);
        let put_meta = describe(&key, &keyring, self.signature_count, rng);
        self.database.apply(&Change {
            remove_all_passkeys: true,
            put_meta,
            ..Change::default()
        })?;
        self.key = key;
        self.keyring = keyring;
        self.index = Index::default();
        Ok(())
    }
}

/// The keys of a vault that was never there before: with another vault id, nothing sealed or wrapped before opens.
fn new_keys(root: &RootKey, rng: &mut dyn CryptoRng) -> (VaultKey, Keyring) {
    let mut vault = VaultId([0; 32]);
    rng.fill_bytes(&mut vault.0);
    (VaultKey::derive(root, vault), Keyring::new(rng))
}

/// All that a vault without passkeys has on disk.
fn describe(key: &VaultKey, keyring: &Keyring, count: u32, rng: &mut dyn CryptoRng) -> Vec<(Meta, Vec<u8>)> {
    let keyring = seal::seal(key, seal::fresh(rng), Place::Keyring, keyring.encode());
    vec![
        (Meta::Format, FORMAT.to_be_bytes().to_vec()),
        (Meta::Vault, key.vault.0.to_vec()),
        (Meta::Keyring, keyring.expect("the number of epochs is bounded")),
        (Meta::Counter, seal_signature_count(key, count)),
    ]
}

/// Before anything else is believed: a newer program may have changed all the rest.
fn check_format(database: &Database) -> Result<(), Error> {
    let format = require(database, Meta::Format)?;
    match format.as_slice().try_into().map(u64::from_be_bytes) {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(Error::NewerFormat {
            found,
            supported: FORMAT,
        }),
        _ => Err(Error::Tampered),
    }
}

fn require(database: &Database, meta: Meta) -> Result<Vec<u8>, Error> {
    database.meta(meta)?.ok_or(Error::Tampered)
}

fn read_keyring(database: &Database, key: &VaultKey) -> Result<Keyring, Error> {
    let sealed = require(database, Meta::Keyring)?;
    let payload = seal::open(key, Place::Keyring, &sealed).map_err(|unopened| match unopened {
        Unopened::OtherKey => Error::WrongRootKey,
        Unopened::Damaged => Error::Tampered,
    })?;
    Keyring::decode(&payload).ok_or(Error::Tampered)
}

/// The count has its key from itself: without fresh randomness two sealed counts are equal or have two keys.
fn seal_signature_count(key: &VaultKey, count: u32) -> Vec<u8> {
    let mut payload = Zeroizing::new(Vec::new());
    Writer(&mut payload)
        .map(1)
        .unsigned(COUNT)
        .unsigned(u64::from(count));
    seal::seal(key, key.count_unique(count), Place::Counter, payload).expect("a count is short")
}

fn read_signature_count(database: &Database, key: &VaultKey) -> Result<u32, Error> {
    let payload = seal::open(key, Place::Counter, &require(database, Meta::Counter)?)?;
    let mut input = Reader(&payload);
    let mut count = || match (input.map()?, input.unsigned()?) {
        (1, COUNT) => input.unsigned().filter(|_| input.end().is_some()),
        _ => None,
    };
    count()
        .and_then(|count| u32::try_from(count).ok())
        .ok_or(Error::Tampered)
}

fn read_index(database: &Database, key: &VaultKey) -> Result<Index, Error> {
    let mut index = Index::default();
    database.passkeys(|row, sealed| {
        let passkey = open_passkey(key, row, sealed)?;
        index.insert(&passkey, row).ok_or(Error::Tampered)
    })?;
    Ok(index)
}

fn open_passkey(key: &VaultKey, row: RowId, sealed: &[u8]) -> Result<Passkey, Error> {
    let payload = seal::open(key, Place::Passkey(row), sealed)?;
    payload::decode(&payload).ok_or(Error::Tampered)
}

#[cfg(test)]
mod tests;

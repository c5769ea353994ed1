//! The keys of the database on this device, by epoch. They are random and belong to the device; the root key of the
//! vault seals them, as one object. `FORMAT.md` §15.
//!
//! Rows name the epoch under which they are sealed, so a new epoch takes effect with the next write, and nothing has to
//! be written again.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::epochs;
use crate::keys::{VaultId, VaultKey};
use crate::seal::{self, Place, Unique, Unopened};
use crate::{RootKey, Secret};

/// At least one key.
pub(crate) struct LocalKeys {
    roots: BTreeMap<u32, RootKey>,
    older: Vec<VaultKey>,
    current: VaultKey,
}

impl LocalKeys {
    /// One key, for the database that is called `vault`.
    pub(crate) fn first(vault: VaultId, root: RootKey) -> Self {
        Self::of(vault, BTreeMap::from([(VaultKey::FIRST_EPOCH, root)])).expect("there is one")
    }

    fn of(vault: VaultId, roots: BTreeMap<u32, RootKey>) -> Option<Self> {
        let key = |(epoch, root): (&u32, &RootKey)| VaultKey::of_epoch(root, vault, *epoch);
        let mut older: Vec<_> = roots.iter().map(key).collect();
        let current = older.pop()?;
        Some(Self {
            roots,
            older,
            current,
        })
    }

    /// The name of the database.
    pub(crate) fn vault(&self) -> VaultId {
        self.current.vault
    }

    /// Seals what is written from now on.
    pub(crate) fn current(&self) -> &VaultKey {
        &self.current
    }

    pub(crate) fn seal(&self, unique: Unique, place: Place, payload: Zeroizing<Vec<u8>>) -> Option<Vec<u8>> {
        seal::seal(&self.current, unique, place, payload)
    }

    pub(crate) fn open(&self, place: Place, object: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let epoch = seal::epoch(object).ok_or(Unopened::Damaged)?;
        let mut keys = self.older.iter().chain([&self.current]);
        let key = keys.find(|key| key.epoch == epoch).ok_or(Unopened::Damaged)?;
        seal::open(key, place, object)
    }

    /// The newest of these keys alone, for a database with another name: nothing sealed before opens.
    pub(crate) fn renamed(&self, vault: VaultId) -> Self {
        let (epoch, root) = self.roots.last_key_value().expect("there is one");
        let roots = BTreeMap::from([(*epoch, copy(root))]);
        Self::of(vault, roots).expect("there is one")
    }

    /// These keys and a new one; `None` when there are too many.
    pub(crate) fn with_next(&self, rng: &mut dyn CryptoRng) -> Option<Self> {
        let copies = self.roots.iter().map(|(epoch, root)| (*epoch, copy(root)));
        let next = (self.current.epoch + 1, Secret::random(rng));
        Self::of(self.vault(), copies.chain([next]).collect())
            .filter(|_| self.roots.len() < epochs::SEALED_MAX)
    }

    /// A new key in the place of these, with the epoch after theirs.
    pub(crate) fn replaced(&self, rng: &mut dyn CryptoRng) -> Self {
        let next = (self.current.epoch + 1, Secret::random(rng));
        Self::of(self.vault(), BTreeMap::from([next])).expect("there is one")
    }

    /// Sealed with the root key of the vault.
    pub(crate) fn sealed(&self, key: &VaultKey, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let payload = epochs::encode_sealed(self.roots.iter().map(|(epoch, root)| (*epoch, root)));
        seal::seal(key, seal::fresh(rng), Place::LocalKeys, payload).expect("the number of epochs is bounded")
    }

    /// What [`Self::sealed`] made with the same key, for the database that is called `vault`.
    pub(crate) fn unsealed(key: &VaultKey, vault: VaultId, sealed: &[u8]) -> Option<Self> {
        let payload = seal::open(key, Place::LocalKeys, sealed).ok()?;
        Self::of(vault, epochs::decode(&payload, epochs::SEALED_MAX)?)
    }
}

fn copy(root: &RootKey) -> RootKey {
    Secret::from_slice(root.expose_secret()).expect("keys are of one length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRng;

    const VAULT: VaultId = VaultId([7; 32]);
    const PLACE: Place = Place::StoreState;

    fn first() -> LocalKeys {
        LocalKeys::first(VAULT, Secret::from_slice(&[1; 32]).unwrap())
    }

    fn seal(keys: &LocalKeys, seed: u64) -> Vec<u8> {
        let payload = Zeroizing::new(b"payload".to_vec());
        keys.seal(seal::fresh(&mut TestRng(seed)), PLACE, payload)
            .unwrap()
    }

    #[test]
    fn what_was_sealed_before_a_new_epoch_opens_and_what_comes_after_does_not_open_with_the_old_keys() {
        let (old, new) = (first(), first().with_next(&mut TestRng(1)).unwrap());
        assert_eq!(new.open(PLACE, &seal(&old, 2)).unwrap().as_slice(), b"payload");
        assert_eq!(new.open(PLACE, &seal(&new, 3)).unwrap().as_slice(), b"payload");
        assert!(old.open(PLACE, &seal(&new, 4)).is_err());
    }

    #[test]
    fn under_another_name_or_with_a_key_in_the_place_of_the_others_nothing_from_before_opens() {
        let both = first().with_next(&mut TestRng(1)).unwrap();
        let sealed = [seal(&first(), 2), seal(&both, 3)];
        for other in [both.renamed(VaultId([8; 32])), both.replaced(&mut TestRng(4))] {
            assert!(sealed.iter().all(|sealed| other.open(PLACE, sealed).is_err()));
            assert!(other.open(PLACE, &seal(&other, 5)).is_ok());
        }
    }

    #[test]
    fn as_many_as_there_can_be_come_back() {
        let root = VaultKey::of_epoch(&Secret::from_slice(&[9; 32]).unwrap(), VAULT, 3);
        let mut keys = first();
        while let Some(more) = keys.with_next(&mut TestRng(1)) {
            keys = more;
        }
        assert_eq!(keys.current().epoch, 256);
        let sealed = keys.sealed(&root, &mut TestRng(2));
        let read = LocalKeys::unsealed(&root, VAULT, &sealed).unwrap();
        assert!(read.open(PLACE, &seal(&first(), 3)).is_ok());
    }

    #[test]
    fn they_come_back_with_the_key_that_sealed_them_alone() {
        let root = |byte| VaultKey::of_epoch(&Secret::from_slice(&[byte; 32]).unwrap(), VAULT, 3);
        let keys = first().with_next(&mut TestRng(1)).unwrap();
        let sealed = keys.sealed(&root(9), &mut TestRng(2));
        let read = LocalKeys::unsealed(&root(9), VAULT, &sealed).unwrap();
        assert!(read.open(PLACE, &seal(&first(), 3)).is_ok() && read.open(PLACE, &seal(&keys, 4)).is_ok());
        assert_eq!(read.current().epoch, 2);
        assert!(LocalKeys::unsealed(&root(8), VAULT, &sealed).is_none());
    }
}

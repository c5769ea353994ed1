//! What is recognized while the vault is locked, so that a request for a site or a credential that is not here is
//! answered at once and without a PIN. Each is a keyed hash of 16 bytes in a table of its own; nothing but equality
//! can be seen. `FORMAT.md` §15.
//!
//! A row that is missing would be a credential that is said not to be here. So a check goes with the table: each row
//! has a share, a keyed hash of it that nobody sees; the shares of all rows are added without carry, and the check is a
//! keyed hash of the sum. It changes with one row in constant time. Where it does not fit, everything may be here.

use std::collections::BTreeSet;

use subtle::ConstantTimeEq;

use crate::database::{Change, Database, Meta};
use crate::keys::{
    KNOWN_ALL, KNOWN_ANY_WRAPPED, KNOWN_CREDENTIAL, KNOWN_SHARE, KNOWN_SITE, KNOWN_WRAPPED, KnownKey,
    PUBLIC_STATE, VaultId,
};
use crate::{CredentialId, Error, RpIdHash, wrap};

/// What a check has.
const CHECK_LEN: usize = 16;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KnownHash(pub(crate) [u8; 16]);

impl KnownKey {
    /// A relying party has a stored credential.
    pub(crate) fn site(&self, rp: &RpIdHash) -> KnownHash {
        KnownHash(self.hash(KNOWN_SITE, &[&rp.0]))
    }

    /// A credential is stored.
    pub(crate) fn credential(&self, rp: &RpIdHash, id: &CredentialId) -> KnownHash {
        KnownHash(self.hash(KNOWN_CREDENTIAL, &[&rp.0, id.as_bytes()]))
    }

    /// A credential that is not stored was made for a relying party.
    pub(crate) fn wrapped(&self, rp: &RpIdHash) -> KnownHash {
        KnownHash(self.hash(KNOWN_WRAPPED, &[&rp.0]))
    }

    /// For which relying parties such credentials were made is not known.
    pub(crate) fn any_wrapped(&self) -> KnownHash {
        KnownHash(self.hash(KNOWN_ANY_WRAPPED, &[]))
    }

    fn share(&self, row: &KnownHash) -> [u8; CHECK_LEN] {
        self.hash(KNOWN_SHARE, &[&row.0])
    }

    /// What is kept with a table whose rows have this sum, in the database with this name.
    pub(crate) fn check(&self, vault: VaultId, sum: KnownSum) -> [u8; CHECK_LEN] {
        self.hash(KNOWN_ALL, &[&vault.0, &sum.0])
    }

    /// `state` as it is kept.
    pub(crate) fn authenticated(&self, vault: VaultId, mut state: Vec<u8>) -> Vec<u8> {
        let check = self.hash(PUBLIC_STATE, &[&vault.0, &state]);
        state.extend(check);
        state
    }

    /// What [`Self::authenticated`] was given; `None` for everything else.
    pub(crate) fn authentic(&self, vault: VaultId, kept: &[u8]) -> Option<Vec<u8>> {
        let (state, check) = kept.split_last_chunk::<CHECK_LEN>()?;
        let expected = self.hash(PUBLIC_STATE, &[&vault.0, state]);
        bool::from(expected.ct_eq(check)).then(|| state.to_vec())
    }
}

/// The sum of the shares of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KnownSum([u8; CHECK_LEN]);

impl KnownSum {
    /// Of these rows, each of which is there once.
    pub(crate) fn of<'a>(key: &KnownKey, rows: impl IntoIterator<Item = &'a KnownHash>) -> Self {
        let rows: BTreeSet<_> = rows.into_iter().collect();
        let mut sum = Self::default();
        for row in rows {
            sum.toggle(key, row);
        }
        sum
    }

    /// Of the table; `None` where its check does not fit.
    pub(crate) fn read(database: &Database, key: &KnownKey, vault: VaultId) -> Result<Option<Self>, Error> {
        let Some(check) = database.meta(Meta::KnownCheck)? else {
            return Ok(None);
        };
        let mut sum = Self::default();
        database.all_known(|row| sum.toggle(key, row))?;
        Ok(bool::from(key.check(vault, sum).ct_eq(check.as_slice())).then_some(sum))
    }

    /// After `change`.
    pub(crate) fn after(self, database: &Database, key: &KnownKey, change: &Change) -> Result<Self, Error> {
        let removed: BTreeSet<_> = change.remove_known.iter().collect();
        let put: BTreeSet<_> = change.put_known.iter().collect();
        let mut sum = self;
        for row in removed.union(&put) {
            let is_there = database.knows(row)?;
            if is_there != put.contains(row) {
                sum.toggle(key, row);
            }
        }
        Ok(sum)
    }

    /// A row comes, or goes.
    fn toggle(&mut self, key: &KnownKey, row: &KnownHash) {
        for (sum, share) in self.0.iter_mut().zip(key.share(row)) {
            *sum ^= share;
        }
    }
}

/// Whether a credential with this id could be used for this relying party. Never `false` for one that can.
pub(crate) fn may_have(
    database: &Database,
    key: &KnownKey,
    rp: &RpIdHash,
    id: &CredentialId,
) -> Result<bool, Error> {
    if database.knows(&key.credential(rp, id))? {
        return Ok(true);
    }
    Ok(wrap::may_be_wrapped(id)
        && (database.knows(&key.wrapped(rp))? || database.knows(&key.any_wrapped())?))
}

//! What the vault remembers of every stored passkey so that no question needs a scan: by credential id, by relying
//! party (in order of creation) and by account. Nothing secret; about 300 bytes for each.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::seal::RowId;
use crate::{CredProtect, CredentialId, Entry, Passkey, RpIdHash};

/// A user handle at a relying party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Account([u8; 32]);

impl Account {
    fn of(rp: &RpIdHash, user_id: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update(rp.0)
                .chain_update(user_id)
                .finalize()
                .into(),
        )
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    rp: RpIdHash,
    account: Account,
    created_unix_ms: u64,
    cred_protect: CredProtect,
    has_large_blob_key: bool,
    row: RowId,
}

impl Known {
    fn of(passkey: &Passkey, row: RowId) -> Self {
        let rp = RpIdHash::of(&passkey.rp_id);
        Self {
            rp,
            account: Account::of(&rp, &passkey.user_id),
            created_unix_ms: passkey.created_unix_ms,
            cred_protect: passkey.cred_protect,
            has_large_blob_key: passkey.large_blob_key.is_some(),
            row,
        }
    }
}

/// The three orders; each passkey is in all of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    by_id: BTreeMap<CredentialId, Known>,
    by_rp: BTreeSet<(RpIdHash, u64, CredentialId)>,
    /// Two devices that did not know of each other may have made a passkey each for one account. The newest counts: it is
    /// in `by_rp`. The others are found by their id alone, for a site that never got to know the newest.
    by_account: BTreeSet<(Account, u64, CredentialId)>,
    relying_parties: usize,
    newest_unix_ms: u64,
}

impl Index {
    /// Adds a passkey that is at `row`; `None`, and nothing changes, when its id is there already.
    pub(crate) fn insert(&mut self, passkey: &Passkey, row: RowId) -> Option<()> {
        if self.by_id.contains_key(&passkey.id) {
            return None;
        }
        let known = Known::of(passkey, row);
        if !self.has_rp(&known.rp) {
            self.relying_parties += 1;
        }
        self.by_account
            .insert((known.account, known.created_unix_ms, passkey.id.clone()));
        self.list_newest_of(known.rp, known.account);
        self.newest_unix_ms = self.newest_unix_ms.max(known.created_unix_ms);
        self.by_id.insert(passkey.id.clone(), known);
        Some(())
    }

    /// Forgets a passkey.
    pub(crate) fn remove(&mut self, id: &CredentialId) {
        if let Some(Known {
            rp,
            account,
            created_unix_ms,
            cred_protect: _,
            has_large_blob_key: _,
            row: _,
        }) = self.by_id.remove(id)
        {
            self.by_account.remove(&(account, created_unix_ms, id.clone()));
            self.by_rp.remove(&(rp, created_unix_ms, id.clone()));
            self.list_newest_of(rp, account);
            if !self.has_rp(&rp) {
                self.relying_parties -= 1;
            }
        }
    }

    /// After something of the account came or went.
    fn list_newest_of(&mut self, rp: RpIdHash, account: Account) {
        let of_account: Vec<_> = self
            .of_account(account)
            .map(|(created, id)| (rp, created, id.clone()))
            .collect();
        let Some((newest, others)) = of_account.split_last() else {
            return;
        };
        for other in others {
            self.by_rp.remove(other);
        }
        self.by_rp.insert(newest.clone());
    }

    fn has_rp(&self, rp: &RpIdHash) -> bool {
        self.next_rp(rp) == Some(*rp)
    }

    /// The passkeys of an account, the newest last.
    fn of_account(&self, account: Account) -> impl Iterator<Item = (u64, &CredentialId)> {
        self.by_account
            .range((account, 0, least_id())..=(account, u64::MAX, greatest_id()))
            .map(|(_, created, id)| (*created, id))
    }

    /// The ids that storing `passkey` replaces: those of its account, and its own.
    pub(crate) fn replaced_by(&self, passkey: &Passkey) -> BTreeSet<CredentialId> {
        let account = Account::of(&RpIdHash::of(&passkey.rp_id), &passkey.user_id);
        let same_account = self.of_account(account).map(|(_, id)| id);
        let same_id = self.by_id.get_key_value(&passkey.id).map(|(id, _)| id);
        same_account.chain(same_id).cloned().collect()
    }

    pub(crate) fn has_account(&self, rp: &RpIdHash, user_id: &[u8]) -> bool {
        self.of_account(Account::of(rp, user_id)).next().is_some()
    }

    pub(crate) fn row(&self, id: &CredentialId) -> Option<RowId> {
        self.by_id.get(id).map(|known| known.row)
    }

    /// Whose a passkey is.
    pub(crate) fn rp(&self, id: &CredentialId) -> Option<RpIdHash> {
        self.by_id.get(id).map(|known| known.rp)
    }

    /// Those whose protection is at most `cred_protect`, newest first.
    pub(crate) fn find_by_rp(
        &self,
        rp: &RpIdHash,
        cred_protect: CredProtect,
    ) -> impl Iterator<Item = &CredentialId> {
        self.by_rp
            .range((*rp, 0, least_id())..=(*rp, u64::MAX, greatest_id()))
            .rev()
            .map(|(_, _, id)| id)
            .filter(move |id| {
                self.by_id
                    .get(*id)
                    .is_some_and(|known| known.cred_protect <= cred_protect)
            })
    }

    /// How many relying parties have a credential.
    pub(crate) fn relying_parties(&self) -> usize {
        self.relying_parties
    }

    /// The first relying party, in the order of their hashes, that is not before `least`.
    pub(crate) fn next_rp(&self, least: &RpIdHash) -> Option<RpIdHash> {
        self.by_rp
            .range((*least, 0, least_id())..)
            .next()
            .map(|(rp, _, _)| *rp)
    }

    /// Oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let entry = |(id, known): (&CredentialId, &Known)| Entry {
            id: id.clone(),
            rp_id_hash: known.rp,
            created_unix_ms: known.created_unix_ms,
        };
        let mut entries: Vec<Entry> = self.by_id.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.created_unix_ms);
        entries
    }

    /// Those that have a key for large blobs.
    pub(crate) fn with_large_blob_key(&self) -> impl Iterator<Item = &CredentialId> {
        let found = self.by_id.iter().filter(|(_, known)| known.has_large_blob_key);
        found.map(|(id, _)| id)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The greatest time of creation seen since the vault was opened.
    pub(crate) fn newest_unix_ms(&self) -> u64 {
        self.newest_unix_ms
    }
}

/// An index to be: what is read from the disk is sorted once, which takes a fraction of the time that inserting it one by
/// one takes, and makes trees without gaps.
#[derive(Default)]
pub(crate) struct Unsorted(Vec<(CredentialId, Known)>);

impl Unsorted {
    /// Adds a passkey that is at `row`.
    pub(crate) fn add(&mut self, passkey: &Passkey, row: RowId) {
        self.0.push((passkey.id.clone(), Known::of(passkey, row)));
    }

    /// The index; `None` when an id is there twice.
    pub(crate) fn sort(mut self) -> Option<Index> {
        let count = self.0.len();
        self.0.sort_unstable_by(|(id, known), (other_id, other)| {
            let order = known.account.cmp(&other.account);
            let order = order.then(known.created_unix_ms.cmp(&other.created_unix_ms));
            order.then_with(|| id.cmp(other_id))
        });
        let newest = self.0.chunk_by(|(_, a), (_, b)| a.account == b.account);
        let newest = newest.filter_map(<[_]>::last);
        let by_rp: BTreeSet<_> = newest
            .map(|(id, known)| (known.rp, known.created_unix_ms, id.clone()))
            .collect();
        let by_account = self.0.iter();
        let by_account = by_account
            .map(|(id, known)| (known.account, known.created_unix_ms, id.clone()))
            .collect();
        let mut last = None;
        let relying_parties = by_rp
            .iter()
            .filter(|(rp, _, _)| last.replace(*rp) != Some(*rp))
            .count();
        let newest_unix_ms = self.0.iter().map(|(_, known)| known.created_unix_ms).max();
        let by_id: BTreeMap<_, _> = self.0.into_iter().collect();
        (by_id.len() == count).then_some(Index {
            by_id,
            by_rp,
            by_account,
            relying_parties,
            newest_unix_ms: newest_unix_ms.unwrap_or(0),
        })
    }
}

/// Before every other id.
fn least_id() -> CredentialId {
    CredentialId::new(&[0]).expect("1 byte")
}

fn greatest_id() -> CredentialId {
    CredentialId::new(&[0xff; CredentialId::LEN_MAX]).expect("the most bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestRng, passkey};

    /// At one of two sites; every third of one account there, as when two devices did not know of each other.
    fn stored(number: u8) -> (Passkey, RowId) {
        let site = ["example.com", "example.org"][usize::from(number % 2)];
        let user = if number.is_multiple_of(3) {
            "same".to_owned()
        } else {
            number.to_string()
        };
        let mut passkey = passkey(&mut TestRng(u64::from(number)), site, &user);
        passkey.created_unix_ms = u64::from(number.wrapping_mul(97));
        (passkey, RowId([number; 16]))
    }

    #[test]
    fn sorting_gives_what_inserting_gives() {
        let (mut inserted, mut unsorted) = (Index::default(), Unsorted::default());
        for (passkey, row) in (0..60).map(stored) {
            inserted.insert(&passkey, row).unwrap();
            unsorted.add(&passkey, row);
        }
        let sorted = unsorted.sort().unwrap();
        assert_eq!(sorted, inserted);
        assert_eq!((sorted.len(), sorted.relying_parties()), (60, 2));
        assert_eq!(Unsorted::default().sort(), Some(Index::default()));
    }

    #[test]
    fn an_id_that_is_there_twice_makes_no_index() {
        let (passkey, row) = stored(1);
        let mut unsorted = Unsorted::default();
        unsorted.add(&passkey, row);
        unsorted.add(&passkey, RowId([2; 16]));
        assert_eq!(unsorted.sort(), None);
    }
}

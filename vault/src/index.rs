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

struct Known {
    rp: RpIdHash,
    account: Account,
    created_unix_ms: u64,
    cred_protect: CredProtect,
    row: RowId,
}

/// The three orders; each passkey is in all of them.
#[derive(Default)]
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
        let rp = RpIdHash::of(&passkey.rp_id);
        let account = Account::of(&rp, &passkey.user_id);
        let created_unix_ms = passkey.created_unix_ms;
        if self.by_id.contains_key(&passkey.id) {
            return None;
        }
        if !self.has_rp(&rp) {
            self.relying_parties += 1;
        }
        self.by_account
            .insert((account, created_unix_ms, passkey.id.clone()));
        self.list_newest_of(rp, account);
        self.by_id.insert(
            passkey.id.clone(),
            Known {
                rp,
                account,
                created_unix_ms,
                cred_protect: passkey.cred_protect,
                row,
            },
        );
        self.newest_unix_ms = self.newest_unix_ms.max(created_unix_ms);
        Some(())
    }

    /// Forgets a passkey.
    pub(crate) fn remove(&mut self, id: &CredentialId) {
        if let Some(Known {
            rp,
            account,
            created_unix_ms,
            cred_protect: _,
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

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The greatest time of creation seen since the vault was opened.
    pub(crate) fn newest_unix_ms(&self) -> u64 {
        self.newest_unix_ms
    }
}

/// Before every other id.
fn least_id() -> CredentialId {
    CredentialId::new(&[0]).expect("1 byte")
}

fn greatest_id() -> CredentialId {
    CredentialId::new(&[0xff; CredentialId::LEN_MAX]).expect("the most bytes")
}

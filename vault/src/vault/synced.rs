//! A vault whose passkeys are on other devices, too: what it tells them, and what it makes of what they tell.
//!
//! A change is made here at once, and an operation that says so waits in the outbox until the store has it. What other
//! devices say goes into what is merged; the passkeys in use follow from that, and from what still waits: it is newer
//! than everything that was read.
//!
//! Here is what begins and what is kept; `synced/telling.rs` is what this device says, `synced/reading.rs` what it
//! hears, `synced/trusting.rs` the trust log.

mod reading;
mod snapshots;
mod telling;
mod trusting;

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::reading::NOT_TOLD;
pub use self::reading::{NotTaken, Taken};
pub(crate) use self::snapshots::{Making, Piece, SnapshotKey, Taking};
pub use self::telling::ToSign;
pub(crate) use self::trusting::Extended;
use super::Vault;
use crate::database::{Change, Database, Meta};
use crate::keys::{DeviceId, KeyAuth, WrappingKey};
use crate::local_keys::LocalKeys;
use crate::seal::{self, Place, RowId};
use crate::sync::{DEVICE_NAME_LEN_MAX, Merged, Names, Operation, Replica, Standing, TRASH_MS};
use crate::{CredentialId, Error, Passkey, Profile, Record, RpIdHash, wrap};

/// How many operations are made durable at a time when a device begins to sync.
const BEGIN_WITH: usize = 512;

/// Operations that are going to wait in the outbox, in the order of their numbers.
pub(super) struct Said(Vec<Option<CredentialId>>);

/// What is known of a passkey that is in the trash.
pub struct Trashed {
    /// The passkey.
    pub passkey: Passkey,
    /// When it was deleted, by the clock of the device that did: milliseconds since the Unix epoch. `None` where this
    /// device did, and the store does not know yet.
    pub deleted_unix_ms: Option<u64>,
}

impl Trashed {
    /// How long it is kept, at least: milliseconds since the Unix epoch; `None` where that is not counted yet.
    pub fn kept_until_unix_ms(&self) -> Option<u64> {
        Some(self.deleted_unix_ms?.saturating_add(TRASH_MS))
    }
}

impl Vault {
    /// Whether this device tells the others what changes, and listens to them.
    pub fn syncs(&self) -> bool {
        self.replica.is_some()
    }

    /// How many changes of this device the store is not known to have.
    pub fn waiting(&self) -> u64 {
        let waiting = |replica: &Replica| replica.outbox.end.saturating_sub(replica.outbox.start);
        self.replica.as_ref().map_or(0, waiting)
    }

    /// From now on this device syncs; all that may leave it is going to be told. Nothing happens where it does already.
    pub fn begin_sync(&mut self, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        let Some(member) = &self.member else {
            return Err(Error::HasNoPin);
        };
        if self.syncs() {
            return Ok(());
        }
        let mut replica = Replica::new(rng);
        if member.trust.transcript(member.device).is_some() {
            // It was added at the store, where it read of it.
            replica.standing.published_trust = member.trust.added_at(member.device).unwrap_or(0);
        }
        // What an earlier beginning left that did not end.
        self.database.apply_later(&Change {
            forget_sync: true,
            ..Change::default()
        })?;
        let mut change = Change::default();
        for key in self.keyring.keys() {
            let number = replica.outbox.end;
            let operation = Operation::ShareWrappingKey(key.copy());
            let sealed = seal_waiting(&self.keys, number, &operation, rng)?;
            change.put_outbox.push((number, sealed));
            replica.note(None, number);
        }
        self.database.apply_later(&change)?;
        let ids: Vec<_> = self.entries().into_iter().map(|entry| entry.id).collect();
        for ids in ids.chunks(BEGIN_WITH) {
            let mut change = Change::default();
            for id in ids {
                let passkey = self.load(id)?.ok_or(Error::Tampered)?;
                if passkey.profile != Profile::Synced {
                    continue;
                }
                let number = replica.outbox.end;
                let sealed = seal_waiting(&self.keys, number, &Operation::Store(Box::new(passkey)), rng)?;
                change.put_outbox.push((number, sealed));
                replica.note(Some(id), number);
            }
            self.database.apply_later(&change)?;
        }
        let sealed = replica.standing.seal(&replica.names, &self.keys, rng);
        let change = Change {
            put_meta: vec![(Meta::Replica, sealed)],
            // What other devices wrap is recognized by nothing here while the vault is locked.
            put_known: self
                .member
                .iter()
                .map(|member| member.known.any_wrapped())
                .collect(),
            ..Change::default()
        };
        self.make(change, Database::apply)?;
        self.replica = Some(replica);
        Ok(())
    }

    /// Wraps what all devices can use; `None` where this one does not sync.
    pub(super) fn shared_wrapping_key(&self) -> Option<WrappingKey> {
        let _ = self.replica.as_ref()?;
        let epoch = self.trust()?.epoch();
        let key = self.session.as_ref()?.keys.get(&epoch)?;
        Some(key.shared_wrapping_key())
    }

    /// What was wrapped by any device of the vault, as far as that may leave it.
    pub(super) fn unwrap_shared(
        &self,
        number: u32,
        rp: &RpIdHash,
        id: &CredentialId,
    ) -> Option<(Profile, Zeroizing<Vec<u8>>)> {
        let replica = self.replica.as_ref()?;
        let found = match number.checked_sub(WrappingKey::FIRST_SHARED) {
            Some(epoch) => {
                let key = self.session.as_ref()?.keys.get(&epoch)?;
                wrap::unwrap(&key.shared_wrapping_key(), rp, id)
            }
            None => {
                // Each device numbers its own.
                let mut keys = replica.foreign.iter().filter(|key| key.epoch == number);
                keys.find_map(|key| wrap::unwrap(key, rp, id))
            }
        };
        found.filter(|(profile, _)| *profile == Profile::Synced)
    }

    /// Whether a synced credential outlives this device: the store has it, nothing is wrong with the store, and somebody
    /// else can come to it. Where that is not certain the answer is no.
    pub fn is_backed_up(&self, id: &CredentialId) -> Result<bool, Error> {
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Ok(false);
        };
        if replica.standing.red || replica.standing.published_trust < member.trust.remembered().seq {
            return Ok(false);
        }
        let others = member.trust.members().filter(|device| *device != member.device);
        let someone = member.trust.recovery().is_some();
        if self.index.row(id).is_none() {
            // It carries its own key: what it is wrapped with has to be there.
            return Ok(replica.outbox.is_empty() && (someone || others.count() > 0));
        }
        if replica.waiting.contains_key(id) {
            return Ok(false);
        }
        if someone {
            return Ok(true);
        }
        let Some(stored) = self.merged(replica, id)?.stored() else {
            return Ok(false);
        };
        if stored.device != member.device {
            return Ok(member.trust.member(stored.device).is_some());
        }
        for other in others {
            if self.told(other)?.head(stored.device).seq() >= stored.seq {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers whether something is wrong with the store.
    pub(crate) fn set_red(&mut self, rng: &mut dyn CryptoRng, red: bool) -> Result<(), Error> {
        self.change_standing(rng, |standing| standing.red = red)
    }

    /// Makes a change of where this device stands durable, where it is one.
    fn change_standing(
        &mut self,
        rng: &mut dyn CryptoRng,
        change: impl FnOnce(&mut Standing),
    ) -> Result<(), Error> {
        let Some(replica) = &mut self.replica else {
            return Ok(());
        };
        let mut standing = replica.standing.clone();
        change(&mut standing);
        if standing == replica.standing {
            return Ok(());
        }
        let sealed = standing.seal(&replica.names, &self.keys, rng);
        self.database.apply(&Change {
            put_meta: vec![(Meta::Replica, sealed)],
            ..Change::default()
        })?;
        replica.standing = standing;
        Ok(())
    }

    /// What the device's key store asks for before it signs for an open vault; `None` where it is not a member of one.
    pub fn key_auth(&self) -> Option<KeyAuth> {
        self.session.as_ref().map(|session| session.auth.copy())
    }

    /// Calls this device so; the others are told. A name that is too long is cut.
    pub fn name_device(&mut self, rng: &mut dyn CryptoRng, name: &str) -> Result<(), Error> {
        let end = name.floor_char_boundary(DEVICE_NAME_LEN_MAX);
        let name = name.get(..end).unwrap_or_default();
        let mut change = Change::default();
        let said = self.say(rng, &mut change, &[Operation::NameDevice(name.to_owned())])?;
        self.database.apply(&change)?;
        self.said(said);
        Ok(())
    }

    /// What a device calls itself; `None` where it has not said.
    pub fn device_name(&self, device: DeviceId) -> Option<&str> {
        self.replica
            .as_ref()?
            .device_names
            .get(&device)
            .map(String::as_str)
    }

    /// Adds to `change` what the other devices are to be told.
    pub(super) fn say(
        &self,
        rng: &mut dyn CryptoRng,
        change: &mut Change,
        operations: &[Operation],
    ) -> Result<Said, Error> {
        let Some(replica) = &self.replica else {
            return Ok(Said(Vec::new()));
        };
        let mut said = Vec::new();
        for (number, operation) in (replica.outbox.end..).zip(operations) {
            let sealed = seal_waiting(&self.keys, number, operation, rng)?;
            change.put_outbox.push((number, sealed));
            said.push(operation.id().cloned());
        }
        Ok(Said(said))
    }

    /// After the change is durable.
    pub(super) fn said(&mut self, Said(ids): Said) {
        if let Some(replica) = &mut self.replica {
            for id in ids {
                replica.note(id.as_ref(), replica.outbox.end);
            }
        }
    }

    /// The passkeys in the trash: deleted, and not thrown away yet.
    pub fn trash(&self) -> Result<Vec<Trashed>, Error> {
        let Some(replica) = &self.replica else {
            return Ok(Vec::new());
        };
        // What was deleted and is not told yet is only in the outbox.
        let mut ids: BTreeSet<_> = replica.waiting.keys().cloned().collect();
        self.database.all_merged(|row, sealed| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            let (id, merged) = Merged::decode(&payload).ok_or(Error::Tampered)?;
            if merged.deleted_unix_ms().is_some() {
                ids.insert(id);
            }
            Ok(())
        })?;
        let found = ids.iter().map(|id| self.trashed(id));
        found.filter_map(Result::transpose).collect()
    }

    /// The passkey with this id, if it is in the trash.
    pub fn trashed(&self, id: &CredentialId) -> Result<Option<Trashed>, Error> {
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Ok(None);
        };
        if self.index.row(id).is_some() {
            return Ok(None);
        }
        let known = self.merged(replica, id)?;
        let here = &replica.standing.versions;
        let known = self.with_what_waits(replica, (member, here), &known, id, replica.outbox.start)?;
        let (Some(deleted), Some(passkey)) = (known.deleted_unix_ms(), known.content()) else {
            return Ok(None);
        };
        Ok(Some(Trashed {
            passkey,
            deleted_unix_ms: Some(deleted).filter(|deleted| *deleted < NOT_TOLD >> 16),
        }))
    }

    /// Takes a passkey back from the trash; `false` where it is not there. One that was made for the same account since goes
    /// into the trash.
    pub fn take_back(
        &mut self,
        rng: &mut dyn CryptoRng,
        id: &CredentialId,
        record: Option<&Record>,
    ) -> Result<bool, Error> {
        let Some(Trashed { passkey, .. }) = self.trashed(id)? else {
            return Ok(false);
        };
        let replaced = self.index.replaced_by(&passkey);
        self.put(rng, &passkey, &replaced, record)?;
        Ok(true)
    }

    /// Throws away what was deleted before a time, keys and names; that it was deleted stays known. Says how many.
    pub(crate) fn empty_trash(
        &mut self,
        rng: &mut dyn CryptoRng,
        before_unix_ms: u64,
    ) -> Result<usize, Error> {
        let mut put_merged = Vec::new();
        self.database.all_merged(|row, sealed| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            let (id, mut merged) = Merged::decode(&payload).ok_or(Error::Tampered)?;
            let old = merged
                .deleted_unix_ms()
                .is_some_and(|deleted| deleted < before_unix_ms);
            if old && merged.content().is_some() {
                merged.forget();
                put_merged.push((row, self.seal_merged(rng, row, &id, &merged)?));
            }
            Ok(())
        })?;
        let thrown_away = put_merged.len();
        if thrown_away > 0 {
            self.database.apply(&Change {
                put_merged,
                ..Change::default()
            })?;
        }
        Ok(thrown_away)
    }

    /// All that is merged, in the order of the ids.
    #[cfg(test)]
    pub(crate) fn merged_for_test(&self) -> Vec<(CredentialId, Vec<u8>)> {
        let mut all = Vec::new();
        let visit = |row, sealed: &[u8]| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            all.push((Merged::decode(&payload).unwrap().0, payload.to_vec()));
            Ok(())
        };
        self.database.all_merged(visit).unwrap();
        all.sort();
        all
    }

    fn seal_merged(
        &self,
        rng: &mut dyn CryptoRng,
        row: RowId,
        id: &CredentialId,
        merged: &Merged,
    ) -> Result<Vec<u8>, Error> {
        let sealed = merged
            .encode(id)
            .and_then(|payload| self.keys.seal(seal::fresh(rng), Place::Merged(row), payload));
        sealed.ok_or(Error::TooLarge)
    }
}

/// What changed in the passkey `is`, whose id is that of `was`.
pub(super) fn changes(was: &Passkey, is: &Passkey) -> Vec<Operation> {
    let mut changes = Vec::new();
    let names = Names::of(is);
    if names != Names::of(was) {
        changes.push(Operation::Rename(is.id.clone(), names));
    }
    if is.large_blob != was.large_blob {
        changes.push(Operation::WriteLargeBlob(is.id.clone(), is.large_blob.clone()));
    }
    changes
}

fn seal_waiting(
    keys: &LocalKeys,
    number: u64,
    operation: &Operation,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Error> {
    let payload = operation.encode().ok_or(Error::TooLarge)?;
    let sealed = keys.seal(seal::fresh(rng), Place::Outbox(number), payload);
    sealed.ok_or(Error::TooLarge)
}

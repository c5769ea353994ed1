//! A vault whose passkeys are on other devices, too: what it tells them, and what it makes of what they tell.
//!
//! A change is made here at once, and an operation that says so waits in the outbox until the store has it. What other
//! devices say goes into what is merged; the passkeys in use follow from that, and from what still waits.
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

pub use self::reading::{NotTaken, Taken};
pub(crate) use self::snapshots::{Making, Piece, Taking};
pub use self::telling::ToSign;
pub(crate) use self::trusting::Extended;
use super::Vault;
use crate::database::{Change, Database, Meta};
use crate::keys::{DeviceId, KeyAuth, WrappingKey};
use crate::local_keys::LocalKeys;
use crate::seal::{self, Place, RowId};
use crate::sync::{DEVICE_NAME_LEN_MAX, DatedBytes, Merged, Names, Operation, Reach, Replica, Standing};
use crate::{CredentialId, Error, Passkey, Profile, Record, RpIdHash, wrap};

/// How many operations are made durable at a time when a device begins to sync.
const BEGIN_WITH: usize = 512;

/// It is looked through the trash once in so long, by a clock that may be wrong.
const DAY_MS: u64 = 86_400_000;

/// Operations that are going to wait in the outbox, in the order of their numbers, and the time of the last of them.
pub(super) struct Said(Vec<Option<CredentialId>>, u64);

/// What is known of a passkey that is in the trash.
pub struct Trashed {
    /// The passkey.
    pub passkey: Passkey,
    /// When it was deleted, by the clock of the device that did: milliseconds since the Unix epoch.
    pub deleted_unix_ms: u64,
    /// For how many days more it is kept, at least. Only days on which this device exchanges are counted.
    pub days_left: u8,
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
            let sealed = self.seal_first(&mut replica, &operation, rng)?;
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
                let sealed = self.seal_first(&mut replica, &Operation::Store(Box::new(passkey)), rng)?;
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

    /// What a device that begins to sync says of what it has had.
    fn seal_first(
        &self,
        replica: &mut Replica,
        operation: &Operation,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        replica.time = (self.unix_ms << 16).max(replica.time + 1);
        let dated = (operation, replica.time, Reach::default());
        seal_waiting(&self.keys, replica.outbox.end, dated, rng)
    }

    /// What the clock says: milliseconds since the Unix epoch. What is done until the next call is done then, unless it comes
    /// with a record that says when.
    pub fn set_time(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
    }

    /// The time of what was done last, as the others are told it: 48 bits of milliseconds, 16 of a counter.
    pub fn last_done(&self) -> u64 {
        self.replica.as_ref().map_or(0, |replica| replica.time)
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
        let said = self.say(rng, &mut change, &[Operation::NameDevice(name.to_owned())], None)?;
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
        record: Option<&Record>,
    ) -> Result<Said, Error> {
        let Some(replica) = &self.replica else {
            return Ok(Said(Vec::new(), 0));
        };
        let unix_ms = record.map_or(self.unix_ms, |record| record.unix_ms);
        let reach = replica.standing.versions.without(self.device_id()).reach();
        let (mut said, mut time) = (Vec::new(), replica.time);
        for (number, operation) in (replica.outbox.end..).zip(operations) {
            time = (unix_ms << 16).max(time + 1);
            let sealed = seal_waiting(&self.keys, number, (operation, time, reach.clone()), rng)?;
            change.put_outbox.push((number, sealed));
            said.push(operation.id().cloned());
        }
        Ok(Said(said, time))
    }

    /// After the change is durable.
    pub(super) fn said(&mut self, Said(ids, time): Said) {
        if let Some(replica) = &mut self.replica {
            replica.time = replica.time.max(time);
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
            let (id, merged) = Merged::decode_row(&payload).ok_or(Error::Tampered)?;
            if merged.is_deleted() {
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
        let known = self.with_what_waits(replica, member.device, &known, id, replica.outbox.start)?;
        let (Some(deleted_unix_ms), Some(passkey)) = (known.deleted_unix_ms(), known.content()) else {
            return Ok(None);
        };
        Ok(Some(Trashed {
            passkey,
            deleted_unix_ms,
            days_left: known.days_left(),
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

    /// Looks through the trash, where a day has passed since: what was in it for its last day is thrown away. That it was
    /// deleted stays known. However far a clock leaps, that is one day; one that was put back begins the day anew.
    pub(crate) fn look_through_trash(&mut self, rng: &mut dyn CryptoRng, unix_ms: u64) -> Result<(), Error> {
        let Some(replica) = &self.replica else {
            return Ok(());
        };
        let before = replica.standing.looked_through_trash_unix_ms;
        if (before..before.saturating_add(DAY_MS)).contains(&unix_ms) {
            return Ok(());
        }
        let mut standing = replica.standing.clone();
        standing.looked_through_trash_unix_ms = unix_ms;
        let mut put_merged = Vec::new();
        if unix_ms > before {
            self.database.all_merged(|row, sealed| {
                let payload = self.keys.open(Place::Merged(row), sealed)?;
                let (id, mut merged) = Merged::decode_row(&payload).ok_or(Error::Tampered)?;
                if merged.stay_in_trash() {
                    put_merged.push((row, self.seal_merged(rng, row, &id, &merged)?));
                }
                Ok(())
            })?;
        }
        let sealed = standing.seal(&replica.names, &self.keys, rng);
        self.database.apply(&Change {
            put_merged,
            put_meta: vec![(Meta::Replica, sealed)],
            ..Change::default()
        })?;
        if let Some(replica) = &mut self.replica {
            replica.standing = standing;
        }
        Ok(())
    }

    /// All that is merged, as others may have it, in the order of the ids.
    #[cfg(test)]
    pub(crate) fn merged_for_test(&self) -> Vec<(CredentialId, Vec<u8>)> {
        let mut all = Vec::new();
        let visit = |row, sealed: &[u8]| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            let (id, merged) = Merged::decode_row(&payload).unwrap();
            let encoded = merged.encode(&id).unwrap().to_vec();
            all.push((id, encoded));
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
            .encode_row(id)
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
    (operation, time, reach): (&Operation, u64, Reach),
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Error> {
    let dated = DatedBytes {
        time,
        reach,
        operation: operation.encode().ok_or(Error::TooLarge)?,
    };
    let sealed = keys.seal(seal::fresh(rng), Place::Outbox(number), dated.encode());
    sealed.ok_or(Error::TooLarge)
}

//! What is read: an object of a device's log becomes part of what is merged, and that what is in use.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Vault;
use crate::database::{Change, Database, Meta};
use crate::frame::{Refused, SealedKind};
use crate::keys::{DeviceId, WrappingKey};
use crate::local_keys::LocalKeys;
use crate::object::{self, Authentic, LogHead, NotNext};
use crate::seal::{self, Place};
use crate::sync::{
    Contradiction, Dated, Entry, Merged, Operation, Replica, Seen, Stamp, Standing, Versions,
    seal_device_names, seal_foreign,
};
use crate::vault::seal_store_state;
use crate::{CredentialId, Error, ObjectHash, Passkey, StoreState, epochs, payload};

/// Why an object of a device's log was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Nobody who may write wrote it, or it is damaged.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It does not continue what was read of its author's log.
    #[error(transparent)]
    NotNext(#[from] NotNext),
    /// Its author had read an object that was not read here: that comes first.
    #[error("an object that it builds on is not there")]
    Waits(DeviceId, u32),
    /// Its author had read an entry of the trust log that was not read here: that comes first.
    #[error("an entry of the trust log that it builds on is not there")]
    WaitsForTrust,
    /// Its author had read another object in the place of one that was read here: the store shows its devices
    /// different things.
    #[error("the devices were shown different logs")]
    Forked(DeviceId, u32),
    /// Its author goes by another trust log.
    #[error("its author goes by another trust log")]
    OtherTrust,
    /// This device does not sync, or its vault has no Vault PIN.
    #[error("this device does not sync")]
    NoSync,
    /// It could not be kept.
    #[error(transparent)]
    Vault(#[from] Error),
}

/// What an object of another device's log brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many passkeys are there, are gone, or are different.
    pub changed: usize,
    /// Whether a device stored another passkey under the id of one that was there. The one that was first stays.
    pub contradiction: bool,
}

/// Where an object of this device comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It was made here; the operations before this number are in it.
    Outbox(u64),
    /// It was read from the store.
    Store,
}

/// An object of a log that may be read next.
struct Readable {
    author: DeviceId,
    head: LogHead,
    time: u64,
    /// What its author had read of the others.
    versions: Versions,
    operations: Vec<Dated>,
}

impl Vault {
    /// An object of a device's log that was read, or is in the store.
    pub(crate) fn log_object(&self, device: DeviceId, seq: u32) -> Result<Option<Vec<u8>>, Error> {
        self.database.device_log(device, seq)
    }

    /// Where such an object stands.
    pub(crate) fn log_place(&self, device: DeviceId, seq: u32) -> Result<Option<LogHead>, Error> {
        let Some(object) = self.database.device_log(device, seq)? else {
            return Ok(None);
        };
        Ok(object::place_of(&object).map(|(head, _)| head))
    }

    /// How far the logs of the devices were read.
    pub(crate) fn log_heads(&self) -> Vec<(DeviceId, LogHead)> {
        let heads = self
            .replica
            .iter()
            .flat_map(|replica| replica.standing.versions.iter());
        heads.collect()
    }

    /// The same.
    pub(crate) fn versions(&self) -> Versions {
        let versions = |replica: &Replica| replica.standing.versions.clone();
        self.replica.as_ref().map(versions).unwrap_or_default()
    }

    /// How far the log of a device was read.
    pub fn log_head(&self, device: DeviceId) -> LogHead {
        let head = |replica: &Replica| replica.standing.versions.head(device);
        self.replica.as_ref().map_or(LogHead::START, head)
    }

    /// When a device wrote last, by its clock: milliseconds since the Unix epoch. `None` where nothing of it was read.
    pub fn last_written_unix_ms(&self, device: DeviceId) -> Result<Option<u64>, Error> {
        let object = self.database.device_log(device, self.log_head(device).seq())?;
        let read = object.as_deref().and_then(object::place_of);
        let covered = self
            .snapshots()
            .iter()
            .filter_map(|known| known.written_unix_ms.get(&device));
        Ok(read
            .map(|(_, unix_ms)| unix_ms)
            .or_else(|| covered.max().copied()))
    }

    /// Up to which of its objects a device is listened to; `None` where it is not at all.
    pub(crate) fn listens_to(&self, device: DeviceId) -> Option<u32> {
        let trust = self.trust()?;
        match trust.former(device) {
            Some((_, last)) => Some(last.seq().max(self.vouched(device))),
            None => trust.member(device).map(|_| u32::MAX),
        }
    }

    /// Up to which of its objects a device is waited for; `None` where it is not at all. What a former member wrote later counts
    /// where somebody had read it, but it may be nowhere any more.
    pub(crate) fn waits_for(&self, device: DeviceId) -> Option<u32> {
        let trust = self.trust()?;
        match trust.former(device) {
            Some((_, last)) => Some(last.seq()),
            None => trust.member(device).map(|_| u32::MAX),
        }
    }

    /// Up to where somebody whose word counts had read the log of a device that is no member any more.
    fn vouched(&self, device: DeviceId) -> u32 {
        let vouched = |replica: &Replica| replica.vouched.get(&device).copied();
        let vouched = self.replica.as_ref().and_then(vouched);
        vouched.unwrap_or(0).max(self.log_head(device).seq())
    }

    /// How far the log of each device goes on in the store after what was read of it.
    pub(crate) fn note_offers(&mut self, end: impl Fn(DeviceId, u32) -> u32) {
        let (Some(replica), Some(member)) = (&mut self.replica, &self.member) else {
            return;
        };
        let former = member.trust.former_members().map(|(device, _)| device);
        let offer = |device| (device, end(device, replica.standing.versions.head(device).seq()));
        replica.offers = member.trust.members().chain(former).map(offer).collect();
    }

    /// Whether what comes next in a log is beyond what the trust log accepts of it, and the store does not have it.
    fn is_not_to_be_had(&self, replica: &Replica, device: DeviceId) -> bool {
        let read = replica.standing.versions.head(device).seq();
        let former = self.trust().and_then(|trust| trust.former(device));
        let offer = replica.offers.get(&device).copied().unwrap_or(0);
        former.is_some_and(|(_, last)| read >= last.seq()) && offer <= read
    }

    /// The store has the object that was to be put into it.
    pub fn published(&mut self, rng: &mut dyn CryptoRng) -> Result<(), NotTaken> {
        let formed = self.database.meta(Meta::Formed)?.ok_or(NotTaken::NoSync)?;
        let (end, object) = formed.split_first_chunk::<8>().ok_or(Error::Tampered)?;
        let readable = self.readable(object)?;
        let end = u64::from_be_bytes(*end);
        self.take(rng, object, readable, Source::Outbox(end)).map(drop)
    }

    /// Takes an object of a device's log from the store. It may be one of this device that it does not remember.
    pub fn take_object(&mut self, rng: &mut dyn CryptoRng, object: &[u8]) -> Result<Taken, NotTaken> {
        // The store has it, and the answer that said so was lost.
        let mine = self.object_to_publish()?;
        if mine.is_some_and(|(_, mine)| mine == object) {
            self.published(rng)?;
            return Ok(Taken {
                changed: 0,
                contradiction: false,
            });
        }
        let readable = self.readable(object);
        if let (Err(NotTaken::Waits(device, seq)), Some(replica)) = (&readable, &mut self.replica) {
            replica.vouch([(*device, *seq)]);
        }
        self.take(rng, object, readable?, Source::Store)
    }

    /// Reads an object, and says whether it is its turn.
    fn readable(&self, bytes: &[u8]) -> Result<Readable, NotTaken> {
        let (Some(replica), Some(member), Some(session)) = (&self.replica, &self.member, &self.session)
        else {
            return Err(NotTaken::NoSync);
        };
        let vouched = |author| self.vouched(author);
        let object = Authentic::read_vouched(bytes, SealedKind::Log, &member.trust, vouched)?;
        let header = *object.header();
        let position = header.position;
        let head = replica.standing.versions.head(position.author).after(&object)?;
        let accepted = member.trust.former(position.author).map(|(_, last)| last);
        if accepted.is_some_and(|last| last.seq() == head.seq() && last != head) {
            // Who removed its author had read another one.
            return Err(NotTaken::Forked(position.author, position.seq));
        }
        if position.trust_seq > member.trust.remembered().seq {
            return Err(NotTaken::WaitsForTrust);
        }
        let entry = self.trust_entry(position.trust_seq)?;
        if entry.as_deref().map(ObjectHash::of) != Some(position.trust_head) {
            return Err(NotTaken::OtherTrust);
        }
        let key = session.keys.get(&header.epoch).ok_or(NotTaken::WaitsForTrust)?;
        let entry = Entry::decode(&object.open(key)?).ok_or(Refused::Malformed)?;
        let told = self.told(position.author)?;
        let versions = told.with(&entry.news).ok_or(Refused::Malformed)?;
        if versions.hash() != position.seen {
            return Err(Refused::Malformed.into());
        }
        if !are_in_order(
            &entry.operations,
            &versions.without(position.author),
            position.time,
        ) {
            return Err(Refused::Malformed.into());
        }
        self.check_built_on(replica, position.author, &entry.news)?;
        Ok(Readable {
            author: position.author,
            head,
            time: position.time,
            versions,
            operations: entry.operations,
        })
    }

    /// What the author of an object had read was read here, and is the same.
    fn check_built_on(&self, replica: &Replica, author: DeviceId, news: &Versions) -> Result<(), NotTaken> {
        for (device, head) in news.iter() {
            let read = replica.standing.versions.head(device);
            if device == author {
                return Err(Refused::Malformed.into());
            }
            if head.seq() > read.seq() {
                if self.is_not_to_be_had(replica, device) {
                    continue;
                }
                return Err(NotTaken::Waits(device, head.seq()));
            }
            let here = if head.seq() == read.seq() {
                Some(read.hash())
            } else {
                let object = self.database.device_log(device, head.seq())?;
                object.as_deref().map(ObjectHash::of)
            };
            if here.is_some_and(|here| here != head.hash()) {
                return Err(NotTaken::Forked(device, head.seq()));
            }
        }
        Ok(())
    }

    /// What a device said last of how far it had read the others.
    pub(crate) fn told(&self, device: DeviceId) -> Result<Versions, Error> {
        let Some(sealed) = self.database.told(device)? else {
            return Ok(Versions::default());
        };
        let payload = self.keys.open(Place::Told(device), &sealed)?;
        let mut input = crate::cbor::Reader(&payload);
        let told = Versions::decode(&mut input).filter(|_| input.end().is_some());
        told.ok_or(Error::Tampered)
    }

    /// Makes of an object that is read next what follows from it.
    fn take(
        &mut self,
        rng: &mut dyn CryptoRng,
        bytes: &[u8],
        object: Readable,
        source: Source,
    ) -> Result<Taken, NotTaken> {
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Err(NotTaken::NoSync);
        };
        let own = object.author == member.device;
        let told_before = match source {
            Source::Outbox(end) => end,
            Source::Store => replica.outbox.start,
        };
        let (merged, contradiction) = self.merge(replica, &object)?;
        let mut change = Change {
            put_device_log: Some(((object.author, object.head.seq()), bytes.to_vec())),
            put_told: vec![(
                object.author,
                seal_told(&self.keys, object.author, &object.versions, rng),
            )],
            ..Change::default()
        };
        if own {
            change.remove_meta.push(Meta::Formed);
            change.remove_outbox = replica.outbox.start..told_before;
        }
        let standing = standing_after(&replica.standing, &object, own, source);
        let mut shown = BTreeMap::new();
        for (id, merged) in &merged {
            let row = replica.names.row(id.as_bytes());
            let sealed = self.seal_merged(rng, row, id, merged)?;
            change.put_merged.push((row, sealed));
            let known = self.with_what_waits(replica, member.device, merged, id, told_before)?;
            if let Some(now) = self.different(id, known.visible())? {
                shown.insert(id.clone(), now);
            }
        }
        let sealed = standing.seal(&replica.names, &self.keys, rng);
        change.put_meta.push((Meta::Replica, sealed));
        let foreign = new_keys(&replica.foreign, &object.operations);
        if let Some(foreign) = &foreign {
            let sealed = seal_foreign(foreign, &self.keys, rng).ok_or(Error::TooLarge)?;
            change.put_meta.push((Meta::ForeignKeys, sealed));
        }
        let names = new_names(replica, &object);
        if let Some(names) = &names {
            let sealed = seal_device_names(names, &self.keys, rng).ok_or(Error::TooLarge)?;
            change.put_meta.push((Meta::DeviceNames, sealed));
        }
        let changed = shown.len();
        self.show(rng, change, shown)?;
        if let Some(replica) = &mut self.replica {
            replica.time = replica.time.max(standing.time);
            replica.standing = standing;
            replica.vouch(object.versions.iter().map(|(device, head)| (device, head.seq())));
            if let Some(foreign) = foreign {
                replica.foreign = foreign;
            }
            if let Some(names) = names {
                replica.device_names = names;
            }
            if own {
                replica.forget_before(told_before);
            }
        }
        Ok(Taken {
            changed,
            contradiction,
        })
    }

    /// What is merged with the operations of `object`, for each passkey that they are about.
    fn merge(
        &self,
        replica: &Replica,
        object: &Readable,
    ) -> Result<(BTreeMap<CredentialId, Merged>, bool), Error> {
        let mut touched = BTreeMap::new();
        let mut contradiction = false;
        for (index, dated) in (0..).zip(&object.operations) {
            let Some(id) = dated.operation.id() else {
                continue;
            };
            let merged = match touched.entry(id.clone()) {
                MapEntry::Occupied(merged) => merged.into_mut(),
                MapEntry::Vacant(place) => {
                    let merged = self.merged(replica, place.key())?;
                    place.insert(merged)
                }
            };
            let stamp = Stamp {
                time: dated.time,
                device: object.author,
                seq: object.head.seq(),
                index,
            };
            let seen = Seen {
                author: object.author,
                versions: &object.versions,
                but: &dated.reach,
            };
            contradiction |= merged.apply(&dated.operation, stamp, seen) == Err(Contradiction);
        }
        Ok((touched, contradiction))
    }

    pub(super) fn merged(&self, replica: &Replica, id: &CredentialId) -> Result<Merged, Error> {
        let row = replica.names.row(id.as_bytes());
        let Some(sealed) = self.database.merged(row)? else {
            return Ok(Merged::default());
        };
        let payload = self.keys.open(Place::Merged(row), &sealed)?;
        let (found, merged) = Merged::decode_row(&payload).ok_or(Error::Tampered)?;
        if found == *id {
            Ok(merged)
        } else {
            Err(Error::Tampered)
        }
    }

    /// All that is known of a passkey: what is merged, and what waits to be told of it by this device, from this number on.
    pub(super) fn with_what_waits(
        &self,
        replica: &Replica,
        author: DeviceId,
        merged: &Merged,
        id: &CredentialId,
        told_before: u64,
    ) -> Result<Merged, Error> {
        let waiting = replica.waiting.get(id).into_iter().flatten();
        let waiting = waiting.filter(|number| **number >= told_before);
        let mut merged = merged.copy();
        for (index, number) in (0..).zip(waiting) {
            let sealed = self.database.outbox_entry(*number)?.ok_or(Error::Tampered)?;
            let dated = self.keys.open(Place::Outbox(*number), &sealed)?;
            let dated = Dated::decode(&dated).ok_or(Error::Tampered)?;
            let stamp = Stamp {
                time: dated.time,
                device: author,
                seq: u32::MAX,
                index,
            };
            let seen = Seen {
                author,
                versions: &Versions::default(),
                but: &dated.reach,
            };
            // Which of two contradicting ones is kept is said when it is told.
            let _ = merged.apply(&dated.operation, stamp, seen);
        }
        Ok(merged)
    }

    /// What has to change for `visible` to be what is in use; `None` where it is.
    #[expect(clippy::option_option, reason = "the outer is whether there is a difference")]
    pub(super) fn different(
        &self,
        id: &CredentialId,
        visible: Option<Passkey>,
    ) -> Result<Option<Option<Passkey>>, Error> {
        let same = match (self.load(id)?, &visible) {
            (None, None) => true,
            (Some(is), Some(should)) => payload::encode(&is)? == payload::encode(should)?,
            _ => false,
        };
        Ok((!same).then_some(visible))
    }

    /// Makes `change` durable before long, and `shown` what is in use.
    pub(super) fn show(
        &mut self,
        rng: &mut dyn CryptoRng,
        mut change: Change,
        shown: BTreeMap<CredentialId, Option<Passkey>>,
    ) -> Result<(), Error> {
        let removed: BTreeSet<_> = shown.keys().cloned().collect();
        let mut rows = Vec::new();
        for passkey in shown.values().flatten() {
            let (row, sealed) = self.seal_passkey(rng, passkey)?;
            change.put_passkeys.push((row, sealed));
            rows.push(row);
        }
        change.remove_passkeys = removed.iter().filter_map(|id| self.index.row(id)).collect();
        let put: Vec<&Passkey> = shown.values().flatten().collect();
        self.note_known(&mut change, &put, &removed);
        let store_state = if shown.is_empty() {
            self.store_state
        } else {
            StoreState::random(rng)
        };
        let sealed = seal_store_state(&self.keys, store_state, rng);
        change.put_meta.push((Meta::StoreState, sealed));
        self.make(change, Database::apply_later)?;
        self.store_state = store_state;
        for id in &removed {
            self.index.remove(id);
        }
        for (passkey, row) in put.into_iter().zip(rows) {
            self.index
                .insert(passkey, row)
                .expect("what was in the way is removed");
        }
        Ok(())
    }
}

/// Whether each was done after the one before and not after the object was written, and says only what it has to.
fn are_in_order(operations: &[Dated], others: &Versions, written: u64) -> bool {
    let ascend = operations.is_sorted_by(|one, next| one.time < next.time);
    let last = operations.last().is_none_or(|last| last.time <= written);
    ascend && last && operations.iter().all(|dated| dated.reach.is_short_of(others))
}

/// Where this device stands when it has read `object`.
fn standing_after(before: &Standing, object: &Readable, own: bool, source: Source) -> Standing {
    let mut after = before.clone();
    after.versions.set(object.author, object.head);
    if own {
        after.time = object.time.max(after.time);
        after.owes_an_answer = false;
        if source == Source::Store {
            // A device that finds objects of its own that it does not remember begins another life.
            after.incarnation = after.incarnation.max(object.head.incarnation() + 1);
        }
    } else {
        after.owes_an_answer |= !object.operations.is_empty();
    }
    after
}

/// What the devices call themselves, where that is new.
fn new_names(replica: &Replica, object: &Readable) -> Option<BTreeMap<DeviceId, String>> {
    let named = object
        .operations
        .iter()
        .rev()
        .find_map(|dated| match &dated.operation {
            Operation::NameDevice(name) => Some(name),
            Operation::Store(_)
            | Operation::Rename(..)
            | Operation::WriteLargeBlob(..)
            | Operation::Delete(_)
            | Operation::ShareWrappingKey(_) => None,
        })?;
    let mut names = replica.device_names.clone();
    names.insert(object.author, named.clone());
    Some(names)
}

/// The wrapping keys that devices share with those in `operations`; `None` where there is no new one.
fn new_keys(known: &[WrappingKey], operations: &[Dated]) -> Option<Vec<WrappingKey>> {
    let shared = operations.iter().filter_map(|dated| match &dated.operation {
        Operation::ShareWrappingKey(key) => Some(key),
        Operation::Store(_)
        | Operation::Rename(..)
        | Operation::WriteLargeBlob(..)
        | Operation::Delete(_)
        | Operation::NameDevice(_) => None,
    });
    with_keys(known, shared)
}

/// All of these wrapping keys, ascending; `None` where `more` has no new one.
pub(super) fn with_keys<'a>(
    known: &[WrappingKey],
    more: impl IntoIterator<Item = &'a WrappingKey>,
) -> Option<Vec<WrappingKey>> {
    let mut keys: Vec<_> = known.iter().map(WrappingKey::copy).collect();
    for key in more {
        let order = |other: &WrappingKey| {
            let secrets = (other.secret().expose_secret(), key.secret().expose_secret());
            other.epoch.cmp(&key.epoch).then(secrets.0.cmp(secrets.1))
        };
        if let Err(at) = keys.binary_search_by(order)
            && keys.len() < epochs::SEALED_MAX
        {
            keys.insert(at, key.copy());
        }
    }
    (keys.len() > known.len()).then_some(keys)
}

pub(super) fn seal_told(
    keys: &LocalKeys,
    device: DeviceId,
    told: &Versions,
    rng: &mut dyn CryptoRng,
) -> Vec<u8> {
    let mut payload = Zeroizing::new(Vec::new());
    told.encode(&mut crate::cbor::Writer(&mut payload));
    keys.seal(seal::fresh(rng), Place::Told(device), payload)
        .expect("the number of devices is bounded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    /// Mutation: of two keys with one number only one stays.
    #[test]
    fn keys_of_two_devices_with_one_number_stay_both_in_whatever_order_they_come() {
        let key = |fill| WrappingKey::new(1, Secret::from_slice(&[fill; 32]).unwrap());
        for order in [[1, 2, 1], [2, 1, 2]] {
            let mut known = Vec::new();
            for fill in order {
                known = with_keys(&known, [&key(fill)]).unwrap_or(known);
            }
            let fills: Vec<_> = known.iter().map(|key| key.secret().expose_secret()[0]).collect();
            assert_eq!(fills, [1, 2]);
        }
    }
}

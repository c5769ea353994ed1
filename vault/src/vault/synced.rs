//! A vault whose passkeys are on other devices, too: what it tells them, and what it makes of what they tell.
//!
//! A change is made here at once, and an operation that says so waits in the outbox until the store has it. What other
//! devices say goes into what is merged; the passkeys in use follow from that, and from what still waits: it is newer
//! than everything that was read.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Vault;
use crate::database::{Change, Meta};
use crate::frame::{Refused, SealedKind, Unsigned};
use crate::keys::{DeviceId, KeyAuth};
use crate::local_keys::LocalKeys;
use crate::locked::Member;
use crate::membership::Name;
use crate::object::{self, Authentic, LogHead, NotNext, Position};
use crate::seal::{self, Place, RowId};
use crate::signature::{Signature, SignedHash};
use crate::sync::{
    Contradiction, Entry, Merged, Operation, Replica, Seen, Stamp, Standing, Versions, encode_entry,
};
use crate::{CredentialId, Error, ObjectHash, Passkey, Profile, Record, StoreState, Trust, payload};

/// How many bytes of operations are put into one object, more or less.
const OBJECT_LEN: usize = 192 << 10;
/// How many operations at most.
const OBJECT_OPERATIONS: usize = 1024;
/// How many operations are made durable at a time when a device begins to sync.
const BEGIN_WITH: usize = 512;

/// Operations that are going to wait in the outbox, in the order of their numbers.
pub(super) struct Said(Vec<CredentialId>);

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
    /// This device does not sync, or its vault has no Vault PIN.
    #[error("this device does not sync")]
    NoSync,
    /// It could not be kept.
    #[error(transparent)]
    Vault(#[from] Error),
}

/// What an entry of the trust log means for this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    /// Everything goes on.
    Goes,
    /// The root key or the Vault PIN is another one.
    NeedsPin,
    /// This device is no member any more.
    Removed,
    /// Something that it needs is not there; nothing was changed.
    Incomplete,
}

/// What this device has to say, to be signed by it.
pub struct ToSign {
    object: Unsigned,
    /// The operations in it are those before this number.
    end: u64,
}

impl ToSign {
    /// For the device's key store.
    pub fn hash(&self) -> &SignedHash {
        self.object.to_sign()
    }
}

/// Operations that go into one object, and the number after theirs.
struct Batch {
    operations: Vec<Zeroizing<Vec<u8>>>,
    end: u64,
}

/// Where an object of this device comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It was made here; the operations before this number are in it.
    Outbox(u64),
    /// It was read from the store.
    Store,
}

/// What an object of another device's log brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many passkeys are there, are gone, or are different.
    pub changed: usize,
    /// Whether a device stored another passkey under the id of one that was there. The one that was first stays.
    pub contradiction: bool,
}

/// What is known of a passkey that is in the trash.
pub struct Trashed {
    /// The passkey.
    pub passkey: Passkey,
    /// When it was deleted, by the clock of the device that did: milliseconds since the Unix epoch.
    pub deleted_unix_ms: u64,
}

/// An object of a log that may be read next.
struct Readable {
    author: DeviceId,
    head: LogHead,
    time: u64,
    /// What its author had read of the others.
    versions: Versions,
    operations: Vec<Operation>,
}

impl Vault {
    /// Whether this device tells the others what changes, and listens to them.
    pub fn syncs(&self) -> bool {
        self.replica.is_some()
    }

    /// From now on this device syncs; all that may leave it is going to be told. Nothing happens where it does already.
    pub fn begin_sync(&mut self, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        if self.member.is_none() {
            return Err(Error::HasNoPin);
        }
        if self.syncs() {
            return Ok(());
        }
        let mut replica = Replica::new(rng);
        // What an earlier beginning left that did not end.
        self.database.apply_later(&Change {
            forget_sync: true,
            ..Change::default()
        })?;
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
                replica.note(id, number);
            }
            self.database.apply_later(&change)?;
        }
        let sealed = replica.standing().seal(&self.keys, rng);
        self.database.apply(&Change {
            put_meta: vec![(Meta::Replica, sealed)],
            ..Change::default()
        })?;
        self.replica = Some(replica);
        Ok(())
    }

    /// What the device's key store asks for before it signs for an open vault; `None` where it is not a member of one.
    pub fn key_auth(&self) -> Option<&KeyAuth> {
        self.session.as_ref().map(|session| &session.auth)
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
            said.push(operation.id().clone());
        }
        Ok(Said(said))
    }

    /// After the change is durable.
    pub(super) fn said(&mut self, Said(ids): Said) {
        if let Some(replica) = &mut self.replica {
            for id in ids {
                replica.note(&id, replica.outbox.end);
            }
        }
    }

    /// The passkeys in the trash: deleted, and not thrown away yet.
    pub fn trash(&self) -> Result<Vec<Trashed>, Error> {
        let mut trash = Vec::new();
        self.database.all_merged(|row, sealed| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            let (_, merged) = Merged::decode(&payload).ok_or(Error::Tampered)?;
            if let (Some(deleted_unix_ms), Some(passkey)) = (merged.deleted_unix_ms(), merged.content()) {
                trash.push(Trashed {
                    passkey,
                    deleted_unix_ms,
                });
            }
            Ok(())
        })?;
        Ok(trash)
    }

    /// Takes a passkey back from the trash; `false` where it is not there. One that was made for the same account since goes
    /// into the trash.
    pub fn take_back(
        &mut self,
        rng: &mut dyn CryptoRng,
        id: &CredentialId,
        record: Option<&Record>,
    ) -> Result<bool, Error> {
        let Some(replica) = &self.replica else {
            return Ok(false);
        };
        let merged = self.merged(replica, id)?;
        let (Some(_), Some(passkey)) = (merged.deleted_unix_ms(), merged.content()) else {
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

    /// What this device has to say next, to be signed by it; `None` where there is nothing, or something that was signed
    /// is not in the store yet. `unix_ms` is the time.
    pub fn next_object(&self, rng: &mut dyn CryptoRng, unix_ms: u64) -> Result<Option<ToSign>, Error> {
        let (Some(replica), Some(member), Some(session)) = (&self.replica, &self.member, &self.session)
        else {
            return Ok(None);
        };
        if self.database.meta(Meta::Formed)?.is_some() {
            return Ok(None);
        }
        let Batch { operations, end } = self.waiting_operations()?;
        if operations.is_empty() && !replica.owes_an_answer {
            return Ok(None);
        }
        let others = replica.versions.without(member.device);
        let news = others.since(&self.told(member.device)?);
        let own = replica.own_head(member.device);
        let known = member.trust.remembered();
        let position = Position {
            author: member.device,
            incarnation: replica.incarnation,
            seq: own.seq() + 1,
            previous: own.hash(),
            time: (unix_ms << 16).max(replica.time + 1),
            trust_seq: known.seq,
            trust_head: known.head,
            seen: others.hash(),
        };
        let key = session.keys.get(&member.trust.epoch()).ok_or(Error::Tampered)?;
        let entry = encode_entry(&news, &operations);
        let object = object::seal(key, SealedKind::Log, position, entry, rng).ok_or(Error::TooLarge)?;
        Ok(Some(ToSign { object, end }))
    }

    /// The operations that go into the next object, and the number after theirs.
    fn waiting_operations(&self) -> Result<Batch, Error> {
        let (mut operations, mut len, mut end) = (Vec::new(), 0, 0);
        self.database.outbox(|number, sealed| {
            let operation = self.keys.open(Place::Outbox(number), sealed)?;
            len += operation.len();
            end = number + 1;
            operations.push(operation);
            let full = len >= OBJECT_LEN || operations.len() == OBJECT_OPERATIONS;
            Ok(if full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(Batch { operations, end })
    }

    /// Keeps what this device said and signed, until the store has it.
    pub fn keep_object(&mut self, said: ToSign, signature: &Signature) -> Result<(), Error> {
        let object = said.object.signed(signature);
        let formed = [&said.end.to_be_bytes(), object.as_slice()].concat();
        self.database.apply(&Change {
            put_meta: vec![(Meta::Formed, formed)],
            ..Change::default()
        })
    }

    /// The object of this device that is to be put into the store, and where in its log that is.
    pub(crate) fn object_to_publish(&self) -> Result<Option<(LogHead, Vec<u8>)>, Error> {
        let (Some(replica), Some(formed)) = (&self.replica, self.database.meta(Meta::Formed)?) else {
            return Ok(None);
        };
        let object = formed.get(8..).ok_or(Error::Tampered)?;
        let seq = replica.own_head(self.device_id()).seq() + 1;
        let head = LogHead::new(replica.incarnation, seq, ObjectHash::of(object));
        Ok(Some((head, object.to_vec())))
    }

    /// Whether something waits to be told.
    pub(crate) fn has_something_to_say(&self) -> bool {
        let waits = |replica: &Replica| replica.owes_an_answer || !replica.outbox.is_empty();
        self.replica.as_ref().is_some_and(waits)
    }

    /// This device.
    ///
    /// # Panics
    ///
    /// Where the vault has no Vault PIN.
    pub(crate) fn device_id(&self) -> DeviceId {
        self.member.as_ref().expect("a member").device
    }

    /// What the trust log says; `None` where the vault has no Vault PIN.
    pub fn trust(&self) -> Option<&Trust> {
        self.member.as_ref().map(|member| &member.trust)
    }

    /// How many entries of the trust log are in the store.
    pub(crate) fn published_trust(&self) -> u32 {
        self.replica.as_ref().map_or(0, |replica| replica.published_trust)
    }

    /// Remembers that the store has the trust log up to this entry.
    pub(crate) fn set_published_trust(&mut self, rng: &mut dyn CryptoRng, seq: u32) -> Result<(), Error> {
        let Some(replica) = &mut self.replica else {
            return Ok(());
        };
        let standing = Standing {
            published_trust: seq,
            ..replica.standing()
        };
        let sealed = standing.seal(&self.keys, rng);
        self.database.apply(&Change {
            put_meta: vec![(Meta::Replica, sealed)],
            ..Change::default()
        })?;
        replica.published_trust = seq;
        Ok(())
    }

    /// An entry of the trust log.
    pub(crate) fn trust_entry(&self, seq: u32) -> Result<Option<Vec<u8>>, Error> {
        self.database.object(&Name::Entry(seq).to_bytes())
    }

    /// A slot, or the root keys of earlier epochs.
    pub(crate) fn membership_object(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.database.object(&Name::Object(hash).to_bytes())
    }

    /// An object of a device's log that was read, or is in the store.
    pub(crate) fn log_object(&self, device: DeviceId, seq: u32) -> Result<Option<Vec<u8>>, Error> {
        self.database.device_log(device, seq)
    }

    /// Where such an object stands.
    pub(crate) fn log_place(&self, device: DeviceId, seq: u32) -> Result<Option<LogHead>, Error> {
        let Some(object) = self.database.device_log(device, seq)? else {
            return Ok(None);
        };
        Ok(object::place_of(&object))
    }

    /// How far the logs of the devices were read.
    pub(crate) fn log_heads(&self) -> Vec<(DeviceId, LogHead)> {
        let heads = self.replica.iter().flat_map(|replica| replica.versions.iter());
        heads.collect()
    }

    /// How far the log of a device was read.
    pub fn log_head(&self, device: DeviceId) -> LogHead {
        let head = |replica: &Replica| replica.versions.head(device);
        self.replica.as_ref().map_or(LogHead::START, head)
    }

    /// Whether what this device says is listened to.
    pub(crate) fn reads_log_of(&self, device: DeviceId) -> bool {
        self.trust().is_some_and(|trust| trust.member(device).is_some())
    }

    /// What has to be there for this device to take the next entry of the trust log, and is not.
    pub(crate) fn needed_by(&self, entry: &[u8]) -> Result<Result<Vec<ObjectHash>, Refused>, Error> {
        let Some(member) = &self.member else {
            return Ok(Err(Refused::Misplaced));
        };
        let next = match member.trust.follow(entry) {
            Ok(next) => next,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut needed = Vec::new();
        for hash in next
            .device_slot(member.device)
            .into_iter()
            .chain(next.earlier_keys())
        {
            if self.membership_object(hash)?.is_none() {
                needed.push(hash);
            }
        }
        Ok(Ok(needed))
    }

    /// Takes the next entry of the trust log, with what it needs.
    pub(crate) fn extend_trust(
        &mut self,
        entry: &[u8],
        objects: Vec<(ObjectHash, Vec<u8>)>,
    ) -> Result<Extended, Error> {
        let Ok(needed) = self.needed_by(entry)? else {
            return Ok(Extended::Incomplete);
        };
        if !needed
            .iter()
            .all(|hash| objects.iter().any(|(found, _)| found == hash))
        {
            return Ok(Extended::Incomplete);
        }
        let Some(member) = &mut self.member else {
            return Ok(Extended::Incomplete);
        };
        let Ok(next) = member.trust.follow(entry) else {
            return Ok(Extended::Incomplete);
        };
        let kept: BTreeSet<_> = next.objects_in_force().collect();
        let replaced = member
            .trust
            .objects_in_force()
            .filter(|hash| !kept.contains(hash));
        let mut change = Change {
            remove_objects: replaced.map(|hash| Name::Object(hash).to_bytes()).collect(),
            ..Change::default()
        };
        let place = Name::Entry(next.remembered().seq).to_bytes();
        change.put_objects.push((place, entry.to_vec()));
        let objects = objects.into_iter();
        change
            .put_objects
            .extend(objects.map(|(hash, object)| (Name::Object(hash).to_bytes(), object)));
        self.database.apply(&change)?;
        let same_keys =
            next.epoch() == member.trust.epoch() && next.pin_generation() == member.trust.pin_generation();
        let extended = if next.member(member.device).is_none() {
            Extended::Removed
        } else if same_keys {
            Extended::Goes
        } else {
            Extended::NeedsPin
        };
        member.trust = next;
        Ok(extended)
    }

    /// The store has the object that was to be put into it.
    pub fn published(&mut self, rng: &mut dyn CryptoRng) -> Result<(), NotTaken> {
        let formed = self.database.meta(Meta::Formed)?.ok_or(NotTaken::NoSync)?;
        let (end, object) = formed.split_first_chunk::<8>().ok_or(Error::Tampered)?;
        let readable = self.readable(object)?;
        let end = u64::from_be_bytes(*end);
        self.take(rng, object, readable, Source::Outbox(end)).map(drop)
    }

    /// The store has another object in the place of the one that was to be put into it: this device was restored from a
    /// copy, and wrote it before. What was to be said is going to be said again, in another life, after
    /// [`Self::take_object`] took what is there.
    pub fn disown(&mut self) -> Result<(), Error> {
        self.database.apply(&Change {
            remove_meta: vec![Meta::Formed],
            ..Change::default()
        })
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
        let readable = self.readable(object)?;
        self.take(rng, object, readable, Source::Store)
    }

    /// Reads an object, and says whether it is its turn.
    fn readable(&self, bytes: &[u8]) -> Result<Readable, NotTaken> {
        let (Some(replica), Some(member), Some(session)) = (&self.replica, &self.member, &self.session)
        else {
            return Err(NotTaken::NoSync);
        };
        let object = Authentic::read(bytes, SealedKind::Log, member.trust.vault(), &member.trust)?;
        let header = *object.header();
        let position = header.position;
        let head = replica.versions.head(position.author).after(&object)?;
        if position.trust_seq > member.trust.remembered().seq {
            return Err(NotTaken::WaitsForTrust);
        }
        let key = session.keys.get(&header.epoch).ok_or(NotTaken::WaitsForTrust)?;
        let entry = Entry::decode(&object.open(key)?).ok_or(Refused::Malformed)?;
        let told = self.told(position.author)?;
        let versions = told.with(&entry.news).ok_or(Refused::Malformed)?;
        if versions.hash() != position.seen {
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
            let read = replica.versions.head(device);
            if device == author {
                return Err(Refused::Malformed.into());
            }
            if head.seq() > read.seq() {
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
    fn told(&self, device: DeviceId) -> Result<Versions, Error> {
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
            put_told: Some((
                object.author,
                seal_told(&self.keys, object.author, &object.versions, rng),
            )),
            ..Change::default()
        };
        if own {
            change.remove_meta.push(Meta::Formed);
            change.remove_outbox = replica.outbox.start..told_before;
        }
        let mut shown = BTreeMap::new();
        for (id, merged) in &merged {
            let row = replica.names.row(id.as_bytes());
            change
                .put_merged
                .push((row, self.seal_merged(rng, row, id, merged)?));
            let visible = self.with_what_waits(replica, member, merged, id, told_before)?;
            if let Some(now) = self.different(id, visible)? {
                shown.insert(id.clone(), now);
            }
        }
        let mut versions = replica.versions.clone();
        versions.set(object.author, object.head);
        let standing = Standing {
            versions: &versions,
            // A device that finds objects of its own that it does not remember begins another life.
            incarnation: if own && source == Source::Store {
                replica.incarnation.max(object.head.incarnation() + 1)
            } else {
                replica.incarnation
            },
            time: if own {
                object.time.max(replica.time)
            } else {
                replica.time
            },
            owes_an_answer: !own && (replica.owes_an_answer || !object.operations.is_empty()),
            ..replica.standing()
        };
        let (incarnation, time, owes) = (standing.incarnation, standing.time, standing.owes_an_answer);
        change
            .put_meta
            .push((Meta::Replica, standing.seal(&self.keys, rng)));
        let changed = shown.len();
        self.show(rng, change, shown)?;
        if let Some(replica) = &mut self.replica {
            replica.versions = versions;
            replica.incarnation = incarnation;
            replica.time = time;
            replica.owes_an_answer = owes;
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
        let seen = Seen {
            author: object.author,
            versions: &object.versions,
        };
        for (index, operation) in (0..).zip(&object.operations) {
            let merged = match touched.entry(operation.id().clone()) {
                MapEntry::Occupied(merged) => merged.into_mut(),
                MapEntry::Vacant(place) => {
                    let merged = self.merged(replica, place.key())?;
                    place.insert(merged)
                }
            };
            let stamp = Stamp {
                time: object.time,
                device: object.author,
                seq: object.head.seq(),
                index,
            };
            contradiction |= merged.apply(operation, stamp, seen) == Err(Contradiction);
        }
        Ok((touched, contradiction))
    }

    fn merged(&self, replica: &Replica, id: &CredentialId) -> Result<Merged, Error> {
        let row = replica.names.row(id.as_bytes());
        let Some(sealed) = self.database.merged(row)? else {
            return Ok(Merged::default());
        };
        let payload = self.keys.open(Place::Merged(row), &sealed)?;
        let (found, merged) = Merged::decode(&payload).ok_or(Error::Tampered)?;
        if found == *id {
            Ok(merged)
        } else {
            Err(Error::Tampered)
        }
    }

    /// The passkey as it is to be used: what is merged, and then what waits to be told of it.
    fn with_what_waits(
        &self,
        replica: &Replica,
        member: &Member,
        merged: &Merged,
        id: &CredentialId,
        told_before: u64,
    ) -> Result<Option<Passkey>, Error> {
        let waiting = replica.waiting.get(id).into_iter().flatten();
        let mut waiting = waiting.filter(|number| **number >= told_before).peekable();
        if waiting.peek().is_none() {
            return Ok(merged.visible());
        }
        let mut merged = merged.copy();
        for (index, number) in (0..).zip(waiting) {
            let sealed = self.database.outbox_entry(*number)?.ok_or(Error::Tampered)?;
            let operation = self.keys.open(Place::Outbox(*number), &sealed)?;
            let operation = Operation::decode(&operation).ok_or(Error::Tampered)?;
            let stamp = Stamp {
                time: u64::MAX,
                device: member.device,
                seq: u32::MAX,
                index,
            };
            let seen = Seen {
                author: member.device,
                versions: &replica.versions,
            };
            // Which of two contradicting ones is kept is said when it is told.
            let _ = merged.apply(&operation, stamp, seen);
        }
        Ok(merged.visible())
    }

    /// What has to change for `visible` to be what is in use; `None` where it is.
    #[expect(clippy::option_option, reason = "the outer is whether there is a difference")]
    fn different(
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
    fn show(
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
        let sealed = super::seal_store_state(&self.keys, store_state, rng);
        change.put_meta.push((Meta::StoreState, sealed));
        self.database.apply_later(&change)?;
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

/// What changed in the passkey `is`, whose id is that of `was`.
pub(super) fn changes(was: &Passkey, is: &Passkey) -> Vec<Operation> {
    let mut changes = Vec::new();
    let names = crate::sync::Names::of(is);
    if names != crate::sync::Names::of(was) {
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

fn seal_told(keys: &LocalKeys, device: DeviceId, told: &Versions, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let mut payload = Zeroizing::new(Vec::new());
    told.encode(&mut crate::cbor::Writer(&mut payload));
    keys.seal(seal::fresh(rng), Place::Told(device), payload)
        .expect("the number of devices is bounded")
}

//! Where this device stands among the others: what it read of their logs, and what it has not told them yet.

use std::collections::BTreeMap;
use std::ops::Range;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::snapshot::Known;
use super::versions::Versions;
use crate::cbor::{Fields, Reader, Writer};
use crate::database::{Database, Meta};
use crate::epochs;
use crate::keys::{DeviceId, MergedNames, WrappingKey};
use crate::local_keys::LocalKeys;
use crate::object::LogHead;
use crate::seal::{self, Place};
use crate::sync::operation::{DEVICE_NAME_LEN_MAX, Dated};
use crate::{CredentialId, Error, Secret};

const NAMES: u64 = 1;
const VERSIONS: u64 = 2;
const INCARNATION: u64 = 3;
const TIME: u64 = 4;
const PUBLISHED_TRUST: u64 = 5;
const OWES_AN_ANSWER: u64 = 6;
const RED: u64 = 7;
const LOOKED_THROUGH_TRASH: u64 = 8;

/// What is kept in one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How far the logs of all devices were read, and this device's own is in the store.
    pub(crate) versions: Versions,
    /// Which life of this device writes.
    pub(crate) incarnation: u32,
    /// The clock of the last object that it wrote.
    pub(crate) time: u64,
    /// How many entries of the trust log are in the store.
    pub(crate) published_trust: u32,
    /// Others wait to hear that something of theirs was read.
    pub(crate) owes_an_answer: bool,
    /// Something is wrong with the store.
    pub(crate) red: bool,
    /// When it was looked through the trash last; milliseconds since the Unix epoch.
    pub(crate) looked_through_trash_unix_ms: u64,
}

/// What is kept in rows, and what follows from the outbox.
pub(crate) struct Replica {
    pub(crate) names: MergedNames,
    pub(crate) standing: Standing,
    /// The wrapping keys that devices share.
    pub(crate) foreign: Vec<WrappingKey>,
    /// What the devices call themselves.
    pub(crate) device_names: BTreeMap<DeviceId, String>,
    pub(crate) snapshots: Vec<Known>,
    /// How far somebody says to have read each log; of use for those of former members.
    pub(crate) vouched: BTreeMap<DeviceId, u32>,
    /// How far each log goes on in the store.
    pub(crate) offers: BTreeMap<DeviceId, u32>,
    /// When this device did something last, by its clock, which for this never stands still and never goes back.
    pub(crate) time: u64,
    /// Which operations wait to be told; they are numbered.
    pub(crate) outbox: Range<u64>,
    /// Which of them are about which passkey.
    pub(crate) waiting: BTreeMap<CredentialId, Vec<u64>>,
}

impl Replica {
    /// Of a device that has read and told nothing.
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        Self {
            names: MergedNames::new(Secret::random(rng)),
            standing: Standing::default(),
            foreign: Vec::new(),
            device_names: BTreeMap::new(),
            snapshots: Vec::new(),
            vouched: BTreeMap::new(),
            offers: BTreeMap::new(),
            time: 0,
            outbox: 0..0,
            waiting: BTreeMap::new(),
        }
    }

    /// What is in `database`; `None` where this device does not sync.
    pub(crate) fn read(database: &Database, keys: &LocalKeys) -> Result<Option<Self>, Error> {
        let Some(sealed) = database.meta(Meta::Replica)? else {
            return Ok(None);
        };
        let payload = keys.open(Place::Replica, &sealed)?;
        let mut replica = Self::decode(&payload).ok_or(Error::Tampered)?;
        if let Some(sealed) = database.meta(Meta::ForeignKeys)? {
            let payload = keys.open(Place::ForeignKeys, &sealed)?;
            let foreign = epochs::decode_repeated(&payload, epochs::SEALED_MAX).ok_or(Error::Tampered)?;
            let foreign = foreign.into_iter();
            replica.foreign = foreign
                .map(|(number, key)| WrappingKey::new(number, key))
                .collect();
        }
        if let Some(sealed) = database.meta(Meta::DeviceNames)? {
            let payload = keys.open(Place::DeviceNames, &sealed)?;
            let mut input = Reader(&payload);
            let names = read_device_names(&mut input).filter(|_| input.end().is_some());
            replica.device_names = names.ok_or(Error::Tampered)?;
        }
        database.outbox(|number, sealed| {
            let dated = keys.open(Place::Outbox(number), sealed)?;
            let dated = Dated::decode(&dated).ok_or(Error::Tampered)?;
            replica.note(dated.operation.id(), number);
            replica.time = replica.time.max(dated.time);
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        database.all_told(|device, sealed| {
            let payload = keys.open(Place::Told(device), sealed)?;
            let told = Versions::decode(&mut Reader(&payload)).ok_or(Error::Tampered)?;
            replica.vouch(told.iter().map(|(device, head)| (device, head.seq())));
            Ok(())
        })?;
        Ok(Some(replica))
    }

    /// Somebody whose word counts had read this much of the logs.
    pub(crate) fn vouch(&mut self, read: impl IntoIterator<Item = (DeviceId, u32)>) {
        for (device, seq) in read {
            let vouched = self.vouched.entry(device).or_default();
            *vouched = seq.max(*vouched);
        }
    }

    /// Notes that the operation with this number, which is the greatest so far, waits to be told.
    pub(crate) fn note(&mut self, id: Option<&CredentialId>, number: u64) {
        if self.outbox.is_empty() {
            self.outbox = number..number;
        }
        self.outbox.end = number + 1;
        if let Some(id) = id {
            self.waiting.entry(id.clone()).or_default().push(number);
        }
    }

    /// Notes that the operations before `end` were told.
    pub(crate) fn forget_before(&mut self, end: u64) {
        self.outbox.start = self.outbox.start.max(end).min(self.outbox.end);
        self.waiting.retain(|_, numbers| {
            numbers.retain(|number| *number >= end);
            !numbers.is_empty()
        });
    }

    pub(crate) fn own_head(&self, device: DeviceId) -> LogHead {
        self.standing.versions.head(device)
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::begin(payload)?;
        let number = |number: u64| u32::try_from(number).ok();
        let replica = Self {
            names: MergedNames::new(Secret::from_slice(fields.required(NAMES, Reader::bytes)?)?),
            standing: Standing {
                versions: fields.required(VERSIONS, Versions::decode)?,
                incarnation: number(fields.required(INCARNATION, Reader::unsigned)?)?,
                time: fields.required(TIME, Reader::unsigned)?,
                published_trust: number(fields.required(PUBLISHED_TRUST, Reader::unsigned)?)?,
                owes_an_answer: fields.required(OWES_AN_ANSWER, read_flag)?,
                red: fields.required(RED, read_flag)?,
                looked_through_trash_unix_ms: fields.required(LOOKED_THROUGH_TRASH, Reader::unsigned)?,
            },
            foreign: Vec::new(),
            device_names: BTreeMap::new(),
            snapshots: Vec::new(),
            vouched: BTreeMap::new(),
            offers: BTreeMap::new(),
            time: 0,
            outbox: 0..0,
            waiting: BTreeMap::new(),
        };
        let time = replica.standing.time;
        fields.end().map(|()| Self { time, ..replica })
    }
}

fn read_flag(input: &mut Reader<'_>) -> Option<bool> {
    match input.unsigned()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The wrapping keys of other devices, sealed.
pub(crate) fn seal_foreign(
    foreign: &[WrappingKey],
    keys: &LocalKeys,
    rng: &mut dyn CryptoRng,
) -> Option<Vec<u8>> {
    let payload = epochs::encode_sealed(foreign.iter().map(|key| (key.epoch, key.secret())));
    keys.seal(seal::fresh(rng), Place::ForeignKeys, payload)
}

/// What the devices call themselves, sealed.
pub(crate) fn seal_device_names(
    names: &BTreeMap<DeviceId, String>,
    keys: &LocalKeys,
    rng: &mut dyn CryptoRng,
) -> Option<Vec<u8>> {
    let mut payload = Zeroizing::new(Vec::new());
    write_device_names(names, &mut Writer(&mut payload));
    keys.seal(seal::fresh(rng), Place::DeviceNames, payload)
}

pub(super) fn write_device_names(names: &BTreeMap<DeviceId, String>, out: &mut Writer<'_>) {
    out.array(u64::try_from(names.len()).expect("a length fits in 64 bits"));
    for (device, name) in names {
        out.array(2).bytes(&device.0).text(name);
    }
}

pub(super) fn read_device_names(input: &mut Reader<'_>) -> Option<BTreeMap<DeviceId, String>> {
    let mut names: BTreeMap<DeviceId, String> = BTreeMap::new();
    for _ in 0..input.array()? {
        if input.array()? != 2 {
            return None;
        }
        let device = DeviceId(input.bytes()?.try_into().ok()?);
        if names.last_key_value().is_some_and(|(last, _)| *last >= device) {
            return None;
        }
        let name = input.text().filter(|name| name.len() <= DEVICE_NAME_LEN_MAX)?;
        names.insert(device, name.to_owned());
    }
    Some(names)
}

impl Standing {
    pub(crate) fn seal(&self, names: &MergedNames, keys: &LocalKeys, rng: &mut dyn CryptoRng) -> Vec<u8> {
        const EACH_DEVICE: usize = 64;
        let len = 256 + EACH_DEVICE * self.versions.iter().count();
        let mut payload = Zeroizing::new(Vec::with_capacity(2 * len + 512));
        let mut out = Writer(&mut payload);
        out.map(8);
        out.unsigned(NAMES).bytes(names.secret().expose_secret());
        self.versions.encode(out.unsigned(VERSIONS));
        out.unsigned(INCARNATION).unsigned(u64::from(self.incarnation));
        out.unsigned(TIME).unsigned(self.time);
        out.unsigned(PUBLISHED_TRUST)
            .unsigned(u64::from(self.published_trust));
        out.unsigned(OWES_AN_ANSWER)
            .unsigned(u64::from(self.owes_an_answer));
        out.unsigned(RED).unsigned(u64::from(self.red));
        out.unsigned(LOOKED_THROUGH_TRASH)
            .unsigned(self.looked_through_trash_unix_ms);
        keys.seal(seal::fresh(rng), Place::Replica, payload)
            .expect("the number of devices is bounded")
    }
}

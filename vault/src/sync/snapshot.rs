//! What a snapshot says: its root, its parts, and the hash of the state that they hold. `SYNC.md` §6.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::merge::Merged;
use super::replica::{read_device_names, write_device_names};
use super::versions::Versions;
use crate::cbor::{Fields, Reader, Writer};
use crate::epochs;
use crate::frame::ObjectHash;
use crate::keys::{DeviceId, SNAPSHOT_STATE, WrappingKey};
use crate::object::Header;
use crate::{CredentialId, Profile, payload};

/// How many parts at most: what a root allocates is bounded, and it is one object.
pub(crate) const PARTS_MAX: usize = 4096;
/// How many passkeys are in a part at most: what comes of it is kept in one transaction.
pub(crate) const PART_ITEMS_MAX: usize = 1024;
/// How many bytes are put into a part, more or less.
pub(crate) const PART_LEN: usize = 192 << 10;

const NUMBER: u64 = 1;
const VERSIONS: u64 = 2;
const LOGS: u64 = 3;
const KEYS: u64 = 4;
const DEVICE_NAMES: u64 = 5;
const STATE: u64 = 6;
const PARTS: u64 = 7;

/// What goes with the log of a device, as far as it is covered.
pub(crate) struct Covered {
    /// When its last object was written, by its clock: milliseconds since the Unix epoch.
    pub(crate) unix_ms: u64,
    /// What the device had seen when it wrote that.
    pub(crate) told: Versions,
}

/// What the root says.
pub(crate) struct Root {
    pub(crate) number: u32,
    /// What it covers.
    pub(crate) versions: Versions,
    /// For each device in [`Self::versions`].
    pub(crate) logs: BTreeMap<DeviceId, Covered>,
    pub(crate) keys: Vec<WrappingKey>,
    pub(crate) device_names: BTreeMap<DeviceId, String>,
    pub(crate) state: [u8; 32],
    pub(crate) parts: Vec<ObjectHash>,
}

impl Root {
    /// In a buffer that is never moved: there are keys in it.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        const EACH: usize = 64;
        let told = self.logs.values().map(|log| 2 + log.told.iter().count());
        let heads = self.versions.iter().count() + told.sum::<usize>();
        let names: usize = self.device_names.values().map(|name| EACH + name.len()).sum();
        let len = 1024 + EACH * (heads + self.keys.len() + self.parts.len()) + names;
        // With room for the padding, which at most doubles.
        let mut payload = Zeroizing::new(Vec::with_capacity(2 * len));
        let mut out = Writer(&mut payload);
        out.map(7).unsigned(NUMBER).unsigned(u64::from(self.number));
        self.versions.encode(out.unsigned(VERSIONS));
        out.unsigned(LOGS).array(count(self.logs.len()));
        for log in self.logs.values() {
            log.told.encode(out.array(2).unsigned(log.unix_ms));
        }
        let keys = epochs::encode_sealed(self.keys.iter().map(|key| (key.epoch, key.secret())));
        out.unsigned(KEYS).bytes(&keys);
        write_device_names(&self.device_names, out.unsigned(DEVICE_NAMES));
        out.unsigned(STATE).bytes(&self.state);
        out.unsigned(PARTS).array(count(self.parts.len()));
        for part in &self.parts {
            out.bytes(&part.0);
        }
        payload
    }

    /// `None` for everything that [`Self::encode`] does not make.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::begin(payload)?;
        let number = u32::try_from(fields.required(NUMBER, Reader::unsigned)?).ok()?;
        let versions = fields.required(VERSIONS, Versions::decode)?;
        let logs = fields.required(LOGS, |input| read_logs(input, &versions))?;
        let keys = epochs::decode_repeated(fields.required(KEYS, Reader::bytes)?, epochs::SEALED_MAX)?;
        let keys = keys.into_iter();
        let root = Self {
            number,
            logs,
            keys: keys.map(|(number, key)| WrappingKey::new(number, key)).collect(),
            device_names: fields.required(DEVICE_NAMES, read_device_names)?,
            state: fields.required(STATE, Reader::bytes)?.try_into().ok()?,
            parts: fields.required(PARTS, read_parts)?,
            versions,
        };
        let shared = |key: &WrappingKey| key.epoch < WrappingKey::FIRST_SHARED;
        fields.end().filter(|()| root.keys.iter().all(shared))?;
        Some(root)
    }
}

fn read_logs(input: &mut Reader<'_>, versions: &Versions) -> Option<BTreeMap<DeviceId, Covered>> {
    let count = usize::try_from(input.array()?).ok()?;
    if count != versions.iter().count() {
        return None;
    }
    let mut logs = BTreeMap::new();
    for (device, _) in versions.iter() {
        input.array().filter(|items| *items == 2)?;
        let unix_ms = input.unsigned().filter(|unix_ms| *unix_ms < 1 << 48)?;
        let told = Versions::decode(input)?;
        logs.insert(device, Covered { unix_ms, told });
    }
    Some(logs)
}

fn read_parts(input: &mut Reader<'_>) -> Option<Vec<ObjectHash>> {
    let count = usize::try_from(input.array()?)
        .ok()
        .filter(|count| *count <= PARTS_MAX)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push(ObjectHash(input.bytes()?.try_into().ok()?));
    }
    Some(parts)
}

/// A part of passkeys that are encoded already.
pub(crate) fn encode_part(items: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    const EACH: usize = 9;
    let len: usize = items.iter().map(|item| item.len() + EACH).sum();
    // With room for the padding, which at most doubles.
    let mut payload = Zeroizing::new(Vec::with_capacity(2 * len + 1024));
    let mut out = Writer(&mut payload);
    out.array(count(items.len()));
    for item in items {
        out.bytes(item);
    }
    payload
}

/// `None` for everything that [`encode_part`] does not make of passkeys that may be on more than one device.
pub(crate) fn decode_part(payload: &[u8]) -> Option<Vec<(CredentialId, Merged)>> {
    let mut input = Reader(payload);
    let count = usize::try_from(input.array()?).ok();
    let count = count.filter(|count| (1..=PART_ITEMS_MAX).contains(count))?;
    let mut items = Vec::new();
    for _ in 0..count {
        let (id, merged) = Merged::decode(input.bytes()?)?;
        let may_be = |passkey| payload::fits(passkey) && passkey.profile == Profile::Synced;
        merged
            .core()
            .is_none_or(may_be)
            .then(|| items.push((id, merged)))?;
    }
    input.end().map(|()| items)
}

/// Names a snapshot. Numbers are for the order: two lives of a device may have counted the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SnapshotKey {
    pub(crate) author: DeviceId,
    pub(crate) number: u32,
    /// Of its root.
    pub(crate) hash: ObjectHash,
}

impl SnapshotKey {
    /// The newer one is the greater; everybody agrees which it is.
    pub(crate) fn age(self) -> (u32, DeviceId, ObjectHash) {
        (self.number, self.author, self.hash)
    }
}

/// A snapshot whose root was read: what is kept in memory of it.
pub(crate) struct Known {
    pub(crate) key: SnapshotKey,
    pub(crate) epoch: u32,
    /// When it was made, by the clock of its author.
    pub(crate) unix_ms: u64,
    pub(crate) versions: Versions,
    /// When each log was written to last, as far as it is covered.
    pub(crate) written_unix_ms: BTreeMap<DeviceId, u64>,
    pub(crate) state: [u8; 32],
    pub(crate) parts: Vec<ObjectHash>,
}

impl Known {
    pub(crate) fn of((header, hash): (&Header, ObjectHash), root: &Root) -> Self {
        let written = root.logs.iter().map(|(device, log)| (*device, log.unix_ms));
        Self {
            key: SnapshotKey {
                author: header.position.author,
                number: root.number,
                hash,
            },
            epoch: header.epoch,
            unix_ms: header.position.time >> 16,
            versions: root.versions.clone(),
            written_unix_ms: written.collect(),
            state: root.state,
            parts: root.parts.clone(),
        }
    }

    /// Whether nobody needs this one who has the other.
    pub(crate) fn is_replaced_by(&self, other: &Self) -> bool {
        other.versions.cover(&self.versions)
            && (!self.versions.cover(&other.versions) || other.key.age() > self.key.age())
    }
}

/// What is said of all passkeys, one after the other, in the order of their ids.
#[derive(Clone)]
pub(crate) struct StateHash {
    hash: Sha256,
    last: Option<CredentialId>,
}

impl StateHash {
    pub(crate) fn new() -> Self {
        Self {
            hash: Sha256::new().chain_update(SNAPSHOT_STATE),
            last: None,
        }
    }

    /// `None` where it is not the turn of this passkey.
    pub(crate) fn add(&mut self, id: &CredentialId, fingerprint: &[u8; 32]) -> Option<()> {
        if self.last.as_ref().is_some_and(|last| last >= id) {
            return None;
        }
        self.last = Some(id.clone());
        self.hash.update(fingerprint);
        Some(())
    }

    pub(crate) fn finish(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;

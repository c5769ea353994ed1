//! Entries of the trust log as bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::cbor::{Reader, Writer};
use crate::device_key::PublicKeys;
use crate::frame::{Kind, ObjectHash, Unsigned};
use crate::kdf::KdfParameters;
use crate::keys::{DeviceId, VaultId};
use crate::object::{LogHead, at, bytes, long_number, number};

const GENESIS: u64 = 1;
const KEYS: u64 = 2;
const SET_RECOVERY: u64 = 3;
const RECOVER: u64 = 4;
const ADD_DEVICE: u64 = 5;
const REVOKE: u64 = 6;

/// More devices than a person has.
pub(crate) const SLOTS_MAX: usize = 256;

/// What a vault of one device needs.
const FIRST_FORMAT: u32 = 1;
/// Several devices.
pub(crate) const DEVICES_FORMAT: u32 = 2;

/// What an entry says of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) vault: VaultId,
    pub(crate) seq: u32,
    pub(crate) previous: ObjectHash,
    /// After the entry.
    pub(crate) epoch: u32,
    pub(crate) actor: DeviceId,
    pub(crate) time: u64,
    pub(crate) min_format: u32,
}

/// Whom a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    RecoveryKit,
    Device(DeviceId),
}

/// Root key, Vault PIN and slots that are in force from an entry on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewKeys {
    pub(crate) epoch: u32,
    pub(crate) pin_generation: u32,
    pub(crate) kdf: KdfParameters,
    pub(crate) slots: BTreeMap<Target, ObjectHash>,
    pub(crate) earlier: Option<ObjectHash>,
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Genesis {
        random: [u8; 16],
        device: DeviceId,
        public: PublicKeys,
        recovery: Option<PublicKeys>,
    },
    Keys(NewKeys),
    SetRecovery {
        recovery: PublicKeys,
        slot: ObjectHash,
    },
    Recover {
        device: DeviceId,
        public: PublicKeys,
        recovery: PublicKeys,
        keys: NewKeys,
        /// How far the logs of the members before are accepted.
        accepted: BTreeMap<DeviceId, LogHead>,
        /// Snapshots of these members that are believed as before.
        snapshots: BTreeSet<ObjectHash>,
    },
    AddDevice {
        device: DeviceId,
        public: PublicKeys,
        slot: ObjectHash,
        /// Of the conversation in which the two devices made sure of each other.
        transcript: Transcript,
    },
    Revoke {
        device: DeviceId,
        /// How far the log of the device is accepted.
        last: LogHead,
        keys: NewKeys,
    },
}

/// SHA-256 of everything that two devices said to each other before one of them was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript(pub [u8; 32]);

impl Head {
    /// The entry that says `body` here, to be signed.
    pub(crate) fn entry(&self, body: &Body) -> Unsigned {
        Unsigned::clear(Kind::Trust, &self.encode(), &body.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut header = Vec::new();
        let mut out = Writer(&mut header);
        out.map(7);
        out.unsigned(1).bytes(&self.vault.0);
        out.unsigned(2).unsigned(u64::from(self.seq));
        out.unsigned(3).bytes(&self.previous.0);
        out.unsigned(4).unsigned(u64::from(self.epoch));
        out.unsigned(5).bytes(&self.actor.0);
        out.unsigned(6).unsigned(self.time);
        out.unsigned(7).unsigned(u64::from(self.min_format));
        header
    }

    pub(crate) fn decode(header: &[u8]) -> Option<Self> {
        let mut input = Reader(header);
        let input = &mut input;
        if input.map()? != 7 {
            return None;
        }
        let head = Self {
            vault: VaultId(bytes(input, 1)?),
            seq: number(input, 2)?,
            previous: ObjectHash(bytes(input, 3)?),
            epoch: number(input, 4)?,
            actor: DeviceId(bytes(input, 5)?),
            time: long_number(input, 6)?,
            min_format: number(input, 7)?,
        };
        input.end().map(|()| head)
    }
}

impl Body {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut out = Writer(&mut body);
        out.array(2);
        match self {
            Self::Genesis {
                random,
                device,
                public,
                recovery,
            } => {
                out.unsigned(GENESIS).map(if recovery.is_some() { 4 } else { 3 });
                out.unsigned(1).bytes(random);
                out.unsigned(2).bytes(&device.0);
                public.encode(out.unsigned(3));
                if let Some(recovery) = recovery {
                    recovery.encode(out.unsigned(4));
                }
            }
            Self::Keys(keys) => write_keys(out.unsigned(KEYS), keys),
            Self::SetRecovery { recovery, slot } => {
                out.unsigned(SET_RECOVERY).map(2);
                recovery.encode(out.unsigned(1));
                out.unsigned(2).bytes(&slot.0);
            }
            Self::Recover {
                device,
                public,
                recovery,
                keys,
                accepted,
                snapshots,
            } => {
                let more = u64::from(!accepted.is_empty()) + u64::from(!snapshots.is_empty());
                out.unsigned(RECOVER).map(4 + more);
                out.unsigned(1).bytes(&device.0);
                public.encode(out.unsigned(2));
                recovery.encode(out.unsigned(3));
                write_keys(out.unsigned(4), keys);
                if !accepted.is_empty() {
                    write_accepted(out.unsigned(5), accepted);
                }
                if !snapshots.is_empty() {
                    write_hashes(out.unsigned(6), snapshots);
                }
            }
            Self::AddDevice {
                device,
                public,
                slot,
                transcript,
            } => {
                out.unsigned(ADD_DEVICE).map(4);
                out.unsigned(1).bytes(&device.0);
                public.encode(out.unsigned(2));
                out.unsigned(3).bytes(&slot.0);
                out.unsigned(4).bytes(&transcript.0);
            }
            Self::Revoke { device, last, keys } => {
                out.unsigned(REVOKE).map(3);
                out.unsigned(1).bytes(&device.0);
                write_log_head(out.unsigned(2), last);
                write_keys(out.unsigned(3), keys);
            }
        }
        body
    }

    /// The least format that a reader must know.
    pub(crate) fn format(&self) -> u32 {
        match self {
            Self::Genesis { .. } | Self::Keys(_) | Self::SetRecovery { .. } => FIRST_FORMAT,
            Self::Recover { accepted, .. } if accepted.is_empty() => FIRST_FORMAT,
            Self::Recover { .. } | Self::AddDevice { .. } | Self::Revoke { .. } => DEVICES_FORMAT,
        }
    }

    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let mut input = Reader(body);
        let input = &mut input;
        if input.array()? != 2 {
            return None;
        }
        let decoded = match input.unsigned()? {
            GENESIS => Self::decode_genesis(input)?,
            KEYS => Self::Keys(read_keys(input)?),
            SET_RECOVERY if input.map()? == 2 => Self::SetRecovery {
                recovery: PublicKeys::decode(at(input, 1)?)?,
                slot: ObjectHash(bytes(input, 2)?),
            },
            RECOVER => Self::decode_recover(input)?,
            ADD_DEVICE if input.map()? == 4 => Self::AddDevice {
                device: DeviceId(bytes(input, 1)?),
                public: PublicKeys::decode(at(input, 2)?)?,
                slot: ObjectHash(bytes(input, 3)?),
                transcript: Transcript(bytes(input, 4)?),
            },
            REVOKE if input.map()? == 3 => Self::Revoke {
                device: DeviceId(bytes(input, 1)?),
                last: read_log_head(at(input, 2)?)?,
                keys: read_keys(at(input, 3)?)?,
            },
            _ => return None,
        };
        input.end().map(|()| decoded)
    }

    fn decode_genesis(input: &mut Reader<'_>) -> Option<Self> {
        let fields = input.map().filter(|fields| [3, 4].contains(fields))?;
        Some(Self::Genesis {
            random: bytes(input, 1)?,
            device: DeviceId(bytes(input, 2)?),
            public: PublicKeys::decode(at(input, 3)?)?,
            recovery: match fields {
                4 => Some(PublicKeys::decode(at(input, 4)?)?),
                _ => None,
            },
        })
    }

    fn decode_recover(input: &mut Reader<'_>) -> Option<Self> {
        let fields = input.map().filter(|fields| [4, 5, 6].contains(fields))?;
        Some(Self::Recover {
            device: DeviceId(bytes(input, 1)?),
            public: PublicKeys::decode(at(input, 2)?)?,
            recovery: PublicKeys::decode(at(input, 3)?)?,
            keys: read_keys(at(input, 4)?)?,
            accepted: match fields {
                5 | 6 => read_accepted(at(input, 5)?)?,
                _ => BTreeMap::new(),
            },
            snapshots: match fields {
                6 => read_hashes(at(input, 6)?)?,
                _ => BTreeSet::new(),
            },
        })
    }
}

fn write_log_head(out: &mut Writer<'_>, head: &LogHead) {
    out.array(3)
        .unsigned(u64::from(head.incarnation()))
        .unsigned(u64::from(head.seq()))
        .bytes(&head.hash().0);
}

fn read_log_head(input: &mut Reader<'_>) -> Option<LogHead> {
    if input.array()? != 3 {
        return None;
    }
    let mut number = || u32::try_from(input.unsigned()?).ok();
    let (incarnation, seq) = (number()?, number()?);
    let hash = ObjectHash(input.bytes()?.try_into().ok()?);
    let head = LogHead::new(incarnation, seq, hash);
    // One way to say that nothing is accepted.
    (seq > 0 || head == LogHead::START).then_some(head)
}

fn is_bounded(count: u64) -> bool {
    usize::try_from(count).is_ok_and(|count| count <= SLOTS_MAX)
}

fn write_accepted(out: &mut Writer<'_>, accepted: &BTreeMap<DeviceId, LogHead>) {
    out.array(u64::try_from(accepted.len()).expect("a length fits in 64 bits"));
    for (device, head) in accepted {
        write_log_head(out.array(2).bytes(&device.0), head);
    }
}

fn read_accepted(input: &mut Reader<'_>) -> Option<BTreeMap<DeviceId, LogHead>> {
    let count = input.array().filter(|count| *count > 0 && is_bounded(*count))?;
    let mut accepted = BTreeMap::new();
    for _ in 0..count {
        if input.array()? != 2 {
            return None;
        }
        let device = DeviceId(input.bytes()?.try_into().ok()?);
        if accepted.last_key_value().is_some_and(|(last, _)| *last >= device) {
            return None;
        }
        accepted.insert(device, read_log_head(input)?);
    }
    Some(accepted)
}

fn write_hashes(out: &mut Writer<'_>, hashes: &BTreeSet<ObjectHash>) {
    out.array(u64::try_from(hashes.len()).expect("a length fits in 64 bits"));
    for hash in hashes {
        out.bytes(&hash.0);
    }
}

fn read_hashes(input: &mut Reader<'_>) -> Option<BTreeSet<ObjectHash>> {
    let count = input.array().filter(|count| *count > 0 && is_bounded(*count))?;
    let mut hashes = BTreeSet::new();
    for _ in 0..count {
        let hash = ObjectHash(input.bytes()?.try_into().ok()?);
        if hashes.last().is_some_and(|last| *last >= hash) {
            return None;
        }
        hashes.insert(hash);
    }
    Some(hashes)
}

fn write_keys(out: &mut Writer<'_>, keys: &NewKeys) {
    let NewKeys {
        epoch,
        pin_generation,
        kdf,
        slots,
        earlier,
    } = keys;
    out.map(if earlier.is_some() { 5 } else { 4 });
    out.unsigned(1).unsigned(u64::from(*epoch));
    out.unsigned(2).unsigned(u64::from(*pin_generation));
    kdf.encode(out.unsigned(3));
    out.unsigned(4)
        .array(u64::try_from(slots.len()).expect("a length fits in 64 bits"));
    for (target, hash) in slots {
        let target = match target {
            Target::RecoveryKit => &[][..],
            Target::Device(device) => &device.0,
        };
        out.array(2).bytes(target).bytes(&hash.0);
    }
    if let Some(earlier) = earlier {
        out.unsigned(5).bytes(&earlier.0);
    }
}

fn read_keys(input: &mut Reader<'_>) -> Option<NewKeys> {
    let fields = input.map().filter(|fields| [4, 5].contains(fields))?;
    let (epoch, pin_generation) = (number(input, 1)?, number(input, 2)?);
    let kdf = KdfParameters::decode(at(input, 3)?).ok()?;
    let count = at(input, 4)?.array().filter(|count| is_bounded(*count))?;
    let mut slots = BTreeMap::new();
    for _ in 0..count {
        if input.array()? != 2 {
            return None;
        }
        let target = match input.bytes()? {
            [] => Target::RecoveryKit,
            device => Target::Device(DeviceId(device.try_into().ok()?)),
        };
        if slots.last_key_value().is_some_and(|(last, _)| *last >= target) {
            return None;
        }
        slots.insert(target, ObjectHash(input.bytes()?.try_into().ok()?));
    }
    let earlier = match fields {
        5 => Some(ObjectHash(bytes(input, 5)?)),
        _ => None,
    };
    Some(NewKeys {
        epoch,
        pin_generation,
        kdf,
        slots,
        earlier,
    })
}

//! Where this device stands among the others: what it read of their logs, and what it has not told them yet.

use std::collections::BTreeMap;
use std::ops::Range;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::versions::Versions;
use crate::cbor::{Fields, Reader, Writer};
use crate::database::{Database, Meta};
use crate::keys::{DeviceId, MergedNames};
use crate::local_keys::LocalKeys;
use crate::object::LogHead;
use crate::seal::{self, Place};
use crate::sync::operation::Operation;
use crate::{CredentialId, Error, Secret};

const NAMES: u64 = 1;
const VERSIONS: u64 = 2;
const INCARNATION: u64 = 3;
const TIME: u64 = 4;
const PUBLISHED_TRUST: u64 = 5;
const OWES_AN_ANSWER: u64 = 6;

/// What is kept in one row, and what follows from the outbox.
pub(crate) struct Replica {
    pub(crate) names: MergedNames,
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
    /// Which operations wait to be told; they are numbered.
    pub(crate) outbox: Range<u64>,
    /// Which of them are about which passkey.
    pub(crate) waiting: BTreeMap<CredentialId, Vec<u64>>,
}

/// The part of [`Replica`] that is kept in its row, after a change.
pub(crate) struct Standing<'a> {
    pub(crate) replica: &'a Replica,
    pub(crate) versions: &'a Versions,
    pub(crate) incarnation: u32,
    pub(crate) time: u64,
    pub(crate) published_trust: u32,
    pub(crate) owes_an_answer: bool,
}

impl Replica {
    /// Of a device that has read and told nothing.
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        Self {
            names: MergedNames::new(Secret::random(rng)),
            versions: Versions::default(),
            incarnation: 0,
            time: 0,
            published_trust: 0,
            owes_an_answer: false,
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
        database.outbox(|number, sealed| {
            let operation = keys.open(Place::Outbox(number), sealed)?;
            let operation = Operation::decode(&operation).ok_or(Error::Tampered)?;
            replica.note(operation.id(), number);
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(Some(replica))
    }

    /// Notes that the operation with this number, which is the greatest so far, waits to be told.
    pub(crate) fn note(&mut self, id: &CredentialId, number: u64) {
        if self.outbox.is_empty() {
            self.outbox = number..number;
        }
        self.outbox.end = number + 1;
        self.waiting.entry(id.clone()).or_default().push(number);
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
        self.versions.head(device)
    }

    /// What is kept, with nothing changed.
    pub(crate) fn standing(&self) -> Standing<'_> {
        Standing {
            replica: self,
            versions: &self.versions,
            incarnation: self.incarnation,
            time: self.time,
            published_trust: self.published_trust,
            owes_an_answer: self.owes_an_answer,
        }
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::begin(payload)?;
        let number = |number: u64| u32::try_from(number).ok();
        let replica = Self {
            names: MergedNames::new(Secret::from_slice(fields.required(NAMES, Reader::bytes)?)?),
            versions: fields.required(VERSIONS, Versions::decode)?,
            incarnation: number(fields.required(INCARNATION, Reader::unsigned)?)?,
            time: fields.required(TIME, Reader::unsigned)?,
            published_trust: number(fields.required(PUBLISHED_TRUST, Reader::unsigned)?)?,
            owes_an_answer: match fields.required(OWES_AN_ANSWER, Reader::unsigned)? {
                0 => false,
                1 => true,
                _ => return None,
            },
            outbox: 0..0,
            waiting: BTreeMap::new(),
        };
        fields.end().map(|()| replica)
    }
}

impl Standing<'_> {
    pub(crate) fn seal(&self, keys: &LocalKeys, rng: &mut dyn CryptoRng) -> Vec<u8> {
        const EACH_DEVICE: usize = 64;
        let len = 256 + EACH_DEVICE * self.versions.iter().count();
        let mut payload = Zeroizing::new(Vec::with_capacity(2 * len + 512));
        let mut out = Writer(&mut payload);
        out.map(6);
        out.unsigned(NAMES)
            .bytes(self.replica.names.secret().expose_secret());
        self.versions.encode(out.unsigned(VERSIONS));
        out.unsigned(INCARNATION).unsigned(u64::from(self.incarnation));
        out.unsigned(TIME).unsigned(self.time);
        out.unsigned(PUBLISHED_TRUST)
            .unsigned(u64::from(self.published_trust));
        out.unsigned(OWES_AN_ANSWER)
            .unsigned(u64::from(self.owes_an_answer));
        keys.seal(seal::fresh(rng), Place::Replica, payload)
            .expect("the number of devices is bounded")
    }
}

//! The log of what was done with the key: sealed entries with numbers, each of which names the one before by its hash,
//! and beside them the head, which says where the log begins and ends. `FORMAT.md` §14.
//!
//! Read backwards, from the head: each entry says what has to stand before it. So what is missing, changed or in
//! another's place shows, wherever it is.

mod event;

use std::ops::Range;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use self::event::{Consent, Event, Frequent, LockCause, Setting, Site, Subject, Wanted};
use crate::cbor::{Fields, Reader, Writer};
use crate::database::Database;
use crate::local_keys::LocalKeys;
use crate::seal::{self, Place};
use crate::{Error, padding};

/// How many entries are kept.
pub const LOG_ENTRIES_MAX: u64 = 10_000;

const HEAD_ORIGIN: u64 = 1;
const HEAD_FIRST: u64 = 2;
const HEAD_LAST: u64 = 3;
const HEAD_HASH: u64 = 4;

const ENTRY_PREVIOUS: u64 = 1;
const ENTRY_TIME: u64 = 2;
const ENTRY_EVENT: u64 = 3;

/// More than an entry takes without the texts and byte strings of its event.
const ENTRY_OVERHEAD: usize = 128;
/// More than a head takes.
const HEAD_LEN_MAX: usize = 128;

/// An event, and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds since the Unix epoch, by the clock of the caller.
    pub unix_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What stands in a place of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    /// What was written there.
    Entry {
        /// Counts the entries of the log from 1.
        number: u64,
        /// The event.
        record: Record,
    },
    /// Nothing: somebody removed these entries.
    Gap {
        /// The number of the first that is missing, …
        first: u64,
        /// … and of the last.
        last: u64,
    },
    /// Something else than what was written there.
    Damaged {
        /// The number of the entry.
        number: u64,
    },
}

/// Why a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOrigin {
    /// The vault was made.
    New,
    /// The vault was there before there was a log.
    Upgrade,
    /// The key was reset.
    Reset,
}

impl LogOrigin {
    fn code(self) -> u64 {
        match self {
            Self::New => 1,
            Self::Upgrade => 2,
            Self::Reset => 3,
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        [Self::New, Self::Upgrade, Self::Reset]
            .into_iter()
            .find(|origin| origin.code() == code)
    }
}

/// SHA-256 of a sealed entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntryHash([u8; 32]);

impl EntryHash {
    /// Of the entry before the first.
    const NONE: Self = Self([0; 32]);

    fn of(sealed: &[u8]) -> Self {
        Self(Sha256::digest(sealed).into())
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Some(Self(input.bytes()?.try_into().ok()?))
    }
}

/// Where the log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogHead {
    origin: LogOrigin,
    /// The number of the oldest entry that is kept.
    first: u64,
    /// The number of the newest entry; `first` - 1 where there is none.
    last: u64,
    hash: EntryHash,
}

/// One more entry, as it changes the disk.
pub(crate) struct Appended {
    /// The head after it.
    pub(crate) head: LogHead,
    pub(crate) number: u64,
    pub(crate) sealed: Vec<u8>,
    /// What is not kept any longer.
    pub(crate) dropped: Range<u64>,
}

impl LogHead {
    /// The head of a log without entries.
    pub(crate) fn begin(origin: LogOrigin) -> Self {
        Self {
            origin,
            first: 1,
            last: 0,
            hash: EntryHash::NONE,
        }
    }

    /// One more entry.
    pub(crate) fn append(
        &self,
        keys: &LocalKeys,
        record: &Record,
        rng: &mut dyn CryptoRng,
    ) -> Result<Appended, Error> {
        let number = self.last + 1;
        let payload = encode_entry(self.hash, record)?;
        let sealed = keys.seal(seal::fresh(rng), Place::LogEntry(number), payload);
        let sealed = sealed.ok_or(Error::TooLarge)?;
        let first = self.first.max((number + 1).saturating_sub(LOG_ENTRIES_MAX));
        let head = Self {
            origin: self.origin,
            first,
            last: number,
            hash: EntryHash::of(&sealed),
        };
        Ok(Appended {
            head,
            number,
            sealed,
            dropped: self.first..first,
        })
    }

    /// The head, sealed.
    pub(crate) fn seal(&self, keys: &LocalKeys, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let Self {
            origin,
            first,
            last,
            hash,
        } = self;
        let mut payload = Zeroizing::new(Vec::with_capacity(HEAD_LEN_MAX));
        let mut out = Writer(&mut payload);
        out.map(4);
        out.unsigned(HEAD_ORIGIN).unsigned(origin.code());
        out.unsigned(HEAD_FIRST).unsigned(*first);
        out.unsigned(HEAD_LAST).unsigned(*last);
        out.unsigned(HEAD_HASH).bytes(&hash.0);
        keys.seal(seal::fresh(rng), Place::LogHead, payload)
            .expect("a head is short")
    }

    /// What [`Self::seal`] made.
    pub(crate) fn open(keys: &LocalKeys, sealed: &[u8]) -> Result<Self, Error> {
        let payload = keys.open(Place::LogHead, sealed)?;
        Self::decode(&payload).ok_or(Error::Tampered)
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::begin(payload)?;
        let head = Self {
            origin: LogOrigin::from_code(fields.required(HEAD_ORIGIN, Reader::unsigned)?)?,
            first: fields.required(HEAD_FIRST, Reader::unsigned)?,
            last: fields.required(HEAD_LAST, Reader::unsigned)?,
            hash: fields.required(HEAD_HASH, EntryHash::read)?,
        };
        fields.end()?;
        (head.first >= 1 && head.last >= head.first - 1).then_some(head)
    }
}

fn encode_entry(previous: EntryHash, record: &Record) -> Result<Zeroizing<Vec<u8>>, Error> {
    let Record { unix_ms, event } = record;
    let (number, fields) = event.write();
    let len_max = ENTRY_OVERHEAD + fields.iter().map(|(_, value)| value.len_max()).sum::<usize>();
    let capacity = padding::padded_len(len_max).ok_or(Error::TooLarge)?;
    let mut payload = Zeroizing::new(Vec::with_capacity(capacity));
    let mut out = Writer(&mut payload);
    let count = u64::try_from(3 + fields.len()).expect("an event has few fields");
    out.map(count);
    out.unsigned(ENTRY_PREVIOUS).bytes(&previous.0);
    out.unsigned(ENTRY_TIME).unsigned(*unix_ms);
    out.unsigned(ENTRY_EVENT).unsigned(number);
    for (key, value) in &fields {
        value.write(out.unsigned(*key));
    }
    Ok(payload)
}

fn decode_entry(payload: &[u8]) -> Option<(EntryHash, Record)> {
    let mut fields = Fields::begin(payload)?;
    let previous = fields.required(ENTRY_PREVIOUS, EntryHash::read)?;
    let unix_ms = fields.required(ENTRY_TIME, Reader::unsigned)?;
    let number = fields.required(ENTRY_EVENT, Reader::unsigned)?;
    let event = Event::read(number, &mut fields)?;
    fields.end()?;
    Some((previous, Record { unix_ms, event }))
}

/// The log, from the newest entry to the oldest, checked as it is read.
pub struct Log<'a> {
    database: &'a Database,
    keys: &'a LocalKeys,
    head: LogHead,
    /// The number of what comes next.
    next: u64,
    /// What has to stand there; `None` where what stood after it is gone.
    expected: Option<EntryHash>,
}

impl<'a> Log<'a> {
    /// The entries before `before`, all where none is given.
    pub(crate) fn read(
        database: &'a Database,
        keys: &'a LocalKeys,
        head: LogHead,
        before: Option<u64>,
    ) -> Result<Self, Error> {
        let mut log = Self {
            database,
            keys,
            head,
            next: head.last,
            expected: Some(head.hash),
        };
        if let Some(before) = before.filter(|before| *before <= head.last) {
            let known = log.database.log_entry(before)?;
            log.expected = known
                .and_then(|sealed| log.open(before, &sealed))
                .map(|(previous, _)| previous);
            log.next = before.saturating_sub(1);
        }
        Ok(log)
    }

    /// Why the log begins.
    pub fn origin(&self) -> LogOrigin {
        self.head.origin
    }

    /// The number of the oldest entry that is kept; those before it were dropped when newer ones needed the room.
    pub fn oldest(&self) -> u64 {
        self.head.first
    }

    /// The number of the newest entry; one less than [`Self::oldest`] where there is none.
    pub fn newest(&self) -> u64 {
        self.head.last
    }

    fn open(&self, number: u64, sealed: &[u8]) -> Option<(EntryHash, Record)> {
        decode_entry(&self.keys.open(Place::LogEntry(number), sealed).ok()?)
    }

    fn look(&mut self) -> Result<Logged, Error> {
        let number = self.next;
        let Some(sealed) = self.database.log_entry(number)? else {
            let before = self.database.last_log_entry_before(number)?.unwrap_or(0);
            self.next = before.max(self.head.first - 1);
            self.expected = None;
            return Ok(Logged::Gap {
                first: self.next + 1,
                last: number,
            });
        };
        self.next = number - 1;
        let is_expected = self.expected.is_none_or(|hash| hash == EntryHash::of(&sealed));
        let opened = self.open(number, &sealed).filter(|_| is_expected);
        self.expected = opened.as_ref().map(|(previous, _)| *previous);
        Ok(match opened {
            Some((_, record)) => Logged::Entry { number, record },
            None => Logged::Damaged { number },
        })
    }
}

impl Iterator for Log<'_> {
    type Item = Result<Logged, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let looked = (self.next >= self.head.first).then(|| self.look())?;
        if looked.is_err() {
            self.next = 0;
        }
        Some(looked)
    }
}

#[cfg(test)]
mod tests;

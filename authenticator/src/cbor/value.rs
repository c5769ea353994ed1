//! A CBOR item whose strings borrow from elsewhere, and a map that is always in canonical order.

use core::cmp::Ordering;

/// A CBOR item of the CTAP2 subset: no tags, no floating point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Major type 0.
    Unsigned(u64),
    /// Major type 1: the integer `-1 - n`.
    Negative(u64),
    /// Major type 2.
    Bytes(&'a [u8]),
    /// Major type 3.
    Text(&'a str),
    /// Major type 4.
    Array(Vec<Self>),
    /// Major type 5.
    Map(Map<'a>),
    /// Simple values 20 and 21.
    Bool(bool),
    /// Simple value 22.
    Null,
    /// Simple value 23.
    Undefined,
}

impl Value<'_> {
    /// The item for an integer of either sign.
    pub fn integer(integer: i64) -> Self {
        if integer < 0 {
            Self::Negative(integer.unsigned_abs() - 1)
        } else {
            Self::Unsigned(integer.unsigned_abs())
        }
    }

    /// The item for a number of things or bytes.
    pub fn count(count: usize) -> Self {
        Self::Unsigned(u64::try_from(count).expect("no address space exceeds 64 bits"))
    }
}

/// A map key. Other types are not used as keys by any CTAP2 message and are refused.
///
/// The order is that of `CTAP 2.3 §8`: major type, then length of the encoding, then its bytes. As heads are
/// always the shortest, that is the order of the variants, then of the number, or of length and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// Major type 0.
    Unsigned(u64),
    /// Major type 1: the integer `-1 - n`.
    Negative(u64),
    /// Major type 2.
    Bytes(&'a [u8]),
    /// Major type 3.
    Text(&'a str),
}

impl<'a> Key<'a> {
    /// Major type, what decides within it first, and what decides last.
    fn rank(&self) -> (u8, u64, &'a [u8]) {
        match *self {
            Self::Unsigned(n) => (0, n, &[]),
            Self::Negative(n) => (1, n, &[]),
            Self::Bytes(bytes) => (2, length(bytes), bytes),
            Self::Text(text) => (3, length(text.as_bytes()), text.as_bytes()),
        }
    }
}

/// The length of a string as CBOR writes it.
pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("no address space exceeds 64 bits")
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u64> for Key<'_> {
    fn from(n: u64) -> Self {
        Self::Unsigned(n)
    }
}

impl From<i64> for Key<'_> {
    fn from(n: i64) -> Self {
        if n < 0 {
            Self::Negative(n.unsigned_abs() - 1)
        } else {
            Self::Unsigned(n.unsigned_abs())
        }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// A map: each key once, in canonical order, however it was built.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map<'a> {
    entries: Vec<(Key<'a>, Value<'a>)>,
}

impl<'a> Map<'a> {
    /// The map with these entries; of two with the same key the later counts.
    pub fn new<K: Into<Key<'a>>>(entries: impl IntoIterator<Item = (K, Value<'a>)>) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: impl Into<Key<'a>>, value: Value<'a>) {
        let key = key.into();
        match self.position(&key) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// The value of a key.
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Option<&Value<'a>> {
        let at = self.position(&key.into()).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    /// The entries, in canonical order.
    pub fn entries(&self) -> &[(Key<'a>, Value<'a>)] {
        &self.entries
    }

    /// Adds an entry whose key comes after every key so far; `Err` with how it compares to the last one otherwise.
    pub(super) fn push_last(&mut self, key: Key<'a>, value: Value<'a>) -> Result<(), Ordering> {
        let order = self
            .entries
            .last()
            .map_or(Ordering::Greater, |(last, _)| key.cmp(last));
        if order != Ordering::Greater {
            return Err(order);
        }
        self.entries.push((key, value));
        Ok(())
    }

    fn position(&self, key: &Key<'_>) -> Result<usize, usize> {
        self.entries.binary_search_by(|(candidate, _)| candidate.cmp(key))
    }
}

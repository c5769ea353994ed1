//! Reads one canonical CBOR item from untrusted bytes. Nothing is allocated for an announced length or count
//! before as many bytes are known to be there, and nesting is bounded by [`DEPTH_MAX`].

use core::cmp::Ordering;

use super::{Key, Map, Value};

/// How many arrays and maps may be inside one another, the outermost counted: the deepest request is a
/// makeCredential with `transports` in its excludeList. `CTAP 2.3 §8`.
pub const DEPTH_MAX: usize = 4;

/// Why bytes are not one canonical CBOR item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The input ends inside the item.
    Truncated,
    /// Bytes follow the item.
    TrailingBytes,
    /// Arrays and maps are nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// An integer, a length or a count is not in its shortest form.
    NotShortest,
    /// A string, an array or a map has no definite length.
    Indefinite,
    /// Additional information 28 to 30, which `RFC 8949 §3` reserves.
    Reserved,
    /// A tag.
    Tag,
    /// A floating-point number, or a simple value other than false, true, null and undefined.
    Simple,
    /// A text is not UTF-8.
    NotUtf8,
    /// A map key is neither an integer nor a string.
    KeyType,
    /// A map key comes before the one in front of it.
    KeyOrder,
    /// A map has the same key twice.
    DuplicateKey,
}

/// Reads the one item that `bytes` consist of.
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(DEPTH_MAX)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(Malformed::TrailingBytes)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

/// The head of an item, `RFC 8949 §3`, for the major types that may occur.
enum Head {
    Unsigned(u64),
    Negative(u64),
    Bytes(u64),
    Text(u64),
    Array(u64),
    Map(u64),
    Simple(u8),
}

impl<'a> Reader<'a> {
    /// One item; up to `depth` arrays and maps inside one another.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        match self.head()? {
            Head::Unsigned(n) => Ok(Value::Unsigned(n)),
            Head::Negative(n) => Ok(Value::Negative(n)),
            Head::Bytes(length) => self.take(length).map(Value::Bytes),
            Head::Text(length) => self.text(length).map(Value::Text),
            Head::Array(count) => self.array(count, depth),
            Head::Map(count) => self.map(count, depth),
            Head::Simple(20) => Ok(Value::Bool(false)),
            Head::Simple(21) => Ok(Value::Bool(true)),
            Head::Simple(22) => Ok(Value::Null),
            Head::Simple(23) => Ok(Value::Undefined),
            Head::Simple(_) => Err(Malformed::Simple),
        }
    }

    fn array(&mut self, count: u64, depth: usize) -> Result<Value<'a>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
        let count = self.count(count, 1)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<Value<'a>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
        let count = self.count(count, 2)?;
        let mut map = Map::default();
        for _ in 0..count {
            let key = self.key()?;
            let value = self.value(depth)?;
            map.push_last(key, value).map_err(|order| match order {
                Ordering::Equal => Malformed::DuplicateKey,
                Ordering::Less | Ordering::Greater => Malformed::KeyOrder,
            })?;
        }
        Ok(Value::Map(map))
    }

    fn key(&mut self) -> Result<Key<'a>, Malformed> {
        match self.head()? {
            Head::Unsigned(n) => Ok(Key::Unsigned(n)),
            Head::Negative(n) => Ok(Key::Negative(n)),
            Head::Bytes(length) => self.take(length).map(Key::Bytes),
            Head::Text(length) => self.text(length).map(Key::Text),
            Head::Array(_) | Head::Map(_) | Head::Simple(_) => Err(Malformed::KeyType),
        }
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let initial = self.byte()?;
        let (major, info) = (initial >> 5, initial & 0x1F);
        match major {
            0 => self.argument(info).map(Head::Unsigned),
            1 => self.argument(info).map(Head::Negative),
            2 => self.argument(info).map(Head::Bytes),
            3 => self.argument(info).map(Head::Text),
            4 => self.argument(info).map(Head::Array),
            5 => self.argument(info).map(Head::Map),
            6 => Err(Malformed::Tag),
            _ => Ok(Head::Simple(info)),
        }
    }

    /// The argument of a head, which must be in its shortest form.
    fn argument(&mut self, info: u8) -> Result<u64, Malformed> {
        let (argument, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(self.byte()?), 24),
            25 => (u64::from(u16::from_be_bytes(self.bytes()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.bytes()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.bytes()?), 1 << 32),
            28..=30 => return Err(Malformed::Reserved),
            _ => return Err(Malformed::Indefinite),
        };
        if argument < least {
            Err(Malformed::NotShortest)
        } else {
            Ok(argument)
        }
    }

    /// A count of items that need at least `bytes_each` bytes each; refused when so many cannot be there.
    fn count(&self, count: u64, bytes_each: usize) -> Result<usize, Malformed> {
        let possible = self.rest.len() / bytes_each;
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= possible)
            .ok_or(Malformed::Truncated)
    }

    fn text(&mut self, length: u64) -> Result<&'a str, Malformed> {
        core::str::from_utf8(self.take(length)?).map_err(|_| Malformed::NotUtf8)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.bytes()?;
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;

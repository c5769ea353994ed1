//! CBOR values: to bytes in CTAP's canonical order (CTAP 2.3 §8), and back from bytes.

use ciborium::Value;
use ciborium::value::Integer;

use super::Error;

/// The bytes of `value`, as they are ordered.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to a vector does not fail");
    bytes
}

/// The value that is all of `bytes`.
pub fn from_bytes(bytes: &[u8]) -> Result<Value, Error> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).map_err(|_| Error::NotCbor)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Error::NotCbor)
    }
}

/// The same value with the keys of every map in canonical order: by major type, then shorter first, then by bytes.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever holds no other value stays as it is"
)]
pub fn canonical(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Map(members) => {
            let mut members: Vec<(Value, Value)> = members
                .into_iter()
                .map(|(key, member)| (key, canonical(member)))
                .collect();
            members.sort_by_cached_key(|(key, _)| {
                let bytes = to_bytes(key);
                (bytes.first().map(|first| first >> 5), bytes.len(), bytes)
            });
            Value::Map(members)
        }
        Value::Tag(tag, inner) => Value::Tag(tag, Box::new(canonical(*inner))),
        simple => simple,
    }
}

/// A map of integer keys from which members are taken one by one.
pub(super) struct Members(Vec<(Value, Value)>);

impl Members {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        from_bytes(bytes)?
            .into_map()
            .map(Self)
            .map_err(|_| Error::NotCbor)
    }

    pub(super) fn new(value: Value) -> Option<Self> {
        value.into_map().ok().map(Self)
    }

    /// Takes the member with an integer key.
    pub(super) fn take(&mut self, key: impl Into<Integer>) -> Option<Value> {
        self.take_key(&Value::Integer(key.into()))
    }

    /// Takes the member with a text key.
    pub(super) fn take_text(&mut self, key: &str) -> Option<Value> {
        self.take_key(&Value::from(key))
    }

    fn take_key(&mut self, key: &Value) -> Option<Value> {
        let index = self.0.iter().position(|(candidate, _)| candidate == key)?;
        Some(self.0.swap_remove(index).1)
    }

    /// Takes a member that may be absent but not of another type.
    pub(super) fn optional<T>(
        &mut self,
        key: u8,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.take(key)
            .map(|value| read(value).ok_or(Error::Member(name)))
            .transpose()
    }

    /// Takes a member that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: u8,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, Error> {
        self.optional(key, name, read)?.ok_or(Error::Member(name))
    }

    /// What was not taken.
    pub(super) fn into_rest(self) -> Vec<(Value, Value)> {
        self.0
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    value.into_bytes().ok()
}

pub(super) fn text(value: Value) -> Option<String> {
    value.into_text().ok()
}

pub(super) fn boolean(value: Value) -> Option<bool> {
    value.into_bool().ok()
}

pub(super) fn integer<T: TryFrom<i128>>(value: Value) -> Option<T> {
    T::try_from(i128::from(value.into_integer().ok()?)).ok()
}

/// An array whose members are all read by `read`.
pub(super) fn list<T>(value: Value, read: impl Fn(Value) -> Option<T>) -> Option<Vec<T>> {
    value.into_array().ok()?.into_iter().map(read).collect()
}

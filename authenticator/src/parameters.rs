//! The parameters of a command: a map whose members are asked for by number and type. In: the bytes behind the
//! command byte. Out: Rust values, or the status code of `CTAP 2.3 §8`: not canonical CBOR INVALID_CBOR, wrong type
//! CBOR_UNEXPECTED_TYPE, absent MISSING_PARAMETER. Members that nobody asks for are ignored.

use crate::cbor::{self, Map, Value};
use crate::status::StatusCode;

/// The decoded parameters of a request.
pub(crate) struct Parameters<'a>(Map<'a>);

impl<'a> Parameters<'a> {
    /// Reads the map behind a command byte. No bytes at all are a map without members, so what a command requires
    /// is reported as missing.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, StatusCode> {
        if body.is_empty() {
            return Ok(Self(Map::default()));
        }
        let Value::Map(map) = cbor::decode(body)? else {
            return Err(StatusCode::CBOR_UNEXPECTED_TYPE);
        };
        Ok(Self(map))
    }

    /// A member that must be there.
    pub(crate) fn required<'s, T>(
        &'s self,
        key: u64,
        read: impl FnOnce(&'s Value<'a>) -> Result<T, StatusCode>,
    ) -> Result<T, StatusCode> {
        self.optional(key, read)?.ok_or(StatusCode::MISSING_PARAMETER)
    }

    /// A member that may be there, but then has its type.
    pub(crate) fn optional<'s, T>(
        &'s self,
        key: u64,
        read: impl FnOnce(&'s Value<'a>) -> Result<T, StatusCode>,
    ) -> Result<Option<T>, StatusCode> {
        self.0.get(key).map(read).transpose()
    }
}

/// A parameter that this use of the command requires.
pub(crate) fn required<T>(parameter: Option<T>) -> Result<T, StatusCode> {
    parameter.ok_or(StatusCode::MISSING_PARAMETER)
}

/// The bytes of a byte string.
pub(crate) fn bytes<'a>(value: &Value<'a>) -> Result<&'a [u8], StatusCode> {
    if let Value::Bytes(bytes) = value {
        Ok(bytes)
    } else {
        Err(StatusCode::CBOR_UNEXPECTED_TYPE)
    }
}

/// The text of a text string.
pub(crate) fn text<'a>(value: &Value<'a>) -> Result<&'a str, StatusCode> {
    if let Value::Text(text) = value {
        Ok(text)
    } else {
        Err(StatusCode::CBOR_UNEXPECTED_TYPE)
    }
}

/// An integer that is not negative.
pub(crate) fn unsigned(value: &Value<'_>) -> Result<u64, StatusCode> {
    if let Value::Unsigned(n) = value {
        Ok(*n)
    } else {
        Err(StatusCode::CBOR_UNEXPECTED_TYPE)
    }
}

/// False or true.
pub(crate) fn boolean(value: &Value<'_>) -> Result<bool, StatusCode> {
    if let Value::Bool(value) = value {
        Ok(*value)
    } else {
        Err(StatusCode::CBOR_UNEXPECTED_TYPE)
    }
}

/// The items of an array.
pub(crate) fn array<'s, 'a>(value: &'s Value<'a>) -> Result<&'s [Value<'a>], StatusCode> {
    if let Value::Array(items) = value {
        Ok(items)
    } else {
        Err(StatusCode::CBOR_UNEXPECTED_TYPE)
    }
}

/// A map.
pub(crate) fn map<'s, 'a>(value: &'s Value<'a>) -> Result<&'s Map<'a>, StatusCode> {
    if let Value::Map(map) = value {
        Ok(map)
    } else {
        Err(StatusCode::CBOR_UNEXPECTED_TYPE)
    }
}

/// A member of a nested map that must be there; the code for an absent one is that of a wrong type, `CTAP 2.3 §8`.
pub(crate) fn member<'s, 'a>(map: &'s Map<'a>, name: &str) -> Result<&'s Value<'a>, StatusCode> {
    map.get(name).ok_or(StatusCode::CBOR_UNEXPECTED_TYPE)
}

/// A member of a nested map that may be there, as a text of its own.
pub(crate) fn optional_text(map: &Map<'_>, name: &str) -> Result<Option<String>, StatusCode> {
    map.get(name)
        .map(|value| text(value).map(str::to_owned))
        .transpose()
}

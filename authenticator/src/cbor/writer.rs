//! Writes a [`Value`] as canonical CBOR. Order and shortness are not the caller's care: a [`super::Map`] is in order,
//! heads are always the shortest (`RFC 8949 §3`).

use super::value::length;
use super::{Key, Value};

/// The canonical encoding of `value`. It is written to where it stays: a value may hold secrets, and memory that was too
/// small for it would keep a copy of them.
pub fn encode(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded_len(value));
    write_value(&mut out, value);
    out
}

/// How many bytes the encoding has.
fn encoded_len(value: &Value<'_>) -> usize {
    match value {
        Value::Unsigned(n) | Value::Negative(n) => head_len(*n),
        Value::Bytes(bytes) => string_len(bytes),
        Value::Text(text) => string_len(text.as_bytes()),
        Value::Array(items) => {
            let items_len: usize = items.iter().map(encoded_len).sum();
            head_len(count(items)) + items_len
        }
        Value::Map(map) => {
            let entry_len = |(key, value): &(Key<'_>, Value<'_>)| key_len(key) + encoded_len(value);
            let entries_len: usize = map.entries().iter().map(entry_len).sum();
            head_len(count(map.entries())) + entries_len
        }
        Value::Bool(_) | Value::Null | Value::Undefined => 1,
    }
}

fn key_len(key: &Key<'_>) -> usize {
    match key {
        Key::Unsigned(n) | Key::Negative(n) => head_len(*n),
        Key::Bytes(bytes) => string_len(bytes),
        Key::Text(text) => string_len(text.as_bytes()),
    }
}

fn string_len(bytes: &[u8]) -> usize {
    head_len(length(bytes)) + bytes.len()
}

fn head_len(argument: u64) -> usize {
    match argument {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        0x1_0000_0000.. => 9,
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).expect("no address space exceeds 64 bits")
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Unsigned(n) => write_head(out, 0, *n),
        Value::Negative(n) => write_head(out, 1, *n),
        Value::Bytes(bytes) => write_string(out, 2, bytes),
        Value::Text(text) => write_string(out, 3, text.as_bytes()),
        Value::Array(items) => {
            write_head(out, 4, count(items));
            for item in items {
                write_value(out, item);
            }
        }
        Value::Map(map) => {
            write_head(out, 5, count(map.entries()));
            for (key, value) in map.entries() {
                write_key(out, key);
                write_value(out, value);
            }
        }
        Value::Bool(false) => write_head(out, 7, 20),
        Value::Bool(true) => write_head(out, 7, 21),
        Value::Null => write_head(out, 7, 22),
        Value::Undefined => write_head(out, 7, 23),
    }
}

fn write_key(out: &mut Vec<u8>, key: &Key<'_>) {
    match key {
        Key::Unsigned(n) => write_head(out, 0, *n),
        Key::Negative(n) => write_head(out, 1, *n),
        Key::Bytes(bytes) => write_string(out, 2, bytes),
        Key::Text(text) => write_string(out, 3, text.as_bytes()),
    }
}

fn write_string(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    write_head(out, major, length(bytes));
    out.extend_from_slice(bytes);
}

/// Major type and argument in the fewest bytes.
fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    if let Ok(argument) = u8::try_from(argument) {
        if argument < 24 {
            out.push(major | argument);
        } else {
            out.extend([major | 24, argument]);
        }
    } else if let Ok(argument) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend(argument.to_be_bytes());
    } else if let Ok(argument) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend(argument.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend(argument.to_be_bytes());
    }
}

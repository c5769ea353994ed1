//! Changes a request so that it stays CBOR: what is inside gets another value, another type, another place. Left to the
//! fuzzer, nearly every change ends in the decoder.

use ciborium::Value;
use wardkey_sim::fido_client::{canonical, from_bytes, to_bytes};
use wardkey_sim::scenario::Draw;

/// What is in front of the parameters: what the key is, and the command.
const HEAD_LEN: usize = 2;

/// A request like `input`, or `None` where that has no parameters.
pub fn mutate(input: &[u8], seed: u32) -> Option<Vec<u8>> {
    let (head, parameters) = input.split_at_checked(HEAD_LEN)?;
    let mut value = from_bytes(parameters).ok().filter(Value::is_map)?;
    let mut draw = Draw::from_seed(seed.into());
    for _ in 0..=draw.below(3) {
        let count = u32::try_from(count(&value)).ok()?;
        let mut at = draw.below(count);
        change(&mut value, &mut at, &mut draw);
    }
    let value = if draw.once_in(8) { value } else { canonical(value) };
    Some([head, &to_bytes(&value)].concat())
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Map(members) => members.iter().map(|(_, member)| count(member)).sum(),
        _ => 0,
    }
}

/// Changes the item at a place, counted from the outside to the inside.
fn change(value: &mut Value, at: &mut u32, draw: &mut Draw<'_>) -> bool {
    if *at == 0 {
        change_this(value, draw);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, at, draw)),
        Value::Map(members) => members.iter_mut().any(|(_, member)| change(member, at, draw)),
        _ => false,
    }
}

fn change_this(value: &mut Value, draw: &mut Draw<'_>) {
    match value {
        Value::Map(members) if draw.below(8) != 7 => change_members(members, draw),
        Value::Array(items) if draw.below(8) != 7 => match draw.below(3) {
            0 => items.push(scalar(draw)),
            1 => items.extend(items.first().cloned()),
            _ => drop(items.pop()),
        },
        Value::Bytes(bytes) if draw.below(4) != 3 => {
            let len = draw.pick(&[0, 1, 15, 16, 17, 31, 32, 33, 48, 64, 65, 80, 255, 256]);
            bytes.resize(len, 0x42);
        }
        _ => *value = scalar(draw),
    }
}

fn change_members(members: &mut Vec<(Value, Value)>, draw: &mut Draw<'_>) {
    match draw.below(4) {
        0 if !members.is_empty() => {
            let count = u32::try_from(members.len()).expect("requests are short");
            let at = usize::try_from(draw.below(count)).expect("an index");
            members.remove(at);
        }
        1 => {
            let key = draw.below(16);
            members.retain(|(name, _)| *name != Value::from(key));
            members.push((Value::from(key), scalar(draw)));
        }
        _ => {
            let key = draw.pick(&TEXTS);
            members.retain(|(name, _)| *name != Value::from(key));
            members.push((Value::from(key), scalar(draw)));
        }
    }
}

/// Names that mean something somewhere.
const TEXTS: [&str; 24] = [
    "",
    "id",
    "name",
    "displayName",
    "type",
    "alg",
    "public-key",
    "a.example",
    "b.example",
    "rk",
    "up",
    "uv",
    "none",
    "packed",
    "credProtect",
    "credBlob",
    "hmac-secret",
    "hmac-secret-mc",
    "largeBlob",
    "largeBlobKey",
    "minPinLength",
    "pinComplexityPolicy",
    "thirdPartyPayment",
    "support",
];

fn scalar(draw: &mut Draw<'_>) -> Value {
    match draw.below(8) {
        0 => Value::Bool(draw.below(2) == 1),
        1 => Value::from(draw.pick(&[
            0_i64,
            1,
            2,
            3,
            4,
            23,
            24,
            255,
            256,
            7545,
            16_000,
            65_536,
            i64::MAX,
        ])),
        2 => Value::from(draw.pick(&[-1_i64, -7, -8, -25, -35, -257, i64::MIN])),
        3 => Value::from(draw.pick(&TEXTS)),
        4 => Value::Bytes(vec![0x42; draw.pick(&[0, 1, 16, 32, 64])]),
        5 => Value::Array(Vec::new()),
        6 => Value::Map(Vec::new()),
        _ => Value::Null,
    }
}

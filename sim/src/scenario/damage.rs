//! Requests that are not what they should be: of another shape, or not canonical CBOR. One thing is wrong at a time.

use ciborium::Value;

use crate::fido_client::to_bytes;

/// What is wrong with the parameters of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A member of a map is missing; members are counted through all maps.
    Omit(u8),
    /// An item has another type, or is empty; items are counted through all arrays and maps.
    Replace(u8, Kind),
    /// There is a member that nobody knows.
    AddMember,
    /// There is a member that nobody knows, with arrays this deep inside one another.
    Nest(u8),
    /// A key occurs twice.
    Duplicate,
    /// The keys are in the wrong order.
    Disorder,
    /// The outermost head is longer than it has to be.
    LongHead,
    /// The outermost map has no length.
    Indefinite,
    /// The map has a tag.
    Tag,
    /// A byte follows the map.
    Trailing,
    /// The end is missing.
    Truncate(u8),
    /// There is something else in the place of the map.
    NoMap(Kind),
    /// There is nothing at all.
    Nothing,
}

/// An item to put in the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0
    Unsigned,
    /// -1
    Negative,
    /// No bytes.
    Bytes,
    /// No text.
    Text,
    /// No items.
    Array,
    /// No members.
    Map,
    /// true
    Bool,
    /// null
    Null,
    /// 1.5
    Float,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Unsigned,
        Self::Negative,
        Self::Bytes,
        Self::Text,
        Self::Array,
        Self::Map,
        Self::Bool,
        Self::Null,
        Self::Float,
    ];

    fn value(self) -> Value {
        match self {
            Self::Unsigned => Value::from(0),
            Self::Negative => Value::from(-1),
            Self::Bytes => Value::Bytes(Vec::new()),
            Self::Text => Value::from(""),
            Self::Array => Value::Array(Vec::new()),
            Self::Map => Value::Map(Vec::new()),
            Self::Bool => Value::Bool(true),
            Self::Null => Value::Null,
            Self::Float => Value::Float(1.5),
        }
    }
}

/// A key that no command knows.
const UNKNOWN_KEY: u8 = 0x55;

/// The damaged encoding of `parameters`, a map in canonical order.
pub(super) fn damage(parameters: &Value, damage: Damage) -> Vec<u8> {
    match damage {
        Damage::Omit(at) => to_bytes(&omit(parameters.clone(), at.into())),
        Damage::Replace(at, kind) => to_bytes(&replace(parameters.clone(), at.into(), kind)),
        Damage::AddMember => to_bytes(&with_member(parameters, Value::from("unknown"))),
        Damage::Nest(depth) => {
            let nested = (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
            to_bytes(&with_member(parameters, nested))
        }
        Damage::Duplicate => to_bytes(&with_members(parameters, |members| {
            members.extend(members.last().cloned());
        })),
        Damage::Disorder => to_bytes(&with_members(parameters, |members| members.reverse())),
        Damage::LongHead => with_head(parameters, |count| vec![0xB8, count]),
        Damage::Indefinite => {
            let mut bytes = with_head(parameters, |_| vec![0xBF]);
            bytes.push(0xFF);
            bytes
        }
        Damage::Tag => to_bytes(&Value::Tag(24, Box::new(parameters.clone()))),
        Damage::Trailing => [to_bytes(parameters), vec![0]].concat(),
        Damage::Truncate(missing) => {
            let mut bytes = to_bytes(parameters);
            bytes.truncate(bytes.len().saturating_sub(usize::from(missing) + 1));
            bytes
        }
        Damage::NoMap(kind) => to_bytes(&kind.value()),
        Damage::Nothing => Vec::new(),
    }
}

fn with_members(parameters: &Value, change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Value {
    let mut members = parameters.as_map().cloned().unwrap_or_default();
    change(&mut members);
    Value::Map(members)
}

fn with_member(parameters: &Value, value: Value) -> Value {
    // Behind every other key: the order stays canonical.
    with_members(parameters, |members| {
        members.push((Value::from(UNKNOWN_KEY), value))
    })
}

/// The members behind another head. No request here has as many members as would not fit into one byte.
fn with_head(parameters: &Value, head: impl FnOnce(u8) -> Vec<u8>) -> Vec<u8> {
    let count = parameters.as_map().map_or(0, Vec::len);
    let mut bytes = head(u8::try_from(count).unwrap_or(u8::MAX));
    for (key, value) in parameters.as_map().into_iter().flatten() {
        bytes.extend(to_bytes(key));
        bytes.extend(to_bytes(value));
    }
    bytes
}

/// Leaves out the member at a place, counted through all maps.
fn omit(mut value: Value, at: usize) -> Value {
    let count = count_members(&value);
    if let Some(at) = at.checked_rem(count) {
        omit_member(&mut value, &mut at.clone());
    }
    value
}

fn count_members(value: &Value) -> usize {
    let own = value.as_map().map_or(0, Vec::len);
    own + children(value).map(count_members).sum::<usize>()
}

fn omit_member(value: &mut Value, left: &mut usize) -> bool {
    if let Value::Map(members) = value {
        if *left < members.len() {
            members.remove(*left);
            return true;
        }
        *left -= members.len();
    }
    children_mut(value).any(|child| omit_member(child, left))
}

/// Replaces the item at a place, counted through everything inside the outermost map.
fn replace(mut value: Value, at: usize, kind: Kind) -> Value {
    let count = count_items(&value);
    if let Some(at) = at.checked_rem(count) {
        replace_item(&mut value, &mut at.clone(), kind);
    }
    value
}

fn count_items(value: &Value) -> usize {
    children(value).map(|child| 1 + count_items(child)).sum()
}

fn replace_item(value: &mut Value, left: &mut usize, kind: Kind) -> bool {
    for child in children_mut(value) {
        if *left == 0 {
            *child = kind.value();
            return true;
        }
        *left -= 1;
        if replace_item(child, left, kind) {
            return true;
        }
    }
    false
}

fn children(value: &Value) -> impl Iterator<Item = &Value> {
    let items = value.as_array().into_iter().flatten();
    let members = value.as_map().into_iter().flatten().map(|(_, member)| member);
    items.chain(members)
}

fn children_mut(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    if let Value::Array(items) = value {
        Box::new(items.iter_mut())
    } else if let Value::Map(members) = value {
        Box::new(members.iter_mut().map(|(_, member)| member))
    } else {
        Box::new(std::iter::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// {1: {"a": 5}, 2: [6]}
    fn parameters() -> Value {
        Value::Map(vec![
            (
                Value::from(1),
                Value::Map(vec![(Value::from("a"), Value::from(5))]),
            ),
            (Value::from(2), Value::Array(vec![Value::from(6)])),
        ])
    }

    #[test]
    fn every_kind_of_damage_is_what_its_name_says() {
        for (what, bytes) in [
            (Damage::Omit(0), &[0xA1, 2, 0x81, 6][..]),
            (Damage::Omit(2), &[0xA2, 1, 0xA0, 2, 0x81, 6]),
            (Damage::Omit(3), &[0xA1, 2, 0x81, 6]),
            (
                Damage::Replace(1, Kind::Bool),
                &[0xA2, 1, 0xA1, 0x61, b'a', 0xF5, 2, 0x81, 6],
            ),
            (
                Damage::Replace(2, Kind::Map),
                &[0xA2, 1, 0xA1, 0x61, b'a', 5, 2, 0xA0],
            ),
            (
                Damage::Replace(3, Kind::Null),
                &[0xA2, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 0xF6],
            ),
            (
                Damage::Nest(2),
                &[
                    0xA3, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 6, 0x18, 0x55, 0x81, 0x81, 0xF6,
                ],
            ),
            (
                Damage::Duplicate,
                &[0xA3, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 6, 2, 0x81, 6],
            ),
            (Damage::Disorder, &[0xA2, 2, 0x81, 6, 1, 0xA1, 0x61, b'a', 5]),
            (Damage::LongHead, &[0xB8, 2, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 6]),
            (
                Damage::Indefinite,
                &[0xBF, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 6, 0xFF],
            ),
            (Damage::Tag, &[0xD8, 24, 0xA2, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 6]),
            (Damage::Trailing, &[0xA2, 1, 0xA1, 0x61, b'a', 5, 2, 0x81, 6, 0]),
            (Damage::Truncate(1), &[0xA2, 1, 0xA1, 0x61, b'a', 5, 2]),
            (Damage::NoMap(Kind::Array), &[0x80]),
            (Damage::Nothing, &[]),
        ] {
            assert_eq!(damage(&parameters(), what), bytes, "{what:?}");
        }
    }
}

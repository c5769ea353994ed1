use proptest::prelude::*;

use super::*;
use crate::cbor::encode;

/// An owned item to generate; [`Value`] borrows.
#[derive(Debug, Clone)]
enum Tree {
    Integer(i64),
    Extreme(bool, u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    Map(Vec<(TreeKey, Self)>),
    Bool(bool),
    Null,
    Undefined,
}

#[derive(Debug, Clone)]
enum TreeKey {
    Integer(i64),
    Bytes(Vec<u8>),
    Text(String),
}

fn borrow(tree: &Tree) -> Value<'_> {
    match tree {
        Tree::Integer(n) => Value::integer(*n),
        Tree::Extreme(false, n) => Value::Unsigned(*n),
        Tree::Extreme(true, n) => Value::Negative(*n),
        Tree::Bytes(bytes) => Value::Bytes(bytes),
        Tree::Text(text) => Value::Text(text),
        Tree::Array(items) => Value::Array(items.iter().map(borrow).collect()),
        Tree::Map(entries) => Value::Map(Map::new(entries.iter().map(|(key, value)| {
            let key = match key {
                TreeKey::Integer(n) => Key::from(*n),
                TreeKey::Bytes(bytes) => Key::Bytes(bytes),
                TreeKey::Text(text) => Key::Text(text),
            };
            (key, borrow(value))
        }))),
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Null => Value::Null,
        Tree::Undefined => Value::Undefined,
    }
}

fn keys() -> impl Strategy<Value = TreeKey> {
    prop_oneof![
        (-300_i64..300).prop_map(TreeKey::Integer),
        any::<i64>().prop_map(TreeKey::Integer),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(TreeKey::Bytes),
        "[a-c]{0,3}".prop_map(TreeKey::Text),
        "\\PC{0,30}".prop_map(TreeKey::Text),
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Tree::Integer),
        (any::<bool>(), any::<u64>()).prop_map(|(negative, n)| Tree::Extreme(negative, n)),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Tree::Bytes),
        "\\PC{0,40}".prop_map(Tree::Text),
        any::<bool>().prop_map(Tree::Bool),
        Just(Tree::Null),
        Just(Tree::Undefined),
    ];
    leaf.prop_recursive(3, 40, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..30).prop_map(Tree::Array),
            proptest::collection::vec((keys(), inner), 0..30).prop_map(Tree::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in trees()) {
        let value = borrow(&tree);
        let bytes = encode(&value);
        prop_assert_eq!(bytes.capacity(), bytes.len(), "no copy in memory that was too small");
        prop_assert_eq!(decode(&bytes), Ok(value));
    }

    #[test]
    fn what_is_accepted_is_written_back_byte_for_byte(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = decode(&bytes) {
            prop_assert_eq!(encode(&value), bytes);
        }
    }

    #[test]
    fn a_damaged_item_is_refused_or_written_back_byte_for_byte(tree in trees(), at in any::<prop::sample::Index>(), with: u8) {
        let mut bytes = encode(&borrow(&tree));
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(value) = decode(&bytes) {
            prop_assert_eq!(encode(&value), bytes);
        }
    }

    #[test]
    fn every_proper_beginning_of_an_item_is_truncated(tree in trees(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&borrow(&tree));
        let cut = cut.index(bytes.len());
        prop_assert_eq!(decode(&bytes[..cut]), Err(Malformed::Truncated));
    }
}

#[test]
fn each_fault_has_its_name() {
    let cases: &[(&[u8], Malformed)] = &[
        (&[], Malformed::Truncated),
        (&[0x42, 0x00], Malformed::Truncated),
        (&[0x18], Malformed::Truncated),
        (&[0x00, 0x00], Malformed::TrailingBytes),
        (&[0x81, 0x81, 0x81, 0x81, 0x80], Malformed::TooDeep),
        (
            &[0xA1, 0x00, 0xA1, 0x00, 0xA1, 0x00, 0xA1, 0x00, 0xA0],
            Malformed::TooDeep,
        ),
        (&[0x18, 0x17], Malformed::NotShortest),
        (&[0x19, 0x00, 0xFF], Malformed::NotShortest),
        (&[0x1A, 0x00, 0x00, 0xFF, 0xFF], Malformed::NotShortest),
        (
            &[0x1B, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF],
            Malformed::NotShortest,
        ),
        (&[0x58, 0x01, 0x00], Malformed::NotShortest),
        (&[0x98, 0x01, 0x00], Malformed::NotShortest),
        (&[0x9F, 0xFF], Malformed::Indefinite),
        (&[0xBF, 0xFF], Malformed::Indefinite),
        (&[0x5F, 0xFF], Malformed::Indefinite),
        (&[0x7F, 0xFF], Malformed::Indefinite),
        (&[0x1C], Malformed::Reserved),
        (&[0x5E], Malformed::Reserved),
        (&[0xC0, 0x00], Malformed::Tag),
        (&[0xD8, 0x20, 0x00], Malformed::Tag),
        (&[0xF9, 0x3C, 0x00], Malformed::Simple),
        (&[0xFB, 0, 0, 0, 0, 0, 0, 0, 0], Malformed::Simple),
        (&[0xE0], Malformed::Simple),
        (&[0xF8, 0x20], Malformed::Simple),
        (&[0xFF], Malformed::Simple),
        (&[0x61, 0xFF], Malformed::NotUtf8),
        (&[0x62, 0xC3, 0x28], Malformed::NotUtf8),
        (&[0xA1, 0x80, 0x00], Malformed::KeyType),
        (&[0xA1, 0xF5, 0x00], Malformed::KeyType),
        (&[0xA2, 0x02, 0x00, 0x01, 0x00], Malformed::KeyOrder),
        (&[0xA2, 0x61, 0x61, 0x00, 0x01, 0x00], Malformed::KeyOrder),
        (
            &[0xA2, 0x62, 0x61, 0x61, 0x00, 0x61, 0x62, 0x00],
            Malformed::KeyOrder,
        ),
        (&[0xA2, 0x20, 0x00, 0x01, 0x00], Malformed::KeyOrder),
        (&[0xA2, 0x01, 0x00, 0x01, 0x00], Malformed::DuplicateKey),
        (
            &[0xA2, 0x61, 0x61, 0x00, 0x61, 0x61, 0x00],
            Malformed::DuplicateKey,
        ),
    ];
    for (bytes, fault) in cases {
        assert_eq!(decode(bytes), Err(*fault), "{bytes:02x?}");
    }
}

#[test]
fn four_levels_are_accepted() {
    assert!(decode(&[0x81, 0xA1, 0x00, 0x81, 0xA1, 0x00, 0x00]).is_ok());
}

#[test]
fn announced_lengths_that_are_not_there_allocate_nothing() {
    for major in [0x5B_u8, 0x7B, 0x9B, 0xBB] {
        let mut bytes = vec![major];
        bytes.extend(u64::MAX.to_be_bytes());
        assert_eq!(decode(&bytes), Err(Malformed::Truncated));
    }
    assert_eq!(decode(&[0x9A, 0x7F, 0xFF, 0xFF, 0xFF]), Err(Malformed::Truncated));
}

#[test]
fn keys_are_ordered_by_type_then_length_then_bytes() {
    let map = Map::new([
        (Key::Text("b"), Value::Null),
        (Key::Text("aa"), Value::Null),
        (Key::Negative(0), Value::Null),
        (Key::Unsigned(24), Value::Null),
        (Key::Text("a"), Value::Null),
        (Key::Unsigned(3), Value::Null),
        (Key::Negative(24), Value::Null),
        (Key::Bytes(&[0xFF]), Value::Null),
    ]);
    let encoded = encode(&Value::Map(map));
    assert_eq!(
        encoded,
        [
            0xA8, 0x03, 0xF6, 0x18, 0x18, 0xF6, 0x20, 0xF6, 0x38, 0x18, 0xF6, 0x41, 0xFF, 0xF6, 0x61, b'a',
            0xF6, 0x61, b'b', 0xF6, 0x62, b'a', b'a', 0xF6
        ]
    );
}

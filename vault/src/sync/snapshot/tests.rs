use proptest::prelude::*;

use super::*;
use crate::Secret;
use crate::object::LogHead;

fn head(seq: u32) -> LogHead {
    LogHead::new(0, seq, ObjectHash([7; 32]))
}

fn root() -> Root {
    let mut versions = Versions::default();
    let mut logs = BTreeMap::new();
    for device in [1, 2] {
        versions.set(DeviceId([device; 16]), head(5));
        let mut told = Versions::default();
        told.set(DeviceId([3 - device; 16]), head(4));
        logs.insert(DeviceId([device; 16]), Covered { unix_ms: 9, told });
    }
    let key = |fill| WrappingKey::new(1, Secret::from_slice(&[fill; 32]).unwrap());
    Root {
        number: 3,
        versions,
        logs,
        keys: vec![key(1), key(2)],
        device_names: BTreeMap::from([(DeviceId([1; 16]), "desk".to_owned())]),
        state: [5; 32],
        parts: vec![ObjectHash([1; 32]), ObjectHash([2; 32])],
    }
}

#[test]
fn a_root_is_read_back() {
    let encoded = root().encode();
    let decoded = Root::decode(&encoded).unwrap();
    assert_eq!(decoded.encode(), encoded);
    assert_eq!(
        (decoded.number, decoded.keys.len(), decoded.parts.len()),
        (3, 2, 2)
    );
    for len in 0..encoded.len() {
        assert!(Root::decode(&encoded[..len]).is_none());
    }
    assert!(Root::decode(&[&encoded[..], &[0]].concat()).is_none());
}

/// Mutation: each of the checks.
#[test]
fn a_root_that_nobody_makes_is_refused() {
    let refused = |change: fn(&mut Root)| {
        let mut root = root();
        change(&mut root);
        Root::decode(&root.encode()).is_none()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|root| root.parts = vec![ObjectHash::NONE; PARTS_MAX + 1]));
    assert!(refused(|root| root.keys.reverse()));
    assert!(refused(|root| {
        root.logs.remove(&DeviceId([1; 16]));
    }));
    assert!(refused(|root| {
        let shared = Secret::from_slice(&[1; 32]).unwrap();
        root.keys = vec![WrappingKey::new(WrappingKey::FIRST_SHARED, shared)];
    }));
    assert!(refused(|root| {
        root.device_names.insert(DeviceId([2; 16]), "x".repeat(65));
    }));
}

/// Mutations: the number of items is not bounded; the profile is not looked at.
#[test]
fn a_part_has_a_bounded_number_of_synced_passkeys() {
    let mut rng = crate::testing::TestRng(0);
    let mut passkey = crate::testing::passkey(&mut rng, "example.org", "ann");
    let versions = Versions::default();
    let item = |passkey: &crate::Passkey| {
        let mut merged = Merged::default();
        let operation = crate::sync::Operation::Store(Box::new(crate::sync::copy(passkey)));
        let author = DeviceId([1; 16]);
        let stamp = crate::sync::Stamp {
            time: 1,
            device: author,
            seq: 1,
            index: 0,
        };
        let seen = crate::sync::Seen {
            author,
            versions: &versions,
            but: &crate::sync::Reach::default(),
        };
        merged.apply(&operation, stamp, seen).unwrap();
        merged.encode(&passkey.id).unwrap()
    };
    let one = item(&passkey);
    assert_eq!(decode_part(&encode_part(&[one])).unwrap().len(), 1);
    let many = |count: usize| encode_part(&(0..count).map(|_| item(&passkey)).collect::<Vec<_>>());
    assert!(decode_part(&many(PART_ITEMS_MAX)).is_some());
    assert!(decode_part(&many(PART_ITEMS_MAX + 1)).is_none());
    assert!(decode_part(&many(0)).is_none());
    passkey.profile = Profile::DeviceBound;
    assert!(decode_part(&encode_part(&[item(&passkey)])).is_none());
}

#[test]
fn the_hash_of_a_state_is_in_the_order_of_the_ids() {
    let id = |fill: u8| CredentialId::new(&[fill; 16]).unwrap();
    let mut state = StateHash::new();
    let nothing = state.finish();
    assert_eq!(state.add(&id(2), &[1; 32]), Some(()));
    assert_ne!(state.finish(), nothing);
    assert_eq!(state.add(&id(2), &[1; 32]), None);
    assert_eq!(state.add(&id(1), &[1; 32]), None);
    assert_eq!(state.add(&id(3), &[1; 32]), Some(()));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        Root::decode(&bytes);
        decode_part(&bytes);
    }

    #[test]
    fn a_root_with_any_byte_changed_is_refused_or_is_another_root(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut encoded = root().encode().to_vec();
        let at = at.index(encoded.len());
        encoded[at] ^= 1_u8 << bit;
        if let Some(other) = Root::decode(&encoded) {
            prop_assert_eq!(&other.encode()[..], &encoded[..]);
        }
    }
}

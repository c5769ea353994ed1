use super::*;
use crate::testing::{TestRng, root_key};

const ROW: RowId = RowId([0x0a; 16]);

fn key() -> VaultKey {
    VaultKey::of_epoch(&root_key(0x22), VaultId([0x11; 32]), 1)
}

fn sealed(place: Place) -> Vec<u8> {
    seal(
        &key(),
        fresh(&mut TestRng(0)),
        place,
        Zeroizing::new(b"payload".to_vec()),
    )
    .unwrap()
}

#[test]
fn what_was_sealed_opens_in_its_place() {
    for place in [
        Place::Keyring,
        Place::Counter,
        Place::Passkey(ROW),
        Place::LogHead,
        Place::LogEntry(1),
    ] {
        assert_eq!(
            open(&key(), place, &sealed(place)).unwrap().as_slice(),
            b"payload"
        );
    }
}

#[test]
fn it_opens_in_no_other_place() {
    let places = [
        Place::Keyring,
        Place::Counter,
        Place::Passkey(ROW),
        Place::Passkey(RowId([0x0b; 16])),
        Place::LogHead,
        Place::LogEntry(1),
        Place::LogEntry(2),
        Place::LogEntry(u64::MAX),
    ];
    for made_for in places {
        for put_at in places.into_iter().filter(|place| *place != made_for) {
            assert_eq!(open(&key(), put_at, &sealed(made_for)), Err(Unopened::Damaged));
        }
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let object = sealed(Place::Passkey(ROW));
    for at in 0..object.len() {
        for bit in 0..8 {
            let mut changed = object.clone();
            changed[at] ^= 1 << bit;
            assert!(
                open(&key(), Place::Passkey(ROW), &changed).is_err(),
                "byte {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn every_other_length_is_noticed() {
    let object = sealed(Place::Passkey(ROW));
    for len in 0..object.len() {
        assert!(
            open(&key(), Place::Passkey(ROW), &object[..len]).is_err(),
            "{len} bytes"
        );
    }
    assert!(open(&key(), Place::Passkey(ROW), &[object.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn another_root_key_is_told_from_damage() {
    let other = VaultKey::of_epoch(&root_key(0x23), VaultId([0x11; 32]), 1);
    assert_eq!(
        open(&other, Place::Keyring, &sealed(Place::Keyring)),
        Err(Unopened::OtherKey)
    );
}

#[test]
fn another_vault_with_the_same_root_key_opens_nothing() {
    let other = VaultKey::of_epoch(&root_key(0x22), VaultId([0x12; 32]), 1);
    assert_eq!(
        open(&other, Place::Keyring, &sealed(Place::Keyring)),
        Err(Unopened::Damaged)
    );
}

#[test]
fn a_header_rewritten_for_another_vault_does_not_fit_the_key() {
    let mut object = sealed(Place::Keyring);
    let at = object.windows(32).position(|bytes| bytes == [0x11; 32]).unwrap();
    object[at..at + 32].fill(0x12);
    let other = VaultKey::of_epoch(&root_key(0x22), VaultId([0x12; 32]), 1);
    assert_eq!(open(&other, Place::Keyring, &object), Err(Unopened::OtherKey));
}

#[test]
fn another_epoch_opens_nothing() {
    let mut later = key();
    later.epoch += 1;
    assert_eq!(
        open(&later, Place::Keyring, &sealed(Place::Keyring)),
        Err(Unopened::Damaged)
    );
}

/// C-10 size_leak. Mutation: in `padding.rs` no least size.
#[test]
fn sizes_do_not_tell_the_length_of_the_payload() {
    let len = |payload: usize| {
        seal(
            &key(),
            fresh(&mut TestRng(0)),
            Place::Keyring,
            Zeroizing::new(vec![1; payload]),
        )
        .unwrap()
        .len()
    };
    assert_eq!(len(0), len(511));
    assert_eq!(len(512), len(1023));
}

#[test]
fn equal_payloads_are_sealed_differently() {
    let mut rng = TestRng(0);
    let mut seal = || {
        seal(
            &key(),
            fresh(&mut rng),
            Place::Keyring,
            Zeroizing::new(vec![1; 16]),
        )
        .unwrap()
    };
    let (one, other) = (seal(), seal());
    let end = one.len() - 600 + 88;
    assert_ne!(one[end..], other[end..]);
}

proptest::proptest! {
    #[test]
    fn arbitrary_objects_do_no_harm(end in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let start = sealed(Place::Keyring)[..12].to_vec();
        assert!(open(&key(), Place::Keyring, &end).is_err());
        assert!(open(&key(), Place::Keyring, &[start, end].concat()).is_err());
    }
}

use super::*;
use crate::testing::hex;

fn key(fill: u8) -> Secret<32> {
    Secret::from_slice(&[fill; 32]).unwrap()
}

fn id(fill: u8) -> CredentialId {
    CredentialId::new(&[fill; 16]).unwrap()
}

fn blob(data: &[u8]) -> LargeBlob {
    LargeBlob {
        data: data.to_vec(),
        original_size: 1_000,
    }
}

/// A credential that is named and keyed by this number; the greater, the newer.
fn owner(fill: u8, blob: Option<LargeBlob>) -> Owner {
    Owner {
        id: id(fill),
        key: key(fill),
        created_unix_ms: u64::from(fill),
        blob,
    }
}

/// What is no element, and one of a credential that is not here; as an array with its check.
fn others() -> Vec<u8> {
    let foreign = encrypt(&key(0xff), &blob(b"foreign"));
    join(&[vec![0x07], foreign, hex("a0")])
}

/// Made with another implementation of AES-GCM (Python's `cryptography`): key 21…21, nonce 00…0b, original size 3.
#[test]
fn what_platforms_write_is_understood() {
    let array = hex(concat!(
        "81a301557e5d1ec32538891298c57e72725e49c47ddb393b69024c000102030405060708090a0b0303",
        "c090f98bf5bf40e89bb496e7571d8dc8"
    ));
    let owners = [owner(0x20, None), owner(0x21, None)];
    let parts = Parts::of(&array, &owners).unwrap();
    let expected = LargeBlob {
        data: hex("4b4c4a0600"),
        original_size: 3,
    };
    assert_eq!(parts.blobs, BTreeMap::from([(id(0x21), expected)]));
    assert!(parts.others.is_empty());
    let parts = Parts::of(&array, &owners[..1]).unwrap();
    assert_eq!((parts.blobs.len(), parts.others.len()), (0, 1));
    assert_eq!(*parts.array_of_others(), array);
}

/// Mutation: the original size is not associated data.
#[test]
fn an_element_belongs_to_nobody_when_any_of_it_is_changed() {
    let owners = [owner(1, None)];
    let element = encrypt(&key(1), &blob(b"mine"));
    assert_eq!(
        Parts::of(&join(std::slice::from_ref(&element)), &owners)
            .unwrap()
            .blobs
            .len(),
        1
    );
    for at in 0..element.len() {
        let mut changed = element.clone();
        changed[at] ^= 1;
        if cbor::decode(&changed).is_ok() {
            let parts = Parts::of(&join(&[changed]), &owners).unwrap();
            assert!(parts.blobs.is_empty(), "byte {at}");
        }
    }
}

#[test]
fn what_belongs_to_nobody_is_kept_byte_for_byte() {
    let parts = Parts::of(&others(), &[owner(1, None)]).unwrap();
    assert_eq!((parts.blobs.len(), parts.others.len()), (0, 3));
    assert_eq!(*parts.array_of_others(), others());
    assert_eq!(build(&others(), &[owner(1, None)], 16_000), others());
}

#[test]
fn what_is_put_together_comes_apart_again() {
    let owners = || {
        vec![
            owner(1, Some(blob(b"one"))),
            owner(2, None),
            owner(3, Some(blob(b""))),
        ]
    };
    let array = build(&others(), &owners(), 16_000);
    let (content, found) = array.split_last_chunk::<CHECK_LEN>().unwrap();
    assert_eq!(check(content), *found);
    let parts = Parts::of(&array, &owners()).unwrap();
    assert_eq!(*parts.array_of_others(), others());
    let expected = [(id(1), blob(b"one")), (id(3), blob(b""))];
    assert_eq!(parts.blobs, BTreeMap::from(expected));
}

/// Mutation: a nonce that is drawn.
#[test]
fn the_same_blobs_give_the_same_bytes_and_no_nonce_is_used_for_two() {
    let array = |data: &[u8]| build(&empty(), &[owner(1, Some(blob(data)))], 16_000);
    assert_eq!(array(b"one"), array(b"one"));
    let larger = LargeBlob {
        original_size: 1_001,
        ..blob(b"one")
    };
    let nonces = [
        nonce_of(&key(1), &blob(b"one")),
        nonce_of(&key(1), &blob(b"two")),
        nonce_of(&key(1), &larger),
        nonce_of(&key(2), &blob(b"one")),
    ];
    assert_eq!(BTreeSet::from(nonces).len(), nonces.len());
}

/// Mutation: the check behind the array is not counted.
#[test]
fn what_does_not_fit_is_left_out_the_oldest_first() {
    let owners = || {
        (1..=40)
            .map(|fill| owner(fill, Some(blob(&[fill; 500]))))
            .collect::<Vec<_>>()
    };
    let whole = build(&others(), &owners(), 100_000);
    for len_max in (17..2_000).step_by(29).chain([16_000]) {
        let array = build(&others(), &owners(), len_max);
        assert!(array.len() <= len_max.max(others().len()), "{len_max}");
        let shown = Parts::of(&array, &owners()).unwrap();
        assert_eq!(*shown.array_of_others(), others());
        let newest = (1..=40).rev().take(shown.blobs.len()).map(id);
        assert_eq!(shown.blobs.into_keys().collect::<BTreeSet<_>>(), newest.collect());
    }
    // A byte more: the head of an array may take three.
    let exact = build(&others(), &owners(), whole.len() + 1);
    assert_eq!(exact, whole);
}

#[test]
fn what_is_no_array_is_shown_as_it_is() {
    for content in [&b"\xa0"[..], b"not even CBOR", b"\x9f\xff", b"\x81"] {
        let array = with_check(content);
        assert_eq!(Parts::of(&array, &[]), None);
        assert_eq!(build(&array, &[owner(1, Some(blob(b"one")))], 16_000), array);
    }
    assert_eq!(Parts::of(b"short", &[]), None);
}

#[test]
fn of_two_elements_for_one_credential_the_first_counts() {
    let elements = [b"one", b"two"].map(|data| encrypt(&key(1), &blob(data)));
    let parts = Parts::of(&join(&elements), &[owner(1, None)]).unwrap();
    assert_eq!(parts.blobs, BTreeMap::from([(id(1), blob(b"one"))]));
    assert!(parts.others.is_empty());
}

#[test]
fn a_blob_that_is_very_long_stays_in_the_array() {
    for (len, others) in [(BLOB_LEN_MAX, 0), (BLOB_LEN_MAX + 1, 1)] {
        let element = encrypt(&key(1), &blob(&vec![5; len]));
        let parts = Parts::of(&join(&[element]), &[owner(1, None)]).unwrap();
        assert_eq!(
            (parts.blobs.len(), parts.others.len()),
            (1 - others, others),
            "{len}"
        );
    }
}

#[test]
fn changed_is_what_differs_from_what_was_shown() {
    let parts = |blobs: &[(u8, &[u8])]| Parts {
        blobs: blobs.iter().map(|(fill, data)| (id(*fill), blob(data))).collect(),
        others: Vec::new(),
    };
    let shown = parts(&[(1, b"same"), (2, b"old"), (3, b"goes")]);
    let written = parts(&[(1, b"same"), (2, b"new"), (4, b"comes")]);
    let changes = [
        (id(2), Some(blob(b"new"))),
        (id(3), None),
        (id(4), Some(blob(b"comes"))),
    ];
    assert_eq!(written.changes_since(&shown), changes);
}

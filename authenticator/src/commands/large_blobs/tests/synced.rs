//! The array where the vault syncs.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use wardkey_vault::{CredentialId, LargeBlob, Profile};

use super::*;
use crate::authenticator::Authenticator;
use crate::cbor;
use crate::large_blob_array::{empty, with_check};
use crate::testing::vault_pin::{kept_disk, locked, locked_key_on, unlocked};
use crate::testing::{SeededRng, map, user};

/// A credential as the platform knows it.
pub(super) struct Registered {
    pub(super) id: CredentialId,
    pub(super) key: [u8; 32],
}

fn synced_key() -> Key {
    let mut key = unlocked(locked_key_on(kept_disk()));
    begin_sync(&mut key);
    key
}

fn begin_sync(key: &mut Key) {
    let vault = key.authenticator.vault_mut();
    vault.begin_sync(&mut SeededRng::new(77)).unwrap();
}

pub(super) fn register(key: &mut Key, user_id: &[u8]) -> Registered {
    let wanted = map([("largeBlobKey", Value::Bool(true))]);
    let request = resident().with(3, user(user_id)).with(6, wanted);
    let answer = key.cbor(&request.encode(0x01));
    let newest = key.authenticator.vault().entries().pop().unwrap();
    Registered {
        id: newest.id,
        key: answer.bytes_of(5).try_into().unwrap(),
    }
}

/// An element, with a nonce that the platform draws.
pub(super) fn element(owner: &Registered, data: &[u8]) -> Vec<u8> {
    let nonce = Sha256::digest(data);
    let size = u64::try_from(3 * data.len()).unwrap();
    let aad = [&b"blob"[..], &size.to_le_bytes()].concat();
    let payload = Payload { msg: data, aad: &aad };
    let cipher = Aes256Gcm::new((&owner.key).into());
    let ciphertext = cipher.encrypt(&Nonce::try_from(&nonce[..12]).unwrap(), payload);
    cbor::encode(&Value::Map(Map::new([
        (1_u64, Value::Bytes(&ciphertext.unwrap())),
        (2, Value::Bytes(&nonce[..12])),
        (3, Value::Unsigned(size)),
    ])))
}

pub(super) fn array_of(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.iter().map(|element| cbor::decode(element).unwrap());
    with_check(&cbor::encode(&Value::Array(elements.collect())))
}

/// What the platform finds for a credential in an array.
pub(super) fn blob(array: &[u8], owner: &Registered) -> Option<Vec<u8>> {
    let (content, found) = array.split_last_chunk().unwrap();
    assert_eq!(check(content), *found);
    let Ok(Value::Array(elements)) = cbor::decode(content) else {
        panic!("{array:02x?}");
    };
    elements.iter().find_map(|element| {
        let Value::Map(element) = element else { return None };
        let (Some(Value::Bytes(ciphertext)), Some(Value::Bytes(nonce)), Some(Value::Unsigned(size))) =
            (element.get(1_u64), element.get(2_u64), element.get(3_u64))
        else {
            return None;
        };
        let aad = [&b"blob"[..], &size.to_le_bytes()].concat();
        let cipher = Aes256Gcm::new((&owner.key).into());
        let payload = Payload {
            msg: ciphertext,
            aad: &aad,
        };
        cipher.decrypt(&Nonce::try_from(*nonce).unwrap(), payload).ok()
    })
}

/// What another device says arrives.
fn arrives(key: &mut Key, owner: &Registered, data: Option<&[u8]>) {
    let Authenticator { vault, rng, .. } = &mut key.authenticator;
    let mut passkey = vault.load(&owner.id).unwrap().unwrap();
    passkey.large_blob = data.map(|data| LargeBlob {
        data: data.to_vec(),
        original_size: 3 * u64::try_from(data.len()).unwrap(),
    });
    assert!(vault.update(&mut **rng, &passkey, None).unwrap());
}

fn kept(key: &Key, owner: &Registered) -> Option<Vec<u8>> {
    let passkey = key.authenticator.vault().load(&owner.id).unwrap().unwrap();
    passkey.large_blob.map(|blob| blob.data)
}

fn writes(key: &mut Key, elements: &[Vec<u8>]) {
    assert_eq!(write(key, None, &array_of(elements), 500), S::OK);
}

#[test]
fn what_was_written_is_kept_with_its_credential_and_read_back() {
    let mut key = synced_key();
    assert_eq!(content(&mut key), hex(INITIAL));
    let [ann, bob] = [&b"ann"[..], b"bob"].map(|user| register(&mut key, user));
    assert_eq!(content(&mut key), hex(INITIAL));
    writes(&mut key, &[element(&ann, b"of ann"), element(&bob, &[7; 9_000])]);
    assert_eq!(kept(&key, &ann).unwrap(), b"of ann");
    let array = content(&mut key);
    assert_eq!(blob(&array, &ann).unwrap(), b"of ann");
    assert_eq!(blob(&array, &bob).unwrap(), [7; 9_000]);
    let facts = key.authenticator.facts().unwrap();
    assert_eq!(facts.large_blob_array_len, array.len());

    let mut key = unlocked(locked(key));
    assert_eq!(content(&mut key), array, "after it was locked");
    writes(&mut key, &[element(&bob, b"another")]);
    assert_eq!(
        (kept(&key, &ann), kept(&key, &bob)),
        (None, Some(b"another".to_vec()))
    );
    let array = content(&mut key);
    assert_eq!(
        (blob(&array, &ann), blob(&array, &bob)),
        (None, Some(b"another".to_vec()))
    );
}

/// F-04. Mutation: what was written is compared with what is there, not with what was shown.
#[test]
fn large_blobs_written_on_two_devices_both_survive() {
    let mut key = synced_key();
    let [ann, bob, eve] = [&b"ann"[..], b"bob", b"eve"].map(|user| register(&mut key, user));
    writes(&mut key, &[element(&eve, b"of eve")]);
    let foreign = cbor::encode(&Value::Text("of nobody"));
    let shown = content(&mut key);
    arrives(&mut key, &bob, Some(b"from there"));
    arrives(&mut key, &eve, None);
    assert_eq!(blob(&shown, &eve).unwrap(), b"of eve");
    writes(
        &mut key,
        &[
            foreign.clone(),
            element(&eve, b"of eve"),
            element(&ann, b"from here"),
        ],
    );
    let array = content(&mut key);
    assert_eq!(blob(&array, &ann).unwrap(), b"from here");
    assert_eq!(blob(&array, &bob).unwrap(), b"from there");
    assert_eq!(blob(&array, &eve), None, "removed there, not changed here");
    assert!(array.windows(foreign.len()).any(|part| part == foreign));

    // Now it was shown: who leaves it out removes it.
    writes(&mut key, &[element(&ann, b"from here")]);
    assert_eq!(kept(&key, &bob), None);
}

/// Mutation: each fragment comes from what is there now.
#[test]
fn an_array_that_is_being_read_does_not_change() {
    let mut key = synced_key();
    let [ann, bob] = [&b"ann"[..], b"bob"].map(|user| register(&mut key, user));
    writes(&mut key, &[element(&ann, &[1; 100])]);
    let whole = content(&mut key);
    let first = key.cbor(&read(0, 50).encode(0x0C)).bytes_of(1);
    arrives(&mut key, &bob, Some(b"from there"));
    arrives(&mut key, &ann, None);
    let rest = key.cbor(&read(50, 5_000).encode(0x0C)).bytes_of(1);
    assert_eq!([first, rest].concat(), whole);
    let next = content(&mut key);
    assert_eq!(
        (blob(&next, &ann), blob(&next, &bob)),
        (None, Some(b"from there".to_vec()))
    );
}

/// Mutation: the array of before is not looked at.
#[test]
fn what_was_written_before_the_vault_synced_goes_to_its_credentials() {
    let mut key = unlocked(locked_key_on(kept_disk()));
    let [ann, bob] = [&b"ann"[..], b"bob"].map(|user| register(&mut key, user));
    let stranger = Registered {
        id: CredentialId::new(b"stranger").unwrap(),
        key: [5; 32],
    };
    let elements = [
        element(&ann, b"of ann"),
        element(&stranger, b"of a stranger"),
        element(&bob, b"of bob"),
    ];
    writes(&mut key, &elements);
    assert_eq!(content(&mut key), array_of(&elements), "as it was written");
    assert_eq!(kept(&key, &ann), None);
    arrives(&mut key, &bob, Some(b"that he has"));
    begin_sync(&mut key);
    let mut key = unlocked(locked(key));
    assert_eq!(kept(&key, &ann).unwrap(), b"of ann");
    let array = content(&mut key);
    assert_eq!(blob(&array, &ann).unwrap(), b"of ann");
    assert_eq!(blob(&array, &bob).unwrap(), b"that he has");
    assert_eq!(blob(&array, &stranger).unwrap(), b"of a stranger");
}

/// Mutation: the profile is not looked at.
#[test]
fn what_is_bound_to_the_device_keeps_its_blob_in_the_array() {
    let mut key = synced_key();
    key.authenticator.config.kind = KeyKind::DeviceBound;
    let bound = register(&mut key, b"ann");
    let profile = key
        .authenticator
        .vault()
        .load(&bound.id)
        .unwrap()
        .unwrap()
        .profile;
    assert_eq!(profile, Profile::DeviceBound);
    let elements = [element(&bound, b"stays here")];
    writes(&mut key, &elements);
    assert_eq!(content(&mut key), array_of(&elements));
    assert_eq!(kept(&key, &bound), None);
}

/// Mutation: what was written is compared with all blobs, shown or not.
#[test]
fn what_has_no_room_in_the_array_is_not_lost() {
    let mut key = synced_key();
    let [ann, bob] = [&b"ann"[..], b"bob"].map(|user| register(&mut key, user));
    arrives(&mut key, &ann, Some(&[1; 9_000]));
    arrives(&mut key, &bob, Some(&[2; 9_000]));
    let shown = content(&mut key);
    assert!(shown.len() <= LEN_MAX);
    assert_eq!(
        (blob(&shown, &ann), blob(&shown, &bob).map(|blob| blob.len())),
        (None, Some(9_000))
    );
    writes(&mut key, &[element(&bob, b"shorter")]);
    let array = content(&mut key);
    assert_eq!(blob(&array, &ann).unwrap(), [1; 9_000]);
    assert_eq!(blob(&array, &bob).unwrap(), b"shorter");
}

#[test]
fn a_blob_goes_with_its_credential_and_comes_back_with_it() {
    let mut key = synced_key();
    let ann = register(&mut key, b"ann");
    writes(&mut key, &[element(&ann, b"of ann")]);
    assert!(key.authenticator.delete(key.now, &ann.id).unwrap());
    assert_eq!(content(&mut key), empty());
    assert!(key.authenticator.take_back(key.now, &ann.id).unwrap());
    assert_eq!(blob(&content(&mut key), &ann).unwrap(), b"of ann");
}

#[test]
fn what_is_no_array_is_read_as_it_was_written_and_harms_no_blob() {
    let mut key = synced_key();
    let ann = register(&mut key, b"ann");
    writes(&mut key, &[element(&ann, b"of ann")]);
    let nonsense = with_check(b"this is no array");
    assert_eq!(write(&mut key, None, &nonsense, 500), S::OK);
    assert_eq!(content(&mut key), nonsense);
    assert_eq!(kept(&key, &ann).unwrap(), b"of ann");
    assert_eq!(write(&mut key, None, &empty(), 500), S::OK);
    assert_eq!(blob(&content(&mut key), &ann).unwrap(), b"of ann");
}

/// Mutation: what is too long for the extension is read by it.
#[test]
fn the_extension_of_another_device_has_the_same_blob() {
    let mut key = synced_key();
    let ann = register(&mut key, b"ann");
    let other_way = |key: &mut Key| {
        key.authenticator.config.large_blobs = LargeBlobs::Extension;
        let inputs = map([("largeBlob", map([("read", Value::Bool(true))]))]);
        let answer = key.cbor(&Members::get_assertion().with(4, inputs).encode(0x02));
        key.authenticator.config.large_blobs = LargeBlobs::Array;
        assert_eq!(answer.status(), S::OK);
        answer.bytes
    };
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|found| found == part);
    writes(&mut key, &[element(&ann, b"of ann")]);
    assert!(has(&other_way(&mut key), b"of ann"));
    writes(&mut key, &[element(&ann, &[0x5a; 5_000])]);
    assert!(!has(&other_way(&mut key), &[0x5a; 100]));
}

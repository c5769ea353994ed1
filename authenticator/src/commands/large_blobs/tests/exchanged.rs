//! Large blobs that come in with a passkey, and go out with it, where the vault does not sync.

use wardkey_vault::{CredentialId, LargeBlob, Passkey};

use super::synced::{Registered, array_of, blob, element, register};
use super::*;
use crate::testing::{SeededRng, descriptors, map};
use crate::{cbor, exchange};

/// What leaves a key through the exchange format, as it arrives elsewhere.
fn exchanged(key: &Key) -> Vec<Passkey> {
    let leaving = exchange::leaving(key.authenticator.vault()).unwrap();
    let written = exchange::write(&leaving.passkeys, 1, &mut SeededRng::new(7)).unwrap();
    exchange::read(&written.json, 1).ok().unwrap().passkeys
}

/// A key that offers this, on a disk to which these passkeys were added.
fn key_with(disk: &Disk, large_blobs: LargeBlobs, passkeys: &[Passkey]) -> Key {
    let config = Config {
        large_blobs,
        ..Key::config(KeyKind::Synced)
    };
    let mut key = Key::configured(config.clone(), disk.clone(), 3);
    let vault = key.authenticator.vault_mut();
    let rng = &mut SeededRng::new(8);
    assert_eq!(vault.add(rng, passkeys, |_| None).unwrap(), passkeys.len());
    drop(key);
    Key::configured(config, disk.clone(), 4)
}

fn kept(key: &Key, id: &CredentialId) -> Option<LargeBlob> {
    key.authenticator.vault().load(id).unwrap().unwrap().large_blob
}

/// The key of a credential, as a platform gets it when it signs in.
fn owner_of(key: &mut Key, id: &CredentialId) -> Registered {
    let request = Members::get_assertion()
        .with(3, descriptors([id.as_bytes()]))
        .with(4, map([("largeBlobKey", Value::Bool(true))]));
    let answer = key.cbor(&request.encode(0x02));
    Registered {
        id: id.clone(),
        key: answer.bytes_of(7).try_into().unwrap(),
    }
}

/// F-06. What a platform wrote into the array of one key is read by one from the array of another. Mutation: `leaving` does not
/// look into the array; `begin_with_large_blobs` gives nothing to it.
#[test]
fn large_blobs_in_the_array_are_exchanged() {
    let mut here = Key::new(KeyKind::Synced);
    let [ann, bob] = [&b"ann"[..], b"bob"].map(|user| register(&mut here, user));
    let array = array_of(&[element(&bob, b"of bob"), element(&ann, &[7; 9_000])]);
    assert_eq!(write(&mut here, None, &array, 500), S::OK);
    assert_eq!(kept(&here, &ann.id), None);
    let passkeys = exchanged(&here);

    let disk = Disk::default();
    let mut there = key_with(&disk, LargeBlobs::Array, &passkeys);
    let [ann, bob] = [ann, bob].map(|owner| owner_of(&mut there, &owner.id));
    let array = content(&mut there);
    assert_eq!(blob(&array, &ann).unwrap(), [7; 9_000]);
    assert_eq!(blob(&array, &bob).unwrap(), b"of bob");
    assert_eq!((kept(&there, &ann.id), kept(&there, &bob.id)), (None, None));
    // Who removes one from the array has removed it.
    let array = array_of(&[element(&bob, b"another")]);
    assert_eq!(write(&mut there, None, &array, 500), S::OK);
    drop(there);
    let mut there = key_with(&disk, LargeBlobs::Array, &[]);
    assert_eq!(content(&mut there), array);
    let leaving = exchange::leaving(there.authenticator.vault()).unwrap();
    let blobs: Vec<_> = leaving
        .passkeys
        .into_iter()
        .map(|passkey| passkey.large_blob)
        .collect();
    assert_eq!(blobs[0], None);
    assert_eq!(blobs[1].as_ref().unwrap().data, b"another");
}

/// Mutation: the array is built anew, without what is there.
#[test]
fn what_is_in_the_array_stays_before_what_comes_and_what_does_not_fit_stays_with_its_credential() {
    let mut here = Key::new(KeyKind::Synced);
    let owners: Vec<_> = (0..3).map(|user| register(&mut here, &[user])).collect();
    let elements: Vec<_> = owners.iter().map(|owner| element(owner, &[7; 5_000])).collect();
    assert_eq!(write(&mut here, None, &array_of(&elements), 500), S::OK);
    let passkeys = exchanged(&here);

    let disk = Disk::default();
    let mut there = key_with(&disk, LargeBlobs::Array, &[]);
    let eve = register(&mut there, b"eve");
    let mine = array_of(&[
        element(&eve, &[9; 4_000]),
        cbor::encode(&Value::Text("of nobody")),
    ]);
    assert_eq!(write(&mut there, None, &mine, 500), S::OK);
    drop(there);
    let mut there = key_with(&disk, LargeBlobs::Array, &passkeys);
    let array = content(&mut there);
    assert!(array.len() <= LEN_MAX);
    assert_eq!(blob(&array, &eve).unwrap(), [9; 4_000]);
    let owners: Vec<_> = owners
        .iter()
        .map(|owner| owner_of(&mut there, &owner.id))
        .collect();
    let shown: Vec<_> = owners.iter().map(|owner| blob(&array, owner).is_some()).collect();
    assert_eq!(shown.iter().filter(|shown| **shown).count(), 2);
    for (owner, shown) in owners.iter().zip(shown) {
        assert_eq!(kept(&there, &owner.id).is_some(), !shown);
    }
    // None of them is lost on the way on.
    let leaving = exchange::leaving(there.authenticator.vault()).unwrap();
    assert!(
        leaving
            .passkeys
            .iter()
            .all(|passkey| passkey.large_blob.is_some())
    );
}

/// A key that offers the other way finds them there, and the array again after that. Mutation: `keeps_whole_array` looks at
/// the vault alone.
#[test]
fn large_blobs_go_with_the_way_in_which_the_key_offers_them() {
    let mut here = Key::new(KeyKind::Synced);
    let ann = register(&mut here, b"ann");
    let array = array_of(&[element(&ann, b"of ann")]);
    assert_eq!(write(&mut here, None, &array, 500), S::OK);
    let (passkeys, disk) = (exchanged(&here), Disk::default());
    for large_blobs in [LargeBlobs::Extension, LargeBlobs::Array, LargeBlobs::Extension] {
        let passkeys = if disk.bytes().is_empty() {
            &passkeys[..]
        } else {
            &[]
        };
        let mut key = key_with(&disk, large_blobs, passkeys);
        let data = match large_blobs {
            LargeBlobs::Extension => kept(&key, &ann.id).unwrap().data,
            LargeBlobs::Array => {
                let ann = owner_of(&mut key, &ann.id);
                blob(&content(&mut key), &ann).unwrap()
            }
        };
        assert_eq!(data, b"of ann", "{large_blobs:?}");
    }
}

//! encIdentifier and encCredStoreState: to holders of the persistent token they say the same until there is reason not
//! to; to others, nothing.

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use hkdf::Hkdf;
use sha2::Sha256;
use wardkey_vault::CredentialId;

use crate::cbor::{Map, Value};
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, CM, GA, MC, PCMR, PIN, Ticket};
use crate::testing::{Key, Members, SeededRng, map, resident, user};
use crate::{KeyKind, StatusCode};

/// The two members as they are sent.
fn encrypted(key: &mut Key) -> Option<[Vec<u8>; 2]> {
    let answer = key.cbor(&[0x04]);
    let info = answer.members();
    let bytes = |key: u64| match info.get(key) {
        None => None,
        Some(Value::Bytes(bytes)) => Some(bytes.to_vec()),
        Some(other) => panic!("{other:?}"),
    };
    Some([bytes(0x19)?, bytes(0x1E)?])
}

fn decrypt(token: &Ticket, info: &[u8], encrypted: &[u8]) -> [u8; 16] {
    let (iv, text) = encrypted.split_first_chunk::<16>().unwrap();
    let mut key = [0; 16];
    Hkdf::<Sha256>::new(Some(&[0; 32]), &token.secret)
        .expand(info, &mut key)
        .unwrap();
    let text = cbc::Decryptor::<Aes128>::new(&key.into(), iv.into())
        .decrypt_padded_vec::<NoPadding>(text)
        .unwrap();
    text.try_into().unwrap()
}

/// What a holder of the persistent token reads: who the key is, and in which state its credentials are.
fn read(key: &mut Key, token: &Ticket) -> ([u8; 16], [u8; 16]) {
    let [identifier, state] = encrypted(key).unwrap();
    (
        decrypt(token, b"encIdentifier", &identifier),
        decrypt(token, b"encCredStoreState", &state),
    )
}

#[test]
fn without_a_persistent_token_there_is_nothing_to_read() {
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(encrypted(&mut key), None);
    key.set_pin(PIN);
    key.token(MC | GA | CM | ACFG, None);
    assert_eq!(encrypted(&mut key), None);
    key.token(PCMR, None);
    assert!(encrypted(&mut key).is_some());
    // The token that was given out is worth nothing after this, so nobody could read them.
    assert_eq!(key.change_pin(Protocol::Two, PIN, PIN), StatusCode::OK);
    assert_eq!(encrypted(&mut key), None);
}

#[test]
fn they_are_encrypted_anew_each_time() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let seen: Vec<_> = (0..4).map(|_| encrypted(&mut key).unwrap()).collect();
    for (at, [identifier, state]) in seen.iter().enumerate() {
        assert_ne!(identifier[..16], state[..16]);
        for [other_identifier, other_state] in &seen[..at] {
            assert_ne!(identifier[..16], other_identifier[..16]);
            assert_ne!(identifier[16..], other_identifier[16..]);
            assert_ne!(state[..16], other_state[..16]);
            assert_ne!(state[16..], other_state[16..]);
        }
    }
    let first = read(&mut key, &token);
    assert_ne!(first.0, first.1);
    assert_eq!(read(&mut key, &token), first);
}

#[test]
fn what_changes_no_credential_changes_neither() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::DeviceBound, disk.clone(), 1);
    key.register(&resident());
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let before = read(&mut key, &token);
    key.register(&Members::make_credential());
    key.cbor(&Members::get_assertion().encode(0x02));
    let u2f = [&[0, 1, 0, 0, 64][..], &[7; 64]].concat();
    key.msg(&u2f);
    let other = key.token(ACFG, None);
    assert_eq!(key.cbor(&other.configure(0x04, None)).status(), StatusCode::OK);
    assert_eq!(key.pin_token(Protocol::Two, "4321"), Err(StatusCode::PIN_INVALID));
    let refused = key.token(MC, None).make_credential(resident());
    key.cbor_and(&refused, crate::Gesture::Declined);
    key.authenticator.power_cycle(key.now);
    assert_eq!(read(&mut key, &token), before);
    let mut key = Key::on(KeyKind::DeviceBound, disk.after_power_cut(), 2);
    assert_eq!(read(&mut key, &token), before);
}

#[test]
fn whatever_changes_a_credential_changes_the_state_and_only_that() {
    let mut key = Key::new(KeyKind::Synced);
    let id = key.register(&resident()).id;
    let descriptor = map([("type", Value::Text("public-key")), ("id", Value::Bytes(&id))]);
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let mut states = vec![read(&mut key, &token)];
    let identifier = states[0].0;
    let mut change = |key: &mut Key, request: Vec<u8>| {
        assert_eq!(key.cbor(&request).status(), StatusCode::OK);
        states.push(read(key, &token));
    };
    let request = key
        .token(MC, None)
        .make_credential(resident().with(3, user(b"zoe")));
    change(&mut key, request);
    let request = key
        .token(MC, None)
        .make_credential(resident().with(3, user(b"zoe")));
    change(&mut key, request);
    let renamed = Map::new([(2_u64, descriptor.clone()), (3, user(b"ali"))]);
    let request = key
        .token(CM, None)
        .manage_credentials(0x07, Some(Value::Map(renamed)));
    change(&mut key, request);
    let deleted = Map::new([(2_u64, descriptor)]);
    let request = key
        .token(CM, None)
        .manage_credentials(0x06, Some(Value::Map(deleted)));
    change(&mut key, request);
    assert!(states.iter().all(|(told, _)| *told == identifier));
    let mut store_states: Vec<_> = states.into_iter().map(|(_, state)| state).collect();
    store_states.sort_unstable();
    store_states.dedup();
    assert_eq!(store_states.len(), 5);
}

#[test]
fn a_deletion_at_the_computer_changes_the_state_too() {
    let mut key = Key::new(KeyKind::Synced);
    let id = CredentialId::new(&key.register(&resident()).id).unwrap();
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let (identifier, before) = read(&mut key, &token);
    let vault = key.authenticator.vault_mut();
    assert!(vault.delete(&mut SeededRng::new(9), &id, None).unwrap());
    let (same, after) = read(&mut key, &token);
    assert_eq!(same, identifier);
    assert_ne!(after, before);
}

#[test]
fn the_identifier_stays_while_tokens_come_and_go() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let before = read(&mut key, &token);
    assert_eq!(key.change_pin(Protocol::Two, PIN, PIN), StatusCode::OK);
    let token = key.token(PCMR, None);
    assert_eq!(read(&mut key, &token), before);
}

#[test]
fn a_reset_makes_another_key_of_it() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let before = read(&mut key, &token);
    assert_eq!(key.cbor(&[0x07]).status(), StatusCode::OK);
    assert_eq!(encrypted(&mut key), None);
    key.set_pin(PIN);
    let token = key.token(PCMR, None);
    let after = read(&mut key, &token);
    assert!(after.0 != before.0 && after.1 != before.1);
}

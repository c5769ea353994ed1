//! `wardkey sync` as a person meets it, with a folder as the store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use std::fs;

use common::{
    Key, RP_ID, VAULT_PIN, listed, new_folder, new_vault, objects, passkey_of, printed, soon, wardkey,
    write_secret,
};
use tempfile::TempDir;
use wardkey_sim::fido_client::GetAssertion;

/// A vault that is exchanged at a folder, and the file with its Vault PIN.
struct Synced {
    state: TempDir,
    store: TempDir,
    pin: String,
}

fn synced() -> Synced {
    let (state, store) = (new_vault(), new_folder());
    let pin = write_secret(&state.path().join("sync-pin.txt"), VAULT_PIN);
    let address = store.path().to_str().unwrap().to_owned();
    let arguments = [
        "sync",
        "setup",
        &address,
        "--vault-pin-file",
        &pin,
        "--device-name",
        "desk",
    ];
    let told = printed(state.path(), &arguments);
    assert!(told.contains("All devices have everything."), "{told}");
    assert!(told.contains("desk, this one"), "{told}");
    Synced { state, store, pin }
}

#[test]
fn what_is_registered_is_in_the_store_soon_and_says_nothing_there() {
    let Synced { state, store, .. } = synced();
    let before = objects(store.path(), "d").len();
    let key = Key::start(state.path());
    key.connect().make_credential(&passkey_of("somebody")).unwrap();
    let written = soon(|| objects(store.path(), "d").len() > before);
    let status = printed(state.path(), &["--json", "sync", "status"]);
    assert!(written, "it is not written: {status} {}", key.complaints());
    assert!(!common::holds(store.path(), "somebody"));
    assert!(!common::holds(store.path(), RP_ID));
    let status = printed(state.path(), &["--json", "sync", "now"]);
    assert!(status.contains("\"state\":\"fresh\""), "{status}");
}

#[test]
fn what_was_deleted_is_in_the_trash_and_signs_again_when_it_is_restored() {
    let Synced { state, .. } = synced();
    let key = Key::start(state.path());
    let mut client = key.connect();
    client.make_credential(&passkey_of("ann")).unwrap();
    let request = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };
    client.get_assertion(&request).unwrap();
    let [id] = listed(state.path(), "id").try_into().unwrap();
    let said = printed(state.path(), &["delete", "--yes", "--", &id[..6]]);
    assert!(said.contains("kept for 30 days"), "{said}");
    client.get_assertion(&request).unwrap_err();

    let trash = printed(state.path(), &["trash", "list"]);
    for part in ["ann", RP_ID, &id[..8]] {
        assert!(trash.contains(part), "{part}: {trash}");
    }
    let trash = printed(state.path(), &["--json", "trash", "list"]);
    assert!(trash.contains(&format!("\"id\": \"{id}\"")), "{trash}");
    let refused = wardkey(state.path(), &["trash", "restore", "zz"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(errors.contains("no passkey in the trash"), "{errors}");
    assert_eq!(errors.lines().count(), 2, "{errors}");

    // Another one for the account gives way.
    client.make_credential(&passkey_of("ann")).unwrap();
    let restored = printed(state.path(), &["trash", "restore", "--", &id[..6]]);
    assert!(
        restored.starts_with("The passkey for ann at example.org is back."),
        "{restored}"
    );
    assert!(restored.contains("is in the trash now"), "{restored}");
    assert_eq!(listed(state.path(), "id"), [id]);
    client.get_assertion(&request).unwrap();
    let log = printed(state.path(), &["log"]);
    assert!(
        log.contains("Took back the passkey at example.org as ann."),
        "{log}"
    );
}

#[test]
fn a_store_that_has_less_is_told_and_healed() {
    let Synced { state, store, pin } = synced();
    let lost = objects(store.path(), "d").remove(0);
    let content = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    let now = wardkey(state.path(), &["sync", "now", "--vault-pin-file", &pin])
        .output()
        .unwrap();
    assert!(!now.status.success());
    let errors = String::from_utf8(now.stderr).unwrap();
    assert!(errors.contains("The storage shows less than it did"), "{errors}");
    assert!(errors.contains("wardkey sync heal"), "{errors}");
    assert!(!lost.exists());
    let healed = printed(state.path(), &["sync", "heal", "--vault-pin-file", &pin]);
    assert!(healed.contains("All devices have everything."), "{healed}");
    assert_eq!(fs::read(&lost).unwrap(), content);
}

#[test]
fn a_vault_can_move_to_another_store() {
    let Synced { state, store, pin } = synced();
    let other = new_folder();
    let address = other.path().to_str().unwrap();
    let moved = printed(
        state.path(),
        &["sync", "setup", address, "--vault-pin-file", &pin],
    );
    assert!(moved.contains("All devices have everything."), "{moved}");
    for folder in ["t", "k", "d"] {
        let (here, there) = (objects(store.path(), folder), objects(other.path(), folder));
        assert!(!there.is_empty() && here.len() == there.len(), "{folder}");
    }
}

#[test]
fn a_vault_that_is_not_exchanged_says_what_to_do() {
    let state = new_vault();
    let pin = write_secret(&state.path().join("sync-pin.txt"), VAULT_PIN);
    let now = wardkey(state.path(), &["sync", "now", "--vault-pin-file", &pin])
        .output()
        .unwrap();
    assert!(!now.status.success());
    assert!(
        String::from_utf8(now.stderr)
            .unwrap()
            .contains("wardkey sync setup URL")
    );
    let status = printed(state.path(), &["sync", "status", "--vault-pin-file", &pin]);
    assert!(status.contains("not exchanged"), "{status}");
}

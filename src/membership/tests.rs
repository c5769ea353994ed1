use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wardkey_vault::{CredProtect, CredentialId, Passkey, Profile, SecretBytes, Vault};

use super::dialogue::{Dialogue, Nobody};
use super::testing::Answer::{FromPage, Says, Stops};
use super::testing::{PIN, Scripted};
use super::*;
use crate::cli::membership::{Init, VaultPinSource};
use crate::error::Failure;
use crate::host;
use crate::state::testing::{mode, new_folder, set_mode};
use crate::state::{Contents, Held, State};
use crate::unlock::open_with_pin;

fn passkey(id: u8, profile: Profile) -> Passkey {
    Passkey {
        id: CredentialId::new(&[id; 16]).unwrap(),
        rp_id: "example.org".to_owned(),
        rp_name: None,
        user_id: vec![id],
        user_name: Some("ann".to_owned()),
        user_display_name: None,
        algorithm: -7,
        private_key: SecretBytes::from_slice(&[id; 32]),
        profile,
        created_unix_ms: 1_700_000_000_000,
        cred_protect: CredProtect::Optional,
        cred_random: None,
        cred_blob: None,
        large_blob_key: None,
        large_blob: None,
        third_party_payment: false,
    }
}

/// A folder with a vault that has no Vault PIN and two passkeys, one of them bound to this device.
fn unprotected() -> TempDir {
    let folder = new_folder();
    let mut state = State::open(Some(folder.path())).unwrap();
    for (id, profile) in [(1, Profile::Synced), (2, Profile::DeviceBound)] {
        let vault = state.vault_mut();
        vault.store(&mut host::rng(), passkey(id, profile), None).unwrap();
    }
    folder
}

fn secret_file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!("{text}\n")).unwrap();
    set_mode(&path, 0o600);
    path
}

fn from_file(folder: &TempDir) -> VaultPinSource {
    VaultPinSource {
        vault_pin_file: Some(secret_file(folder, "pin.txt", PIN)),
    }
}

fn init_with(folder: &Path, options: &Init, person: &mut dyn Dialogue) -> Result<String, Failure> {
    let mut printed = Vec::new();
    init(Some(folder), options, person, true, &mut printed)?;
    Ok(String::from_utf8(printed).unwrap())
}

/// Makes a vault whose PIN is [`PIN`], without asking and without a kit.
fn protect(folder: &TempDir) -> Result<String, Failure> {
    let options = Init {
        vault_pin: from_file(folder),
        no_recovery_kit: true,
    };
    init_with(folder.path(), &options, &mut Nobody)
}

fn state(folder: &TempDir) -> State {
    State::open_existing(Some(folder.path())).unwrap().unwrap()
}

fn try_open(folder: &TempDir, pin: &str) -> Result<(Vault, Held), Failure> {
    match state(folder).into_parts() {
        (Contents::Locked(locked), held) => Ok((open_with_pin(locked, &held, pin)?, held)),
        (Contents::Open(_), _) => panic!("the vault has no Vault PIN"),
    }
}

fn ids(vault: &Vault) -> Vec<CredentialId> {
    vault.entries().into_iter().map(|entry| entry.id).collect()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".txt"))
        .collect();
    names.sort();
    names
}

// --- init -------------------------------------------------------------------------------------------------------------

#[test]
fn a_new_vault_opens_with_the_pin_that_was_chosen() {
    let folder = new_folder();
    let printed = protect(&folder).unwrap();
    assert_eq!(
        printed,
        "{\"passkeys\":0,\"recovery_kit\":false,\"vault\":\"created\"}\n"
    );
    assert_eq!(
        names(&folder),
        ["device-keys.1", "known.key", "lock", "vault.redb"]
    );
    for name in names(&folder) {
        assert_eq!(mode(&folder.path().join(&name)), 0o600, "{name}");
    }
    let refused = try_open(&folder, "tin ra of oln").err().unwrap().to_string();
    assert!(refused.contains("the Vault PIN is wrong"), "{refused}");
    let (vault, _held) = try_open(&folder, PIN).unwrap();
    assert!(vault.is_empty());
}

#[test]
fn a_vault_that_has_a_pin_is_not_made_again() {
    let folder = new_folder();
    protect(&folder).unwrap();
    let refused = protect(&folder).unwrap_err().to_string();
    assert!(refused.ends_with("has a Vault PIN"), "{refused}");
    try_open(&folder, PIN).unwrap();
}

#[test]
fn a_vault_without_a_pin_keeps_its_passkeys_and_loses_its_key_file() {
    let folder = unprotected();
    let old_key = fs::read(folder.path().join("root.key")).unwrap();
    let printed = protect(&folder).unwrap();
    assert_eq!(
        printed,
        "{\"passkeys\":2,\"recovery_kit\":false,\"vault\":\"protected\"}\n"
    );
    assert!(!folder.path().join("root.key").exists());
    let (vault, held) = try_open(&folder, PIN).unwrap();
    assert_eq!(ids(&vault).len(), 2);
    let id = CredentialId::new(&[1; 16]).unwrap();
    let kept = vault.load(&id).unwrap().unwrap();
    assert_eq!(kept.private_key.expose_secret(), [1; 32]);
    drop((vault, held));

    // The power went before the old key was removed: it opens nothing, and goes at the next start.
    let left = folder.path().join("root.key");
    fs::write(&left, old_key).unwrap();
    set_mode(&left, 0o600);
    assert_eq!(ids(&try_open(&folder, PIN).unwrap().0).len(), 2);
    assert!(!left.exists());
}

#[test]
fn the_power_may_go_before_the_vault_has_its_pin() {
    let folder = unprotected();
    let at = |name: &str| folder.path().join(name);
    for name in ["device-keys.1", "known.key", "vault.redb.new"] {
        fs::write(at(name), "half of wh").unwrap();
        set_mode(&at(name), 0o600);
    }
    assert_eq!(state(&folder).vault_mut().len(), 2);
    protect(&folder).unwrap();
    assert_eq!(try_open(&folder, PIN).unwrap().0.len(), 2);
}

#[test]
fn the_kit_is_shown_as_text_and_code_and_has_to_be_written_down() {
    let folder = new_folder();
    let answers = [
        Says("short"),
        Says(PIN),
        Says("tin ra of lo"),
        Says(PIN),
        Says(PIN),
        Says(""),
        Says("UUUUUU"),
        FromPage,
        // Not written down after all.
        Says(""),
        FromPage,
        FromPage,
    ];
    let mut person = Scripted::new(answers);
    let printed = init_with(folder.path(), &Init::default(), &mut person).unwrap();
    assert!(person.is_done());
    assert!(person.heard.contains("at least 12 characters"));
    assert!(person.heard.contains("This cannot be the Vault PIN"));
    assert!(person.heard.contains("The two are not the same."));
    assert!(person.heard.contains("That is not it."));
    assert_eq!((person.pages, person.kit().len()), (2, 54));
    assert!(person.page.contains('\u{2580}'), "no QR code");
    assert!(!printed.contains(&person.kit()[..6]) && !person.heard.contains(&person.kit()[..6]));
    assert!(printed.contains("\"recovery_kit\":true"));
    try_open(&folder, PIN).unwrap();
}

#[test]
fn who_stops_leaves_nothing_behind() {
    let answers = [Says(PIN), Says(PIN), Says(""), FromPage];
    for answered in 0..=answers.len() {
        let folder = new_folder();
        let given = [Says(PIN), Says(PIN), Says(""), FromPage]
            .into_iter()
            .take(answered);
        let mut person = Scripted::new(given.chain([Stops]));
        let stopped = init_with(folder.path(), &Init::default(), &mut person).unwrap_err();
        assert_eq!(stopped.to_string(), "stopped");
        assert_eq!(names(&folder), ["lock"]);
    }
}

#[test]
fn without_a_terminal_it_is_said_what_to_give() {
    let folder = new_folder();
    let refused = |options: &Init| {
        let refused = init_with(folder.path(), options, &mut Nobody).unwrap_err();
        assert_eq!(refused.to_string(), "there is no terminal to ask on");
        assert_eq!(names(&folder), ["lock"]);
    };
    refused(&Init::default());
    refused(&Init {
        vault_pin: from_file(&folder),
        no_recovery_kit: false,
    });
    let options = Init {
        vault_pin: VaultPinSource {
            vault_pin_file: Some(secret_file(&folder, "weak.txt", "493817")),
        },
        no_recovery_kit: true,
    };
    let weak = init_with(folder.path(), &options, &mut Nobody).unwrap_err();
    assert!(weak.to_string().contains("a passphrase is needed"), "{weak}");
}

#[test]
fn in_use_is_told_before_anything_is_asked() {
    let folder = new_folder();
    let _running = State::open(Some(folder.path())).unwrap();
    let refused = init_with(folder.path(), &Init::default(), &mut Scripted::default()).unwrap_err();
    assert!(refused.to_string().contains("another wardkey"), "{refused}");
}

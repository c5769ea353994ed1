use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use wardkey_vault::{
    CredProtect, CredentialId, Event, GuessLimit, Logged, NewPin, Passkey, Profile, SecretBytes, Vault,
};

use super::dialogue::{Dialogue, Nobody};
use super::opened::Opened;
use super::testing::Answer::{FromPage, Says, Stops, Types};
use super::testing::{PIN, Scripted};
use super::*;
use crate::cli::membership::{Backup, DeviceKeys, Export, Format, Init, PinChange, Recover, VaultPinSource};
use crate::cli::sync::{Setup, StoreOptions};
use crate::control::SyncAction;
use crate::device_keys::Place;
use crate::error::Failure;
use crate::host;
use crate::state::testing::{mode, new_folder, open_bare, set_mode};
use crate::state::{Held, State, since_boot};
use crate::unlock::open_with_pin;

mod exchange_format;
mod power_cut;

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
    let (mut vault, _held) = open_bare(folder.path());
    for (id, profile) in [(1, Profile::Synced), (2, Profile::DeviceBound)] {
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

/// Carries out a command, and gives what it printed.
fn run(
    folder: &Path,
    person: &mut dyn Dialogue,
    command: impl FnOnce(&mut Call<'_>) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let mut printed = Vec::new();
    Call::new(Some(folder), "of a test", person, &mut printed)
        .json(true)
        .carry_out(command)?;
    Ok(String::from_utf8(printed).unwrap())
}

fn init_with(folder: &Path, options: &Init, person: &mut dyn Dialogue) -> Result<String, Failure> {
    run(folder, person, |call| init(call, options))
}

/// Whatever this computer has.
fn in_software() -> DeviceKeys {
    DeviceKeys {
        place: Some(Place::Software),
    }
}

/// What is not given is asked for.
fn asked() -> Init {
    Init {
        device_keys: in_software(),
        ..Init::default()
    }
}

/// Makes a vault whose PIN is [`PIN`], without asking and without a kit.
fn protect(folder: &TempDir) -> Result<String, Failure> {
    let options = Init {
        vault_pin: from_file(folder),
        no_recovery_kit: true,
        device_keys: in_software(),
    };
    init_with(folder.path(), &options, &mut Nobody)
}

/// Makes a vault as a person does, and gives the recovery kit.
fn protect_with_kit(folder: &TempDir) -> String {
    let mut person = Scripted::new([Says(PIN), Says(PIN), Says(""), FromPage, FromPage]);
    init_with(folder.path(), &asked(), &mut person).unwrap();
    assert!(person.is_done());
    person.kit()
}

fn state(folder: &TempDir) -> State {
    State::open(Some(folder.path())).unwrap().unwrap()
}

fn try_open(folder: &TempDir, pin: &str) -> Result<(Vault, Held), Failure> {
    let State { locked, held } = state(folder);
    Ok((open_with_pin(locked, &held, pin)?, held))
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
        "{\"device_keys\":\"software\",\"guess_limit\":\"none\",\"passkeys\":0,\"recovery_kit\":false,\"vault\":\"created\"}\n"
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
        "{\"device_keys\":\"software\",\"guess_limit\":\"none\",\"passkeys\":2,\"recovery_kit\":false,\"vault\":\"protected\"}\n"
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
    assert_eq!(open_bare(folder.path()).0.len(), 2);
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
    let printed = init_with(folder.path(), &asked(), &mut person).unwrap();
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
        let stopped = init_with(folder.path(), &asked(), &mut person).unwrap_err();
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
    refused(&asked());
    refused(&Init {
        vault_pin: from_file(&folder),
        no_recovery_kit: false,
        device_keys: in_software(),
    });
    let options = Init {
        vault_pin: VaultPinSource {
            vault_pin_file: Some(secret_file(&folder, "weak.txt", "493817")),
        },
        no_recovery_kit: true,
        device_keys: in_software(),
    };
    let weak = init_with(folder.path(), &options, &mut Nobody).unwrap_err();
    assert!(weak.to_string().contains("a passphrase is needed"), "{weak}");
}

#[test]
fn in_use_is_told_before_anything_is_asked() {
    let folder = new_folder();
    let _running = open_bare(folder.path());
    let refused = init_with(folder.path(), &asked(), &mut Scripted::default()).unwrap_err();
    assert!(refused.to_string().contains("another wardkey"), "{refused}");
}

// --- the Vault PIN ----------------------------------------------------------------------------------------------------

const NEXT: &str = "ol fo ar nit";

fn change(folder: &TempDir, options: &PinChange, person: &mut dyn Dialogue) -> Result<String, Failure> {
    run(folder.path(), person, |call| change_pin(call, options))
}

#[test]
fn another_pin_opens_the_vault_and_the_old_one_does_not() {
    let folder = unprotected();
    protect(&folder).unwrap();
    let mut person = Scripted::new([Says("tin ra of oln"), Says(PIN), Says(NEXT), Says(NEXT)]);
    let printed = change(&folder, &PinChange::default(), &mut person).unwrap();
    assert!(person.is_done() && person.heard.contains("The Vault PIN is wrong."));
    assert_eq!(
        printed,
        "{\"root_key_replaced\":false,\"vault_pin\":\"changed\"}\n"
    );
    assert_eq!(
        names(&folder),
        ["device-keys.2", "known.key", "lock", "vault.redb"]
    );
    assert!(try_open(&folder, PIN).is_err());
    assert_eq!(try_open(&folder, NEXT).unwrap().0.len(), 2);
}

#[test]
fn a_compromised_pin_takes_the_root_key_with_it() {
    let folder = unprotected();
    protect(&folder).unwrap();
    let options = PinChange {
        vault_pin: from_file(&folder),
        new_vault_pin_file: Some(secret_file(&folder, "next.txt", NEXT)),
        compromised: true,
    };
    let printed = change(&folder, &options, &mut Nobody).unwrap();
    assert!(printed.contains("\"root_key_replaced\":true"), "{printed}");
    let (vault, held) = try_open(&folder, NEXT).unwrap();
    assert_eq!(vault.len(), 2);
    let locked = vault.lock().ok().unwrap();
    assert_eq!((locked.trust().epoch(), locked.trust().pin_generation()), (2, 2));
    drop(held);
}

#[test]
fn wrong_pins_are_counted_and_the_next_has_to_wait() {
    let folder = new_folder();
    protect(&folder).unwrap();
    let wrong = || Says("tin ra of oln");
    let mut person = Scripted::new([wrong(), wrong(), wrong()]);
    let refused = change(&folder, &PinChange::default(), &mut person).unwrap_err();
    assert_eq!(refused.to_string(), "the Vault PIN is wrong");
    assert!(person.is_done());
    let State { locked, held } = state(&folder);
    assert_eq!(locked.wrong_pins(), 3);
    drop((locked, held));

    // The right one waits, too.
    let mut person = Scripted::new([Says(PIN)]);
    let refused = change(&folder, &PinChange::default(), &mut person).unwrap_err();
    assert!(refused.to_string().starts_with("waits "), "{refused}");
    assert!(
        person
            .heard
            .contains("After 3 wrong Vault PINs the next is tried in "),
        "{}",
        person.heard
    );
}

#[test]
fn the_log_tells_the_wrong_pins_of_every_command() {
    let folder = new_folder();
    let kit = protect_with_kit(&folder);
    let wrong = || Says("tin ra of oln");
    let mut person = Scripted::new([wrong(), wrong(), Says(PIN), Says(NEXT), Says(NEXT)]);
    change(&folder, &PinChange::default(), &mut person).unwrap();
    let file = folder.path().join("backup.txt");
    let options = Backup {
        vault_pin: VaultPinSource::default(),
        ..backup(&folder, &file)
    };
    let mut person = Scripted::new([wrong(), Says(NEXT)]);
    run(folder.path(), &mut person, |call| export(call, &sealed(options))).unwrap();
    assert!(try_open(&folder, PIN).is_err());
    recover_with(folder.path(), None, &mut Scripted::new(recovery(&kit))).unwrap();
    drop(try_open(&folder, NEXT).unwrap());

    let (vault, _held) = try_open(&folder, NEXT).unwrap();
    let log = vault.log(None).unwrap().map(|logged| match logged.unwrap() {
        Logged::Entry { record, .. } => record.event,
        Logged::Gap { .. } | Logged::Damaged { .. } => panic!("the log is not whole"),
    });
    let events: Vec<Event> = log.collect();
    let unlocked = |wrong_pins| Event::Unlocked { wrong_pins };
    let expected = [
        unlocked(0),
        unlocked(0),
        Event::Recovered,
        unlocked(1),
        Event::Exported { passkeys: 0 },
        unlocked(1),
        Event::VaultPinChanged,
        unlocked(2),
    ];
    assert_eq!(events, expected);
}

fn opened(folder: &TempDir, source: &VaultPinSource) -> Result<Opened, Failure> {
    let (nobody, out) = (&mut Nobody, &mut Vec::new());
    Opened::of(
        &mut Call::new(Some(folder.path()), "of a test", nobody, out),
        source,
    )
}

#[test]
fn the_power_may_go_at_each_step_of_a_change() {
    let folder = unprotected();
    protect(&folder).unwrap();
    let next = NewPin::choose(NEXT, GuessLimit::None, KdfCost::FLOOR, &mut host::rng()).unwrap();
    let prepare = |source: &VaultPinSource| {
        let opened = opened(&folder, source).unwrap();
        let rng = &mut host::rng();
        opened.change(|here, right| right.unlocked.change_pin(here, right.right_pin, &next, rng))
    };
    // The new keys are kept, and nothing else happened.
    let prepared = prepare(&from_file(&folder)).unwrap();
    let (generation, keys) = prepared.change.device_keys().unwrap();
    prepared.held.keep_device_keys(generation, keys).unwrap();
    drop(prepared);
    assert_eq!(try_open(&folder, PIN).unwrap().0.len(), 2);

    // The change is made as well, and the old keys are still there.
    let mut prepared = prepare(&from_file(&folder)).unwrap();
    let (generation, keys) = prepared.change.device_keys().unwrap();
    prepared.held.keep_device_keys(generation, keys).unwrap();
    prepared.locked.apply(&prepared.change).unwrap();
    drop(prepared);
    assert!(try_open(&folder, PIN).is_err());
    assert_eq!(try_open(&folder, NEXT).unwrap().0.len(), 2);
    assert!(folder.path().join("device-keys.1").exists());

    // The next command that opens the vault removes them.
    let source = VaultPinSource {
        vault_pin_file: Some(secret_file(&folder, "next.txt", NEXT)),
    };
    drop(opened(&folder, &source).ok().unwrap());
    assert!(!folder.path().join("device-keys.1").exists());
}

#[test]
fn who_stops_a_change_has_the_old_pin() {
    let folder = new_folder();
    protect(&folder).unwrap();
    for answers in [
        vec![Stops],
        vec![Says(PIN), Stops],
        vec![Says(PIN), Says(NEXT), Stops],
    ] {
        let stopped = change(&folder, &PinChange::default(), &mut Scripted::new(answers)).unwrap_err();
        assert_eq!(stopped.to_string(), "stopped");
    }
    try_open(&folder, PIN).unwrap();
}

#[test]
fn a_vault_without_a_pin_and_no_vault_say_what_comes_first() {
    let folder = unprotected();
    let refused = change(&folder, &PinChange::default(), &mut Nobody).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("is from before there were Vault PINs"),
        "{refused}"
    );
    let refused = change(&new_folder(), &PinChange::default(), &mut Nobody).unwrap_err();
    assert!(
        refused.to_string().starts_with("there is no vault in"),
        "{refused}"
    );
}

// --- the recovery kit -------------------------------------------------------------------------------------------------

fn recover_with(folder: &Path, from: Option<&Path>, person: &mut Scripted) -> Result<String, Failure> {
    let options = Recover {
        from: from.map(Path::to_owned),
        device_keys: in_software(),
        ..Recover::default()
    };
    run(folder, person, |call| recover(call, &options))
}

fn recover_at(folder: &Path, store: &Path, person: &mut Scripted) -> Result<String, Failure> {
    let options = Recover {
        store: Some(store.to_str().unwrap().to_owned()),
        device_keys: in_software(),
        ..Recover::default()
    };
    run(folder, person, |call| recover(call, &options))
}

fn sync_at(folder: &TempDir, store: &Path) {
    let options = Setup {
        store: StoreOptions {
            store: store.to_str().unwrap().to_owned(),
            credentials_file: None,
        },
        device_name: Some("desk".to_owned()),
        vault_pin: from_file(folder),
    };
    run(folder.path(), &mut Nobody, |call| set_up_sync(call, &options)).unwrap();
}

#[test]
fn a_store_and_the_kit_are_all_that_a_new_computer_needs() {
    let (folder, store, elsewhere) = (unprotected(), new_folder(), new_folder());
    let kit = protect_with_kit(&folder);
    sync_at(&folder, store.path());
    // Another vault in the same place does not matter.
    let other = new_folder();
    protect(&other).unwrap();
    sync_at(&other, store.path());

    let mut person = Scripted::new(recovery(&kit));
    let printed = recover_at(elsewhere.path(), store.path(), &mut person).unwrap();
    assert!(person.is_done());
    assert!(
        printed.contains("\"passkeys\":1,"),
        "the other one never left: {printed}"
    );
    let (vault, _held) = try_open(&elsewhere, NEXT).unwrap();
    assert_eq!((vault.len(), vault.trust().unwrap().members().count()), (1, 1));
    assert_eq!(vault.trust().unwrap().epoch(), 2, "the root key is another one");

    // The device before hears of it, and the old kit opens nothing any more.
    let now = run(folder.path(), &mut Nobody, |call| {
        sync(call, &from_file(&folder), SyncAction::Now)
    });
    assert!(now.unwrap().contains("\"state\":\"removed\""));
    let mut person = Scripted::new([Types(kit.clone()), Types(kit.clone()), Types(kit)]);
    let refused = recover_at(new_folder().path(), store.path(), &mut person).unwrap_err();
    assert_eq!(refused.to_string(), "the recovery kit does not open this vault");
}

/// A snapshot of who is a member no more is not believed: the entry that takes the vault over names it.
#[test]
fn what_only_a_snapshot_has_is_there_after_a_recovery() {
    let (folder, store, elsewhere) = (unprotected(), new_folder(), new_folder());
    let kit = protect_with_kit(&folder);
    sync_at(&folder, store.path());
    let (mut vault, held) = try_open(&folder, PIN).unwrap();
    vault
        .store(&mut host::rng(), passkey(3, Profile::Synced), None)
        .unwrap();
    drop((vault, held));
    let now = |pin: &VaultPinSource| {
        run(folder.path(), &mut Nobody, |call| {
            sync(call, pin, SyncAction::Now)
        })
        .unwrap();
    };
    now(&from_file(&folder));
    let next = VaultPinSource {
        vault_pin_file: Some(secret_file(&folder, "next.txt", NEXT)),
    };
    let options = PinChange {
        vault_pin: from_file(&folder),
        new_vault_pin_file: next.vault_pin_file.clone(),
        compromised: true,
    };
    change(&folder, &options, &mut Nobody).unwrap();
    // The new root key brings a snapshot, and what it covers goes.
    now(&next);
    now(&next);
    let first = format!("{:08x}-{:08x}.obj", 0, 1);
    assert!(!has_file(store.path(), &first), "the first object is still there");

    let mut person = Scripted::new(recovery(&kit));
    let printed = recover_at(elsewhere.path(), store.path(), &mut person).unwrap();
    assert!(printed.contains("\"passkeys\":2,"), "{printed}");
}

fn has_file(folder: &Path, name: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.file_name().unwrap() == name || path.is_dir() && has_file(&path, name)
    })
}

#[test]
fn what_was_exchanged_before_a_recovery_reaches_whoever_comes_after_it() {
    let (folder, store, elsewhere) = (unprotected(), new_folder(), new_folder());
    let kit = protect_with_kit(&folder);
    sync_at(&folder, store.path());
    let mut person = Scripted::new(recovery(&kit));
    recover_with(folder.path(), None, &mut person).unwrap();
    let next = VaultPinSource {
        vault_pin_file: Some(secret_file(&folder, "next.txt", NEXT)),
    };
    run(folder.path(), &mut Nobody, |call| {
        sync(call, &next, SyncAction::Now)
    })
    .unwrap();
    let mut person = Scripted::new(recovery(&person.kit()));
    let printed = recover_at(elsewhere.path(), store.path(), &mut person).unwrap();
    assert!(printed.contains("\"passkeys\":1,"), "{printed}");
}

#[test]
fn what_the_store_does_not_have_is_told_before_anything_is_asked() {
    let (store, elsewhere) = (new_folder(), new_folder());
    let refused = recover_at(elsewhere.path(), store.path(), &mut Scripted::default()).unwrap_err();
    assert_eq!(refused.to_string(), "there is no vault at this address");
    let folder = new_folder();
    protect(&folder).unwrap();
    sync_at(&folder, store.path());
    let refused = recover_at(elsewhere.path(), store.path(), &mut Scripted::default()).unwrap_err();
    assert_eq!(refused.to_string(), "this vault has no recovery kit");
    assert!(!elsewhere.path().join("vault.redb").exists());
}

fn recovery(kit: &str) -> Vec<testing::Answer> {
    let kit = Types(kit.to_lowercase());
    vec![
        kit,
        Says("y"),
        Says(NEXT),
        Says(NEXT),
        Says(""),
        FromPage,
        FromPage,
    ]
}

#[test]
fn a_copy_of_the_vault_is_taken_over_with_the_kit_on_another_computer() {
    let (folder, elsewhere) = (unprotected(), new_folder());
    let kit = protect_with_kit(&folder);
    let mut person = Scripted::new(recovery(&kit));
    let printed = recover_with(elsewhere.path(), Some(folder.path()), &mut person).unwrap();
    assert!(person.is_done());
    assert_eq!(
        printed,
        "{\"device_keys\":\"software\",\"devices_before\":1,\"guess_limit\":\"none\",\"passkeys\":2,\"vault\":\"recovered\"}\n"
    );
    assert!(
        person.heard.contains("The vault has 1 device"),
        "{}",
        person.heard
    );
    assert_eq!(
        names(&elsewhere),
        ["device-keys.2", "known.key", "lock", "vault.redb"]
    );
    let (vault, held) = try_open(&elsewhere, NEXT).unwrap();
    assert_eq!(vault.len(), 2);
    drop((vault, held));
    assert!(try_open(&elsewhere, PIN).is_err());
    // The original is as it was.
    try_open(&folder, PIN).unwrap();

    // The old kit is good for nothing any more, the new one is.
    let mut person = Scripted::new([Types(kit.clone()), Types(kit.clone()), Types(kit)]);
    let refused = recover_with(elsewhere.path(), None, &mut person).unwrap_err();
    assert_eq!(refused.to_string(), "the recovery kit does not open this vault");
}

#[test]
fn a_vault_whose_keys_and_pin_are_lost_is_taken_over_where_it_is() {
    let folder = unprotected();
    let kit = protect_with_kit(&folder);
    fs::remove_file(folder.path().join("device-keys.1")).unwrap();
    assert!(try_open(&folder, PIN).is_err());
    // Who forgot the Vault PIN has tried many.
    let State { mut locked, held } = state(&folder);
    for _ in 0..3 {
        assert!(locked.guess(since_boot()).is_ok());
    }
    drop((locked, held));
    let mut person = Scripted::new(recovery(&kit));
    recover_with(folder.path(), None, &mut person).unwrap();
    assert_eq!(try_open(&folder, NEXT).unwrap().0.len(), 2);
}

#[test]
fn who_does_not_expect_what_the_copy_says_changes_nothing() {
    let (folder, elsewhere) = (new_folder(), new_folder());
    let kit = protect_with_kit(&folder);
    let wrong = format!("{}{}", &kit[6..], &kit[..6]);
    let mut person = Scripted::new([Types(wrong), Types(kit.clone()), Says("n")]);
    let stopped = recover_with(elsewhere.path(), Some(folder.path()), &mut person).unwrap_err();
    assert_eq!(stopped.to_string(), "stopped; nothing was changed");
    assert!(person.heard.contains("typing error"), "{}", person.heard);
    assert!(!elsewhere.path().join("vault.redb").exists());
    assert!(!elsewhere.path().join("vault.redb.new").exists());

    // Where a vault is, none is copied to.
    let refused = recover_with(folder.path(), Some(elsewhere.path()), &mut Scripted::default()).unwrap_err();
    assert!(refused.to_string().starts_with("cannot open"), "{refused}");
    let refused = recover_with(folder.path(), Some(folder.path()), &mut Scripted::default()).unwrap_err();
    assert!(
        refused.to_string().starts_with("there is a vault in"),
        "{refused}"
    );
}

#[test]
fn a_new_kit_replaces_the_old_one() {
    let folder = unprotected();
    let old = protect_with_kit(&folder);
    let mut person = Scripted::new([Says(PIN), Says(""), FromPage, FromPage]);
    let printed = run(folder.path(), &mut person, |call| {
        renew_kit(call, &VaultPinSource::default())
    });
    assert_eq!(printed.unwrap(), "{\"recovery_kit\":\"renewed\"}\n");
    let new = person.kit();
    assert_ne!(old, new);
    try_open(&folder, PIN).unwrap();
    let mut person = Scripted::new([Types(old)].into_iter().chain(recovery(&new)));
    recover_with(folder.path(), None, &mut person).unwrap();
    assert!(
        person
            .heard
            .contains("This kit is of another vault, or was replaced.")
    );
}

#[test]
fn a_vault_without_a_kit_gets_one_and_cannot_be_recovered_before() {
    let folder = new_folder();
    protect(&folder).unwrap();
    let refused = recover_with(folder.path(), None, &mut Scripted::default()).unwrap_err();
    assert_eq!(refused.to_string(), "this vault has no recovery kit");
    let mut person = Scripted::new([Says(PIN), Says(""), FromPage, FromPage]);
    run(folder.path(), &mut person, |call| {
        renew_kit(call, &VaultPinSource::default())
    })
    .unwrap();
    recover_with(folder.path(), None, &mut Scripted::new(recovery(&person.kit()))).unwrap();
}

// --- backups ----------------------------------------------------------------------------------------------------------

const PASSPHRASE: &str = "sel tag mun dor";

fn backup(folder: &TempDir, file: &Path) -> Backup {
    Backup {
        file: file.to_owned(),
        vault_pin: from_file(folder),
        passphrase_file: Some(secret_file(folder, "passphrase.txt", PASSPHRASE)),
    }
}

fn sealed(backup: Backup) -> Export {
    Export {
        backup,
        format: Format::Backup,
    }
}

#[test]
fn a_backup_brings_the_passkeys_that_may_leave_into_another_vault() {
    let (folder, other) = (unprotected(), new_folder());
    protect(&folder).unwrap();
    protect(&other).unwrap();
    let file = folder.path().join("backup.txt");
    let printed = run(folder.path(), &mut Nobody, |call| {
        export(call, &sealed(backup(&folder, &file)))
    })
    .unwrap();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["passkeys"], 1);
    assert_eq!(printed["left_out"][0]["rp_id"], "example.org");
    assert_eq!(mode(&file), 0o600);
    let again = run(folder.path(), &mut Nobody, |call| {
        export(call, &sealed(backup(&folder, &file)))
    });
    assert!(again.unwrap_err().to_string().starts_with("cannot write"));

    for (added, passed_over) in [(1, 0), (0, 1)] {
        let printed = run(other.path(), &mut Nobody, |call| {
            import(call, &backup(&other, &file))
        })
        .unwrap();
        assert_eq!(
            printed,
            format!("{{\"added\":{added},\"passed_over\":{passed_over}}}\n")
        );
    }
    let (vault, _held) = try_open(&other, PIN).unwrap();
    assert_eq!(ids(&vault), [CredentialId::new(&[1; 16]).unwrap()]);
}

#[test]
fn a_backup_needs_a_passphrase_and_the_right_one() {
    let folder = unprotected();
    protect(&folder).unwrap();
    let file = folder.path().join("backup.txt");
    let mut options = backup(&folder, &file);
    options.passphrase_file = Some(secret_file(&folder, "weak.txt", "493817"));
    let mut options = sealed(options);
    let weak = run(folder.path(), &mut Nobody, |call| export(call, &options)).unwrap_err();
    assert!(weak.to_string().contains("a passphrase is needed"), "{weak}");
    assert!(!file.exists());

    // Asked for twice; the vault has no Vault PIN.
    options.backup.passphrase_file = None;
    let mut person = Scripted::new([Says(PASSPHRASE), Says(PASSPHRASE)]);
    run(folder.path(), &mut person, |call| export(call, &options)).unwrap();
    let mut person = Scripted::new([Says(PIN), Says(PASSPHRASE)]);
    let printed = run(folder.path(), &mut person, |call| import(call, &options.backup)).unwrap();
    assert_eq!(printed, "{\"added\":0,\"passed_over\":1}\n");
    assert!(
        person.heard.contains("the passphrase is wrong"),
        "{}",
        person.heard
    );
}

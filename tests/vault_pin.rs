//! A vault with a Vault PIN, as hosts and the commands see it, with the real program in between.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::memory::memory_of;
use common::person::Person;
use common::{
    Client, Key, RP_ID, VAULT_PIN, holds, make_vault, new_folder, passkey_of, printed, status, wardkey,
    write_secret,
};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::{GetAssertion, Status};

/// Found nowhere by chance.
const WRONG_PIN: &str = "Vt8-silver-otter-moss";

/// A state folder whose vault has a Vault PIN, and a person beside it.
struct Owner {
    state: TempDir,
    person: Person,
}

impl Owner {
    fn new() -> Self {
        let owner = Self {
            state: new_folder(),
            person: Person::new(),
        };
        let pin_file = write_secret(&owner.pin_file(), VAULT_PIN);
        make_vault(owner.path(), &pin_file);
        owner
    }

    fn pin_file(&self) -> PathBuf {
        self.person.desk().join("vault-pin")
    }

    fn path(&self) -> &Path {
        self.state.path()
    }

    fn types(&self, lines: &[&str]) {
        self.person.types(lines);
    }

    fn start_key(&self) -> Key {
        self.person.start_key(self.path())
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.person.asked()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&printed(self.path(), &["--json", "status"])).unwrap()
    }

    fn vault(&self) -> String {
        self.status()["vault"].as_str().unwrap().to_owned()
    }
}

fn login(id: Option<&[u8]>, rp_id: &str) -> GetAssertion {
    GetAssertion {
        rp_id: rp_id.to_owned(),
        client_data_hash: [2; 32],
        allow_list: id.into_iter().map(<[u8]>::to_vec).collect(),
        ..GetAssertion::default()
    }
}

fn log_in(client: &mut Client, id: Option<&[u8]>, rp_id: &str) -> Status {
    status(client.get_assertion(&login(id, rp_id)))
}

#[test]
fn the_vault_pin_is_asked_for_when_it_is_needed_and_only_then() {
    let owner = Owner::new();
    let key = owner.start_key();
    let mut client = key.connect();
    assert_eq!(owner.vault(), "locked");
    client.get_info().unwrap();
    assert_eq!(log_in(&mut client, None, RP_ID), Status::NO_CREDENTIALS);
    assert_eq!(owner.asked(), []);

    owner.types(&[VAULT_PIN]);
    let id = client
        .make_credential(&passkey_of("ann"))
        .unwrap()
        .auth_data
        .attested
        .unwrap()
        .credential_id;
    let register = |demand: &str| ("register".to_owned(), demand.to_owned());
    assert_eq!(owner.asked(), [register("vault-pin"), register("presence")]);
    assert_eq!(owner.vault(), "open");
    assert_eq!(common::listed(owner.path(), "user_name"), ["ann"]);

    // Locked again: what is not here is answered without a question, what is here asks.
    assert_eq!(printed(owner.path(), &["lock"]), "The vault is locked.\n");
    let asked = owner.asked().len();
    assert_eq!(log_in(&mut client, Some(&[7; 32]), RP_ID), Status::NO_CREDENTIALS);
    assert_eq!(
        log_in(&mut client, Some(&id), "example.net"),
        Status::NO_CREDENTIALS
    );
    assert_eq!(owner.asked().len(), asked);
    owner.types(&[VAULT_PIN]);
    assert_eq!(log_in(&mut client, Some(&id), RP_ID), Status::OK);
    let sign_in = |demand: &str| ("sign-in".to_owned(), demand.to_owned());
    assert_eq!(
        owner.asked()[asked..],
        [sign_in("vault-pin"), sign_in("presence")]
    );

    // And after a restart.
    drop(client);
    assert!(key.end_by(Signal::TERM).success());
    let key = owner.start_key();
    owner.types(&[VAULT_PIN]);
    assert_eq!(log_in(&mut key.connect(), None, RP_ID), Status::OK);
}

#[test]
fn a_wrong_vault_pin_is_asked_for_again_and_counted() {
    let owner = Owner::new();
    let key = owner.start_key();
    owner.types(&[WRONG_PIN, VAULT_PIN]);
    let mut client = key.connect();
    client.make_credential(&passkey_of("ann")).unwrap();
    let questions = owner.person.questions().into_iter();
    let notes = questions.map(|question| question["note"].clone());
    let notes: Vec<Value> = notes.collect();
    assert_eq!(
        notes,
        [Value::Null, "That was not the Vault PIN.".into(), Value::Null]
    );
    assert_eq!(owner.status()["wrong_vault_pins"], 0);
    let log = printed(owner.path(), &["log"]);
    assert!(
        log.contains("Unlocked with the Vault PIN, after a wrong one."),
        "{log}"
    );
}

#[test]
fn a_wrong_vault_pin_is_counted_although_the_key_is_killed() {
    let owner = Owner::new();
    let key = owner.start_key();
    owner.types(&[WRONG_PIN]);
    let mut client = key.connect();
    common::send(&mut client, &passkey_of("ann"));
    while owner.status()["wrong_vault_pins"] != 1 {
        pause(Duration::from_millis(10));
    }
    key.kill();
    assert_eq!(owner.status()["wrong_vault_pins"], 1);
}

#[test]
fn while_it_is_locked_commands_say_so() {
    let owner = Owner::new();
    let _key = owner.start_key();
    for command in [
        &["list"][..],
        &["info"],
        &["log"],
        &["delete", "--yes", "AAAA"],
        &["trash", "list"],
    ] {
        let output = wardkey(owner.path(), command).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(
            said.contains("the vault is locked") && said.contains("wardkey unlock"),
            "{said}"
        );
    }
}

#[test]
fn a_key_can_start_with_its_vault_open() {
    let owner = Owner::new();
    let pin_file = owner.pin_file();
    let options = [
        "--presence",
        "always",
        "--vault-pin-file",
        pin_file.to_str().unwrap(),
    ];
    let key = Key::start_with(owner.path(), &options, |command| command);
    assert_eq!(owner.vault(), "open");
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    printed(owner.path(), &["lock"]);
    assert_eq!(owner.vault(), "locked");
    printed(
        owner.path(),
        &["unlock", "--vault-pin-file", pin_file.to_str().unwrap()],
    );
    assert_eq!(owner.vault(), "open");
    fs::write(&pin_file, WRONG_PIN).unwrap();
    drop(key);
    let raw = format!("unix:{}", owner.path().join("other.sock").display());
    let serve = [
        "serve",
        "--raw",
        &raw,
        "--vault-pin-file",
        pin_file.to_str().unwrap(),
    ];
    let output = wardkey(owner.path(), &serve).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("the Vault PIN is wrong"));
    assert!(output.stdout.is_empty(), "it does not listen");
    assert_eq!(owner.status()["wrong_vault_pins"], 1);
}

#[test]
fn after_many_wrong_vault_pins_a_command_waits_and_then_works() {
    let owner = Owner::new();
    let pin_file = owner.pin_file();
    let raw = format!("unix:{}", owner.path().join("other.sock").display());
    let file = pin_file.to_str().unwrap();
    fs::write(&pin_file, WRONG_PIN).unwrap();
    for _ in 0..3 {
        let mut serve = wardkey(owner.path(), &["serve", "--raw", &raw, "--vault-pin-file", file]);
        assert!(!serve.output().unwrap().status.success());
    }
    fs::write(&pin_file, VAULT_PIN).unwrap();
    let key = Key::start_with(owner.path(), &["--vault-pin-file", file], |command| command);
    assert_eq!(owner.vault(), "open");
    key.connect().get_info().unwrap();
    let said = key.complaints();
    assert!(
        said.contains("after 3 wrong Vault PINs the next can be tried in"),
        "{said}"
    );
}

#[test]
fn a_vault_that_is_not_used_locks() {
    let owner = Owner::new();
    let program = owner.person.program();
    let options = [
        "--prompt-command",
        program.to_str().unwrap(),
        "--lock-after",
        "1s",
    ];
    let key = Key::start_with(owner.path(), &options, |command| command);
    owner.types(&[VAULT_PIN]);
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    assert_eq!(owner.vault(), "open");
    while owner.vault() != "locked" {
        pause(Duration::from_millis(50));
    }
}

#[test]
fn the_vault_pin_is_nowhere_on_the_disk_in_no_message_and_after_locking_not_in_memory() {
    let owner = Owner::new();
    let key = owner.start_key();
    owner.types(&[VAULT_PIN]);
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    printed(owner.path(), &["lock"]);
    // By the other way, too.
    let pin_file = owner.pin_file();
    printed(
        owner.path(),
        &["unlock", "--vault-pin-file", pin_file.to_str().unwrap()],
    );
    printed(owner.path(), &["lock"]);
    assert!(!holds(owner.path(), VAULT_PIN));
    assert!(!key.complaints().contains(VAULT_PIN));
    for command in [&["status"][..], &["--json", "status"]] {
        assert!(!printed(owner.path(), command).contains(VAULT_PIN));
    }
    // Only root may look into a process that protects itself.
    if rustix::process::geteuid().is_root() {
        let holds = |text: &str| {
            memory_of(&key)
                .windows(text.len())
                .any(|bytes| bytes == text.as_bytes())
        };
        assert!(holds(owner.path().to_str().unwrap()));
        assert!(!holds(VAULT_PIN));
    }
}

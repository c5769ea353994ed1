//! Commands that work on the state folder while the key runs on it: the key stands aside, and comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use common::computer::{Computer, text, two_devices};
use common::person::Person;
use common::terminal::Session;
use common::{
    Key, RP_ID, VAULT_PIN, listed, new_folder, new_vault, objects, passkey_of, printed, soon, status,
    wardkey, write_secret,
};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::{GetAssertion, Status};
use wardkey_sim::hid_client::{Keepalive, Wish};

const OTHER_PIN: &str = "another passphrase of many words";

/// A computer whose key runs, locked, and asks a person.
struct Desk {
    computer: Computer,
    person: Person,
    key: Key,
}

impl Desk {
    fn new() -> Self {
        let computer = Computer::new(vault_with_ann());
        let person = Person::new();
        let key = person.start_key(computer.state.path());
        Self {
            computer,
            person,
            key,
        }
    }

    fn state(&self) -> &Path {
        self.computer.state.path()
    }

    /// A command that waits for somebody who does not type.
    fn waiting_command(&self) -> Session {
        let mut session = Session::start(self.state(), &["pin", "change"]);
        session.shows("Vault PIN: ");
        session
    }

    /// kill -9.
    fn kill_command(&self) {
        let told = aside(self.state()).unwrap();
        let process = told.trim_start_matches("wardkey pin change (process ");
        let process = process.trim_end_matches(')').parse().unwrap();
        kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    }

    fn is_back(&self) -> bool {
        soon(|| aside(self.state()).is_none())
    }

    fn log_in(&self) -> Status {
        status(self.key.connect().get_assertion(&login()))
    }
}

/// A state folder whose vault has a passkey. To make one takes a while, and it is made once.
fn vault_with_ann() -> TempDir {
    static FILES: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let made = new_vault();
        let key = Key::start(made.path());
        key.connect().make_credential(&passkey_of("ann")).unwrap();
        assert!(key.end_by(Signal::TERM).success());
        let files = ["vault.redb", "known.key", "device-keys.1"];
        let read = |name| (name, fs::read(made.path().join(name)).unwrap());
        files.map(read).into()
    });
    let state = new_folder();
    for (name, content) in files {
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(state.path().join(name)).unwrap();
        file.write_all(content).unwrap();
    }
    state
}

fn login() -> GetAssertion {
    GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    }
}

fn told(state: &Path) -> Value {
    serde_json::from_str(&printed(state, &["--json", "status"])).unwrap()
}

/// For whom the running key stands aside.
fn aside(state: &Path) -> Option<String> {
    told(state)["stands_aside_for"].as_str().map(str::to_owned)
}

fn vault(state: &Path) -> String {
    told(state)["vault"].as_str().unwrap().to_owned()
}

fn sync_state(state: &Path) -> String {
    let status = wardkey(state, &["--json", "sync", "status"]).output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
    status["state"].as_str().unwrap_or_default().to_owned()
}

fn users(state: &Path) -> Vec<String> {
    let mut users = listed(state, "user_name");
    users.sort();
    users
}

/// A host that logs in, and what it hears meanwhile.
fn host<'scope, 'desk: 'scope>(
    scope: &'scope Scope<'scope, 'desk>,
    key: &'desk Key,
) -> (ScopedJoinHandle<'scope, Status>, Receiver<Keepalive>) {
    let (heard, keepalives) = mpsc::channel();
    let host = scope.spawn(move || {
        let mut client = key.connect();
        client.on_keepalive(move |keepalive| {
            // The test may have heard enough.
            let _ = heard.send(keepalive);
            Wish::Wait
        });
        status(client.get_assertion(&login()))
    });
    (host, keepalives)
}

fn answer(session: &mut Session, question: &str, text: &str) {
    session.shows(question);
    session.types(&format!("{text}\n"));
}

#[test]
fn sync_that_is_set_up_goes_on_by_itself() {
    let (desk, store) = (Computer::new(vault_with_ann()), new_folder());
    let key = desk.start_key(VAULT_PIN);
    desk.sync_at(store.path());
    assert_eq!(vault(desk.state.path()), "open", "as before");
    assert!(soon(|| sync_state(desk.state.path()) == "fresh"));
    let before = objects(store.path(), "d").len();
    key.connect().make_credential(&passkey_of("bob")).unwrap();
    assert!(soon(|| objects(store.path(), "d").len() > before));
}

#[test]
fn a_device_is_let_in_while_the_keys_of_the_others_run() {
    let (desk, lap, store) = two_devices();
    let (desk_key, lap_key) = (desk.start_key(VAULT_PIN), lap.start_key(VAULT_PIN));
    desk_key.connect().make_credential(&passkey_of("ann")).unwrap();
    let tab = Computer::new(new_folder());
    let mut newcomer = tab.ask_to_join(store.path(), VAULT_PIN);
    let code = newcomer.told("code");
    desk.run(&["device", "approve", &code]);
    newcomer.ends_well();
    let tab_key = tab.start_key(VAULT_PIN);
    lap_key.connect().make_credential(&passkey_of("bob")).unwrap();
    tab_key.connect().make_credential(&passkey_of("cid")).unwrap();
    for computer in [&desk, &lap, &tab] {
        // Without it each looks once a minute.
        printed(computer.state.path(), &["sync", "now"]);
        assert!(soon(|| {
            printed(computer.state.path(), &["sync", "now"]);
            users(computer.state.path()) == ["ann", "bob", "cid"]
        }));
    }
}

#[test]
fn a_device_is_removed_while_the_keys_run() {
    let (desk, lap, _store) = two_devices();
    let (desk_key, _lap_key) = (desk.start_key(VAULT_PIN), lap.start_key(VAULT_PIN));
    let removed = desk.run(&["device", "revoke", "lap", "--yes"]);
    assert!(removed.contains("“lap” is removed"), "{removed}");
    desk_key.connect().make_credential(&passkey_of("bob")).unwrap();
    printed(desk.state.path(), &["sync", "now"]);
    printed(lap.state.path(), &["sync", "now"]);
    assert!(soon(|| sync_state(lap.state.path()) == "removed"));
    assert!(users(lap.state.path()).is_empty());
    assert_eq!(users(desk.state.path()), ["bob"]);
}

#[test]
fn what_is_imported_is_there_at_once_and_what_is_exported_was_there() {
    let (one, other) = (Computer::new(vault_with_ann()), Computer::new(new_vault()));
    let (_one_key, other_key) = (one.start_key(VAULT_PIN), other.start_key(VAULT_PIN));
    let file = one.secrets.path().join("backup");
    let passphrase = one.secret("passphrase.txt", OTHER_PIN);
    let with_file = |command| [command, text(&file), "--passphrase-file", &passphrase];
    one.run(&with_file("export"));
    other.run(&with_file("import"));
    assert_eq!(users(other.state.path()), ["ann"]);
    assert_eq!(status(other_key.connect().get_assertion(&login())), Status::OK);
}

#[test]
fn after_the_vault_pin_was_changed_the_new_one_is_asked_for() {
    let desk = Desk::new();
    let new = desk.computer.secret("new.txt", OTHER_PIN);
    desk.computer
        .run(&["pin", "change", "--new-vault-pin-file", &new]);
    assert_eq!(vault(desk.state()), "locked", "as before");
    desk.person.types(&[VAULT_PIN, OTHER_PIN]);
    assert_eq!(desk.log_in(), Status::OK);
    let notes: Vec<Value> = desk
        .person
        .questions()
        .iter()
        .map(|question| question["note"].clone())
        .collect();
    assert_eq!(
        notes,
        [Value::Null, "That was not the Vault PIN.".into(), Value::Null]
    );
    // And where the vault was open, it is open under the new one.
    let newer = desk.computer.secret("newer.txt", VAULT_PIN);
    desk.computer
        .run_with(OTHER_PIN, &["pin", "change", "--new-vault-pin-file", &newer]);
    assert_eq!(vault(desk.state()), "open");
    printed(desk.state(), &["lock"]);
    desk.person.types(&[VAULT_PIN]);
    assert_eq!(desk.log_in(), Status::OK);
}

#[test]
fn a_vault_that_was_to_be_locked_meanwhile_is_locked_afterwards() {
    let desk = Computer::new(vault_with_ann());
    let _key = desk.start_key(VAULT_PIN);
    let mut session = Session::start(desk.state.path(), &["pin", "change"]);
    answer(&mut session, "Vault PIN: ", VAULT_PIN);
    session.shows("New Vault PIN: ");
    printed(desk.state.path(), &["lock"]);
    session.types(&format!("{OTHER_PIN}\n"));
    answer(&mut session, "Once more: ", OTHER_PIN);
    session.shows("The running key is locked now");
    assert!(session.ended());
    assert_eq!(vault(desk.state.path()), "locked");
    let new = desk.secret("pin.txt", OTHER_PIN);
    printed(desk.state.path(), &["unlock", "--vault-pin-file", &new]);
}

#[test]
fn a_key_comes_back_when_the_command_is_killed() {
    let desk = Desk::new();
    let _command = desk.waiting_command();
    desk.kill_command();
    assert!(desk.is_back());
    assert_eq!(vault(desk.state()), "locked");
    desk.person.types(&[VAULT_PIN]);
    assert_eq!(desk.log_in(), Status::OK);
    assert_eq!(users(desk.state()), ["ann"]);
}

/// Whatever it was about to do.
#[test]
fn a_key_comes_back_with_one_of_the_two_vault_pins_when_their_change_is_killed() {
    let desk = Desk::new();
    let old = desk.computer.secret("old.txt", VAULT_PIN);
    let new = desk.computer.secret("new.txt", OTHER_PIN);
    for after_ms in [300, 1200, 2100, 3000] {
        let arguments = [
            "pin",
            "change",
            "--vault-pin-file",
            &old,
            "--new-vault-pin-file",
            &new,
        ];
        let mut changing = wardkey(desk.state(), &arguments);
        let changing = changing.stdout(Stdio::null()).stderr(Stdio::null());
        let mut command = changing.spawn().unwrap();
        pause(Duration::from_millis(after_ms));
        command.kill().unwrap();
        command.wait().unwrap();
        assert!(desk.is_back());
        let asked = desk.person.asked().len();
        desk.person.types(&[VAULT_PIN, OTHER_PIN]);
        assert_eq!(desk.log_in(), Status::OK, "{after_ms} ms");
        if desk.person.asked().len() - asked == 3 {
            // The old one was wrong, so it is done.
            return;
        }
        printed(desk.state(), &["lock"]);
    }
}

#[test]
fn a_command_ends_well_when_the_key_is_killed() {
    let desk = Computer::new(vault_with_ann());
    let key = desk.start_key(VAULT_PIN);
    let mut session = Session::start(desk.state.path(), &["pin", "change"]);
    answer(&mut session, "Vault PIN: ", VAULT_PIN);
    session.shows("New Vault PIN: ");
    key.kill();
    session.types(&format!("{OTHER_PIN}\n"));
    answer(&mut session, "Once more: ", OTHER_PIN);
    session.shows("The key that was running has ended meanwhile.");
    assert!(session.ended());
    let key = desk.start_key(OTHER_PIN);
    assert_eq!(status(key.connect().get_assertion(&login())), Status::OK);
}

#[test]
fn a_key_ends_well_while_it_stands_aside() {
    let desk = Desk::new();
    let mut session = desk.waiting_command();
    assert!(desk.key.end_by(Signal::TERM).success());
    answer(&mut session, "", VAULT_PIN);
    answer(&mut session, "New Vault PIN: ", OTHER_PIN);
    answer(&mut session, "Once more: ", OTHER_PIN);
    session.shows("The Vault PIN is changed.");
    assert!(session.ended());
    let key = desk.computer.start_key(OTHER_PIN);
    assert_eq!(status(key.connect().get_assertion(&login())), Status::OK);
}

#[test]
fn only_one_command_has_the_folder_and_others_say_so() {
    let desk = Desk::new();
    let _command = desk.waiting_command();
    let command = aside(desk.state()).unwrap();
    let pin = desk.computer.secret("pin.txt", VAULT_PIN);
    for arguments in [
        &["pin", "change"][..],
        &["export", "nowhere"],
        &["sync", "now"],
        &["list"],
        &["unlock"],
    ] {
        let arguments = match arguments {
            ["list"] => arguments.to_vec(),
            _ => [arguments, &["--vault-pin-file", &pin]].concat(),
        };
        let output = wardkey(desk.state(), &arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        let first = format!("wardkey: the running key stands aside for {command}\n");
        assert!(said.starts_with(&first), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
    let people = printed(desk.state(), &["status"]);
    assert!(
        people.contains(&format!(", and stands aside for {command}\n")),
        "{people}"
    );
    assert_eq!(aside(desk.state()), Some(command), "they took nothing away");
    desk.kill_command();
    assert!(desk.is_back());
    let new = desk.computer.secret("new.txt", OTHER_PIN);
    desk.computer
        .run(&["pin", "change", "--new-vault-pin-file", &new]);
}

#[test]
fn a_host_waits_while_the_key_stands_aside_and_is_answered_then() {
    let desk = Desk::new();
    let _command = desk.waiting_command();
    desk.key.connect().get_info().unwrap();
    let asked = desk.person.asked().len();
    thread::scope(|scope| {
        let (host, keepalives) = host(scope, &desk.key);
        assert_eq!(keepalives.recv().unwrap(), Keepalive::Processing);
        desk.kill_command();
        // Once somebody is asked, the host hears that.
        let is_asked = |keepalive| keepalive == Keepalive::UserPresenceNeeded;
        assert!(keepalives.iter().any(is_asked));
        desk.person.types(&[VAULT_PIN]);
        assert_eq!(host.join().unwrap(), Status::OK);
    });
    let sign_in = |demand: &str| ("sign-in".to_owned(), demand.to_owned());
    assert_eq!(
        desk.person.asked()[asked..],
        [sign_in("vault-pin"), sign_in("presence")]
    );
}

#[test]
fn a_host_that_waits_is_answered_without_a_question_where_the_vault_was_open() {
    let desk = Desk::new();
    let pin = desk.computer.secret("pin.txt", VAULT_PIN);
    printed(desk.state(), &["unlock", "--vault-pin-file", &pin]);
    let mut session = desk.waiting_command();
    session.types(&format!("{VAULT_PIN}\n"));
    session.shows("New Vault PIN: ");
    let asked = desk.person.asked().len();
    thread::scope(|scope| {
        let (host, keepalives) = host(scope, &desk.key);
        assert_eq!(keepalives.recv().unwrap(), Keepalive::Processing);
        session.types(&format!("{OTHER_PIN}\n"));
        answer(&mut session, "Once more: ", OTHER_PIN);
        assert!(session.ended());
        assert_eq!(host.join().unwrap(), Status::OK);
    });
    let sign_in = ("sign-in".to_owned(), "presence".to_owned());
    assert_eq!(desk.person.asked()[asked..], [sign_in]);
}

#[test]
fn a_host_that_waits_can_cancel() {
    let desk = Desk::new();
    let _command = desk.waiting_command();
    let asked = desk.person.asked().len();
    let mut client = desk.key.connect();
    client.on_keepalive(|_| Wish::Cancel);
    assert_eq!(status(client.get_assertion(&login())), Status::KEEPALIVE_CANCEL);
    desk.kill_command();
    assert!(desk.is_back());
    client.get_info().unwrap();
    assert_eq!(desk.person.asked().len(), asked);
}

#[test]
fn who_is_being_asked_for_the_vault_pin_is_asked_again_afterwards() {
    let desk = Desk::new();
    let new = desk.computer.secret("new.txt", OTHER_PIN);
    thread::scope(|scope| {
        let (host, _) = host(scope, &desk.key);
        assert!(soon(|| desk.person.asked().len() == 1));
        desk.computer
            .run(&["pin", "change", "--new-vault-pin-file", &new]);
        assert!(soon(|| desk.person.asked().len() == 2));
        desk.person.types(&[OTHER_PIN]);
        assert_eq!(host.join().unwrap(), Status::OK);
    });
    let sign_in = |demand: &str| ("sign-in".to_owned(), demand.to_owned());
    assert_eq!(
        desk.person.asked(),
        [sign_in("vault-pin"), sign_in("vault-pin"), sign_in("presence")]
    );
}

/// One line, and the answer to it.
struct Asking(BufReader<UnixStream>);

impl Asking {
    fn new(state: &Path, request: &str) -> Self {
        let mut stream = UnixStream::connect(state.join("control.sock")).unwrap();
        writeln!(stream, "{request}").unwrap();
        Self(BufReader::new(stream))
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }
}

/// Mutation: the key stands aside at once.
#[test]
fn a_vault_pin_that_is_being_tried_is_tried_to_its_end() {
    let desk = Desk::new();
    let unlock = format!("{{\"request\":\"unlock\",\"vault_pin\":\"{VAULT_PIN}\"}}");
    let mut unlocking = Asking::new(desk.state(), &unlock);
    let stand_aside = "{\"request\":\"stand-aside\",\"command\":\"test\",\"process\":1}";
    let mut claiming = Asking::new(desk.state(), stand_aside);
    assert_eq!(
        claiming.answer(),
        "{\"answer\":\"stands-aside\",\"was_open\":true}\n"
    );
    assert_eq!(unlocking.answer(), "{\"answer\":\"unlocked\"}\n");
    drop(claiming);
    assert!(desk.is_back());
    assert_eq!(told(desk.state())["wrong_vault_pins"], 0);
}

/// Mutation: no second look at the lock.
#[test]
fn a_key_waits_for_a_folder_that_somebody_else_has_taken() {
    let desk = Desk::new();
    let _command = desk.waiting_command();
    // Another lock in the place of the one that the command has.
    let path = desk.state().join("lock");
    fs::remove_file(&path).unwrap();
    let mut options = File::options();
    let lock = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    desk.kill_command();
    let told = "the state folder cannot be taken back: another wardkey uses";
    assert!(soon(|| desk.key.complaints().contains(told)));
    assert!(aside(desk.state()).is_some());
    drop(lock);
    assert!(desk.is_back());
    desk.person.types(&[VAULT_PIN]);
    assert_eq!(desk.log_in(), Status::OK);
    assert_eq!(desk.key.complaints().matches(told).count(), 1);
}

#[test]
fn a_key_without_its_vault_says_that_it_needs_it() {
    let desk = Desk::new();
    let _command = desk.waiting_command();
    fs::remove_file(desk.state().join("vault.redb")).unwrap();
    desk.kill_command();
    assert!(desk.is_back());
    assert_eq!(desk.log_in(), Status(0x7F));
    let said = desk.key.complaints();
    assert!(
        said.contains("the state folder cannot be taken back: the vault in")
            && said.contains("is gone. hint: put the state folder back"),
        "{said}"
    );
    assert_eq!(vault(desk.state()), "locked");
    let pin = write_secret(&desk.person.desk().join("pin"), VAULT_PIN);
    let unlock = wardkey(desk.state(), &["unlock", "--vault-pin-file", &pin])
        .output()
        .unwrap();
    assert!(!unlock.status.success());
}

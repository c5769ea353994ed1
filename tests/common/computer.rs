//! Computers of one person, each with a state folder, that are devices of one vault or become that.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use tempfile::TempDir;

use super::{Key, VAULT_PIN, listed, new_folder, new_vault, passkey_of, printed, wardkey, write_secret};

/// A computer with a state folder, and files with Vault PINs.
pub(crate) struct Computer {
    pub(crate) state: TempDir,
    pub(crate) secrets: TempDir,
}

/// `wardkey device add`, which waits to be let in.
pub(crate) struct Newcomer {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Computer {
    pub(crate) fn new(state: TempDir) -> Self {
        Self {
            state,
            secrets: new_folder(),
        }
    }

    /// The first device of a vault that is exchanged at `store`.
    pub(crate) fn first(store: &Path) -> Self {
        let computer = Self::new(new_vault());
        computer.sync_at(store);
        computer
    }

    pub(crate) fn sync_at(&self, store: &Path) {
        self.run(&["sync", "setup", text(store), "--device-name", "desk"]);
    }

    /// The file with a Vault PIN.
    pub(crate) fn secret(&self, name: &str, pin: &str) -> String {
        write_secret(&self.secrets.path().join(name), pin)
    }

    /// What a command printed that opens the vault with `VAULT_PIN`.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_with(VAULT_PIN, arguments)
    }

    pub(crate) fn run_with(&self, pin: &str, arguments: &[&str]) -> String {
        let pin = self.secret("pin.txt", pin);
        printed(
            self.state.path(),
            &[arguments, &["--vault-pin-file", &pin]].concat(),
        )
    }

    /// What a command complained that failed.
    pub(crate) fn fails(&self, pin: &str, arguments: &[&str]) -> String {
        let pin = self.secret("pin.txt", pin);
        let arguments = [arguments, &["--vault-pin-file", &pin]].concat();
        let output = wardkey(self.state.path(), &arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?} did not fail");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Asks to be let in.
    pub(crate) fn ask_to_join(&self, store: &Path, pin: &str) -> Newcomer {
        let pin = self.secret("join.txt", pin);
        let arguments = ["--json", "device", "add", text(store), "--device-name", "lap"];
        let arguments = [&arguments[..], &["--vault-pin-file", &pin]].concat();
        let mut process = wardkey(self.state.path(), &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Newcomer { process, output }
    }

    pub(crate) fn start_key(&self, pin: &str) -> Key {
        write_secret(&self.state.path().join("vault-pin"), pin);
        Key::start(self.state.path())
    }

    pub(crate) fn users(&self, pin: &str) -> Vec<String> {
        self.run_with(pin, &["sync", "now"]);
        let key = self.start_key(pin);
        let mut users = listed(self.state.path(), "user_name");
        drop(key);
        users.sort();
        users
    }

    pub(crate) fn register(&self, pin: &str, user: &str) {
        let key = self.start_key(pin);
        key.connect().make_credential(&passkey_of(user)).unwrap();
        drop(key);
        self.run_with(pin, &["sync", "now"]);
    }
}

impl Newcomer {
    /// A text of the next line that has it.
    pub(crate) fn told(&mut self, key: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "no {key} was told");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(text) = line[key].as_str() {
                return text.to_owned();
            }
        }
    }

    pub(crate) fn ends_well(self) {
        let output = self.process.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub(crate) fn fails(self) -> String {
        let output = self.process.wait_with_output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two devices of one vault, and the store between them.
pub(crate) fn two_devices() -> (Computer, Computer, TempDir) {
    let store = new_folder();
    let desk = Computer::first(store.path());
    let lap = Computer::new(new_folder());
    let mut newcomer = lap.ask_to_join(store.path(), VAULT_PIN);
    let code = newcomer.told("code");
    desk.run(&["device", "approve", &code]);
    newcomer.ends_well();
    (desk, lap, store)
}

//! What other programs of the same user can see of a key's memory: nothing, while it runs and when it crashes.
//!
//! Run as root, the keys of these tests are another user's: root sees everything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Key, VAULT_PIN, by_user, give, make_vault, new_folder, passkey_of, wardkey, write_secret};
use rustix::process::{Signal, geteuid};

const APPROVING: [&str; 2] = ["--presence", "always"];

fn start(state: &Path) -> Key {
    give(state);
    Key::start_with(state, &APPROVING, by_user)
}

/// Whether another process of the user can read `file`. Opening it is what is refused; the memory at 0 is nobody's.
fn can_open(file: &Path) -> bool {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec < \"$1\"", "sh"])
        .arg(file)
        .stderr(Stdio::null());
    by_user(&mut command).status().unwrap().success()
}

/// The words of the line of `file` that begins with `name`, after that name.
fn line(file: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let values = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    values.split_whitespace().map(str::to_owned).collect()
}

fn locked_kib(key: &Key) -> u64 {
    line(&key.about("status"), "VmLck:")[0].parse().unwrap()
}

#[test]
fn other_programs_of_the_user_cannot_look_into_it() {
    let mut sleep = Command::new("sleep");
    let mut other = by_user(sleep.arg("600")).spawn().unwrap();
    let others: PathBuf = ["/proc", &other.id().to_string(), "environ"].iter().collect();
    let can_open_others = can_open(&others);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(can_open_others, "the key of this test would be hidden anyway");

    let state = new_folder();
    let key = start(state.path());
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    assert_ne!(line(&key.about("status"), "Uid:")[0], "0");
    for name in ["environ", "maps", "mem", "fd/0"] {
        assert!(!can_open(&key.about(name)), "{name}");
    }
}

#[test]
fn a_crash_leaves_no_core_dump() {
    let state = new_folder();
    let key = start(state.path());
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    assert_eq!(line(&key.about("limits"), "Max core file size")[..2], ["0", "0"]);
    let ended = key.end_by(Signal::ABORT);
    assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!ended.core_dumped());
}

#[test]
fn its_memory_is_locked_where_that_is_allowed() {
    let state = new_folder();
    let key = start(state.path());
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    let limit = line(&key.about("limits"), "Max locked memory");
    assert_eq!(locked_kib(&key) > 0, limit[1] == "unlimited");
    key.kill();

    if geteuid().is_root() {
        let state = new_folder();
        let key = Key::start(state.path());
        key.connect().make_credential(&passkey_of("ann")).unwrap();
        assert!(locked_kib(&key) > 0);
    }
}

#[test]
fn a_state_folder_with_a_long_path_works_all_the_same() {
    let folder = new_folder();
    let state = folder.path().join("long".repeat(30));
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let vault_pin_file = write_secret(&state.join("vault-pin"), VAULT_PIN);
    make_vault(&state, &vault_pin_file);
    give(folder.path());
    let key = Key::start_at(&state, folder.path(), &APPROVING, by_user);
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    assert_ne!(fs::metadata(state.join("control.sock")).unwrap().uid(), 0);

    let mut list = wardkey(&state, &["--json", "list"]);
    let listed = by_user(&mut list).output().unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains("\"ann\""));
}

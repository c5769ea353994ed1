//! What a person sees of wrong input: two lines, what failed and what to do, and nothing is lost or left behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use common::{new_folder, wardkey};

const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// Runs a command that must fail, and gives both lines without their beginnings.
fn refused(state: &Path, arguments: &[&str], code: i32) -> (String, String) {
    fails(wardkey(state, arguments), code)
}

/// Starts a temporary key that cannot listen.
fn not_listening(arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardkey"));
    command.args(["serve", "--temporary"]).args(arguments);
    fails(command, FAILED)
}

fn fails(mut command: Command, code: i32) -> (String, String) {
    let output = command.output().unwrap();
    let arguments: Vec<_> = command.get_args().collect();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    // A key warns of what it is, before it fails for another reason.
    let mut lines = stderr.lines().filter(|line| !line.contains("WARNING: "));
    let what = lines
        .next()
        .unwrap()
        .strip_prefix("wardkey: ")
        .unwrap()
        .to_owned();
    let hint = lines.next().unwrap().strip_prefix("hint: ").unwrap().to_owned();
    assert_eq!(lines.next(), None, "{arguments:?}: {stderr}");
    (what, hint)
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_code_2() {
    let state = new_folder();
    let (what, hint) = refused(state.path(), &["lst"], USAGE);
    assert!(
        what.contains("'lst'") && hint.contains("'list'"),
        "{what}, {hint}"
    );
    for arguments in [
        ["serve", "--raw", "unix:"].as_slice(),
        &["serve", "--raw", "nowhere"],
        &["serve", "--usb-id", "1209"],
        &["serve", "--usbip", "localhost"],
        &["delete"],
        &["up", "--presence", "sometimes"],
    ] {
        let (_, hint) = refused(state.path(), arguments, USAGE);
        assert!(hint.contains("--help"), "{arguments:?}: {hint}");
    }
}

#[test]
fn a_temporary_key_has_neither_a_folder_nor_a_vault_pin() {
    let state = new_folder();
    let (what, _) = refused(state.path(), &["serve", "--temporary"], USAGE);
    assert!(what.contains("--state"), "{what}");
    let output = Command::new(env!("CARGO_BIN_EXE_wardkey"))
        .args(["up", "--temporary", "--vault-pin-file", "-"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(USAGE));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--vault-pin-file")
    );
}

#[test]
fn serve_says_where_it_could_listen() {
    let state = new_folder();
    let (what, hint) = refused(state.path(), &["serve"], FAILED);
    assert!(
        what.contains("nowhere") && hint.contains("--usbip"),
        "{what}, {hint}"
    );
    assert_eq!(state.path().read_dir().unwrap().count(), 0);
}

#[test]
fn other_computers_are_not_let_in_by_accident() {
    let state = new_folder();
    for arguments in [["serve", "--usbip", "0.0.0.0:0"], ["serve", "--raw", "[::]:0"]] {
        let (what, hint) = refused(state.path(), &arguments, FAILED);
        assert!(
            what.contains("no authentication") && hint.contains("--allow-remote"),
            "{what}, {hint}"
        );
    }
    let arguments = ["serve", "--raw", "127.0.0.1:0", "--control", "0.0.0.0:0"];
    let (what, hint) = refused(state.path(), &arguments, FAILED);
    assert!(
        what.contains("--control") && hint.contains("loopback"),
        "{what}, {hint}"
    );
}

#[test]
fn an_address_in_use_and_a_missing_folder_have_each_their_hint() {
    let state = new_folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (what, hint) = not_listening(&["--usbip", &address]);
    assert!(
        what.contains(&address) && hint.contains("stop that one"),
        "{what}, {hint}"
    );
    let path = format!("unix:{}", state.path().join("missing/raw.sock").display());
    let (what, hint) = not_listening(&["--raw", &path]);
    assert!(
        what.contains("missing") && hint.contains("make the folder"),
        "{what}, {hint}"
    );
}

#[test]
fn a_passkey_that_is_not_there_cannot_be_deleted() {
    let state = new_folder();
    let (what, hint) = refused(state.path(), &["delete", "--yes", "abc"], FAILED);
    assert!(
        what.contains("abc") && hint.contains("wardkey list"),
        "{what}, {hint}"
    );
}

#[test]
fn a_socket_that_another_program_listens_on_is_left_alone() {
    let state = new_folder();
    let path = state.path().join("raw.sock");
    let theirs = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let raw = format!("unix:{}", path.display());
    let (_, hint) = not_listening(&["--raw", &raw]);
    assert!(hint.contains("stop that one"), "{hint}");
    assert!(path.exists());
    drop(theirs);
}

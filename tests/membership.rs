//! The commands about the vault as a person meets them, in a terminal whose other end the test holds, and as a script does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use std::io::Write as _;
use std::process::Stdio;

use common::terminal::Session;
use common::{by_user, give, make_vault, new_folder, new_vault_of_before, printed, wardkey, write_secret};
use tempfile::TempDir;

const PIN: &str = "tin ra of ol";

/// A file beside the state with a secret in its first line.
fn secret_file(state: &TempDir, name: &str, secret: &str) -> String {
    write_secret(&state.path().join(name), secret)
}

/// `wardkey init` as a script does it.
fn protect(state: &TempDir) -> String {
    make_vault(state.path(), &secret_file(state, "pin.txt", PIN))
}

/// The group of the recovery kit with this number, from the page that shows it.
fn group(page: &str, number: &str) -> String {
    let words: Vec<&str> = page.split_whitespace().collect();
    let at = words.iter().position(|word| *word == number).unwrap();
    words[at + 1].to_owned()
}

/// Answers the next question for a group.
fn copy_group(session: &mut Session, page: &str) {
    session.shows("Group ");
    let number = session.shows(": ");
    let group = group(page, number.trim_end_matches(": "));
    session.types(&format!("{group}\n"));
}

/// Chooses the Vault PIN, and writes the recovery kit down.
fn makes_the_vault(session: &mut Session) {
    session.shows("It is not the PIN that browsers ask for");
    session.shows("New Vault PIN: ");
    session.types(&format!("{PIN}\n"));
    session.shows("Once more: ");
    session.types(&format!("{PIN}\n"));
    session.shows("Press Enter to see it. ");
    session.types("\n");
    let page = session.shows("gone from the screen. ");
    assert!(page.contains('\u{2580}'), "no QR code: {page}");
    session.types("\n");
    copy_group(session, &page);
    copy_group(session, &page);
}

#[test]
fn a_person_makes_a_vault_and_writes_the_kit_down() {
    let state = new_folder();
    let mut session = Session::start(state.path(), &["init"]);
    makes_the_vault(&mut session);
    session.shows("Start the key: wardkey up");
    assert!(session.ended());
    assert!(!session.seen().contains(PIN), "the PIN was shown");

    let status = printed(state.path(), &["--json", "status"]);
    assert!(status.contains("\"vault\":\"locked\""), "{status}");
    let again = wardkey(state.path(), &["init"]).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("has a Vault PIN"));
}

/// What `up` does next needs the kernel, and a helper at the other end of its standard input, which here is a terminal.
#[test]
fn the_first_up_makes_the_vault_and_goes_on() {
    let state = new_folder();
    give(state.path());
    let up = || Session::start_in(state.path(), &["up", "--helper-on-stdin"], by_user);
    let mut session = up();
    session.shows("There is no vault in ");
    session.shows("New Vault PIN: ");
    session.types("\u{3}");
    session.shows("stopped; nothing was changed");
    assert!(!session.ended());
    assert!(!state.path().join("vault.redb").exists());

    let mut session = up();
    makes_the_vault(&mut session);
    session.shows("The vault is made, in ");
    session.shows("helper");
    assert!(!session.ended());
    let mut session = up();
    session.shows("helper");
    assert!(!session.ended());
    assert!(!session.seen().contains("New Vault PIN"));

    // Once with the Vault PIN that had just been chosen, and once for the log.
    let mut session = Session::start_in(state.path(), &["log"], by_user);
    session.shows("Vault PIN");
    session.shows(": ");
    session.types(&format!("{PIN}\n"));
    session.shows("Unlocked with the Vault PIN.");
    session.shows("Unlocked with the Vault PIN.");
    assert!(session.ended());
}

#[test]
fn nothing_starts_without_a_vault_or_on_one_from_before() {
    let (none, before) = (new_folder(), new_vault_of_before("ann"));
    let pin_file = secret_file(&none, "pin.txt", PIN);
    for (state, what, hint) in [
        (&none, "there is no vault in ", "make one: wardkey init"),
        (
            &before,
            "is from before there were Vault PINs",
            "give it one: wardkey init. Nothing is lost",
        ),
    ] {
        let raw = format!("unix:{}", state.path().join("raw.sock").display());
        let serve = ["serve", "--raw", &raw];
        let with_pin = [serve.as_slice(), &["--vault-pin-file", &pin_file]].concat();
        for arguments in [
            serve.as_slice(),
            &with_pin,
            &["up", "--helper-on-stdin"],
            &["pin", "change"],
        ] {
            let mut command = wardkey(state.path(), arguments);
            give(state.path());
            let output = by_user(&mut command).stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let [first, second] = said.lines().collect::<Vec<_>>()[..] else {
                panic!("{arguments:?}: {said}");
            };
            assert!(!output.status.success() && output.stdout.is_empty());
            assert!(first.contains(what), "{arguments:?}: {said}");
            assert!(second.starts_with(&format!("hint: {hint}")), "{said}");
        }
        assert!(!state.path().join("raw.sock").exists());
    }
    assert!(!none.path().join("vault.redb").exists());
    let mut status = wardkey(before.path(), &["--json", "status"]);
    let status = String::from_utf8(by_user(&mut status).output().unwrap().stdout).unwrap();
    assert!(status.contains("\"vault\":\"without-pin\""), "{status}");
}

#[test]
fn stopping_it_while_the_pin_is_typed_shows_again_what_is_typed_and_leaves_nothing() {
    let state = new_folder();
    let mut session = Session::start(state.path(), &["init"]);
    session.shows("New Vault PIN: ");
    assert!(!session.echoes());
    session.types("\u{3}");
    session.shows("stopped; nothing was changed");
    assert!(!session.ended());
    assert!(session.echoes());
    assert!(!state.path().join("vault.redb").exists());
}

#[test]
fn a_person_changes_the_pin_and_the_log_tells_it() {
    let state = new_folder();
    let made = protect(&state);
    assert!(made.starts_with("The vault is made, in "), "{made}");

    let long = "ol fo ar nit ".repeat(40);
    let mut session = Session::start(state.path(), &["pin", "change"]);
    session.shows("Vault PIN: ");
    session.types("tin ra of oln\n");
    session.shows("The Vault PIN is wrong.");
    session.shows("Vault PIN: ");
    session.types(&format!("{PIN}\n"));
    for prompt in ["New Vault PIN: ", "Once more: "] {
        session.shows(prompt);
        session.types(&format!("{long}\n"));
    }
    session.shows("The Vault PIN is changed.");
    assert!(session.ended());
    assert!(!session.seen().contains("ol fo ar nit"), "the PIN was shown");

    let mut session = Session::start(state.path(), &["log"]);
    session.shows("Vault PIN");
    session.shows(": ");
    session.types(&format!("{long}\n"));
    session.shows("The Vault PIN was changed.");
    assert!(session.ended());
}

/// What is in clear is for programs and not for eyes.
#[test]
fn passkeys_go_to_a_program_and_not_onto_a_terminal() {
    let (state, other) = (new_vault_of_before("ann"), new_folder());
    protect(&state);
    protect(&other);
    for format in ["cxf", "backup"] {
        let mut session = Session::start(state.path(), &["export", "--format", format, "-"]);
        session.shows("passkeys are not written onto a terminal");
        assert!(!session.ended());
        assert!(!session.seen().contains("Vault PIN"));
    }

    let pin = secret_file(&state, "pin.txt", PIN);
    let json = printed(
        state.path(),
        &["export", "--format", "cxf", "-", "--vault-pin-file", &pin],
    );
    assert!(
        json.starts_with("{\"version\":{\"major\":1,\"minor\":0}"),
        "{json}"
    );
    let pin = secret_file(&other, "pin.txt", PIN);
    let mut import = wardkey(other.path(), &["import", "-", "--vault-pin-file", &pin]);
    let mut import = import
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(json.as_bytes()).unwrap();
    let output = import.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("1 passkey added.\n"), "{said}");
    assert!(said.contains("has the keys of these passkeys in clear"), "{said}");
}

#[test]
fn passkeys_of_before_stay_and_go_into_another_vault_with_a_backup() {
    let (state, other) = (new_vault_of_before("ann"), new_folder());
    let said = protect(&state);
    assert!(
        said.contains("has a Vault PIN, and 1 passkey as before."),
        "{said}"
    );
    protect(&other);

    let file = state.path().join("backup");
    let file = file.to_str().unwrap();
    let passphrase = secret_file(&state, "passphrase.txt", "sel tag mun dor");
    let command = |state: &TempDir, name| {
        let pin = secret_file(state, "pin.txt", PIN);
        let secrets = ["--vault-pin-file", &pin, "--passphrase-file", &passphrase];
        printed(state.path(), &[[name, file].as_slice(), &secrets].concat())
    };
    assert_eq!(command(&state, "export"), format!("1 passkey in {file}.\n"));
    assert_eq!(command(&other, "import"), "1 passkey added.\n");

    let mut session = Session::start(other.path(), &["list"]);
    session.shows("Vault PIN");
    session.shows(": ");
    session.types(&format!("{PIN}\n"));
    session.shows("example.org  ann");
    assert!(session.ended());
}

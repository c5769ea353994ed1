//! Built-in user verification and the choice of an account, as a client sees them, with the real program in between and
//! other programs in the place of the user.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Client, Key, RP_ID, holds, new_folder, new_vault, passkey_of, status, write_script};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use rustix::process::Signal;
use tempfile::TempDir;
use wardkey_sim::auth_data::Flags;
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::{GetAssertion, Grant, MakeCredential, Permissions, PinProtocol, Status};
use wardkey_sim::hid_client::Wish;

/// Found nowhere by chance.
const PIN: &str = "Xq7-violet-harbour";
const WRONG_PIN: &str = "Zk3-marble-lantern";

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// A pinentry that types the next line of `typed` each time, and notes what it is told.
struct Typist {
    folder: TempDir,
}

impl Typist {
    fn new(typed: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("typed"), typed.join("\n") + "\n").unwrap();
        let body = "here=$(dirname \"$0\")\necho $$ > \"$here/pid\"\necho 'OK ready'\n\
            while read -r command rest; do\n\
            echo \"$command $rest\" >> \"$here/heard\"\n\
            case $command in\n\
            GETPIN)\n\
            pin=$(head -n 1 \"$here/typed\"); sed -i 1d \"$here/typed\"\n\
            [ -n \"$pin\" ] || exec sleep 600\n\
            echo \"D $pin\";;\n\
            esac\n\
            echo OK\ndone";
        write_script(&folder.path().join("pinentry"), body);
        Self { folder }
    }

    /// A key that uses this pinentry and no other.
    fn start_key(&self, state: &Path) -> Key {
        let folders = [self.folder.path(), Path::new("/usr/bin"), Path::new("/bin")];
        let search_path = std::env::join_paths(folders).unwrap();
        let options = ["--verify", "pin", "--prompt", "pinentry"];
        Key::start_with(state, &options, |command| {
            command.env("PATH", search_path).env("DISPLAY", ":0")
        })
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What was on show, question by question.
    fn shown(&self) -> Vec<String> {
        let heard = fs::read_to_string(self.path_of("heard")).unwrap();
        let descriptions = heard.lines().filter_map(|line| line.strip_prefix("SETDESC "));
        descriptions.map(str::to_owned).collect()
    }
}

fn set_pin(client: &mut Client) {
    client
        .set_pin(PinProtocol::Two, PIN.as_bytes(), &mut rng())
        .unwrap();
}

/// What comes of asking for a token by built-in user verification.
fn ask_for_token(client: &mut Client) -> Status {
    let grant = Grant {
        permissions: Permissions::MAKE_CREDENTIAL,
        rp_id: Some(RP_ID),
    };
    status(client.uv_token_for(PinProtocol::Two, grant, &mut rng()))
}

#[test]
fn the_pin_is_typed_into_a_dialog_of_the_key_and_stays_there() {
    let state = new_vault();
    let typist = Typist::new(&[WRONG_PIN, PIN]);
    let key = typist.start_key(state.path());
    let mut client = key.connect();
    assert_eq!(client.get_info().unwrap().option("uv"), Some(false));
    assert!(
        key.complaints().contains("the key has none"),
        "{}",
        key.complaints()
    );
    set_pin(&mut client);
    assert_eq!(client.get_info().unwrap().option("uv"), Some(true));

    assert_eq!(ask_for_token(&mut client), Status::OK);
    let question = format!("Let a program use this key for {RP_ID}? To agree, enter the PIN of this key.");
    assert_eq!(
        typist.shown(),
        [
            format!("{question} 3 attempts are left."),
            format!("The PIN was wrong. {question} 2 attempts are left.")
        ]
    );
    assert_eq!(client.pin_retries().unwrap(), 8);
    drop(client);
    key.kill();
    for pin in [PIN, WRONG_PIN] {
        assert!(!holds(state.path(), pin), "in the log, or on the disk");
    }
}

#[test]
fn three_wrong_pins_end_the_request_and_wait_for_a_replug() {
    let state = new_vault();
    let typist = Typist::new(&[WRONG_PIN; 3]);
    let key = typist.start_key(state.path());
    let mut client = key.connect();
    set_pin(&mut client);
    assert_eq!(ask_for_token(&mut client), Status::UV_BLOCKED);
    assert_eq!(client.pin_retries().unwrap(), 5);
    let facts = common::printed(state.path(), &["--json", "info"]);
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts["pin"]["needs_replug"], true);
    assert_eq!(facts["pin"]["attempts_left"], 5);
    assert_eq!(facts["verification"]["modality"], "pin");
}

#[test]
fn cancelling_closes_the_dialog() {
    let state = new_folder();
    let typist = Typist::new(&[]);
    let key = typist.start_key(state.path());
    let mut client = key.connect();
    set_pin(&mut client);
    let heard = typist.path_of("heard");
    client.on_keepalive(move |_| {
        let is_asked = fs::read_to_string(&heard).is_ok_and(|heard| heard.contains("GETPIN"));
        if is_asked { Wish::Cancel } else { Wish::Wait }
    });
    assert_eq!(ask_for_token(&mut client), Status::KEEPALIVE_CANCEL);
    let pid = fs::read_to_string(typist.path_of("pid")).unwrap();
    let process = PathBuf::from(format!("/proc/{}", pid.trim()));
    while process.exists() {
        pause(Duration::from_millis(10));
    }
    assert_eq!(client.pin_retries().unwrap(), 8);
}

#[test]
fn a_key_that_ends_takes_its_question_away_first() {
    let state = new_folder();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("prompt");
    let body = "here=$(dirname \"$0\")\ntrap 'sleep 0.2; : > \"$here/gone\"; exit 1' TERM\n\
        : > \"$here/asked\"\nsleep 600 &\nwait";
    write_script(&program, body);
    let options = ["--prompt-command", program.to_str().unwrap()];
    let key = Key::start_with(state.path(), &options, |command| command);
    let mut client = key.connect();
    common::send(&mut client, &passkey_of("ann"));
    while !folder.path().join("asked").exists() {
        pause(Duration::from_millis(10));
    }
    assert!(key.end_by(Signal::TERM).success());
    assert!(folder.path().join("gone").exists());
}

#[test]
fn a_program_of_ones_own_verifies() {
    let state = new_folder();
    let folder = tempfile::tempdir().unwrap();
    let (program, verdict) = (folder.path().join("verify"), folder.path().join("verdict"));
    write_script(&program, "exit $(cat \"$(dirname \"$0\")/verdict\")");
    let options = ["--verify-command", program.to_str().unwrap()];
    let key = Key::start_with(state.path(), &options, |command| command);
    let mut client = key.connect();
    let verified = MakeCredential {
        uv: Some(true),
        ..passkey_of("ann")
    };
    fs::write(&verdict, "0").unwrap();
    let attestation = client.make_credential(&verified).unwrap();
    let flags = attestation.auth_data.flags;
    assert!(flags.contains(Flags::USER_PRESENT) && flags.contains(Flags::USER_VERIFIED));
    fs::write(&verdict, "1").unwrap();
    assert_eq!(
        status(client.make_credential(&verified)),
        Status::OPERATION_DENIED
    );
    assert_eq!(client.uv_retries().unwrap(), 8, "refusing is no failed attempt");
    fs::write(&verdict, "2").unwrap();
    assert_eq!(
        status(client.make_credential(&verified)),
        Status::OPERATION_DENIED
    );
    assert_eq!(client.uv_retries().unwrap(), 5);
    fs::write(&verdict, "0").unwrap();
    client.make_credential(&verified).unwrap();
    assert_eq!(client.uv_retries().unwrap(), 8);
}

#[test]
fn a_means_that_does_not_work_is_not_set_up() {
    let state = new_folder();
    let options = ["--verify", "fingerprint", "--presence", "always"];
    let key = Key::start_with(state.path(), &options, |command| {
        command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    });
    let mut client = key.connect();
    assert_eq!(client.get_info().unwrap().option("uv"), Some(false));
    assert!(
        key.complaints()
            .contains("you cannot be verified by fingerprint: there is no system bus")
    );
    assert_eq!(ask_for_token(&mut client), Status::NOT_ALLOWED);
}

#[test]
fn without_a_means_there_is_no_built_in_verification() {
    let state = new_folder();
    let key = Key::start(state.path());
    assert_eq!(key.connect().get_info().unwrap().option("uv"), None);
}

/// Presses a button of test mode.
fn control(key: &Key, path: &str) {
    let complaints = key.complaints();
    let (_, rest) = complaints.split_once("http://").unwrap();
    let (address, _) = rest.split_once(' ').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_test_decides_through_the_control_port() {
    let state = new_folder();
    let options = ["--verification", "control", "--control", "127.0.0.1:0"];
    let key = Key::start_with(state.path(), &options, |command| command);
    let mut client = key.connect();
    assert_eq!(client.get_info().unwrap().option("uv"), Some(true));
    control(&key, "/verify/ok");
    assert_eq!(ask_for_token(&mut client), Status::OK);
    assert_eq!(
        key.complaints().matches("TEST MODE").count(),
        2,
        "{}",
        key.complaints()
    );
}

#[test]
fn a_program_chooses_the_account() {
    let state = new_folder();
    let program = state.path().join("choose");
    // To a registration there is nothing to choose.
    write_script(&program, "grep -q '\"accounts\":\\[{' && echo 1; exit 0");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let options = ["--prompt-command", program.to_str().unwrap()];
    let key = Key::start_with(state.path(), &options, |command| command);
    let mut client = key.connect();
    for user in ["ann", "bob", "cay"] {
        client.make_credential(&passkey_of(user)).unwrap();
    }
    let login = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };
    let assertion = client.get_assertion(&login).unwrap();
    assert_eq!(assertion.user.unwrap().id, b"bob", "the newest is the first");
    assert_eq!(assertion.number_of_credentials, None);
    let user_selected = assertion.more.iter().find(|(member, _)| *member == 6.into());
    assert_eq!(user_selected.unwrap().1, true.into());
}

//! A temporary key: nothing of it is on the disk, and nothing of it is left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use std::fs;
use std::path::Path;

use common::{Key, RP_ID, new_folder, passkey_of, status};
use rustix::process::Signal;
use wardkey_sim::fido_client::{GetAssertion, Status};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn it_registers_and_logs_in_and_is_gone_when_it_ends() {
    let (folder, home) = (new_folder(), new_folder());
    let start = || {
        Key::start_with(folder.path(), &["--presence", "always"], |command| {
            command
                .env("HOME", home.path())
                .env("XDG_STATE_HOME", home.path())
        })
    };
    let login = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };

    let key = start();
    let mut client = key.connect();
    client.make_credential(&passkey_of("ann")).unwrap();
    assert_eq!(status(client.get_assertion(&login)), Status::OK);
    assert!(key.complaints().contains("this key is temporary"));
    // What it says and the socket are the test's.
    assert_eq!(names(folder.path()), ["complaints.log", "raw.sock"]);
    assert!(names(home.path()).is_empty());
    drop(client);
    assert!(key.end_by(Signal::TERM).success());

    let key = start();
    let mut client = key.connect();
    assert_eq!(status(client.get_assertion(&login)), Status::NO_CREDENTIALS);
}

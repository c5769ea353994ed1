//! A disk that fails under a running key: what the key answers, and what it tells whoever runs it.

mod common;

use common::{Key, listed, new_vault, passkey_of};
use wardkey_sim::fido_client::{Error, Status};

/// More than fit into a new database that cannot grow.
const REGISTRATIONS_MAX: usize = 2000;
/// CTAP1_ERR_OTHER, CTAP 2.3 §8.2.
const OTHER: Status = Status(0x7F);

#[test]
fn a_full_disk_is_told_with_what_to_do_about_it() {
    let state = new_vault();
    let len = std::fs::metadata(state.path().join("vault.redb")).unwrap().len();

    let key = Key::start_with_file_limit(state.path(), len);
    let mut client = key.connect();
    let mut stored = 0;
    let refused = loop {
        assert!(stored < REGISTRATIONS_MAX, "the database never grew");
        match client.make_credential(&passkey_of(&stored.to_string())) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Status(OTHER)), "{refused}");
    assert!(client.make_credential(&passkey_of("another")).is_err());
    let complaints = key.complaints();
    let told: Vec<_> = complaints
        .lines()
        .filter(|line| line.contains("vault.redb"))
        .collect();
    let [line] = told[..] else {
        panic!("{complaints}");
    };
    assert!(
        line.contains("hint: ") && line.contains("then start wardkey again"),
        "{line}"
    );
    key.kill();

    let key = Key::start(state.path());
    key.connect().make_credential(&passkey_of("another")).unwrap();
    assert_eq!(listed(state.path(), "user_name").len(), stored + 1);
}

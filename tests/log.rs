//! What `wardkey log` tells of a key that is used, runs, and dies.

mod common;

use std::time::Duration;

use common::{Key, RP_ID, new_vault, passkey_of, printed};
use rustix::process::Signal;
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::GetAssertion;

/// Longer than an entry may wait to become durable.
const DURABLE: Duration = Duration::from_secs(2);

/// What happened, the oldest first, without when.
fn log(state: &std::path::Path) -> Vec<String> {
    let text = printed(state, &["log"]);
    let lines = text.lines().skip(1);
    lines
        .map(|line| line.split_at("2026-11-25 04:00:00  ".len()).1.to_owned())
        .collect()
}

#[test]
fn uses_are_in_the_log_and_stay_there_when_the_key_is_killed() {
    let state = new_vault();
    let request = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };
    let unlocked = "Unlocked with the Vault PIN.";
    let signed = "Signed in at example.org as ann.";
    let mut expected = vec![unlocked, "Registered at example.org as ann."];

    let key = Key::start(state.path());
    let mut client = key.connect();
    client.make_credential(&passkey_of("ann")).unwrap();
    client.get_assertion(&request).unwrap();
    expected.push(signed);
    assert_eq!(log(state.path()), expected, "the running key is asked");
    pause(DURABLE);
    key.kill();

    let key = Key::start(state.path());
    expected.push(unlocked);
    assert_eq!(log(state.path()), expected, "a second after the sign-in");
    key.connect().get_assertion(&request).unwrap();
    expected.push(signed);
    assert!(key.end_by(Signal::TERM).success());

    let key = Key::start(state.path());
    expected.extend(["Locked: wardkey was stopped.", unlocked]);
    assert_eq!(log(state.path()), expected, "a key that is stopped loses nothing");
    key.connect().get_assertion(&request).unwrap();
    key.kill();
    let _key = Key::start(state.path());
    let mut found = log(state.path());
    let last = found.split_off(expected.len());
    assert_eq!(found, expected);
    assert!(
        [vec![unlocked], vec![signed, unlocked]]
            .iter()
            .any(|lines| *lines == last),
        "{last:?}"
    );
}

//! kill -9 at any moment: whatever the key answered before is there afterwards, and what it was about to do is there
//! in whole or not at all.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Key, RP_ID, listed, new_vault, passkey_of, send};
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::{GetAssertion, U2fAuthentication, U2fControl};

const ROUNDS: u32 = 8;
/// U2F asks until the user has answered, CTAP 2.3 §11.2.
const POLLS: u32 = 50;
const APPLICATION: [u8; 32] = [7; 32];

fn authentication(key_handle: &[u8]) -> U2fAuthentication<'_> {
    U2fAuthentication {
        challenge: &[1; 32],
        application: &APPLICATION,
        key_handle,
    }
}

#[test]
fn nothing_that_was_answered_is_lost() {
    let state = new_vault();
    let mut answered: BTreeSet<String> = BTreeSet::new();
    let mut ids: Vec<Vec<u8>> = Vec::new();
    let mut count = 0;
    let mut key = Key::start(state.path());
    let key_handle = key
        .connect()
        .u2f_register(&[1; 32], &APPLICATION, POLLS)
        .unwrap()
        .key_handle;

    for round in 0..ROUNDS {
        let mut client = key.connect();
        for id in &ids {
            let request = GetAssertion {
                rp_id: RP_ID.to_owned(),
                client_data_hash: [2; 32],
                allow_list: vec![id.clone()],
                ..GetAssertion::default()
            };
            client.get_assertion(&request).unwrap();
        }
        let user = format!("answered {round}");
        let attestation = client.make_credential(&passkey_of(&user)).unwrap();
        ids.push(attestation.auth_data.attested.unwrap().credential_id);
        answered.insert(user);
        let signature = client
            .u2f_authenticate(U2fControl::EnforcePresence, &authentication(&key_handle), POLLS)
            .unwrap();
        assert!(
            signature.counter > count,
            "the counter went from {count} to {}",
            signature.counter
        );
        count = signature.counter;

        // Every other round dies with a request on its way, a little later each time.
        let unanswered = format!("unanswered {round}");
        if round % 2 == 1 {
            send(&mut client, &passkey_of(&unanswered));
            pause(Duration::from_micros(u64::from(round) * 200));
        }
        key.kill();
        key = Key::start(state.path());

        let found: BTreeSet<String> = listed(state.path(), "user_name").into_iter().collect();
        let surprises: Vec<&String> = found.difference(&answered).collect();
        assert!(
            answered.is_subset(&found),
            "of {answered:?}, only {found:?} are left"
        );
        assert!(
            surprises.is_empty() || surprises == [&unanswered],
            "{surprises:?}"
        );
        answered = found;
    }
}

#[test]
fn an_account_registered_again_and_again_has_one_passkey_after_each_kill() {
    let state = new_vault();
    let mut key = Key::start(state.path());
    for round in 1..=4 {
        let mut client = key.connect();
        for _ in 0..round {
            client.make_credential(&passkey_of("ann")).unwrap();
        }
        send(&mut client, &passkey_of("ann"));
        pause(Duration::from_micros(round * 200));
        key.kill();
        key = Key::start(state.path());
        assert_eq!(listed(state.path(), "user_name"), ["ann"]);
    }
}

use redb::backends::InMemoryBackend;
use wardkey_vault::{CredProtect, RootKey, SecretBytes};

use super::*;
use crate::cli::Model;
use crate::{host, key};

fn key(users: &[&str]) -> Authenticator {
    let mut rng = host::rng();
    let mut vault = Vault::open(InMemoryBackend::new(), &RootKey::random(&mut rng), &mut rng).unwrap();
    for user in users {
        vault.store(&mut rng, passkey(user), None).unwrap();
    }
    key::authenticator(vault, key::config(&Model::default())).unwrap()
}

fn passkey(user: &str) -> Passkey {
    Passkey {
        id: CredentialId::new(format!("id of {user}").as_bytes()).unwrap(),
        rp_id: "example.org".to_owned(),
        rp_name: None,
        user_id: user.as_bytes().to_vec(),
        user_name: Some(format!("{user}\n\"\u{1b}[31m")),
        user_display_name: None,
        algorithm: -8,
        private_key: SecretBytes::from_slice(&[0x77; 32]),
        profile: Profile::DeviceBound,
        created_unix_ms: 1_000,
        cred_protect: CredProtect::Optional,
        cred_random: None,
        cred_blob: None,
        large_blob_key: None,
        large_blob: None,
        third_party_payment: false,
    }
}

fn answer_line(line: &str, key: &mut Authenticator) -> String {
    match read(line) {
        Ok(request) => handle(&request, key).to_line(),
        Err(answer) => answer.to_line(),
    }
}

fn ask(key: &mut Authenticator, line: &str) -> Answer {
    let answer = answer_line(line, key);
    assert_eq!(answer.find('\n'), Some(answer.len() - 1));
    serde_json::from_str(&answer).unwrap()
}

fn listed(answer: Answer) -> Vec<Listed> {
    let Answer::Passkeys { passkeys, .. } = answer else {
        panic!("{answer:?}");
    };
    passkeys
}

#[test]
fn list_shows_everything_but_the_private_key() {
    let mut key = key(&["ann"]);
    let line = r#"{"request":"list","after_unix_ms":0}"#;
    assert!(!answer_line(line, &mut key).contains(&Base64UrlUnpadded::encode_string(&[0x77; 32])));
    let [ann] = listed(ask(&mut key, line)).try_into().unwrap();
    assert_eq!(ann.id, Base64UrlUnpadded::encode_string(b"id of ann"));
    assert_eq!(ann.user_id, Base64UrlUnpadded::encode_string(b"ann"));
    assert_eq!(ann.user_name.as_deref(), Some("ann\n\"\u{1b}[31m"));
    assert_eq!(
        (ann.algorithm, ann.profile, ann.created_unix_ms),
        (-8, ProfileName::DeviceBound, 1_000)
    );
}

#[test]
fn pages_join_without_a_gap() {
    let users: Vec<String> = (0..PAGE_LEN * 2 + 3).map(|n| n.to_string()).collect();
    let mut key = key(&users.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut seen, mut after_unix_ms) = (Vec::new(), 0);
    loop {
        let page = listed(handle(&Request::List { after_unix_ms }, &mut key));
        let Some(last) = page.last() else { break };
        assert!(page.len() <= PAGE_LEN);
        after_unix_ms = last.created_unix_ms;
        seen.extend(page.into_iter().map(|passkey| passkey.user_id));
    }
    assert_eq!(
        seen,
        users
            .iter()
            .map(|user| Base64UrlUnpadded::encode_string(user.as_bytes()))
            .collect::<Vec<_>>()
    );
}

/// As after syncing: two devices can make a passkey each in one millisecond.
#[test]
fn no_page_ends_between_passkeys_of_one_moment() {
    let users: Vec<String> = (0..PAGE_LEN + 2).map(|n| n.to_string()).collect();
    let passkeys: Vec<Passkey> = users.iter().map(|user| passkey(user)).collect();
    let mut key = key(&[]);
    let added = key
        .vault_mut()
        .add(&mut host::rng(), &passkeys, |_| None)
        .unwrap();
    assert_eq!(added, users.len());
    let page = listed(handle(&Request::List { after_unix_ms: 0 }, &mut key));
    assert_eq!(page.len(), users.len());
}

#[test]
fn delete_takes_only_a_whole_id() {
    let mut key = key(&["ann", "bob"]);
    let id = Base64UrlUnpadded::encode_string(b"id of ann");
    let mut delete = |id: &str| handle(&Request::Delete { id: id.to_owned() }, &mut key);
    for other in ["", "x", &id[..id.len() - 1], "not base64!", &"A".repeat(5000)] {
        assert_eq!(delete(other), Answer::Deleted { existed: false });
    }
    assert_eq!(delete(&id), Answer::Deleted { existed: true });
    assert_eq!(delete(&id), Answer::Deleted { existed: false });
    assert_eq!(key.vault().len(), 1);
}

#[test]
fn info_names_this_process() {
    let Answer::Info(info) = ask(&mut key(&["ann"]), r#"{"request":"info"}"#) else {
        panic!("no info");
    };
    assert_eq!((info.passkeys, info.process), (1, std::process::id()));
}

#[test]
fn what_is_no_request_is_answered_with_the_reason() {
    let mut key = key(&["ann"]);
    let lines = [
        "",
        "{}",
        "[]",
        "null",
        r#"{"request":"reset"}"#,
        r#"{"request":"list"}"#,
        "\u{0}",
        r#"{"request":"info"} x"#,
    ];
    for line in lines.into_iter().map(str::to_owned).chain(["[".repeat(4000)]) {
        let Answer::Failed { reason } = ask(&mut key, &line) else {
            panic!("{line}");
        };
        assert!(reason.contains("not understood"));
    }
    assert_eq!(key.vault().len(), 1);
}

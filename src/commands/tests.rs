use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::cli::{Kind, Model};
use crate::control::{self, Listed, ProfileName};
use crate::key;
use crate::state::testing::{new_folder, open_bare};

use wardkey_authenticator::{Modality, Verifier};
use wardkey_vault::{
    Consent, CredProtect, CredentialId, Event, Passkey, Profile, Record, RpIdHash, SecretBytes, Site,
    Subject, Wanted,
};

/// A passkey with this id.
pub(super) fn listed(id: &str) -> Listed {
    Listed {
        id: id.to_owned(),
        rp_id: "example.org".to_owned(),
        rp_name: None,
        user_id: "YW5u".to_owned(),
        user_name: Some("ann".to_owned()),
        user_display_name: None,
        algorithm: -7,
        profile: ProfileName::Synced,
        created_unix_ms: 1_700_000_000_000,
    }
}

/// A folder with a passkey of ann at example.org and one of bob, whose name is a trick, at example.com.
fn folder() -> TempDir {
    let folder = new_folder();
    let (mut vault, _held) = open_bare(folder.path());
    for (id, rp_id, user_name, algorithm) in [
        ([0xaa; 16], "example.org", "ann", -7),
        ([0xbb; 16], "example.com", "bob\n\u{1b}[2J", -8),
    ] {
        let passkey = Passkey {
            id: CredentialId::new(&id).unwrap(),
            rp_id: rp_id.to_owned(),
            rp_name: None,
            user_id: vec![1],
            user_name: Some(user_name.to_owned()),
            user_display_name: None,
            algorithm,
            private_key: SecretBytes::from_slice(&[1; 32]),
            profile: Profile::Synced,
            created_unix_ms: 1_700_000_000_000,
            cred_protect: CredProtect::Optional,
            cred_random: None,
            cred_blob: None,
            large_blob_key: None,
            large_blob: None,
            third_party_payment: false,
        };
        vault.store(&mut crate::host::rng(), passkey, None).unwrap();
    }
    folder
}

/// The way to the vault of a test: where no key runs, without a Vault PIN.
pub(super) fn access(path: &Path) -> Access {
    let open = || Ok(path.join("vault.redb").exists().then(|| open_bare(path)));
    Access::through(path.to_owned(), open).unwrap()
}

/// Runs `command` and gives what it printed.
fn printed(command: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> String {
    let mut out = Vec::new();
    command(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn list_text(path: &Path) -> String {
    printed(|out| list(access(path), false, out))
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

const TWO: &str = "\
SITE         ACCOUNT   ALGORITHM  MADE (UTC)        ID
example.com  bob \u{fffd}[2J  EdDSA      2023-11-14 22:13  u7u7u7u7
example.org  ann       ES256      2023-11-14 22:13  qqqqqqqq
";

#[test]
fn list_shows_a_line_for_each_passkey() {
    assert_eq!(list_text(folder().path()), TWO);
}

#[test]
fn list_says_when_there_is_nothing_and_makes_nothing() {
    let folder = new_folder();
    assert_eq!(list_text(folder.path()), "There are no passkeys on the key.\n");
    assert_eq!(printed(|out| list(access(folder.path()), true, out)), "[]\n");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn list_as_json_has_whole_ids() {
    let all = json(&printed(|out| list(access(folder().path()), true, out)));
    assert_eq!(all[0]["id"], "qqqqqqqqqqqqqqqqqqqqqg");
    assert_eq!(all[0]["rp_id"], "example.org");
    assert_eq!(all[1]["algorithm"], -8);
    assert!(all[1].get("private_key").is_none());
}

#[test]
fn delete_removes_the_one_that_was_named() {
    let folder = folder();
    let text = printed(|out| delete(access(folder.path()), "u7", true, false, out));
    assert_eq!(
        text,
        "Deleted the passkey for bob \u{fffd}[2J at example.com. Remove it at the site, too.\n"
    );
    let left = list_text(folder.path());
    assert!(left.contains("ann") && !left.contains("bob"));
}

#[test]
fn delete_of_what_is_not_there_deletes_nothing() {
    let folder = folder();
    for id in ["", "zz", "aa", "qqqqqqqqqqqqqqqqqqqqqgg"] {
        let failure = delete(access(folder.path()), id, true, false, &mut Vec::new()).unwrap_err();
        assert!(
            failure.to_string().starts_with("no passkey has an id"),
            "{failure}"
        );
    }
    assert_eq!(list_text(folder.path()), TWO);
}

#[test]
fn delete_as_json_says_what_was_deleted() {
    let folder = folder();
    let text = printed(|out| delete(access(folder.path()), "qqqqqqqq", true, true, out));
    assert_eq!(json(&text)["deleted"]["user_name"], "ann");
}

#[test]
fn info_describes_the_key() {
    let folder = folder();
    let facts = json(&printed(|out| info(access(folder.path()), true, out)));
    assert_eq!(facts["passkeys"], 2);
    assert_eq!(facts["running"], serde_json::Value::Null);
    assert_eq!(facts["state"], folder.path().to_str().unwrap());
    assert_eq!(facts["aaguid"].as_str().unwrap().len(), 36);
    assert!(facts["speaks"].as_array().unwrap().contains(&"FIDO_2_0".into()));
    let text = printed(|out| info(access(folder.path()), false, out));
    assert!(text.contains("\nPasskeys      2\n"), "{text}");
    assert!(text.contains("\nPIN           not set\n"), "{text}");
    assert_eq!(facts["pin"]["attempts_left"], 8);
    assert_eq!(facts["verification"]["modality"], serde_json::Value::Null);
    assert_eq!(facts["large_blobs"]["bytes"], 0);
}

// --- the log ---------------------------------------------------------------------------------------------------------

const HOUR: u64 = 3_600_000;

/// A folder in whose log is one event an hour after the other.
fn folder_with_log(events: &[Event]) -> TempDir {
    let folder = new_folder();
    let (mut vault, _held) = open_bare(folder.path());
    for (hour, event) in (0..).zip(events) {
        let record = Record {
            unix_ms: 1_700_000_000_000 + hour * HOUR,
            event: event.clone(),
        };
        vault.record_later(&mut crate::host::rng(), &record).unwrap();
    }
    folder
}

fn trick() -> Subject {
    let id = CredentialId::new(&[0xbb; 16]).unwrap();
    Subject::new(Site::named("example.com"), id, Some("bob\n\u{1b}[2J"))
}

fn log_text(path: &Path, limit: Option<usize>) -> String {
    printed(|out| log(access(path), limit, false, out))
}

#[test]
fn log_says_what_was_done_the_newest_last() {
    let consent = Consent::Verified;
    let u2f = Subject::new(
        Site::Hash(RpIdHash([0xff; 32])),
        CredentialId::new(&[1]).unwrap(),
        None,
    );
    let folder = folder_with_log(&[
        Event::Registered {
            credential: trick(),
            profile: Profile::Synced,
            stored: true,
            consent: Consent::Present,
        },
        Event::SignedIn {
            credential: trick(),
            consent,
        },
        Event::SignedIn {
            credential: u2f,
            consent: Consent::Unasked,
        },
        Event::Refused {
            wanted: Wanted::SignIn,
            site: Some(Site::named("evil.example\u{202e}")),
        },
        Event::WrongPin { attempts_left: 1 },
        Event::Deleted(trick()),
    ]);
    let expected = "\
-- The log begins: the key was new. --
2023-11-14 22:13:20  Registered at example.com as bob \u{fffd}[2J.
2023-11-14 23:13:20  Signed in at example.com as bob \u{fffd}[2J, you were verified.
2023-11-15 00:13:20  Signed without asking: at a site that gave no name (U2F, ________).
2023-11-15 01:13:20  You refused to sign in at evil.example\u{fffd}.
2023-11-15 02:13:20  A PIN was wrong; 1 attempt left.
2023-11-15 03:13:20  Deleted the passkey at example.com as bob \u{fffd}[2J.
";
    assert_eq!(log_text(folder.path(), None), expected);
    let last: String = expected.lines().skip(5).map(|line| format!("{line}\n")).collect();
    assert_eq!(log_text(folder.path(), Some(2)), last);
    assert_eq!(log_text(folder.path(), Some(0)), "");
    assert_eq!(log_text(folder.path(), Some(6)), expected);
    assert_eq!(log_text(folder.path(), Some(7)), expected);
}

#[test]
fn log_as_json_is_whole() {
    let folder = folder_with_log(&[Event::PinSet, Event::Deleted(trick())]);
    let all = json(&printed(|out| log(access(folder.path()), None, true, out)));
    assert_eq!(all["beginning"], "new");
    let line = &all["lines"][1];
    assert_eq!(
        (&line["line"], &line["event"]),
        (&"entry".into(), &"deleted".into())
    );
    assert_eq!(
        (&line["number"], &line["unix_ms"]),
        (&2.into(), &1_700_003_600_000_u64.into())
    );
    assert_eq!(line["credential"]["id"], "u7u7u7u7u7u7u7u7u7u7uw");
    assert_eq!(line["credential"]["site"]["rp-id"], "example.com");
    assert_eq!(line["credential"]["user_name"], "bob\n\u{1b}[2J");
    let last = json(&printed(|out| log(access(folder.path()), Some(1), true, out)));
    assert_eq!(last["beginning"], serde_json::Value::Null);
    assert_eq!(last["lines"].as_array().unwrap().len(), 1);
}

#[test]
fn log_of_a_key_that_was_never_used_is_none_and_makes_nothing() {
    let folder = new_folder();
    assert_eq!(log_text(folder.path(), None), "There is no key yet.\n");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    drop(open_bare(folder.path()));
    assert_eq!(
        log_text(folder.path(), None),
        "-- The log begins: the key was new. --\n"
    );
}

#[test]
fn log_shows_what_somebody_removed_or_changed() {
    let folder = folder_with_log(&vec![Event::PinChanged; 8]);
    {
        let rows: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("log");
        let database = redb::Database::open(folder.path().join("vault.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut rows = transaction.open_table(rows).unwrap();
            for removed in [1, 3, 4, 5, 8] {
                rows.remove(removed).unwrap();
            }
            rows.insert(6, [1, 2, 3].as_slice()).unwrap();
        }
        transaction.commit().unwrap();
    }
    let expected = "\
-- The log begins: the key was new. --
-- ENTRY 1 IS MISSING: somebody removed it. --
2023-11-14 23:13:20  The PIN was changed.
-- ENTRIES 3 TO 5 ARE MISSING: somebody removed them. --
-- ENTRY 6 IS DAMAGED: it is not what was written there. --
2023-11-15 04:13:20  The PIN was changed.
-- ENTRY 8 IS MISSING: somebody removed it. --
";
    assert_eq!(log_text(folder.path(), None), expected);
}

#[test]
fn a_long_log_is_whole_and_delete_is_in_it() {
    let folder = folder_with_log(&vec![Event::PinChanged; 600]);
    let lines = |limit| log_text(folder.path(), limit).lines().count();
    assert_eq!(
        [None, Some(599), Some(513), Some(512)].map(lines),
        [601, 599, 513, 512]
    );
    let key = run_key(folder.path());
    assert_eq!(lines(None), 601);
    key.join().unwrap();

    let folder = self::folder();
    printed(|out| delete(access(folder.path()), "u7", true, false, out));
    let text = log_text(folder.path(), None);
    assert!(
        text.ends_with("Deleted the passkey at example.com as bob \u{fffd}[2J.\n"),
        "{text}"
    );
}

/// A key that runs on `path` until it has answered one client.
fn run_key(path: &Path) -> thread::JoinHandle<()> {
    let (vault, held) = open_bare(path);
    let listener = UnixListener::bind(held.control_socket()).unwrap();
    thread::spawn(move || {
        let _held = held;
        let model = Model {
            kind: Kind::DeviceBound,
            ..Model::default()
        };
        let mut key = key::authenticator(vault, key::config(&model)).unwrap();
        let finger = Verifier {
            modality: Modality::Fingerprint,
            ready: true,
        };
        key.set_verifier(Some(finger));
        let (stream, _) = listener.accept().unwrap();
        for line in BufReader::new(&stream).lines() {
            let answer = control::handle(&control::read(&line.unwrap()).unwrap(), &mut key);
            (&stream).write_all(answer.to_line().as_bytes()).unwrap();
        }
    })
}

#[test]
fn a_running_key_is_asked() {
    let folder = folder();
    let key = run_key(folder.path());
    assert_eq!(list_text(folder.path()), TWO);
    key.join().unwrap();

    // Its socket is still there, but nobody listens.
    assert_eq!(list_text(folder.path()), TWO);
    std::fs::remove_file(folder.path().join("control.sock")).unwrap();

    let key = run_key(folder.path());
    printed(|out| delete(access(folder.path()), "u7", true, false, out));
    key.join().unwrap();
    assert!(!list_text(folder.path()).contains("bob"));
    std::fs::remove_file(folder.path().join("control.sock")).unwrap();

    let key = run_key(folder.path());
    let facts = json(&printed(|out| info(access(folder.path()), true, out)));
    key.join().unwrap();
    assert_eq!(facts["running"]["process"], std::process::id());
    assert_eq!(facts["kind"], "device-bound");
    assert_eq!(facts["verification"]["modality"], "fingerprint");
    assert_eq!(facts["verification"]["is_ready"], true);
}

#[test]
fn a_folder_that_is_locked_by_a_key_that_does_not_answer_is_a_failure() {
    let folder = folder();
    let _running = open_bare(folder.path());
    let failure = Access::open(Some(folder.path())).err().unwrap();
    assert!(failure.to_string().contains("another wardkey"), "{failure}");
}

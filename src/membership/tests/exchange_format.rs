//! Passkeys that go to other programs, and come from them.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey as _;

use super::*;

fn to_cxf(folder: &TempDir, file: &Path) -> Export {
    Export {
        backup: Backup {
            passphrase_file: None,
            ..backup(folder, file)
        },
        format: Format::Cxf,
    }
}

fn from_cxf(folder: &TempDir, file: &Path) -> Backup {
    to_cxf(folder, file).backup
}

fn log_of(folder: &TempDir) -> Vec<Event> {
    let (vault, _held) = try_open(folder, PIN).unwrap();
    let log = vault.log(None).unwrap();
    log.filter_map(|logged| match logged.unwrap() {
        Logged::Entry { record, .. } => Some(record.event),
        Logged::Gap { .. } | Logged::Damaged { .. } => None,
    })
    .collect()
}

/// A file of another program with passkeys of these accounts, and something else.
fn file_of_another(path: &Path, users: &[&str]) {
    let key = |fill: u8| {
        let key = SecretKey::from_bytes(&[fill; 32].into()).unwrap();
        Base64UrlUnpadded::encode_string(key.to_pkcs8_der().unwrap().as_bytes())
    };
    let passkey = |(user, fill): (&&str, u8)| {
        json!({
            "type": "passkey",
            "credentialId": Base64UrlUnpadded::encode_string(&[fill; 20]),
            "rpId": "example.org",
            "username": user,
            "userDisplayName": "",
            "userHandle": Base64UrlUnpadded::encode_string(user.as_bytes()),
            "key": key(fill),
        })
    };
    let mut credentials: Vec<_> = users.iter().zip(1..).map(passkey).collect();
    credentials.push(json!({ "type": "basic-auth" }));
    let file = json!({
        "version": { "major": 1, "minor": 0 },
        "exporterRpId": "manager.example",
        "exporterDisplayName": "Manager",
        "timestamp": 1_790_000_000,
        "accounts": [{
            "id": "AA", "username": "", "email": "", "collections": [],
            "items": [{ "id": "AQ", "title": "Example", "credentials": credentials }]
        }]
    });
    fs::write(path, file.to_string()).unwrap();
}

#[test]
fn passkeys_go_to_another_program_and_from_there_into_another_vault() {
    let (folder, other) = (unprotected(), new_folder());
    protect(&folder).unwrap();
    protect(&other).unwrap();
    let file = folder.path().join("passkeys.json");
    let mut person = Scripted::new([]);
    let printed = run(folder.path(), &mut person, |call| {
        export(call, &to_cxf(&folder, &file))
    });
    let printed: Value = serde_json::from_str(&printed.unwrap()).unwrap();
    assert_eq!(
        (&printed["passkeys"], &printed["file"]),
        (&json!(1), &json!(file))
    );
    // The one that is bound to this device.
    assert_eq!(printed["left_out"].as_array().unwrap().len(), 1);
    assert!(
        person.heard.contains("whoever reads it can sign in as you"),
        "{}",
        person.heard
    );
    assert_eq!(mode(&file), 0o600);
    let content: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(content["version"], json!({ "major": 1, "minor": 0 }));
    assert!(log_of(&folder).contains(&Event::ExportedInClear { passkeys: 1 }));
    let again = run(folder.path(), &mut Nobody, |call| {
        export(call, &to_cxf(&folder, &file))
    });
    assert!(again.unwrap_err().to_string().starts_with("cannot write"));

    for (added, passed_over) in [(1, 0), (0, 1)] {
        let printed = run(other.path(), &mut Nobody, |call| {
            import(call, &from_cxf(&other, &file))
        });
        let printed: Value = serde_json::from_str(&printed.unwrap()).unwrap();
        let expected = json!({
            "added": added, "passed_over": passed_over,
            "left_out": [], "incomplete": [], "other_credentials": 0,
        });
        assert_eq!(printed, expected);
    }
    assert!(log_of(&other).contains(&Event::Imported { passkeys: 1 }));
    let (vault, _held) = try_open(&other, PIN).unwrap();
    let id = CredentialId::new(&[1; 16]).unwrap();
    assert_eq!(ids(&vault), std::slice::from_ref(&id));
    let passkey = vault.load(&id).unwrap().unwrap();
    assert_eq!(passkey.private_key.expose_secret(), [1; 32]);
}

/// Mutation: the file is written before the Vault PIN is asked for, or after a wrong one.
#[test]
fn nothing_is_written_without_the_vault_pin() {
    let folder = unprotected();
    protect(&folder).unwrap();
    let file = folder.path().join("passkeys.json");
    let options = Export {
        backup: Backup {
            vault_pin: VaultPinSource::default(),
            ..from_cxf(&folder, &file)
        },
        format: Format::Cxf,
    };
    let nobody = run(folder.path(), &mut Nobody, |call| export(call, &options)).unwrap_err();
    assert_eq!(nobody.to_string(), "there is no terminal to ask on");
    let mut person = Scripted::new([Says("tin ra of oln"), Stops]);
    assert!(run(folder.path(), &mut person, |call| export(call, &options)).is_err());
    assert!(person.is_done());
    assert!(!file.exists());
    let exported = |event: &Event| matches!(event, Event::ExportedInClear { .. });
    assert!(!log_of(&folder).iter().any(exported));
}

#[test]
fn there_is_no_passphrase_where_nothing_is_encrypted() {
    let folder = unprotected();
    protect(&folder).unwrap();
    let file = folder.path().join("passkeys.json");
    let options = Export {
        backup: backup(&folder, &file),
        format: Format::Cxf,
    };
    let refused = run(folder.path(), &mut Nobody, |call| export(call, &options)).unwrap_err();
    assert!(
        refused.to_string().contains("there is no passphrase"),
        "{refused}"
    );
    assert!(!file.exists());
}

#[test]
fn passkeys_of_another_program_are_added_and_what_is_left_out_is_said() {
    let folder = new_folder();
    protect(&folder).unwrap();
    let file = folder.path().join("theirs.json");
    // The last has no account.
    file_of_another(&file, &["ann", "ben", ""]);
    let mut printed = Vec::new();
    let nobody = &mut Nobody;
    let mut call = Call::new(Some(folder.path()), "of a test", nobody, &mut printed);
    import(&mut call, &from_cxf(&folder, &file)).unwrap();
    assert_eq!(
        String::from_utf8(printed).unwrap(),
        "2 passkeys added.\n\
         Left out:\n  \
           a passkey at example.org: a name of the site, the account or the passkey is empty or too long\n\
         1 credential of the file is no passkey, and was left out.\n\
         The file has the keys of these passkeys in clear: destroy it when it is not needed any more.\n"
    );
    let (vault, _held) = try_open(&folder, PIN).unwrap();
    assert_eq!(vault.len(), 2);
}

#[test]
fn names_in_a_file_do_nothing_on_a_terminal() {
    let folder = new_folder();
    protect(&folder).unwrap();
    let file = folder.path().join("theirs.json");
    file_of_another(&file, &["\u{1b}[2Jann\u{202e}"]);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"key\":\"MI", "\"key\":\"NO")).unwrap();
    let mut printed = Vec::new();
    let nobody = &mut Nobody;
    let mut call = Call::new(Some(folder.path()), "of a test", nobody, &mut printed);
    import(&mut call, &from_cxf(&folder, &file)).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(
        printed.contains("[2Jann\u{fffd} at example.org: its key is damaged"),
        "{printed}"
    );
    assert!(!printed.contains(['\u{1b}', '\u{202e}']));
}

/// Before the Vault PIN is asked for. Nothing of the file is said.
#[test]
fn a_file_that_is_no_cxf_adds_nothing_and_is_not_quoted() {
    let folder = new_folder();
    protect(&folder).unwrap();
    let file = folder.path().join("theirs.json");
    let options = Backup {
        vault_pin: VaultPinSource::default(),
        ..from_cxf(&folder, &file)
    };
    file_of_another(&file, &["ann"]);
    let whole = fs::read_to_string(&file).unwrap();
    for (text, said) in [
        (&whole[..whole.len() - 1], "no file in the exchange format"),
        (
            "{\"items\":[{\"login\":{\"password\":\"hunter2\"}}]}",
            "no file in the exchange format",
        ),
        (&whole.replace("\"major\":1", "\"major\":2"), "a newer version"),
    ] {
        fs::write(&file, text).unwrap();
        let refused = run(folder.path(), &mut Nobody, |call| import(call, &options)).unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
        assert!(!refused.to_string().contains("hunter2"));
    }
}

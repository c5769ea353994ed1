//! One key per state folder, and short commands while it runs.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{Key, RP_ID, listed, new_folder, new_vault, passkey_of, printed, wardkey};
use wardkey_sim::fido_client::GetAssertion;

#[test]
fn a_second_key_on_the_same_folder_is_refused_and_harms_nothing() {
    let state = new_vault();
    let key = Key::start(state.path());
    key.connect().make_credential(&passkey_of("ann")).unwrap();

    let raw = format!("unix:{}", state.path().join("other.sock").display());
    let refused = wardkey(state.path(), &["serve", "--raw", &raw]).output().unwrap();
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    // Started as root, a key says that it has no need of that.
    let lines = stderr.lines().filter(|line| !line.contains("runs as root"));
    let lines: Vec<&str> = lines.collect();
    assert!(
        lines.len() == 2 && lines[0].contains("another wardkey (process "),
        "{stderr}"
    );
    assert!(lines[1].starts_with("hint: "), "{stderr}");

    let refused = wardkey(state.path(), &["init"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another wardkey"));

    assert_eq!(listed(state.path(), "user_name"), ["ann"]);
    key.connect().make_credential(&passkey_of("bob")).unwrap();
    key.kill();
    // The folder is free again, whatever the first key left behind.
    let _key = Key::start(state.path());
    assert_eq!(listed(state.path(), "user_name"), ["ann", "bob"]);
}

#[test]
fn a_passkey_deleted_while_the_key_runs_does_not_sign_any_more() {
    let state = new_vault();
    let key = Key::start(state.path());
    let mut client = key.connect();
    client.make_credential(&passkey_of("ann")).unwrap();
    let request = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };
    client.get_assertion(&request).unwrap();

    let [id] = listed(state.path(), "id").try_into().unwrap();
    let said = printed(state.path(), &["delete", "--yes", "--", &id[..6]]);
    assert!(
        said.starts_with("Deleted the passkey for ann at example.org."),
        "{said}"
    );
    client.get_assertion(&request).unwrap_err();
    assert!(listed(state.path(), "id").is_empty());
}

#[test]
fn delete_without_a_terminal_wants_yes() {
    let state = new_vault();
    let key = Key::start(state.path());
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    let [id] = listed(state.path(), "id").try_into().unwrap();
    let refused = wardkey(state.path(), &["delete", "--", &id])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .ends_with("hint: give --yes to delete it\n")
    );
    assert_eq!(listed(state.path(), "id").len(), 1);
}

#[test]
fn a_folder_that_others_can_read_is_refused_with_the_mend() {
    let state = new_folder();
    std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = wardkey(state.path(), &["info"]).output().unwrap();
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(
        stderr.contains(&format!("chmod 700 {}", state.path().display())),
        "{stderr}"
    );
}

/// Bytes of keys in a TPM, read by a program that was built without the use of one.
#[cfg(not(feature = "tpm"))]
#[test]
fn keys_in_a_tpm_need_another_build_and_nothing_is_lost() {
    let state = new_folder();
    let pin = state.path().join("pin");
    std::fs::write(&pin, "tin ra of ol").unwrap();
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
    let pin = pin.to_str().unwrap();
    printed(
        state.path(),
        &["init", "--vault-pin-file", pin, "--no-recovery-kit"],
    );
    let keys = state.path().join("device-keys.1");
    let in_software = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, b"PKVT\x01").unwrap();

    let raw = format!("unix:{}", state.path().join("raw.sock").display());
    let change = [
        "pin",
        "change",
        "--vault-pin-file",
        pin,
        "--new-vault-pin-file",
        pin,
    ];
    for command in [&["serve", "--raw", &raw][..], &change, &["status"]] {
        let refused = wardkey(state.path(), command).output().unwrap();
        let stderr = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let told = "wardkey: the keys of this device are in its TPM, which this wardkey was built without\n\
             hint: use a wardkey that was built with --features tpm, or take the vault over with its recovery kit: \
             wardkey recover\n";
        assert!(stderr.ends_with(told), "{stderr}");
    }
    assert_eq!(std::fs::read(&keys).unwrap(), b"PKVT\x01");
    std::fs::write(&keys, in_software).unwrap();
    assert!(printed(state.path(), &["--json", "status"]).contains("\"wrong_vault_pins\":0"));
    printed(state.path(), &change);
}

//! `wardkey sync check` as its users run it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;
mod servers;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{new_folder, wardkey};
use serde_json::Value;
use servers::s3::{self, S3};
use tempfile::TempDir;

/// Runs `wardkey sync check`, in an environment without credentials.
fn check(arguments: &[&str]) -> Command {
    let state = Path::new("/nonexistent");
    let mut command = wardkey(state, &["sync", "check"]);
    for variable in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
    ] {
        command.env_remove(variable);
    }
    command
        .env("AWS_SHARED_CREDENTIALS_FILE", state)
        .env("AWS_CONFIG_FILE", state)
        .args(arguments);
    command
}

fn printed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Both lines of a failure, without their beginnings.
fn refused(command: &mut Command) -> (String, String) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().collect();
    let [what, hint] = lines.as_slice() else {
        panic!("{stderr}");
    };
    let line = |line: &str, beginning| line.strip_prefix(beginning).unwrap().to_owned();
    (line(what, "wardkey: "), line(hint, "hint: "))
}

fn credentials(folder: &TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("credentials");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

fn as_json(url: &str, credentials: &Path) -> Value {
    let arguments = ["--json", url, "--credentials-file", credentials.to_str().unwrap()];
    serde_json::from_str(&printed(&mut check(&arguments))).unwrap()
}

#[test]
fn a_folder_is_tried_out_and_left_as_it_was() {
    let store = new_folder();
    let path = store.path().to_str().unwrap();
    let text = printed(&mut check(&[path]));
    assert!(text.contains(path) && !text.contains(" no\n"), "{text}");
    for operation in [
        "list",
        "create",
        "create again",
        "get",
        "poll, unchanged",
        "put",
        "remove",
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{operation} ")));
        assert!(line.unwrap().ends_with(" ms"), "{text}");
    }
    let url = format!("file://{path}");
    let facts: Value = serde_json::from_str(&printed(&mut check(&["--json", &url]))).unwrap();
    assert_eq!(facts["store"], path);
    for ability in [
        "exclusive_create",
        "conditional_read",
        "read_after_write",
        "list_after_write",
    ] {
        assert_eq!(facts[ability], true, "{ability}");
    }
    assert_eq!(facts["operations"][0]["operation"], "list");
    assert!(facts["operations"][0]["ms"].as_f64().unwrap() > 0.0);
    assert_eq!(store.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_bucket_is_opened_by_a_file_by_the_environment_or_by_what_other_programs_use() {
    let (server, folder) = (S3::start(), new_folder());
    let url = s3::url(server.address);
    let file = credentials(&folder, &format!("{}\n{}\n", s3::ACCESS_KEY, s3::SECRET_KEY));
    let facts = as_json(&url, &file);
    assert_eq!(facts["exclusive_create"], true);
    let by_environment = printed(
        check(&[&url])
            .env("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY),
    );
    assert!(by_environment.contains("s3://keys/ann"), "{by_environment}");
    let profile = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        s3::ACCESS_KEY,
        s3::SECRET_KEY
    );
    let file = credentials(&folder, &profile);
    printed(check(&[&url]).env("AWS_SHARED_CREDENTIALS_FILE", file));
    let (what, hint) = refused(&mut check(&[&url]));
    assert!(
        what.contains("no credentials") && hint.contains("credentials"),
        "{what}, {hint}"
    );
}

#[test]
fn no_credentials_are_fetched_from_another_address() {
    let server = S3::start();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/credentials", elsewhere.local_addr().unwrap());
    let (what, _) =
        refused(check(&[&s3::url(server.address)]).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri));
    assert!(what.contains("another address"), "{what}");
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "somebody came");
}

#[test]
fn no_secret_is_printed() {
    let (server, folder) = (S3::start(), new_folder());
    let url = s3::url(server.address);
    let wrong = credentials(&folder, "AKWRONG\nnot what it should be\n");
    let file = wrong.to_str().unwrap();
    let (what, hint) = refused(&mut check(&[&url, "--credentials-file", file]));
    assert!(
        what.contains("403") && hint.contains("credentials"),
        "{what}, {hint}"
    );
    for secret in ["AKWRONG", "not what"] {
        assert!(!what.contains(secret) && !hint.contains(secret), "{what}, {hint}");
    }
    let (what, hint) = refused(&mut check(&["webdavs://ann:hidden@cloud.example.org/"]));
    assert!(
        !what.contains("hidden") && hint.contains("--credentials-file"),
        "{what}, {hint}"
    );
    fs::set_permissions(&wrong, Permissions::from_mode(0o644)).unwrap();
    let (what, _) = refused(&mut check(&[&url, "--credentials-file", file]));
    assert!(what.contains("others can read"), "{what}");
}

#[test]
fn what_cannot_be_a_store_is_said_to_be_none() {
    for (url, expected) in [
        ("/nonexistent/store", "is not there"),
        ("/etc/passwd", "is not a folder"),
        ("https://cloud.example.org/keys", "https://"),
        ("webdav://cloud.example.org/keys", "unencrypted"),
        ("s3://keys?endpoint=http://192.0.2.1", "unencrypted"),
        ("s3://keys?password=1", "password"),
        ("s3://", "not a whole address"),
        ("webdavs://127.0.0.1:9/keys", "127.0.0.1:9 cannot be reached"),
    ] {
        let (what, hint) = refused(&mut check(&[url]));
        assert!(what.contains(expected), "{url}: {what}");
        assert!(!hint.is_empty(), "{url}");
    }
}

#[test]
fn a_store_without_room_is_said_to_be_full() {
    let store = new_folder();
    let mut limited = Command::new("sh");
    limited
        // Without the signal, a write beyond the limit fails like one to a full disk.
        .args(["-c", r#"trap "" XFSZ; exec prlimit --fsize=4 -- "$@""#, "sh"])
        .arg(env!("CARGO_BIN_EXE_wardkey"))
        .args(["sync", "check"])
        .arg(store.path());
    let (what, hint) = refused(&mut limited);
    assert!(
        what.contains("cannot write to") && hint.contains("room"),
        "{what}, {hint}"
    );
    assert_eq!(store.path().read_dir().unwrap().count(), 0);
}

/// `cargo xtask store`.
mod servers_needed {
    use super::servers::apache::{self, Apache};
    use super::servers::garage::{self, Garage};
    use super::*;

    #[test]
    #[ignore = "needs Apache"]
    fn mod_dav_is_tried_out() {
        let (server, folder) = (Apache::start(), new_folder());
        let file = credentials(&folder, &format!("{}\n{}\n", apache::USER, apache::PASSWORD));
        let facts = as_json(&server.url(), &file);
        assert_eq!(
            (&facts["exclusive_create"], &facts["conditional_read"]),
            (&true.into(), &true.into())
        );
    }

    #[test]
    #[ignore = "needs Garage"]
    fn garage_is_tried_out() {
        let (server, folder) = (Garage::start(1), new_folder());
        let file = credentials(
            &folder,
            &format!("{}\n{}\n", garage::ACCESS_KEY, garage::SECRET_KEY),
        );
        let facts = as_json(&server.url(0), &file);
        assert_eq!(
            (&facts["exclusive_create"], &facts["conditional_read"]),
            (&false.into(), &true.into())
        );
    }
}

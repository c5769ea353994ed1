//! `wardkey demo` as a person runs it.

#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn wardkey(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardkey"));
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The two lines of an error, without their prefixes.
fn error_and_hint(output: &Output) -> (&str, &str) {
    assert_eq!(output.status.code(), Some(1));
    let mut lines = text(&output.stderr).lines();
    let (Some(error), Some(hint), None) = (lines.next(), lines.next(), lines.next()) else {
        panic!("{}", text(&output.stderr))
    };
    (
        error.strip_prefix("wardkey: ").unwrap(),
        hint.strip_prefix("hint: ").unwrap(),
    )
}

#[test]
fn the_demo_tells_seven_steps_and_leaves_nothing_behind() {
    let folder = std::env::temp_dir().join(format!("wardkey-demo-test-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let output = wardkey(&["demo"]).env("TMPDIR", &folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    for (number, title) in [
        (1, "A vault is made, and a new key is powered up"),
        (2, "It is plugged into a USB host"),
        (3, "A program opens it"),
        (4, "The website http://localhost registers ada"),
        (5, "A second computer is let into the vault"),
        (6, "At the second computer somebody logs in and gives no name"),
        (7, "To be sure"),
    ] {
        assert!(told.contains(&format!("\n{number}  {title}")), "{number}: {told}");
    }
    assert!(told.contains("The website verified both the registration and the login."));
    assert!(told.contains("wardkey demo --site"));
    assert!(text(&output.stderr).is_empty());
    std::fs::remove_dir(&folder).expect("the demo has removed what it made");
}

#[test]
fn the_demo_tells_the_same_as_json() {
    let output = wardkey(&["--json", "demo"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let story: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(story["ok"], true);
    assert_eq!(story["approval"], "automatic");
    assert_eq!(story["steps"].as_array().unwrap().len(), 7);
}

#[test]
fn without_a_temporary_folder_the_demo_says_what_to_do() {
    let output = wardkey(&["demo"]).env("TMPDIR", "/nonexistent").output().unwrap();
    let (error, hint) = error_and_hint(&output);
    assert!(error.starts_with("cannot make a temporary folder"), "{error}");
    assert!(hint.contains("TMPDIR"), "{hint}");
}

#[test]
fn the_site_is_for_this_computer_only() {
    let output = wardkey(&["demo", "--site", "0.0.0.0:0"]).output().unwrap();
    let (error, hint) = error_and_hint(&output);
    assert!(error.contains("other computers"), "{error}");
    assert!(hint.contains("127.0.0.1"), "{hint}");
}

#[test]
fn a_port_in_use_is_said_and_another_one_proposed() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = wardkey(&["demo", "--site", &address]).output().unwrap();
    let (error, hint) = error_and_hint(&output);
    assert!(
        error.starts_with(&format!("cannot listen on {address}")),
        "{error}"
    );
    assert!(hint.contains("--site"), "{hint}");
}

#[test]
fn the_site_says_where_it_is_and_ends_cleanly_at_ctrl_c() {
    let mut site = wardkey(&["--json", "demo", "--site", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(site.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let announced: Value = serde_json::from_str(&line).unwrap();
    let authority = announced["site"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap()
        .trim_end_matches('/');
    let port: u16 = authority.strip_prefix("localhost:").unwrap().parse().unwrap();

    let mut page = String::new();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
    stream.read_to_string(&mut page).unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("</html>\n"),
        "{page}"
    );

    // An open connection does not hold the end up.
    let idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let pid = Pid::from_child(&site);
    kill_process(pid, Signal::INT).unwrap();
    assert!(site.wait().unwrap().success());
    drop(idle);
}

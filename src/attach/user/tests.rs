//! A made-up user database and made-up sessions.

use std::fs;

use super::*;

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
broken line
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
alice:x:1000:1001:Alice,,,:/home/alice:/bin/zsh
1000x:x:1002:1002::/home/odd:/bin/sh
";

fn look_up(who: &str) -> Option<User> {
    User::find_in(PASSWD, who)
}

fn variables(set: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
    |wanted: &str| {
        set.iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.into())
    }
}

fn alice() -> User {
    User {
        name: "alice".to_owned(),
        uid: 1000,
        gid: 1001,
        home: "/home/alice".into(),
    }
}

#[test]
fn a_user_is_found_by_name_and_by_number() {
    assert_eq!(look_up("alice"), Some(alice()));
    assert_eq!(look_up("1000"), Some(alice()));
    assert_eq!(look_up("bob"), None);
    assert_eq!(look_up(""), None);
}

#[test]
fn the_command_line_comes_before_who_ran_sudo_or_pkexec() {
    let sudo = variables(&[("SUDO_UID", "1000"), ("PKEXEC_UID", "65534")]);
    assert_eq!(User::choose(None, &sudo, look_up).unwrap(), alice());
    assert_eq!(User::choose(Some("nobody"), &sudo, look_up).unwrap().uid, 65534);
    let pkexec = variables(&[("PKEXEC_UID", "1000")]);
    assert_eq!(User::choose(None, pkexec, look_up).unwrap(), alice());
}

#[test]
fn root_and_unknown_users_are_refused() {
    let none = variables(&[]);
    assert!(matches!(User::choose(None, &none, look_up), Err(Error::NoUser)));
    assert!(matches!(
        User::choose(Some("root"), &none, look_up),
        Err(Error::NoUser)
    ));
    assert!(
        matches!(User::choose(Some("bob"), &none, look_up), Err(Error::UnknownUser(name)) if name == "bob")
    );
    let root_again = variables(&[("SUDO_UID", "0")]);
    assert!(matches!(
        User::choose(None, root_again, look_up),
        Err(Error::NoUser)
    ));
}

#[test]
fn the_environment_is_the_user_s_and_nothing_of_root_s() {
    let root = tempfile::tempdir().unwrap();
    let runtime = root.path().join("run/user/1000");
    fs::create_dir_all(&runtime).unwrap();
    for name in ["bus", "wayland-1", "wayland-1.lock", "wayland-x"] {
        fs::write(runtime.join(name), "").unwrap();
    }
    let of_root = variables(&[
        ("HOME", "/root"),
        ("XDG_STATE_HOME", "/root/.state"),
        ("LD_PRELOAD", "/tmp/x.so"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/0/bus"),
        ("TERM", "xterm"),
    ]);
    let mut environment: Vec<String> = alice()
        .environment(of_root, root.path())
        .into_iter()
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect();
    environment.sort();
    let expected = [
        "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
        "HOME=/home/alice",
        "LOGNAME=alice",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "TERM=xterm",
        "USER=alice",
        "WAYLAND_DISPLAY=wayland-1",
        "XDG_RUNTIME_DIR=/run/user/1000",
    ];
    assert_eq!(environment, expected);
}

#[test]
fn without_a_session_there_is_no_runtime_folder() {
    let root = tempfile::tempdir().unwrap();
    let environment = alice().environment(variables(&[("PATH", "/bin")]), root.path());
    let names: Vec<_> = environment
        .iter()
        .map(|(name, _)| name.to_str().unwrap())
        .collect();
    assert_eq!(names, ["PATH", "HOME", "USER", "LOGNAME"]);
}

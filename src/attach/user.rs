//! Who the key belongs to when wardkey was started as root, and the environment that the key process of this
//! user gets: nothing of root's but how to show text and where the user's own session is.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

/// One line of the user database (passwd(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
}

/// Variables of root's that the key process gets: they say how to show things, not who or where.
const KEPT: [&str; 14] = [
    "COLORTERM",
    "DISPLAY",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "NO_COLOR",
    "PATH",
    "TERM",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
];
const PATH_OTHERWISE: &str = "/usr/local/bin:/usr/bin:/bin";

impl User {
    /// The user that `--user` names, or else the one who ran sudo, pkexec or doas. Never root.
    pub(super) fn choose(
        wanted: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
        look_up: impl Fn(&str) -> Option<Self>,
    ) -> Result<Self, Error> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let who = match wanted {
            Some(name) => name.to_owned(),
            None => ["SUDO_UID", "PKEXEC_UID", "DOAS_USER"]
                .into_iter()
                .find_map(text)
                .filter(|who| !who.is_empty())
                .ok_or(Error::NoUser)?,
        };
        let user = look_up(&who).ok_or(Error::UnknownUser(who))?;
        if user.uid == 0 {
            Err(Error::NoUser)
        } else {
            Ok(user)
        }
    }

    /// Finds a user by name or number, in `/etc/passwd` or where else this machine keeps users.
    pub(super) fn look_up(who: &str) -> Option<Self> {
        let listed = std::fs::read_to_string("/etc/passwd").ok();
        listed.and_then(|text| Self::find_in(&text, who)).or_else(|| {
            let output = Command::new("getent")
                .args(["passwd", "--", who])
                .env_clear()
                .env("PATH", PATH_OTHERWISE)
                .stdin(Stdio::null())
                .output()
                .ok()?;
            Self::find_in(&String::from_utf8(output.stdout).ok()?, who)
        })
    }

    fn find_in(passwd: &str, who: &str) -> Option<Self> {
        let uid = who.parse::<u32>().ok();
        passwd
            .lines()
            .filter_map(Self::parse)
            .find(|user| user.name == who || Some(user.uid) == uid)
    }

    /// `name:password:uid:gid:comment:home:shell`
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = PathBuf::from(fields.nth(1)?);
        Some(Self { name, uid, gid, home })
    }

    /// The whole environment of the key process. `root` is `/`.
    pub(super) fn environment(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
        root: &Path,
    ) -> Vec<(OsString, OsString)> {
        let mut environment = Environment::default();
        for name in KEPT {
            if let Some(value) = variable(name) {
                environment.set(name, value);
            }
        }
        environment.set_if_missing("PATH", PATH_OTHERWISE);
        environment.set("HOME", &self.home);
        environment.set("USER", &self.name);
        environment.set("LOGNAME", &self.name);
        let runtime = PathBuf::from(format!("/run/user/{}", self.uid));
        let seen = root.join(runtime.strip_prefix("/").unwrap_or(&runtime));
        if seen.is_dir() {
            environment.set("XDG_RUNTIME_DIR", &runtime);
            if seen.join("bus").exists() {
                environment.set(
                    "DBUS_SESSION_BUS_ADDRESS",
                    format!("unix:path=/run/user/{}/bus", self.uid),
                );
            }
            if let Some(display) = wayland_display(&seen) {
                environment.set_if_missing("WAYLAND_DISPLAY", display);
            }
        }
        environment.variables
    }
}

#[derive(Default)]
struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.variables.push((name.into(), value.as_ref().to_owned()));
    }

    fn set_if_missing(&mut self, name: &str, value: impl AsRef<OsStr>) {
        if !self.variables.iter().any(|(set, _)| set == name) {
            self.set(name, value);
        }
    }
}

/// The first Wayland socket of the session, `wayland-0` mostly.
fn wayland_display(runtime: &Path) -> Option<OsString> {
    let names = std::fs::read_dir(runtime)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name()));
    names
        .filter(|name| {
            let number = name.to_str().and_then(|name| name.strip_prefix("wayland-"));
            number.is_some_and(|number| number.parse::<u8>().is_ok())
        })
        .min()
}

#[cfg(test)]
mod tests {
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
}

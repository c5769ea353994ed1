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
mod tests;

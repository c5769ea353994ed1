//! Starts the helper as root from a key process that is not: with sudo where there is a terminal on which it can
//! ask for the password, with pkexec and its dialog where there is none.
//!
//! The helper's standard input is its socket: both programs hand that on, and nothing else. They end as soon as
//! the helper serves it.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::helper::COMMAND;
use super::{Error, Helper, control_pair, this_program};
use crate::programs::find_program;

const PASSWORD_PROMPT: &str = "wardkey needs root once, to plug in the key. Password for %p: ";

/// What can be used to become root.
#[derive(Debug, Default)]
struct Means {
    sudo: Option<PathBuf>,
    pkexec: Option<PathBuf>,
    has_terminal: bool,
}

pub(super) fn launch() -> Result<Helper, Error> {
    let search_path = std::env::var_os("PATH");
    let find = |name: &str| find_program(Path::new(name), search_path.as_deref());
    let has_terminal = std::fs::File::open("/dev/tty").is_ok();
    let means = Means {
        sudo: find("sudo"),
        pkexec: find("pkexec"),
        has_terminal,
    };
    start(means.command(&this_program()?)?)
}

impl Means {
    /// The command that runs the helper as root.
    fn command(&self, program: &Path) -> Result<Command, Error> {
        let (mut command, arguments): (Command, &[&OsStr]) = match self {
            Self {
                sudo: Some(sudo),
                has_terminal: true,
                ..
            } => (
                Command::new(sudo),
                &[OsStr::new("-p"), OsStr::new(PASSWORD_PROMPT), OsStr::new("--")],
            ),
            Self {
                pkexec: Some(pkexec), ..
            } => (Command::new(pkexec), &[]),
            // Without a terminal sudo cannot ask, but it may not need to.
            Self { sudo: Some(sudo), .. } => (Command::new(sudo), &[OsStr::new("-n"), OsStr::new("--")]),
            Self {
                sudo: None,
                pkexec: None,
                ..
            } => return Err(Error::NoWayToRoot),
        };
        command.args(arguments).arg(program).arg(COMMAND);
        Ok(command)
    }
}

/// Starts a helper with `command`.
pub(super) fn start(mut command: Command) -> Result<Helper, Error> {
    let (control, helper_end): (OwnedFd, OwnedFd) = control_pair()?;
    let started = command.stdin(Stdio::from(helper_end)).spawn();
    let starter = started.map_err(|cause| {
        let program = command.get_program().to_string_lossy().into_owned();
        Error::Start { program, cause }
    })?;
    // `command` goes with the helper's end of the socket, so that only the helper has it.
    drop(command);
    Ok(Helper {
        control,
        starter: Some(starter),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(means: &Means) -> Vec<String> {
        let command = means.command(Path::new("/opt/wardkey")).unwrap();
        [command.get_program()]
            .into_iter()
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn sudo_is_used_in_a_terminal_and_pkexec_without() {
        let both = Means {
            sudo: Some("/usr/bin/sudo".into()),
            pkexec: Some("/usr/bin/pkexec".into()),
            has_terminal: true,
        };
        assert_eq!(
            words(&both),
            [
                "/usr/bin/sudo",
                "-p",
                PASSWORD_PROMPT,
                "--",
                "/opt/wardkey",
                "vhci-helper"
            ]
        );
        let no_terminal = Means {
            has_terminal: false,
            ..both
        };
        assert_eq!(
            words(&no_terminal),
            ["/usr/bin/pkexec", "/opt/wardkey", "vhci-helper"]
        );
    }

    #[test]
    fn what_there_is_is_used() {
        let sudo = Means {
            sudo: Some("/usr/bin/sudo".into()),
            ..Means::default()
        };
        assert_eq!(
            words(&sudo),
            ["/usr/bin/sudo", "-n", "--", "/opt/wardkey", "vhci-helper"]
        );
        let pkexec = Means {
            pkexec: Some("/usr/bin/pkexec".into()),
            has_terminal: true,
            sudo: None,
        };
        assert_eq!(words(&pkexec), ["/usr/bin/pkexec", "/opt/wardkey", "vhci-helper"]);
        assert!(matches!(
            Means::default().command(Path::new("x")),
            Err(Error::NoWayToRoot)
        ));
    }
}

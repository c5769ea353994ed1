//! A command in a terminal of its own; the test holds the other end.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{NO_TPM, TPM};

/// How long something may take that should come at once, on a computer that is busy.
const SOON: Duration = Duration::from_secs(60);

/// A running command and its terminal.
pub(crate) struct Session {
    user: File,
    /// Kept open, so that the terminal stays when the command has ended.
    _terminal: File,
    process: Child,
    seen: String,
    /// So much of what was seen was looked at.
    read: usize,
}

impl Session {
    /// Starts `wardkey --state STATE …` in a session whose controlling terminal is a new one.
    pub(crate) fn start(state: &Path, arguments: &[&str]) -> Self {
        Self::start_with(state, arguments, NO_TPM)
    }

    /// The same, on a computer with this TPM.
    pub(crate) fn start_with(state: &Path, arguments: &[&str], tpm: &str) -> Self {
        Self::start_in(state, arguments, |command| command.env(TPM, tpm))
    }

    /// The same, in the environment that `prepare` makes.
    pub(crate) fn start_in(
        state: &Path,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let user: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let path = PathBuf::from(ptsname(&user, Vec::new()).unwrap().into_string().unwrap());
        let terminal = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let end = || terminal.try_clone().unwrap();
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_wardkey"), "--state"])
            .arg(state)
            .args(arguments)
            .env(TPM, NO_TPM)
            .stdin(end())
            .stdout(end())
            .stderr(end());
        let process = prepare(&mut command)
            .spawn()
            .expect("setsid of util-linux is installed");
        Self {
            user: File::from(user),
            _terminal: terminal,
            process,
            seen: String::new(),
            read: 0,
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.user.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until `text` is shown, and gives what was shown since the last time, with it.
    pub(crate) fn shows(&mut self, text: &str) -> String {
        loop {
            let news = &self.seen[self.read..];
            if let Some(at) = news.find(text) {
                let shown = news[..at + text.len()].to_owned();
                self.read += shown.len();
                return shown;
            }
            let patience = Timespec::try_from(SOON).unwrap();
            let mut sources = [PollFd::from_borrowed_fd(self.user.as_fd(), PollFlags::IN)];
            let ready = poll(&mut sources, Some(&patience)).unwrap();
            assert_eq!(ready, 1, "not shown: {text}; shown: {}", self.seen);
            let mut bytes = [0; 4096];
            let count = self.user.read(&mut bytes).unwrap();
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    /// All that was shown.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        let settings = tcgetattr(&self.user).unwrap();
        settings.local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end of the command, and says whether it succeeded.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

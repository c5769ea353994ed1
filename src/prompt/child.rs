//! A program that asks the user on our behalf, and how it is stopped: politely, then for certain, always reaped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use crate::readiness::is_ready_within;

/// How long a program may take to end once it was asked to.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The program alone: it shares our process group, and may use our terminal.
    Program,
    /// The program and all that it started: it leads a process group of its own.
    Group,
}

/// A running program. Dropping it stops it.
pub(super) struct Program {
    child: Child,
    pid: Pid,
    ended: OwnedFd,
    reach: Reach,
}

impl Program {
    /// Starts `command`.
    pub(super) fn start(command: &mut Command, reach: Reach) -> io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        if reach == Reach::Group {
            command.process_group(0);
        }
        let mut child = command.spawn()?;
        let watched = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(io::ErrorKind::InvalidData);
        let watched = watched
            .map_err(io::Error::from)
            .and_then(|pid| Ok((pid, pidfd_open(pid, PidfdFlags::empty())?)));
        match watched {
            Ok((pid, ended)) => Ok(Self {
                child,
                pid,
                ended,
                reach,
            }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// Becomes readable when the program has ended.
    pub(super) fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// The program's standard input and output, where they are pipes; once.
    pub(super) fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.child.stdin.take()?, self.child.stdout.take()?))
    }

    /// How the program ended. Waits for that.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    fn signal(&self, signal: Signal) {
        // A program that has ended in the meantime cannot be signalled, which is fine.
        let _gone = match self.reach {
            Reach::Program => kill_process(self.pid, signal),
            Reach::Group => kill_process_group(self.pid, signal),
        };
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.signal(Signal::TERM);
        let _ended = is_ready_within(self.ended.as_fd(), PATIENCE);
        // Not yet reaped, so the process id is still this program's, whether it has ended or not.
        self.signal(Signal::KILL);
        let _status = self.child.wait();
    }
}

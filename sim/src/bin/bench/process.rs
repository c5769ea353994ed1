//! Child processes that end with their owner, and a folder that goes with it.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;
use crate::helper::Helper;

/// A process that is killed when it is dropped. What it wrote must be durable by then: no chance to tidy up.
pub(crate) struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    /// Kept open for as long as the process runs.
    helper: Option<Helper>,
}

impl Process {
    /// Starts a process whose standard output is read by [`Self::next_line`].
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let started = command.stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| {
            let program = command.get_program().display();
            Failure::new(
                format!("{program} cannot be started: {error}"),
                "give the program with --wardkey PATH",
            )
        })?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self {
            child,
            output,
            helper: None,
        })
    }

    /// The next line of standard output for which `read` has an answer.
    pub(crate) fn next_line<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T, Failure> {
        let lines = self.output.iter_mut().flat_map(BufRead::lines);
        for line in lines {
            if let Some(answer) = read(&line?) {
                return Ok(answer);
            }
        }
        Err(Failure::new(
            "the process to be measured ended before it was ready",
            "start it by hand and see what it says; another program may use its port",
        ))
    }

    /// Waits until it has ended by itself, and well; what it still prints is of no interest.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        if let Some(output) = &mut self.output {
            io::copy(output, &mut io::sink())?;
        }
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(
            format!("a command of wardkey fails: {status}"),
            "run it by hand and see what it says",
        ))
    }

    /// Keeps the helper that the process talks to.
    pub(crate) fn keep(&mut self, helper: Helper) {
        self.helper = Some(helper);
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(id, Signal::TERM).map_err(io::Error::from)?;
        }
        self.child.wait()?;
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program again, in another role.
pub(crate) fn this_program(role: &str) -> Result<Command, Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--role", role]);
    Ok(command)
}

/// A folder on the disk where this program lies: a temporary folder may be in memory, where nothing is durable.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Result<Self, Failure> {
        let beside = env::current_exe()?.with_file_name(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&beside)?;
        Ok(Self(beside))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in the target folder and harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

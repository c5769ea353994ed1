//! `wardkey up` started as root: this process becomes the helper, and starts the key process as the user.
//!
//! Ctrl-C reaches both processes from the terminal; only the key process acts on it. Requests to end are handed
//! on to the key process, and this process ends when the key process has ended, with its exit code.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::helper::{Service, serve};
use super::user::User;
use super::{Error, control_pair, this_program};

/// What the shell adds to the number of a signal that ended a program.
const ENDED_BY_SIGNAL: i32 = 128;

/// How to start the key process.
#[derive(Debug)]
pub(crate) struct KeyProcess {
    /// `--user`.
    pub(crate) user: Option<String>,
    /// What it is started with: among it, that its helper is on standard input.
    pub(crate) arguments: Vec<OsString>,
}

/// Starts the key process, serves it, and returns its exit code.
pub(crate) fn run(key_process: KeyProcess) -> Result<u8, Error> {
    let KeyProcess { user, arguments } = key_process;
    let user = User::choose(user.as_deref(), |name| std::env::var_os(name), User::look_up)?;
    let mut command = Command::new(this_program()?);
    // With the user id set, supplementary groups are dropped as well.
    command.args(arguments).uid(user.uid).gid(user.gid).env_clear();
    command.envs(user.environment(|name| std::env::var_os(name), Path::new("/")));
    supervise(command, &mut Service::of_this_machine())
}

fn supervise(mut command: Command, service: &mut Service) -> Result<u8, Error> {
    let (control, key_end): (OwnedFd, OwnedFd) = control_pair()?;
    // Before the key process exists, so that no signal can end this process and leave that one alone.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::Control)?;
    let started = command.stdin(Stdio::from(key_end)).spawn();
    let program = || command.get_program().to_string_lossy().into_owned();
    let mut child = started.map_err(|cause| Error::Start {
        program: program(),
        cause,
    })?;
    let forwarder = Forwarder::start(signals, &child)?;
    // The key process alone has its end of the socket now.
    drop(command);
    serve(control.as_fd(), service);
    drop(control);
    let status = wait(&mut child, &forwarder).map_err(Error::Control)?;
    Ok(exit_code(status))
}

fn wait(child: &mut Child, forwarder: &Forwarder) -> std::io::Result<ExitStatus> {
    let _ended = rustix::process::waitid(
        rustix::process::WaitId::Pid(pid_of(child)?),
        rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
    );
    // Until it is reaped its number is its own; after that, nothing may be sent to it.
    forwarder.stop();
    child.wait()
}

fn pid_of(child: &Child) -> std::io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// Hands signals on to the key process, as long as it runs.
struct Forwarder {
    is_running: Arc<Mutex<bool>>,
}

impl Forwarder {
    fn start(mut signals: Signals, child: &Child) -> Result<Self, Error> {
        let pid = pid_of(child).map_err(Error::Control)?;
        let is_running = Arc::new(Mutex::new(true));
        let forwarder = Self {
            is_running: Arc::clone(&is_running),
        };
        let forward = move || {
            for signal in signals.forever() {
                let running = is_running.lock().unwrap_or_else(PoisonError::into_inner);
                if *running && let Some(signal) = to_hand_on(signal) {
                    // It may have ended, but it is not reaped while the lock is held.
                    let _ended = kill_process(pid, signal);
                }
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(forward)
            .map_err(Error::Control)?;
        Ok(forwarder)
    }

    fn stop(&self) {
        *self.is_running.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

fn to_hand_on(signal: i32) -> Option<Signal> {
    match signal {
        SIGTERM => Some(Signal::TERM),
        SIGHUP => Some(Signal::HUP),
        SIGINT if !is_in_foreground() => Some(Signal::INT),
        _ => None,
    }
}

/// In the foreground of a terminal, Ctrl-C has reached the key process as well.
fn is_in_foreground() -> bool {
    std::fs::File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| Some(status.signal()?.saturating_add(ENDED_BY_SIGNAL)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::sysfs::tests::{FREE, FakeSysfs};
    use super::*;
    use crate::prompt::testing::wait_for;

    /// Supervises `sh -c script` in a process of its own, because signal handlers are for whole processes.
    fn supervisor(script: &str, result: &Path) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "attach::as_root::tests::supervises"])
            .env("WARDKEY_TEST_SCRIPT", script)
            .env("WARDKEY_TEST_RESULT", result)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    #[ignore = "run by the tests below, in a process of its own"]
    fn supervises() {
        let fake = FakeSysfs::with(FREE);
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(std::env::var_os("WARDKEY_TEST_SCRIPT").unwrap());
        let code = supervise(command, &mut Service::for_tests(fake.vhci())).unwrap();
        std::fs::write(std::env::var_os("WARDKEY_TEST_RESULT").unwrap(), code.to_string()).unwrap();
    }

    fn result_of(script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let result = folder.path().join("result");
        assert!(supervisor(script, &result).wait().unwrap().success());
        std::fs::read_to_string(result).unwrap()
    }

    #[test]
    fn the_exit_code_is_the_key_process_s() {
        assert_eq!(result_of("exit 0"), "0");
        assert_eq!(result_of("exit 7"), "7");
        assert_eq!(result_of("kill -9 $$"), "137");
    }

    #[test]
    fn requests_to_end_are_handed_on_and_waited_for() {
        for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
            let folder = tempfile::tempdir().unwrap();
            let (ready, result): (PathBuf, PathBuf) =
                (folder.path().join("ready"), folder.path().join("result"));
            let script = format!(
                "trap 'exit 5' TERM HUP INT; echo > {}; while true; do sleep 0.05; done",
                ready.display()
            );
            let mut supervisor = supervisor(&script, &result);
            wait_for(|| ready.exists());
            kill_process(pid_of(&supervisor).unwrap(), signal).unwrap();
            assert!(supervisor.wait().unwrap().success());
            assert_eq!(std::fs::read_to_string(&result).unwrap(), "5", "{signal:?}");
        }
    }
}

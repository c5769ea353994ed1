//! Attaches the key to this machine: one end of a socket goes to the kernel's virtual USB host controller.
//!
//! Only root may do that, and the process that holds keys never runs as root. So there are two processes, joined
//! by a socket: one runs as root and holds no keys ([`helper`]);
//! [`Helper`] is the key process's side of it.
//! Either the key process starts the helper through sudo or pkexec ([`launch`]), or wardkey was started as root
//! and starts the key process as the user ([`as_root`]).

pub(crate) mod as_root;
pub(crate) mod helper;
mod launch;
mod protocol;
pub(crate) mod sysfs;
mod user;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair, sockopt};
use rustix::process::{Pid, PidfdFlags, geteuid, pidfd_open};

pub(crate) use self::protocol::Problem;
use self::protocol::{Reply, Request, receive_reply, send_request};
pub(crate) use self::sysfs::PortNumber;
use crate::readiness::is_ready_within;

/// How long the helper may take for a request. It may have to load a kernel module.
const REPLY_PATIENCE: Duration = Duration::from_secs(15);
/// How long the helper may take to end.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Why the key is not attached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("attaching a USB device needs root, and neither sudo nor pkexec can be used here")]
    NoWayToRoot,
    #[error("cannot start {program}: {cause}")]
    Start { program: String, cause: io::Error },
    #[error("the helper that attaches the key has ended{0}")]
    HelperEnded(String),
    #[error("cannot talk to the helper that attaches the key: {0}")]
    Control(#[source] io::Error),
    #[error("standard input is not the socket of a wardkey process")]
    NoControlSocket,
    #[error("{}: {detail}", summary(.problem))]
    Helper { problem: Problem, detail: String },
    #[error("there is no user named {0}")]
    UnknownUser(String),
    #[error("keys are never held by a process that runs as root")]
    NoUser,
}

impl Error {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoWayToRoot => "install sudo, or start it as root: wardkey up --user NAME",
            Self::Start { .. } => "run `wardkey doctor`",
            Self::HelperEnded(_) => {
                "check that `sudo -v` accepts your password, or start it as root: sudo wardkey up"
            }
            Self::Control(_) => "start `wardkey up` again",
            Self::NoControlSocket => {
                "`wardkey up` starts the helper by itself; where sudo records what is typed, start it as root: \
                 sudo wardkey up"
            }
            Self::Helper { problem, .. } => problem.hint(),
            Self::UnknownUser(_) => "give --user the name of an existing user",
            Self::NoUser => "start it as the user who owns the key, with sudo, or with --user NAME",
        }
    }
}

fn summary(problem: &Problem) -> &'static str {
    match problem {
        Problem::NotRoot => "the helper has no right to attach the key",
        Problem::NoModule => "the kernel has no virtual USB host controller (vhci_hcd)",
        Problem::NoFreePort => "the kernel has no free virtual USB port",
        Problem::Refused => "the kernel refused to attach the key",
        Problem::BadRequest => "the helper refused the request",
    }
}

impl Problem {
    fn hint(self) -> &'static str {
        match self {
            Self::NotRoot => "start it as root: sudo wardkey up",
            Self::NoModule => "run `wardkey doctor`: it says which package has the module",
            Self::NoFreePort => "detach a device: `usbip port` lists them, `usbip detach -p PORT` detaches",
            Self::Refused => "look at the end of `dmesg`, then start `wardkey up` again",
            Self::BadRequest => "start `wardkey up` again, with one version of wardkey only",
        }
    }
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// How the key process gets its helper.
#[derive(Debug)]
pub(crate) enum Start {
    /// Through sudo or pkexec, which may ask the user for a password.
    Launch,
    /// It is there already: it started this process, and standard input is the socket.
    OnStandardInput,
}

/// The key process's side: a helper that is ready to attach.
#[derive(Debug)]
pub(crate) struct Helper {
    control: OwnedFd,
    /// What started the helper, for as long as the helper is not known to be ready.
    starter: Option<Child>,
}

impl Helper {
    /// Waits until the helper is ready, which may be until the user has given a password.
    pub(crate) fn start(start: Start) -> Result<Self, Error> {
        let mut helper = match start {
            Start::Launch => launch::launch()?,
            Start::OnStandardInput => {
                let control = take_standard_input().map_err(Error::Control)?;
                Self {
                    control,
                    starter: None,
                }
            }
        };
        helper.request(&Request::Probe)?;
        if let Some(mut starter) = helper.starter.take() {
            wait_within(&mut starter, END_PATIENCE);
        }
        let patience = Some(REPLY_PATIENCE);
        let limited = sockopt::set_socket_timeout(&helper.control, sockopt::Timeout::Recv, patience);
        limited.map_err(|error| Error::Control(error.into()))?;
        Ok(helper)
    }

    /// Attaches the device that speaks at the other end of `device_end`'s socket pair. The kernel has dropped it
    /// again when that other end reads as ended; closing it unplugs the device.
    pub(crate) fn attach(&mut self, device_end: OwnedFd) -> Result<PortNumber, Error> {
        match self.request(&Request::Attach(device_end))? {
            Reply::Attached(port) => Ok(port),
            Reply::Ready { .. } | Reply::Detached | Reply::Failed(..) => Err(wrong_reply()),
        }
    }

    /// Unplugs it.
    pub(crate) fn detach(&mut self, port: PortNumber) -> Result<(), Error> {
        match self.request(&Request::Detach(port))? {
            Reply::Detached => Ok(()),
            Reply::Ready { .. } | Reply::Attached(_) | Reply::Failed(..) => Err(wrong_reply()),
        }
    }

    /// After an error the conversation is over: a late reply must not be taken for that to another request.
    fn request(&mut self, request: &Request) -> Result<Reply, Error> {
        let replied =
            send_request(self.control.as_fd(), request).and_then(|()| receive_reply(self.control.as_fd()));
        match replied {
            Ok(Some(Reply::Failed(problem, detail))) => Err(Error::Helper { problem, detail }),
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.ended()),
            Err(error) if has_gone(&error) => Err(self.ended()),
            Err(error) => {
                self.close();
                Err(Error::Control(error))
            }
        }
    }

    fn ended(&mut self) -> Error {
        let starter = self.starter.as_mut();
        let failed = starter
            .and_then(|child| wait_within(child, END_PATIENCE))
            .filter(|status| !status.success());
        Error::HelperEnded(failed.map_or_else(String::new, |status| format!(" ({status})")))
    }

    fn close(&self) {
        // Fails only when the helper has gone already.
        let _gone = shutdown(&self.control, Shutdown::Both);
    }
}

impl Drop for Helper {
    /// The helper ends when its socket closes. Standard input may be a copy of it.
    fn drop(&mut self) {
        self.close();
        if let Some(starter) = self.starter.as_mut() {
            wait_within(starter, END_PATIENCE);
        }
    }
}

/// Standard input, which is nothing afterwards: other programs that this process starts must not get it.
fn take_standard_input() -> io::Result<OwnedFd> {
    let taken = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(taken)
}

/// The other side closed its socket, perhaps without having read what was sent.
fn has_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn wrong_reply() -> Error {
    Error::Control(io::ErrorKind::InvalidData.into())
}

/// How the process ended, if it does within `patience`.
fn wait_within(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    if let Ok(Some(status)) = child.try_wait() {
        return Some(status);
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    let ended = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    is_ready_within(ended.as_fd(), patience).ok()?;
    child.try_wait().ok().flatten()
}

/// The two ends of a conversation with a helper.
fn control_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|error| Error::Control(error.into()))
}

/// This program, to be started once more.
fn this_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|cause| Error::Start {
        program: "wardkey".to_owned(),
        cause,
    })
}

#[cfg(test)]
mod tests;

//! When the vault locks without being asked to: after some time without use ([`idle`]), when the computer goes to sleep,
//! and when the session is locked ([`watcher`]).
//!
//! This only says when. The event loop locks.

pub(crate) mod idle;
mod logind;
mod watcher;

use std::fmt;
use std::io;

pub(crate) use self::logind::SleepDelay;
use crate::bus::Bus;
use crate::cli::locking::LockEvent;
use crate::wake::Waker;

/// Why the vault locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockReason {
    /// The user said so.
    Asked,
    /// It was not used for some time.
    Idle,
    /// The computer goes to sleep.
    Suspend,
    /// The session of the user was locked.
    SessionLocked,
}

impl LockReason {
    /// For programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Idle => "idle",
            Self::Suspend => "suspend",
            Self::SessionLocked => "session",
        }
    }
}

/// For people.
impl fmt::Display for LockReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "you asked for it",
            Self::Idle => "it was not used for some time",
            Self::Suspend => "the computer goes to sleep",
            Self::SessionLocked => "the session was locked",
        })
    }
}

/// The vault is to be locked now.
pub(crate) struct LockOrder {
    pub(crate) reason: LockReason,
    /// What keeps the computer from sleeping, if anything does. It is dropped once the vault is locked, or when nobody is
    /// there to lock it.
    pub(crate) sleep_delay: Option<SleepDelay>,
}

/// Has the event loop told of `events`, for as long as the process runs.
pub(crate) fn watch_this_computer(events: Vec<LockEvent>, waker: Waker) -> io::Result<()> {
    watcher::start(Bus::System, events, waker)
}

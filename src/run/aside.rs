//! The key stands aside: a command of its owner has the state folder, and the key has nothing of it. Hosts notice nothing but
//! that the key takes its time.
//!
//! Who has the folder is decided by the lock in it alone. That the command asks back, or that its connection ends, is when
//! the key tries to get that lock; the command may have been killed, and the kernel may not be done with it.

use std::sync::Arc;
use std::time::Duration;

use wardkey_transport::time::Instant;
use wardkey_vault::LockCause;

use super::Daemon;
use crate::commands_socket::stays_locked;
use crate::control::Answer;
use crate::error::Failure;
use crate::prompt::EnteredPin;
use crate::prompt::text::visible;
use crate::state::{Error, Folder, Held, State};
use crate::unlock::{self, Unlocker};

/// Until it is looked whether the folder is free; twice as long each time.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(10);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);
/// More than the name of a command has, in characters.
const COMMAND_LEN_MAX: usize = 40;

/// Whether the key has its state folder.
pub(crate) enum Standing {
    /// It has.
    Here,
    /// A Vault PIN is being tried. Then the command gets the folder.
    Claimed(Claim),
    /// The command has it.
    Aside {
        claim: Claim,
        folder: Arc<Folder>,
        /// The vault was open before, and nothing has locked it since.
        was_open: bool,
    },
    /// The command has ended, and the folder is not free yet.
    Returning {
        claim: Claim,
        folder: Arc<Folder>,
        look_at: Instant,
        pause: Duration,
    },
}

/// A command that wants the state folder.
pub(crate) struct Claim {
    connection: u64,
    command: String,
}

impl Claim {
    /// What the command says of itself is shown to its owner.
    pub(crate) fn new(connection: u64, command: &str, process: u32) -> Self {
        let name: String = visible(command).chars().take(COMMAND_LEN_MAX).collect();
        Self {
            connection,
            command: format!("wardkey {name} (process {process})"),
        }
    }
}

impl Standing {
    /// The command for which the key stands aside, or is about to.
    pub(crate) fn command(&self) -> Option<&str> {
        match self {
            Self::Here => None,
            Self::Claimed(claim) | Self::Aside { claim, .. } | Self::Returning { claim, .. } => {
                Some(&claim.command)
            }
        }
    }

    /// Whether the folder was left to the command on this connection.
    pub(crate) fn is_aside_for(&self, connection: u64) -> bool {
        matches!(self, Self::Aside { claim, .. } if claim.connection == connection)
    }

    /// When the folder is to be looked at.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Returning { look_at, .. } => Some(*look_at),
            Self::Here | Self::Claimed(_) | Self::Aside { .. } => None,
        }
    }

    /// Something would have locked the vault.
    pub(super) fn stay_locked(&mut self) {
        if let Self::Aside { was_open, .. } = self {
            *was_open = false;
        }
    }
}

impl Daemon {
    /// A command wants the state folder. What is tried at the moment is tried to its end: it was counted in the vault.
    pub(super) fn claimed(&mut self, now: Instant, claim: Claim) {
        if self.unlocker.as_ref().is_some_and(Unlocker::is_busy) {
            self.standing = Standing::Claimed(claim);
        } else {
            self.stand_aside(now, claim);
        }
    }

    /// A Vault PIN was tried to the end.
    pub(super) fn settle_claim(&mut self, now: Instant) {
        if let Standing::Claimed(_) = self.standing
            && let Standing::Claimed(claim) = std::mem::replace(&mut self.standing, Standing::Here)
        {
            self.stand_aside(now, claim);
        }
    }

    fn stand_aside(&mut self, now: Instant, claim: Claim) {
        let was_open = self.close_vault(now, LockCause::Asked);
        let is_aside = self.device.stand_aside(now);
        self.handle_events(now);
        let Some(unlocker) = self.unlocker.take_if(|_| is_aside) else {
            let reason = "the vault failed, and wardkey has to be started again".to_owned();
            return self.answer(claim.connection, &Answer::Failed { reason });
        };
        let folder = unlocker.release();
        self.disk = None;
        if was_open {
            // A vault that was not used for so long would have been locked.
            self.idle.used(now);
        }
        self.log.stands_aside(&claim.command);
        self.answer(claim.connection, &Answer::StandsAside { was_open });
        self.standing = Standing::Aside {
            claim,
            folder,
            was_open,
        };
    }

    /// The command is done with the state folder, and knows the Vault PIN or not.
    pub(super) fn come_back(&mut self, now: Instant, pin: Option<EnteredPin>) {
        let Standing::Aside {
            claim,
            folder,
            was_open,
        } = std::mem::replace(&mut self.standing, Standing::Here)
        else {
            return;
        };
        let connection = claim.connection;
        let State { mut locked, held } = match State::open_again(&folder) {
            Ok(state) => state,
            Err(error) => {
                let reason = error.to_string();
                self.answer(connection, &Answer::Failed { reason });
                return self.not_back(now, (claim, folder), LOOK_AGAIN_MIN, error);
            }
        };
        let mut unlocker = self.unlocker_with(held);
        let tried = pin
            .filter(|_| was_open)
            .map(|pin| unlocker.try_pin(&mut locked, pin, unlock::From::Command(connection)));
        self.unlocker = Some(unlocker);
        self.device.come_back(Some(locked));
        self.back();
        match tried {
            // What waits goes on when it is known whether the vault is open.
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                self.device.go_on(now);
                self.answer(connection, &stays_locked(&reason, &reason.hint()));
            }
            None => {
                self.device.go_on(now);
                self.answer(connection, &Answer::Locked);
            }
        }
    }

    /// The connection of a command has ended.
    pub(super) fn command_ended(&mut self, now: Instant, connection: u64) {
        let standing = std::mem::replace(&mut self.standing, Standing::Here);
        self.standing = match standing {
            Standing::Claimed(claim) if claim.connection == connection => Standing::Here,
            Standing::Aside { claim, folder, .. } if claim.connection == connection => Standing::Returning {
                claim,
                folder,
                look_at: now,
                pause: LOOK_AGAIN_MIN,
            },
            unchanged @ (Standing::Here
            | Standing::Claimed(_)
            | Standing::Aside { .. }
            | Standing::Returning { .. }) => unchanged,
        };
    }

    /// Takes the state folder back when it is time to look.
    pub(super) fn take_back(&mut self, now: Instant) {
        if self.standing.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        let Standing::Returning {
            claim, folder, pause, ..
        } = std::mem::replace(&mut self.standing, Standing::Here)
        else {
            return;
        };
        match State::open_again(&folder) {
            Ok(State { locked, held }) => {
                self.unlocker = Some(self.unlocker_with(held));
                self.device.come_back(Some(locked));
                self.back();
                self.device.go_on(now);
            }
            Err(error) => self.not_back(now, (claim, folder), pause, error),
        }
    }

    /// The state folder cannot be had. Somebody who has it, because they took it in the moment between, is waited for.
    fn not_back(
        &mut self,
        now: Instant,
        (claim, folder): (Claim, Arc<Folder>),
        pause: Duration,
        error: Error,
    ) {
        let longer = LOOK_AGAIN_MAX.min(pause * 2);
        let is_in_use = matches!(error, Error::InUse { .. });
        // Once, and not for one who is just about to end.
        if !is_in_use || (pause < LOOK_AGAIN_MAX && longer == LOOK_AGAIN_MAX) {
            let failure = Failure::from(error);
            self.log.problem(&format!(
                "the state folder cannot be taken back: {failure}. hint: {}",
                failure.hint()
            ));
        }
        if is_in_use {
            self.standing = Standing::Returning {
                claim,
                folder,
                look_at: now + pause,
                pause: longer,
            };
        } else {
            self.device.come_back(None);
            self.device.go_on(now);
        }
    }

    fn unlocker_with(&mut self, held: Held) -> Unlocker {
        self.disk = Some(held.disk());
        Unlocker::new(held, self.waker.clone())
    }

    fn back(&mut self) {
        self.idle.locked();
        self.log.is_back();
    }
}

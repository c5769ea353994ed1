//! One connection of another `wardkey` command to the running key: lines in, a line out for each.

use std::fmt;

use wardkey_authenticator::Device;
use zeroize::{Zeroize as _, Zeroizing};

use crate::control::{self, Answer, Request, SyncAction};
use crate::prompt::EnteredPin;
use crate::run::{Claim, Standing};
use crate::sync::{self, Exchange};
use crate::unlock::{From, TRY_AGAIN, Unlocker};

/// The longest request, in bytes.
const LINE_LEN_MAX: usize = 4 * 1024;

/// A client and what it is owed.
pub(crate) struct Commands {
    /// Never moved: a Vault PIN may be in it, and leaves no copy behind.
    input: Zeroizing<Vec<u8>>,
    output: Vec<u8>,
    written: usize,
    /// A Vault PIN is being tried; the answer comes later.
    is_waiting: bool,
}

/// What answers a command.
pub(crate) struct Desk<'a> {
    pub(crate) device: &'a mut Device,
    pub(crate) unlocker: Option<&'a mut Unlocker>,
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) standing: &'a Standing,
    /// The number of the connection.
    pub(crate) connection: u64,
    /// Something that only the event loop can do. It does it before it writes an answer.
    pub(crate) wanted: Option<Wanted>,
}

/// What a command wants of the event loop.
pub(crate) enum Wanted {
    /// The vault is to be locked.
    Lock,
    /// The state folder is to be left to the command; that is answered.
    StandAside(Claim),
    /// The state folder is to be taken back, and the vault opened with this Vault PIN; that is answered.
    ComeBack(Option<EnteredPin>),
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            input: Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX)),
            output: Vec::new(),
            written: 0,
            is_waiting: false,
        }
    }
}

impl Commands {
    /// Answers every whole line. An error ends the connection.
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Result<(), String> {
        for byte in bytes {
            if *byte != b'\n' {
                if self.input.len() >= LINE_LEN_MAX {
                    return Err(format!("a request is longer than {LINE_LEN_MAX} bytes"));
                }
                self.input.push(*byte);
                continue;
            }
            if self.is_waiting {
                return Err("a request came before the answer to the last one".to_owned());
            }
            let line = str::from_utf8(&self.input).map_err(|_| "the request is not text".to_owned())?;
            let answer = desk.handle_line(line.trim_end());
            self.input.zeroize();
            match answer {
                Some(answer) => self.answer(&answer),
                None => self.is_waiting = true,
            }
        }
        Ok(())
    }

    /// The answer to the last request.
    pub(crate) fn answer(&mut self, answer: &Answer) {
        self.is_waiting = false;
        self.output.extend_from_slice(answer.to_line().as_bytes());
    }

    /// Whether the client may ask for more: not before it has read what it asked for.
    pub(crate) fn wants_input(&self) -> bool {
        self.output().is_empty()
    }

    /// Bytes for the client.
    pub(crate) fn output(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// `count` bytes of [`Self::output`] were written.
    pub(crate) fn consume_output(&mut self, count: usize) {
        self.written += count;
        if self.output().is_empty() {
            self.output.clear();
            self.written = 0;
        }
    }
}

impl Desk<'_> {
    /// `None` where the answer comes later.
    fn handle_line(&mut self, line: &str) -> Option<Answer> {
        let request = match control::read(line) {
            Ok(request) => request,
            Err(answer) => return Some(answer),
        };
        if let Some(command) = self.standing.command() {
            return self.handle_aside(request, command);
        }
        match request {
            Request::Status => Some(Answer::Status(self.status())),
            Request::Unlock { vault_pin } => self.unlock(vault_pin.into_secret()),
            Request::Lock => Some(self.lock()),
            Request::Sync { first } => Some(self.sync(first)),
            Request::StandAside { command, process } => {
                let claim = Claim::new(self.connection, &command, process);
                self.wanted = Some(Wanted::StandAside(claim));
                None
            }
            Request::ComeBack { .. } => Some(Answer::Failed {
                reason: "the key does not stand aside".to_owned(),
            }),
            Request::List { .. }
            | Request::Delete { .. }
            | Request::Trash { .. }
            | Request::TakeBack { .. }
            | Request::Info
            | Request::AttestationRoot
            | Request::Log { .. } => Some(match self.device.authenticator_mut() {
                Some(authenticator) => control::handle(&request, authenticator),
                None => Answer::Locked,
            }),
        }
    }

    /// While a command has the state folder, or is about to.
    fn handle_aside(&mut self, request: Request, command: &str) -> Option<Answer> {
        match request {
            Request::Status => Some(Answer::Status(self.status())),
            Request::Lock => Some(self.lock()),
            Request::ComeBack { vault_pin } if self.standing.is_aside_for(self.connection) => {
                let pin = vault_pin.and_then(|pin| EnteredPin::new(pin.into_secret()));
                self.wanted = Some(Wanted::ComeBack(pin));
                None
            }
            Request::List { .. }
            | Request::Delete { .. }
            | Request::Trash { .. }
            | Request::TakeBack { .. }
            | Request::Info
            | Request::AttestationRoot
            | Request::Log { .. }
            | Request::Unlock { .. }
            | Request::Sync { .. }
            | Request::StandAside { .. }
            | Request::ComeBack { .. } => Some(Answer::StandsAsideFor {
                command: command.to_owned(),
            }),
        }
    }

    fn sync(&mut self, first: Option<SyncAction>) -> Answer {
        let Some(authenticator) = self.device.authenticator_mut() else {
            return Answer::Locked;
        };
        let mut driver = self.exchange.driver_mut();
        match (&mut driver, first) {
            (Some(driver), Some(SyncAction::Now)) => driver.now(),
            (Some(driver), Some(SyncAction::Heal)) => driver.heal(),
            (None, _) | (_, None) => {}
        }
        match sync::report(authenticator.vault(), driver.as_deref()) {
            Ok(status) => Answer::Sync(Box::new(status)),
            Err(failure) => Answer::Failed {
                reason: failure.to_string(),
            },
        }
    }

    fn status(&mut self) -> control::Status {
        let wrong_pins = self.device.locked_mut().map(|locked| locked.wrong_pins());
        let pin_generation = self.device.vault_pin_generation();
        control::Status {
            process: Some(std::process::id()),
            vault: if self.device.authenticator_mut().is_some() {
                control::VaultState::Open
            } else {
                control::VaultState::Locked
            },
            wrong_pins: wrong_pins.unwrap_or(0),
            pin_generation,
            stands_aside_for: self.standing.command().map(str::to_owned),
        }
    }

    fn unlock(&mut self, pin: Zeroizing<String>) -> Option<Answer> {
        if self.device.authenticator_mut().is_some() {
            return Some(Answer::Unlocked);
        }
        let (Some(locked), Some(unlocker)) = (self.device.locked_mut(), self.unlocker.as_mut()) else {
            return Some(stays_locked(&"the vault failed", "start wardkey again"));
        };
        let Some(pin) = EnteredPin::new(pin) else {
            return Some(stays_locked(&"no Vault PIN was given", TRY_AGAIN));
        };
        let tried = unlocker.try_pin(locked, pin, From::Command(self.connection));
        tried.err().map(|error| stays_locked(&error, &error.hint()))
    }

    fn lock(&mut self) -> Answer {
        self.wanted = Some(Wanted::Lock);
        Answer::Locked
    }
}

pub(crate) fn stays_locked(reason: &dyn fmt::Display, hint: &str) -> Answer {
    Answer::StaysLocked {
        reason: reason.to_string(),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;

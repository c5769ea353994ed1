//! The authenticator while somebody else has its vault: a command of the person who owns it, which changes who can open it.
//! Nothing of the vault is here meanwhile. What needs nothing of it is answered as while it is locked (`locked.rs`);
//! everything else waits until it is back, locked, and is then handled from the start.
//!
//! U2F has no way to say that it takes a while. Who wants to register or to sign hears "not yet" and asks again. A check of
//! a key handle has no such answer: both that it is ours and that it is not might be wrong, so it fails.

use wardkey_vault::Locked;

use crate::authenticator::{Authenticator, outcome};
use crate::command::Command;
use crate::gesture::{Gesture, Outcome, Pending};
use crate::state::State;
use crate::without_vault::Begun;

/// In the place of a vault that somebody else has.
pub struct Away(());

/// What became of a request.
#[must_use]
pub enum AwayOutcome {
    /// The answer.
    Done(Vec<u8>),
    /// The user must act first.
    NeedsGesture(Pending),
    /// The vault must be back first. Then the request is handled from the start.
    Waits,
}

impl Authenticator<Locked> {
    /// Gives the vault away.
    pub fn stand_aside(self) -> (Locked, Authenticator<Away>) {
        self.replace_vault(Away(()))
    }
}

impl Authenticator<Away> {
    /// Takes the vault back, as others have left it. What the authenticator knows besides stays as it is.
    pub fn come_back(self, vault: Locked) -> Authenticator<Locked> {
        let state = State::known_while_locked(&vault);
        Authenticator {
            state,
            ..self.replace_vault(vault).1
        }
    }

    /// Takes a CTAPHID_CBOR request.
    pub fn handle_cbor(&mut self, request: &[u8]) -> AwayOutcome {
        let begun =
            Command::decode(request, &self.config).and_then(|command| self.begin_without_vault(command));
        let step = match begun {
            Ok(Begun::NeedsVault(_)) => return AwayOutcome::Waits,
            Ok(Begun::Step(step)) => Ok(step),
            Err(status) => Err(status),
        };
        match outcome(step) {
            Outcome::Done(bytes) => AwayOutcome::Done(bytes),
            Outcome::NeedsGesture(pending) => AwayOutcome::NeedsGesture(pending),
        }
    }

    /// Goes on after the user's gesture.
    pub fn resume(&mut self, pending: Pending, gesture: Gesture) -> Vec<u8> {
        self.resume_without_vault(pending, gesture)
    }
}

#[cfg(test)]
mod tests;

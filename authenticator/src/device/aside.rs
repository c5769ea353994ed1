//! While somebody else has the vault: what the key was asked meanwhile waits for its return.

use std::time::Duration;

use wardkey_transport::ctaphid::Status;
use wardkey_transport::time::Instant;
use wardkey_vault::Locked;

use super::{Device, Event, UNLOCK_TIMEOUT, Waiting};

/// How long a command may wait for a vault that somebody else has.
pub const AWAY_TIMEOUT: Duration = UNLOCK_TIMEOUT;

impl Device {
    /// Gives the vault away, so that somebody else can have its files; an open one is locked first. A command that waits
    /// for the Vault PIN waits for the vault instead. `false` where there is no vault to give away.
    pub fn stand_aside(&mut self, now: Instant) -> bool {
        if self.authenticator_mut().is_some() {
            self.lock(now);
        }
        if !self.machine.stand_aside() {
            return false;
        }
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Vault {
                id, message, arrived, ..
            } => {
                self.events.push_back(Event::Withdraw(id));
                self.wait_for_return(now, message, arrived);
            }
            poll @ Waiting::Poll { .. } => self.withdraw(&poll),
            unchanged @ (Waiting::Nothing | Waiting::Command { .. } | Waiting::Return { .. }) => {
                self.waiting = unchanged;
            }
        }
        self.pump(now);
        true
    }

    /// The vault is back, locked, as somebody else has left it; or it will never be, and nothing works any more. What
    /// waits goes on with [`Self::go_on`], or when the vault is opened.
    pub fn come_back(&mut self, vault: Option<Locked>) {
        self.machine.come_back(vault);
        self.link.set_u2f(self.machine.is_u2f_allowed());
    }

    /// Begins with a command that has waited until the vault is back.
    pub fn go_on(&mut self, now: Instant) {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Return { message, arrived, .. } => self.begin_again(now, arrived, &message),
            unchanged @ (Waiting::Nothing
            | Waiting::Command { .. }
            | Waiting::Vault { .. }
            | Waiting::Poll { .. }) => self.waiting = unchanged,
        }
        self.pump(now);
    }

    /// Nobody is asked meanwhile: the host hears that the key is at work.
    pub(super) fn wait_for_return(&mut self, now: Instant, message: Vec<u8>, arrived: Instant) {
        self.link.set_status(now, Status::Processing);
        self.waiting = Waiting::Return {
            message,
            arrived,
            deadline: now + AWAY_TIMEOUT,
        };
    }
}

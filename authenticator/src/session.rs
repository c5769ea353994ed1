//! What one command leaves for the next: the assertions that getNextAssertion may still fetch. `CTAP 2.3 §6`, `§6.3`.
//!
//! | command                              | nothing left | assertions left                            |
//! | ------------------------------------ | ------------ | ------------------------------------------ |
//! | getNextAssertion                     | NOT_ALLOWED  | the next one; NOT_ALLOWED 30 s after the last |
//! | getInfo, and all of U2F              | -            | stay                                       |
//! | every other CTAP2 command            | -            | forgotten                                  |
//! | power cycle                          | -            | forgotten                                  |
//!
//! Nothing is bound to a channel: some clients open a new one for every command.

use core::time::Duration;
use std::vec;

use wardkey_transport::time::Instant;
use wardkey_vault::{CredentialId, RpIdHash};

use crate::command::Command;
use crate::entity::ClientDataHash;
use crate::gesture::Evidence;
use crate::status::StatusCode;

/// How long after an assertion the next one may be fetched.
const NEXT_ASSERTION_TIMEOUT: Duration = Duration::from_secs(30);

/// What every assertion of one getAssertion has in common.
pub(crate) struct Assertion {
    pub(crate) rp_id_hash: RpIdHash,
    pub(crate) client_data_hash: ClientDataHash,
    pub(crate) evidence: Evidence,
}

/// What one command leaves for the next.
#[derive(Default)]
pub(crate) enum Session {
    /// Nothing.
    #[default]
    Idle,
    /// Assertions that have not been fetched.
    Assertions(Assertions),
}

/// Assertions that have not been fetched.
pub(crate) struct Assertions {
    assertion: Assertion,
    credentials: vec::IntoIter<CredentialId>,
    last_fetched: Instant,
}

impl Session {
    /// Forgets what `command` does not continue.
    pub(crate) fn observe(&mut self, command: &Command) {
        match command {
            Command::GetNextAssertion | Command::GetInfo => {}
            Command::MakeCredential(_) | Command::GetAssertion(_) | Command::Reset | Command::Selection => {
                *self = Self::Idle;
            }
        }
    }

    /// Keeps the credentials that a first assertion left over.
    pub(crate) fn keep(
        &mut self,
        now: Instant,
        assertion: Assertion,
        credentials: vec::IntoIter<CredentialId>,
    ) {
        *self = Self::Assertions(Assertions {
            assertion,
            credentials,
            last_fetched: now,
        });
    }

    /// What the next assertion is about, and with which credential. `CTAP 2.3 §6.3 steps 1 to 4 and 7`.
    pub(crate) fn next_assertion(&mut self, now: Instant) -> Result<(&Assertion, CredentialId), StatusCode> {
        if !self.is_live(now) {
            *self = Self::Idle;
        }
        let Self::Assertions(assertions) = self else {
            return Err(StatusCode::NOT_ALLOWED);
        };
        let credential = assertions.credentials.next().ok_or(StatusCode::NOT_ALLOWED)?;
        assertions.last_fetched = now;
        Ok((&assertions.assertion, credential))
    }

    fn is_live(&self, now: Instant) -> bool {
        match self {
            Self::Idle => false,
            Self::Assertions(assertions) => {
                now.saturating_duration_since(assertions.last_fetched) <= NEXT_ASSERTION_TIMEOUT
            }
        }
    }
}

//! What one command leaves for the next: assertions that getNextAssertion may still fetch, a list that credential
//! management walks, a large-blob array that is being written. `CTAP 2.3 §6`, `§6.3`.
//!
//! | command                              | with its own left-over            | with another's, or none |
//! | ------------------------------------ | --------------------------------- | ----------------------- |
//! | getNextAssertion, enumerate…GetNext… | the next one; NOT_ALLOWED 30 s after the last, or when its token has ended | NOT_ALLOWED |
//! | largeBlobs with the next fragment    | goes on                           | INVALID_SEQ             |
//! | getInfo, and all of U2F              | stays                             | stays                   |
//! | every other CTAP2 command, power cycle | forgotten                       | forgotten               |
//!
//! A request that does not decode is no command: it leaves everything as it was.
//!
//! Nothing is bound to a channel: some clients open a new one for every command.

use core::time::Duration;
use std::vec;

use wardkey_transport::time::Instant;
use wardkey_vault::{CredentialId, RpIdHash};

use crate::command::Command;
use crate::commands::credential_management::Subcommand;
use crate::entity::{ClientDataHash, RpId};
use crate::extensions::Wanted;
use crate::gesture::Evidence;
use crate::pin::token::Token;
use crate::status::StatusCode;

/// How long after one step the next one may follow.
const CONTINUATION_TIMEOUT: Duration = Duration::from_secs(30);

/// What every assertion of one getAssertion has in common.
pub(crate) struct Assertion {
    pub(crate) rp_id: RpId,
    pub(crate) rp_id_hash: RpIdHash,
    pub(crate) client_data_hash: ClientDataHash,
    pub(crate) evidence: Evidence,
    pub(crate) wanted: Wanted,
    pub(crate) has_allow_list: bool,
}

/// What one command leaves for the next.
#[derive(Default)]
pub(crate) enum Session {
    /// Nothing.
    #[default]
    Idle,
    /// Assertions that have not been fetched.
    Assertions(Box<Assertions>),
    /// Relying parties, and the last one that was told.
    RelyingParties(Walk<RpIdHash>),
    /// Credentials of a relying party that have not been told.
    Credentials(Walk<vec::IntoIter<CredentialId>>),
    /// A large-blob array of which the end is missing.
    LargeBlobWrite(LargeBlobWrite),
}

/// Assertions that have not been fetched: what they have in common, and whose they are.
pub(crate) struct Assertions {
    assertion: Assertion,
    credentials: vec::IntoIter<CredentialId>,
    continuation: Continuation,
}

/// A large-blob array of which the end is missing.
pub(crate) struct LargeBlobWrite {
    pub(crate) buffer: Vec<u8>,
    pub(crate) expected: usize,
}

/// How long a list may be walked, and on whose authority.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Continuation {
    last_step: Instant,
    needs_token: bool,
}

/// A list of which a part was told.
pub(crate) struct Walk<T> {
    rest: T,
    continuation: Continuation,
}

impl Continuation {
    pub(crate) fn new(now: Instant, needs_token: bool) -> Self {
        Self {
            last_step: now,
            needs_token,
        }
    }

    pub(crate) fn after<T>(self, rest: T) -> Walk<T> {
        Walk {
            rest,
            continuation: self,
        }
    }

    /// What holds after one more step, if that comes in time and the token that allowed the first is still in use.
    fn go_on(self, now: Instant, token: &mut Token) -> Result<Self, StatusCode> {
        let Self {
            last_step,
            needs_token,
        } = self;
        let in_time = now.saturating_duration_since(last_step) <= CONTINUATION_TIMEOUT;
        if in_time && (!needs_token || token.is_in_use(now)) {
            Ok(Self::new(now, needs_token))
        } else {
            Err(StatusCode::NOT_ALLOWED)
        }
    }
}

impl<T> Walk<T> {
    /// What is left, if one more step is allowed.
    pub(crate) fn go_on(self, now: Instant, token: &mut Token) -> Result<(T, Continuation), StatusCode> {
        let Self { rest, continuation } = self;
        Ok((rest, continuation.go_on(now, token)?))
    }
}

impl Session {
    /// Forgets what `command` does not continue.
    pub(crate) fn observe(&mut self, command: &Command) {
        let stays = match (command, &self) {
            (Command::GetInfo, _) => true,
            (Command::GetNextAssertion, Self::Assertions(_)) => true,
            (Command::LargeBlobs(_), Self::LargeBlobWrite(_)) => true,
            (Command::CredentialManagement(request), Self::RelyingParties(_)) => {
                request.subcommand() == Subcommand::EnumerateRpsGetNextRp
            }
            (Command::CredentialManagement(request), Self::Credentials(_)) => {
                request.subcommand() == Subcommand::EnumerateCredentialsGetNextCredential
            }
            (
                Command::MakeCredential(_)
                | Command::GetAssertion(_)
                | Command::ClientPin(_)
                | Command::Reset
                | Command::GetNextAssertion
                | Command::CredentialManagement(_)
                | Command::Selection
                | Command::LargeBlobs(_)
                | Command::Config(_),
                _,
            ) => false,
        };
        if !stays {
            *self = Self::Idle;
        }
    }

    /// Keeps the credentials that a first assertion left over.
    pub(crate) fn keep(
        &mut self,
        continuation: Continuation,
        assertion: Assertion,
        credentials: vec::IntoIter<CredentialId>,
    ) {
        *self = Self::Assertions(Box::new(Assertions {
            assertion,
            credentials,
            continuation,
        }));
    }
}

impl Assertions {
    /// What the next assertion is about, and with which credential. `CTAP 2.3 §6.3 steps 2 to 4 and 7`.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        token: &mut Token,
    ) -> Result<(&Assertion, CredentialId), StatusCode> {
        self.continuation = self.continuation.go_on(now, token)?;
        let credential = self.credentials.next().ok_or(StatusCode::NOT_ALLOWED)?;
        Ok((&self.assertion, credential))
    }
}

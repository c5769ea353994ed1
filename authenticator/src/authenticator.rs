//! The authenticator: one request in, an answer or a question to the user out; then the user's gesture in, the answer
//! out. It keeps no queue and no clock; a caller that has a [`Pending`] gives it back with a gesture or drops it.

use rand_core::CryptoRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{Error, Profile, Vault};

use crate::command::Command;
use crate::commands::Step;
use crate::config::Config;
use crate::gesture::{Gesture, Next, Outcome, Pending};
use crate::pin_uv_auth;
use crate::session::Session;
use crate::status::StatusCode;

/// A CTAP2 and U2F authenticator.
pub struct Authenticator {
    pub(crate) vault: Vault,
    pub(crate) config: Config,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
    pub(crate) powered_up: Instant,
    pub(crate) session: Session,
}

impl Authenticator {
    /// An authenticator whose credentials are in `vault`, and that got power at `powered_up`.
    pub fn new(vault: Vault, config: Config, rng: Box<dyn CryptoRng + Send>, powered_up: Instant) -> Self {
        Self {
            vault,
            config,
            rng,
            powered_up,
            session: Session::Idle,
        }
    }

    /// Takes a CTAPHID_CBOR request. The answer is a status byte and, when it is OK, CBOR.
    pub fn handle_cbor(&mut self, now: Instant, request: &[u8]) -> Outcome {
        match Command::decode(request).and_then(|command| self.begin(now, command)) {
            Ok(Step::Answer(answer)) => Outcome::Done(answer.into_bytes()),
            Ok(Step::Ask(pending)) => Outcome::NeedsGesture(*pending),
            Err(status) => Outcome::Done(vec![status.byte()]),
        }
    }

    fn begin(&mut self, now: Instant, command: Command) -> Result<Step, StatusCode> {
        self.session.observe(&command);
        match command {
            Command::MakeCredential(request) => self.make_credential(request),
            Command::GetAssertion(request) => self.get_assertion(now, request),
            Command::GetInfo => Ok(Step::Answer(self.get_info())),
            Command::Reset => self.reset(now),
            Command::GetNextAssertion => self.get_next_assertion(now).map(Step::Answer),
            Command::Selection => Ok(Self::selection()),
        }
    }

    /// Goes on after the user's gesture, and gives the answer to the request that asked for it.
    pub fn resume(&mut self, now: Instant, pending: Pending, gesture: Gesture) -> Vec<u8> {
        let result = match pending.next {
            Next::U2fRegister(request) => return self.u2f_registered(&request, gesture),
            Next::U2fAuthenticate(request) => return self.u2f_authenticated(&request, gesture),
            Next::MakeCredential(accepted) => self.create_credential(now, *accepted, gesture),
            Next::RefuseExcluded => Err(Self::refuse_excluded(gesture)),
            Next::AnswerBlink => Err(pin_uv_auth::answer_blink(gesture)),
            Next::GetAssertion(located) => self.assert_present(now, located, gesture),
            Next::Selection => Self::selected(gesture),
            Next::Reset => self.erase(gesture),
        };
        match result {
            Ok(response) => response.into_bytes(),
            Err(status) => vec![status.byte()],
        }
    }

    /// Power was off and is back: what is not in the vault is forgotten, and reset is allowed for a while.
    pub fn power_cycle(&mut self, now: Instant) {
        self.powered_up = now;
        self.session = Session::Idle;
    }

    /// The credentials.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The credentials.
    pub fn vault_mut(&mut self) -> &mut Vault {
        &mut self.vault
    }

    /// The signature counter for a new signature, durable before it is shown. `WebAuthn L3 §6.1.1`: a credential that
    /// lives on several devices cannot count.
    pub(crate) fn signature_count(&mut self, profile: Profile) -> Result<u32, Error> {
        match profile {
            Profile::Synced => Ok(0),
            Profile::DeviceBound | Profile::U2f => self.vault.next_signature_count(),
        }
    }
}

#[cfg(test)]
mod tests;

//! The authenticator: one request in, an answer or a question to the user out; then the user's gesture in, the answer
//! out. It keeps no queue and no clock; a caller that has a [`Pending`] gives it back with a gesture or drops it.

use rand_core::CryptoRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{Error, Vault};

use crate::audit::Audit;
use crate::command::Command;
use crate::commands::Step;
use crate::config::Config;
use crate::gesture::{Gesture, Next, Outcome, Pending};
use crate::pin::built_in::{BuiltIn, Verifier};
use crate::pin::key_agreement::KeyAgreement;
use crate::pin::token::Token;
use crate::response::Response;
use crate::session::Session;
use crate::state::State;
use crate::status::StatusCode;

/// How many credentials can be stored.
const CREDENTIALS_MAX: usize = 200_000;

/// A CTAP2 and U2F authenticator. `V` is what it keeps its credentials in: an open [`Vault`], with which it does everything,
/// or one that is [`Locked`](wardkey_vault::Locked), with which it can only be what `locked.rs` says.
pub struct Authenticator<V = Vault> {
    pub(crate) vault: V,
    /// How many credentials can be stored.
    pub(crate) credentials_max: usize,
    pub(crate) config: Config,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
    pub(crate) powered_up: Instant,
    pub(crate) session: Session,
    /// The array of large blobs that a platform was shown last, where the vault syncs.
    pub(crate) large_blobs_shown: Option<Vec<u8>>,
    pub(crate) state: State,
    pub(crate) key_agreement: KeyAgreement,
    pub(crate) token: Token,
    /// Wrong PINs in a row since power-up.
    pub(crate) pin_mismatches: u8,
    pub(crate) verifier: Option<Verifier>,
    /// Whether prompts can let the user choose an account.
    pub(crate) account_choice: bool,
    pub(crate) audit: Audit,
}

impl Authenticator {
    /// An authenticator whose credentials and state are in `vault`, and that got power at `powered_up`. It has no
    /// built-in user verification until [`Self::set_verifier`].
    pub fn new(
        vault: Vault,
        config: Config,
        mut rng: Box<dyn CryptoRng + Send>,
        powered_up: Instant,
    ) -> Result<Self, Error> {
        let state = State::read(&vault, &mut *rng)?;
        let mut key = Self::at_power_up(vault, state, config, rng, powered_up);
        key.begin_with_large_blobs()?;
        Ok(key)
    }

    /// Takes a CTAPHID_CBOR request. The answer is a status byte and, when it is OK, CBOR.
    pub fn handle_cbor(&mut self, now: Instant, request: &[u8]) -> Outcome {
        outcome(Command::decode(request, &self.config).and_then(|command| self.begin(now, command)))
    }

    fn begin(&mut self, now: Instant, command: Command) -> Result<Step, StatusCode> {
        self.session.observe(&command);
        match command {
            Command::MakeCredential(request) => self.make_credential(now, request),
            Command::GetAssertion(request) => self.get_assertion(now, request),
            Command::GetInfo => Ok(Step::Answer(self.get_info())),
            Command::ClientPin(request) => self.client_pin(now, request),
            Command::Reset => self.reset(now),
            Command::GetNextAssertion => self.get_next_assertion(now).map(Step::Answer),
            Command::CredentialManagement(request) => {
                self.credential_management(now, request).map(Step::Answer)
            }
            Command::Selection => Ok(Self::selection()),
            Command::LargeBlobs(request) => self.large_blobs(now, request).map(Step::Answer),
            Command::Config(request) => self.configure(now, request).map(Step::Answer),
        }
    }

    /// Goes on after the user's gesture. What comes is the answer to the request that asked for it, or one more
    /// question.
    pub fn resume(&mut self, now: Instant, pending: Pending, gesture: Gesture) -> Outcome {
        if matches!(gesture, Gesture::Declined) {
            self.note_refusal(now, &pending.prompt);
        }
        let answer = |result: Result<Response, StatusCode>| result.map(Step::Answer);
        outcome(match pending.next {
            Next::U2fRegister(request) => return Outcome::Done(self.u2f_registered(now, &request, gesture)),
            Next::U2fAuthenticate(request) => {
                return Outcome::Done(self.u2f_authenticated(now, &request, gesture));
            }
            Next::MakeCredential(accepted) => answer(self.create_credential(now, *accepted, gesture)),
            Next::RefuseExcluded => Err(Self::refuse_excluded(&gesture)),
            Next::AnswerBlink => Err(self.answer_blink(gesture)),
            Next::GetAssertion(located) => answer(self.assert_present(now, *located, gesture)),
            Next::Verify(verifying) => self.verified(now, *verifying, gesture),
            Next::Selection => answer(Self::selected(gesture)),
            Next::Reset(confirmations) => self.erase(now, gesture, confirmations),
        })
    }

    /// How many more credentials can be stored.
    pub(crate) fn remaining_credentials(&self) -> usize {
        self.credentials_max.saturating_sub(self.vault.len())
    }

    /// The credentials.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The credentials.
    pub fn vault_mut(&mut self) -> &mut Vault {
        &mut self.vault
    }
}

/// What needs no credential.
impl<V> Authenticator<V> {
    pub(crate) fn at_power_up(
        vault: V,
        state: State,
        config: Config,
        rng: Box<dyn CryptoRng + Send>,
        powered_up: Instant,
    ) -> Self {
        Self {
            vault,
            credentials_max: CREDENTIALS_MAX,
            config,
            rng,
            powered_up,
            session: Session::Idle,
            large_blobs_shown: None,
            state,
            key_agreement: KeyAgreement::default(),
            token: Token::default(),
            pin_mismatches: 0,
            verifier: None,
            account_choice: false,
            audit: Audit::default(),
        }
    }

    /// The same key with another vault, and the one that it had.
    pub(crate) fn replace_vault<W>(self, vault: W) -> (V, Authenticator<W>) {
        let Self {
            vault: before,
            credentials_max,
            config,
            rng,
            powered_up,
            session,
            large_blobs_shown,
            state,
            key_agreement,
            token,
            pin_mismatches,
            verifier,
            account_choice,
            audit,
        } = self;
        let key = Authenticator {
            vault,
            credentials_max,
            config,
            rng,
            powered_up,
            session,
            large_blobs_shown,
            state,
            key_agreement,
            token,
            pin_mismatches,
            verifier,
            account_choice,
            audit,
        };
        (before, key)
    }

    /// Says what built-in user verification there is from now on.
    pub fn set_verifier(&mut self, verifier: Option<Verifier>) {
        self.verifier = verifier;
    }

    /// Says whether prompts can let the user choose an account.
    pub fn set_account_choice(&mut self, account_choice: bool) {
        self.account_choice = account_choice;
    }

    /// After the gesture for a zero-length pinUvAuthParam: the client learns, in the form of an error, that the user
    /// touched this key and whether it has a PIN. `CTAP 2.3 §6.1.2 step 1`, `§6.2.2 step 1`.
    pub(crate) fn answer_blink(&self, gesture: Gesture) -> StatusCode {
        match gesture.evidence() {
            Err(refusal) => refusal.of_operation(),
            Ok(_) if self.state.pin.is_some() => StatusCode::PIN_INVALID,
            Ok(_) => StatusCode::PIN_NOT_SET,
        }
    }

    /// Whether some form of user verification protects the key, `CTAP 2.3 §6.1.2`.
    pub(crate) fn is_protected(&self) -> bool {
        self.state.pin.is_some() || self.is_built_in_ready()
    }

    /// Whether built-in user verification works.
    pub(crate) fn is_built_in_ready(&self) -> bool {
        match self.built_in() {
            BuiltIn::Absent | BuiltIn::NotSetUp => false,
            BuiltIn::Ready(_) => true,
        }
    }

    /// Power was off and is back: what is not in the vault is forgotten, and reset is allowed for a while.
    pub fn power_cycle(&mut self, now: Instant) {
        self.powered_up = now;
        self.forget_volatile();
    }

    /// Forgets what does not survive being without power.
    pub(crate) fn forget_volatile(&mut self) {
        self.session = Session::Idle;
        self.large_blobs_shown = None;
        self.key_agreement = KeyAgreement::default();
        self.token.stop();
        self.pin_mismatches = 0;
    }
}

pub(crate) fn outcome(result: Result<Step, StatusCode>) -> Outcome {
    match result {
        Ok(Step::Answer(answer)) => Outcome::Done(answer.into_bytes()),
        Ok(Step::Ask(pending)) => Outcome::NeedsGesture(*pending),
        Err(status) => Outcome::Done(vec![status.byte()]),
    }
}

#[cfg(test)]
mod tests;

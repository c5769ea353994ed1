//! The authenticator while its vault is locked. What needs no secret works; what is surely not on this key is answered
//! at once; everything else waits until the Vault PIN was entered, and is then begun again with the open vault.
//!
//! | request                                    | answer while locked                                             |
//! | ------------------------------------------ | --------------------------------------------------------------- |
//! | getInfo                                    | as it was when the vault was last open, without what counts or names credentials |
//! | selection; zero-length pinUvAuthParam      | as ever                                                         |
//! | clientPIN: getPINRetries, getUVRetries, getKeyAgreement | as ever                                            |
//! | getNextAssertion                           | NOT_ALLOWED: the list was forgotten when the vault was locked   |
//! | a pinUvAuthParam with makeCredential or getAssertion | PIN_AUTH_INVALID: so was the token                    |
//! | getAssertion for what is not here          | NO_CREDENTIALS                                                  |
//! | U2F version, U2F for what is not here      | as ever                                                         |
//! | everything else                            | asks for the Vault PIN                                          |

use rand_core::CryptoRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{Error, Locked, NotUnlocked, RightGuess};

use crate::audit::Audit;
use crate::authenticator::{Authenticator, outcome};
use crate::command::Command;
use crate::commands::{Step, get_assertion};
use crate::config::Config;
use crate::gesture::{Gesture, Outcome, Pending, Prompt, Purpose};
use crate::pin::token::Token;
use crate::prompt_text;
use crate::session::Session;
use crate::state::State;
use crate::status::StatusCode;
use crate::without_vault;

/// What became of a request.
#[must_use]
pub enum LockedOutcome {
    /// The answer.
    Done(Vec<u8>),
    /// The user must act first, and the vault stays locked.
    NeedsGesture(Pending),
    /// The vault must be opened first; this is what for. Then the request is handled from the start.
    NeedsVault(Prompt),
}

/// Why an authenticator was not unlocked with the right Vault PIN.
pub enum UnlockFailed {
    /// It is locked as before.
    StaysLocked(Box<Authenticator<Locked>>, Error),
    /// Its vault must be opened again.
    OpenAgain(Error),
}

impl Authenticator {
    /// Closes the vault: everything secret is wiped. A vault that has no Vault PIN stays open.
    pub fn lock(self) -> Result<Authenticator<Locked>, Box<Self>> {
        let (mut vault, key) = self.replace_vault(());
        // What was written into the log is durable at the latest when the program ends.
        let _ = vault.flush();
        match vault.lock() {
            Ok(vault) => Ok(Authenticator {
                state: State::known_while_locked(&vault),
                session: Session::Idle,
                token: Token::default(),
                audit: Audit::default(),
                ..key.replace_vault(vault).1
            }),
            Err(vault) => Err(Box::new(key.replace_vault(*vault).1)),
        }
    }
}

impl Authenticator<Locked> {
    /// An authenticator whose vault is not open yet, and that got power at `powered_up`. It has no built-in user
    /// verification until [`Self::set_verifier`].
    pub fn locked(
        vault: Locked,
        config: Config,
        rng: Box<dyn CryptoRng + Send>,
        powered_up: Instant,
    ) -> Self {
        let state = State::known_while_locked(&vault);
        Self::at_power_up(vault, state, config, rng, powered_up)
    }

    /// The vault, so that a Vault PIN can be tried.
    pub fn vault_mut(&mut self) -> &mut Locked {
        &mut self.vault
    }

    /// The vault.
    pub fn vault(&self) -> &Locked {
        &self.vault
    }

    /// Opens the vault. What the authenticator knows besides stays as it is.
    pub fn unlock(self, guess: &RightGuess) -> Result<Authenticator, UnlockFailed> {
        let (vault, mut key) = self.replace_vault(());
        match vault.unlock(guess, &mut *key.rng) {
            Ok(vault) => {
                let state = State::read(&vault, &mut *key.rng).map_err(UnlockFailed::OpenAgain)?;
                let mut key = Authenticator {
                    state,
                    ..key.replace_vault(vault).1
                };
                key.mend_public_state().map_err(UnlockFailed::OpenAgain)?;
                key.begin_with_large_blobs().map_err(UnlockFailed::OpenAgain)?;
                Ok(key)
            }
            Err(NotUnlocked::OpenAgain(error)) => Err(UnlockFailed::OpenAgain(error)),
            Err(NotUnlocked::StaysLocked(vault, error)) => {
                let locked = Box::new(key.replace_vault(*vault).1);
                Err(UnlockFailed::StaysLocked(locked, error))
            }
        }
    }

    /// Takes a CTAPHID_CBOR request.
    pub fn handle_cbor(&mut self, request: &[u8]) -> LockedOutcome {
        let result = Command::decode(request, &self.config).and_then(|command| self.begin(command));
        match result {
            Ok(Begun::Step(step)) => outcome(Ok(step)).into(),
            Ok(Begun::NeedsVault(prompt)) => LockedOutcome::NeedsVault(prompt),
            Err(status) => outcome(Err(status)).into(),
        }
    }

    fn begin(&mut self, command: Command) -> Result<Begun, StatusCode> {
        let command = match self.begin_without_vault(command)? {
            without_vault::Begun::Step(step) => return Ok(Begun::Step(step)),
            without_vault::Begun::NeedsVault(command) => *command,
        };
        match command {
            Command::GetAssertion(request) => self.locate(&request),
            Command::MakeCredential(request) => Ok(Begun::NeedsVault(Prompt {
                rp_id: prompt_text::rp_id(&request.rp().id.0),
                rp_name: request.rp().name.as_deref().and_then(prompt_text::name),
                user_name: request.user().name.as_deref().and_then(prompt_text::name),
                user_display_name: request.user().display_name.as_deref().and_then(prompt_text::name),
                ..Prompt::bare(Purpose::Register)
            })),
            Command::GetInfo
            | Command::ClientPin(_)
            | Command::Reset
            | Command::GetNextAssertion
            | Command::CredentialManagement(_)
            | Command::Selection
            | Command::LargeBlobs(_)
            | Command::Config(_) => Ok(Begun::NeedsVault(Prompt::bare(Purpose::Unlock))),
        }
    }

    /// Whether a getAssertion is worth a Vault PIN.
    fn locate(&self, request: &get_assertion::Request) -> Result<Begun, StatusCode> {
        let rp = request.rp_id().hash();
        let allowed = request.allowed();
        let may_have = if allowed.is_empty() {
            self.vault.has_site(&rp)?
        } else {
            let mut ids = allowed.ids().iter();
            ids.try_fold(false, |found, id| {
                Ok::<_, Error>(found || self.vault.may_have(&rp, id)?)
            })?
        };
        if !may_have {
            return Err(StatusCode::NO_CREDENTIALS);
        }
        Ok(Begun::NeedsVault(Prompt {
            rp_id: prompt_text::rp_id(&request.rp_id().0),
            ..Prompt::bare(Purpose::SignIn)
        }))
    }

    /// Goes on after the user's gesture.
    pub fn resume(&mut self, pending: Pending, gesture: Gesture) -> Vec<u8> {
        self.resume_without_vault(pending, gesture)
    }
}

/// What was done with a command.
enum Begun {
    Step(Step),
    NeedsVault(Prompt),
}

impl From<Outcome> for LockedOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(bytes) => Self::Done(bytes),
            Outcome::NeedsGesture(pending) => Self::NeedsGesture(pending),
        }
    }
}

#[cfg(test)]
mod tests;

//! Built-in user verification: the key asks, and the operating system or the key itself knows whether it is the owner.
//! `CTAP 2.3 §6.5.3.1`.
//!
//! A failed attempt is counted durably before anything else happens. Where the key's own PIN is what is asked for, it is
//! counted like every other entry of the PIN, before it is compared.

use wardkey_transport::time::Instant;
use wardkey_vault::Event;

use super::{UserVerified, entry};
use crate::authenticator::Authenticator;
use crate::commands::{Step, client_pin, get_assertion, make_credential};
use crate::gesture::{Demand, EnteredPin, Evidence, Gesture, Modality, Next, Prompt, Refusal, UserPresent};
use crate::state::{State, UV_RETRIES_MAX};
use crate::status::StatusCode;

/// How often one command asks before it fails.
const ATTEMPTS_MAX: u8 = 3;

/// The built-in user verification that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifier {
    /// How the user is verified.
    pub modality: Modality,
    /// Whether it can be used now; `false` while, for example, no finger is enrolled. Where the key's own PIN is asked
    /// for, it must be set as well, and no change of it be due.
    pub ready: bool,
}

/// What built-in user verification there is, as the option `uv` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    /// None: the option is absent.
    Absent,
    /// One that has to be set up first.
    NotSetUp,
    /// One that works.
    Ready(Modality),
}

/// A command that waits for built-in user verification.
pub(crate) struct Verifying {
    prompt: Prompt,
    modality: Modality,
    attempts: u8,
    then: Then,
}

/// What goes on once the user is verified.
pub(crate) enum Then {
    MakeCredential(make_credential::Checked),
    GetAssertion(get_assertion::Checked),
    IssueToken(client_pin::TokenRequest),
}

/// Why verification failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// No attempt is left, in this command or at all.
    NotVerified,
    Blocked,
    Refused(Refusal),
}

impl<V> Authenticator<V> {
    /// What built-in user verification there is.
    pub(crate) fn built_in(&self) -> BuiltIn {
        match self.verifier {
            None => BuiltIn::Absent,
            Some(Verifier { modality, ready }) => {
                // A PIN that must be changed is no longer good for anything else.
                let is_set_up = match modality {
                    Modality::Fingerprint | Modality::Password => true,
                    Modality::Pin => self.state.pin.is_some() && !self.state.force_pin_change,
                };
                if ready && is_set_up {
                    BuiltIn::Ready(modality)
                } else {
                    BuiltIn::NotSetUp
                }
            }
        }
    }
}

impl Authenticator {
    /// Asks for built-in user verification.
    pub(crate) fn verify(
        &mut self,
        modality: Modality,
        prompt: Prompt,
        then: Then,
    ) -> Result<Step, StatusCode> {
        if self.is_built_in_blocked(modality) {
            return Err(self.verification_status(&then, Failure::Blocked));
        }
        Ok(self.ask_to_verify(Verifying {
            prompt,
            modality,
            attempts: 0,
            then,
        }))
    }

    fn ask_to_verify(&self, mut verifying: Verifying) -> Step {
        verifying.prompt.demand = Demand::Verification {
            modality: verifying.modality,
            attempts_left: self.attempts_left(verifying.modality),
        };
        Step::ask(verifying.prompt.clone(), Next::Verify(Box::new(verifying)))
    }

    /// After the user's attempt.
    pub(crate) fn verified(
        &mut self,
        now: Instant,
        verifying: Verifying,
        gesture: Gesture,
    ) -> Result<Step, StatusCode> {
        let evidence = match gesture {
            Gesture::Verified => self.count_verification()?,
            Gesture::Pin(pin) if verifying.modality == Modality::Pin => {
                match self.check_entered_pin(now, &pin)? {
                    Some(verified) => verified,
                    None => return self.after_failed_attempt(verifying),
                }
            }
            Gesture::NotVerified | Gesture::Pin(_) => {
                self.count_failure(Some(now))?;
                return self.after_failed_attempt(verifying);
            }
            // Mere agreement is no verification.
            Gesture::Approved | Gesture::ApprovedAccount(_) | Gesture::Declined => {
                return Err(self.verification_status(&verifying.then, Failure::Refused(Refusal::Declined)));
            }
            Gesture::TimedOut => {
                return Err(self.verification_status(&verifying.then, Failure::Refused(Refusal::TimedOut)));
            }
            Gesture::Cancelled => return Err(StatusCode::KEEPALIVE_CANCEL),
        };
        let evidence = Evidence {
            present: Some(UserPresent::of_verification(&evidence)),
            verified: Some(evidence),
        };
        match verifying.then {
            Then::MakeCredential(checked) => self.make_credential_for(now, checked, evidence),
            Then::GetAssertion(checked) => self.get_assertion_for(now, checked, evidence),
            Then::IssueToken(request) => self.grant_token(now, &request, evidence).map(Step::Answer),
        }
    }

    /// The operating system knows the user.
    fn count_verification(&mut self) -> Result<UserVerified, StatusCode> {
        self.update_state(|state| {
            state.uv_retries = UV_RETRIES_MAX;
            state.uv_count = state.uv_count.saturating_add(1);
        })?;
        Ok(UserVerified(()))
    }

    /// The key's own PIN, typed into a prompt of this key; `None` when it is not the PIN.
    fn check_entered_pin(
        &mut self,
        now: Instant,
        pin: &EnteredPin,
    ) -> Result<Option<UserVerified>, StatusCode> {
        match self.check_pin(now, None, &entry::hash(pin.0.as_bytes())) {
            Ok(()) => Ok(Some(UserVerified(()))),
            Err(StatusCode::PIN_INVALID | StatusCode::PIN_BLOCKED | StatusCode::PIN_AUTH_BLOCKED) => {
                self.count_failure(None)?;
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// `recorded` is when, if the log does not know it already.
    fn count_failure(&mut self, recorded: Option<Instant>) -> Result<(), StatusCode> {
        let attempts_left = self.state.uv_retries.saturating_sub(1);
        let count = |state: &mut State| state.uv_retries = attempts_left;
        match recorded {
            Some(now) => self.update_state_and_log(now, Event::NotVerified { attempts_left }, count),
            None => self.update_state(count),
        }
    }

    fn after_failed_attempt(&mut self, verifying: Verifying) -> Result<Step, StatusCode> {
        let attempts = verifying.attempts + 1;
        if self.is_built_in_blocked(verifying.modality) {
            Err(self.verification_status(&verifying.then, Failure::Blocked))
        } else if attempts >= ATTEMPTS_MAX {
            Err(self.verification_status(&verifying.then, Failure::NotVerified))
        } else {
            Ok(self.ask_to_verify(Verifying {
                attempts,
                ..verifying
            }))
        }
    }

    /// Whether this way to verify the user is closed, because it failed too often.
    pub(crate) fn is_built_in_blocked(&self, modality: Modality) -> bool {
        self.attempts_left(modality) == 0
    }

    fn attempts_left(&self, modality: Modality) -> u8 {
        match modality {
            Modality::Fingerprint | Modality::Password => self.state.uv_retries,
            Modality::Pin => self.state.uv_retries.min(self.pin_attempts_left()),
        }
    }

    /// `CTAP 2.3 §6.1.2 step 11.2`, `§6.2.2 step 6.2`, `§6.5.5.7.3`.
    fn verification_status(&self, then: &Then, failure: Failure) -> StatusCode {
        match (then, failure) {
            (_, Failure::Refused(Refusal::TimedOut)) => StatusCode::USER_ACTION_TIMEOUT,
            (_, Failure::Refused(refusal)) => refusal.of_operation(),
            (Then::IssueToken(_), Failure::Blocked) => StatusCode::UV_BLOCKED,
            (Then::IssueToken(_), Failure::NotVerified) => StatusCode::UV_INVALID,
            (Then::GetAssertion(_), _) if self.state.pin.is_some() => StatusCode::PUAT_REQUIRED,
            (Then::GetAssertion(_) | Then::MakeCredential(_), Failure::Blocked) => StatusCode::PIN_BLOCKED,
            (Then::GetAssertion(_) | Then::MakeCredential(_), Failure::NotVerified) => {
                StatusCode::OPERATION_DENIED
            }
        }
    }
}

#[cfg(test)]
mod tests;

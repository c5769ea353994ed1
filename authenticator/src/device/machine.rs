//! The authenticator with its vault open, locked or away, and the way from one to the other.

use wardkey_transport::time::Instant;
use wardkey_vault::{Error, Locked, RightGuess};

use crate::authenticator::Authenticator;
use crate::away::Away;
use crate::gesture::{Demand, Gesture, Outcome, Pending, Prompt, Refusal};
use crate::locked::UnlockFailed;
use crate::status::StatusCode;

const MAKE_CREDENTIAL: u8 = 0x01;
const GET_ASSERTION: u8 = 0x02;
const GET_INFO: u8 = 0x04;

/// What a key without a vault answers.
pub(super) const BROKEN: [u8; 1] = [StatusCode::OTHER.byte()];

/// An authenticator, whichever state its vault is in.
#[expect(clippy::large_enum_variant, reason = "there is one, and it stays where it is")]
pub enum Machine {
    /// The vault is open.
    Open(Authenticator),
    /// The vault is locked.
    Locked(Authenticator<Locked>),
    /// Somebody else has the vault for a while.
    Away(Authenticator<Away>),
    /// The vault failed, and must be opened again by whoever opened it.
    Broken,
}

impl From<Authenticator> for Machine {
    fn from(authenticator: Authenticator) -> Self {
        Self::Open(authenticator)
    }
}

impl From<Authenticator<Locked>> for Machine {
    fn from(authenticator: Authenticator<Locked>) -> Self {
        Self::Locked(authenticator)
    }
}

impl Machine {
    /// Opens the vault if it is locked.
    pub(super) fn unlock(&mut self, guess: &RightGuess) -> Result<(), Error> {
        match std::mem::replace(self, Self::Broken) {
            Self::Locked(authenticator) => match authenticator.unlock(guess) {
                Ok(authenticator) => *self = Self::Open(authenticator),
                Err(UnlockFailed::StaysLocked(authenticator, error)) => {
                    *self = Self::Locked(*authenticator);
                    return Err(error);
                }
                Err(UnlockFailed::OpenAgain(error)) => return Err(error),
            },
            open @ Self::Open(_) => *self = open,
            away @ Self::Away(_) => {
                *self = away;
                return Err(Error::NeedsPin);
            }
            Self::Broken => return Err(Error::Corrupted),
        }
        Ok(())
    }

    /// Closes the vault if it is open and has a Vault PIN; says whether it did.
    pub(super) fn lock(&mut self) -> bool {
        match std::mem::replace(self, Self::Broken) {
            Self::Open(authenticator) => match authenticator.lock() {
                Ok(authenticator) => {
                    *self = Self::Locked(authenticator);
                    true
                }
                Err(authenticator) => {
                    *self = Self::Open(*authenticator);
                    false
                }
            },
            unchanged @ (Self::Locked(_) | Self::Away(_) | Self::Broken) => {
                *self = unchanged;
                false
            }
        }
    }

    /// Gives the vault away if it is locked; says whether it did. Whoever has the files can use them then.
    pub(super) fn stand_aside(&mut self) -> bool {
        match std::mem::replace(self, Self::Broken) {
            Self::Locked(authenticator) => {
                let (vault, authenticator) = authenticator.stand_aside();
                drop(vault);
                *self = Self::Away(authenticator);
                true
            }
            unchanged @ (Self::Open(_) | Self::Away(_) | Self::Broken) => {
                *self = unchanged;
                false
            }
        }
    }

    /// Takes the vault back, or does without one for ever.
    pub(super) fn come_back(&mut self, vault: Option<Locked>) {
        match (std::mem::replace(self, Self::Broken), vault) {
            (Self::Away(authenticator), Some(vault)) => *self = Self::Locked(authenticator.come_back(vault)),
            (Self::Away(_), None) => {}
            (unchanged @ (Self::Open(_) | Self::Locked(_) | Self::Broken), _) => *self = unchanged,
        }
    }

    pub(super) fn resume(&mut self, now: Instant, pending: Pending, gesture: Gesture) -> Outcome {
        match self {
            Self::Open(authenticator) => authenticator.resume(now, pending, gesture),
            Self::Locked(authenticator) => Outcome::Done(authenticator.resume(pending, gesture)),
            Self::Away(authenticator) => Outcome::Done(authenticator.resume(pending, gesture)),
            Self::Broken => Outcome::Done(BROKEN.to_vec()),
        }
    }

    pub(super) fn power_cycle(&mut self, now: Instant) {
        match self {
            Self::Open(authenticator) => authenticator.power_cycle(now),
            Self::Locked(authenticator) => authenticator.power_cycle(now),
            Self::Away(authenticator) => authenticator.power_cycle(now),
            Self::Broken => {}
        }
    }

    /// The user refused what a U2F client wanted.
    pub(super) fn note_refusal(&mut self, now: Instant, prompt: &Prompt) {
        if let Self::Open(authenticator) = self {
            authenticator.note_refusal(now, prompt);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Self::Open(authenticator) = self {
            authenticator.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Open(authenticator) => authenticator.poll_timeout(),
            Self::Locked(_) | Self::Away(_) | Self::Broken => None,
        }
    }

    pub(super) fn is_u2f_allowed(&self) -> bool {
        match self {
            Self::Open(authenticator) => authenticator.is_u2f_allowed(),
            Self::Locked(authenticator) => authenticator.is_u2f_allowed(),
            Self::Away(authenticator) => authenticator.is_u2f_allowed(),
            Self::Broken => true,
        }
    }
}

/// The same question, to be answered with the Vault PIN.
pub(super) fn for_vault_pin(prompt: Prompt) -> Prompt {
    Prompt {
        demand: Demand::VaultPin,
        ..prompt
    }
}

/// Whether a message is getInfo, which every program sends that looks for keys.
pub(super) fn is_get_info(message: &[u8]) -> bool {
    message.first() == Some(&GET_INFO)
}

/// The answer to a command for which the vault was not opened.
pub(super) fn refusal(message: &[u8], gesture: &Gesture) -> Vec<u8> {
    let refusal = match gesture {
        Gesture::TimedOut => Refusal::TimedOut,
        Gesture::Cancelled => Refusal::Cancelled,
        Gesture::Approved
        | Gesture::ApprovedAccount(_)
        | Gesture::Verified
        | Gesture::NotVerified
        | Gesture::Pin(_)
        | Gesture::Declined => Refusal::Declined,
    };
    let status = match message.first() {
        Some(&(MAKE_CREDENTIAL | GET_ASSERTION)) => refusal.of_operation(),
        _ => refusal.of_selection(),
    };
    vec![status.byte()]
}

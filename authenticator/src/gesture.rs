//! What the user is asked, what the user did, and the evidence that comes of it. Signing needs evidence; it is made
//! here and nowhere else, and cannot be copied.
//!
//! Not here: how the question is shown (the shell) and how long it stays (the device).

use std::fmt;

use zeroize::Zeroizing;

use crate::commands::{get_assertion, make_credential, reset};
use crate::pin::UserVerified;
use crate::pin::built_in;
use crate::status::StatusCode;
use crate::u2f;

/// What a command did with its first look at the request.
#[must_use]
pub enum Outcome {
    /// The answer.
    Done(Vec<u8>),
    /// The user must act first; show the prompt, then call [`crate::Authenticator::resume`].
    NeedsGesture(Pending),
}

/// A validated request that waits for the user.
pub struct Pending {
    pub(crate) prompt: Prompt,
    pub(crate) next: Next,
}

impl Pending {
    /// The question to show.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }
}

/// What happens when the user has answered.
pub(crate) enum Next {
    /// makeCredential goes on.
    MakeCredential(Box<make_credential::Accepted>),
    /// makeCredential ends with CREDENTIAL_EXCLUDED.
    RefuseExcluded,
    /// makeCredential or getAssertion with a zero-length pinUvAuthParam ends with PIN_NOT_SET or PIN_INVALID.
    AnswerBlink,
    /// getAssertion goes on.
    GetAssertion(Box<get_assertion::Located>),
    /// authenticatorSelection ends.
    Selection,
    /// authenticatorReset goes on.
    Reset(reset::Confirmations),
    /// Built-in user verification goes on, and then the command that wants it.
    Verify(Box<built_in::Verifying>),
    /// U2F registration goes on.
    U2fRegister(u2f::register::Request),
    /// U2F authentication goes on.
    U2fAuthenticate(u2f::authenticate::Request),
}

/// A question to the user. All texts come from the host: they are bounded, and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What happens if the user agrees.
    pub purpose: Purpose,
    /// What it takes to agree.
    pub demand: Demand,
    /// The relying party's id; `None` where it is unknown (U2F sends only a hash) or means nothing.
    pub rp_id: Option<String>,
    /// What the relying party calls itself; anyone can call itself anything.
    pub rp_name: Option<String>,
    /// The account.
    pub user_name: Option<String>,
    /// The person.
    pub user_display_name: Option<String>,
    /// The accounts of which the user may choose one, the newest first; empty where there is nothing to choose.
    pub accounts: Vec<Account>,
}

/// An account that the user may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's name.
    pub user_name: Option<String>,
    /// The person's name.
    pub user_display_name: Option<String>,
}

/// What it takes to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// That somebody is there.
    Presence,
    /// The Vault PIN, so that the vault can be opened first. The answer does not go to the authenticator.
    VaultPin,
    /// That it is the owner of the key.
    Verification {
        /// How they prove it.
        modality: Modality,
        /// How many wrong attempts are left before this way is blocked.
        attempts_left: u8,
    },
}

/// How the owner of the key is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modality {
    /// The operating system compares a fingerprint.
    Fingerprint,
    /// The operating system checks the password of the user's session.
    Password,
    /// This key checks its own PIN.
    Pin,
}

impl Prompt {
    /// A question that names nobody.
    pub(crate) fn bare(purpose: Purpose) -> Self {
        Self {
            purpose,
            demand: Demand::Presence,
            rp_id: None,
            rp_name: None,
            user_name: None,
            user_display_name: None,
            accounts: Vec::new(),
        }
    }
}

/// What happens if the user agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A credential is made.
    Register,
    /// A credential signs.
    SignIn,
    /// Nothing; the site learns that this key already has a credential for the account.
    AlreadyRegistered,
    /// Nothing; a program asks which key the user wants to use.
    Identify,
    /// A program may use the key for a while, as `CTAP 2.3 §6.5.5.7` describes.
    Verify,
    /// The chosen account signs; the user has agreed already.
    ChooseAccount,
    /// Everything on the key is erased.
    Reset,
    /// Everything on the key is erased; the user has agreed once.
    ConfirmReset,
    /// A program wants something of the key that it does not give while its vault is locked.
    Unlock,
}

/// How a question ended.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub enum Gesture {
    /// The user agreed.
    Approved,
    /// The user agreed, and chose the account at this place of [`Prompt::accounts`].
    ApprovedAccount(usize),
    /// The user agreed, and the operating system knows them as the owner.
    Verified,
    /// The operating system does not know them as the owner.
    NotVerified,
    /// The user agreed, and typed what should be the key's PIN.
    Pin(EnteredPin),
    /// The user refused.
    Declined,
    /// Nobody answered in time.
    TimedOut,
    /// The host took the request back.
    Cancelled,
}

/// What somebody typed as the key's PIN. Wiped on drop, and never shown.
#[cfg_attr(test, derive(Clone))]
pub struct EnteredPin(pub(crate) Zeroizing<String>);

impl EnteredPin {
    /// The text as it was typed.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for EnteredPin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EnteredPin")
    }
}

/// Evidence that the user agreed to one operation.
pub(crate) struct UserPresent(());

/// Why there is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Declined,
    TimedOut,
    Cancelled,
}

impl Gesture {
    /// Turns an approval into evidence.
    pub(crate) fn evidence(self) -> Result<UserPresent, Refusal> {
        match self {
            Self::Approved | Self::ApprovedAccount(_) | Self::Verified => Ok(UserPresent(())),
            // Somebody who fails to be verified has not agreed to anything.
            Self::Declined | Self::NotVerified | Self::Pin(_) => Err(Refusal::Declined),
            Self::TimedOut => Err(Refusal::TimedOut),
            Self::Cancelled => Err(Refusal::Cancelled),
        }
    }

    /// The account that the user chose with an approval.
    pub(crate) fn account(&self) -> Option<usize> {
        if let Self::ApprovedAccount(account) = self {
            Some(*account)
        } else {
            None
        }
    }
}

impl UserPresent {
    /// Whoever was verified by this key itself is there.
    pub(crate) fn of_verification(_: &UserVerified) -> Self {
        Self(())
    }
}

impl Refusal {
    /// For makeCredential and getAssertion: a time-out is a denial, `CTAP 2.3 §6.1.2 step 14`, `§6.2.2 step 9`.
    pub(crate) fn of_operation(self) -> StatusCode {
        match self {
            Self::Declined | Self::TimedOut => StatusCode::OPERATION_DENIED,
            Self::Cancelled => StatusCode::KEEPALIVE_CANCEL,
        }
    }

    /// For authenticatorSelection, authenticatorReset and built-in user verification, `CTAP 2.3 §6.6`, `§6.9`.
    pub(crate) fn of_selection(self) -> StatusCode {
        match self {
            Self::Declined => StatusCode::OPERATION_DENIED,
            Self::TimedOut => StatusCode::USER_ACTION_TIMEOUT,
            Self::Cancelled => StatusCode::KEEPALIVE_CANCEL,
        }
    }
}

/// What is known about the user during one operation; the flags of authenticator data come from it.
#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) present: Option<UserPresent>,
    pub(crate) verified: Option<UserVerified>,
}

impl Evidence {
    /// Nothing: the request asked for neither presence nor verification.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Presence only.
    pub(crate) fn of(present: UserPresent) -> Self {
        Self {
            present: Some(present),
            verified: None,
        }
    }

    pub(crate) fn is_present(&self) -> bool {
        self.present.is_some()
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.verified.is_some()
    }

    #[cfg(test)]
    pub(crate) fn in_test(present: bool, verified: bool) -> Self {
        Self {
            present: present.then_some(UserPresent(())),
            verified: verified.then(UserVerified::in_test),
        }
    }
}

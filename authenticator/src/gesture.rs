//! What the user is asked, what the user did, and the evidence that comes of it. Signing needs evidence; it is made
//! here and nowhere else, and cannot be copied.
//!
//! Not here: how the question is shown (the shell) and how long it stays (the device).

use crate::commands::{get_assertion, make_credential};
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
    /// makeCredential or getAssertion with a zero-length pinUvAuthParam ends with PIN_NOT_SET.
    AnswerBlink,
    /// getAssertion goes on.
    GetAssertion(get_assertion::Located),
    /// authenticatorSelection ends.
    Selection,
    /// authenticatorReset goes on.
    Reset,
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
    /// The relying party's id; `None` where it is unknown (U2F sends only a hash) or means nothing.
    pub rp_id: Option<String>,
    /// What the relying party calls itself; anyone can call itself anything.
    pub rp_name: Option<String>,
    /// The account.
    pub user_name: Option<String>,
    /// The person.
    pub user_display_name: Option<String>,
}

impl Prompt {
    /// A question that names nobody.
    pub(crate) fn bare(purpose: Purpose) -> Self {
        Self {
            purpose,
            rp_id: None,
            rp_name: None,
            user_name: None,
            user_display_name: None,
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
    /// Everything on the key is erased.
    Reset,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gesture {
    /// The user agreed.
    Approved,
    /// The user refused.
    Declined,
    /// Nobody answered in time.
    TimedOut,
    /// The host took the request back.
    Cancelled,
}

/// Evidence that the user agreed to one operation.
pub(crate) struct UserPresent(());

/// Evidence that it was this user. Nothing in this crate verifies users yet, so outside tests no value exists.
pub(crate) enum UserVerified {
    #[cfg(test)]
    InTest,
}

/// Why there is no evidence of presence.
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
            Self::Approved => Ok(UserPresent(())),
            Self::Declined => Err(Refusal::Declined),
            Self::TimedOut => Err(Refusal::TimedOut),
            Self::Cancelled => Err(Refusal::Cancelled),
        }
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

    /// For authenticatorSelection and authenticatorReset, `CTAP 2.3 §6.6`, `§6.9`.
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
    present: Option<UserPresent>,
    verified: Option<UserVerified>,
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
            verified: verified.then_some(UserVerified::InTest),
        }
    }
}

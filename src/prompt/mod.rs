//! Asks the user: a [`Question`] goes in, a [`Decision`] comes out, or the reason why nobody could be asked.
//!
//! [`chain::Chain`] is what the event loop holds; the other files are one way to ask each. No way blocks the
//! caller: whatever waits does so on a thread of its own, and answers through its [`AnswerHandle`]. Dropping
//! what [`Asker::ask`] returned takes the question away from the user. Time-outs are not here: the event loop
//! has the clock, and drops the question when its time is over.

mod asked;
pub(crate) mod chain;
mod child;
pub(crate) mod command;
mod entered_pin;
pub(crate) mod fixed;
pub(crate) mod notification;
pub(crate) mod pinentry;
mod probe;
pub(crate) mod terminal;
pub(crate) mod text;
pub(crate) mod verify;
mod withdrawal;
mod worker;

use std::fmt;
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

pub(crate) use self::entered_pin::EnteredPin;

/// What is about to happen, and to whom. The names come from the host and are not to be trusted:
/// [`text`] makes them fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Question {
    /// Tells this question from every other one of this process.
    pub(crate) id: u64,
    pub(crate) purpose: Purpose,
    pub(crate) rp_id: Option<String>,
    pub(crate) rp_name: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) user_display_name: Option<String>,
    /// What counts as an answer.
    #[serde(flatten)]
    pub(crate) demand: Demand,
    /// Accounts of which the user may choose one, best first; where there is nothing to choose it is empty.
    pub(crate) accounts: Vec<Account>,
    /// How an attempt went that was not good enough, in words of our own.
    pub(crate) note: Option<&'static str>,
    /// How long the host will wait.
    pub(crate) seconds_left: u32,
}

impl Question {
    /// One that a command asks by itself: no host and no site has to do with it.
    pub(crate) fn of_command(purpose: Purpose, demand: Demand, seconds_left: u32) -> Self {
        Self {
            id: 0,
            purpose,
            rp_id: None,
            rp_name: None,
            user_name: None,
            user_display_name: None,
            demand,
            accounts: Vec::new(),
            note: None,
            seconds_left,
        }
    }
}

/// Waits for the answer to a question that `show` puts on show, where nothing else is to be done; `None` when nobody
/// can answer it any more.
pub(crate) fn wait_for_answer(show: impl FnOnce(AnswerHandle) -> Box<dyn Shown>) -> Option<Answer> {
    let (sender, answers) = mpsc::channel();
    let answer = AnswerHandle::new(move |answer| {
        // Whoever asked may have given up.
        let _ = sender.send(answer);
    });
    let _shown = show(answer);
    answers.recv().ok()
}

/// What counts as an answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "demand", rename_all = "kebab-case")]
pub(crate) enum Demand {
    /// A yes.
    Presence,
    /// The Vault PIN.
    VaultPin,
    /// Proof that it is the user who says yes.
    Verification {
        modality: Modality,
        /// Attempts that the user has before this way is blocked, this one included.
        attempts_left: u8,
    },
}

/// What proves that it is the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Modality {
    /// A finger on a reader of this computer.
    Fingerprint,
    /// The password with which the user logs in to this computer, or whatever else its policy accepts.
    Password,
    /// The key's own PIN.
    Pin,
}

impl Modality {
    /// In the middle of a sentence: verified by …
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Password => "password",
            Self::Pin => "PIN",
        }
    }
}

/// An account at the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Account {
    pub(crate) user_name: Option<String>,
    pub(crate) user_display_name: Option<String>,
}

/// What an approval allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Purpose {
    /// A new passkey is made.
    Register,
    /// An existing passkey signs.
    SignIn,
    /// The site learns that it already has a passkey here.
    AlreadyRegistered,
    /// The program learns that this is the key that the user means.
    Identify,
    /// A program may use the key for a while without asking for verification again.
    Verify,
    /// The account is used that the user chooses.
    ChooseAccount,
    /// Every passkey is erased.
    Reset,
    /// The same, asked a second time.
    ConfirmReset,
    /// A program wants something of a key whose vault is locked.
    Unlock,
    /// The user wants to open the vault.
    Open,
    /// Another device is let into the vault.
    AdmitDevice,
}

/// Accounts that the user is shown at most, where a person has to look through them.
const ACCOUNTS_SHOWN_MAX: usize = 20;

/// What a way to ask has to let the user do.
pub(super) enum Offer<'a> {
    /// Approve or refuse.
    Approval,
    /// Choose one of at least two accounts, or refuse.
    Choice(&'a [Account]),
    /// Refuse; what approves is the finger on the reader.
    Refusal,
    /// Enter the PIN that is asked for, or refuse.
    PinEntry,
}

impl Question {
    fn offer(&self) -> Offer<'_> {
        match self.demand {
            Demand::Presence => match self.accounts.as_slice() {
                [] | [_] => Offer::Approval,
                accounts => Offer::Choice(accounts),
            },
            Demand::VaultPin => Offer::PinEntry,
            Demand::Verification { modality, .. } => match modality {
                Modality::Fingerprint => Offer::Refusal,
                Modality::Password => Offer::Approval,
                Modality::Pin => Offer::PinEntry,
            },
        }
    }
}

/// What the user said or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Approved,
    /// Approved, with the account of this index.
    Chosen(usize),
    /// It is the user, and the user agrees.
    Verified,
    /// One attempt to show that it is the user has failed.
    NotVerified,
    Declined,
}

/// What comes back from asking.
pub(crate) enum Answer {
    Decided(Decision),
    /// The user typed what may be the PIN that was asked for.
    Pin(EnteredPin),
    /// The user could not be asked this way.
    Unavailable(Unavailable),
}

/// Why a way to ask does not work here and now, and what would make it work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Unavailable {
    reason: String,
    hint: String,
}

impl Unavailable {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: hint.into(),
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

/// One way to ask the user.
pub(crate) trait Asker: Send + Sync {
    /// The name that `--prompt` and `doctor` use.
    fn name(&self) -> &'static str;

    /// Shows the question and returns at once. `answer` is used from any thread, now or later; it stays
    /// unused once the returned value is dropped, which takes the question away.
    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown>;

    /// Whether the user can choose an account this way.
    fn can_choose_account(&self) -> bool;

    /// Says what would be used to ask, without asking. May wait for some seconds for another program.
    fn probe(&self) -> Result<String, Unavailable>;
}

/// A question that the user can see. Dropping it takes the question away, and returns at once.
pub(crate) trait Shown: Send {}

/// Nothing is shown (any more).
struct NothingShown;

impl Shown for NothingShown {}

/// Where the answer goes: used once at most, and never forgotten. A handle that is dropped unused, because
/// its thread died, reports that.
pub(crate) struct AnswerHandle {
    sink: Option<Box<dyn FnOnce(Answer) + Send>>,
}

impl AnswerHandle {
    /// Calls `sink` with the answer, from whichever thread has it. `sink` must not wait.
    pub(crate) fn new(sink: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self {
            sink: Some(Box::new(sink)),
        }
    }

    /// The user decided.
    pub(crate) fn give(self, decision: Decision) {
        self.pass_on(Answer::Decided(decision));
    }

    /// The user cannot be asked this way: the next way is tried, if there is one.
    pub(crate) fn unavailable(self, reason: Unavailable) {
        self.pass_on(Answer::Unavailable(reason));
    }

    /// The question was taken away: no answer is wanted any more.
    pub(crate) fn dismiss(mut self) {
        self.sink = None;
    }

    /// As [`Self::dismiss`]; what the handle holds is dropped with what is returned.
    pub(crate) fn silence(mut self) -> Silenced {
        Silenced {
            _sink: self.sink.take(),
        }
    }

    /// Any answer.
    pub(crate) fn pass_on(mut self, answer: Answer) {
        if let Some(sink) = self.sink.take() {
            sink(answer);
        }
    }
}

/// A handle that gives no answer any more.
pub(crate) struct Silenced {
    _sink: Option<Box<dyn FnOnce(Answer) + Send>>,
}

impl Drop for AnswerHandle {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.take() {
            sink(Answer::Unavailable(Unavailable::new(
                "the question ended without an answer",
                "try again; if it happens again, choose another way with --prompt",
            )));
        }
    }
}

impl fmt::Debug for AnswerHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AnswerHandle")
    }
}

#[cfg(test)]
pub(crate) mod testing;

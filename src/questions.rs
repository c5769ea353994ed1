//! The questions that the user can see now. A prompt of the key goes in; the answer comes back through the mailbox.
//!
//! Prompts that a yes answers go to the way to ask, those that want the user verified to the back end for that.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use wardkey_authenticator::{
    Account as KnownAccount, Demand as Wanted, Modality as Means, Prompt, PromptId, Purpose as Reason,
};

use crate::prompt::{
    Account, Answer, AnswerHandle, Decision, Demand, Modality, Purpose, Question, Shown, Unavailable,
};
use crate::user::User;
use crate::wake::{Waker, Wakeup};

/// How long what shows a question may take to end: a program has a second before it is killed.
const LEAVING_MAX: Duration = Duration::from_secs(2);

/// Shows prompts and takes them away. When it is dropped nothing is left on the screen.
pub(crate) struct Questions {
    user: User,
    waker: Waker,
    /// What shows a question holds a clone of this for as long as it does.
    showing: Option<Sender<Infallible>>,
    all_have_left: Receiver<Infallible>,
    shown: BTreeMap<PromptId, Open>,
    /// What the user has to know if one more question follows the last answer.
    note: Option<&'static str>,
}

/// A question that is not answered yet.
struct Open {
    demand: Demand,
    _shown: Box<dyn Shown>,
}

impl Questions {
    /// Asks `user`; answers wake the event loop.
    pub(crate) fn new(user: User, waker: Waker) -> Self {
        let (showing, all_have_left) = mpsc::channel();
        Self {
            user,
            waker,
            showing: Some(showing),
            all_have_left,
            shown: BTreeMap::new(),
            note: None,
        }
    }

    /// Shows `prompt`.
    pub(crate) fn ask(&mut self, id: PromptId, prompt: Prompt, time_left: Duration) {
        let (waker, showing) = (self.waker.clone(), self.showing.clone());
        let answer = AnswerHandle::new(move |answer| {
            let _until_here = showing;
            waker.send(Wakeup::Answer(id, answer));
        });
        let mut question = question(id, prompt, time_left);
        let shown = match (question.demand, &self.user.verifier) {
            (Demand::Presence, _) => self.user.asker.ask(&question, answer),
            (Demand::VaultPin, _) => {
                question.note = self.note.take();
                self.user.vault_pin.ask(&question, answer)
            }
            (Demand::Verification { .. }, Some(verifier)) => {
                question.note = self.note.take();
                verifier.verify(&question, answer)
            }
            (Demand::Verification { .. }, None) => {
                return answer.unavailable(Unavailable::new(
                    "nothing can verify the user",
                    "choose something with --verify",
                ));
            }
        };
        let demand = question.demand;
        self.shown.insert(
            id,
            Open {
                demand,
                _shown: shown,
            },
        );
    }

    /// Takes the question away, because it was answered.
    pub(crate) fn answered(&mut self, id: PromptId, answer: &Answer) {
        let demand = self.shown.remove(&id).map(|open| open.demand);
        self.note = demand.and_then(|demand| note_if_asked_again(demand, answer));
    }

    /// What the user has to know if one more question follows.
    pub(crate) fn note(&mut self, note: &'static str) {
        self.note = Some(note);
    }

    /// No question has followed the last answer.
    pub(crate) fn settle(&mut self) {
        self.note = None;
    }

    /// Takes the question away, unanswered.
    pub(crate) fn withdraw(&mut self, id: PromptId) {
        self.shown.remove(&id);
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.shown.clear();
        self.showing = None;
        // Nothing is ever sent: this ends when the last clone is gone, or when that takes too long.
        let _left = self.all_have_left.recv_timeout(LEAVING_MAX);
    }
}

/// The key asks for verification again only after a failed attempt.
fn note_if_asked_again(demand: Demand, answer: &Answer) -> Option<&'static str> {
    let Demand::Verification { modality, .. } = demand else {
        return None;
    };
    match answer {
        Answer::Decided(Decision::NotVerified) | Answer::Pin(_) => Some(match modality {
            Modality::Fingerprint => "The finger was not recognised.",
            Modality::Password => "You were not recognised.",
            Modality::Pin => "The PIN was wrong.",
        }),
        Answer::Decided(
            Decision::Approved | Decision::Chosen(_) | Decision::Verified | Decision::Declined,
        )
        | Answer::Unavailable(_) => None,
    }
}

fn question(id: PromptId, prompt: Prompt, time_left: Duration) -> Question {
    let Prompt {
        purpose,
        demand,
        rp_id,
        rp_name,
        user_name,
        user_display_name,
        accounts,
    } = prompt;
    Question {
        id: id.0,
        purpose: purpose.into(),
        rp_id,
        rp_name,
        user_name,
        user_display_name,
        demand: demand.into(),
        accounts: accounts.into_iter().map(Account::from).collect(),
        note: None,
        seconds_left: u32::try_from(time_left.as_secs()).unwrap_or(u32::MAX),
    }
}

impl From<Reason> for Purpose {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Register => Self::Register,
            Reason::SignIn => Self::SignIn,
            Reason::AlreadyRegistered => Self::AlreadyRegistered,
            Reason::Identify => Self::Identify,
            Reason::Verify => Self::Verify,
            Reason::ChooseAccount => Self::ChooseAccount,
            Reason::Reset => Self::Reset,
            Reason::ConfirmReset => Self::ConfirmReset,
            Reason::Unlock => Self::Unlock,
        }
    }
}

impl From<Wanted> for Demand {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Presence => Self::Presence,
            Wanted::VaultPin => Self::VaultPin,
            Wanted::Verification {
                modality,
                attempts_left,
            } => Self::Verification {
                modality: modality.into(),
                attempts_left,
            },
        }
    }
}

impl From<Means> for Modality {
    fn from(means: Means) -> Self {
        match means {
            Means::Fingerprint => Self::Fingerprint,
            Means::Password => Self::Password,
            Means::Pin => Self::Pin,
        }
    }
}

impl From<Modality> for Means {
    fn from(modality: Modality) -> Self {
        match modality {
            Modality::Fingerprint => Self::Fingerprint,
            Modality::Password => Self::Password,
            Modality::Pin => Self::Pin,
        }
    }
}

impl From<KnownAccount> for Account {
    fn from(account: KnownAccount) -> Self {
        let KnownAccount {
            user_name,
            user_display_name,
        } = account;
        Self {
            user_name,
            user_display_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::prompt::fixed::Fixed;
    use crate::prompt::testing::{Seen, observed, seen_question};
    use crate::prompt::verify::Verifier;
    use crate::wake::Mailbox;

    /// A back end that leaves everything to the test.
    struct Observing(Arc<dyn crate::prompt::Asker>);

    impl Verifier for Observing {
        fn modality(&self) -> Modality {
            Modality::Password
        }

        fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
            self.0.ask(question, answer)
        }

        fn probe(&self) -> Result<String, Unavailable> {
            Ok("the test".to_owned())
        }
    }

    fn prompt(demand: Wanted) -> Prompt {
        Prompt {
            purpose: Reason::SignIn,
            demand,
            rp_id: None,
            rp_name: None,
            user_name: None,
            user_display_name: None,
            accounts: Vec::new(),
        }
    }

    fn verification() -> Prompt {
        prompt(Wanted::Verification {
            modality: Means::Password,
            attempts_left: 2,
        })
    }

    const TIME: Duration = Duration::from_secs(30);

    fn dismiss(seen: &Receiver<Seen>) -> Question {
        let (question, answer) = seen_question(seen);
        answer.dismiss();
        question
    }

    #[test]
    fn a_verification_goes_to_its_back_end_and_says_how_the_last_attempt_went() {
        let (back_end, seen) = observed();
        let (mailbox, waker) = Mailbox::new().unwrap();
        let verifier: Box<dyn Verifier> = Box::new(Observing(back_end));
        let user = User {
            asker: Arc::new(Fixed::Always),
            vault_pin: Arc::new(Fixed::Never),
            verifier: Some(verifier),
        };
        let mut questions = Questions::new(user, waker);
        questions.ask(PromptId(1), verification(), TIME);
        let first = dismiss(&seen);
        assert_eq!(first.note, None);
        assert_eq!(
            first.demand,
            Demand::Verification {
                modality: Modality::Password,
                attempts_left: 2
            }
        );
        questions.answered(PromptId(1), &Answer::Decided(Decision::NotVerified));
        assert!(matches!(seen.recv(), Ok(Seen::Gone(None))));
        questions.ask(PromptId(2), verification(), TIME);
        assert_eq!(dismiss(&seen).note, Some("You were not recognised."));
        // The next question of another request is not about this attempt.
        questions.answered(PromptId(2), &Answer::Decided(Decision::NotVerified));
        questions.settle();
        assert!(matches!(seen.recv(), Ok(Seen::Gone(Some(_)))));
        questions.ask(PromptId(3), verification(), TIME);
        assert_eq!(dismiss(&seen).note, None);
        assert!(mailbox.take().is_none());
    }

    #[test]
    fn other_questions_are_asked() {
        let (mailbox, waker) = Mailbox::new().unwrap();
        let user = User {
            asker: Arc::new(Fixed::Always),
            vault_pin: Arc::new(Fixed::Never),
            verifier: None,
        };
        let mut questions = Questions::new(user, waker);
        questions.ask(PromptId(1), prompt(Wanted::Presence), TIME);
        let Some(Wakeup::Answer(PromptId(1), Answer::Decided(Decision::Approved))) = mailbox.take() else {
            panic!("not approved")
        };
        questions.ask(PromptId(2), verification(), TIME);
        let Some(Wakeup::Answer(PromptId(2), Answer::Unavailable(_))) = mailbox.take() else {
            panic!("verified by nothing")
        };
    }
}

//! Answers without a user. For tests only: a key that uses it is in test mode, and says so when it starts.
//!
//! [`Fixed`] is `--presence always|never`; [`Switch`] is `--presence ask` together with `--control`: it holds
//! each question until a touch or a refusal comes from outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{AnswerHandle, Asker, Decision, NothingShown, Question, Shown, Unavailable};

/// What happens to every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// Approved at once.
    Always,
    /// Nobody is there: each question stays until it is taken away.
    Never,
}

impl Asker for Fixed {
    fn name(&self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    fn ask(&self, _question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        match self {
            Self::Always => answer.give(Decision::Approved),
            Self::Never => answer.dismiss(),
        }
        Box::new(NothingShown)
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Ok("test mode: nobody is asked".to_owned())
    }
}

/// Holds a question until a decision comes from outside. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switch {
    waiting: Arc<Mutex<Option<Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    answer: AnswerHandle,
}

impl Switch {
    /// Decides the waiting question; says whether there was one.
    pub(crate) fn decide(&self, decision: Decision) -> bool {
        let waiting = self.lock().take();
        let was_waiting = waiting.is_some();
        if let Some(Waiting { answer, .. }) = waiting {
            answer.give(decision);
        }
        was_waiting
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asker for Switch {
    fn name(&self) -> &'static str {
        "switch"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let earlier = self.lock().replace(Waiting {
            id: question.id,
            answer,
        });
        if let Some(Waiting { answer, .. }) = earlier {
            answer.dismiss();
        }
        Box::new(Held {
            switch: self.clone(),
            id: question.id,
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Ok("test mode: decided from outside".to_owned())
    }
}

/// A question that waits in the switch.
struct Held {
    switch: Switch,
    id: u64,
}

impl Shown for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mine = self.switch.lock().take_if(|waiting| waiting.id == self.id);
        if let Some(Waiting { answer, .. }) = mine {
            answer.dismiss();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::super::testing::{answers, sign_in};
    use super::*;

    #[test]
    fn always_approves_at_once() {
        let (answer, received) = answers();
        let _shown = Fixed::Always.ask(&sign_in(), answer);
        assert_eq!(received.try_recv().unwrap(), Answer::Decided(Decision::Approved));
    }

    #[test]
    fn never_says_nothing() {
        let (answer, received) = answers();
        drop(Fixed::Never.ask(&sign_in(), answer));
        assert!(received.try_recv().is_err());
    }

    #[test]
    fn a_switch_decides_the_question_that_waits() {
        let switch = Switch::default();
        assert!(!switch.decide(Decision::Approved));
        let (answer, received) = answers();
        let _shown = switch.ask(&sign_in(), answer);
        assert!(switch.decide(Decision::Declined));
        assert_eq!(received.try_recv().unwrap(), Answer::Decided(Decision::Declined));
        assert!(!switch.decide(Decision::Approved));
    }

    #[test]
    fn a_question_that_was_taken_away_cannot_be_decided() {
        let switch = Switch::default();
        let (answer, received) = answers();
        drop(switch.ask(&sign_in(), answer));
        assert!(!switch.decide(Decision::Approved));
        assert!(received.try_recv().is_err());
    }

    #[test]
    fn dropping_an_older_question_leaves_the_newer_one() {
        let switch = Switch::default();
        let (older_answer, _) = answers();
        let older = switch.ask(&sign_in(), older_answer);
        let (answer, received) = answers();
        let _newer = switch.ask(&Question { id: 8, ..sign_in() }, answer);
        drop(older);
        assert!(switch.decide(Decision::Approved));
        assert_eq!(received.try_recv().unwrap(), Answer::Decided(Decision::Approved));
    }
}

//! `--presence always|never`: answers without a user. For tests only: a key that uses it is in test mode, and
//! says so when it starts.

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

    fn can_choose_account(&self) -> bool {
        false
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Ok("test mode: nobody is asked".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answers, decision, sign_in};
    use super::*;

    #[test]
    fn always_approves_at_once() {
        let (answer, received) = answers();
        let _shown = Fixed::Always.ask(&sign_in(), answer);
        assert_eq!(decision(received.try_recv().unwrap()), Decision::Approved);
    }

    #[test]
    fn never_says_nothing() {
        let (answer, received) = answers();
        drop(Fixed::Never.ask(&sign_in(), answer));
        assert!(received.try_recv().is_err());
    }
}

//! `--presence always|never` and `--verification always|never`: answers without a user. For tests only: a key that uses
//! it is in test mode, and says so when it starts.

use super::verify::Verifier;
use super::{AnswerHandle, Asker, Decision, Modality, NothingShown, Question, Shown, Unavailable};

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

/// `--verification always|never`.
impl Verifier for Fixed {
    fn modality(&self) -> Modality {
        Modality::Fingerprint
    }

    fn verify(&self, _question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        match self {
            Self::Always => answer.give(Decision::Verified),
            Self::Never => answer.dismiss(),
        }
        Box::new(NothingShown)
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Asker::probe(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answers, decision, sign_in, sign_in_verified};
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

    #[test]
    fn always_verifies_and_never_does_not() {
        let (answer, received) = answers();
        let question = sign_in_verified(Modality::Fingerprint);
        let _shown = Fixed::Always.verify(&question, answer);
        assert_eq!(decision(received.try_recv().unwrap()), Decision::Verified);
        let (answer, received) = answers();
        drop(Fixed::Never.verify(&question, answer));
        assert!(received.try_recv().is_err());
    }
}

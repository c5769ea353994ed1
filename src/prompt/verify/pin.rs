//! Asks for the key's own PIN: in a pinentry dialog, or else in the terminal. It is the authenticator that checks it.

use super::super::chain::{Chain, Way};
use super::super::pinentry::Pinentry;
use super::super::terminal::Terminal;
use super::super::{AnswerHandle, Asker, Modality, Question, Shown, Unavailable};
use super::Verifier;

/// Asks for the PIN.
pub(crate) struct Pin {
    chain: Chain,
}

impl Pin {
    /// Asks in the way that the command line chooses, where a PIN can be entered that way.
    pub(crate) fn by(way: Way) -> Self {
        let pinentry = || -> Box<dyn Asker> { Box::new(Pinentry::of_this_session()) };
        let terminal = || -> Box<dyn Asker> { Box::new(Terminal::controlling()) };
        Self {
            chain: Chain::new(match way {
                Way::Auto | Way::Notification => vec![pinentry(), terminal()],
                Way::Pinentry => vec![pinentry()],
                Way::Terminal => vec![terminal()],
            }),
        }
    }
}

impl Verifier for Pin {
    fn modality(&self) -> Modality {
        Modality::Pin
    }

    fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        self.chain.ask(question, answer)
    }

    fn probe(&self) -> Result<String, Unavailable> {
        self.chain.probe()
    }
}

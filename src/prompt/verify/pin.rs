//! Asks for the key's own PIN: in a pinentry dialog, or else in the terminal. It is the authenticator that checks it.

use super::super::chain::{Chain, Way, pin_chain_for};
use super::super::{AnswerHandle, Asker, Modality, Question, Shown, Unavailable};
use super::Verifier;

/// Asks for the PIN.
pub(crate) struct Pin {
    chain: Chain,
}

impl Pin {
    /// Asks in the way that the command line chooses, where a PIN can be entered that way.
    pub(crate) fn by(way: Way) -> Self {
        Self {
            chain: pin_chain_for(way),
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

//! Finds out that it is the user: a [`Question`] whose demand is verification goes in, and what comes out is
//! [`Decision::Verified`], one failed attempt, the PIN that the user typed, or a refusal.
//!
//! Each file is one back end. Like ways to ask, none blocks the caller, and dropping what [`Verifier::verify`] returned
//! ends the dialogue at once, with the fingerprint reader or the password prompt of the system. How many attempts there
//! are is the authenticator's business: a back end makes one.
//!
//! [`Decision::Verified`]: super::Decision::Verified

pub(crate) mod command;
pub(crate) mod fingerprint;
pub(crate) mod password;
pub(crate) mod pin;

use super::{AnswerHandle, Modality, Question, Shown, Unavailable};

/// One way to find out that it is the user.
pub(crate) trait Verifier: Send + Sync {
    /// What proves it.
    fn modality(&self) -> Modality;

    /// Shows the question, makes one attempt, and returns at once. `answer` is used from any thread, now or later; it
    /// stays unused once the returned value is dropped, which ends the attempt.
    fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown>;

    /// Says what would be used, without asking the user. May wait for some seconds for another program.
    fn probe(&self) -> Result<String, Unavailable>;
}

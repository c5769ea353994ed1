//! Whether it is the user who changes who can open the vault, besides the Vault PIN.

use std::sync::Arc;

use crate::cli::device::{ApproveDevice, VerifyHere};
use crate::error::Failure;
use crate::prompt::chain::{Way, chain_for};
use crate::prompt::verify::Verifier;
use crate::prompt::verify::command::VerifyCommand;
use crate::prompt::verify::fingerprint::Fingerprint;
use crate::prompt::verify::password::Password;
use crate::prompt::{Answer, Decision, Demand, Purpose, Question, wait_for_answer};

/// How often it is tried.
const ATTEMPTS: u8 = 3;
/// How long each attempt may take, in seconds.
const PATIENCE_SECONDS: u32 = 60;

/// Finds out that it is the user, where a means was given.
pub(super) fn verify_user(options: &ApproveDevice) -> Result<(), Failure> {
    let asker = || Arc::new(chain_for(Way::Auto, None));
    let verifier: Box<dyn Verifier> = match (&options.verify_command, options.verify) {
        (Some(program), _) => Box::new(VerifyCommand::new(program.clone())),
        (None, Some(VerifyHere::Fingerprint)) => Box::new(Fingerprint::of_this_computer(asker())),
        (None, Some(VerifyHere::Password)) => Box::new(Password::of_this_computer(asker())),
        (None, None) => return Ok(()),
    };
    for attempts_left in (1..=ATTEMPTS).rev() {
        match attempt(&*verifier, attempts_left) {
            Some(Answer::Decided(Decision::Verified)) => return Ok(()),
            Some(Answer::Decided(Decision::NotVerified)) => {}
            Some(Answer::Unavailable(reason)) => return Err(Failure::new(&reason, reason.hint())),
            Some(Answer::Decided(_) | Answer::Pin(_)) | None => break,
        }
    }
    Err(Failure::new(
        "you were not verified, so nobody was let in",
        "try again, or verify by other means: --verify",
    ))
}

fn attempt(verifier: &dyn Verifier, attempts_left: u8) -> Option<Answer> {
    let demand = Demand::Verification {
        modality: verifier.modality(),
        attempts_left,
    };
    let question = Question::of_command(Purpose::AdmitDevice, demand, PATIENCE_SECONDS);
    wait_for_answer(|answer| verifier.verify(&question, answer))
}

//! `--verify-command PROGRAM`: the question goes to the program as to a prompt command, and its exit code says whether
//! it is the user: 0 verified, 1 declined, 2 not verified, everything else that it could not find out.

use std::path::PathBuf;

use super::super::command::{probe, run};
use super::super::worker::Workers;
use super::super::{AnswerHandle, Decision, Modality, Question, Shown, Unavailable};
use super::Verifier;

/// Verifies by running a program.
#[derive(Debug)]
pub(crate) struct VerifyCommand {
    program: PathBuf,
    workers: Workers,
}

impl VerifyCommand {
    /// Verifies by running `program`, a path or the name of something in `PATH`.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            workers: Workers::default(),
        }
    }
}

impl Verifier for VerifyCommand {
    /// What the program looks at is not known; hosts are told that it is a password of this computer.
    fn modality(&self) -> Modality {
        Modality::Password
    }

    fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let program = self.program.clone();
        let question = question.clone();
        self.workers.start(answer, move |withdrawal, answer| {
            let ended = match run(&program, &question, withdrawal) {
                Ok(Some(ended)) => ended,
                Ok(None) => return answer.dismiss(),
                Err(unavailable) => return answer.unavailable(unavailable),
            };
            match ended.code() {
                Some(0) => answer.give(Decision::Verified),
                Some(1) => answer.give(Decision::Declined),
                Some(2) => answer.give(Decision::NotVerified),
                _ => answer.unavailable(ended.not_an_answer(
                    &program,
                    "a verify command exits with 0 for verified, 1 for declined, 2 for not verified",
                )),
            }
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        probe(&self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{
        A_WHILE, answers, decided, reason, sign_in_verified, wait_for, write_script,
    };
    use super::*;

    fn verifier(body: &str) -> (tempfile::TempDir, VerifyCommand) {
        let folder = tempfile::tempdir().unwrap();
        let program = write_script(folder.path(), "verify", body);
        (folder, VerifyCommand::new(program))
    }

    #[test]
    fn the_exit_code_says_whether_it_is_the_user() {
        for (code, decision) in [
            (0, Decision::Verified),
            (1, Decision::Declined),
            (2, Decision::NotVerified),
        ] {
            let (_folder, verifier) = verifier(&format!("exit {code}"));
            let (answer, received) = answers();
            let _shown = verifier.verify(&sign_in_verified(Modality::Password), answer);
            assert_eq!(decided(&received), decision);
        }
    }

    #[test]
    fn other_ends_verify_nobody() {
        let (_folder, verifier) = verifier("exit 3");
        let (answer, received) = answers();
        let _shown = verifier.verify(&sign_in_verified(Modality::Password), answer);
        assert!(reason(&received).ends_with("verify ended with exit code 3"));
    }

    #[test]
    fn the_program_is_told_that_verification_is_wanted() {
        let (_folder, verifier) = verifier("grep -q '\"demand\":\"verification\"' || exit 3");
        let (answer, received) = answers();
        let _shown = verifier.verify(&sign_in_verified(Modality::Password), answer);
        assert_eq!(decided(&received), Decision::Verified);
    }

    #[test]
    fn taking_away_ends_the_program() {
        let body = "here=$(dirname \"$0\")\ntrap 'echo > \"$here/ended\"; exit 0' TERM\n\
                    echo > \"$here/began\"\nsleep 600 & wait";
        let (folder, verifier) = verifier(body);
        let (answer, received) = answers();
        let shown = verifier.verify(&sign_in_verified(Modality::Password), answer);
        wait_for(|| folder.path().join("began").exists());
        drop(shown);
        wait_for(|| folder.path().join("ended").exists());
        assert!(received.recv_timeout(A_WHILE).is_err());
    }
}

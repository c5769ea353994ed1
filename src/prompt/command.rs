//! `--prompt-command PROGRAM`: the question goes to the program's standard input as one JSON document, and its
//! exit code is the decision: 0 approves, 1 declines, everything else means that it could not ask.
//!
//! No shell is involved. The program leads a process group of its own; when the question is taken away the
//! whole group gets SIGTERM, and SIGKILL a second later. It has therefore no use of our terminal.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;

use super::child::{Program, Reach};
use super::text::{Text, visible};
use super::worker::{Withdrawal, Woken, Workers};
use super::{Answer, AnswerHandle, Asker, Decision, Question, Shown, Unavailable};
use crate::programs::find_program;

/// Asks by running a program.
#[derive(Debug)]
pub(crate) struct PromptCommand {
    program: PathBuf,
    workers: Workers,
}

impl PromptCommand {
    /// Asks by running `program`, a path or the name of something in `PATH`.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            workers: Workers::default(),
        }
    }
}

impl Asker for PromptCommand {
    fn name(&self) -> &'static str {
        "prompt-command"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let program = self.program.clone();
        let question = question.clone();
        self.workers.start(answer, move |withdrawal, answer| {
            match run(&program, &question, withdrawal) {
                Ok(Some(Answer::Decided(decision))) => answer.give(decision),
                Ok(Some(Answer::Unavailable(unavailable))) => answer.unavailable(unavailable),
                Ok(None) => answer.dismiss(),
                Err(error) => answer.unavailable(cannot_run(&program, &error)),
            }
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        let path = std::env::var_os("PATH");
        find_program(&self.program, path.as_deref())
            .map(|found| found.display().to_string())
            .ok_or_else(|| cannot_run(&self.program, &io::ErrorKind::NotFound.into()))
    }
}

/// The document on standard input. Its text is fit to be shown as it is, but not escaped for any markup.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    question: Question,
    title: &'static str,
    text: String,
}

impl Document {
    fn new(question: &Question) -> Self {
        let Text { title, sentence } = Text::for_question(question);
        let Question {
            id,
            purpose,
            rp_id,
            rp_name,
            user_name,
            user_display_name,
            seconds_left,
        } = question;
        let visible = |name: &Option<String>| name.as_deref().map(visible);
        let question = Question {
            id: *id,
            purpose: *purpose,
            rp_id: visible(rp_id),
            rp_name: visible(rp_name),
            user_name: visible(user_name),
            user_display_name: visible(user_display_name),
            seconds_left: *seconds_left,
        };
        Self {
            question,
            title,
            text: sentence,
        }
    }
}

/// Runs the program to its end; nothing when the question was taken away before.
fn run(program: &Path, question: &Question, withdrawal: &Withdrawal) -> io::Result<Option<Answer>> {
    let mut command = Command::new(program);
    command
        .stdin(document(question)?)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    let mut running = Program::start(&mut command, Reach::Group)?;
    match withdrawal.wait(running.ended())? {
        Woken::Withdrawn => Ok(None),
        Woken::Ready => Ok(Some(decision(program, running.wait()?))),
    }
}

/// The JSON document in memory: unlike a pipe, it never makes us wait for a program that does not read.
fn document(question: &Question) -> io::Result<File> {
    let mut file = File::from(memfd_create("question.json", MemfdFlags::CLOEXEC)?);
    serde_json::to_writer(&mut file, &Document::new(question))?;
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file)
}

fn decision(program: &Path, status: ExitStatus) -> Answer {
    let ended = match (status.code(), status.signal()) {
        (Some(0), _) => return Answer::Decided(Decision::Approved),
        (Some(1), _) => return Answer::Decided(Decision::Declined),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended without an exit code".to_owned(),
    };
    Answer::Unavailable(Unavailable::new(
        format!("{} {ended}", program.display()),
        "a prompt command exits with 0 to approve and with 1 to decline",
    ))
}

fn cannot_run(program: &Path, error: &io::Error) -> Unavailable {
    Unavailable::new(
        format!("cannot run {}: {error}", program.display()),
        "give --prompt-command the path of a program that may be run (chmod +x)",
    )
}

#[cfg(test)]
mod tests;

//! `--prompt-command PROGRAM`: the question goes to the program's standard input as one JSON document, and its
//! exit code is the decision: 0 approves, 1 declines, everything else means that it could not ask. Where the user may
//! choose an account, the program prints the place of that account in the document, or nothing if it cannot tell. Where
//! the Vault PIN is asked for, it prints that.
//!
//! No shell is involved. The program leads a process group of its own; when the question is taken away the
//! whole group gets SIGTERM, and SIGKILL a second later. It has therefore no use of our terminal.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;
use zeroize::Zeroizing;

use super::child::{Program, Reach};
use super::text::{Text, visible};
use super::worker::{Withdrawal, Woken, Workers};
use super::{
    Account, Answer, AnswerHandle, Asker, Decision, Demand, EnteredPin, Offer, Question, Shown, Unavailable,
};
use crate::programs::find_program;

/// Bytes of the program's output that are looked at: more than the longest PIN.
const PRINTED_BYTES_MAX: usize = 2048;

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
            let decided = run(&program, &question, withdrawal).and_then(|ended| {
                ended
                    .map(|ended| answer_of(&program, &question, ended))
                    .transpose()
            });
            match decided {
                Ok(Some(given)) => answer.pass_on(given),
                Ok(None) => answer.dismiss(),
                Err(unavailable) => answer.unavailable(unavailable),
            }
        })
    }

    fn can_choose_account(&self) -> bool {
        true
    }

    fn probe(&self) -> Result<String, Unavailable> {
        probe(&self.program)
    }
}

/// Whether there is such a program.
pub(super) fn probe(program: &Path) -> Result<String, Unavailable> {
    let path = std::env::var_os("PATH");
    find_program(program, path.as_deref())
        .map(|found| found.display().to_string())
        .ok_or_else(|| cannot_run(program, &io::ErrorKind::NotFound.into()))
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
        let visible = |name: &Option<String>| name.as_deref().map(visible);
        let account = |account: &Account| Account {
            user_name: visible(&account.user_name),
            user_display_name: visible(&account.user_display_name),
        };
        let question = Question {
            rp_id: visible(&question.rp_id),
            rp_name: visible(&question.rp_name),
            user_name: visible(&question.user_name),
            user_display_name: visible(&question.user_display_name),
            accounts: question.accounts.iter().map(account).collect(),
            ..*question
        };
        Self {
            question,
            title,
            text: sentence,
        }
    }
}

/// How a program ended by itself.
pub(super) struct Ended {
    status: ExitStatus,
    output: File,
}

/// Runs the program to its end; nothing when the question was taken away before.
pub(super) fn run(
    program: &Path,
    question: &Question,
    withdrawal: &Withdrawal,
) -> Result<Option<Ended>, Unavailable> {
    let failed = |error| cannot_run(program, &error);
    let output = memory_file("answer.txt").map_err(failed)?;
    let mut command = Command::new(program);
    command
        .stdin(document(question).map_err(failed)?)
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(Stdio::inherit());
    let mut running = Program::start(&mut command, Reach::Group).map_err(failed)?;
    match withdrawal.wait(running.ended()).map_err(failed)? {
        Woken::Withdrawn => Ok(None),
        Woken::Ready => Ok(Some(Ended {
            status: running.wait().map_err(failed)?,
            output,
        })),
    }
}

/// The JSON document.
fn document(question: &Question) -> io::Result<File> {
    let mut file = memory_file("question.json")?;
    serde_json::to_writer(&mut file, &Document::new(question))?;
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file)
}

/// Unlike a pipe, it never makes anyone wait for someone who does not read.
fn memory_file(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

impl Ended {
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// What stands in the way of taking the end for an answer.
    pub(super) fn not_an_answer(&self, program: &Path, hint: &str) -> Unavailable {
        let ended = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended without an exit code".to_owned(),
        };
        Unavailable::new(format!("{} {ended}", program.display()), hint)
    }

    /// The first line of standard output; empty when there is none, or no text.
    fn printed(&mut self) -> io::Result<Zeroizing<String>> {
        self.output.rewind()?;
        let mut printed = Zeroizing::new([0; PRINTED_BYTES_MAX]);
        let mut len = 0;
        while let Some(rest) = printed.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match self.output.read(rest)? {
                0 => break,
                count => len += count,
            }
        }
        let text = printed
            .get(..len)
            .and_then(|printed| str::from_utf8(printed).ok());
        let line = text.and_then(|text| text.lines().next()).unwrap_or_default();
        Ok(Zeroizing::new(line.to_owned()))
    }
}

fn answer_of(program: &Path, question: &Question, mut ended: Ended) -> Result<Answer, Unavailable> {
    if question.demand != Demand::VaultPin || ended.code() != Some(0) {
        return decision(program, question, ended).map(Answer::Decided);
    }
    let printed = ended.printed().map_err(|error| cannot_run(program, &error))?;
    EnteredPin::new(printed).map(Answer::Pin).ok_or_else(|| {
        Unavailable::new(
            format!("{} printed no Vault PIN", program.display()),
            "where `demand` is vault-pin, a prompt command prints the Vault PIN in one line, and exits with 0",
        )
    })
}

fn decision(program: &Path, question: &Question, mut ended: Ended) -> Result<Decision, Unavailable> {
    match ended.code() {
        Some(0) => {}
        Some(1) => return Ok(Decision::Declined),
        _ => {
            let hint = "a prompt command exits with 0 to approve and with 1 to decline";
            return Err(ended.not_an_answer(program, hint));
        }
    }
    let Offer::Choice(accounts) = question.offer() else {
        return Ok(Decision::Approved);
    };
    let printed = ended.printed().map_err(|error| cannot_run(program, &error))?;
    let printed = printed.trim();
    if printed.is_empty() {
        return Ok(Decision::Approved);
    }
    let index = printed.parse().ok().filter(|index| *index < accounts.len());
    index.map(Decision::Chosen).ok_or_else(|| {
        Unavailable::new(
            format!("{} printed no index of an account", program.display()),
            "a prompt command prints the place of the account in `accounts`, from 0 on, or nothing",
        )
    })
}

fn cannot_run(program: &Path, error: &io::Error) -> Unavailable {
    Unavailable::new(
        format!("cannot run {}: {error}", program.display()),
        "give --prompt-command the path of a program that may be run (chmod +x)",
    )
}

#[cfg(test)]
mod tests;

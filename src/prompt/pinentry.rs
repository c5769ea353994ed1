//! Asks through pinentry, the dialog program of GnuPG: `CONFIRM` in the Assuan protocol over its standard input
//! and output, one command at a time. The program is ended when the question is taken away.
//!
//! Only graphical dialogs are wanted here: pinentry is not told of any terminal, because there
//! [`super::terminal`] asks without taking over the whole screen.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use super::child::{Program, Reach};
use super::text::{Text, without_markup};
use super::worker::{Withdrawal, Woken, Workers};
use super::{AnswerHandle, Asker, Decision, Question, Shown, Unavailable};
use crate::programs::find_program;

/// The longest line of the protocol, without its end (Assuan manual, "Client requests").
const LINE_BYTES_MAX: usize = 1000;
/// Lines that one command may be answered with.
const LINES_MAX: usize = 64;
/// Our own time-out comes first; pinentry's is for the case that we are gone.
const GRACE_SECONDS: u32 = 5;

/// The part of a GPG error code that is not its source (libgpg-error, `gpg_err_code`).
const ERROR_CODE_MASK: u32 = 0xffff;
/// GPG_ERR_CANCELED, GPG_ERR_NOT_CONFIRMED, GPG_ERR_FULLY_CANCELED.
const DECLINED: [u32; 3] = [99, 114, 198];

/// Asks with a pinentry dialog.
#[derive(Debug)]
pub(crate) struct Pinentry {
    environment: Environment,
    workers: Workers,
}

/// What decides whether a dialog can be shown.
#[derive(Debug, Clone, Default)]
struct Environment {
    search_path: Option<OsString>,
    has_display: bool,
}

impl Pinentry {
    /// Asks with the `pinentry` in `PATH` on the display of this session.
    pub(crate) fn of_this_session() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_display = is_set("WAYLAND_DISPLAY") || is_set("DISPLAY");
        Self::new(Environment {
            search_path: std::env::var_os("PATH"),
            has_display,
        })
    }

    fn new(environment: Environment) -> Self {
        Self {
            environment,
            workers: Workers::default(),
        }
    }

    fn find(&self) -> Result<PathBuf, Unavailable> {
        if !self.environment.has_display {
            return Err(Unavailable::new(
                "there is no display: neither WAYLAND_DISPLAY nor DISPLAY is set",
                "start wardkey in the graphical session",
            ));
        }
        find_program(Path::new("pinentry"), self.environment.search_path.as_deref()).ok_or_else(|| {
            Unavailable::new(
                "pinentry is not installed",
                "install a graphical pinentry (the package is pinentry-gnome3, pinentry-qt or pinentry-gtk2)",
            )
        })
    }
}

impl Asker for Pinentry {
    fn name(&self) -> &'static str {
        "pinentry"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let program = match self.find() {
            Ok(program) => program,
            Err(unavailable) => {
                answer.unavailable(unavailable);
                return Box::new(super::NothingShown);
            }
        };
        let commands = commands(question);
        self.workers.start(answer, move |withdrawal, answer| {
            match confirm(&program, &commands, withdrawal) {
                Ok(decision) => answer.give(decision),
                Err(Failure::Withdrawn) => answer.dismiss(),
                Err(failure) => answer.unavailable(failure.into()),
            }
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        self.find().map(|program| program.display().to_string())
    }
}

/// The dialogue up to the question itself.
fn commands(question: &Question) -> Vec<String> {
    let Text { title, sentence } = Text::for_question(question);
    vec![
        format!("SETTITLE {}", argument(&format!("wardkey: {title}"))),
        format!("SETDESC {}", argument(&sentence)),
        "SETOK Approve".to_owned(),
        "SETCANCEL Deny".to_owned(),
        format!(
            "SETTIMEOUT {}",
            question.seconds_left.saturating_add(GRACE_SECONDS)
        ),
        "CONFIRM".to_owned(),
    ]
}

/// Text as the argument of a command: percent signs escaped, everything else is printable by now.
fn argument(text: &str) -> String {
    without_markup(text).replace('%', "%25")
}

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the question was taken away")]
    Withdrawn,
    #[error("pinentry cannot be run: {0}")]
    Run(#[from] io::Error),
    #[error("pinentry ended without an answer")]
    Ended,
    #[error("pinentry shows nothing: {0}")]
    Refused(String),
    #[error("pinentry does not speak its protocol")]
    Protocol,
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        Self::new(
            failure.to_string(),
            "check that `echo GETINFO flavor | pinentry` names a graphical pinentry, or choose another with --prompt",
        )
    }
}

fn confirm(program: &Path, commands: &[String], withdrawal: &Withdrawal) -> Result<Decision, Failure> {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Program::start(&mut command, Reach::Program)?;
    let (input, output) = running.take_pipes().ok_or(Failure::Protocol)?;
    let mut dialogue = Dialogue {
        input,
        output,
        unread: Vec::new(),
        withdrawal,
    };
    dialogue.reply()?.map_err(Failure::Refused)?;
    let (question, settings) = commands.split_last().ok_or(Failure::Protocol)?;
    for setting in settings {
        dialogue.send(setting)?;
        // A setting that this pinentry does not know changes how the dialog looks, not what it asks;
        // what it asks is in SETDESC.
        let accepted = dialogue.reply()?;
        if setting.starts_with("SETDESC") {
            accepted.map_err(Failure::Refused)?;
        }
    }
    dialogue.send(question)?;
    match dialogue.reply()? {
        Ok(()) => Ok(Decision::Approved),
        Err(error) if is_declined(&error) => Ok(Decision::Declined),
        Err(error) => Err(Failure::Refused(super::text::visible(&error))),
    }
}

/// Whether the text after `ERR` says that the user said no.
fn is_declined(error: &str) -> bool {
    let code = error.split(' ').next().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| DECLINED.contains(&(code & ERROR_CODE_MASK)))
}

/// The protocol: one command, then lines up to `OK` or `ERR`.
struct Dialogue<'a> {
    input: ChildStdin,
    output: ChildStdout,
    unread: Vec<u8>,
    withdrawal: &'a Withdrawal,
}

impl Dialogue<'_> {
    /// Every command fits into the pipe: one is under way at a time, and none is longer than a line.
    fn send(&mut self, command: &str) -> Result<(), Failure> {
        let mut line = command.to_owned();
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
        line.push('\n');
        Ok(self.input.write_all(line.as_bytes())?)
    }

    /// Waits for `OK` or for the text after `ERR`, and passes over status and comment lines.
    fn reply(&mut self) -> Result<Result<(), String>, Failure> {
        for _ in 0..LINES_MAX {
            let line = self.line()?;
            if line == "OK" || line.starts_with("OK ") {
                return Ok(Ok(()));
            }
            if let Some(error) = line.strip_prefix("ERR ") {
                return Ok(Err(error.to_owned()));
            }
            if !(line.starts_with("S ") || line.starts_with('#') || line.starts_with("D ")) {
                return Err(Failure::Protocol);
            }
        }
        Err(Failure::Protocol)
    }

    fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.truncate(end);
                return String::from_utf8(line).map_err(|_| Failure::Protocol);
            }
            if self.unread.len() > LINE_BYTES_MAX {
                return Err(Failure::Protocol);
            }
            if self.withdrawal.wait(self.output.as_fd())? == Woken::Withdrawn {
                return Err(Failure::Withdrawn);
            }
            let mut bytes = [0; 256];
            let count = self.output.read(&mut bytes)?;
            if count == 0 {
                return Err(Failure::Ended);
            }
            self.unread.extend(bytes.iter().take(count));
        }
    }
}

#[cfg(test)]
mod tests;

//! Asks in the terminal that controls this process: one line with the question, and `y` or `yes` approves.
//!
//! The terminal is `/dev/tty`, so standard input and output may be redirected. It is used only while this
//! process is in its foreground: in the background, reading would stop the process, and the keys that the user
//! presses are meant for another program. What was typed before the question is thrown away unread.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;
use rustix::process::getpgrp;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};

use super::text::Text;
use super::worker::{Withdrawal, Woken, Workers};
use super::{AnswerHandle, Asker, Decision, Question, Shown, Unavailable};

/// Answers that are neither yes nor no before the question counts as declined.
const UNCLEAR_MAX: usize = 3;
/// Bytes of one answer that are looked at.
const ANSWER_BYTES_MAX: usize = 256;

const HINT: &str = "start wardkey in the foreground of a terminal";

/// Asks in a terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    path: PathBuf,
    foreground: Foreground,
    workers: Workers,
    /// Held by the thread that asks, so that a question ends on the screen before the next one begins.
    screen: Arc<Mutex<()>>,
}

/// How it is known that the keys that the user presses are meant for this process.
#[derive(Debug, Clone, Copy)]
enum Foreground {
    /// The process is in the foreground process group of the terminal.
    Checked,
    /// A test holds the other end of the terminal.
    #[cfg(test)]
    Assumed,
}

impl Terminal {
    /// The terminal that controls this process.
    pub(crate) fn controlling() -> Self {
        Self::at(Path::new("/dev/tty"), Foreground::Checked)
    }

    fn at(path: &Path, foreground: Foreground) -> Self {
        Self {
            path: path.to_owned(),
            foreground,
            workers: Workers::default(),
            screen: Arc::default(),
        }
    }

    fn open(&self) -> Result<File, Unavailable> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        if let Ok(flags) = i32::try_from(OFlags::NOCTTY.bits()) {
            options.custom_flags(flags);
        }
        let terminal = options.open(&self.path);
        let terminal =
            terminal.map_err(|error| Unavailable::new(format!("there is no terminal: {error}"), HINT))?;
        self.foreground.check(terminal.as_fd())?;
        Ok(terminal)
    }
}

impl Foreground {
    fn check(self, terminal: BorrowedFd<'_>) -> Result<(), Unavailable> {
        match self {
            Self::Checked if tcgetpgrp(terminal) == Ok(getpgrp()) => Ok(()),
            Self::Checked => Err(Unavailable::new("the terminal is used by another program", HINT)),
            #[cfg(test)]
            Self::Assumed => Ok(()),
        }
    }
}

impl Asker for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let terminal = match self.open() {
            Ok(terminal) => terminal,
            Err(unavailable) => {
                answer.unavailable(unavailable);
                return Box::new(super::NothingShown);
            }
        };
        let sentence = Text::for_question(question).sentence;
        let foreground = self.foreground;
        let screen = Arc::clone(&self.screen);
        self.workers.start(answer, move |withdrawal, answer| {
            let _screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
            match (Dialogue {
                terminal,
                foreground,
                withdrawal,
            })
            .ask(&sentence)
            {
                Ok(Some(decision)) => answer.give(decision),
                Ok(None) => answer.dismiss(),
                Err(unavailable) => answer.unavailable(unavailable),
            }
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        self.open().map(|_| self.path.display().to_string())
    }
}

struct Dialogue<'a> {
    terminal: File,
    foreground: Foreground,
    withdrawal: &'a Withdrawal,
}

/// What a line of the user's means.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Decided(Decision),
    Unclear,
    Withdrawn,
}

impl Dialogue<'_> {
    /// Nothing when the question was taken away.
    fn ask(&mut self, sentence: &str) -> Result<Option<Decision>, Unavailable> {
        self.forget_what_was_typed();
        self.say(&format!("\n{sentence} [y/N] "))?;
        for _ in 0..UNCLEAR_MAX {
            match self.reply()? {
                Reply::Decided(decision) => {
                    self.say(match decision {
                        Decision::Approved => "Approved.\n",
                        Decision::Declined => "Declined.\n",
                    })?;
                    return Ok(Some(decision));
                }
                Reply::Unclear => self.say("Please answer y or n: ")?,
                Reply::Withdrawn => {
                    self.forget_what_was_typed();
                    self.say("\nNo answer is needed any more: the question was taken back.\n")?;
                    return Ok(None);
                }
            }
        }
        self.say("\nDeclined.\n")?;
        Ok(Some(Decision::Declined))
    }

    /// Waits for a line.
    fn reply(&mut self) -> Result<Reply, Unavailable> {
        if self.withdrawal.wait(self.terminal.as_fd()).map_err(broken)? == Woken::Withdrawn {
            return Ok(Reply::Withdrawn);
        }
        self.foreground.check(self.terminal.as_fd())?;
        let mut bytes = [0; ANSWER_BYTES_MAX];
        let count = self.terminal.read(&mut bytes).map_err(broken)?;
        Ok(meaning(bytes.get(..count).unwrap_or_default()))
    }

    fn say(&mut self, text: &str) -> Result<(), Unavailable> {
        self.terminal.write_all(text.as_bytes()).map_err(broken)
    }

    fn forget_what_was_typed(&self) {
        // Where it cannot be forgotten, reading fails as well and says so.
        let _unsupported = tcflush(&self.terminal, QueueSelector::IFlush);
    }
}

fn broken(error: io::Error) -> Unavailable {
    Unavailable::new(format!("the terminal cannot be used: {error}"), HINT)
}

/// An empty line means the default, and so does the end of input.
fn meaning(line: &[u8]) -> Reply {
    match line.trim_ascii().to_ascii_lowercase().as_slice() {
        b"y" | b"yes" => Reply::Decided(Decision::Approved),
        b"" | b"n" | b"no" => Reply::Decided(Decision::Declined),
        _ => Reply::Unclear,
    }
}

#[cfg(test)]
mod tests;

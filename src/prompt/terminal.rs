//! Asks in the terminal that controls this process: one line with the question, and `y` or `yes` approves, or the
//! number of an account, or the key's PIN, which is not shown while it is typed.
//!
//! The terminal is `/dev/tty`, so standard input and output may be redirected. It is used only while this
//! process is in its foreground: in the background, reading would stop the process, and the keys that the user
//! presses are meant for another program. What was typed before the question is thrown away unread.

mod dialogue;
pub(crate) mod echo;

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

use self::dialogue::Dialogue;
use self::echo::Echo;
use super::worker::Workers;
use super::{AnswerHandle, Asker, Question, Shown, Unavailable};

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
pub(crate) enum Foreground {
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
    pub(crate) fn check(self, terminal: BorrowedFd<'_>) -> Result<(), Unavailable> {
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
        let question = question.clone();
        let foreground = self.foreground;
        let screen = Arc::clone(&self.screen);
        let echo = Arc::<Echo>::default();
        let echo_of_worker = Arc::clone(&echo);
        let worker = self.workers.start(answer, move |withdrawal, answer| {
            let _screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut dialogue = Dialogue {
                terminal,
                foreground,
                withdrawal,
                echo: &echo_of_worker,
            };
            match dialogue.ask(&question) {
                Ok(Some(given)) => answer.pass_on(given),
                Ok(None) => answer.dismiss(),
                Err(unavailable) => answer.unavailable(unavailable),
            }
        });
        Box::new(ShownInTerminal {
            echo,
            _worker: worker,
        })
    }

    fn can_choose_account(&self) -> bool {
        true
    }

    fn probe(&self) -> Result<String, Unavailable> {
        self.open().map(|_| self.path.display().to_string())
    }
}

/// Dropping it does not wait for the thread, which the end of the process may overtake.
struct ShownInTerminal {
    echo: Arc<Echo>,
    _worker: Box<dyn Shown>,
}

impl Shown for ShownInTerminal {}

impl Drop for ShownInTerminal {
    fn drop(&mut self) {
        self.echo.restore();
    }
}

#[cfg(test)]
mod tests;

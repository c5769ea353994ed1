//! The dialogue on the terminal that controls this process, so that standard input and output may be redirected.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::tcgetwinsize;
use zeroize::Zeroizing;

use super::dialogue::{Dialogue, Nobody, Room};
use crate::error::Failure;
use crate::prompt::terminal::Foreground;
use crate::prompt::terminal::echo::Echo;
use crate::readiness::{is_ready_within, retry};
use crate::signals;

/// What Linux keeps of one line, n_tty(4).
const LINE_LEN_MAX: usize = 4096;
/// To another screen, whose content is kept nowhere, and back: DECSET 1049.
const OTHER_SCREEN: &str = "\x1b[?1049h\x1b[H\x1b[2J";
const FIRST_SCREEN: &str = "\x1b[?1049l";

/// A dialogue with the person at the terminal; with nobody where there is none.
pub(super) fn dialogue() -> Box<dyn Dialogue> {
    open().unwrap_or_else(|| Box::new(Nobody))
}

/// A dialogue with the person at the terminal; nothing where there is none.
pub(super) fn open() -> Option<Box<dyn Dialogue>> {
    Some(Box::new(Terminal::open().ok()?))
}

struct Terminal {
    file: File,
    /// Readable when the process is asked to stop. That is looked at between the steps of a command, so that the
    /// terminal is left as it was.
    stop: UnixStream,
}

impl Terminal {
    fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        Ok(Self {
            file,
            stop: signals::stop()?,
        })
    }

    /// `Err` as soon as the process is asked to stop.
    fn go_on_for(&self, time: Duration) -> Result<(), Failure> {
        match is_ready_within(self.stop.as_fd(), time) {
            Ok(false) => Ok(()),
            Ok(true) => Err(stopped()),
            Err(error) => Err(broken(&error)),
        }
    }

    fn read_line(&mut self) -> Result<Zeroizing<String>, Failure> {
        let mut sources = [
            PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN),
        ];
        retry(|| poll(&mut sources, None)).map_err(|error| broken(&error.into()))?;
        self.check_wanted()?;
        let mut bytes = Zeroizing::new(vec![0; LINE_LEN_MAX]);
        let count = self.file.read(&mut bytes).map_err(|error| broken(&error))?;
        if count == 0 {
            return Err(stopped());
        }
        let line = bytes.get(..count).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = std::str::from_utf8(line);
        let text =
            text.map_err(|_| Failure::new("what was typed is not text", "set the terminal to UTF-8"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

impl Dialogue for Terminal {
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.file
            .write_all(text.as_bytes())
            .map_err(|error| broken(&error))
    }

    fn ask(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        self.say(prompt)?;
        self.read_line()
    }

    fn ask_hidden(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        let echo = Echo::default();
        // Before the question is shown: a quick typist's first characters are neither seen nor lost.
        let silence = echo.turn_off(&self.file, Foreground::Checked);
        let silence = silence.map_err(|error| broken(&error))?;
        self.say(prompt)?;
        let line = self.read_line();
        drop(silence);
        // The Enter that ended the line was not shown either.
        self.say("\n")?;
        line
    }

    fn show(&mut self, page: &dyn Fn(Room) -> Zeroizing<String>) -> Result<(), Failure> {
        let size = tcgetwinsize(&self.file);
        let room = size.map_or(Room { lines: 0, columns: 0 }, |size| Room {
            lines: size.ws_row,
            columns: size.ws_col,
        });
        let page = page(room);
        self.say(OTHER_SCREEN)?;
        let shown = self.say(&page).and_then(|()| self.read_line());
        self.say(FIRST_SCREEN)?;
        shown.map(drop)
    }

    fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        self.go_on_for(time)
    }

    fn check_wanted(&self) -> Result<(), Failure> {
        self.go_on_for(Duration::ZERO)
    }
}

fn stopped() -> Failure {
    Failure::new("stopped; nothing was changed", "begin again when you are ready")
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(
        format!("the terminal cannot be used: {error}"),
        "run it in the foreground of a terminal",
    )
}

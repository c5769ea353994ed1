//! Whether the terminal shows what is typed. It does not while a PIN is entered, and it does again as soon as the
//! question is over, however it ends: on the thread that asks, or on the one that takes the question away because
//! the process is about to end.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Foreground;

/// The echo of one question's terminal.
#[derive(Default)]
pub(crate) struct Echo {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Untouched,
    Off(Before),
    /// The question is over: it stays as it is.
    Over,
}

/// The terminal as it was.
struct Before {
    terminal: File,
    foreground: Foreground,
    settings: Termios,
}

/// Turns the echo on when it is dropped.
pub(crate) struct Silence<'a>(&'a Echo);

impl Echo {
    /// Nothing is changed when the question is over already.
    pub(crate) fn turn_off(&self, terminal: &File, foreground: Foreground) -> io::Result<Silence<'_>> {
        let mut state = self.lock();
        if let State::Untouched = *state {
            let settings = tcgetattr(terminal)?;
            let mut silent = settings.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            tcsetattr(terminal, OptionalActions::Flush, &silent)?;
            *state = State::Off(Before {
                terminal: terminal.try_clone()?,
                foreground,
                settings,
            });
        }
        Ok(Silence(self))
    }

    /// The question is over.
    pub(crate) fn restore(&self) {
        if let State::Off(before) = std::mem::replace(&mut *self.lock(), State::Over) {
            before.restore();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Before {
    fn restore(&self) {
        // In the background, the shell has set the terminal as it wants it, and trying would stop this process.
        if self.foreground.check(self.terminal.as_fd()).is_ok() {
            // A terminal that is gone needs no echo.
            let _gone = tcsetattr(&self.terminal, OptionalActions::Now, &self.settings);
        }
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        self.0.restore();
    }
}

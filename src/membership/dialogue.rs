//! How a command speaks with the person who called it.

use std::time::Duration;

use rustix::event::{Timespec, poll};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::readiness::retry;

/// What there is room for; 0 where that is not known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) lines: u16,
    pub(crate) columns: u16,
}

/// The person, or nobody. Every answer is without the end of its line.
pub(crate) trait Dialogue {
    /// Tells something.
    fn say(&mut self, text: &str) -> Result<(), Failure>;

    /// Asks for a line.
    fn ask(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure>;

    /// Asks for a line that is not shown while it is typed.
    fn ask_hidden(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure>;

    /// Shows a page until Enter is pressed; then it is gone from the screen.
    fn show(&mut self, page: &dyn Fn(Room) -> Zeroizing<String>) -> Result<(), Failure>;

    /// Waits, unless the person does not want to.
    fn wait(&mut self, time: Duration) -> Result<(), Failure>;

    /// `Err` when the person does not want to go on.
    fn check_wanted(&self) -> Result<(), Failure>;
}

/// There is nobody: what is told is not heard, and what is asked for is missing.
pub(super) struct Nobody;

impl Nobody {
    fn missing<T>() -> Result<T, Failure> {
        Err(Failure::new(
            "there is no terminal to ask on",
            "run it in a terminal, or give what is asked for in files: --help names them",
        ))
    }
}

impl Dialogue for Nobody {
    fn say(&mut self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn ask(&mut self, _: &str) -> Result<Zeroizing<String>, Failure> {
        Self::missing()
    }

    fn ask_hidden(&mut self, _: &str) -> Result<Zeroizing<String>, Failure> {
        Self::missing()
    }

    fn show(&mut self, _: &dyn Fn(Room) -> Zeroizing<String>) -> Result<(), Failure> {
        Self::missing()
    }

    fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        let time = Timespec::try_from(time).map_err(|error| Failure::new(error, "try again later"))?;
        // Nothing is waited for but the time.
        let _over = retry(|| poll(&mut [], Some(&time)));
        Ok(())
    }

    fn check_wanted(&self) -> Result<(), Failure> {
        Ok(())
    }
}

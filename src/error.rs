//! Every failure that a person sees: what failed, and what to do about it.

use std::fmt;
use std::process::ExitCode;

use crate::attach;

/// A failure in two lines. Neither line ever holds a secret.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: String,
}

impl Failure {
    /// `what` says what failed, `hint` what the person can do.
    pub(crate) fn new(what: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            hint: hint.to_string(),
        }
    }

    /// What the person can do.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }

    /// Prints both lines and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("wardkey: {}", self.what);
        eprintln!("hint: {}", self.hint);
        ExitCode::FAILURE
    }
}

impl From<attach::Error> for Failure {
    fn from(error: attach::Error) -> Self {
        Self::new(&error, error.hint())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

//! Why a measurement failed: what, and what to do.

use std::fmt;
use std::io;

use wardkey_sim::{fido_client, hid_client, report};

/// What failed and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    hint: &'static str,
}

impl Failure {
    /// `what` failed; `hint` says what to do.
    pub(crate) fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self {
            what: what.into(),
            hint,
        }
    }

    /// What failed, in one line.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.what, self.hint)
    }
}

const MISBEHAVED: &str = "run the command of the same name by hand and see what it says";

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string(), "check free space and the number of open files")
    }
}

impl From<report::PipeError> for Failure {
    fn from(error: report::PipeError) -> Self {
        Self::new(error.to_string(), MISBEHAVED)
    }
}

impl From<hid_client::Error> for Failure {
    fn from(error: hid_client::Error) -> Self {
        Self::new(error.to_string(), MISBEHAVED)
    }
}

impl From<fido_client::Error> for Failure {
    fn from(error: fido_client::Error) -> Self {
        Self::new(error.to_string(), MISBEHAVED)
    }
}

//! What a case is, and how it ends.

use wardkey_sim::fido_client::{self, Status};
use wardkey_sim::hid_client;

use crate::bench::Bench;
use crate::key::Broken;

/// The cases of one script.
pub struct Script {
    /// The name of the script.
    pub name: &'static str,
    /// Its cases, in order.
    pub cases: &'static [Case],
}

/// One test.
pub struct Case {
    /// Its name in the script.
    pub name: &'static str,
    /// What the key has to do, in our words.
    pub claim: &'static str,
    /// The test, or why there is none.
    pub body: Body,
}

/// What is done for a case.
pub enum Body {
    /// Runs against a key of its own that was never used.
    Test(fn(&mut Bench) -> Outcome),
    /// Is not run, for this reason.
    Skipped(&'static str),
}

impl Case {
    /// A case that is run.
    pub const fn new(name: &'static str, claim: &'static str, test: fn(&mut Bench) -> Outcome) -> Self {
        Self {
            name,
            claim,
            body: Body::Test(test),
        }
    }

    /// A case that is not run.
    pub const fn skipped(name: &'static str, claim: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            claim,
            body: Body::Skipped(reason),
        }
    }
}

/// How a test ends.
pub type Outcome = Result<(), Stop>;

/// Why a test ended early.
#[derive(Debug)]
pub enum Stop {
    /// The key did something else than it has to.
    Failed(String),
    /// The case is about something that this key, or this driver, does not have.
    NotApplicable(&'static str),
}

impl From<fido_client::Error> for Stop {
    fn from(error: fido_client::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<hid_client::Error> for Stop {
    fn from(error: hid_client::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Gone(_) => Self::Failed(broken.to_string()),
            Broken::CannotDo(what) => Self::NotApplicable(what),
        }
    }
}

/// Ends the test unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::case::Stop::Failed(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// Ends the test unless both are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if left != right {
                    let message = format!($($message)+);
                    return Err($crate::case::Stop::Failed(format!("{message}: {left:?}, expected {right:?}")));
                }
            }
        }
    };
}
pub(crate) use ensure_eq;

/// What must be there.
pub(crate) fn present<T>(value: Option<T>, what: &str) -> Result<T, Stop> {
    value.ok_or_else(|| Stop::Failed(format!("{what} is missing")))
}

/// The key answered with exactly this error.
pub(crate) fn refused<T>(result: Result<T, fido_client::Error>, expected: Status) -> Outcome {
    match result {
        Err(fido_client::Error::Status(status)) if status == expected => Ok(()),
        Err(fido_client::Error::Status(status)) => Err(Stop::Failed(format!(
            "the key answered {status}, expected {expected}"
        ))),
        Err(other) => Err(Stop::Failed(format!("{other}; expected {expected}"))),
        Ok(_) => Err(Stop::Failed(format!("the key accepted it, expected {expected}"))),
    }
}

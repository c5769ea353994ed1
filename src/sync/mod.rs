//! The dialogue of an open vault with the store that the person's devices share. What is said is decided by
//! [`wardkey_vault::Machine`]; here is who carries it, and who waits.
//!
//! In a running key nobody waits: [`Driver::turn`] does what can be done, and what comes of it arrives as a message. A
//! command that has nothing else to do waits: [`to_the_end`].

mod courier;
mod driver;
mod exchange;
mod report;
mod storage;
pub(crate) mod words;

pub(crate) use self::driver::{Arrived, Driver, Number, Progress, to_the_end};
pub(crate) use self::exchange::{Exchange, News};
pub(crate) use self::report::{called, report};
pub(crate) use self::storage::Storage;

use crate::error::Failure;

fn broken(error: wardkey_vault::Error) -> Failure {
    Failure::new(
        format!("what devices exchange could not be kept: {error}"),
        "check the disk: is it full, read-only or failing?",
    )
}

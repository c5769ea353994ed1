//! What a test may do to a key. Two drivers implement it: the shipped machine in this process, with virtual time, and
//! the shipped program, over its raw socket.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use wardkey_sim::report::{PipeError, Report, ReportPipe};

/// A key, its user, and its plug.
pub trait Key {
    /// Hands one report to the key.
    fn send(&mut self, report: &Report) -> Result<(), Broken>;

    /// The key's next report, or `None` when `within` passes without one.
    fn receive(&mut self, within: Duration) -> Result<Option<Report>, Broken>;

    /// Unplugs the key and plugs it in again. Channels are gone; what was received and not read is gone, too.
    fn power_cycle(&mut self) -> Result<(), Broken>;

    /// What the user does from now on when the key asks.
    fn user(&mut self, user: User) -> Result<(), Broken>;

    /// Lets time pass.
    fn wait(&mut self, duration: Duration) -> Result<(), Broken>;

    /// Whether waiting costs nothing.
    fn has_virtual_time(&self) -> bool;

    /// The key's metadata statement, as JSON.
    fn metadata(&mut self) -> Result<String, Broken>;
}

/// What the user does when the key asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Agrees at once, and is known to the operating system as the owner.
    Agrees,
    /// Is not there.
    Absent,
    /// Refuses.
    Refuses,
    /// Agrees, and is not known as the owner.
    IsStranger,
    /// Agrees, and chooses the account at this place, the newest being 0.
    Chooses(usize),
}

/// Why a driver cannot go on; the test has not said anything about the key.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The key is gone: the process ended, the connection is closed.
    #[error("the key is gone: {0}")]
    Gone(String),
    /// This driver cannot do that; the case does not run here.
    #[error("{0}")]
    CannotDo(&'static str),
}

/// The same key for the client, which exchanges reports, and for the test, which does the rest.
#[derive(Clone)]
pub struct Wire(pub Rc<RefCell<Box<dyn Key>>>);

impl ReportPipe for Wire {
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError> {
        self.0.borrow_mut().send(report).map_err(gone)
    }

    /// The time of a key in this process is not the client's: where nothing came within `timeout`, the client is told
    /// to give up, rather than to look at its own clock.
    fn receive_report(&mut self, timeout: Duration) -> Result<Option<Report>, PipeError> {
        let received = self.0.borrow_mut().receive(timeout).map_err(gone)?;
        received.map(Some).ok_or(PipeError::TimedOut)
    }
}

fn gone(_: Broken) -> PipeError {
    PipeError::Unplugged
}

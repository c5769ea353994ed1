//! How other threads reach the event loop: a message and a file descriptor that becomes readable.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use rustix::event::{EventfdFlags, eventfd};
use wardkey_authenticator::PromptId;

use crate::autolock::LockOrder;
use crate::prompt::Answer;
use crate::sync::{Arrived, Number};
use crate::test_control::Order;
use crate::unlock::Tried;

/// What another thread has to tell the event loop.
pub(crate) enum Wakeup {
    /// A prompt was answered, or cannot be.
    Answer(PromptId, Answer),
    /// A Vault PIN was tried.
    Tried(Tried),
    /// The vault is to be locked.
    Lock(LockOrder),
    /// The user has to know of this.
    Problem(String),
    /// A test acts on the key.
    Order(Order),
    /// The store answered, or the device's keys signed.
    Exchange(Number, Arrived),
}

/// The sending side. Cheap to clone; never blocks.
#[derive(Clone)]
pub(crate) struct Waker {
    sender: Sender<Wakeup>,
    bell: Arc<OwnedFd>,
}

impl Waker {
    /// Leaves a message. After the loop has ended, messages are dropped.
    pub(crate) fn send(&self, wakeup: Wakeup) {
        if self.sender.send(wakeup).is_ok() {
            // The counter is full only when the loop has 2^64 - 2 rings to answer already.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

/// The receiving side.
pub(crate) struct Mailbox {
    receiver: Receiver<Wakeup>,
    bell: Arc<OwnedFd>,
}

impl Mailbox {
    /// A mailbox and the way to reach it.
    pub(crate) fn new() -> io::Result<(Self, Waker)> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (sender, receiver) = mpsc::channel();
        Ok((
            Self {
                receiver,
                bell: Arc::clone(&bell),
            },
            Waker { sender, bell },
        ))
    }

    /// The next message, if there is one.
    pub(crate) fn take(&self) -> Option<Wakeup> {
        self.receiver.try_recv().ok()
    }

    /// Silences the descriptor. Call before taking the messages, so that none is missed.
    pub(crate) fn answer_bell(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }
}

impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

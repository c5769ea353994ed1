//! What a client can meet on a channel.

use std::fmt;

use super::Command;
use crate::report::PipeError;

/// The code of a CTAPHID ERROR, CTAP 2.3 §11.2.9.1.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HidError(pub u8);

impl HidError {
    /// The command is not known.
    pub const INVALID_CMD: Self = Self(0x01);
    /// The length of the message is wrong.
    pub const INVALID_LEN: Self = Self(0x03);
    /// A continuation packet was expected, or another one.
    pub const INVALID_SEQ: Self = Self(0x04);
    /// The message was not finished in time.
    pub const MSG_TIMEOUT: Self = Self(0x05);
    /// The key works for another channel.
    pub const CHANNEL_BUSY: Self = Self(0x06);
    /// The channel was never allocated.
    pub const INVALID_CHANNEL: Self = Self(0x0B);
}

impl fmt::Display for HidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INVALID_CMD => f.write_str("INVALID_CMD"),
            Self::INVALID_LEN => f.write_str("INVALID_LEN"),
            Self::INVALID_SEQ => f.write_str("INVALID_SEQ"),
            Self::MSG_TIMEOUT => f.write_str("MSG_TIMEOUT"),
            Self::CHANNEL_BUSY => f.write_str("CHANNEL_BUSY"),
            Self::INVALID_CHANNEL => f.write_str("INVALID_CHANNEL"),
            Self(code) => write!(f, "error {code:#04x}"),
        }
    }
}

/// Why a message had no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No report could be exchanged.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The key did not answer in time.
    #[error("the key did not answer in time")]
    NoAnswer,
    /// The key answered with ERROR.
    #[error("the key refused the message: {0}")]
    Refused(HidError),
    /// A message longer than CTAPHID can carry, ours or the key's.
    #[error("a message of {0} bytes is longer than CTAPHID can carry")]
    TooLong(usize),
    /// The answer to INIT does not have 17 bytes.
    #[error("the answer to INIT has {0} bytes, not 17")]
    WrongInitLength(usize),
    /// PING came back changed.
    #[error("the key did not return the bytes of PING")]
    WrongEcho,
    /// An answer of another kind than the request.
    #[error("the key answered {sent} with {received}")]
    UnexpectedMessage {
        /// What was asked.
        sent: Command,
        /// What came.
        received: Command,
    },
    /// A continuation packet without a message.
    #[error("the key continued a message that it had not started")]
    UnexpectedContinuation,
    /// A message started before the last one was complete.
    #[error("the key interrupted its message with {0}")]
    Interrupted(Command),
    /// Continuation packets out of order.
    #[error("the key sent continuation packet {received} instead of {expected}")]
    WrongSequence {
        /// The number that was next.
        expected: u8,
        /// The number that came.
        received: u8,
    },
}

//! What passes between the link and the authenticator, apart from responses.

use core::fmt;

/// What the authenticator has to do. Its `Debug` tells lengths only: what is asked is nobody's business.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// Forget the command that is waiting for the user: it was answered or given up. Send no response.
    Cancel,
    /// Make yourself known to the user. Needs no response.
    Wink,
    /// A CTAP2 command; answer with [`super::Link::respond`].
    Cbor(Vec<u8>),
    /// A U2F message; answer with [`super::Link::respond`].
    Msg(Vec<u8>),
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel => write!(f, "Cancel"),
            Self::Wink => write!(f, "Wink"),
            Self::Cbor(message) => write!(f, "Cbor({} bytes)", message.len()),
            Self::Msg(message) => write!(f, "Msg({} bytes)", message.len()),
        }
    }
}

/// What a waiting client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The key is working.
    Processing,
    /// The key waits for the user.
    UpNeeded,
}

impl Status {
    /// The code on the wire.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Processing => 1,
            Self::UpNeeded => 2,
        }
    }
}

//! Command codes and message bounds (CTAP 2.3 §11.2.4, §11.2.9).

use super::error::HidError;
use super::packet::{CONTINUATION_DATA_LEN, INIT_DATA_LEN};

/// The longest message: one initialization packet and 128 continuation packets.
pub const MESSAGE_LEN_MAX: usize = INIT_DATA_LEN + 128 * CONTINUATION_DATA_LEN;

/// The codes on the wire, without the bit that marks an initialization packet.
pub(super) mod code {
    pub(crate) const PING: u8 = 0x01;
    pub(crate) const MSG: u8 = 0x03;
    pub(crate) const INIT: u8 = 0x06;
    pub(crate) const WINK: u8 = 0x08;
    pub(crate) const CBOR: u8 = 0x10;
    pub(crate) const CANCEL: u8 = 0x11;
    pub(crate) const KEEPALIVE: u8 = 0x3B;
    pub(crate) const ERROR: u8 = 0x3F;
}

/// A command that opens a transaction. INIT and CANCEL do not, and LOCK is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Echo.
    Ping,
    /// A U2F message.
    Msg,
    /// Make yourself known.
    Wink,
    /// A CTAP2 message.
    Cbor,
}

impl Command {
    /// Checks what the initialization packet of a message declares.
    pub(super) fn check(code: u8, len: usize) -> Result<Self, HidError> {
        let (command, allowed) = match code {
            code::PING => (Self::Ping, 0..=MESSAGE_LEN_MAX),
            code::MSG => (Self::Msg, 1..=MESSAGE_LEN_MAX),
            code::WINK => (Self::Wink, 0..=0),
            code::CBOR => (Self::Cbor, 1..=MESSAGE_LEN_MAX),
            _ => return Err(HidError::InvalidCommand),
        };
        if allowed.contains(&len) {
            Ok(command)
        } else {
            Err(HidError::InvalidLength)
        }
    }

    /// The code on the wire, the same in request and response.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ping => code::PING,
            Self::Msg => code::MSG,
            Self::Wink => code::WINK,
            Self::Cbor => code::CBOR,
        }
    }
}

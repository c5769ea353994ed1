//! The error codes of CTAPHID_ERROR (CTAP 2.3 §11.2.9.1.6), as far as this key sends them.

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HidError {
    /// The command is unknown or not offered.
    InvalidCommand,
    /// The length is not possible for the command.
    InvalidLength,
    /// A continuation packet is missing, or another packet came instead.
    InvalidSequence,
    /// The rest of the message did not come.
    MessageTimeout,
    /// Another transaction is under way.
    ChannelBusy,
    /// The channel was never allocated, or is reserved.
    InvalidChannel,
    /// Anything else.
    Other,
}

impl HidError {
    /// The code on the wire.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::InvalidCommand => 0x01,
            Self::InvalidLength => 0x03,
            Self::InvalidSequence => 0x04,
            Self::MessageTimeout => 0x05,
            Self::ChannelBusy => 0x06,
            Self::InvalidChannel => 0x0B,
            Self::Other => 0x7F,
        }
    }
}

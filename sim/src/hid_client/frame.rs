//! CTAPHID frames, CTAP 2.3 §11.2.4: initialization and continuation packets.

use std::fmt;

use super::Error;
use crate::report::{REPORT_LEN, Report};

const INITIAL_DATA_LEN: usize = REPORT_LEN - 7;
const CONTINUATION_DATA_LEN: usize = REPORT_LEN - 5;

/// The longest message: one initialization and 128 continuation packets.
pub const MESSAGE_LEN_MAX: usize = INITIAL_DATA_LEN + 128 * CONTINUATION_DATA_LEN;

/// A logical channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelId(pub u32);

impl ChannelId {
    /// The channel on which clients ask for their own.
    pub const BROADCAST: Self = Self(u32::MAX);
}

/// A command code, without the bit that marks an initialization packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Command(pub u8);

impl Command {
    /// Echo.
    pub const PING: Self = Self(0x01);
    /// A U2F message.
    pub const MSG: Self = Self(0x03);
    /// One channel for itself alone, for a while.
    pub const LOCK: Self = Self(0x04);
    /// Channel allocation and resynchronisation.
    pub const INIT: Self = Self(0x06);
    /// Show yourself.
    pub const WINK: Self = Self(0x08);
    /// A CTAP2 message.
    pub const CBOR: Self = Self(0x10);
    /// End the running CTAP2 request.
    pub const CANCEL: Self = Self(0x11);
    /// The key still works, or waits for its user.
    pub const KEEPALIVE: Self = Self(0x3B);
    /// The key refuses.
    pub const ERROR: Self = Self(0x3F);
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PING => f.write_str("PING"),
            Self::MSG => f.write_str("MSG"),
            Self::LOCK => f.write_str("LOCK"),
            Self::INIT => f.write_str("INIT"),
            Self::WINK => f.write_str("WINK"),
            Self::CBOR => f.write_str("CBOR"),
            Self::CANCEL => f.write_str("CANCEL"),
            Self::KEEPALIVE => f.write_str("KEEPALIVE"),
            Self::ERROR => f.write_str("ERROR"),
            Self(code) => write!(f, "command {code:#04x}"),
        }
    }
}

/// One packet, without its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Starts a message.
    Initial {
        /// What the message is.
        command: Command,
        /// The length of the whole message.
        length: u16,
        /// Its first bytes, padded.
        data: [u8; INITIAL_DATA_LEN],
    },
    /// Goes on with a message.
    Continuation {
        /// Counts from 0.
        sequence: u8,
        /// The next bytes, padded.
        data: [u8; CONTINUATION_DATA_LEN],
    },
}

/// Takes a report apart; every report is some frame.
pub(super) fn parse(report: &Report) -> (ChannelId, Frame) {
    let [c0, c1, c2, c3, rest @ ..] = report.0;
    let channel = ChannelId(u32::from_be_bytes([c0, c1, c2, c3]));
    let [kind, data @ ..] = rest;
    let frame = if kind & 0x80 == 0 {
        Frame::Continuation { sequence: kind, data }
    } else {
        let [high, low, data @ ..] = data;
        Frame::Initial {
            command: Command(kind & 0x7F),
            length: u16::from_be_bytes([high, low]),
            data,
        }
    };
    (channel, frame)
}

/// Cuts a message into reports.
pub(super) fn split(channel: ChannelId, command: Command, payload: &[u8]) -> Result<Vec<Report>, Error> {
    if payload.len() > MESSAGE_LEN_MAX {
        return Err(Error::TooLong(payload.len()));
    }
    let length = u16::try_from(payload.len()).expect("MESSAGE_LEN_MAX fits 16 bits");
    let (first, rest) = payload.split_at(payload.len().min(INITIAL_DATA_LEN));
    let [high, low] = length.to_be_bytes();
    let mut reports = vec![report(channel, &[command.0 | 0x80, high, low], first)];
    for (data, sequence) in rest.chunks(CONTINUATION_DATA_LEN).zip(0_u8..) {
        reports.push(report(channel, &[sequence], data));
    }
    Ok(reports)
}

fn report(channel: ChannelId, head: &[u8], data: &[u8]) -> Report {
    let mut report = [0; REPORT_LEN];
    let bytes = channel.0.to_be_bytes();
    for (slot, byte) in report.iter_mut().zip(bytes.iter().chain(head).chain(data)) {
        *slot = *byte;
    }
    Report(report)
}

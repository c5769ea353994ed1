//! Initialization and continuation packets: parse and emit (CTAP 2.3 §11.2.4).

use crate::report::{REPORT_LEN, Report};

/// Data bytes in an initialization packet.
pub(super) const INIT_DATA_LEN: usize = REPORT_LEN - 7;
/// Data bytes in a continuation packet.
pub(super) const CONTINUATION_DATA_LEN: usize = REPORT_LEN - 5;

const INIT_MARK: u8 = 0x80;

/// A logical channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ChannelId(pub(super) u32);

impl ChannelId {
    /// Reserved, never valid.
    pub(super) const RESERVED: Self = Self(0);
    /// Where a client asks for a channel.
    pub(super) const BROADCAST: Self = Self(0xFFFF_FFFF);
}

/// One report, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Init(InitPacket<'a>),
    Continuation(ContinuationPacket<'a>),
}

/// The first packet of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InitPacket<'a> {
    pub(super) cid: ChannelId,
    pub(super) command: u8,
    /// The length of the whole message.
    pub(super) len: usize,
    pub(super) data: &'a [u8; INIT_DATA_LEN],
}

/// A further packet of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContinuationPacket<'a> {
    pub(super) cid: ChannelId,
    pub(super) sequence: u8,
    pub(super) data: &'a [u8; CONTINUATION_DATA_LEN],
}

impl<'a> Packet<'a> {
    /// Every report is a packet of one of the two kinds.
    pub(super) fn parse(report: &'a Report) -> Self {
        let [a, b, c, d, mark, data @ ..] = &report.0;
        let cid = ChannelId(u32::from_be_bytes([*a, *b, *c, *d]));
        if mark & INIT_MARK == 0 {
            return Self::Continuation(ContinuationPacket {
                cid,
                sequence: *mark,
                data,
            });
        }
        let [high, low, data @ ..] = data;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        Self::Init(InitPacket {
            cid,
            command: mark & !INIT_MARK,
            len,
            data,
        })
    }
}

/// The first report of a message of `payload`.
pub(super) fn init_report(cid: ChannelId, command: u8, payload: &[u8]) -> Report {
    let [a, b, c, d] = cid.0.to_be_bytes();
    let len = u16::try_from(payload.len()).expect("messages are at most 7609 bytes");
    let [high, low] = len.to_be_bytes();
    with_data([a, b, c, d, command | INIT_MARK, high, low], payload)
}

/// A further report of a message, with the start of `rest`.
pub(super) fn continuation_report(cid: ChannelId, sequence: u8, rest: &[u8]) -> Report {
    let [a, b, c, d] = cid.0.to_be_bytes();
    with_data([a, b, c, d, sequence], rest)
}

fn with_data<const N: usize>(head: [u8; N], data: &[u8]) -> Report {
    let mut report = Report::padded(&head);
    report
        .0
        .iter_mut()
        .skip(N)
        .zip(data)
        .for_each(|(to, from)| *to = *from);
    report
}

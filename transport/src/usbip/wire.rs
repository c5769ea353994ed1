//! USB/IP packets: parse and emit, no state.
//!
//! In: bytes of a stream, cut anywhere. Out: requests before the import ([`Operation`]), commands after it
//! ([`Command`]), and the answers to both, or the [`super::Error`] that ends the connection. Layouts are those of
//! `usbip_protocol.rst`; all numbers are big-endian. What the packets mean is not here (`usbip/connection.rs`).

mod command;
mod operation;

pub use command::{Command, DATA_LEN_MAX, Direction, HEADER_LEN, Reply, Submit};
pub use operation::{BUS_ID_LEN, DeviceRecord, Operation, Refusal, VERSION, emit_device_list, emit_import};

/// What the head of a byte stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<'a, T> {
    /// One packet, and the bytes after it.
    Whole(T, &'a [u8]),
    /// Not yet a packet; it cannot be whole before there are this many bytes.
    Needs(usize),
}

pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

pub(super) fn u16_be(bytes: &mut &[u8]) -> Option<u16> {
    take(bytes).map(u16::from_be_bytes)
}

pub(super) fn u32_be(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests;

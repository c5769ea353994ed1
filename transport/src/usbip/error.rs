//! Why a USB/IP connection has to be dropped.

use core::fmt;

/// What the peer did that leaves no way to go on: the byte stream cannot be followed any more.
///
/// Only this connection is concerned; mistakes inside one transfer are answered with a URB status instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A request speaks another version of the protocol.
    Version(u16),
    /// A request before the import is neither `OP_REQ_DEVLIST` nor `OP_REQ_IMPORT`.
    UnknownOperation(u16),
    /// More bytes came although the answer to `OP_REQ_IMPORT` is not given yet.
    TooEarly,
    /// The host sends on and on but does not read the answers.
    NotReading,
    /// A command is neither `USBIP_CMD_SUBMIT` nor `USBIP_CMD_UNLINK`.
    UnknownCommand(u32),
    /// The direction is neither in nor out.
    BadDirection(u32),
    /// An endpoint number above 15, which USB does not have.
    BadEndpoint(u32),
    /// The device id is not the one of this connection.
    WrongDevice(u32),
    /// `transfer_buffer_length` is negative.
    NegativeLength(i32),
    /// The data stage is longer than [`super::wire::DATA_LEN_MAX`].
    DataTooLong(u32),
    /// An isochronous transfer, which this device has no endpoint for.
    Isochronous(i32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "USB/IP version {version:#06x} is not supported"),
            Self::UnknownOperation(code) => write!(f, "unknown USB/IP operation {code:#06x}"),
            Self::TooEarly => write!(f, "the USB/IP peer sent data before its import was answered"),
            Self::NotReading => write!(f, "the USB/IP peer does not read its answers"),
            Self::UnknownCommand(command) => write!(f, "unknown USB/IP command {command:#010x}"),
            Self::BadDirection(direction) => write!(f, "USB/IP direction {direction} does not exist"),
            Self::BadEndpoint(endpoint) => write!(f, "USB endpoint {endpoint} does not exist"),
            Self::WrongDevice(id) => write!(f, "USB/IP device id {id:#010x} is not this device"),
            Self::NegativeLength(length) => write!(f, "negative USB/IP transfer length {length}"),
            Self::DataTooLong(length) => write!(f, "a USB/IP transfer of {length} bytes is too long"),
            Self::Isochronous(packets) => write!(f, "isochronous USB/IP transfer ({packets} packets)"),
        }
    }
}

impl core::error::Error for Error {}

//! How a device can break the rules.

/// What a device did that the Linux kernel, or this stricter host, does not accept. The connection is of no use after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The import was refused.
    #[error("the import was refused with status {0}")]
    ImportRefused(u32),
    /// The import was answered with something else.
    #[error("the import was answered with version {version:#06x}, code {code:#06x}")]
    WrongImportReply {
        /// The version of the reply.
        version: u16,
        /// Its code.
        code: u16,
    },
    /// The import was answered with another device.
    #[error("another device was imported than asked for")]
    WrongBusId,
    /// A packet that a device does not send.
    #[error("the device sent a packet with the unknown command {0:#x}")]
    UnknownCommand(u32),
    /// A reply to something that is not pending.
    #[error("the device answered request {0}, which is not pending")]
    NotPending(u32),
    /// More bytes than asked for.
    #[error("the device answered request {seqnum} with {actual} bytes where at most {asked} were asked for")]
    ReplyTooLong {
        /// The request.
        seqnum: u32,
        /// The most it may be.
        asked: u32,
        /// What the device said; as a number on the wire it may be negative.
        actual: i64,
    },
    /// An OUT transfer that was only partly taken.
    #[error("the device took {actual} of the {sent} bytes of request {seqnum}")]
    ShortOut {
        /// The request.
        seqnum: u32,
        /// What was sent.
        sent: u32,
        /// What the device took.
        actual: u32,
    },
    /// A request of the enumeration failed.
    #[error("the device answered {request} with status {status}")]
    RequestFailed {
        /// What was asked.
        request: &'static str,
        /// The error number, negative.
        status: i32,
    },
    /// A descriptor that is too short, inconsistent, or not of a FIDO device.
    #[error("the device has an invalid {0}")]
    Descriptor(&'static str),
    /// An interrupt transfer ended with an error.
    #[error("an interrupt transfer ended with status {0}")]
    TransferFailed(i32),
    /// A report of another length than 64 bytes.
    #[error("the device sent a report of {0} bytes")]
    ReportLength(usize),
    /// The device says that it unlinked a request that it had answered, or the other way round.
    #[error("the device answered UNLINK of request {seqnum} with status {status}")]
    WrongUnlink {
        /// The request.
        seqnum: u32,
        /// The status of the answer.
        status: i32,
    },
}

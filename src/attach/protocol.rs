//! What the key process and its helper say to each other: one request, one reply, over a Unix socket that keeps
//! the limits of messages (`SOCK_SEQPACKET`). An attach request carries one file descriptor.
//!
//! The helper runs as root, so everything that it receives is checked here and in [`super::helper`]: a message
//! is of the one right size, and carries exactly the descriptors that its request needs.
//!
//! ```text
//! request   version · operation · 0 · 0 · port (4, little-endian)
//! reply     version · kind · problem · 0 · number (4, little-endian) · detail (UTF-8, to 256 bytes)
//! ```

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::sysfs::PortNumber;
use crate::readiness::retry;

/// Both sides are the same program; this notices when it was replaced in between.
const VERSION: u8 = 1;
const REQUEST_BYTES: usize = 8;
const DETAIL_BYTES_MAX: usize = 256;
const REPLY_BYTES_MAX: usize = REQUEST_BYTES + DETAIL_BYTES_MAX;

const PROBE: u8 = 1;
const ATTACH: u8 = 2;
const DETACH: u8 = 3;

const READY: u8 = 1;
const ATTACHED: u8 = 2;
const DETACHED: u8 = 3;
const FAILED: u8 = 4;

/// What the key process wants.
#[derive(Debug)]
pub(super) enum Request {
    /// Is attaching possible? Loads the kernel module if need be.
    Probe,
    /// Attach the device at the other end of this socket.
    Attach(OwnedFd),
    /// Detach what was attached to this port by this helper.
    Detach(PortNumber),
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Attaching is possible; so many ports are free.
    Ready {
        free_ports: u32,
    },
    Attached(PortNumber),
    Detached,
    Failed(Problem, String),
}

/// Why the helper could not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The helper does not run as root.
    NotRoot,
    /// The kernel has no vhci_hcd, and it cannot be loaded.
    NoModule,
    /// Every port is in use.
    NoFreePort,
    /// The kernel refused.
    Refused,
    /// The request was not one that the helper serves.
    BadRequest,
}

/// One row per problem: its number on the wire.
const PROBLEMS: [(Problem, u8); 5] = [
    (Problem::NotRoot, 1),
    (Problem::NoModule, 2),
    (Problem::NoFreePort, 3),
    (Problem::Refused, 4),
    (Problem::BadRequest, 5),
];

/// What arrived at the helper.
#[derive(Debug)]
pub(super) enum Received {
    Request(Request),
    /// Something else, and what is wrong with it.
    Nonsense(&'static str),
    /// The other side has gone.
    End,
}

/// Sends a request. Its descriptor, if it has one, is closed on this side.
pub(super) fn send_request(control: BorrowedFd<'_>, request: &Request) -> io::Result<()> {
    let (operation, port, descriptor) = match request {
        Request::Probe => (PROBE, 0, None),
        Request::Attach(device_end) => (ATTACH, 0, Some(device_end.as_fd())),
        Request::Detach(port) => (DETACH, port.0, None),
    };
    let [a, b, c, d] = port.to_le_bytes();
    send(control, &[VERSION, operation, 0, 0, a, b, c, d], descriptor)
}

/// Waits for a request.
pub(super) fn receive_request(control: BorrowedFd<'_>) -> io::Result<Received> {
    let Message {
        bytes,
        mut descriptors,
        is_whole,
    } = receive::<{ REQUEST_BYTES + 1 }>(control)?;
    if bytes.is_empty() {
        return Ok(Received::End);
    }
    let Ok([version, operation, 0, 0, a, b, c, d]) = <[u8; REQUEST_BYTES]>::try_from(bytes.as_slice()) else {
        return Ok(Received::Nonsense("a message of the wrong size or form"));
    };
    if version != VERSION {
        return Ok(Received::Nonsense("another version of the protocol"));
    }
    if !is_whole {
        return Ok(Received::Nonsense("more descriptors than one"));
    }
    let port = u32::from_le_bytes([a, b, c, d]);
    let descriptor = descriptors.pop();
    if !descriptors.is_empty() {
        return Ok(Received::Nonsense("more descriptors than one"));
    }
    Ok(match (operation, port, descriptor) {
        (PROBE, 0, None) => Received::Request(Request::Probe),
        (ATTACH, 0, Some(device_end)) => Received::Request(Request::Attach(device_end)),
        (DETACH, port, None) => Received::Request(Request::Detach(PortNumber(port))),
        _ => Received::Nonsense("an unknown operation, or the wrong number of descriptors"),
    })
}

/// Sends a reply.
pub(super) fn send_reply(control: BorrowedFd<'_>, reply: &Reply) -> io::Result<()> {
    let (kind, problem, number, detail) = match reply {
        Reply::Ready { free_ports } => (READY, 0, *free_ports, ""),
        Reply::Attached(port) => (ATTACHED, 0, port.0, ""),
        Reply::Detached => (DETACHED, 0, 0, ""),
        Reply::Failed(problem, detail) => (FAILED, problem.code(), 0, detail.as_str()),
    };
    let [a, b, c, d] = number.to_le_bytes();
    let mut bytes = vec![VERSION, kind, problem, 0, a, b, c, d];
    let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
    bytes.extend_from_slice(detail.get(..end).unwrap_or_default().as_bytes());
    send(control, &bytes, None)
}

/// Waits for a reply; nothing when the helper has gone. A reply that cannot be understood is an error.
pub(super) fn receive_reply(control: BorrowedFd<'_>) -> io::Result<Option<Reply>> {
    let Message { bytes, .. } = receive::<{ REPLY_BYTES_MAX + 1 }>(control)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    parse_reply(&bytes)
        .map(Some)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_reply(bytes: &[u8]) -> Option<Reply> {
    let (&[version, kind, problem, 0, a, b, c, d], detail) = bytes.split_first_chunk()? else {
        return None;
    };
    let number = u32::from_le_bytes([a, b, c, d]);
    match (version, kind) {
        (VERSION, READY) => Some(Reply::Ready { free_ports: number }),
        (VERSION, ATTACHED) => Some(Reply::Attached(PortNumber(number))),
        (VERSION, DETACHED) => Some(Reply::Detached),
        (VERSION, FAILED) if detail.len() <= DETAIL_BYTES_MAX => {
            let (problem, _) = PROBLEMS.into_iter().find(|&(_, code)| code == problem)?;
            Some(Reply::Failed(problem, String::from_utf8(detail.to_vec()).ok()?))
        }
        _ => None,
    }
}

impl Problem {
    fn code(self) -> u8 {
        PROBLEMS
            .into_iter()
            .find(|&(problem, _)| problem == self)
            .map_or(0, |(_, code)| code)
    }
}

fn send(control: BorrowedFd<'_>, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let descriptors: Vec<_> = descriptor.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    retry(|| {
        sendmsg(
            control,
            &[IoSlice::new(bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
    })?;
    Ok(())
}

struct Message {
    /// Empty at the end of the conversation.
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    /// Neither bytes nor descriptors were left out.
    is_whole: bool,
}

/// One message of up to `SIZE` bytes. Descriptors that do not fit are closed by the kernel, and others on drop.
fn receive<const SIZE: usize>(control: BorrowedFd<'_>) -> io::Result<Message> {
    let mut bytes = [0; SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = retry(|| {
        recvmsg(
            control,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let is_whole = !received
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Message {
        bytes: bytes.get(..received.bytes).unwrap_or_default().to_vec(),
        descriptors,
        is_whole,
    })
}

#[cfg(test)]
pub(super) mod tests;

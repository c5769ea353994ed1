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
pub(super) mod tests {
    use rustix::fs::fstat;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    pub(in super::super) fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
    }

    /// Sends any bytes with any number of descriptors.
    pub(in super::super) fn send_raw(control: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
        }
        sendmsg(
            control,
            &[IoSlice::new(bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
        .unwrap();
    }

    fn nonsense(bytes: &[u8], descriptors: usize) -> &'static str {
        let (key, helper) = pair(SocketType::SEQPACKET);
        let (some, _) = pair(SocketType::STREAM);
        send_raw(key.as_fd(), bytes, &vec![some.as_fd(); descriptors]);
        let received = receive_request(helper.as_fd()).unwrap();
        let Received::Nonsense(what) = received else {
            panic!("{received:?}")
        };
        what
    }

    #[test]
    fn a_descriptor_arrives_as_the_same_socket() {
        let (key, helper) = pair(SocketType::SEQPACKET);
        let (device_end, _ours) = pair(SocketType::STREAM);
        let sent = fstat(&device_end).unwrap().st_ino;
        send_request(key.as_fd(), &Request::Attach(device_end)).unwrap();
        let received = receive_request(helper.as_fd()).unwrap();
        let Received::Request(Request::Attach(received)) = received else {
            panic!("{received:?}")
        };
        assert_eq!(fstat(&received).unwrap().st_ino, sent);
    }

    #[test]
    fn requests_arrive_as_they_were_sent() {
        let (key, helper) = pair(SocketType::SEQPACKET);
        send_request(key.as_fd(), &Request::Probe).unwrap();
        send_request(key.as_fd(), &Request::Detach(PortNumber(0x0102_0304))).unwrap();
        assert!(matches!(
            receive_request(helper.as_fd()),
            Ok(Received::Request(Request::Probe))
        ));
        let received = receive_request(helper.as_fd()).unwrap();
        let Received::Request(Request::Detach(port)) = received else {
            panic!("{received:?}")
        };
        assert_eq!(port, PortNumber(0x0102_0304));
        drop(key);
        assert!(matches!(receive_request(helper.as_fd()), Ok(Received::End)));
    }

    #[test]
    fn replies_arrive_as_they_were_sent() {
        let (key, helper) = pair(SocketType::SEQPACKET);
        let mut replies = vec![
            Reply::Ready { free_ports: 8 },
            Reply::Attached(PortNumber(3)),
            Reply::Detached,
        ];
        replies.extend(PROBLEMS.map(|(problem, _)| Reply::Failed(problem, "because é".to_owned())));
        for reply in replies {
            send_reply(helper.as_fd(), &reply).unwrap();
            assert_eq!(receive_reply(key.as_fd()).unwrap(), Some(reply));
        }
        drop(helper);
        assert_eq!(receive_reply(key.as_fd()).unwrap(), None);
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        let (key, helper) = pair(SocketType::SEQPACKET);
        send_reply(
            helper.as_fd(),
            &Reply::Failed(Problem::Refused, format!("x{}", "é".repeat(500))),
        )
        .unwrap();
        match receive_reply(key.as_fd()).unwrap() {
            Some(Reply::Failed(_, detail)) => assert_eq!(detail.len(), DETAIL_BYTES_MAX - 1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_of_another_size_form_or_version_are_nonsense() {
        let form = "a message of the wrong size or form";
        assert_eq!(nonsense(&[VERSION], 0), form);
        assert_eq!(nonsense(&[VERSION, PROBE, 0, 0, 0, 0, 0, 0, 0], 0), form);
        assert_eq!(nonsense(&[VERSION; 5000], 0), form);
        assert_eq!(nonsense(&[VERSION, PROBE, 1, 0, 0, 0, 0, 0], 0), form);
        assert_eq!(
            nonsense(&[VERSION + 1, PROBE, 0, 0, 0, 0, 0, 0], 0),
            "another version of the protocol"
        );
        let unknown = "an unknown operation, or the wrong number of descriptors";
        assert_eq!(nonsense(&[VERSION, 9, 0, 0, 0, 0, 0, 0], 0), unknown);
        assert_eq!(nonsense(&[VERSION, ATTACH, 0, 0, 1, 0, 0, 0], 1), unknown);
    }

    #[test]
    fn the_wrong_number_of_descriptors_is_nonsense() {
        let unknown = "an unknown operation, or the wrong number of descriptors";
        assert_eq!(nonsense(&[VERSION, ATTACH, 0, 0, 0, 0, 0, 0], 0), unknown);
        assert_eq!(nonsense(&[VERSION, PROBE, 0, 0, 0, 0, 0, 0], 1), unknown);
        for descriptors in 2..=8 {
            assert_eq!(
                nonsense(&[VERSION, ATTACH, 0, 0, 0, 0, 0, 0], descriptors),
                "more descriptors than one"
            );
        }
    }

    #[test]
    fn a_reply_that_cannot_be_understood_is_an_error() {
        for bytes in [
            &[VERSION, FAILED, 99, 0, 0, 0, 0, 0][..],
            &[9, READY, 0, 0, 0, 0, 0, 0],
            &[VERSION],
            &[0; 999],
        ] {
            let (key, helper) = pair(SocketType::SEQPACKET);
            send_raw(helper.as_fd(), bytes, &[]);
            assert_eq!(
                receive_reply(key.as_fd()).unwrap_err().kind(),
                io::ErrorKind::InvalidData
            );
        }
    }
}

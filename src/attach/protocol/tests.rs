//! Both directions over real sockets, and messages that no key process would send.

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

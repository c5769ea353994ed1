//! The benchmark in the place of the kernel: `wardkey up` gives one end of a socket pair to its helper, which is this.
//!
//! The helper's protocol (`src/attach/protocol.rs`): messages of 8 bytes, version, operation, 0, 0, number; an attach
//! request carries the socket.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType,
    recvmsg, send, socketpair,
};

use crate::failure::Failure;

const VERSION: u8 = 1;
const PROBE: u8 = 1;
const ATTACH: u8 = 2;
const READY: u8 = 1;
const ATTACHED: u8 = 2;

/// The helper's end of the conversation with `wardkey up`.
pub(crate) struct Helper(OwnedFd);

impl Helper {
    /// A helper, and the socket to give to `wardkey up --helper-on-stdin`.
    pub(crate) fn pair() -> Result<(Self, OwnedFd), Failure> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(io::Error::from)?;
        Ok((Self(ours), theirs))
    }

    /// Answers until the key was handed over.
    pub(crate) fn receive_key(&self) -> Result<UnixStream, Failure> {
        loop {
            match self.receive()? {
                ([VERSION, PROBE, ..], _) => self.answer(READY)?,
                ([VERSION, ATTACH, ..], Some(key)) => {
                    self.answer(ATTACHED)?;
                    let key = UnixStream::from(key);
                    key.set_nonblocking(false)?;
                    return Ok(key);
                }
                _ => {
                    return Err(Failure::new(
                        "`wardkey up` does not speak with its helper as expected",
                        "measure the version of wardkey that this program was built with",
                    ));
                }
            }
        }
    }

    fn receive(&self) -> Result<([u8; 8], Option<OwnedFd>), Failure> {
        let mut bytes = [0; 8];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).map_err(io::Error::from)?;
        let mut socket = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                socket = rights.last();
            }
        }
        Ok((bytes, socket))
    }

    fn answer(&self, kind: u8) -> Result<(), Failure> {
        send(&self.0, &[VERSION, kind, 0, 0, 1, 0, 0, 0], SendFlags::NOSIGNAL).map_err(io::Error::from)?;
        Ok(())
    }
}

//! The sockets of the page: one thread, one loop, a bounded number of connections.
//!
//! In: a listening socket, a descriptor that becomes readable when it is time to stop, and what answers a request.
//! A connection that is slow holds up nobody; beyond the bound the oldest one is dropped.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::{self as http, Parsed, Request, Response};

const CONNECTIONS_MAX: usize = 32;
/// What is still read from a client whose request was refused half-way, so that it sees the answer.
const DRAIN_LEN_MAX: usize = 1024 * 1024;

/// Serves until `stop` is readable.
pub(crate) fn serve(
    listener: &TcpListener,
    stop: BorrowedFd<'_>,
    mut answer: impl FnMut(&Request) -> Response,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let mut wanted = vec![
            PollFd::new(&stop, PollFlags::IN),
            PollFd::new(listener, PollFlags::IN),
        ];
        wanted.extend(
            connections
                .iter()
                .map(|connection| PollFd::new(&connection.stream, connection.wants())),
        );
        match poll(&mut wanted, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = wanted.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(wanted);

        let (stopped, rest) = ready.split_first().unwrap_or((&true, &[]));
        if *stopped {
            return Ok(());
        }
        let (incoming, ready) = rest.split_first().unwrap_or((&false, &[]));
        let mut ready = ready.iter();
        connections.retain_mut(|connection| {
            let ready = ready.next().copied().unwrap_or(false);
            !ready || connection.advance(&mut answer).unwrap_or(false)
        });
        if *incoming {
            accept(listener, &mut connections);
        }
    }
}

/// Takes one connection. A client that is gone already is no reason to stop.
fn accept(listener: &TcpListener, connections: &mut Vec<Connection>) {
    let Ok((stream, _)) = listener.accept() else {
        return;
    };
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    if connections.len() >= CONNECTIONS_MAX {
        connections.remove(0);
    }
    connections.push(Connection {
        stream,
        state: State::Reading(Vec::new()),
    });
}

struct Connection {
    stream: TcpStream,
    state: State,
}

enum State {
    /// What arrived of a request.
    Reading(Vec<u8>),
    /// What is left of the response.
    Writing(Vec<u8>),
    /// The response is sent; so many bytes more are read and thrown away.
    Draining(usize),
}

impl Connection {
    const fn wants(&self) -> PollFlags {
        match self.state {
            State::Reading(_) | State::Draining(_) => PollFlags::IN,
            State::Writing(_) => PollFlags::OUT,
        }
    }

    /// Does what can be done without waiting; `false` when the connection is over.
    fn advance(&mut self, answer: &mut impl FnMut(&Request) -> Response) -> io::Result<bool> {
        match self.step(answer) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(true)
            }
            result => result,
        }
    }

    fn step(&mut self, answer: &mut impl FnMut(&Request) -> Response) -> io::Result<bool> {
        let mut buffer = [0; 8 * 1024];
        match &mut self.state {
            State::Reading(input) => {
                let len = self.stream.read(&mut buffer)?;
                if len == 0 {
                    return Ok(false);
                }
                input.extend_from_slice(buffer.get(..len).unwrap_or_default());
                let response = match http::parse(input) {
                    Parsed::Incomplete => return Ok(input.len() <= http::REQUEST_LEN_MAX),
                    Parsed::Refused(status) => Response::bare(status).to_bytes(false),
                    Parsed::Request(request) => answer(&request).to_bytes(request.method == "HEAD"),
                };
                self.state = State::Writing(response);
                self.step(answer)
            }
            State::Writing(output) => {
                let len = self.stream.write(output)?;
                output.drain(..len);
                if output.is_empty() {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.state = State::Draining(DRAIN_LEN_MAX);
                }
                Ok(true)
            }
            State::Draining(left) => {
                let len = self.stream.read(&mut buffer)?;
                *left = left.saturating_sub(len);
                Ok(len > 0 && *left > 0)
            }
        }
    }
}

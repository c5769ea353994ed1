//! A way to a store on which requests and bytes are counted: HTTP/1.1 (RFC 9112), whose answers are carried unread.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Sub;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::failure::Failure;

/// What went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Objects written, and removed.
    pub(crate) writes: u64,
    pub(crate) lists: u64,
    /// Of objects.
    pub(crate) reads: u64,
    /// Reads of the hint.
    pub(crate) polls: u64,
    /// Both ways, with HTTP's heads.
    pub(crate) bytes: u64,
    /// What was written, without HTTP's heads.
    pub(crate) written_bytes: u64,
}

impl Traffic {
    /// Requests of every kind.
    pub(crate) fn requests(&self) -> u64 {
        self.writes + self.lists + self.reads + self.polls
    }

    /// Requests of devices that have something to say, or to read.
    pub(crate) fn requests_but_polls(&self) -> u64 {
        self.requests() - self.polls
    }
}

impl Sub for Traffic {
    type Output = Self;

    /// What went through after `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            writes: self.writes - earlier.writes,
            lists: self.lists - earlier.lists,
            reads: self.reads - earlier.reads,
            polls: self.polls - earlier.polls,
            bytes: self.bytes - earlier.bytes,
            written_bytes: self.written_bytes - earlier.written_bytes,
        }
    }
}

/// Listens until this program ends, and connects to the server once for each client.
pub(super) struct Way {
    pub(super) address: SocketAddr,
    traffic: Counted,
}

#[derive(Clone, Default)]
struct Counted(Arc<Mutex<Traffic>>);

impl Counted {
    fn add(&self, count: impl FnOnce(&mut Traffic)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Way {
    pub(super) fn to(server: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let way = Self {
            address: listener.local_addr()?,
            traffic: Counted::default(),
        };
        let traffic = way.traffic.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let traffic = traffic.clone();
                // A connection that breaks is made again by the client.
                thread::spawn(move || carry(&client, server, &traffic));
            }
        });
        Ok(way)
    }

    /// What went through since the beginning.
    pub(super) fn traffic(&self) -> Traffic {
        let mut now = Traffic::default();
        self.traffic.add(|traffic| now = *traffic);
        now
    }
}

fn carry(client: &TcpStream, server: SocketAddr, traffic: &Counted) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (answers, to) = (server.try_clone()?, client.try_clone()?);
    let counted = traffic.clone();
    thread::spawn(move || {
        // Whoever hangs up is told by the shutdown.
        let _ = carry_answers(&answers, &to, &counted);
        let _ = to.shutdown(Shutdown::Both);
    });
    let carried = carry_requests(client, &server, traffic);
    server.shutdown(Shutdown::Both)?;
    carried
}

fn carry_answers(mut from: &TcpStream, mut to: &TcpStream, traffic: &Counted) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut bytes)?;
        let Some(read) = bytes.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        traffic.add(|traffic| traffic.bytes += count(length));
        to.write_all(read)?;
    }
}

fn carry_requests(from: &TcpStream, mut to: &TcpStream, traffic: &Counted) -> io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if from.read_until(b'\n', &mut head)? == 0 {
                return Ok(());
            }
        }
        let request = Request::read(&String::from_utf8_lossy(&head))?;
        traffic.add(|traffic| {
            traffic.bytes += count(head.len()) + request.body_len;
            request.count(traffic);
        });
        to.write_all(&head)?;
        io::copy(&mut from.by_ref().take(request.body_len), &mut to)?;
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    kind: Kind,
    body_len: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Write,
    List,
    Read,
    Poll,
}

impl Request {
    fn read(head: &str) -> io::Result<Self> {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let kind = match method {
            "GET" if query.contains("list-type=") => Kind::List,
            "GET" | "HEAD" if path.ends_with("/hint") => Kind::Poll,
            "GET" | "HEAD" => Kind::Read,
            _ => Kind::Write,
        };
        let mut body_len = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body_len = value.trim().parse().map_err(io::Error::other)?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(io::Error::other("the length of a body is not said before it"));
            }
        }
        Ok(Self { kind, body_len })
    }

    fn count(&self, traffic: &mut Traffic) {
        let Self { kind, body_len } = self;
        match kind {
            Kind::Write => {
                traffic.writes += 1;
                traffic.written_bytes += body_len;
            }
            Kind::List => traffic.lists += 1,
            Kind::Read => traffic.reads += 1,
            Kind::Poll => traffic.polls += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_and_length(head: &str) -> (Kind, u64) {
        let Request { kind, body_len } = Request::read(head).unwrap();
        (kind, body_len)
    }

    #[test]
    fn requests_are_told_apart_by_their_heads() {
        let written = "PUT /keys/ann/pkv1/00/hint HTTP/1.1\r\ncontent-length: 16\r\n\r\n";
        assert_eq!(kind_and_length(written), (Kind::Write, 16));
        let listed = "GET /keys?list-type=2&prefix=ann%2Fpkv1 HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(kind_and_length(listed), (Kind::List, 0));
        let polled = "GET /keys/ann/pkv1/00/hint HTTP/1.1\r\nIf-None-Match: \"1\"\r\n\r\n";
        assert_eq!(kind_and_length(polled), (Kind::Poll, 0));
        let read = "GET /keys/ann/pkv1/00/t/00000001.obj HTTP/1.1\r\n\r\n";
        assert_eq!(kind_and_length(read), (Kind::Read, 0));
    }

    #[test]
    fn a_body_of_unknown_length_is_not_counted_wrong() {
        assert!(Request::read("PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(Request::read("PUT /a HTTP/1.1\r\nContent-Length: many\r\n\r\n").is_err());
    }
}

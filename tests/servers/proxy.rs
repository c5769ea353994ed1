//! A way between a client and a server on which bytes are slow, or end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What happens on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// The connections that are cut, counted from the first; later ones are whole.
    pub(crate) cuts: usize,
    /// After so many bytes of the client's.
    pub(crate) cut_request_after: usize,
    /// After so many bytes of the server's.
    pub(crate) cut_answer_after: usize,
    /// Bytes of the server's in a hundredth of a second.
    pub(crate) pace: usize,
}

impl Way {
    pub(crate) const CLEAR: Self = Self {
        cuts: 0,
        cut_request_after: usize::MAX,
        cut_answer_after: usize::MAX,
        pace: usize::MAX,
    };
}

/// Listens, and connects to the server once for each client. Ends with the process.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else {
                    return;
                };
                let whole = number >= way.cuts;
                let limit = |bytes: usize| if whole { usize::MAX } else { bytes };
                carry(&client, &server, limit(way.cut_request_after), usize::MAX);
                carry(&server, &client, limit(way.cut_answer_after), way.pace);
            }
        });
        Self { address, connections }
    }

    /// How many clients have connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Carries bytes from one to the other, and cuts both when enough have gone.
fn carry(from: &TcpStream, to: &TcpStream, mut left: usize, pace: usize) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while left > 0 {
            let len_max = buffer.len().min(left).min(pace);
            let Ok(len @ 1..) = from.read(&mut buffer[..len_max]) else {
                break;
            };
            left -= len;
            if to.write_all(&buffer[..len]).is_err() {
                break;
            }
            if pace < usize::MAX {
                pause();
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[expect(clippy::disallowed_methods, reason = "slowness is what this is for")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}

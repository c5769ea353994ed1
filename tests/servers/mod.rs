//! Servers that keep objects, on this computer's loopback, for the time of a test. Each stops when it is dropped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod apache;
pub(crate) mod garage;
pub(crate) mod proxy;
pub(crate) mod s3;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::thread;
use std::time::Duration;

/// How long a server may take to start, in tenths of a second.
const START_PATIENCE: usize = 300;

/// An address that nobody listens on, now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until something is so.
#[expect(
    clippy::disallowed_methods,
    reason = "another process tells nobody when it is ready"
)]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..START_PATIENCE {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: not within {} s", START_PATIENCE / 10);
}

/// Waits until somebody listens there.
pub(crate) fn wait_for(address: SocketAddr) {
    wait_until(&address.to_string(), || TcpStream::connect(address).is_ok());
}

/// A process that is killed when it is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

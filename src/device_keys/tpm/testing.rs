//! A TPM for a test, and its bus, to listen to.

mod swtpm;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::Chip;
use swtpm::ports;
pub(super) use swtpm::{LOCKOUT, OWNER, Swtpm};

impl Swtpm {
    pub(super) fn chip(&self) -> Chip {
        Chip::at_port(self.port)
    }
}

/// The wires between processor and TPM, with somebody who listens.
pub(super) struct Bus {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Bus {
    /// To a TPM.
    pub(super) fn to(tpm: &Swtpm) -> Self {
        let (commands, control, port) = ports();
        let heard = Arc::new(Mutex::new(Vec::new()));
        for (listener, to) in [(commands, tpm.port), (control, tpm.port + 1)] {
            let heard = heard.clone();
            thread::spawn(move || {
                for near in listener.incoming() {
                    let (near, far) = (
                        near.unwrap(),
                        TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap(),
                    );
                    carry(near.try_clone().unwrap(), far.try_clone().unwrap(), heard.clone());
                    carry(far, near, heard.clone());
                }
            });
        }
        Self { port, heard }
    }

    pub(super) fn chip(&self) -> Chip {
        Chip::at_port(self.port)
    }

    /// Whether these bytes crossed it.
    pub(super) fn heard(&self, bytes: &[u8]) -> bool {
        let heard = self.heard.lock().unwrap();
        heard.windows(bytes.len()).any(|window| window == bytes)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, heard: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut bytes) {
            heard.lock().unwrap().extend(&bytes[..len]);
            if to.write_all(&bytes[..len]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

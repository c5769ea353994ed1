//! A CTAPHID link never tears a message, keeps no more than it says, and cannot be wedged.

use std::collections::HashMap;
use std::time::Duration;

use wardkey_transport::Report;
use wardkey_transport::ctaphid::{Config, Link, Port, Request, SHORT_REPLIES_MAX, Status};
use wardkey_transport::time::Instant;

/// More reports than a longest message, a KEEPALIVE and all short replies cannot wait.
const REPORTS_MAX: usize = 129 + 1 + SHORT_REPLIES_MAX;

/// The link, its clock, and the message that each host is reading.
pub struct Key {
    link: Link,
    now: Instant,
    reading: HashMap<u32, Reading>,
}

/// The rest of a message.
struct Reading {
    cid: [u8; 4],
    missing: usize,
    sequence: u8,
}

impl Key {
    /// A key that was just powered up.
    pub fn new() -> Self {
        Self {
            link: Link::new(Config { version: [0; 3] }),
            now: Instant::ZERO,
            reading: HashMap::new(),
        }
    }

    /// Bits of `what`: 0 which host; 1 respond; 2 status; 3 unplug; 4 power cycle; 5 the host does not read.
    pub fn step(&mut self, what: u8, wait_ms: u8, report: &[u8]) {
        let port = u32::from(what & 1);
        self.now = self.now + Duration::from_millis(u64::from(wait_ms) * 4);
        self.link.handle_timeout(self.now);
        self.link
            .handle_report(self.now, Port(port), &Report::padded(report));
        // INIT on its own channel is the only way in which a client cuts its own message short.
        if report.get(4..7) == Some(&[0x86, 0, 8]) {
            self.reading
                .retain(|_, reading| report.first_chunk() != Some(&reading.cid));
        }
        let requests = (0..4).map_while(|_| self.link.poll_request()).count();
        assert!(requests <= 3, "one request of each kind");
        if what & 2 != 0 {
            self.link.respond(self.now, report.to_vec());
        }
        if what & 4 != 0 {
            self.link.set_status(self.now, Status::UpNeeded);
        }
        if what & 8 != 0 {
            self.link.forget_port(Port(port));
            self.reading.remove(&port);
        }
        if what & 16 != 0 {
            self.link.reset();
            self.reading.clear();
        }
        if what & 32 == 0 {
            self.read(port);
        }
    }

    /// After the time a message may take, a new client is served.
    pub fn check_not_wedged(&mut self) {
        self.now = self.now + Duration::from_millis(500);
        self.link.handle_timeout(self.now);
        self.link.respond(self.now, vec![0]);
        (0..2).for_each(|port| self.read(port));
        assert_eq!(self.link.poll_timeout(), None, "an idle key waits for nothing");
        self.link.handle_report(
            self.now,
            Port(0),
            &Report::padded(b"\xFF\xFF\xFF\xFF\x86\0\x08nonce678"),
        );
        let Report(init) = self.link.poll_report(Port(0)).expect("an INIT response");
        let mut request = [0; 8];
        request[..4].copy_from_slice(&init[15..19]);
        request[4..].copy_from_slice(&[0x90, 0, 1, 4]);
        self.link
            .handle_report(self.now, Port(0), &Report::padded(&request));
        let requests = std::iter::from_fn(|| self.link.poll_request());
        assert_eq!(requests.last(), Some(Request::Cbor(vec![4])));
    }

    fn read(&mut self, port: u32) {
        let reports = (0..=REPORTS_MAX)
            .map_while(|_| self.link.poll_report(Port(port)))
            .collect::<Vec<_>>();
        assert!(reports.len() <= REPORTS_MAX, "the reports for a port are bounded");
        for Report(report) in reports {
            let (cid, mark) = ([report[0], report[1], report[2], report[3]], report[4]);
            let next = match self.reading.remove(&port) {
                // Whoever does not read for long finds the rest dropped.
                Some(reading) if mark & 0x80 == 0 => {
                    assert_eq!(
                        (cid, mark),
                        (reading.cid, reading.sequence),
                        "the message goes on"
                    );
                    Reading {
                        cid,
                        missing: reading.missing.saturating_sub(59),
                        sequence: mark + 1,
                    }
                }
                _ => {
                    assert!(mark & 0x80 != 0, "a message starts");
                    let len = usize::from(u16::from_be_bytes([report[5], report[6]]));
                    Reading {
                        cid,
                        missing: len.saturating_sub(57),
                        sequence: 0,
                    }
                }
            };
            if next.missing > 0 {
                self.reading.insert(port, next);
            }
        }
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

//! A USB/IP connection keeps no more than it says, and never answers with more than was asked for.

use wardkey_transport::Report;
use wardkey_transport::usbip::{Connection, Error, Event, Identity, Phase};

/// The connection and what was said to it.
pub struct UsbHost {
    connection: Connection,
    sent: usize,
}

impl UsbHost {
    /// A host in the phase that the lowest bit says.
    pub fn new(phase: u8) -> Self {
        let phase = if phase & 1 == 0 {
            Phase::Attached
        } else {
            Phase::Service
        };
        Self {
            connection: Connection::new(phase, &Identity::default()),
            sent: 0,
        }
    }

    /// Sends bytes; whatever the host wants it gets.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sent += bytes.len();
        self.connection.handle_bytes(bytes)?;
        while let Some(event) = self.connection.poll_event() {
            if event == Event::ImportRequested {
                self.connection.accept_import();
            }
        }
        Ok(())
    }

    /// Checks the bounds and sends every report back.
    pub fn check(&mut self) {
        // The worst: 8 bytes ask for a device list of 328.
        assert!(self.connection.output().len() <= 41 * self.sent);
        while self.connection.can_send() {
            let report = self.connection.poll_report().unwrap_or(Report([0; 64]));
            self.connection.send_report(report).expect("can_send said so");
        }
    }
}

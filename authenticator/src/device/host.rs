//! One host connection: a kernel or USB/IP client that sees a USB device, or a raw stream of 64-byte reports.

use std::fmt;

use wardkey_transport::Report;
use wardkey_transport::usbip::{self, Connection, Identity, Phase};

/// How a host is connected.
#[derive(Debug, Clone)]
pub enum HostKind {
    /// The local kernel through vhci_hcd: the device is attached as soon as the socket is.
    Kernel(Identity),
    /// A USB/IP client on the network: it lists and imports the device first.
    Service(Identity),
    /// A stream of 64-byte reports without framing.
    Raw,
}

/// Why a host has to be disconnected.
#[derive(Debug)]
pub enum HostError {
    /// The host broke the USB/IP protocol.
    Usbip(usbip::Error),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usbip(error) => write!(f, "the USB/IP peer broke the protocol: {error}"),
        }
    }
}

impl std::error::Error for HostError {}

/// The device's side of one connection.
pub(super) enum Host {
    Usb(Box<Connection>),
    Raw(Raw),
}

impl Host {
    pub(super) fn new(kind: &HostKind) -> Self {
        match kind {
            HostKind::Kernel(identity) => Self::Usb(Box::new(Connection::new(Phase::Attached, identity))),
            HostKind::Service(identity) => Self::Usb(Box::new(Connection::new(Phase::Service, identity))),
            HostKind::Raw => Self::Raw(Raw::default()),
        }
    }

    pub(super) fn handle_bytes(&mut self, input: &[u8]) -> Result<(), HostError> {
        match self {
            Self::Usb(connection) => connection.handle_bytes(input).map_err(HostError::Usbip),
            Self::Raw(raw) => {
                raw.input.extend_from_slice(input);
                Ok(())
            }
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<usbip::Event> {
        match self {
            Self::Usb(connection) => connection.poll_event(),
            Self::Raw(_) => None,
        }
    }

    pub(super) fn answer_import(&mut self, accept: bool) {
        match self {
            Self::Usb(connection) if accept => connection.accept_import(),
            Self::Usb(connection) => connection.refuse_import(),
            Self::Raw(_) => {}
        }
    }

    pub(super) fn poll_report(&mut self) -> Option<Report> {
        match self {
            Self::Usb(connection) => connection.poll_report(),
            Self::Raw(raw) => raw.poll_report(),
        }
    }

    pub(super) fn can_send(&self) -> bool {
        match self {
            Self::Usb(connection) => connection.can_send(),
            Self::Raw(raw) => raw.output.len() + REPORT_LEN <= Raw::OUTPUT_MAX,
        }
    }

    /// The caller has asked [`Self::can_send`].
    pub(super) fn send_report(&mut self, report: Report) {
        match self {
            Self::Usb(connection) => {
                let sent = connection.send_report(report);
                debug_assert!(sent.is_ok(), "the caller asked can_send");
            }
            Self::Raw(raw) => raw.output.extend_from_slice(&report.0),
        }
    }

    pub(super) fn output(&self) -> &[u8] {
        match self {
            Self::Usb(connection) => connection.output(),
            Self::Raw(raw) => &raw.output,
        }
    }

    pub(super) fn consume_output(&mut self, count: usize) {
        match self {
            Self::Usb(connection) => connection.consume_output(count),
            Self::Raw(raw) => {
                raw.output.drain(..count.min(raw.output.len()));
            }
        }
    }

    pub(super) fn wants_input(&self) -> bool {
        match self {
            Self::Usb(connection) => connection.wants_input(),
            Self::Raw(_) => self.can_send(),
        }
    }
}

const REPORT_LEN: usize = size_of::<Report>();

/// Reports on a stream. Input is drained at once; output is bounded, and a host that does not read is not read from.
#[derive(Default)]
pub(super) struct Raw {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Raw {
    /// Two of the longest replies.
    const OUTPUT_MAX: usize = 2 * 129 * REPORT_LEN;

    fn poll_report(&mut self) -> Option<Report> {
        let report = Report(*self.input.first_chunk::<REPORT_LEN>()?);
        self.input.drain(..REPORT_LEN);
        Some(report)
    }
}

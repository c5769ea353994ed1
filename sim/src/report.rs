//! HID reports and the two things a client does with them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::usb_host;

/// The length of every report of a FIDO device, CTAP 2.3 §11.2.4.
pub const REPORT_LEN: usize = 64;

/// One HID report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report(pub [u8; REPORT_LEN]);

/// A thing that takes reports to a key and brings them back.
pub trait ReportPipe {
    /// Hands `report` to the key; returns when it was taken.
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError>;

    /// The key's next report, `None` when none came in `timeout`.
    fn receive_report(&mut self, timeout: Duration) -> Result<Option<Report>, PipeError>;
}

impl<P: ReportPipe + ?Sized> ReportPipe for Box<P> {
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError> {
        (**self).send_report(report)
    }

    fn receive_report(&mut self, timeout: Duration) -> Result<Option<Report>, PipeError> {
        (**self).receive_report(timeout)
    }
}

/// Why no report could be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The other side closed the connection: the key is unplugged.
    #[error("the key was unplugged")]
    Unplugged,
    /// The key did not take a report in time.
    #[error("the key did not take a report in time")]
    TimedOut,
    /// The device broke a rule of USB or USB/IP.
    #[error("the USB device misbehaved: {0}")]
    Usb(#[from] usb_host::Error),
    /// The socket failed.
    #[error("the connection to the key failed: {0}")]
    Io(#[from] io::Error),
}

/// A byte stream whose reads can be given a limit of time.
pub trait TimedStream: Read + Write {
    /// From now on a read that waits longer than `timeout` fails with `WouldBlock` or `TimedOut`.
    fn limit_reads(&mut self, timeout: Duration) -> io::Result<()>;
}

impl TimedStream for UnixStream {
    fn limit_reads(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))
    }
}

impl TimedStream for TcpStream {
    fn limit_reads(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))
    }
}

impl<S: TimedStream + ?Sized> TimedStream for Box<S> {
    fn limit_reads(&mut self, timeout: Duration) -> io::Result<()> {
        (**self).limit_reads(timeout)
    }
}

/// Reads what there is; `None` when nothing came in `timeout`. A timeout below a millisecond counts as one.
pub(crate) fn read_some<S: TimedStream>(
    stream: &mut S,
    buffer: &mut [u8],
    timeout: Duration,
) -> Result<Option<usize>, PipeError> {
    stream.limit_reads(timeout.max(Duration::from_millis(1)))?;
    match stream.read(buffer) {
        Ok(0) => Err(PipeError::Unplugged),
        Ok(length) => Ok(Some(length)),
        Err(error) if is_silence(error.kind()) => Ok(None),
        Err(error) if is_hang_up(error.kind()) => Err(PipeError::Unplugged),
        Err(error) => Err(error.into()),
    }
}

fn is_silence(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn is_hang_up(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
    )
}

/// Writes all of `bytes`.
pub(crate) fn write_all<S: TimedStream>(stream: &mut S, bytes: &[u8]) -> Result<(), PipeError> {
    stream
        .write_all(bytes)
        .map_err(|error| match is_hang_up(error.kind()) {
            true => PipeError::Unplugged,
            false => error.into(),
        })
}

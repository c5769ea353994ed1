//! Reports over a byte stream (Unix or TCP socket): exactly 64 bytes each, no framing, no report id.

use std::time::Duration;

use crate::clock;
use crate::report::{PipeError, REPORT_LEN, Report, ReportPipe, TimedStream, read_some, write_all};

/// A key at the other end of a stream of reports.
pub struct RawStream<S> {
    stream: S,
    received: [u8; REPORT_LEN],
    received_len: usize,
}

impl<S: TimedStream> RawStream<S> {
    /// Speaks over `stream`. For TCP the caller turns off Nagle's algorithm.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            received: [0; REPORT_LEN],
            received_len: 0,
        }
    }
}

impl<S: TimedStream> ReportPipe for RawStream<S> {
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError> {
        write_all(&mut self.stream, &report.0)
    }

    fn receive_report(&mut self, timeout: Duration) -> Result<Option<Report>, PipeError> {
        let deadline = clock::now() + timeout;
        while let Some(free) = self
            .received
            .get_mut(self.received_len..)
            .filter(|free| !free.is_empty())
        {
            let left = deadline.saturating_duration_since(clock::now());
            match read_some(&mut self.stream, free, left)? {
                Some(length) => self.received_len += length,
                None if left.is_zero() => return Ok(None),
                None => {}
            }
        }
        self.received_len = 0;
        Ok(Some(Report(self.received)))
    }
}

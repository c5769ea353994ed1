//! Message → packets (CTAP 2.3 §11.2.4).

use super::packet::{CONTINUATION_DATA_LEN, ChannelId, INIT_DATA_LEN, continuation_report, init_report};
use crate::report::Report;

/// A message that is being sent.
pub(super) struct Fragmenter {
    cid: ChannelId,
    command: u8,
    payload: Vec<u8>,
    progress: Progress,
}

enum Progress {
    Unsent,
    Sent { bytes: usize, next_sequence: u8 },
}

impl Fragmenter {
    /// A message of at most [`super::MESSAGE_LEN_MAX`] bytes.
    pub(super) fn new(cid: ChannelId, command: u8, payload: Vec<u8>) -> Self {
        Self {
            cid,
            command,
            payload,
            progress: Progress::Unsent,
        }
    }

    /// The next report, to be called until [`is_finished`](Self::is_finished).
    pub(super) fn next_report(&mut self) -> Report {
        match self.progress {
            Progress::Unsent => {
                self.progress = Progress::Sent {
                    bytes: INIT_DATA_LEN,
                    next_sequence: 0,
                };
                init_report(self.cid, self.command, &self.payload)
            }
            Progress::Sent { bytes, next_sequence } => {
                let bytes_after = bytes + CONTINUATION_DATA_LEN;
                self.progress = Progress::Sent {
                    bytes: bytes_after,
                    next_sequence: next_sequence + 1,
                };
                let rest = self.payload.get(bytes..).unwrap_or_default();
                continuation_report(self.cid, next_sequence, rest)
            }
        }
    }

    /// Whether every report was taken.
    pub(super) fn is_finished(&self) -> bool {
        match self.progress {
            Progress::Unsent => false,
            Progress::Sent { bytes, .. } => bytes >= self.payload.len(),
        }
    }
}

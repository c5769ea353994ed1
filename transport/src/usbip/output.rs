//! Bytes that wait for the socket: appended at the end, consumed at the front, without moving them each time.

/// A byte queue.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    consumed: usize,
}

impl Output {
    /// What waits, oldest first.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.consumed..).unwrap_or_default()
    }

    /// Where to append.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets the first `n` waiting bytes.
    pub(super) fn consume(&mut self, n: usize) {
        self.consumed = self.consumed.saturating_add(n).min(self.bytes.len());
        if self.consumed == self.bytes.len() {
            self.bytes.clear();
            self.consumed = 0;
        } else if self.consumed > self.bytes.len() / 2 {
            // Moves at most as many bytes as were consumed since the last time.
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
    }
}

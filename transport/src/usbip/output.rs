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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_that_is_never_empty_does_not_grow() {
        let mut output = Output::default();
        output.end().push(0);
        for _ in 0..10_000 {
            output.end().extend([1; 10]);
            output.consume(10);
            assert_eq!(output.waiting().len(), 1);
        }
        assert!(output.bytes.len() <= 22);
    }

    #[test]
    fn more_than_all_cannot_be_consumed() {
        let mut output = Output::default();
        output.end().extend([1, 2, 3]);
        output.consume(usize::MAX);
        output.end().push(4);
        assert_eq!(output.waiting(), [4]);
    }
}

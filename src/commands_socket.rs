//! One connection of another `wardkey` command to the running key: lines in, a line out for each.

use wardkey_authenticator::Authenticator;

use crate::control;

/// The longest request, in bytes.
const LINE_LEN_MAX: usize = 4 * 1024;

/// A client and what it is owed.
#[derive(Default)]
pub(crate) struct Commands {
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
}

impl Commands {
    /// Answers every whole line. An error ends the connection.
    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        authenticator: &mut Authenticator,
    ) -> Result<(), String> {
        self.input.extend_from_slice(bytes);
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let line = String::from_utf8(line).map_err(|_| "the request is not text".to_owned())?;
            self.output
                .extend_from_slice(control::handle_line(line.trim_end(), authenticator).as_bytes());
            self.output.push(b'\n');
        }
        if self.input.len() > LINE_LEN_MAX {
            return Err(format!("a request is longer than {LINE_LEN_MAX} bytes"));
        }
        Ok(())
    }

    /// Whether the client may ask for more: not before it has read what it asked for.
    pub(crate) fn wants_input(&self) -> bool {
        self.output().is_empty()
    }

    /// Bytes for the client.
    pub(crate) fn output(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// `count` bytes of [`Self::output`] were written.
    pub(crate) fn consume_output(&mut self, count: usize) {
        self.written += count;
        if self.output().is_empty() {
            self.output.clear();
            self.written = 0;
        }
    }
}

//! The Assuan protocol, as much as pinentry needs: one command, then lines up to `OK` or `ERR`.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{ChildStdin, ChildStdout};

use zeroize::{Zeroize as _, Zeroizing};

use super::super::worker::{Withdrawal, Woken};

/// The longest line of the protocol, without its end (Assuan manual, "Client requests").
pub(super) const LINE_BYTES_MAX: usize = 1000;
/// Lines that one command may be answered with.
const LINES_MAX: usize = 64;
/// Bytes that are read at a time.
const READ_BYTES_MAX: usize = 256;

/// Why the dialogue broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the question was taken away")]
    Withdrawn,
    #[error("pinentry cannot be run: {0}")]
    Run(#[from] io::Error),
    #[error("pinentry ended without an answer")]
    Ended,
    #[error("pinentry shows nothing: {0}")]
    Refused(String),
    #[error("pinentry does not speak its protocol")]
    Protocol,
}

/// What a command was answered with.
pub(super) enum Reply {
    /// `OK`, and the data that came before it, which may be what the user typed.
    Ok(Zeroizing<Vec<u8>>),
    /// The text after `ERR`.
    Error(String),
}

/// One conversation. What was read is wiped when it is dropped, and never moved to a larger place.
pub(super) struct Dialogue<'a> {
    input: ChildStdin,
    output: ChildStdout,
    unread: Zeroizing<Vec<u8>>,
    withdrawal: &'a Withdrawal,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(input: ChildStdin, output: ChildStdout, withdrawal: &'a Withdrawal) -> Self {
        Self {
            input,
            output,
            unread: Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + READ_BYTES_MAX)),
            withdrawal,
        }
    }

    /// Every command fits into the pipe: one is under way at a time, and none is longer than a line.
    pub(super) fn send(&mut self, command: &str) -> Result<(), Failure> {
        let mut line = command.to_owned();
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
        line.push('\n');
        Ok(self.input.write_all(line.as_bytes())?)
    }

    /// Waits for `OK` or `ERR`, and passes over status and comment lines.
    pub(super) fn reply(&mut self) -> Result<Reply, Failure> {
        let mut data = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX));
        for _ in 0..LINES_MAX {
            let line = self.line()?;
            if line.as_slice() == b"OK" || line.starts_with(b"OK ") {
                return Ok(Reply::Ok(data));
            }
            if let Some(error) = line.strip_prefix(b"ERR ") {
                return Ok(Reply::Error(String::from_utf8_lossy(error).into_owned()));
            }
            if let Some(escaped) = line.strip_prefix(b"D ") {
                unescape(escaped, &mut data)?;
            } else if !(line.starts_with(b"S ") || line.starts_with(b"#")) {
                return Err(Failure::Protocol);
            }
        }
        Err(Failure::Protocol)
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line = self.unread.iter().take(end).copied().collect();
                self.unread.drain(..=end);
                return Ok(Zeroizing::new(line));
            }
            if self.unread.len() > LINE_BYTES_MAX {
                return Err(Failure::Protocol);
            }
            if self.withdrawal.wait(self.output.as_fd())? == Woken::Withdrawn {
                return Err(Failure::Withdrawn);
            }
            let mut bytes = [0; READ_BYTES_MAX];
            let count = self.output.read(&mut bytes)?;
            self.unread.extend(bytes.iter().take(count));
            bytes.zeroize();
            if count == 0 {
                return Err(Failure::Ended);
            }
        }
    }
}

/// Adds what a data line means to `data`: percent signs stand before two hexadecimal digits.
fn unescape(escaped: &[u8], data: &mut Zeroizing<Vec<u8>>) -> Result<(), Failure> {
    let mut rest = escaped;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => (hex(*high)? << 4 | hex(*low)?, after),
            (b'%', _) => return Err(Failure::Protocol),
            (byte, after) => (byte, after),
        };
        if data.len() == data.capacity() {
            return Err(Failure::Protocol);
        }
        data.push(byte);
        rest = after;
    }
    Ok(())
}

fn hex(digit: u8) -> Result<u8, Failure> {
    let value = char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok());
    value.ok_or(Failure::Protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(escaped: &str) -> Option<Vec<u8>> {
        let mut data = Zeroizing::new(Vec::with_capacity(8));
        unescape(escaped.as_bytes(), &mut data).ok()?;
        Some(data.to_vec())
    }

    #[test]
    fn data_is_unescaped() {
        assert_eq!(unescaped("").unwrap(), b"");
        assert_eq!(unescaped("12%2534").unwrap(), b"12%34");
        assert_eq!(unescaped("%0A%0d%c3%A9").unwrap(), b"\n\r\xc3\xa9");
    }

    #[test]
    fn broken_escapes_and_too_much_data_are_refused() {
        for escaped in ["%", "%2", "%2g", "%+1", "1%", "123456789"] {
            assert!(unescaped(escaped).is_none(), "{escaped}");
        }
        assert!(unescaped("12345678").is_some());
    }
}

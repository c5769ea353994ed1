//! Files with passkeys, which may be in clear: written once for their owner alone, or to a program; read in whole; wiped.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::stdio::stdout;
use rustix::termios::isatty;
use zeroize::Zeroizing;

use super::secret_file::{STANDARD_INPUT, Unbuffered};
use crate::error::Failure;
use crate::readiness::retry;

/// More than any has.
const LEN_MAX: usize = 80 << 20;
/// How much is read at once.
const CHUNK_LEN: usize = 64 << 10;
/// The name of standard output.
const STANDARD_OUTPUT: &str = "-";

/// Where passkeys are written to.
pub(super) enum Target {
    /// A new file.
    File(PathBuf),
    /// A program, which is waiting for them.
    StandardOutput,
}

impl Target {
    /// Nothing is written yet. A file that is there is refused, and a terminal: what is shown there is seen, and kept.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == STANDARD_OUTPUT {
            return if isatty(stdout()) {
                Err(Failure::new(
                    "passkeys are not written onto a terminal",
                    "give the name of a new file, or a program that takes them: wardkey export … - | PROGRAM",
                ))
            } else {
                Ok(Self::StandardOutput)
            };
        }
        if path.symlink_metadata().is_ok() {
            return Err(not_written(path, &io::ErrorKind::AlreadyExists.into()));
        }
        Ok(Self::File(path.to_owned()))
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::File(path) => write_new(path, bytes).map_err(|error| not_written(path, &error)),
            Self::StandardOutput => {
                write_all(bytes).map_err(|error| not_written(Path::new("standard output"), &error))
            }
        }
    }
}

/// A new file for its owner alone, durable when this returns; nothing is left of one that could not be written.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half of it is of use to nobody who should have it.
        let _left_behind = remove_file(path);
    }
    written
}

/// Without the standard library's buffer, which nobody wipes.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = retry(|| rustix::io::write(stdout(), bytes))?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// All of a file, or of standard input.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let content = if path.as_os_str() == STANDARD_INPUT {
        content_of(&mut Unbuffered)
    } else {
        File::open(path).and_then(|mut file| content_of(&mut file))
    };
    content.map_err(|error| {
        Failure::new(
            format!("cannot read {}: {error}", path.display()),
            "give a file that wardkey export or another program wrote, or - for standard input",
        )
    })
}

/// When the buffer is full, all of it moves to a larger one, and the smaller one is wiped.
fn content_of(input: &mut dyn Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(CHUNK_LEN));
    loop {
        if content.len() == content.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * content.len()));
            larger.extend_from_slice(&content);
            content = larger;
        }
        let start = content.len();
        let end = content.capacity().min(start + CHUNK_LEN);
        content.resize(end, 0);
        let count = match input.read(content.get_mut(start..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                content.truncate(start);
                continue;
            }
            count => count?,
        };
        content.truncate(start + count);
        if count == 0 {
            return Ok(content);
        }
        if content.len() > LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        format!("cannot write {}: {error}", path.display()),
        "give the name of a new file, where there is room",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(bytes.len()).min(1000);
            let (now, later) = self.0.split_at(count);
            bytes[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[test]
    fn all_is_read_whatever_its_length_and_pieces() {
        for len in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 5 * CHUNK_LEN] {
            let content: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
            assert_eq!(*content_of(&mut &content[..]).unwrap(), content);
            assert_eq!(*content_of(&mut Slow(&content)).unwrap(), content);
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let error = content_of(&mut io::repeat(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}

//! Secrets in the first lines of a file, for use where nobody can be asked.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::stdio::stdin;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::readiness::retry;

/// More than any secret has.
const LINE_LEN_MAX: usize = 4096;
/// The name of standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// The first line of the file, or of what is left of standard input.
pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    Ok(lines(path, 1)?.pop().unwrap_or_default())
}

/// The first lines; empty ones where there are fewer.
pub(crate) fn lines(path: &Path, count: usize) -> Result<Vec<Zeroizing<String>>, Failure> {
    let failed = |error: &io::Error| {
        Failure::new(
            format!("{} cannot be read: {error}", path.display()),
            "give a file that you may read, or - for standard input",
        )
    };
    let mut input: Box<dyn Read> = if path.as_os_str() == STANDARD_INPUT {
        Box::new(Unbuffered)
    } else {
        let file = File::open(path).map_err(|error| failed(&error))?;
        check_privacy(&file, path).map_err(|error| failed(&error))??;
        Box::new(file)
    };
    let lines = (0..count)
        .map(|_| line_of(&mut *input))
        .collect::<io::Result<_>>();
    lines.map_err(|error| failed(&error))
}

/// A pipe from the shell is as private as a file of mode 600.
fn check_privacy(file: &File, path: &Path) -> io::Result<Result<(), Failure>> {
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o777;
    let theirs = metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw();
    Ok(if mode & 0o077 != 0 || theirs {
        Err(Failure::new(
            format!("others can read or change {} (mode {mode:03o})", path.display()),
            "make it yours alone: chmod 600, and if they can have read it, choose another secret",
        ))
    } else {
        Ok(())
    })
}

/// Byte by byte: nothing is kept in a buffer, and the next line is there for who reads next.
fn line_of(input: &mut dyn Read) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX));
    let mut byte = Zeroizing::new([0]);
    while line.len() < LINE_LEN_MAX {
        match input.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("it is not text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Standard input without the standard library's buffer, which nobody wipes.
pub(super) struct Unbuffered;

impl Read for Unbuffered {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(retry(|| rustix::io::read(stdin(), &mut *bytes))?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::testing::{new_folder, set_mode};

    #[test]
    fn the_first_line_is_the_secret_and_the_next_is_left() {
        let mut input = b" tin ra of ol \nnext\n".as_slice();
        assert_eq!(line_of(&mut input).unwrap().as_str(), " tin ra of ol ");
        assert_eq!(input, b"next\n");
        assert_eq!(line_of(&mut b"no end".as_slice()).unwrap().as_str(), "no end");
        assert!(line_of(&mut b"\xff\n".as_slice()).is_err());
        let endless = vec![b'a'; LINE_LEN_MAX * 2];
        assert_eq!(line_of(&mut endless.as_slice()).unwrap().len(), LINE_LEN_MAX);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = new_folder();
        let path = folder.path().join("pin");
        fs::write(&path, "tin ra of ol\n").unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            set_mode(&path, mode);
            assert_eq!(first_line(&path).is_ok(), taken, "{mode:o}");
        }
        assert!(first_line(&folder.path().join("none")).is_err());
    }

    #[test]
    fn several_secrets_are_each_on_a_line_of_their_own() {
        let folder = new_folder();
        let path = folder.path().join("credentials");
        fs::write(&path, "id\nsecret").unwrap();
        set_mode(&path, 0o600);
        let read: Vec<_> = lines(&path, 3).unwrap();
        let read: Vec<_> = read.iter().map(|line| line.as_str()).collect();
        assert_eq!(read, ["id", "secret", ""]);
    }
}

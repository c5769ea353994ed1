//! One program at a time: a locked file with the number of the process that holds it. The lock goes with the process,
//! however that ends; the file stays.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fs::{FlockOperation, flock, ftruncate};
use rustix::io::Errno;

use super::Error;
use super::folder::{Folder, io_error};

const NAME: &str = "lock";
/// More digits than a process number has.
const PID_LEN_MAX: u64 = 16;

/// Held until dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(folder: &Folder) -> Result<Self, Error> {
        let mut file = folder.open_or_create_file(NAME)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::InUse {
                    folder: folder.path().to_owned(),
                    pid: read_pid(&file),
                });
            }
            Err(error) => return Err(io_error("lock", folder.path_of(NAME), error)),
        }
        ftruncate(&file, 0)
            .map_err(Into::into)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| io_error("write", folder.path_of(NAME), error))?;
        Ok(Self(file))
    }
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_LEN_MAX).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}

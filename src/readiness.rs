//! Waits for a descriptor, for a limited time.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Waits until `source` can be read or has ended, or for `patience`; says which.
pub(crate) fn is_ready_within(source: BorrowedFd<'_>, patience: Duration) -> io::Result<bool> {
    let patience = Timespec::try_from(patience).map_err(|_| Errno::INVAL)?;
    let mut sources = [PollFd::from_borrowed_fd(source, PollFlags::IN)];
    Ok(retry(|| poll(&mut sources, Some(&patience)))? > 0)
}

/// Calls again what a signal has interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

//! The signals that ask the process to stop.

use std::io;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// A socket that becomes readable when the process is asked to stop.
pub(crate) fn stop() -> io::Result<UnixStream> {
    let (readable, writable) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(signal, writable.try_clone()?)?;
    }
    Ok(readable)
}

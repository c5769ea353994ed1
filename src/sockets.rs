//! Listening sockets and connections, all non-blocking, all reduced to file descriptors.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::cli::RawAddress;

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// USB/IP clients.
    Usbip,
    /// Bare 64-byte reports.
    Raw,
    /// `wardkey list` and the like.
    Commands,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<RawAddress> for Address {
    fn from(address: RawAddress) -> Self {
        match address {
            RawAddress::Tcp(address) => Self::Tcp(address),
            RawAddress::Unix(path) => Self::Unix(path),
        }
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listening socket that can be closed and opened again at the same address.
pub(crate) struct Listener {
    pub(crate) purpose: Purpose,
    pub(crate) address: Address,
    socket: Option<Socket>,
}

impl Listener {
    /// Listens. Where the port is 0, [`Self::address`] is the one that was given.
    pub(crate) fn open(purpose: Purpose, address: Address) -> io::Result<Self> {
        let mut listener = Self {
            purpose,
            address,
            socket: None,
        };
        listener.reopen()?;
        Ok(listener)
    }

    /// Listens again after [`Self::close`].
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        let socket = match &self.address {
            Address::Tcp(address) => {
                let socket = TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                self.address = Address::Tcp(socket.local_addr()?);
                Socket::Tcp(socket)
            }
            Address::Unix(path) => Socket::Unix(bind_unix(path)?),
        };
        self.socket = Some(socket);
        Ok(())
    }

    /// Stops listening; clients see a key that is not there.
    pub(crate) fn close(&mut self) {
        if self.socket.take().is_some()
            && let Address::Unix(path) = &self.address
        {
            let _ = fs::remove_file(path);
        }
    }

    /// The next client, if one waits.
    pub(crate) fn accept(&self) -> io::Result<Option<OwnedFd>> {
        let accepted = match &self.socket {
            None => return Ok(None),
            Some(Socket::Tcp(socket)) => socket.accept().and_then(|(stream, _)| {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Ok(OwnedFd::from(stream))
            }),
            Some(Socket::Unix(socket)) => socket.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(true)?;
                Ok(OwnedFd::from(stream))
            }),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The descriptor to wait on, while the listener is open.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(|socket| match socket {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Binds a socket that only its owner can reach. A socket file that nobody listens on any more is replaced;
/// anything else at that path is left alone.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

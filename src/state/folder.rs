//! A folder that belongs to one user alone, and its files. Everything in it is opened relative to the folder's
//! descriptor, without following links, and checked on what was opened: what the path means later does not matter.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, fsync, openat, renameat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::Error;
use super::done::{Done, done};

/// unix(7): `sun_path` has 108 bytes, one of them for the end.
const SOCKET_PATH_LEN_MAX: usize = 107;

/// An open folder, for its owner alone.
pub(crate) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    /// Which folder is meant: the one given, or the default of the XDG Base Directory Specification.
    pub(crate) fn locate(given: Option<&Path>) -> Result<PathBuf, Error> {
        locate(
            given,
            std::env::var_os("XDG_STATE_HOME"),
            std::env::var_os("HOME"),
        )
    }

    /// Opens the folder; makes it, for its owner alone, where there is none.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        let failed = |source| Error::Io {
            doing: "make the folder",
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)
                .and_then(|parent| parent.sync_all())
                .map_err(failed)?;
        }
        Self::open(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// Opens the folder; `None` where there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            // A link that is not followed is not a folder either.
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(not_a_folder(path)),
            Err(error) => return Err(io_error("open", path.to_owned(), error)),
        };
        let stat = fstat(&fd).map_err(|error| io_error("examine", path.to_owned(), error))?;
        check_privacy(&stat, path.to_owned(), true)?;
        Ok(Some(Self {
            path: path.to_owned(),
            fd,
        }))
    }

    /// Where the folder is, for people.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of the folder is, for people.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path for a socket, whose length the kernel limits; good as long as the folder is open.
    pub(crate) fn socket_path(&self, name: &str) -> PathBuf {
        let path = self.path_of(name);
        if path.as_os_str().len() <= SOCKET_PATH_LEN_MAX {
            return path;
        }
        ["/proc/self/fd", &self.fd.as_raw_fd().to_string(), name]
            .iter()
            .collect()
    }

    /// An existing file, for reading and writing; `None` where there is none.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<File>, Error> {
        self.open_existing(name, OFlags::RDWR)
    }

    /// An existing file, for reading; `None` where there is none.
    pub(crate) fn open_file_to_read(&self, name: &str) -> Result<Option<File>, Error> {
        self.open_existing(name, OFlags::RDONLY)
    }

    fn open_existing(&self, name: &str, access: OFlags) -> Result<Option<File>, Error> {
        // Without waiting for the other end, should it be a pipe.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => self.checked(name, fd).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(Error::SymbolicLink(self.path_of(name))),
            Err(Errno::ISDIR | Errno::NXIO) => Err(Error::NotAFile(self.path_of(name))),
            Err(error) => Err(self.failed("open", name, error)),
        }
    }

    /// A file, for reading and writing; made empty where there is none.
    pub(crate) fn open_or_create_file(&self, name: &str) -> Result<File, Error> {
        match self.open_file(name)? {
            Some(file) => Ok(file),
            None => self.create(name, OFlags::empty()),
        }
    }

    /// A new empty file under a temporary name; what an earlier run left under that name is removed.
    pub(crate) fn begin_file(&self, temporary: &str) -> Result<File, Error> {
        self.unlink(temporary)?;
        self.create(temporary, OFlags::EXCL)
    }

    /// Removes a file durably, if it is there.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), Error> {
        if self.unlink(name)? {
            fsync(&self.fd).map_err(|error| self.failed("remove", name, error))?;
            done(Done::FolderSynced);
        }
        Ok(())
    }

    /// Says whether there was one.
    fn unlink(&self, name: &str) -> Result<bool, Error> {
        match rustix::fs::unlinkat(&self.fd, name, rustix::fs::AtFlags::empty()) {
            Ok(()) => {
                done(Done::Named);
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("remove", name, error)),
        }
    }

    /// Makes a finished file durable, first what it holds, then under its name.
    pub(crate) fn finish_file(&self, file: &File, temporary: &str, name: &str) -> Result<(), Error> {
        fsync(file).map_err(|error| self.failed("write", temporary, error))?;
        done(Done::Synced(temporary));
        renameat(&self.fd, temporary, &self.fd, name).map_err(|error| self.failed("make", name, error))?;
        done(Done::Named);
        fsync(&self.fd).map_err(|error| self.failed("make", name, error))?;
        done(Done::FolderSynced);
        Ok(())
    }

    fn create(&self, name: &str, more: OFlags) -> Result<File, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
        let fd = openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| self.failed("make", name, error))?;
        done(Done::Named);
        self.checked(name, fd)
    }

    fn checked(&self, name: &str, fd: OwnedFd) -> Result<File, Error> {
        let stat = fstat(&fd).map_err(|error| self.failed("examine", name, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::NotAFile(self.path_of(name)));
        }
        check_privacy(&stat, self.path_of(name), false)?;
        Ok(File::from(fd))
    }

    fn failed(&self, doing: &'static str, name: &str, error: Errno) -> Error {
        io_error(doing, self.path_of(name), error)
    }
}

fn locate(
    given: Option<&Path>,
    state_home: Option<OsString>,
    home: Option<OsString>,
) -> Result<PathBuf, Error> {
    if let Some(given) = given {
        // Without a slash at the end, which would follow a link.
        return Ok(given.components().collect());
    }
    // "If an implementation encounters a relative path … it should consider the path invalid and ignore it."
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state_home = state_home.and_then(absolute);
    let from_home = || home.and_then(absolute).map(|home| home.join(".local/state"));
    state_home
        .or_else(from_home)
        .map(|folder| folder.join("wardkey"))
        .ok_or(Error::NoHome)
}

fn check_privacy(stat: &Stat, path: PathBuf, folder: bool) -> Result<(), Error> {
    let mode = stat.st_mode & 0o777;
    if stat.st_uid != geteuid().as_raw() {
        return Err(Error::NotYours {
            path,
            owner: stat.st_uid,
        });
    }
    if mode & 0o077 != 0 {
        return Err(Error::OpenToOthers { path, mode, folder });
    }
    Ok(())
}

fn not_a_folder(path: &Path) -> Error {
    if path.is_symlink() {
        Error::SymbolicLink(path.to_owned())
    } else {
        Error::NotAFolder(path.to_owned())
    }
}

pub(super) fn io_error(doing: &'static str, path: PathBuf, error: impl Into<io::Error>) -> Error {
    Error::Io {
        doing,
        path,
        source: error.into(),
    }
}

#[cfg(test)]
mod tests;

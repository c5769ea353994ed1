//! The store as a folder: a disk, a USB stick, a network share, or a folder that another program copies between devices
//! (Syncthing, a drive's client).
//!
//! A file appears under its name whole or not at all, and is on the disk when that is said. No link is followed below the
//! folder. What else lies there, such as the partial files and conflict copies of those programs, is passed over.

mod listing;
mod placing;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rand_core::Rng as _;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, fsync, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::limits::POLLED_LEN_MAX;
use super::name;
use super::request::{Answer, Created, Polled, Request};
use super::tag::Tag;
use super::trouble::Trouble;
use crate::host;
use crate::readiness::retry;

/// How often a folder is made again that somebody else has removed because it was empty.
const ATTEMPTS_MAX: usize = 5;
/// Around the random part of the name of a file that is being written.
const TEMPORARY: (&str, &str) = (".wardkey-", ".tmp");

/// A folder that holds a store.
pub(super) struct Files {
    path: PathBuf,
}

/// What to do with a file of the same name.
#[derive(Clone, Copy)]
enum Existing {
    Keep,
    Replace,
}

impl Files {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn perform(&self, request: &Request) -> Result<Answer, Trouble> {
        match request {
            Request::List { under } => self.list(name::folder(under)?).map(Answer::Listed),
            Request::Get { name, len_max } => self.read(name::object(name)?, *len_max).map(Answer::Got),
            Request::Poll { name, tag } => {
                let bytes = self.read(name::object(name)?, POLLED_LEN_MAX)?;
                Ok(Answer::Polled(match (bytes, tag) {
                    (None, _) => Polled::Gone,
                    (Some(bytes), Some(tag)) if tag.is_of(&bytes) => Polled::Unchanged,
                    (Some(bytes), _) => Polled::Changed {
                        tag: Tag::content(&bytes),
                        bytes,
                    },
                }))
            }
            Request::Create { name, bytes } => self.write(name, bytes, Existing::Keep).map(Answer::Created),
            Request::Put { name, bytes } => self.write(name, bytes, Existing::Replace).map(|_| Answer::Put),
            Request::Remove { name } => self.remove(name::object(name)?).map(|()| Answer::Removed),
        }
    }

    fn read(&self, name: &str, len_max: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let failed = |error: io::Error| self.failed("read", &error);
        let (folder, last) = split(name);
        let Some(folder) = self.find(folder)? else {
            return Ok(None);
        };
        // Without waiting for the other end, should it be a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&folder, last, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(self.not_a_file(name)),
            Err(error) => return Err(failed(error.into())),
        };
        let stat = fstat(&file).map_err(|error| failed(error.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.not_a_file(name));
        }
        let too_large = || {
            Trouble::wrong(format!(
                "{}: {name} is larger than it can be",
                self.path.display()
            ))
        };
        let len = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if len > len_max {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        // One more, to notice a file that grows.
        let mut file = File::from(file).take(len_max.saturating_add(1));
        file.read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > len_max {
            return Err(too_large());
        }
        Ok(Some(bytes))
    }

    fn write(&self, name: &str, bytes: &[u8], existing: Existing) -> Result<Created, Trouble> {
        let (folder, last) = split(name::object(name)?);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let written =
                make(self.open()?, folder).and_then(|folder| write_in(&folder, last, bytes, existing));
            match written {
                Ok(created) => return Ok(created),
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS_MAX => {}
                Err(error) => return Err(self.failed("write to", &error)),
            }
        }
    }

    /// Folders that it leaves empty go, too: some programs would copy them for ever.
    fn remove(&self, name: &str) -> Result<(), Trouble> {
        let (mut folder, mut last) = split(name);
        let mut flags = AtFlags::empty();
        while let Some(parent) = self.find(folder)? {
            match unlinkat(&parent, last, flags) {
                Ok(()) => sync_folder(&parent).map_err(|error| self.failed("write to", &error.into()))?,
                Err(Errno::NOENT) => {}
                Err(error) if flags.is_empty() => return Err(self.failed("write to", &error.into())),
                Err(_) => break,
            }
            let Some(above) = folder.strip_suffix('/') else {
                break;
            };
            (folder, last) = split(above);
            flags = AtFlags::REMOVEDIR;
        }
        Ok(())
    }

    fn open(&self) -> Result<OwnedFd, Trouble> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&self.path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT => Trouble::unreachable(format!("the folder {} is not there", self.path.display())),
            Errno::NOTDIR => Trouble::wrong(format!("{} is not a folder", self.path.display())),
            error => self.failed("open", &error.into()),
        })
    }

    /// A folder below ours, whose name is empty or ends with a slash.
    fn find(&self, folder: &str) -> Result<Option<OwnedFd>, Trouble> {
        let mut at = self.open()?;
        for segment in folder.split_terminator('/') {
            at = match enter(&at, segment) {
                Ok(inner) => inner,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(self.not_a_folder(segment)),
                Err(error) => return Err(self.failed("open", &error.into())),
            };
        }
        Ok(Some(at))
    }

    fn not_a_file(&self, name: &str) -> Trouble {
        Trouble::wrong(format!("{}: {name} is not a file", self.path.display()))
    }

    fn not_a_folder(&self, segment: &str) -> Trouble {
        Trouble::wrong(format!("{}: {segment} is not a folder", self.path.display()))
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Trouble {
        let text = format!("cannot {doing} {}: {error}", self.path.display());
        match Errno::from_io_error(error) {
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Trouble::refused(text),
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Trouble::full(text),
            Some(Errno::NOTDIR | Errno::ISDIR | Errno::LOOP) => Trouble::wrong(text),
            // A drive that was taken out, a server that has gone.
            _ => Trouble::unreachable(text),
        }
    }
}

/// The folder of a name, empty or with a slash at its end, and what follows.
fn split(name: &str) -> (&str, &str) {
    name.split_at(name.rfind('/').map_or(0, |slash| slash + 1))
}

fn enter(folder: &OwnedFd, segment: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, segment, flags, Mode::empty())
}

/// A folder below `at`; makes what is not there.
fn make(mut at: OwnedFd, folder: &str) -> io::Result<OwnedFd> {
    for segment in folder.split_terminator('/') {
        at = match enter(&at, segment) {
            Err(Errno::NOENT) => {
                match mkdirat(&at, segment, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
                    Ok(()) => sync_folder(&at)?,
                    // Somebody else was quicker.
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                enter(&at, segment)?
            }
            entered => entered?,
        };
    }
    Ok(at)
}

/// Writes under another name, and gives the file its own when all of it is on the disk.
fn write_in(folder: &OwnedFd, name: &str, bytes: &[u8], existing: Existing) -> io::Result<Created> {
    let temporary = format!("{}{:016x}{}", TEMPORARY.0, host::rng().next_u64(), TEMPORARY.1);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let all = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
    let mut file = File::from(openat(folder, &*temporary, flags, all)?);
    let placed = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| match existing {
            Existing::Keep => Ok(placing::place_new(folder, &temporary, name)?),
            Existing::Replace => Ok(renameat(folder, &*temporary, folder, name).map(|()| Created::New)?),
        });
    if !matches!(placed, Ok(Created::New)) {
        // What is left under this name would be removed some other time.
        let _ = unlinkat(folder, &*temporary, AtFlags::empty());
    }
    // What is there already may have been written a moment ago, and not be durable yet.
    sync_folder(folder)?;
    placed
}

/// Some file systems have nothing to do for this, and say that they cannot.
fn sync_folder(folder: &OwnedFd) -> Result<(), Errno> {
    match retry(|| fsync(folder)) {
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        result => result,
    }
}

/// Whether a file of this name is one that is being written, or was when somebody pulled the plug.
fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(TEMPORARY.0.as_bytes()) && name.ends_with(TEMPORARY.1.as_bytes())
}

#[cfg(test)]
mod tests;

//! What lies in a folder and below. Also takes away what interrupted writes have left.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, Dir, FileType, Stat, statat, unlinkat};
use rustix::io::Errno;

use super::super::limits::{DEPTH_MAX, ENTRIES_MAX};
use super::super::name::{is_object, is_segment};
use super::super::request::Listed;
use super::super::trouble::Trouble;
use super::{Files, is_temporary};
use crate::host;

/// Nobody writes a file for a day, in seconds.
const ABANDONED_AFTER_SECONDS: u64 = 86_400;

impl Files {
    pub(super) fn list(&self, under: &str) -> Result<Vec<Listed>, Trouble> {
        let mut found = Vec::new();
        let mut folders = vec![under.to_owned()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            let Some(fd) = self.find(&folder)? else {
                continue;
            };
            let failed = |error: Errno| self.failed("read", &io::Error::from(error));
            for entry in Dir::read_from(&fd).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let segment = OsStr::from_bytes(entry.file_name().to_bytes());
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(Trouble::wrong(format!(
                        "{} holds more than {ENTRIES_MAX} files",
                        self.path.display()
                    )));
                }
                let stat = match statat(&fd, segment, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => stat,
                    Err(Errno::NOENT) => continue,
                    Err(error) => return Err(failed(error)),
                };
                match (
                    segment.to_str().filter(|segment| is_segment(segment)),
                    kind(&stat),
                ) {
                    (Some(segment), FileType::RegularFile) => found.push(Listed {
                        name: format!("{folder}{segment}"),
                        len: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
                    }),
                    (Some(segment), FileType::Directory) if depth(&folder) < DEPTH_MAX => {
                        folders.push(format!("{folder}{segment}/"));
                    }
                    (None, FileType::RegularFile) => remove_if_abandoned(&fd, segment, &stat),
                    _ => {}
                }
            }
        }
        found.retain(|Listed { name, .. }| is_object(name));
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn depth(folder: &str) -> usize {
    folder.bytes().filter(|byte| *byte == b'/').count()
}

fn remove_if_abandoned(folder: &OwnedFd, name: &OsStr, stat: &Stat) {
    let written = u64::try_from(stat.st_mtime).unwrap_or(0);
    let age = (host::unix_now_ms() / 1000).saturating_sub(written);
    if is_temporary(name) && age > ABANDONED_AFTER_SECONDS {
        // Whoever is told to keep it keeps a file that nobody reads.
        let _ = unlinkat(folder, name, AtFlags::empty());
    }
}

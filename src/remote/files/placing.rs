//! Gives a finished file its name, unless another has it. File systems differ in how that can be done.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

use super::super::request::Created;

/// Tries the ways one after another, the surest first.
pub(super) fn place_new(folder: &OwnedFd, temporary: &str, name: &str) -> Result<Created, Errno> {
    for way in [rename, link] {
        match way(folder, temporary, name) {
            Ok(()) => return Ok(Created::New),
            Err(Errno::EXIST) => return Ok(Created::AlreadyThere),
            // What file systems say that do not have this way.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    look_and_rename(folder, temporary, name)
}

fn rename(folder: &OwnedFd, temporary: &str, name: &str) -> Result<(), Errno> {
    renameat_with(folder, temporary, folder, name, RenameFlags::NOREPLACE)
}

fn link(folder: &OwnedFd, temporary: &str, name: &str) -> Result<(), Errno> {
    linkat(folder, temporary, folder, name, AtFlags::empty())?;
    unlinkat(folder, temporary, AtFlags::empty())
}

/// Two who do this at once can both believe that theirs is new. Names that two could choose are not kept apart there.
fn look_and_rename(folder: &OwnedFd, temporary: &str, name: &str) -> Result<Created, Errno> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(Created::AlreadyThere),
        Err(Errno::NOENT) => renameat(folder, temporary, folder, name).map(|()| Created::New),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A way to give a file its name.
    type Way = fn(&OwnedFd, &str, &str) -> Result<Created, Errno>;

    #[test]
    fn each_way_gives_a_name_once() {
        let ways: [(&str, Way); 3] = [
            ("rename", |folder, from, to| {
                rename(folder, from, to).map(|()| Created::New)
            }),
            ("link", |folder, from, to| {
                link(folder, from, to).map(|()| Created::New)
            }),
            ("look and rename", look_and_rename),
        ];
        for (named, way) in ways {
            let folder = tempfile::tempdir().unwrap();
            let fd = OwnedFd::from(fs::File::open(folder.path()).unwrap());
            let at = |name: &str| folder.path().join(name);
            fs::write(at("first"), "first").unwrap();
            fs::write(at("second"), "second").unwrap();
            assert_eq!(way(&fd, "first", "name"), Ok(Created::New), "{named}");
            assert!(!at("first").exists(), "{named}");
            let again = way(&fd, "second", "name");
            assert!(
                matches!(again, Ok(Created::AlreadyThere) | Err(Errno::EXIST)),
                "{named}: {again:?}"
            );
            assert_eq!(fs::read(at("name")).unwrap(), b"first", "{named}");
            assert!(at("second").exists(), "{named}");
        }
    }
}

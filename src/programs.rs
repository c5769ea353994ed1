//! Finds programs as a shell would.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Where `program`, a path or a name, is found in `search_path`, when it is there and may be run.
pub(crate) fn find_program(program: &Path, search_path: Option<&OsStr>) -> Option<PathBuf> {
    let may_run = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.components().count() > 1 {
        return Some(program.to_owned()).filter(may_run);
    }
    std::env::split_paths(search_path?)
        .map(|folder| folder.join(program))
        .find(may_run)
}

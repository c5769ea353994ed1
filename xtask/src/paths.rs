//! Where things are: the repository, its target folder, and the cache outside of it.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The repository's top folder.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => repository().join(folder),
        None => repository().join("target"),
    }
}

/// A folder below `$XDG_CACHE_HOME/wardkey`, for what is expensive to make and survives `cargo clean`.
pub(crate) fn cache(name: &str) -> Result<PathBuf, Failure> {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if Path::new(&cache).is_absolute() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(&home).join(".cache"),
        (_, None) => return Err(Failure::new("no cache folder").hint("set HOME or XDG_CACHE_HOME")),
    };
    Ok(base.join("wardkey").join(name))
}

/// Whether a program is found in PATH.
pub(crate) fn has_program(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

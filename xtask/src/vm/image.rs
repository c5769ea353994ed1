//! The guest's disk, kept outside the repository under a name that changes when its recipe does.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Failure, about};
use crate::output::say;
use crate::run::program;
use crate::{clock, paths};

/// Disks that no run has used for so long are removed when a new one is built.
const UNUSED_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The folder with `root.ext4`, `kernel` and `initrd`; built when there is none for this recipe.
pub(crate) fn ready(rebuild: bool) -> Result<PathBuf, Failure> {
    let recipe = paths::repository().join("tests/vm/image");
    let cache = paths::cache("vm")?;
    let image = cache.join(format!("debian-12-{:016x}", hash(&recipe)?));
    if rebuild && image.exists() {
        fs::remove_dir_all(&image).map_err(about(&image))?;
    }
    if image.exists() {
        say!("{} is there already", image.display());
        // The time stamp says when the disk was last used.
        let stamp = image.join("used");
        fs::write(&stamp, "").map_err(about(&stamp))?;
        return Ok(image);
    }
    fs::create_dir_all(&cache).map_err(about(&cache))?;
    remove_unused(&cache);
    build(&recipe, &image)?;
    Ok(image)
}

/// Builds beside the final place and renames, so that a half-built disk is never taken for a whole one.
fn build(recipe: &Path, image: &Path) -> Result<(), Failure> {
    say!(
        "building {} from Debian packages: a few minutes, once",
        image.display()
    );
    let unfinished = image.with_extension(format!("building-{}", std::process::id()));
    fs::create_dir(&unfinished).map_err(about(&unfinished))?;
    let built = program(recipe.join("build"))
        .arg(&unfinished)
        .finish()
        .and_then(|()| {
            match fs::rename(&unfinished, image) {
                // Another run was faster; its disk is as good.
                Err(_) if image.exists() => Ok(()),
                renamed => renamed.map_err(about(image)),
            }
        });
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(about(&unfinished))?;
    }
    built.map_err(|failure| failure.hint("a Debian mirror has to be reachable (deb.debian.org)"))
}

/// A new disk with an empty file system.
pub(crate) fn empty_disk(path: &Path) -> Result<(), Failure> {
    let made = program("/usr/sbin/mke2fs")
        .args(["-q", "-F", "-t", "ext4"])
        .arg(path)
        .arg("64M")
        .finish();
    made.map_err(|failure| failure.hint("free some space"))
}

fn hash(recipe: &Path) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    for file in ["build", "e2e-init", "packages"] {
        let path = recipe.join(file);
        fs::read(&path).map_err(about(&path))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// What cannot be removed stays: this saves space and nothing depends on it.
fn remove_unused(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let used = fs::metadata(path.join("used"))
            .or_else(|_| fs::metadata(&path))
            .and_then(|file| file.modified());
        let age = used
            .ok()
            .and_then(|used| clock::time_of_day().duration_since(used).ok());
        if age.is_some_and(|age| age > UNUSED_MAX) && fs::remove_dir_all(&path).is_ok() {
            say!("removed {}, unused for two weeks", path.display());
        }
    }
}

//! Folders and their permissions, for tests.

use std::fs::{Permissions, set_permissions, symlink_metadata, write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use wardkey_vault::{Secret, Vault};

use super::{DATABASE, Folder, Held, open_without_pin, root_key_file};

/// An empty folder for its owner alone, gone when it is dropped.
pub(crate) fn new_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o700);
    folder
}

/// The vault of a test without a Vault PIN, in a folder as it was before there were any; made where there is none.
pub(crate) fn open_bare(folder: &Path) -> (Vault, Held) {
    let held = Held::take(Folder::open(folder).unwrap().unwrap()).unwrap();
    let key = [7; 32];
    let path = folder.join(root_key_file::NAME);
    write(&path, key).unwrap();
    set_mode(&path, 0o600);
    let file = held.folder.open_or_create_file(DATABASE).unwrap();
    let vault = open_without_pin(&held, file, &Secret::from_slice(&key).unwrap()).unwrap();
    (vault, held)
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

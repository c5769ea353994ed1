//! The root key of a vault from before there were Vault PINs: a file of 32 bytes that only their owner may read.

use std::fs::File;
use std::io::{self, Read};

use wardkey_vault::{RootKey, Secret};

use super::Error;
use super::folder::{Folder, io_error};

pub(super) const NAME: &str = "root.key";

/// The key in the folder, if there is one.
pub(super) fn load(folder: &Folder) -> Result<Option<RootKey>, Error> {
    let Some(mut file) = folder.open_file_to_read(NAME)? else {
        return Ok(None);
    };
    let unreadable = |error: io::Error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Error::KeyDamaged(folder.path_of(NAME))
        } else {
            io_error("read", folder.path_of(NAME), error)
        }
    };
    let key = Secret::fill_with(|bytes| file.read_exact(bytes)).map_err(unreadable)?;
    match at_end(&mut file) {
        Ok(true) => Ok(Some(key)),
        Ok(false) => Err(Error::KeyDamaged(folder.path_of(NAME))),
        Err(error) => Err(unreadable(error)),
    }
}

fn at_end(file: &mut File) -> io::Result<bool> {
    Ok(file.read(&mut [0])? == 0)
}

//! The root key as a file: 32 bytes that only their owner may read.

use std::fs::File;
use std::io::{self, Read, Write};

use rand_core::CryptoRng;
use wardkey_vault::{RootKey, RootKeyStore, Secret};

use super::Error;
use super::folder::{Folder, io_error};

pub(super) const NAME: &str = "root.key";
const TEMPORARY_NAME: &str = "root.key.new";

/// The key file of a folder.
pub(crate) struct RootKeyFile<'a>(pub(crate) &'a Folder);

impl RootKeyStore for RootKeyFile<'_> {
    type Error = Error;

    fn load(&mut self) -> Result<Option<RootKey>, Error> {
        let Some(mut file) = self.0.open_file_to_read(NAME)? else {
            return Ok(None);
        };
        let key =
            Secret::fill_with(|bytes| file.read_exact(bytes)).map_err(|error| self.unreadable(error))?;
        match at_end(&mut file) {
            Ok(true) => Ok(Some(key)),
            Ok(false) => Err(Error::KeyDamaged(self.0.path_of(NAME))),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    fn create(&mut self, rng: &mut dyn CryptoRng) -> Result<RootKey, Error> {
        if self.0.open_file_to_read(NAME)?.is_some() {
            return Err(io_error(
                "make",
                self.0.path_of(NAME),
                io::Error::from(io::ErrorKind::AlreadyExists),
            ));
        }
        let key = RootKey::random(rng);
        let mut file = self.0.begin_file(TEMPORARY_NAME)?;
        file.write_all(key.expose_secret())
            .map_err(|error| io_error("write", self.0.path_of(TEMPORARY_NAME), error))?;
        self.0.finish_file(&file, TEMPORARY_NAME, NAME)?;
        Ok(key)
    }
}

impl RootKeyFile<'_> {
    fn unreadable(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Error::KeyDamaged(self.0.path_of(NAME))
        } else {
            io_error("read", self.0.path_of(NAME), error)
        }
    }
}

fn at_end(file: &mut File) -> io::Result<bool> {
    Ok(file.read(&mut [0])? == 0)
}

//! The state folder: where the key keeps itself between runs.
//!
//! ```text
//! DIR             0700, default $XDG_STATE_HOME/wardkey or ~/.local/state/wardkey
//! ├─ lock         held by the one process that uses the folder, with its number
//! ├─ root.key     0600, 32 bytes
//! ├─ vault.redb   0600, the sealed passkeys
//! └─ control.sock where a running key answers `wardkey list` and the like
//! ```
//! A path comes in, an open vault goes out. What the files contain is the vault's business.

mod disk;
mod error;
mod folder;
mod lock;
mod root_key_file;
#[cfg(test)]
pub(crate) mod testing;

use std::fs::File;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use wardkey_vault::{RootKey, RootKeyStore, Vault};

use self::disk::Disk;
pub(crate) use self::disk::Watch;
pub(crate) use self::error::Error;
pub(crate) use self::folder::Folder;
use self::lock::Lock;
use self::root_key_file::RootKeyFile;
use crate::host;

const DATABASE: &str = "vault.redb";
const TEMPORARY_DATABASE: &str = "vault.redb.new";
const CONTROL_SOCKET: &str = "control.sock";

/// An open state folder; nobody else has it.
pub(crate) struct State {
    vault: Vault,
    disk: Watch,
    folder: Folder,
    lock: Lock,
}

impl State {
    /// Opens the state folder, and makes what is missing.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self, Error> {
        let folder = Folder::open_or_create(&Folder::locate(given)?)?;
        let lock = Lock::take(&folder)?;
        let (vault, disk) = open_vault(&folder)?;
        Ok(Self {
            vault,
            disk,
            folder,
            lock,
        })
    }

    /// Opens the state folder; `None`, and nothing is made, where no key was ever used.
    pub(crate) fn open_existing(given: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(folder) = Folder::open(&Folder::locate(given)?)? else {
            return Ok(None);
        };
        if folder.open_file(DATABASE)?.is_none() {
            return Ok(None);
        }
        let lock = Lock::take(&folder)?;
        let (vault, disk) = open_vault(&folder)?;
        Ok(Some(Self {
            vault,
            disk,
            folder,
            lock,
        }))
    }

    /// Where the running key listens for other `wardkey` commands.
    pub(crate) fn control_socket(&self) -> PathBuf {
        control_socket(&self.folder)
    }

    /// Tells when the disk under the vault fails.
    pub(crate) fn disk(&self) -> Watch {
        self.disk.clone()
    }

    /// The vault, for a test to fill.
    #[cfg(test)]
    pub(crate) fn vault_mut(&mut self) -> &mut Vault {
        &mut self.vault
    }

    /// The vault, and what must outlive it.
    pub(crate) fn into_vault(self) -> (Vault, Held) {
        (
            self.vault,
            Held {
                _folder: self.folder,
                _lock: self.lock,
            },
        )
    }
}

/// Keeps others off the state folder until it is dropped.
pub(crate) struct Held {
    _folder: Folder,
    _lock: Lock,
}

/// Where the key that uses `folder` listens for other `wardkey` commands. Good as long as `folder` is open.
pub(crate) fn control_socket(folder: &Folder) -> PathBuf {
    folder.socket_path(CONTROL_SOCKET)
}

fn open_vault(folder: &Folder) -> Result<(Vault, Watch), Error> {
    let key = RootKeyFile(folder).load()?;
    match (folder.open_file(DATABASE)?, key) {
        (Some(database), Some(key)) => {
            let len = database
                .metadata()
                .map_err(|error| folder::io_error("examine", folder.path_of(DATABASE), error))?;
            if len.len() == 0 {
                return Err(Error::DatabaseEmpty(folder.path_of(DATABASE)));
            }
            open_database(folder, database, &key)
        }
        (Some(_), None) => Err(Error::KeyMissing {
            key: folder.path_of(root_key_file::NAME),
            database: folder.path_of(DATABASE),
        }),
        (None, Some(key)) => create_database(folder, &key),
        (None, None) => {
            let key = RootKeyFile(folder).create(&mut host::rng())?;
            create_database(folder, &key)
        }
    }
}

/// A database that is there is a whole one: it gets its name when it is finished.
fn create_database(folder: &Folder, key: &RootKey) -> Result<(Vault, Watch), Error> {
    let file = folder.begin_file(TEMPORARY_DATABASE)?;
    let failed = |error| folder::io_error("make", folder.path_of(TEMPORARY_DATABASE), error);
    let opened = open_database(folder, file.try_clone().map_err(failed)?, key)?;
    folder.finish_file(&file, TEMPORARY_DATABASE, DATABASE)?;
    Ok(opened)
}

fn open_database(folder: &Folder, file: File, key: &RootKey) -> Result<(Vault, Watch), Error> {
    let failed = |source| Error::Vault {
        path: folder.path_of(DATABASE),
        source,
    };
    let backend = FileBackend::new(file)
        .map_err(|error| failed(wardkey_vault::Error::Database(Box::new(error.into()))))?;
    let disk = Disk::new(backend, folder.path_of(DATABASE));
    let watch = disk.watch();
    let vault = Vault::open(disk, key, &mut host::rng()).map_err(failed)?;
    Ok((vault, watch))
}

#[cfg(test)]
mod tests;

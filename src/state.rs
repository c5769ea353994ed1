//! The state folder: where the key keeps itself between runs.
//!
//! ```text
//! DIR              0700, default $XDG_STATE_HOME/wardkey or ~/.local/state/wardkey
//! ├─ lock          held by the one process that uses the folder, with its number
//! ├─ vault.redb    0600, the sealed passkeys, the trust log and the slots
//! ├─ known.key     0600, 32 bytes: recognizes while the vault is locked
//! ├─ device-keys.N 0600, the keys of this device under the Nth Vault PIN
//! └─ control.sock  where a running key answers `wardkey list` and the like
//! ```
//! A path comes in, a locked vault goes out. What the files contain is the vault's business. A folder from before there
//! were Vault PINs has a `root.key` instead of the last three; `wardkey init` alone opens such a vault.

mod disk;
mod done;
mod error;
mod folder;
mod lock;
#[cfg(test)]
pub(crate) mod power_cut;
mod root_key_file;
#[cfg(test)]
pub(crate) mod testing;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redb::backends::FileBackend;
use wardkey_vault::{
    Created, DeviceId, Error as VaultError, History, Joined, KnownKey, Locked, RootKey, Vault,
};
use zeroize::Zeroizing;

use self::disk::Disk;
pub(crate) use self::disk::Watch;
pub(crate) use self::error::Error;
pub(crate) use self::folder::Folder;
use self::lock::Lock;
use crate::device_keys::{self, DeviceKeys, NotRead};
use crate::host;

pub(crate) const DATABASE: &str = "vault.redb";
const TEMPORARY_DATABASE: &str = "vault.redb.new";
const KNOWN_KEY: &str = "known.key";
const CONTROL_SOCKET: &str = "control.sock";
/// More than the keys of a device take, wherever they are kept.
const DEVICE_KEYS_LEN_MAX: u64 = 64 * 1024;
/// So often the Vault PIN may be changed on other devices before this one hears of it.
const EARLIER_MAX: u32 = 64;

/// A state folder and its vault; nobody else has them.
pub(crate) struct State {
    pub(crate) locked: Locked,
    pub(crate) held: Held,
}

/// What is in a state folder.
#[expect(clippy::large_enum_variant, reason = "there is one, for a moment")]
enum Contents {
    /// A vault from before, which has no Vault PIN.
    OfBefore(Vault),
    /// A vault with a Vault PIN.
    Locked(Locked),
}

impl State {
    /// Whether the state folder has a vault.
    pub(crate) fn is_there(given: Option<&Path>) -> Result<bool, Error> {
        Ok(folder_with_vault(given)?.is_some())
    }

    /// Opens the state folder; `None`, and nothing is made, where there is no vault.
    pub(crate) fn open(given: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(folder) = folder_with_vault(given)? else {
            return Ok(None);
        };
        let held = Held::take(folder)?;
        match open_database(&held)? {
            None => Ok(None),
            Some(Contents::Locked(locked)) => Ok(Some(Self { locked, held })),
            Some(Contents::OfBefore(_)) => Err(Error::WithoutPin(held.path().to_owned())),
        }
    }

    /// Opens the state folder again that was [`Held::released`](Held::release), with what others have left in it.
    pub(crate) fn open_again(folder: &Arc<Folder>) -> Result<Self, Error> {
        let held = Held::take(Arc::clone(folder))?;
        match open_database(&held)? {
            None => Err(Error::VaultGone(held.path().to_owned())),
            Some(Contents::Locked(locked)) => Ok(Self { locked, held }),
            Some(Contents::OfBefore(_)) => Err(Error::WithoutPin(held.path().to_owned())),
        }
    }
}

/// A state folder where a vault is about to be made, or to get a Vault PIN.
pub(crate) struct Beginning {
    held: Held,
    vault: Option<Vault>,
}

impl Beginning {
    /// Opens the state folder, and makes one where there is none; `None` where the vault has a Vault PIN already.
    pub(crate) fn open(given: Option<&Path>) -> Result<Option<Self>, Error> {
        let held = Held::take(Folder::open_or_create(&Folder::locate(given)?)?)?;
        Ok(match open_database(&held)? {
            Some(Contents::Locked(_)) => None,
            Some(Contents::OfBefore(vault)) => Some(Self {
                held,
                vault: Some(vault),
            }),
            None => Some(Self { held, vault: None }),
        })
    }

    /// Whether there is no vault yet.
    pub(crate) fn is_new(&self) -> bool {
        self.vault.is_none()
    }

    /// How many passkeys there are already.
    pub(crate) fn passkeys(&self) -> usize {
        self.vault.as_ref().map_or(0, Vault::len)
    }

    /// Where the folder is, for people.
    pub(crate) fn path(&self) -> &Path {
        self.held.folder.path()
    }

    /// Takes a copy of a vault, which stays locked. It is not the vault of this folder before [`Adopted::finish`].
    pub(crate) fn adopt(self, copy: &mut File, path: &Path) -> Result<(Locked, Adopted), Error> {
        let adopted = Adopted {
            file: self.held.folder.begin_file(TEMPORARY_DATABASE)?,
            held: self.held,
        };
        let folder = &adopted.held.folder;
        let failed = |error| folder::io_error("copy to", folder.path_of(TEMPORARY_DATABASE), error);
        io::copy(copy, &mut &adopted.file).map_err(failed)?;
        let vault_failed = |source| Error::Vault {
            path: path.to_owned(),
            source,
        };
        let backend = FileBackend::new(adopted.file.try_clone().map_err(failed)?)
            .map_err(|error| vault_failed(VaultError::Database(Box::new(error.into()))))?;
        let disk = Disk::watched(backend, &adopted.held.disk);
        let known = adopted.held.make_known_key()?;
        let locked = Locked::open(disk, known, since_boot()).map_err(vault_failed)?;
        Ok((locked, adopted))
    }

    /// Makes the database of a device that joined a vault. A power cut leaves nothing, or all of it.
    pub(crate) fn join(self, joined: &Joined) -> Result<State, Error> {
        let Self { held, .. } = self;
        let (generation, keys) = &joined.device_keys;
        held.keep_device_keys(*generation, keys)?;
        let known = held.make_known_key()?;
        let file = held.folder.begin_file(TEMPORARY_DATABASE)?;
        let path = held.folder.path_of(TEMPORARY_DATABASE);
        let copy = file
            .try_clone()
            .map_err(|error| folder::io_error("make", path.clone(), error))?;
        let failed = |source| Error::Vault { path, source };
        let locked = match FileBackend::new(copy) {
            Ok(backend) => {
                let disk = Disk::watched(backend, &held.disk);
                Vault::join(disk, joined, (known, since_boot()), &mut host::rng())
            }
            Err(error) => Err(VaultError::Database(Box::new(error.into()))),
        }
        .map_err(failed)?;
        held.folder.finish_file(&file, TEMPORARY_DATABASE, DATABASE)?;
        Ok(State { locked, held })
    }

    /// Makes the vault, or gives the one that is there its Vault PIN. A power cut leaves what was there before, or all of
    /// it.
    pub(crate) fn protect(self, created: &Created, device: DeviceId) -> Result<State, Error> {
        let Self { held, vault } = self;
        let rng = &mut host::rng();
        if let Some((generation, keys)) = created.change.device_keys() {
            held.keep_device_keys(generation, keys)?;
        }
        let known = held.make_known_key()?;
        let path = held.folder.path_of(DATABASE);
        let failed = |source| Error::Vault {
            path: path.clone(),
            source,
        };
        let locked = match vault {
            Some(vault) => {
                let locked = vault
                    .protect(created, (device, known), History::Used, since_boot(), rng)
                    .map_err(failed)?;
                held.folder.remove_file(root_key_file::NAME)?;
                locked
            }
            None => {
                let file = held.folder.begin_file(TEMPORARY_DATABASE)?;
                let copy = file.try_clone().map_err(|error| {
                    folder::io_error("make", held.folder.path_of(TEMPORARY_DATABASE), error)
                })?;
                let vault = open_without_pin(&held, copy, &RootKey::random(rng))?;
                let locked = vault
                    .protect(created, (device, known), History::New, since_boot(), rng)
                    .map_err(failed)?;
                held.folder.finish_file(&file, TEMPORARY_DATABASE, DATABASE)?;
                locked
            }
        };
        Ok(State { locked, held })
    }
}

/// A copy of a vault that is about to become the vault of a state folder; removed unless it does.
pub(crate) struct Adopted {
    held: Held,
    file: File,
}

impl Adopted {
    /// The state folder.
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// Makes it the vault of the folder, durably.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        let folder = &self.held.folder;
        folder.finish_file(&self.file, TEMPORARY_DATABASE, DATABASE)
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        // What cannot be removed is sealed, and replaced the next time.
        let _left_behind = self.held.folder.remove_file(TEMPORARY_DATABASE);
    }
}

/// Keeps others off the state folder until it is dropped, and knows what else is in it.
pub(crate) struct Held {
    folder: Arc<Folder>,
    disk: Watch,
    _lock: Lock,
}

impl Held {
    /// Where the folder is, for people.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the running key listens for other `wardkey` commands.
    pub(crate) fn control_socket(&self) -> PathBuf {
        control_socket(&self.folder)
    }

    /// Tells when the disk under the vault fails.
    pub(crate) fn disk(&self) -> Watch {
        self.disk.clone()
    }

    /// Lets others have the state folder. Whoever wants it back knows it by what this gives, which keeps its socket where it
    /// is.
    pub(crate) fn release(self) -> Arc<Folder> {
        self.folder
    }

    fn take(folder: impl Into<Arc<Folder>>) -> Result<Self, Error> {
        let folder = folder.into();
        let lock = Lock::take(&folder)?;
        Ok(Self {
            disk: Watch::new(folder.path_of(DATABASE)),
            folder,
            _lock: lock,
        })
    }

    /// The keys of this device under the Vault PIN of this generation.
    pub(crate) fn device_keys(&self, generation: u32) -> Result<Box<dyn DeviceKeys>, Error> {
        read_device_keys(&self.folder, generation)
    }

    /// The keys of this device as they were kept last, under an earlier Vault PIN than that of this generation.
    pub(crate) fn earlier_device_keys(&self, generation: u32) -> Result<Option<EarlierKeys>, Error> {
        match newest_before(&self.folder, generation)? {
            Some(generation) => Ok(Some(EarlierKeys {
                generation,
                keys: read_device_keys(&self.folder, generation)?,
            })),
            None => Ok(None),
        }
    }

    /// Keeps the keys of this device under the Vault PIN of this generation, durably.
    pub(crate) fn keep_device_keys(&self, generation: u32, keys: &[u8]) -> Result<(), Error> {
        self.write(&device_keys_name(generation), keys)
    }

    /// Removes the keys that were kept under Vault PINs before this generation.
    pub(crate) fn forget_device_keys_before(&self, generation: u32) -> Result<(), Error> {
        for generation in generation.saturating_sub(EARLIER_MAX)..generation {
            self.folder.remove_file(&device_keys_name(generation))?;
        }
        Ok(())
    }

    /// Where there is none it is made: what is recognized is noted anew when the vault is next opened.
    fn known_key(&self) -> Result<KnownKey, Error> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        if let Some(file) = self.folder.open_file_to_read(KNOWN_KEY)? {
            file.take(64)
                .read_to_end(&mut bytes)
                .map_err(|error| folder::io_error("read", self.folder.path_of(KNOWN_KEY), error))?;
        }
        match KnownKey::from_slice(&bytes) {
            Some(known) => Ok(known),
            None => self.make_known_key(),
        }
    }

    fn make_known_key(&self) -> Result<KnownKey, Error> {
        let known = KnownKey::random(&mut host::rng());
        self.write(KNOWN_KEY, known.expose_secret())?;
        Ok(known)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let temporary = format!("{name}.new");
        let mut file = self.folder.begin_file(&temporary)?;
        file.write_all(content)
            .map_err(|error| folder::io_error("write", self.folder.path_of(&temporary), error))?;
        self.folder.finish_file(&file, &temporary, name)
    }
}

/// The keys of this device as they are kept under an earlier Vault PIN.
pub(crate) struct EarlierKeys {
    pub(crate) generation: u32,
    pub(crate) keys: Box<dyn DeviceKeys>,
}

/// Where the key that uses `folder` listens for other `wardkey` commands. Good as long as `folder` is open.
pub(crate) fn control_socket(folder: &Folder) -> PathBuf {
    folder.socket_path(CONTROL_SOCKET)
}

/// The keys of this device under the Vault PIN of this generation, in a folder that may be in use.
pub(crate) fn read_device_keys(folder: &Folder, generation: u32) -> Result<Box<dyn DeviceKeys>, Error> {
    let name = device_keys_name(generation);
    let path = || folder.path_of(&name);
    let Some(file) = folder.open_file_to_read(&name)? else {
        return Err(match newest_before(folder, generation)? {
            Some(_) => Error::PinChangedElsewhere,
            None => Error::DeviceKeysMissing(path()),
        });
    };
    let mut bytes = Vec::new();
    file.take(DEVICE_KEYS_LEN_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| folder::io_error("read", path(), error))?;
    device_keys::from_bytes(&bytes).map_err(|error| match error {
        NotRead::Damaged => Error::DeviceKeysDamaged(path()),
        NotRead::NeedTpm => Error::DeviceKeysInTpm,
    })
}

/// The newest Vault PIN before this one under which the keys of this device are kept.
fn newest_before(folder: &Folder, generation: u32) -> Result<Option<u32>, Error> {
    for earlier in (generation.saturating_sub(EARLIER_MAX)..generation).rev() {
        if folder.open_file_to_read(&device_keys_name(earlier))?.is_some() {
            return Ok(Some(earlier));
        }
    }
    Ok(None)
}

/// The time that wrong Vault PINs are counted against.
pub(crate) fn since_boot() -> Duration {
    Duration::from_millis(host::now().as_millis())
}

fn device_keys_name(generation: u32) -> String {
    format!("device-keys.{generation}")
}

/// The state folder; `None` where there is no vault.
fn folder_with_vault(given: Option<&Path>) -> Result<Option<Folder>, Error> {
    let Some(folder) = Folder::open(&Folder::locate(given)?)? else {
        return Ok(None);
    };
    Ok(folder.open_file(DATABASE)?.is_some().then_some(folder))
}

/// What is in the database; `None` where there is none.
fn open_database(held: &Held) -> Result<Option<Contents>, Error> {
    let folder = &held.folder;
    let key = root_key_file::load(folder)?;
    let Some(database) = folder.open_file(DATABASE)? else {
        return Ok(None);
    };
    let len = database
        .metadata()
        .map_err(|error| folder::io_error("examine", folder.path_of(DATABASE), error))?;
    if len.len() == 0 {
        return Err(Error::DatabaseEmpty(folder.path_of(DATABASE)));
    }
    if let Some(key) = key {
        match open_without_pin(held, database, &key) {
            Ok(vault) => return Ok(Some(Contents::OfBefore(vault))),
            // The power went when it had just got its Vault PIN.
            Err(Error::Vault {
                source: VaultError::NeedsPin,
                ..
            }) => folder.remove_file(root_key_file::NAME)?,
            Err(error) => return Err(error),
        }
    }
    match open_locked(held) {
        Err(Error::Vault {
            source: VaultError::HasNoPin,
            path,
        }) => Err(Error::KeyMissing {
            key: folder.path_of(root_key_file::NAME),
            database: path,
        }),
        opened => Ok(Some(Contents::Locked(opened?))),
    }
}

fn open_locked(held: &Held) -> Result<Locked, Error> {
    let folder = &held.folder;
    let failed = |source| Error::Vault {
        path: folder.path_of(DATABASE),
        source,
    };
    let database = folder.open_file(DATABASE)?;
    let database = database.ok_or_else(|| failed(VaultError::HasNoPin))?;
    let backend =
        FileBackend::new(database).map_err(|error| failed(VaultError::Database(Box::new(error.into()))))?;
    let disk = Disk::watched(backend, &held.disk);
    Locked::open(disk, held.known_key()?, since_boot()).map_err(failed)
}

fn open_without_pin(held: &Held, file: File, key: &RootKey) -> Result<Vault, Error> {
    let folder = &held.folder;
    let failed = |source| Error::Vault {
        path: folder.path_of(DATABASE),
        source,
    };
    let backend =
        FileBackend::new(file).map_err(|error| failed(VaultError::Database(Box::new(error.into()))))?;
    let disk = Disk::watched(backend, &held.disk);
    Vault::open(disk, key, &mut host::rng()).map_err(failed)
}

#[cfg(test)]
mod tests;

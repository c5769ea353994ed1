//! Why the state folder cannot be used, and what the person can do about it.

use std::io;
use std::path::PathBuf;

use crate::error::Failure;

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no home folder to keep the key's state in")]
    NoHome,
    #[error("{0} is a symbolic link")]
    SymbolicLink(PathBuf),
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    #[error("{0} is not an ordinary file")]
    NotAFile(PathBuf),
    #[error("{path} belongs to the user with the number {owner}, not to you")]
    NotYours { path: PathBuf, owner: u32 },
    #[error("{path} can be used by others (mode {mode:03o})")]
    OpenToOthers { path: PathBuf, mode: u32, folder: bool },
    #[error("another wardkey{} uses {folder}", process(*.pid))]
    InUse { folder: PathBuf, pid: Option<u32> },
    #[error("the vault in {0} is gone")]
    VaultGone(PathBuf),
    #[error("the vault in {0} is from before there were Vault PINs")]
    WithoutPin(PathBuf),
    #[error("the key file {key} is missing, so {database} cannot be opened")]
    KeyMissing { key: PathBuf, database: PathBuf },
    #[error("the key file {0} does not hold a key")]
    KeyDamaged(PathBuf),
    #[error("the keys of this device, {0}, are missing")]
    DeviceKeysMissing(PathBuf),
    #[error("the Vault PIN was changed on another device")]
    PinChangedElsewhere,
    #[error("{0} does not hold the keys of a device")]
    DeviceKeysDamaged(PathBuf),
    #[error("the keys of this device are in its TPM, which this wardkey was built without")]
    DeviceKeysInTpm,
    #[error("the database {0} is empty")]
    DatabaseEmpty(PathBuf),
    #[error("{path}: {source}")]
    Vault {
        path: PathBuf,
        source: wardkey_vault::Error,
    },
    #[error("cannot {doing} {path}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl Error {
    /// What to do.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoHome => "give a folder: --state DIR".to_owned(),
            Self::SymbolicLink(path) => {
                format!(
                    "give the folder that {} points to, or remove the link",
                    path.display()
                )
            }
            Self::NotAFolder(_) => "give another folder: --state DIR".to_owned(),
            Self::NotAFile(path) => format!("move {} away", path.display()),
            Self::NotYours { .. } => {
                "run wardkey as that user, or give a folder of your own: --state DIR".to_owned()
            }
            Self::OpenToOthers {
                path,
                folder,
                mode: _,
            } => {
                if *folder {
                    format!("make it yours alone: chmod 700 {}", quoted(path))
                } else {
                    format!("if nobody else can have read it: chmod 600 {}", quoted(path))
                }
            }
            Self::InUse { pid: Some(pid), .. } => {
                format!(
                    "if it is a command, wait for its end; if it is a key, use that one, or stop it with: kill {pid}. A second \
                     key needs its own folder: --state DIR"
                )
            }
            Self::InUse { pid: None, .. } => {
                "use that one, or stop it. A second key needs its own folder: --state DIR".to_owned()
            }
            Self::VaultGone(_) => {
                "put the state folder back from a backup, then start wardkey again; or make a vault: wardkey init".to_owned()
            }
            Self::WithoutPin(_) => "give it one: wardkey init. Nothing is lost: its passkeys stay".to_owned(),
            Self::KeyMissing { key, database } => format!(
                "put {} back from a backup; nothing else opens the passkeys. To begin anew: mv {database} {database}.old",
                key.display(),
                database = quoted(database),
            ),
            Self::KeyDamaged(_) => "put it back from a backup; it holds exactly 32 bytes".to_owned(),
            Self::DeviceKeysMissing(_) | Self::DeviceKeysDamaged(_) => {
                "put the file back from a backup, or take the vault over with its recovery kit: wardkey recover".to_owned()
            }
            Self::PinChangedElsewhere => {
                "enter the old one and the new one, once: wardkey pin adopt".to_owned()
            }
            Self::DeviceKeysInTpm => {
                "use a wardkey that was built with --features tpm, or take the vault over with its recovery kit: wardkey \
                 recover".to_owned()
            }
            Self::DatabaseEmpty(path) => {
                format!(
                    "put it back from a backup; or, to begin anew: rm {}",
                    quoted(path)
                )
            }
            Self::Vault { source, .. } => vault_hint(source),
            Self::Io { source, .. } => io_hint(source.kind()).to_owned(),
        }
    }
}

fn vault_hint(error: &wardkey_vault::Error) -> String {
    match error {
        wardkey_vault::Error::WrongRootKey => {
            "root.key and vault.redb are not from the same key: put back the two that belong together"
                .to_owned()
        }
        wardkey_vault::Error::Tampered | wardkey_vault::Error::Corrupted | wardkey_vault::Error::Trust(_) => {
            "something changed the file: put it back from a backup, and check the disk".to_owned()
        }
        wardkey_vault::Error::NewerFormat { .. } => "update wardkey on this computer".to_owned(),
        wardkey_vault::Error::Database(_) => "check the disk: is it full, read-only or failing?".to_owned(),
        wardkey_vault::Error::NeedsPin => "unlock it: wardkey unlock".to_owned(),
        wardkey_vault::Error::HasNoPin => "give it one: wardkey init".to_owned(),
        wardkey_vault::Error::TooLarge => "the site's names are too long to be stored".to_owned(),
    }
}

pub(super) fn io_hint(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::PermissionDenied {
        "check whose folder it is, or give another one: --state DIR"
    } else if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded {
        "make room on the disk"
    } else if kind == io::ErrorKind::ReadOnlyFilesystem {
        "the file system is read-only: give another folder: --state DIR"
    } else {
        "check the disk, or give another folder: --state DIR"
    }
}

/// A path that can be pasted into a shell.
fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(&error, error.hint())
    }
}

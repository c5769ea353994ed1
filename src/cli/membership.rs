//! The options of the commands that make a vault and change who can open it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::device_keys::Place;

/// Where the Vault PIN comes from when nobody shall be asked for it.
#[derive(Debug, Default, Args)]
pub(crate) struct VaultPinSource {
    /// Take the Vault PIN from the first line of this file, which nobody else may read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) vault_pin_file: Option<PathBuf>,
}

/// `wardkey init`.
#[derive(Debug, Default, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
    /// Make no recovery kit: without the Vault PIN, or without this computer, the passkeys are lost
    #[arg(long)]
    pub(crate) no_recovery_kit: bool,
    #[command(flatten)]
    pub(crate) device_keys: DeviceKeys,
}

/// Where new keys of this device are kept.
#[derive(Debug, Default, Args)]
pub(crate) struct DeviceKeys {
    /// Where the keys of this device are kept; without it, in the TPM where one works
    #[arg(long = "device-keys", value_name = "PLACE")]
    pub(crate) place: Option<Place>,
}

/// `wardkey pin`.
#[derive(Debug, Subcommand)]
pub(crate) enum PinCommand {
    /// Replace the Vault PIN
    Change(PinChange),
    /// Take the Vault PIN over that was chosen on another device: this one asks for the old and the new one, once
    Adopt(PinAdoption),
}

/// `wardkey pin change`.
#[derive(Debug, Default, Args)]
pub(crate) struct PinChange {
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
    /// Take the new Vault PIN from the first line of this file, which nobody else may read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) new_vault_pin_file: Option<PathBuf>,
    /// Somebody may know the Vault PIN: replace the root key, too
    #[arg(long)]
    pub(crate) compromised: bool,
}

/// `wardkey pin adopt`.
#[derive(Debug, Default, Args)]
pub(crate) struct PinAdoption {
    /// Take the Vault PIN that this device had from the first line of this file, which nobody else may read; `-` is
    /// standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) old_vault_pin_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
}

/// `wardkey recovery-kit`.
#[derive(Debug, Subcommand)]
pub(crate) enum RecoveryKitCommand {
    /// Replace the recovery kit, or make the first one
    Renew(VaultPinSource),
}

/// `wardkey recover`.
#[derive(Debug, Default, Args)]
pub(crate) struct Recover {
    /// A copy of the vault, or of its state folder. Without it, the vault of the state folder is taken over
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) from: Option<PathBuf>,
    /// The store where the vault is exchanged, as for `wardkey sync setup`: nothing else is needed
    #[arg(long, value_name = "URL", conflicts_with = "from")]
    pub(crate) store: Option<String>,
    /// Take the credentials of the store from this file, which nobody else may read
    #[arg(long, value_name = "FILE", requires = "store")]
    pub(crate) credentials_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device_keys: DeviceKeys,
    /// Take the new Vault PIN from the first line of this file, which nobody else may read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) new_vault_pin_file: Option<PathBuf>,
}

/// `wardkey export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) backup: Backup,
    /// What is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Backup)]
    pub(crate) format: Format,
}

/// What `wardkey export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A backup, which a passphrase protects
    Backup,
    /// The exchange format of the FIDO Alliance (CXF 1.0), for other programs: the keys are in clear
    Cxf,
}

/// `wardkey import`, and what `wardkey export` has in common with it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file; `-` is standard output or input
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
    /// Take the passphrase from the first line of this file, which nobody else may read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

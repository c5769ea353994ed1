//! `wardkey device`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::membership::{DeviceKeys, VaultPinSource};
use super::sync::StoreOptions;

/// `wardkey device`.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Make this computer a device of a vault that another one has; that one lets it in with `wardkey device approve`
    Add(AddDevice),
    /// Let the computer in on which `wardkey device add` waits
    Approve(ApproveDevice),
    /// List the devices that have the vault, and those that were removed
    List(VaultPinSource),
    /// Remove another device: it keeps what it had, and gets nothing new
    Revoke(RevokeDevice),
}

/// `wardkey device add`.
#[derive(Debug, Args)]
pub(crate) struct AddDevice {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    /// What the other devices are told this one is called; without it, the name of the computer
    #[arg(long, value_name = "NAME")]
    pub(crate) device_name: Option<String>,
    #[command(flatten)]
    pub(crate) device_keys: DeviceKeys,
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
}

/// `wardkey device approve`.
#[derive(Debug, Args)]
pub(crate) struct ApproveDevice {
    /// The code that the new device shows; without it, its digits are asked for
    pub(crate) code: Option<String>,
    /// Besides the Vault PIN, find out by this means that it is you
    #[arg(long, value_enum, value_name = "MEANS")]
    pub(crate) verify: Option<VerifyHere>,
    /// Besides the Vault PIN, have this program find out that it is you: exit code 0 verified, 1 declined, 2 not verified
    #[arg(long, value_name = "PROGRAM", conflicts_with = "verify")]
    pub(crate) verify_command: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
}

/// `--verify`. The key's PIN cannot be asked for: the key stands aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyHere {
    /// A finger on a reader of this computer (fprintd)
    Fingerprint,
    /// The password of your account on this computer (polkit)
    Password,
}

/// `wardkey device revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeDevice {
    /// The device: its name, or the first characters of its id
    pub(crate) device: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Whoever has that device may know the Vault PIN: replace it, too
    #[arg(long)]
    pub(crate) new_vault_pin: bool,
    /// Take the new Vault PIN from the first line of this file, which nobody else may read; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "new_vault_pin")]
    pub(crate) new_vault_pin_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
}

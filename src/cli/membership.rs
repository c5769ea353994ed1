//! The options of the commands that make a vault and change who can open it.

use std::path::PathBuf;

use clap::Args;

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
}

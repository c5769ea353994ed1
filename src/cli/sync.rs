//! The options of the commands about the store that devices share.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::membership::VaultPinSource;

/// `wardkey sync`.
#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Keep the passkeys of this vault in a store, sealed, for the other devices of the same person
    Setup(Setup),
    /// Exchange now, rather than when it is time
    Now(VaultPinSource),
    /// Say how it goes: where, whether all is well, which devices
    Status(VaultPinSource),
    /// Put back into the store what it has lost
    Heal(VaultPinSource),
    /// Try out a store: whether it can be reached, what it can do, and how long it takes. What this writes there is removed
    Check(StoreOptions),
}

/// `wardkey sync setup`.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    /// What the other devices are told this one is called; without it, the name of the computer
    #[arg(long, value_name = "NAME")]
    pub(crate) device_name: Option<String>,
    #[command(flatten)]
    pub(crate) vault_pin: VaultPinSource,
}

/// A store, and what opens it.
#[derive(Debug, Args)]
pub(crate) struct StoreOptions {
    /// A folder, s3://BUCKET/PREFIX?endpoint=URL&region=REGION, or webdavs://HOST/PATH
    #[arg(value_name = "URL")]
    pub(crate) store: String,
    /// Take the credentials from this file, which nobody else may read, or from standard input (`-`): user name and
    /// password, or the id of an access key and its secret, each on a line. Without it, those for S3 are looked for where
    /// other programs do: AWS_ACCESS_KEY_ID and so on, ~/.aws/credentials
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials_file: Option<PathBuf>,
}

//! The options of the commands about the store that devices share.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `wardkey sync`.
#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Try out a store: whether it can be reached, what it can do, and how long it takes. What this writes there is removed
    Check(CheckStore),
}

/// `wardkey sync check`.
#[derive(Debug, Args)]
pub(crate) struct CheckStore {
    /// A folder, s3://BUCKET/PREFIX?endpoint=URL&region=REGION, or webdavs://HOST/PATH
    #[arg(value_name = "URL")]
    pub(crate) store: String,
    /// Take the credentials from this file, which nobody else may read, or from standard input (`-`): user name and
    /// password, or the id of an access key and its secret, each on a line. Without it, those for S3 are looked for where
    /// other programs do: AWS_ACCESS_KEY_ID and so on, ~/.aws/credentials
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials_file: Option<PathBuf>,
}

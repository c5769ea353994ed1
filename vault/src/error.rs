//! What can go wrong in a vault.

use crate::NotTrusted;

/// Why the vault could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be read or written.
    #[error("the credential database failed: {0}")]
    Database(Box<redb::Error>),
    /// The database's own structures are damaged so far that it cannot be worked with.
    #[error("the credential database is damaged")]
    Corrupted,
    /// A record does not authenticate: damaged, swapped, or brought from another vault.
    #[error("a record of the credential database does not authenticate")]
    Tampered,
    /// The root key is not the one with which the database was made.
    #[error("the root key does not open this credential database")]
    WrongRootKey,
    /// The database was written by a newer version of the format.
    #[error("the credential database has format {found}, this program reads up to {supported}")]
    NewerFormat {
        /// The format of the database.
        found: u64,
        /// The newest format this program reads.
        supported: u64,
    },
    /// The vault has a Vault PIN, and was to be opened without.
    #[error("the vault opens with its Vault PIN only")]
    NeedsPin,
    /// The vault has no Vault PIN yet, and was to be opened with one.
    #[error("the vault has no Vault PIN yet")]
    HasNoPin,
    /// The trust log is not believed.
    #[error(transparent)]
    Trust(#[from] NotTrusted),
    /// The credential's names and handles together are longer than a record may be.
    #[error("the credential is too large to be stored")]
    TooLarge,
}

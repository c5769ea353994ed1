//! What can go wrong in a vault.

/// Why the vault could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be read or written.
    #[error("the credential database failed: {0}")]
    Database(#[from] redb::Error),
    /// A record or the vault's own header does not authenticate: damaged, swapped, or made with another root key.
    #[error("a record of the credential database does not authenticate")]
    Tampered,
    /// The database was written by a newer version of the format.
    #[error("the credential database has format {found}, this program reads up to {supported}")]
    NewerFormat {
        /// The format of the database.
        found: u64,
        /// The newest format this program reads.
        supported: u64,
    },
}

//! What was done to the state folder, for the tests that look what a power cut would leave of it.

/// A step after which the power may go.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), expect(dead_code, reason = "tests look at it"))]
pub(super) enum Done<'a> {
    /// Names in the folder changed.
    Named,
    /// The file with this name was synced.
    Synced(&'a str),
    /// The database was synced, whatever its name is.
    DatabaseSynced,
    /// The folder was synced.
    FolderSynced,
}

/// Tells it to the test that watches the folder.
pub(super) fn done(done: Done<'_>) {
    #[cfg(test)]
    super::power_cut::done(done);
    #[cfg(not(test))]
    let _ = done;
}

//! How it goes.

use super::exchange::NoAnswer;
use crate::keys::DeviceId;

/// How a device stands with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing was exchanged since the vault was opened.
    Unknown,
    /// All that the store has was read, and it has all that there is.
    Fresh,
    /// The last attempt failed.
    Offline(NoAnswer),
    /// Something that others read or wrote before is not there, and may still come.
    Gap(DeviceId, u32),
    /// Something is not what its author wrote.
    Damaged(String),
    /// The store has less than it had.
    RolledBack,
    /// The store shows different devices different things, or a device was copied and both copies wrote.
    Forked(DeviceId, u32),
    /// Another device changed the Vault PIN or replaced the root key; the vault has to be unlocked anew.
    NeedsPin,
    /// This device was removed from the vault.
    Removed,
    /// The store has another vault's trust log in the place of this one's.
    OtherTrust,
}

impl State {
    /// Whether the store is not to be written to.
    pub fn is_red(&self) -> bool {
        matches!(
            self,
            Self::RolledBack | Self::Forked(..) | Self::OtherTrust | Self::Removed
        )
    }
}

/// How it goes, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// In short.
    pub state: State,
    /// What the store had and has no more, by name.
    pub missing: Vec<String>,
    /// Whether that could be found out. Not so where there is a snapshot that cannot be read yet: it may cover what is gone.
    pub is_compared: bool,
    /// When everything was right last: milliseconds since the Unix epoch.
    pub fresh_unix_ms: Option<u64>,
    /// How many objects of this attempt were read, …
    pub read: usize,
    /// … of how many that are known to be there.
    pub to_read: usize,
    /// How many objects were written since the vault was opened.
    pub written: usize,
}

//! What is asked of a store, and what it says. It is somewhere else, and it is not believed.

use crate::frame::ObjectHash;

/// More than any honest object has.
pub const OBJECT_LEN_MAX: u64 = 4 << 20;

/// What the store is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Tell all names that begin with this.
    List {
        /// Ends with a slash.
        under: String,
    },
    /// Give the content of each of these, of at most [`OBJECT_LEN_MAX`] bytes each.
    Get {
        /// At most [`GET_AT_ONCE`](crate::GET_AT_ONCE).
        names: Vec<String>,
    },
    /// Give the content if it is not the one that had this tag.
    Poll {
        /// Of what.
        name: String,
        /// As it was told with the content.
        tag: Option<String>,
    },
    /// Keep this under a name that has nothing yet.
    Create {
        /// Where.
        name: String,
        /// What.
        bytes: Vec<u8>,
    },
    /// Keep this, in the place of what is there.
    Put {
        /// Where.
        name: String,
        /// What.
        bytes: Vec<u8>,
    },
    /// Have nothing under these names any more.
    Remove {
        /// At most [`GET_AT_ONCE`](crate::GET_AT_ONCE).
        names: Vec<String>,
    },
}

/// What the store said, to the request of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The names.
    Listed(Vec<String>),
    /// The contents in the order in which they were asked for; `None` where there is none.
    Got(Vec<Option<Vec<u8>>>),
    /// The content did not change.
    Unchanged,
    /// The content, `None` where there is none, and the tag that goes with it.
    Polled(Option<Vec<u8>>, Option<String>),
    /// It is kept.
    Kept,
    /// Nothing is there.
    Removed,
    /// There is something else, or the same, under that name.
    AlreadyThere,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It could not be reached.
    #[error("the storage cannot be reached")]
    Unreachable,
    /// It does not let this device in.
    #[error("the storage does not let this device in")]
    Refused,
    /// It has no room.
    #[error("the storage has no room left")]
    Full,
    /// It said something that makes no sense, or is too large.
    #[error("the storage answers with something that makes no sense")]
    Nonsense,
}

/// What is waited for.
pub(super) enum Outstanding {
    Hint,
    List,
    Entry(u32),
    /// What an entry of the trust log needs, and the entry.
    Needed(Vec<Vec<u8>>, Vec<ObjectHash>),
    Logs(Vec<super::layout::StoreName>),
    /// Roots of snapshots.
    Roots(Vec<super::layout::StoreName>),
    /// Parts of the snapshot that is being taken.
    Parts,
    PublishPiece,
    Remove,
    Membership(ObjectHash),
    PublishEntry(u32),
    PublishObject,
    Propose,
    Compare(Compare),
    Tell,
    Put,
    Signature,
}

/// What is there already under a name where this device wanted to write.
#[derive(Clone, Copy)]
pub(super) enum Compare {
    Entry(u32),
    Object,
    /// A slot, or the root keys of earlier epochs.
    Membership(ObjectHash),
    Proposal,
}

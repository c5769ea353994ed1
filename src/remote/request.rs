//! What can be asked of a store, and what it answers.

use super::tag::Tag;

/// What is wanted of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// All objects below a folder, whose name ends with `/`; below the empty name, all there are.
    List {
        /// The folder.
        under: String,
    },
    /// What an object holds.
    Get {
        /// The object.
        name: String,
        /// More than this is not read.
        len_max: u64,
    },
    /// What a small object holds, if that has changed.
    Poll {
        /// The object.
        name: String,
        /// What was seen last.
        tag: Option<Tag>,
    },
    /// A new object. One that is there stays as it is, where the store can see to that.
    Create {
        /// Its name.
        name: String,
        /// What it holds.
        bytes: Vec<u8>,
    },
    /// An object, new or in place of what it held.
    Put {
        /// Its name.
        name: String,
        /// What it holds from now on.
        bytes: Vec<u8>,
    },
    /// No such object from now on.
    Remove {
        /// Its name.
        name: String,
    },
}

/// What came of a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To [`Request::List`], in order of their names.
    Listed(Vec<Listed>),
    /// To [`Request::Get`]; nothing where there is no such object.
    Got(Option<Vec<u8>>),
    /// To [`Request::Poll`].
    Polled(Polled),
    /// To [`Request::Create`].
    Created(Created),
    /// To [`Request::Put`]: it is there.
    Put,
    /// To [`Request::Remove`]: it is not there.
    Removed,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name in the store, from the top.
    pub(crate) name: String,
    /// Its length, as the store says.
    pub(crate) len: u64,
}

/// What has become of a polled object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Polled {
    /// It is as it was.
    Unchanged,
    /// It is not there.
    Gone,
    /// It is another than before.
    Changed {
        /// What it holds.
        bytes: Vec<u8>,
        /// To be given next time.
        tag: Tag,
    },
}

/// What has become of a new object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there.
    New,
    /// One of this name was there before, and still is. It may be the same: an earlier request may have made it.
    AlreadyThere,
}

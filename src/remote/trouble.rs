//! What can go wrong with a store, in words for a person. No secret is in them, and nothing that a store said.

use crate::error::Failure;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may work later. What was being written may be there, or not.
    Unreachable,
    /// It will not work until somebody gives or takes a right.
    Refused,
    /// There is no room.
    Full,
    /// What answers is not what it should be.
    Wrong,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Trouble {
    kind: Kind,
    text: String,
}

impl Trouble {
    pub(super) fn unreachable(text: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, text)
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    pub(super) fn full(text: impl Into<String>) -> Self {
        Self::new(Kind::Full, text)
    }

    pub(super) fn wrong(text: impl Into<String>) -> Self {
        Self::new(Kind::Wrong, text)
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }

    /// What to do about it.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let hint = match trouble.kind() {
            Kind::Unreachable => "check the address and the network, or try again later",
            Kind::Refused => "check the credentials, and what they may do there",
            Kind::Full => "make room there, or use another store",
            Kind::Wrong => "check that the address is that of the storage itself",
        };
        Self::new(trouble, hint)
    }
}

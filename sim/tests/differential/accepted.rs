//! The differences that are accepted: one entry each, with the clause that decides and why ours is right.
//! `DIFFERENCES.md` is this list, to be read.

mod encoding;
mod get;
mod info;
mod make;
mod manage;
mod others;
mod pin;

use std::collections::HashSet;

use ciborium::Value;
use wardkey_sim::fido_client::{Status, canonical, from_bytes, to_bytes};

use crate::compare::{Difference, Found};
use crate::decoding;

/// What happens after a difference. Where only one of the keys did as it was asked, the comparison ends in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Both keys are in the same state as before.
    GoOn,
    /// From here on they are not.
    Stop,
}

/// A difference that is accepted.
pub(crate) struct Accepted {
    /// What the reference does.
    pub(crate) reference: &'static str,
    /// What decides.
    pub(crate) clause: &'static str,
    /// Why ours is right.
    pub(crate) why: &'static str,
    pub(crate) then: Then,
    pub(crate) is_it: fn(&Found) -> bool,
}

/// The entries, with a heading for each part.
pub(crate) const PARTS: [(&str, &[Accepted]); 7] = [
    ("Encoding", encoding::ENTRIES),
    ("authenticatorMakeCredential", make::ENTRIES),
    (
        "authenticatorGetAssertion, authenticatorGetNextAssertion",
        get::ENTRIES,
    ),
    ("authenticatorGetInfo", info::ENTRIES),
    ("authenticatorClientPIN", pin::ENTRIES),
    ("authenticatorCredentialManagement", manage::ENTRIES),
    ("Other commands", others::ENTRIES),
];

/// The same for how ctap-types reads messages.
pub(crate) const DECODING: [(&str, &[Accepted]); 2] = [
    ("Requests, as ctap-types reads them", decoding::requests::ENTRIES),
    (
        "Our answers, as ctap-types reads them",
        decoding::answers::ENTRIES,
    ),
];

/// The entry that accepts a difference.
pub(crate) fn find(found: &Found) -> Option<&'static Accepted> {
    let mut entries = PARTS.iter().flat_map(|(_, entries)| *entries);
    entries.find(|accepted| (accepted.is_it)(found))
}

impl Found {
    /// Whether these are the two statuses.
    pub(crate) fn is(&self, ours: Status, theirs: Status) -> bool {
        self.ours_is(ours) && self.theirs_is(theirs)
    }

    pub(crate) fn ours_is(&self, status: Status) -> bool {
        matches!(self.difference, Difference::Status { ours, .. } if ours == status.0)
    }

    pub(crate) fn theirs_is(&self, status: Status) -> bool {
        matches!(self.difference, Difference::Status { theirs, .. } if theirs == status.0)
    }

    /// Whether our status is one of these.
    pub(crate) fn ours_is_among(&self, among: &[Status]) -> bool {
        among.iter().any(|status| self.ours_is(*status))
    }

    /// The parameters as they were sent.
    pub(crate) fn parameters(&self) -> &[u8] {
        self.sent.get(1..).unwrap_or_default()
    }

    /// Whether the parameters are canonical CBOR, as far as CTAP2 has it.
    pub(crate) fn is_canonical(&self) -> bool {
        let value = from_bytes(self.parameters());
        value
            .is_ok_and(|value| has_ctap2_types(&value, 4) && to_bytes(&canonical(value)) == self.parameters())
    }

    /// The place at which the facts differ; empty where it is the status.
    pub(crate) fn path(&self) -> &str {
        match &self.difference {
            Difference::Status { .. } => "",
            Difference::Fact { path, .. } => path,
        }
    }

    /// Whether the facts at a place differ.
    pub(crate) fn is_at(&self, place: &str) -> bool {
        matches!(&self.difference, Difference::Fact { path, .. } if path == place)
    }

    /// Whether the facts at a place or anywhere inside it differ.
    pub(crate) fn is_within(&self, place: &str) -> bool {
        let Difference::Fact { path, .. } = &self.difference else {
            return false;
        };
        path.strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether only ours has something there.
    pub(crate) fn only_ours_has_it(&self) -> bool {
        matches!(&self.difference, Difference::Fact { theirs: None, .. })
    }
}

/// Whether there is nothing in `value` that no message of CTAP2 has, and nothing deeper than this.
fn has_ctap2_types(value: &Value, depth: usize) -> bool {
    if let Value::Array(items) = value {
        depth > 0 && items.iter().all(|item| has_ctap2_types(item, depth - 1))
    } else if let Value::Map(members) = value {
        let keys: HashSet<_> = members.iter().map(|(key, _)| to_bytes(key)).collect();
        let is_each_once = keys.len() == members.len();
        let is_key = |key: &Value| key.is_integer() || key.is_bytes() || key.is_text();
        depth > 0
            && is_each_once
            && members
                .iter()
                .all(|(key, member)| is_key(key) && has_ctap2_types(member, depth - 1))
    } else {
        !value.is_float() && !value.is_tag()
    }
}

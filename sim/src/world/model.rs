//! The reference: what a device has to show, from all operations that it has read and all that it has to say. There is no
//! merging here and no order of arrival: a set of operations, which of them came before which, and the rules of
//! `vault/SYNC.md` §2 in their words.

use std::collections::{BTreeMap, BTreeSet};

use wardkey_vault::{CredentialId, DeviceId};

/// What a site, the account and the person are called.
pub(super) type Names = [Option<String>; 3];
/// A large blob and its size before it was compressed.
pub(super) type Blob = Option<(Vec<u8>, u64)>;

/// What never changes of a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Core {
    pub(super) rp_id: String,
    pub(super) user_id: Vec<u8>,
    pub(super) private_key: Vec<u8>,
    pub(super) created_unix_ms: u64,
}

/// A passkey as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) core: Core,
    pub(super) names: Names,
    pub(super) blob: Blob,
}

/// Something that a device says of a passkey.
#[derive(Debug, Clone)]
pub(super) enum Says {
    Stored(Shown),
    Called(Names),
    Holds(Blob),
    Deleted,
}

/// `None` where it is about no passkey.
pub(super) type Operation = Option<(CredentialId, Says)>;

/// An object that a device signed.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) author: DeviceId,
    /// Its number in the author's log.
    pub(super) seq: u32,
    /// The author's clock.
    pub(super) clock: u64,
    /// Of each log the last number that the author had read.
    pub(super) had_read: BTreeMap<DeviceId, u32>,
    pub(super) operations: Vec<Operation>,
}

/// Where an operation stands; later where the clocks and, of equal clocks, the names say so.
type Stamp = (u64, DeviceId, u32, usize);

/// An operation on one passkey.
struct Write<'a> {
    stamp: Stamp,
    /// `None` of what waits to be said.
    object: Option<&'a Object>,
    says: &'a Says,
}

impl Write<'_> {
    /// Whether the author of `other` knew of this.
    fn came_before(&self, other: &Self) -> bool {
        let (_, device, seq, place) = self.stamp;
        let (_, other_device, other_seq, other_place) = other.stamp;
        match (self.object, other.object) {
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => place < other_place,
            (Some(_), Some(_)) if device == other_device => (seq, place) < (other_seq, other_place),
            (Some(_), Some(object)) => object.had_read.get(&device).is_some_and(|read| seq <= *read),
        }
    }

    fn stored(&self) -> Option<&Shown> {
        match self.says {
            Says::Stored(shown) => Some(shown),
            Says::Called(_) | Says::Holds(_) | Says::Deleted => None,
        }
    }

    fn names(&self) -> Option<&Names> {
        match self.says {
            Says::Stored(Shown { names, .. }) | Says::Called(names) => Some(names),
            Says::Holds(_) | Says::Deleted => None,
        }
    }

    fn blob(&self) -> Option<&Blob> {
        match self.says {
            Says::Stored(Shown { blob, .. }) | Says::Holds(blob) => Some(blob),
            Says::Called(_) | Says::Deleted => None,
        }
    }

    fn says_deleted(&self) -> Option<bool> {
        match self.says {
            Says::Stored(_) => Some(false),
            Says::Deleted => Some(true),
            Says::Called(_) | Says::Holds(_) => None,
        }
    }
}

/// What was written to a register and not written over by somebody who knew, the last one last.
fn left<'a, T>(writes: &'a [Write<'a>], register: impl Fn(&'a Write<'a>) -> Option<T>) -> Vec<T> {
    let mut of_register: Vec<_> = (writes.iter())
        .filter_map(|write| Some((write, register(write)?)))
        .collect();
    let all: Vec<_> = of_register.iter().map(|(write, _)| *write).collect();
    of_register.retain(|(write, _)| !all.iter().any(|other| write.came_before(other)));
    of_register.sort_by_key(|(write, _)| write.stamp);
    of_register.into_iter().map(|(_, value)| value).collect()
}

/// What these operations amount to, and which of the passkeys are deleted.
pub(super) fn amount_to(
    read: &[&Object],
    waiting: &[Operation],
) -> (BTreeMap<CredentialId, Shown>, BTreeSet<CredentialId>) {
    let mut by_passkey: BTreeMap<&CredentialId, Vec<Write<'_>>> = BTreeMap::new();
    let said = read.iter().flat_map(|object| {
        let operations = object.operations.iter().enumerate();
        operations.map(move |(place, operation)| {
            (
                (object.clock, object.author, object.seq, place),
                Some(*object),
                operation,
            )
        })
    });
    let last = (u64::MAX, DeviceId([0xff; 16]), u32::MAX);
    let waiting = waiting.iter().enumerate();
    let waiting = waiting.map(|(place, operation)| ((last.0, last.1, last.2, place), None, operation));
    for (stamp, object, operation) in said.chain(waiting) {
        if let Some((id, says)) = operation {
            by_passkey
                .entry(id)
                .or_default()
                .push(Write { stamp, object, says });
        }
    }
    let (mut passkeys, mut deleted) = (BTreeMap::new(), BTreeSet::new());
    for (id, writes) in by_passkey {
        let first = writes
            .iter()
            .filter(|write| write.stored().is_some())
            .min_by_key(|write| write.stamp);
        let Some(first) = first.and_then(Write::stored) else {
            continue;
        };
        if left(&writes, Write::says_deleted).contains(&true) {
            deleted.insert(id.clone());
        }
        let names = left(&writes, Write::names).pop().cloned();
        let blob = left(&writes, Write::blob).pop().cloned();
        let shown = Shown {
            core: first.core.clone(),
            names: names.unwrap_or_default(),
            blob: blob.unwrap_or_default(),
        };
        passkeys.insert(id.clone(), shown);
    }
    (passkeys, deleted)
}

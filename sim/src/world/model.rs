//! The reference: what a device has to show, from the set of all operations that it has read or done itself, which of them came
//! before which, and the rules of `vault/SYNC.md` §2 in their words. Nothing is merged here, and nothing arrives.

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

/// Something that a device did.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// By the device's clock.
    pub(super) time: u64,
    /// Of each other log the last number that the device had read then.
    pub(super) had_read: BTreeMap<DeviceId, u32>,
    /// `None` where it is about no passkey.
    pub(super) says: Option<(CredentialId, Says)>,
}

/// What stands under one number of a device's log, or, last of all, what it has not told yet.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) author: DeviceId,
    pub(super) seq: u32,
    pub(super) operations: Vec<Operation>,
}

/// An operation on one passkey.
struct Write<'a> {
    /// Later where the clocks and, of equal clocks, the names say so.
    stamp: (u64, DeviceId, u32, usize),
    had_read: &'a BTreeMap<DeviceId, u32>,
    says: &'a Says,
}

impl Write<'_> {
    /// Whether the author of `other` knew of this.
    fn came_before(&self, other: &Self) -> bool {
        let ((_, author, seq, place), (_, other_author, other_seq, other_place)) = (self.stamp, other.stamp);
        if author == other_author {
            (seq, place) < (other_seq, other_place)
        } else {
            other.had_read.get(&author).is_some_and(|read| seq <= *read)
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

    fn is_deletion(&self) -> Option<bool> {
        match self.says {
            Says::Stored(_) => Some(false),
            Says::Deleted => Some(true),
            Says::Called(_) | Says::Holds(_) => None,
        }
    }
}

/// What was written to a register and not written over by somebody who knew, the last one last.
fn left<'a, T>(writes: &'a [Write<'a>], register: impl Fn(&'a Write<'a>) -> Option<T>) -> Vec<T> {
    let to_register = || writes.iter().filter_map(|write| Some((write, register(write)?)));
    let mut left: Vec<_> = to_register()
        .filter(|(write, _)| !to_register().any(|(other, _)| write.came_before(other)))
        .collect();
    left.sort_by_key(|(write, _)| write.stamp);
    left.into_iter().map(|(_, value)| value).collect()
}

/// What these objects amount to, and which of the passkeys are deleted.
pub(super) fn amount_to<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
) -> (BTreeMap<CredentialId, Shown>, BTreeSet<CredentialId>) {
    let mut by_passkey: BTreeMap<&CredentialId, Vec<Write<'_>>> = BTreeMap::new();
    for object in objects {
        for (place, Operation { time, had_read, says }) in object.operations.iter().enumerate() {
            let Some((id, says)) = says else { continue };
            let write = Write {
                stamp: (*time, object.author, object.seq, place),
                had_read,
                says,
            };
            by_passkey.entry(id).or_default().push(write);
        }
    }
    let (mut passkeys, mut deleted) = (BTreeMap::new(), BTreeSet::new());
    for (id, writes) in by_passkey {
        let first = writes.iter().filter(|write| write.stored().is_some());
        let Some(first) = first.min_by_key(|write| write.stamp).and_then(Write::stored) else {
            continue;
        };
        if left(&writes, Write::is_deletion).contains(&true) {
            deleted.insert(id.clone());
        }
        let shown = Shown {
            core: first.core.clone(),
            names: left(&writes, Write::names).pop().cloned().unwrap_or_default(),
            blob: left(&writes, Write::blob).pop().cloned().unwrap_or_default(),
        };
        passkeys.insert(id.clone(), shown);
    }
    (passkeys, deleted)
}

//! What a name in the store means to this device.

use crate::Error;
use crate::sync::layout::{Listing, StoreName};
use crate::sync::status::State;
use crate::vault::Vault;

/// A log that goes on in the store after something that is not there.
pub(super) fn hole_in(listing: &Listing, vault: &Vault) -> Option<State> {
    listing.logs.keys().find_map(|device| {
        let last = listing.last(*device).min(vault.waits_for(*device)?);
        let next = vault.log_head(*device).seq() + 1;
        let goes_on = last > next && listing.after(*device, next - 1).is_empty();
        goes_on.then_some(State::Gap(*device, next))
    })
}

/// What this device has of what the store should have.
pub(super) fn kept(vault: &Vault, name: StoreName) -> Result<Option<Vec<u8>>, Error> {
    match name {
        StoreName::Trust(seq) => vault.trust_entry(seq),
        StoreName::Membership(hash) => vault.membership_object(hash),
        StoreName::Log { device, seq, .. } => vault.log_object(device, seq),
        StoreName::Snapshot(key) => vault.snapshot_root(key.hash),
        StoreName::SnapshotPart { hash, .. } => vault.snapshot_part(hash),
        StoreName::Hint => Ok(None),
    }
}

pub(super) fn fork_at(name: StoreName) -> State {
    match name {
        StoreName::Log { device, seq, .. } => State::Forked(device, seq),
        StoreName::Trust(_)
        | StoreName::Membership(_)
        | StoreName::Snapshot(_)
        | StoreName::SnapshotPart { .. }
        | StoreName::Hint => State::OtherTrust,
    }
}

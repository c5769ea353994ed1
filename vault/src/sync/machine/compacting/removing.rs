//! What a snapshot made superfluous is removed from the store, once everybody has acknowledged it.

use std::collections::{BTreeSet, VecDeque};

use super::{Snapshots, is_whole, part_name};
use crate::keys::DeviceId;
use crate::sync::exchange::{Outstanding, Request};
use crate::sync::layout::{Listing, StoreName};
use crate::sync::machine::{GET_AT_ONCE, Machine};
use crate::sync::snapshot::Known;
use crate::vault::Vault;
use crate::{Error, Wish};

impl Machine {
    /// Removes what is not needed any more, sixteen names at a time.
    pub(in crate::sync::machine) fn remove(
        &mut self,
        vault: &Vault,
        unix_ms: u64,
    ) -> Result<Option<Wish>, Error> {
        if !self.all_is_well(vault) {
            return Ok(None);
        }
        let Some(round) = &mut self.round else {
            return Ok(None);
        };
        let Some(listing) = &round.listing else {
            return Ok(None);
        };
        if round.snapshots.removing.is_none() {
            round.snapshots.removing = Some(superfluous(vault, listing, unix_ms)?);
        }
        let Some(names) = round.snapshots.removing.as_mut().and_then(VecDeque::pop_front) else {
            return Ok(None);
        };
        let names = names.into_iter().map(|name| self.layout.name(name)).collect();
        Ok(Some(self.ask(Outstanding::Remove, Request::Remove { names })))
    }
}

impl Snapshots {
    /// The store does not let this device remove anything, or does not answer. That can wait.
    pub(in crate::sync::machine) fn removes_no_more(&mut self) {
        self.removing = Some(VecDeque::new());
    }
}

/// In the order in which it is to be removed: the roots of snapshots before their parts.
fn superfluous(vault: &Vault, listing: &Listing, unix_ms: u64) -> Result<VecDeque<Vec<StoreName>>, Error> {
    let mut acknowledged = Vec::new();
    for known in vault.snapshots() {
        if is_whole(listing, known) && vault.is_acknowledged(known, unix_ms)? {
            acknowledged.push(known);
        }
    }
    let (Some(device), false) = (vault.this_device(), acknowledged.is_empty()) else {
        return Ok(VecDeque::new());
    };
    let mut names = Names::default();
    names.add_log(listing, device, &acknowledged);
    names.add_snapshots(vault, listing, device, &acknowledged);
    // Nobody is left who would remove what is a former member's.
    acknowledged.retain(|known| known.key.author == device);
    if let Some(trust) = vault.trust() {
        for (former, _) in trust.former_members() {
            names.add_log(listing, former, &acknowledged);
            names.add_snapshots(vault, listing, former, &acknowledged);
        }
    }
    Ok(names.in_order())
}

#[derive(Default)]
struct Names {
    roots: Vec<StoreName>,
    others: Vec<StoreName>,
}

impl Names {
    /// The objects of a log that are covered, but the last.
    fn add_log(&mut self, listing: &Listing, device: DeviceId, acknowledged: &[&Known]) {
        let covered = acknowledged.iter().map(|known| known.versions.head(device).seq());
        let end = covered
            .max()
            .unwrap_or(0)
            .min(listing.last(device).saturating_sub(1));
        let log = listing.logs.get(&device).into_iter().flatten();
        let covered = log.take_while(|(seq, _)| *seq <= end);
        self.others
            .extend(covered.map(|(seq, incarnation)| StoreName::Log {
                device,
                seq: *seq,
                incarnation: *incarnation,
            }));
    }

    /// The snapshots of a device that others replace, and parts that belong to none. A root that is not known may be of use
    /// where its author is a member.
    fn add_snapshots(&mut self, vault: &Vault, listing: &Listing, device: DeviceId, acknowledged: &[&Known]) {
        if acknowledged.is_empty() {
            return;
        }
        let is_former = vault.trust().is_some_and(|trust| trust.member(device).is_none());
        let mut kept = BTreeSet::new();
        for key in listing.snapshots.iter().filter(|key| key.author == device) {
            let known = vault.snapshot(*key);
            let is_replaced = match known {
                Some(known) => acknowledged.iter().any(|other| vault.replaces(other, known)),
                None => is_former,
            };
            match known {
                _ if is_replaced => self.roots.push(StoreName::Snapshot(*key)),
                Some(known) => kept.extend(known.parts.iter().copied()),
                None => return,
            }
        }
        let parts = listing.parts.iter().filter(|(author, _)| *author == device);
        let left = parts.filter(|(_, hash)| !kept.contains(hash));
        self.others.extend(left.map(|(_, hash)| part_name(device, *hash)));
    }

    fn in_order(self) -> VecDeque<Vec<StoreName>> {
        let steps = [self.roots, self.others];
        let requests = steps.iter().flat_map(|names| names.chunks(GET_AT_ONCE));
        requests.map(<[StoreName]>::to_vec).collect()
    }
}

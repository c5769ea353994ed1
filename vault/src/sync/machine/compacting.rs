//! Snapshots in a round: which are there, what is missing in spite of them, taking one, making one, and removing what
//! nobody needs since. `SYNC.md` §6.

mod removing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::CryptoRng;

use super::Wish;
use super::places::hole_in;
use super::{GET_AT_ONCE, Machine, Round};
use crate::Error;
use crate::frame::ObjectHash;
use crate::keys::DeviceId;
use crate::signature::Signature;
use crate::sync::exchange::{Outstanding, Request};
use crate::sync::layout::{Listing, StoreName};
use crate::sync::snapshot::{Known, SnapshotKey};
use crate::sync::status::State;
use crate::vault::{Making, NotTaken, Piece, Taking, Vault};

/// So many objects are worth a snapshot.
pub(super) const SUMS_UP_AFTER: u64 = 256;
/// How many roots of one device are looked at, the newest first. More than one is needed where the author was put back to a
/// copy: then the newest may cover less than one from before.
const ROOTS_MAX: usize = 4;

/// What a round has to do with snapshots.
#[derive(Default)]
pub(super) struct Snapshots {
    /// The roots that are listed were read.
    are_read: bool,
    /// What is missing was found out.
    is_compared: bool,
    /// Not believed, not whole, or not there.
    refused: BTreeSet<StoreName>,
    /// One cannot be read yet, so what is missing cannot be told.
    one_waits: bool,
    taking: Option<Taking>,
    parts: VecDeque<Vec<u8>>,
    making: Option<Making>,
    /// Signed, and not in the store yet.
    signed: Option<(StoreName, Vec<u8>)>,
    was_made: bool,
    /// A new one is to take the place of one that is lost.
    renews: bool,
    removing: Option<VecDeque<Vec<StoreName>>>,
}

impl Snapshots {
    /// Of a round that lists nothing.
    pub(super) fn passed_over() -> Self {
        Self {
            are_read: true,
            is_compared: true,
            ..Self::default()
        }
    }

    /// Whether one cannot be read yet.
    pub(super) fn one_waits(&self) -> bool {
        self.one_waits
    }
}

fn part_name(device: DeviceId, hash: ObjectHash) -> StoreName {
    StoreName::SnapshotPart { device, hash }
}

/// Everything that a snapshot consists of.
fn pieces(known: &Known) -> impl Iterator<Item = StoreName> {
    let parts = known.parts.iter().map(|hash| part_name(known.key.author, *hash));
    [StoreName::Snapshot(known.key)].into_iter().chain(parts)
}

fn is_whole(listing: &Listing, known: &Known) -> bool {
    pieces(known).all(|piece| listing.has(piece))
}

impl Machine {
    /// Asks for the newest roots of each member that are not known.
    pub(super) fn read_snapshots(&mut self, vault: &Vault) -> Option<Wish> {
        let round = self.round.as_mut()?;
        if round.snapshots.are_read {
            return None;
        }
        let (listing, trust) = (round.listing.as_ref()?, vault.trust()?);
        let mut looked_at: BTreeMap<DeviceId, usize> = BTreeMap::new();
        let may_be_new = |key: &&SnapshotKey| {
            let roots = looked_at.entry(key.author).or_default();
            *roots += 1;
            let may_be_believed = trust.member(key.author).is_some() || trust.names_snapshots();
            *roots <= ROOTS_MAX && may_be_believed && vault.snapshot(**key).is_none()
        };
        let new = listing.snapshots.iter().rev().filter(may_be_new);
        let names: Vec<_> = new
            .map(|key| StoreName::Snapshot(*key))
            .filter(|name| !round.snapshots.refused.contains(name))
            .take(GET_AT_ONCE)
            .collect();
        if names.is_empty() {
            round.snapshots.are_read = true;
            return None;
        }
        let request = Request::Get {
            names: names.iter().map(|name| self.layout.name(*name)).collect(),
        };
        Some(self.ask(Outstanding::Roots(names), request))
    }

    /// The roots that were asked for.
    pub(super) fn look_at_roots(
        &mut self,
        vault: &mut Vault,
        names: Vec<StoreName>,
        got: Vec<Option<Vec<u8>>>,
    ) -> Result<(), Error> {
        for (name, bytes) in names.into_iter().zip(got) {
            let (Some(round), StoreName::Snapshot(key)) = (&mut self.round, name) else {
                continue;
            };
            let Some(bytes) = bytes else {
                round.snapshots.refused.insert(name);
                continue;
            };
            match vault.read_snapshot(key, &bytes) {
                Ok(known) => {
                    let listed = round.listing.as_ref();
                    if listed.is_some_and(|listing| is_whole(listing, &known)) {
                        vault.remember_snapshot(known, bytes)?;
                    } else {
                        round.snapshots.refused.insert(name);
                    }
                    continue;
                }
                Err(NotTaken::Vault(error)) => return Err(error),
                Err(NotTaken::WaitsForTrust) => {
                    let next = vault.log_head(key.author).seq() + 1;
                    round.found.get_or_insert(State::Gap(key.author, next));
                    round.snapshots.one_waits = true;
                }
                Err(NotTaken::Forked(device, seq)) => round.found = Some(State::Forked(device, seq)),
                Err(_) => round.damaged(&self.layout, name),
            }
            round.snapshots.refused.insert(name);
        }
        Ok(())
    }

    /// What is listed against what was there, once in a round.
    pub(super) fn compare_listing(&mut self, vault: &mut Vault) -> Result<(), Error> {
        let Some(round) = self.round.as_mut().filter(|round| !round.snapshots.is_compared) else {
            return Ok(());
        };
        round.snapshots.is_compared = true;
        if round.found == Some(State::Removed) {
            // What the others removed since it cannot know, and nothing is for it to put back.
            self.status.missing.clear();
            self.heal.clear();
            return Ok(());
        }
        let Some(listing) = &round.listing else {
            return Ok(());
        };
        vault.note_offers(|device, read| listing.end_of(device, read));
        let mut expected = expected_membership(vault);
        self.status.is_compared = !round.snapshots.one_waits;
        if !round.snapshots.one_waits {
            expected.extend(expected_snapshots(vault));
            expected.extend(expected_objects(vault, listing)?);
        }
        let missing = expected.into_iter().filter(|name| !listing.has(*name));
        self.status.missing = missing.map(|name| self.layout.name(name)).collect();
        // Something else may be there since.
        self.heal.retain(|name| self.status.missing.contains(name));
        if std::mem::take(&mut self.heals_all) {
            self.heal = self.status.missing.iter().cloned().collect();
        }
        if self.status.missing.is_empty() && !round.snapshots.one_waits {
            forget(vault, listing)?;
        }
        Ok(())
    }

    /// How many objects that no snapshot covers are worth one: 256 if this is not called.
    pub fn sum_up_after(&mut self, objects: u64) {
        self.sums_up_after = objects;
    }

    /// Whether everything is there and was read, so that all may be summed up or removed.
    fn all_is_well(&self, vault: &Vault) -> bool {
        let Some(round) = self.round.as_ref().filter(|round| !round.only_speaks) else {
            return false;
        };
        let hole = round.listing.as_ref().and_then(|listing| hole_in(listing, vault));
        self.status.missing.is_empty()
            && round.found.is_none()
            && round.set_aside.is_empty()
            && hole.is_none()
    }

    /// Whether something that was to be put back is to be made anew: a snapshot that nobody may have any more.
    pub(super) fn renew(&mut self, vault: &Vault, name: StoreName) {
        let lost = vault
            .snapshots()
            .iter()
            .find(|known| pieces(known).any(|piece| piece == name));
        if let (Some(known), Some(round)) = (lost, &mut self.round) {
            let names: BTreeSet<_> = pieces(known).map(|piece| self.layout.name(piece)).collect();
            self.status.missing.retain(|missing| !names.contains(missing));
            round.snapshots.renews = true;
        }
    }
}

// --- taking -----------------------------------------------------------------------------------------------------------

impl Machine {
    /// Takes a snapshot where one is needed.
    pub(super) fn take_snapshot(
        &mut self,
        vault: &mut Vault,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Wish>, Error> {
        loop {
            let Some(round) = &mut self.round else {
                return Ok(None);
            };
            let Some(listing) = &round.listing else {
                return Ok(None);
            };
            let Some(taking) = &mut round.snapshots.taking else {
                let Some(key) = needed(vault, listing, &round.snapshots.refused) else {
                    return Ok(None);
                };
                round.snapshots.taking = Some(Taking::begin(key));
                continue;
            };
            let (key, taken) = (taking.key(), taking.taken());
            let parts = vault.snapshot(key).map_or(&[][..], |known| &known.parts);
            let next = parts.get(taken).map(|hash| part_name(key.author, *hash));
            let done = match (next, round.snapshots.parts.pop_front()) {
                (Some(name), Some(bytes)) => {
                    let done = vault.take_snapshot_part(rng, taking, &bytes);
                    done.map_err(|reason| (name, reason))
                }
                (Some(_), None) => {
                    self.status.to_read = self.status.read + parts.len() - taken;
                    let names = parts.iter().skip(taken).take(GET_AT_ONCE);
                    let names = names.map(|hash| self.layout.name(part_name(key.author, *hash)));
                    let request = Request::Get {
                        names: names.collect(),
                    };
                    return Ok(Some(self.ask(Outstanding::Parts, request)));
                }
                (None, _) => {
                    let done = vault.take_snapshot(rng, taking);
                    round.snapshots.refused.insert(StoreName::Snapshot(key));
                    round.snapshots.taking = None;
                    done.map_err(|reason| (StoreName::Snapshot(key), reason))
                }
            };
            match done {
                Ok(()) => self.status.read += 1,
                Err((_, NotTaken::Vault(error))) => return Err(error),
                Err((name, _)) => round.refuse_snapshot(&self.layout, key, name),
            }
        }
    }

    /// Parts of the snapshot that is being taken.
    pub(super) fn parts_arrived(&mut self, got: Vec<Option<Vec<u8>>>) {
        let Some(round) = &mut self.round else { return };
        let asked_for = got.len();
        let there = got.into_iter().map_while(|part| part);
        round.snapshots.parts = there.collect();
        if round.snapshots.parts.len() < asked_for.min(1)
            && let Some(taking) = &round.snapshots.taking
        {
            let key = taking.key();
            round.refuse_snapshot(&self.layout, key, StoreName::Snapshot(key));
        }
    }
}

impl Round {
    fn refuse_snapshot(&mut self, layout: &super::Layout, key: SnapshotKey, name: StoreName) {
        self.damaged(layout, name);
        self.snapshots.refused.insert(StoreName::Snapshot(key));
        self.snapshots.taking = None;
        self.snapshots.parts.clear();
    }
}

/// The snapshot to take first, where something that it covers is not to be had otherwise, or nothing was read yet.
fn needed(vault: &Vault, listing: &Listing, refused: &BTreeSet<StoreName>) -> Option<SnapshotKey> {
    let device = vault.this_device()?;
    let is_new = vault.log_heads().iter().all(|(other, _)| *other == device);
    let is_needed = |known: &&Known| {
        known.versions.iter().any(|(device, head)| {
            let read = vault.log_head(device).seq();
            head.seq() > read && (is_new || listing.end_of(device, read) < head.seq())
        })
    };
    let usable =
        |known: &&Known| is_whole(listing, known) && !refused.contains(&StoreName::Snapshot(known.key));
    let snapshots = vault.snapshots().iter().filter(usable).filter(is_needed);
    let newest = snapshots.max_by_key(|known| known.key.age())?;
    Some(newest.key)
}

// --- making -----------------------------------------------------------------------------------------------------------

impl Machine {
    /// Makes a snapshot where one is due.
    pub(super) fn make_snapshot(
        &mut self,
        vault: &mut Vault,
        unix_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Wish>, Error> {
        if !self.all_is_well(vault) {
            return Ok(None);
        }
        let Some(round) = self.round.as_mut().filter(|round| !round.snapshots.was_made) else {
            return Ok(None);
        };
        let snapshots = &mut round.snapshots;
        if let Some((name, bytes)) = snapshots.signed.clone() {
            let name = self.layout.name(name);
            return Ok(Some(
                self.ask(Outstanding::PublishPiece, Request::Create { name, bytes }),
            ));
        }
        if snapshots.making.is_none() && (snapshots.renews || vault.snapshot_is_due(self.sums_up_after)?) {
            let known = vault.snapshots().iter().map(|known| known.key.number).max();
            if let Some(number) = known.unwrap_or(0).checked_add(1) {
                snapshots.making = vault.begin_snapshot(number, unix_ms)?;
            }
        }
        let piece = match &mut snapshots.making {
            Some(making) => vault.next_piece(making, rng)?,
            None => None,
        };
        let Some(piece) = piece else {
            snapshots.was_made = true;
            snapshots.making = None;
            return Ok(None);
        };
        self.to_sign = Some(super::Said::Piece(piece));
        self.outstanding = Some(Outstanding::Signature);
        Ok(Some(Wish::Sign))
    }

    /// A piece of the snapshot that is being made is signed.
    pub(super) fn piece_signed(
        &mut self,
        vault: &mut Vault,
        piece: Piece,
        signature: &Signature,
    ) -> Result<(), Error> {
        let Some(round) = &mut self.round else {
            return Ok(());
        };
        let Some(making) = &mut round.snapshots.making else {
            return Ok(());
        };
        let signed = match piece {
            Piece::Root(root) => {
                let bytes = root.signed(signature);
                (StoreName::Snapshot(making.key(ObjectHash::of(&bytes))), bytes)
            }
            Piece::Part(part) => {
                let bytes = part.signed(signature);
                let hash = ObjectHash::of(&bytes);
                vault.keep_snapshot_part(hash, bytes.clone())?;
                making.add_part(hash);
                (part_name(vault.device_id(), hash), bytes)
            }
        };
        round.snapshots.signed = Some(signed);
        Ok(())
    }

    /// The store has a piece; or it has something else under the name of a root, which is then looked at in the next round.
    pub(super) fn piece_published(&mut self, vault: &mut Vault, is_new: bool) -> Result<(), Error> {
        self.wrote();
        let Some(round) = &mut self.round else {
            return Ok(());
        };
        let Some((name, bytes)) = round.snapshots.signed.take() else {
            return Ok(());
        };
        if let Some(listing) = &mut round.listing {
            listing.add(name);
        }
        if let StoreName::Snapshot(key) = name {
            round.snapshots.was_made = true;
            round.snapshots.making = None;
            if is_new && let Ok(known) = vault.read_snapshot(key, &bytes) {
                self.judged.insert(key);
                vault.remember_snapshot(known, bytes)?;
            }
        }
        Ok(())
    }
}

// --- comparing --------------------------------------------------------------------------------------------------------

impl Machine {
    /// Up to where the logs are read before the state is compared with that of a snapshot.
    pub(super) fn pause(&self, vault: &Vault) -> Option<crate::sync::Versions> {
        let here = vault.versions();
        let snapshots = vault.snapshots().iter();
        let ahead = snapshots.filter(|known| {
            !self.judged.contains(&known.key) && known.versions.cover(&here) && known.versions != here
        });
        ahead
            .min_by_key(|known| known.key.age())
            .map(|known| known.versions.clone())
    }

    /// Compares this device's state with that of the snapshots that were not compared yet, and says whether there was one.
    pub(super) fn judge(&mut self, vault: &Vault) -> Result<bool, Error> {
        let Some(round) = self.round.as_mut().filter(|round| !round.only_speaks) else {
            return Ok(false);
        };
        let judged = self.judged.len();
        for known in vault.snapshots() {
            if self.judged.insert(known.key) && vault.differs_from(known)? {
                self.differ.insert(known.key);
            }
            if self.differ.contains(&known.key) {
                round.damaged(&self.layout, StoreName::Snapshot(known.key));
            }
        }
        Ok(self.judged.len() > judged)
    }
}

fn expected_membership(vault: &Vault) -> Vec<StoreName> {
    let mut expected: Vec<StoreName> = (1..=vault.published_trust()).map(StoreName::Trust).collect();
    if let Some(trust) = vault.trust()
        && trust.remembered().seq <= vault.published_trust()
    {
        expected.extend(trust.objects_in_force().map(StoreName::Membership));
    }
    expected
}

fn expected_snapshots(vault: &Vault) -> Vec<StoreName> {
    let in_use = vault.snapshots().iter().filter(|known| !vault.is_replaced(known));
    in_use.flat_map(pieces).collect()
}

/// What was read of the logs, and no snapshot covers.
fn expected_objects(vault: &Vault, listing: &Listing) -> Result<Vec<StoreName>, Error> {
    let covered = vault.covered();
    let mut expected = Vec::new();
    for (device, head) in vault.log_heads() {
        let listed = listing.logs.get(&device);
        let from = covered.head(device).seq() + 1;
        let missing = (from..=head.seq())
            .filter(|seq| listed.is_none_or(|log| log.range((*seq, 0)..=(*seq, u32::MAX)).next().is_none()));
        for seq in missing {
            let place = vault.log_place(device, seq)?.unwrap_or(head);
            expected.push(StoreName::log(device, place));
        }
    }
    Ok(expected)
}

/// Forgets what is neither needed nor in the store any more.
fn forget(vault: &mut Vault, listing: &Listing) -> Result<(), Error> {
    let gone = vault.snapshots().iter().filter(|known| vault.is_replaced(known));
    let gone = gone
        .map(|known| known.key)
        .filter(|key| !listing.snapshots.contains(key));
    for key in gone.collect::<Vec<_>>() {
        vault.forget_snapshot(key)?;
    }
    vault.forget_compacted(|device, seq| {
        let log = listing.logs.get(&device);
        log.is_some_and(|log| log.range((seq, 0)..=(seq, u32::MAX)).next().is_some())
    })
}

#[cfg(test)]
mod tests;

//! Snapshots: which are known, what is believed of them, who has acknowledged them, and what is forgotten since. `SYNC.md` §6.
//!
//! `snapshots/making.rs` makes one, `snapshots/taking.rs` takes one.

mod making;
mod taking;

use rand_core::CryptoRng;

pub(crate) use self::making::{Making, Piece};
pub(crate) use self::taking::Taking;
use super::Vault;
use super::reading::NotTaken;
use crate::database::Change;
use crate::frame::{Refused, SealedKind};
use crate::keys::DeviceId;
use crate::object::{Authentic, LogHead};
use crate::seal::Place;
use crate::sync::{Known, Merged, Replica, Root, SnapshotKey, StateHash, Versions};
use crate::{Error, ObjectHash, Trust};

/// A device that has written nothing for so long is not waited for.
const AWAY_MS: u64 = 90 * 86_400_000;

impl Vault {
    pub(crate) fn snapshots(&self) -> &[Known] {
        self.replica.as_ref().map_or(&[], |replica| &replica.snapshots)
    }

    pub(crate) fn snapshot(&self, key: SnapshotKey) -> Option<&Known> {
        self.snapshots().iter().find(|known| known.key == key)
    }

    /// What one of the known snapshots covers is in no log any more, for all that is known here.
    pub(crate) fn covered(&self) -> Versions {
        let covered = self.snapshots().iter().filter(|known| !self.is_replaced(known));
        covered.fold(Versions::default(), |all, known| all.joined(&known.versions))
    }

    /// Whether one of the known ones is there for all for which this one is.
    pub(crate) fn is_replaced(&self, known: &Known) -> bool {
        self.snapshots().iter().any(|other| self.replaces(other, known))
    }

    /// Whether nobody needs `known` who has `other`: that covers as much; or no member would make `known` any more, and who
    /// made `other` knew that.
    pub(crate) fn replaces(&self, other: &Known, known: &Known) -> bool {
        match (self.is_accepted(other), self.is_accepted(known)) {
            (true, false) => known.is_replaced_by(other) || other.epoch > known.epoch,
            (false, true) => false,
            (true, true) | (false, false) => known.is_replaced_by(other),
        }
    }

    /// Whether its author is a member, and all that it covers is accepted.
    fn is_accepted(&self, known: &Known) -> bool {
        self.trust().is_some_and(|trust| {
            let mut covered = known.versions.iter();
            let is_believed =
                trust.member(known.key.author).is_some() || trust.names_snapshot(known.key.hash);
            is_believed && covered.all(|(device, head)| accepts(trust, device, head))
        })
    }

    /// After the vault was opened.
    pub(in crate::vault) fn recall_snapshots(&mut self) -> Result<(), Error> {
        let (Some(member), Some(session)) = (&self.member, &self.session) else {
            return Ok(());
        };
        let mut snapshots = Vec::new();
        self.database.snapshots(|bytes| {
            let object = match Authentic::read_again(bytes, SealedKind::Snapshot, &member.trust) {
                Ok(object) => object,
                // Nothing is left of who wrote it since the vault was taken over with its kit.
                Err(Refused::NotAMember) => return Ok(()),
                Err(_) => return Err(Error::Tampered),
            };
            let key = session.keys.get(&object.header().epoch).ok_or(Error::Tampered)?;
            let payload = object.open(key).map_err(|_| Error::Tampered)?;
            let root = Root::decode(&payload).ok_or(Error::Tampered)?;
            snapshots.push(Known::of((object.header(), object.hash()), &root));
            Ok(())
        })?;
        if let Some(replica) = &mut self.replica {
            replica.snapshots = snapshots;
        }
        Ok(())
    }

    /// Reads the root of a snapshot that the store has under this name, and says whether it is believed.
    pub(crate) fn read_snapshot(&self, key: SnapshotKey, bytes: &[u8]) -> Result<Known, NotTaken> {
        let (Some(replica), Some(member), Some(session)) = (&self.replica, &self.member, &self.session)
        else {
            return Err(NotTaken::NoSync);
        };
        let trust = &member.trust;
        if ObjectHash::of(bytes) != key.hash {
            return Err(Refused::Misplaced.into());
        }
        let is_named = trust.names_snapshot(key.hash);
        let object = if is_named {
            Authentic::read_again(bytes, SealedKind::Snapshot, trust)?
        } else {
            Authentic::read(bytes, SealedKind::Snapshot, trust.vault(), trust)?
        };
        let (header, position) = (object.header(), object.header().position);
        if position.author != key.author {
            return Err(Refused::Misplaced.into());
        }
        if position.trust_seq > trust.remembered().seq {
            return Err(NotTaken::WaitsForTrust);
        }
        let is_of_member = trust
            .added_at(key.author)
            .is_some_and(|added| position.trust_seq >= added);
        if !is_of_member && !is_named {
            return Err(Refused::NotAMember.into());
        }
        let entry = self.trust_entry(position.trust_seq)?;
        if entry.as_deref().map(ObjectHash::of) != Some(position.trust_head) {
            return Err(Refused::Misplaced.into());
        }
        let secret = session.keys.get(&header.epoch).ok_or(NotTaken::WaitsForTrust)?;
        let root = Root::decode(&object.open(secret)?).ok_or(Refused::Malformed)?;
        let own = LogHead::new(position.incarnation, position.seq, position.previous);
        if root.number != key.number
            || root.versions.head(key.author) != own
            || root.versions.without(key.author).hash() != position.seen
        {
            return Err(Refused::Misplaced.into());
        }
        check_told(trust, &root)?;
        self.check_covered(replica, trust, &root)?;
        Ok(Known::of((header, object.hash()), &root))
    }

    /// Everything that a snapshot covers is accepted, and nothing of it contradicts what was read here.
    fn check_covered(&self, replica: &Replica, trust: &Trust, root: &Root) -> Result<(), NotTaken> {
        for (device, head) in root.versions.iter() {
            if !accepts(trust, device, head) {
                return Err(Refused::NotAMember.into());
            }
            let read = replica.standing.versions.head(device);
            if head.seq() > read.seq() && head.incarnation() < read.incarnation() {
                return Err(NotTaken::Forked(device, head.seq()));
            }
            let told = root.logs.values().map(|log| log.told.head(device));
            for named in told.chain([head]) {
                let known = self.hash_in_log(replica, device, named.seq())?;
                if known.is_some_and(|known| known != named.hash()) {
                    return Err(NotTaken::Forked(device, named.seq()));
                }
            }
        }
        Ok(())
    }

    /// The hash of an object of a log, as far as this device knows it.
    fn hash_in_log(
        &self,
        replica: &Replica,
        device: DeviceId,
        seq: u32,
    ) -> Result<Option<ObjectHash>, Error> {
        let snapshots = replica.snapshots.iter().map(|known| &known.versions);
        let mut heads = snapshots
            .chain([&replica.standing.versions])
            .map(|versions| versions.head(device));
        if let Some(head) = heads.find(|head| head.seq() == seq) {
            return Ok(Some(head.hash()));
        }
        let object = self.database.device_log(device, seq)?;
        Ok(object.as_deref().map(ObjectHash::of))
    }

    /// From now on a snapshot is known: it was in the store as a whole.
    pub(crate) fn remember_snapshot(&mut self, known: Known, root: Vec<u8>) -> Result<(), Error> {
        self.database.apply(&Change {
            put_snapshot: Some((known.key.hash, root)),
            ..Change::default()
        })?;
        if let Some(replica) = &mut self.replica {
            replica.snapshots.retain(|other| other.key != known.key);
            replica.snapshots.push(known);
        }
        Ok(())
    }

    /// From now on a snapshot is not known any more.
    pub(crate) fn forget_snapshot(&mut self, key: SnapshotKey) -> Result<(), Error> {
        let Some(replica) = &mut self.replica else {
            return Ok(());
        };
        let (forgotten, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut replica.snapshots)
            .into_iter()
            .partition(|known| known.key == key);
        replica.snapshots = kept;
        self.database.apply(&Change {
            remove_snapshots: vec![key.hash],
            remove_snapshot_parts: forgotten.into_iter().flat_map(|known| known.parts).collect(),
            ..Change::default()
        })
    }

    /// The root of a known snapshot, as it was written.
    pub(crate) fn snapshot_root(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.database.snapshot(hash)
    }

    /// A part of a snapshot that this device made.
    pub(crate) fn snapshot_part(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.database.snapshot_part(hash)
    }

    /// Whether this device has read exactly what a snapshot covers, and something else came of it.
    pub(crate) fn differs_from(&self, known: &Known) -> Result<bool, Error> {
        let Some(replica) = &self.replica else {
            return Ok(false);
        };
        if replica.standing.versions != known.versions {
            return Ok(false);
        }
        let mut fingerprints = Vec::new();
        self.database.all_merged(|row, sealed| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            let (id, merged) = Merged::decode_row(&payload).ok_or(Error::Tampered)?;
            let fingerprint = merged.fingerprint(&id);
            fingerprints.push((id, fingerprint));
            Ok(())
        })?;
        fingerprints.sort();
        let mut state = StateHash::new();
        for (id, fingerprint) in &fingerprints {
            state.add(id, fingerprint).ok_or(Error::Tampered)?;
        }
        Ok(state.finish() != known.state)
    }

    /// Whether nobody needs any more what a snapshot covers. `unix_ms` is the time.
    pub(crate) fn is_acknowledged(&self, known: &Known, unix_ms: u64) -> Result<bool, Error> {
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Ok(false);
        };
        if !replica.standing.versions.cover(&known.versions) {
            return Ok(false);
        }
        for device in member.trust.members() {
            if device == member.device || device == known.key.author {
                continue;
            }
            // Its own log it has read.
            let needed = known.versions.without(device);
            let heard = self
                .last_written_unix_ms(device)?
                .unwrap_or(known.unix_ms.max(member.trust.newest_unix_ms()));
            if !self.told(device)?.cover(&needed) && heard.saturating_add(AWAY_MS) > unix_ms {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where others wait to hear that this device has read what a snapshot covers, or more of a former member than the trust log
    /// accepts, it owes an answer.
    pub(crate) fn owe_acknowledgement(&mut self, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Ok(());
        };
        let told = self.told(member.device)?;
        let versions = &replica.standing.versions;
        let owed = replica.snapshots.iter().any(|known| {
            known.key.author != member.device
                && versions.cover(&known.versions)
                && !told.cover(&known.versions.without(member.device))
        });
        // The others read of a device that was removed what this one has read.
        let vouches = member.trust.former_members().any(|(former, last)| {
            let read = versions.head(former).seq();
            read > last.seq() && read > told.head(former).seq()
        });
        if !owed && !vouches {
            return Ok(());
        }
        self.change_standing(rng, |standing| standing.owes_an_answer = true)
    }

    /// Forgets the objects of logs that a known snapshot covers and the store does not list, but the last of each log.
    pub(crate) fn forget_compacted(
        &mut self,
        is_listed: impl Fn(DeviceId, u32) -> bool,
    ) -> Result<(), Error> {
        let mut remove_device_logs = Vec::new();
        for (device, head) in self.covered().iter() {
            let end = self.log_head(device).seq().min(head.seq() + 1);
            let kept = self.database.device_log_before(device, end)?;
            let gone = kept.into_iter().filter(|seq| !is_listed(device, *seq));
            remove_device_logs.extend(gone.map(|seq| (device, seq)));
        }
        if remove_device_logs.is_empty() {
            return Ok(());
        }
        self.database.apply_later(&Change {
            remove_device_logs,
            ..Change::default()
        })
    }
}

/// Nobody had seen what is not covered, but for what a former member wrote beyond its end and nobody has any more.
fn check_told(trust: &Trust, root: &Root) -> Result<(), Refused> {
    let mut told = root.logs.values().flat_map(|log| log.told.iter());
    let is_covered = |(device, told): (DeviceId, LogHead)| {
        let covered = root.versions.head(device).seq();
        let is_at_end = || {
            trust
                .former(device)
                .is_some_and(|(_, last)| covered >= last.seq())
        };
        told.seq() <= covered || is_at_end()
    };
    told.all(is_covered).then_some(()).ok_or(Refused::Malformed)
}

/// Whether everything in a log up to here was written by a member, or is accepted of a former one. Who read more of that before
/// it knew vouches for it.
fn accepts(trust: &Trust, device: DeviceId, head: LogHead) -> bool {
    match trust.former(device) {
        Some((_, last)) if head.seq() == last.seq() => head == last,
        Some((_, last)) => head.seq() > last.seq() || head.incarnation() <= last.incarnation(),
        None => trust.member(device).is_some(),
    }
}

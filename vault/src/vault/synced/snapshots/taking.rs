//! A snapshot is taken: one part after the other becomes part of what is merged, then its versions are this device's own.
//! Each is one transaction. Where it ends in between, what is merged is ahead of what was read; that does no harm.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use crate::database::{Change, Meta};
use crate::frame::{Refused, SealedKind};
use crate::object::Authentic;
use crate::sync::{
    Replica, Root, SnapshotKey, Standing, StateHash, decode_part, seal_device_names, seal_foreign,
};
use crate::vault::Vault;
use crate::vault::synced::reading::{NotTaken, seal_told, with_keys};
use crate::{Error, ObjectHash};

/// A snapshot that is being taken.
pub(crate) struct Taking {
    key: SnapshotKey,
    taken: usize,
    state: StateHash,
}

impl Taking {
    pub(crate) fn begin(key: SnapshotKey) -> Self {
        Self {
            key,
            taken: 0,
            state: StateHash::new(),
        }
    }

    /// Which one.
    pub(crate) fn key(&self) -> SnapshotKey {
        self.key
    }

    /// How many of its parts were taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }
}

impl Vault {
    /// Takes the next part of a known snapshot.
    pub(crate) fn take_snapshot_part(
        &mut self,
        rng: &mut dyn CryptoRng,
        taking: &mut Taking,
        bytes: &[u8],
    ) -> Result<(), NotTaken> {
        let (Some(replica), Some(member), Some(session)) = (&self.replica, &self.member, &self.session)
        else {
            return Err(NotTaken::NoSync);
        };
        let known = self.snapshot(taking.key).ok_or(NotTaken::NoSync)?;
        if known.parts.get(taking.taken) != Some(&ObjectHash::of(bytes)) {
            return Err(Refused::Misplaced.into());
        }
        // The root names it by its hash, and somebody signed that who may.
        let part = Authentic::read_again(bytes, SealedKind::SnapshotPart, &member.trust)?;
        if part.header().position.author != known.key.author || part.header().epoch != known.epoch {
            return Err(Refused::Misplaced.into());
        }
        let key = session.keys.get(&known.epoch).ok_or(NotTaken::WaitsForTrust)?;
        let items = decode_part(&part.open(key)?).ok_or(Refused::Malformed)?;
        let here = &replica.standing.versions;
        let (mut change, mut shown) = (Change::default(), BTreeMap::new());
        let mut state = taking.state.clone();
        for (id, there) in items {
            let fingerprint = there.fingerprint(&id);
            let in_turn = state.add(&id, &fingerprint);
            in_turn
                .filter(|()| there.is_within(&known.versions))
                .ok_or(Refused::Malformed)?;
            let mut merged = self.merged(replica, &id)?;
            // Which of two contradicting ones is kept does not depend on the way that they came.
            let _ = merged.join(here, &there, &known.versions);
            let row = replica.names.row(id.as_bytes());
            change
                .put_merged
                .push((row, self.seal_merged(rng, row, &id, &merged)?));
            let from = replica.outbox.start;
            let known = self.with_what_waits(replica, member.device, &merged, &id, from)?;
            if let Some(now) = self.different(&id, known.visible())? {
                shown.insert(id, now);
            }
        }
        self.show(rng, change, shown)?;
        taking.state = state;
        taking.taken += 1;
        Ok(())
    }

    /// The end of taking a snapshot, after all of its parts: its versions are this device's.
    pub(crate) fn take_snapshot(&mut self, rng: &mut dyn CryptoRng, taking: &Taking) -> Result<(), NotTaken> {
        let Some(known) = self.snapshot(taking.key) else {
            return Err(NotTaken::NoSync);
        };
        if known.parts.len() != taking.taken || known.state != taking.state.finish() {
            return Err(Refused::Malformed.into());
        }
        let own = known.versions.head(self.device_id());
        if self.object_to_publish()?.is_some_and(|(head, _)| head == own) {
            // The store had it, and the answer that said so was lost.
            self.published(rng)?;
        }
        let root = self.root_again(taking.key)?;
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Err(NotTaken::NoSync);
        };
        let before = &replica.standing.versions;
        let ahead = |device| root.versions.head(device).seq() > before.head(device).seq();
        let mut change = Change::default();
        for (device, log) in &root.logs {
            if ahead(*device) {
                let told = seal_told(&self.keys, *device, &log.told, rng);
                change.put_told.push((*device, told));
            }
        }
        let standing = standing_after(replica, &root, member.device);
        let sealed = standing.seal(&replica.names, &self.keys, rng);
        change.put_meta.push((Meta::Replica, sealed));
        if ahead(member.device) {
            change.remove_meta.push(Meta::Formed);
        }
        let foreign = with_keys(&replica.foreign, &root.keys);
        if let Some(foreign) = &foreign {
            let sealed = seal_foreign(foreign, &self.keys, rng).ok_or(Error::TooLarge)?;
            change.put_meta.push((Meta::ForeignKeys, sealed));
        }
        let mut names = replica.device_names.clone();
        let newer = root.device_names.iter().filter(|(device, _)| ahead(**device));
        names.extend(newer.map(|(device, name)| (*device, name.clone())));
        if names != replica.device_names {
            let sealed = seal_device_names(&names, &self.keys, rng).ok_or(Error::TooLarge)?;
            change.put_meta.push((Meta::DeviceNames, sealed));
        }
        self.database.apply(&change)?;
        if let Some(replica) = &mut self.replica {
            replica.time = replica.time.max(standing.time);
            replica.standing = standing;
            replica.device_names = names;
            if let Some(foreign) = foreign {
                replica.foreign = foreign;
            }
        }
        Ok(())
    }

    /// What the root of a known snapshot says.
    fn root_again(&self, key: SnapshotKey) -> Result<Root, NotTaken> {
        let (Some(member), Some(session)) = (&self.member, &self.session) else {
            return Err(NotTaken::NoSync);
        };
        let bytes = self.snapshot_root(key.hash)?.ok_or(Error::Tampered)?;
        let object = Authentic::read_again(&bytes, SealedKind::Snapshot, &member.trust)?;
        let epoch = object.header().epoch;
        let payload = object.open(session.keys.get(&epoch).ok_or(NotTaken::WaitsForTrust)?)?;
        Ok(Root::decode(&payload).ok_or(Refused::Malformed)?)
    }
}

/// Where this device stands when it has taken a snapshot.
fn standing_after(replica: &Replica, root: &Root, device: crate::DeviceId) -> Standing {
    let mut after = replica.standing.clone();
    let (before, own) = (after.versions.head(device), root.versions.head(device));
    after.versions = after.versions.joined(&root.versions);
    after.owes_an_answer = true;
    if own.seq() > before.seq() {
        // A device that finds objects of its own that it does not remember begins another life.
        after.incarnation = after.incarnation.max(own.incarnation() + 1);
        let written = root.logs.get(&device).map_or(0, |log| log.unix_ms);
        after.time = after.time.max(written.saturating_add(1) << 16);
    }
    after
}

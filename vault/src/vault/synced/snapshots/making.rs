//! A snapshot is made: one part after the other, then the root. Nothing of it is in memory but the ids of the passkeys and
//! the part at hand.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;

use crate::database::Change;
use crate::frame::{SealedKind, Unsigned};
use crate::keys::{DeviceId, WrappingKey};
use crate::object::{self, Position};
use crate::seal::Place;
use crate::signature::SignedHash;
use crate::sync::{
    Covered, Merged, OBJECT_LEN_MAX, PART_ITEMS_MAX, PART_LEN, PARTS_MAX, Root, SnapshotKey, StateHash,
    Versions, encode_part,
};
use crate::vault::Vault;
use crate::{CredentialId, Error, ObjectHash};

/// An object of a log takes as much as so many passkeys in a snapshot, at least.
const PASSKEYS_EACH: u64 = 2;

/// A snapshot that is being made.
pub(crate) struct Making {
    number: u32,
    position: Position,
    epoch: u32,
    versions: Versions,
    /// What is not in a part yet.
    ids: std::vec::IntoIter<CredentialId>,
    state: StateHash,
    parts: Vec<ObjectHash>,
}

/// Something of it that is to be signed.
pub(crate) enum Piece {
    Part(Unsigned),
    Root(Unsigned),
}

impl Piece {
    /// For the device's key store.
    pub(crate) fn hash(&self) -> &SignedHash {
        match self {
            Self::Part(object) | Self::Root(object) => object.to_sign(),
        }
    }
}

impl Making {
    /// What it is called if its root is called so.
    pub(crate) fn key(&self, hash: ObjectHash) -> SnapshotKey {
        SnapshotKey {
            author: self.position.author,
            number: self.number,
            hash,
        }
    }

    /// The part is signed, and called so.
    pub(crate) fn add_part(&mut self, hash: ObjectHash) {
        self.parts.push(hash);
    }
}

impl Vault {
    /// Whether this device, which has read all that there is, is to make a snapshot. Less than `objects_min` objects are not
    /// worth one.
    pub(crate) fn snapshot_is_due(&self, objects_min: u64) -> Result<bool, Error> {
        let (Some(replica), Some(trust), Some(session)) = (&self.replica, self.trust(), &self.session) else {
            return Ok(false);
        };
        if !session.keys.contains_key(&trust.epoch()) {
            return Ok(false);
        }
        if trust.epoch() > 1 && !replica.snapshots.iter().any(|known| known.epoch == trust.epoch()) {
            return Ok(true);
        }
        let covered = self.covered();
        let versions = &replica.standing.versions;
        let growth = |device: DeviceId| {
            u64::from(
                versions
                    .head(device)
                    .seq()
                    .saturating_sub(covered.head(device).seq()),
            )
        };
        let all: u64 = versions.iter().map(|(device, _)| growth(device)).sum();
        if all < objects_min || all * PASSKEYS_EACH < self.database.merged_len()? {
            return Ok(false);
        }
        let most = trust
            .members()
            .max_by_key(|device| (growth(*device), Reverse(*device)));
        Ok(most == Some(self.device_id()))
    }

    /// Begins a snapshot with this number; `None` where this device does not sync.
    pub(crate) fn begin_snapshot(&self, number: u32, unix_ms: u64) -> Result<Option<Making>, Error> {
        let (Some(replica), Some(member)) = (&self.replica, &self.member) else {
            return Ok(None);
        };
        let versions = replica.standing.versions.clone();
        let own = versions.head(member.device);
        let known = member.trust.remembered();
        let position = Position {
            author: member.device,
            incarnation: own.incarnation(),
            seq: own.seq(),
            previous: own.hash(),
            time: (unix_ms << 16).max(replica.standing.time),
            trust_seq: known.seq,
            trust_head: known.head,
            seen: versions.without(member.device).hash(),
        };
        let mut ids = Vec::new();
        self.database.all_merged(|row, sealed| {
            let payload = self.keys.open(Place::Merged(row), sealed)?;
            ids.push(Merged::decode_row(&payload).ok_or(Error::Tampered)?.0);
            Ok(())
        })?;
        ids.sort();
        // What an earlier one left that did not end.
        let named = replica.snapshots.iter().flat_map(|known| known.parts.iter());
        let named: BTreeSet<_> = named.collect();
        let mut left = self.database.snapshot_parts()?;
        left.retain(|hash| !named.contains(hash));
        self.database.apply_later(&Change {
            remove_snapshot_parts: left,
            ..Change::default()
        })?;
        Ok(Some(Making {
            number,
            position,
            epoch: member.trust.epoch(),
            versions,
            ids: ids.into_iter(),
            state: StateHash::new(),
            parts: Vec::new(),
        }))
    }

    /// What is to be signed next; `None` where the snapshot would be too large, or something was read meanwhile.
    pub(crate) fn next_piece(
        &self,
        making: &mut Making,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Piece>, Error> {
        let (Some(replica), Some(session)) = (&self.replica, &self.session) else {
            return Ok(None);
        };
        if replica.standing.versions != making.versions {
            return Ok(None);
        }
        let key = session.keys.get(&making.epoch).ok_or(Error::Tampered)?;
        let (mut items, mut len) = (Vec::new(), 0);
        while len < PART_LEN && items.len() < PART_ITEMS_MAX {
            let Some(id) = making.ids.next() else { break };
            let merged = self.merged(replica, &id)?;
            let fingerprint = merged.fingerprint(&id);
            making.state.add(&id, &fingerprint).ok_or(Error::Tampered)?;
            let item = merged.encode(&id).ok_or(Error::TooLarge)?;
            len += item.len();
            items.push(item);
        }
        let is_root = items.is_empty();
        if !is_root && making.parts.len() == PARTS_MAX {
            return Ok(None);
        }
        let (kind, payload) = if is_root {
            (SealedKind::Snapshot, self.root_of(making)?.encode())
        } else {
            (SealedKind::SnapshotPart, encode_part(&items))
        };
        let object = object::seal(key, kind, making.position, payload, rng);
        let fits =
            |object: &Unsigned| u64::try_from(object.signed_len()).is_ok_and(|len| len <= OBJECT_LEN_MAX);
        let piece = if is_root { Piece::Root } else { Piece::Part };
        Ok(object.filter(fits).map(piece))
    }

    fn root_of(&self, making: &Making) -> Result<Root, Error> {
        let replica = self.replica.as_ref().ok_or(Error::Tampered)?;
        let mut logs = BTreeMap::new();
        for (device, _) in making.versions.iter() {
            let unix_ms = self.last_written_unix_ms(device)?.unwrap_or_default();
            let told = self.told(device)?;
            logs.insert(device, Covered { unix_ms, told });
        }
        Ok(Root {
            number: making.number,
            versions: making.versions.clone(),
            logs,
            keys: replica.foreign.iter().map(WrappingKey::copy).collect(),
            device_names: replica.device_names.clone(),
            state: making.state.finish(),
            parts: making.parts.clone(),
        })
    }

    /// Keeps a part that this device signed.
    pub(crate) fn keep_snapshot_part(&mut self, hash: ObjectHash, part: Vec<u8>) -> Result<(), Error> {
        self.database.apply_later(&Change {
            put_snapshot_part: Some((hash, part)),
            ..Change::default()
        })
    }
}

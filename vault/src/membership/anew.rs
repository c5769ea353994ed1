//! A vault that is taken over with its recovery kit on a computer that has nothing of it but what a store keeps.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;

use super::join::{Joined, Kept};
use super::{Change, Here, Name, NewPin, NotChanged, Unlocked, all_roots, take_over};
use crate::attempts::Counted;
use crate::frame::{ObjectHash, Refused, SealedKind};
use crate::keys::{DeviceId, KeyAuth};
use crate::object::{Authentic, LogHead};
use crate::recovery_kit::RecoveryKit;
use crate::slot::open_slot_with;
use crate::trust::Trust;

/// The change that takes the vault over, and what this device is then.
pub struct Recovered {
    /// To be in the store before anything is kept here.
    pub change: Change,
    /// The only device of the vault.
    pub joined: Joined,
}

/// Where an object of a member's log stands, to be accepted up to it.
pub fn head_of(trust: &Trust, object: &[u8]) -> Result<(DeviceId, LogHead), Refused> {
    let object = Authentic::read(object, SealedKind::Log, trust.vault(), trust)?;
    let position = &object.header().position;
    let head = LogHead::new(position.incarnation, position.seq, object.hash());
    Ok((position.author, head))
}

/// The name of a snapshot of a member, to be believed after the member is none any more.
pub fn snapshot_of(trust: &Trust, root: &[u8]) -> Result<(DeviceId, ObjectHash), Refused> {
    let root = Authentic::read(root, SealedKind::Snapshot, trust.vault(), trust)?;
    Ok((root.header().position.author, root.hash()))
}

/// Takes the vault over. What is accepted is how far the log of each member, and which of their snapshots; `auth` is what the keys of this device
/// were made under.
pub fn recover_anew(
    kept: Kept<'_>,
    (kit, accepted): (
        &RecoveryKit,
        (&BTreeMap<DeviceId, LogHead>, &BTreeSet<ObjectHash>),
    ),
    (here, auth): (&mut Here<'_>, &KeyAuth),
    (pin, counted): (NewPin, Counted),
    new_kit: &RecoveryKit,
    rng: &mut dyn CryptoRng,
) -> Result<Recovered, NotChanged> {
    let entries = kept.entries.iter().map(Vec::as_slice);
    let before = Trust::read(entries, None).map_err(|_| Refused::Malformed)?;
    let change = take_over(
        &before,
        (kit, accepted),
        kept.object,
        (here, auth),
        (&pin, new_kit),
        rng,
    )?;
    let (_, entry) = &change.commit;
    let trust = before.follow(entry)?;
    let objects: Vec<(ObjectHash, Vec<u8>)> = change.before.iter().filter_map(object).collect();
    let object = |hash| {
        let found = objects.iter().find(|(name, _)| *name == hash);
        found.map(|(_, object)| object.clone())
    };
    let slot = trust.device_slot(here.device).and_then(object);
    let slot = slot.ok_or(Refused::Misplaced)?;
    let root = open_slot_with(&slot, &trust, here.device, (&mut *here.store, auth), &pin.secret)?;
    let roots = all_roots(&trust, root, &object)?;
    let (generation, keys) = change.device_keys().ok_or(Refused::Misplaced)?;
    let joined = Joined {
        device_keys: (generation, keys.to_vec()),
        device: here.device,
        entries: kept.entries.iter().cloned().chain([entry.clone()]).collect(),
        right_pin: counted.was_right(),
        unlocked: Unlocked {
            auth: pin.secret.key_auth(trust.vault(), here.device),
            pin: pin.secret,
            trust,
            roots,
        },
        objects,
    };
    Ok(Recovered { change, joined })
}

fn object((name, bytes): &(Name, Vec<u8>)) -> Option<(ObjectHash, Vec<u8>)> {
    match name {
        Name::Object(hash) => Some((*hash, bytes.clone())),
        Name::Entry(_) | Name::DeviceKeys(_) => None,
    }
}

//! The trust log of a device that syncs.

use std::collections::BTreeSet;

use rand_core::CryptoRng;

use super::Vault;
use crate::database::Change;
use crate::frame::Refused;
use crate::keys::DeviceId;
use crate::locked::Member;
use crate::membership::Name;
use crate::{Error, ObjectHash, Trust};

/// What an entry of the trust log means for this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    /// Everything goes on.
    Goes,
    /// The root key or the Vault PIN is another one.
    NeedsPin,
    /// This device is no member any more; nothing was changed.
    Removed,
    /// Something that it needs is not there; nothing was changed.
    Incomplete,
}

impl Vault {
    /// This device; `None` where the vault has no Vault PIN.
    pub fn this_device(&self) -> Option<DeviceId> {
        self.member.as_ref().map(|member| member.device)
    }

    /// This device.
    ///
    /// # Panics
    ///
    /// Where the vault has no Vault PIN.
    pub(crate) fn device_id(&self) -> DeviceId {
        self.member.as_ref().expect("a member").device
    }

    /// What the trust log says; `None` where the vault has no Vault PIN.
    pub fn trust(&self) -> Option<&Trust> {
        self.member.as_ref().map(|member| &member.trust)
    }

    /// Whether the root key or the Vault PIN is another one than the one that this device was opened with.
    pub(crate) fn needs_pin(&self) -> bool {
        let (Some(member), Some(session)) = (&self.member, &self.session) else {
            return false;
        };
        let has_key = session.keys.contains_key(&member.trust.epoch());
        !has_key || session.pin_generation != member.trust.pin_generation()
    }

    /// How many entries of the trust log are in the store.
    pub(crate) fn published_trust(&self) -> u32 {
        self.replica
            .as_ref()
            .map_or(0, |replica| replica.standing.published_trust)
    }

    /// Remembers that the store has the trust log up to this entry.
    pub(crate) fn set_published_trust(&mut self, rng: &mut dyn CryptoRng, seq: u32) -> Result<(), Error> {
        self.change_standing(rng, |standing| standing.published_trust = seq)
    }

    /// An entry of the trust log.
    pub(crate) fn trust_entry(&self, seq: u32) -> Result<Option<Vec<u8>>, Error> {
        self.database.object(&Name::Entry(seq).to_bytes())
    }

    /// A slot, or the root keys of earlier epochs, by its hash.
    pub fn membership_object(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.database.object(&Name::Object(hash).to_bytes())
    }

    /// Keeps what a change of the membership names that is about to be made: until the store has it, nobody else does.
    pub(crate) fn keep_membership_objects(&mut self, objects: &[(ObjectHash, Vec<u8>)]) -> Result<(), Error> {
        let named = objects
            .iter()
            .map(|(hash, object)| (Name::Object(*hash).to_bytes(), object.clone()));
        self.database.apply(&Change {
            put_objects: named.collect(),
            ..Change::default()
        })
    }

    /// What has to be there for this device to take the next entries of the trust log, and is not.
    pub(crate) fn needed_by(&self, entries: &[Vec<u8>]) -> Result<Result<Vec<ObjectHash>, Refused>, Error> {
        let Some(member) = &self.member else {
            return Ok(Err(Refused::Misplaced));
        };
        let next = match member.after(entries) {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(Ok(Vec::new())),
            Err(refused) => return Ok(Err(refused)),
        };
        let mut needed = Vec::new();
        for hash in next
            .device_slot(member.device)
            .into_iter()
            .chain(next.earlier_keys())
        {
            if self.membership_object(hash)?.is_none() {
                needed.push(hash);
            }
        }
        Ok(Ok(needed))
    }

    /// Takes the next entries of the trust log, with what the last of them needs.
    pub(crate) fn extend_trust(
        &mut self,
        entries: &[Vec<u8>],
        objects: Vec<(ObjectHash, Vec<u8>)>,
    ) -> Result<Extended, Error> {
        let Ok(needed) = self.needed_by(entries)? else {
            return Ok(Extended::Incomplete);
        };
        if !needed
            .iter()
            .all(|hash| objects.iter().any(|(found, _)| found == hash))
        {
            return Ok(Extended::Incomplete);
        }
        let Some(member) = &mut self.member else {
            return Ok(Extended::Incomplete);
        };
        let next = match member.after(entries) {
            Ok(Some(next)) => next,
            // What this device has stays open to it: it goes by the entries from before.
            Ok(None) => return Ok(Extended::Removed),
            Err(_) => return Ok(Extended::Incomplete),
        };
        let in_force = next.objects_in_force().map(|hash| Name::Object(hash).to_bytes());
        let in_force: BTreeSet<_> = in_force.collect();
        // What was replaced, and what a change would have needed that was not made.
        let mut remove_objects = self.database.objects_named(Name::OBJECT)?;
        remove_objects.retain(|name| !in_force.contains(name));
        let mut change = Change {
            remove_objects,
            ..Change::default()
        };
        for (seq, entry) in (member.trust.remembered().seq + 1..).zip(entries) {
            change
                .put_objects
                .push((Name::Entry(seq).to_bytes(), entry.clone()));
        }
        let objects = objects.into_iter();
        change
            .put_objects
            .extend(objects.map(|(hash, object)| (Name::Object(hash).to_bytes(), object)));
        self.database.apply(&change)?;
        let same_keys =
            next.epoch() == member.trust.epoch() && next.pin_generation() == member.trust.pin_generation();
        let extended = if same_keys {
            Extended::Goes
        } else {
            Extended::NeedsPin
        };
        member.trust = next;
        Ok(extended)
    }
}

impl Member {
    /// What the trust log says after these entries; `None` where one of them removes this device.
    fn after(&self, entries: &[Vec<u8>]) -> Result<Option<Trust>, Refused> {
        let mut trust = self.trust.clone();
        for entry in entries {
            trust = trust.follow(entry)?;
            if trust.member(self.device).is_none() {
                return Ok(None);
            }
        }
        Ok(Some(trust))
    }
}

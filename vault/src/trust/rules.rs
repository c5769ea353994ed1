//! When an entry of the trust log is accepted, and what it changes. `FORMAT.md` §10.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{DEVICES_FORMAT, SLOTS_MAX};
use super::{Body, Former, Head, Member, NewKeys, Target, Trust, vault_id};
use crate::device_key::PublicKeys;
use crate::frame::{Frame, Kind, ObjectHash, Refused};
use crate::keys::DeviceId;
use crate::object::{EXCHANGE_FORMAT, LogHead, Members};

impl Trust {
    /// What the first entry says.
    pub(crate) fn begin(genesis: &[u8]) -> Result<Self, Refused> {
        let frame = Frame::parse(genesis, Kind::Trust)?;
        let head = Head::decode(frame.header).ok_or(Refused::Malformed)?;
        let hash = frame.hash();
        // The key that signed is in what was signed: who this is, the name of the vault says, and nothing else.
        let Some(Body::Genesis {
            device,
            public,
            recovery,
            ..
        }) = Body::decode(frame.unverified_body())
        else {
            return Err(Refused::Malformed);
        };
        let vault = vault_id(frame.unverified_body());
        frame.verify(&public.signing)?;
        check_format(head.min_format, 0)?;
        let expected = Head {
            vault,
            seq: 1,
            previous: ObjectHash::NONE,
            epoch: 0,
            actor: device,
            ..head
        };
        if head != expected {
            return Err(Refused::Misplaced);
        }
        Ok(Self {
            vault,
            seq: 1,
            head: hash,
            time: head.time,
            min_format: head.min_format,
            members: BTreeMap::from([(device, Member::at(1, public))]),
            snapshots: BTreeSet::new(),
            former: BTreeMap::new(),
            recovery,
            keys: None,
            kdfs: BTreeMap::new(),
        })
    }

    /// What the log amounts to with one more entry; the entry is refused when it does not follow.
    pub(crate) fn follow(&self, entry: &[u8]) -> Result<Self, Refused> {
        let frame = Frame::parse(entry, Kind::Trust)?;
        let head = Head::decode(frame.header).ok_or(Refused::Malformed)?;
        if head.vault != self.vault || head.seq != self.seq + 1 || head.previous != self.head {
            return Err(Refused::Misplaced);
        }
        let hash = frame.hash();
        let body = Body::decode(frame.unverified_body()).ok_or(Refused::Malformed)?;
        // Who may say this, before it is looked at what is said.
        let author = match &body {
            Body::Recover { .. } => self.recovery.as_ref().map(|kit| kit.signing),
            Body::Genesis { .. }
            | Body::Keys(_)
            | Body::SetRecovery { .. }
            | Body::AddDevice { .. }
            | Body::Revoke { .. } => self.signing_key(head.actor),
        };
        frame.verify(&author.ok_or(Refused::NotAMember)?)?;
        check_format(head.min_format, self.min_format.max(body.format()))?;
        let mut next = Self {
            seq: head.seq,
            head: hash,
            time: head.time,
            min_format: head.min_format,
            ..self.clone()
        };
        next.take(head.actor, body)?;
        if head.epoch != next.epoch() {
            return Err(Refused::Misplaced);
        }
        Ok(next)
    }

    /// What an entry does that `actor` may write.
    fn take(&mut self, actor: DeviceId, body: Body) -> Result<(), Refused> {
        match body {
            Body::Genesis { .. } => Err(Refused::Misplaced),
            Body::Keys(keys) => self.take_keys(keys),
            Body::SetRecovery { recovery, slot } => {
                self.recovery = Some(recovery);
                self.take_slot(Target::RecoveryKit, slot)
            }
            Body::Recover {
                device,
                public,
                recovery,
                keys,
                accepted,
                snapshots,
            } => {
                if actor != device || keys.epoch <= self.epoch() {
                    return Err(Refused::Misplaced);
                }
                self.remove_everybody(accepted)?;
                self.snapshots = snapshots;
                self.insert(device, Member::at(self.seq, public))?;
                self.recovery = Some(recovery);
                self.take_keys(keys)
            }
            Body::AddDevice {
                device,
                public,
                slot,
                transcript,
            } => {
                let member = Member {
                    transcript: Some(transcript),
                    ..Member::at(self.seq, public)
                };
                self.insert(device, member)?;
                self.take_slot(Target::Device(device), slot)
            }
            Body::Revoke { device, last, keys } => {
                // Whoever goes must not have chosen the next root key.
                if actor == device || keys.epoch <= self.epoch() {
                    return Err(Refused::Misplaced);
                }
                self.remove(device, last)?;
                self.take_keys(keys)
            }
        }
    }

    /// The name of a device is never used again: what it says would belong to either.
    fn insert(&mut self, device: DeviceId, member: Member) -> Result<(), Refused> {
        let is_known = self.members.contains_key(&device) || self.former.contains_key(&device);
        // Before there were several devices, one could recover the vault under its old name.
        if is_known && self.min_format >= DEVICES_FORMAT {
            return Err(Refused::Misplaced);
        }
        self.former.remove(&device);
        self.members.insert(device, member);
        Ok(())
    }

    fn remove(&mut self, device: DeviceId, last: LogHead) -> Result<(), Refused> {
        let member = self.members.remove(&device).ok_or(Refused::NotAMember)?;
        self.former.insert(device, Former { member, last });
        Ok(())
    }

    /// Whoever was a member has lost his devices, or his trust in them.
    fn remove_everybody(&mut self, mut accepted: BTreeMap<DeviceId, LogHead>) -> Result<(), Refused> {
        let members: Vec<_> = self.members().collect();
        for device in members {
            self.remove(device, accepted.remove(&device).unwrap_or(LogHead::START))?;
        }
        if accepted.is_empty() {
            Ok(())
        } else {
            Err(Refused::NotAMember)
        }
    }

    /// One more slot, or another one, for the root key and the PIN in force.
    fn take_slot(&mut self, target: Target, slot: ObjectHash) -> Result<(), Refused> {
        let keys = self.keys.as_mut().ok_or(Refused::Misplaced)?;
        keys.slots.insert(target, slot);
        // As many as an entry with new keys can list, or there could be none any more.
        if keys.slots.len() > SLOTS_MAX {
            return Err(Refused::Misplaced);
        }
        Ok(())
    }

    /// Puts other slots in force: of the same epoch or the next one, and never with a weaker PIN or nobody's.
    fn take_keys(&mut self, keys: NewKeys) -> Result<(), Refused> {
        let (epoch, pin_generation) = (self.epoch(), self.pin_generation());
        let is_next = keys.epoch == epoch + 1;
        if !(is_next || keys.epoch == epoch)
            || !(pin_generation..=pin_generation + 1).contains(&keys.pin_generation)
        {
            return Err(Refused::Misplaced);
        }
        if let Some(before) = &self.keys {
            keys.kdf
                .cost()
                .at_least(before.kdf.cost())
                .map_err(|_| Refused::Misplaced)?;
            let same_pin = keys.pin_generation == before.pin_generation;
            if same_pin && keys.kdf != before.kdf {
                return Err(Refused::Misplaced);
            }
        }
        // With a new root key the old ones are kept, or what they sealed is lost.
        let earlier_as_should_be = match (is_next, keys.epoch) {
            (true, 1) => keys.earlier.is_none(),
            (true, _) => keys.earlier.is_some(),
            (false, _) => keys.earlier == self.keys.as_ref().and_then(|keys| keys.earlier),
        };
        let recipients = self.recipients().into_iter().map(|(target, _)| target);
        if !earlier_as_should_be || !keys.slots.keys().copied().eq(recipients) {
            return Err(Refused::Misplaced);
        }
        self.kdfs.insert(keys.pin_generation, keys.kdf);
        self.keys = Some(keys);
        Ok(())
    }
}

impl Member {
    fn at(added: u32, public: PublicKeys) -> Self {
        Self {
            public,
            added,
            transcript: None,
        }
    }
}

/// Formats never go back.
pub(super) fn check_format(found: u32, before: u32) -> Result<(), Refused> {
    if found > EXCHANGE_FORMAT {
        Err(Refused::NewerFormat)
    } else if found < before.max(1) {
        Err(Refused::Misplaced)
    } else {
        Ok(())
    }
}

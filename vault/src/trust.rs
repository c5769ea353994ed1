//! The trust log: who belongs to a vault, which root key is in force, and which slots hold it. Its entries are in
//! clear and signed, each names the one before, and the vault is named after the first. `FORMAT.md` §10.
//!
//! Entries go in one by one; [`Trust`] is what they amount to. Nothing is believed that the log does not say.

mod entry;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub(crate) use self::entry::{Body, Head, NewKeys, Target};
use crate::device_key::PublicKeys;
use crate::frame::{Frame, Kind, ObjectHash, Refused};
use crate::kdf::KdfParameters;
use crate::keys::{DeviceId, VAULT_ID, VaultId};
use crate::object::{EXCHANGE_FORMAT, Members};
use crate::signature::PublicPoint;

/// What the entries read so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    vault: VaultId,
    seq: u32,
    head: ObjectHash,
    time: u64,
    min_format: u32,
    members: BTreeMap<DeviceId, PublicKeys>,
    recovery: Option<PublicKeys>,
    keys: Option<NewKeys>,
}

/// What a device remembers of the trust log, where nobody but it can write: the log may not show less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// How many entries there were.
    pub seq: u32,
    /// The last of them.
    pub head: ObjectHash,
}

/// Why a trust log is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// An entry is not what the log would accept.
    #[error("entry {seq} of the trust log is not valid: {reason}")]
    Entry {
        /// Which one, from 1.
        seq: u32,
        /// What is wrong with it.
        reason: Refused,
    },
    /// There were more entries once.
    #[error("the trust log was put back to an earlier state")]
    RolledBack,
    /// There were other entries once.
    #[error("the trust log is not the one that this device knows")]
    Forked,
}

impl Trust {
    /// Reads a whole log. `remembered` is what this device knew of it before.
    pub fn read<'a>(
        entries: impl IntoIterator<Item = &'a [u8]>,
        remembered: Option<Remembered>,
    ) -> Result<Self, NotTrusted> {
        let mut trust: Option<Self> = None;
        for (seq, entry) in (1..).zip(entries) {
            let next = match &trust {
                None => Self::begin(entry),
                Some(trust) => trust.follow(entry),
            }
            .map_err(|reason| NotTrusted::Entry { seq, reason })?;
            if remembered.is_some_and(|known| known.seq == seq && known.head != next.head) {
                return Err(NotTrusted::Forked);
            }
            trust = Some(next);
        }
        let trust = trust.ok_or(NotTrusted::Entry {
            seq: 1,
            reason: Refused::Malformed,
        })?;
        if remembered.is_some_and(|known| known.seq > trust.seq) {
            return Err(NotTrusted::RolledBack);
        }
        Ok(trust)
    }

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
            members: BTreeMap::from([(device, public)]),
            recovery,
            keys: None,
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
            Body::Genesis { .. } | Body::Keys(_) | Body::SetRecovery { .. } => self.signing_key(head.actor),
        };
        frame.verify(&author.ok_or(Refused::NotAMember)?)?;
        check_format(head.min_format, self.min_format)?;
        let mut next = Self {
            seq: head.seq,
            head: hash,
            time: head.time,
            min_format: head.min_format,
            ..self.clone()
        };
        match body {
            Body::Genesis { .. } => return Err(Refused::Misplaced),
            Body::Keys(keys) => next.take_keys(keys)?,
            Body::SetRecovery { recovery, slot } => {
                next.recovery = Some(recovery);
                let keys = next.keys.as_mut().ok_or(Refused::Misplaced)?;
                keys.slots.insert(Target::RecoveryKit, slot);
            }
            Body::Recover {
                device,
                public,
                recovery,
                keys,
            } => {
                if head.actor != device || keys.epoch <= self.epoch() {
                    return Err(Refused::Misplaced);
                }
                // Whoever was a member has lost his devices, or his trust in them.
                next.members = BTreeMap::from([(device, public)]);
                next.recovery = Some(recovery);
                next.take_keys(keys)?;
            }
        }
        if head.epoch != next.epoch() {
            return Err(Refused::Misplaced);
        }
        Ok(next)
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
        self.keys = Some(keys);
        Ok(())
    }

    /// Everybody who has to be able to open the vault.
    pub(crate) fn recipients(&self) -> Vec<(Target, PublicKeys)> {
        let kit = self.recovery.iter().map(|kit| (Target::RecoveryKit, kit.clone()));
        let devices = self
            .members
            .iter()
            .map(|(device, public)| (Target::Device(*device), public.clone()));
        kit.chain(devices).collect()
    }

    /// The name of the vault.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// What a device should remember.
    pub fn remembered(&self) -> Remembered {
        Remembered {
            seq: self.seq,
            head: self.head,
        }
    }

    /// When the newest entry was written, by the clock of who wrote it: milliseconds since the Unix epoch.
    pub fn newest_unix_ms(&self) -> u64 {
        self.time >> 16
    }

    /// Which root key is in force; 0 before the first.
    pub fn epoch(&self) -> u32 {
        self.keys.as_ref().map_or(0, |keys| keys.epoch)
    }

    /// Which Vault PIN is in force; 0 before the first.
    pub fn pin_generation(&self) -> u32 {
        self.keys.as_ref().map_or(0, |keys| keys.pin_generation)
    }

    /// How the Vault PIN in force is stretched.
    pub fn kdf(&self) -> Option<KdfParameters> {
        self.keys.as_ref().map(|keys| keys.kdf)
    }

    /// The object that holds the root keys of earlier epochs.
    pub fn earlier_keys(&self) -> Option<ObjectHash> {
        self.keys.as_ref()?.earlier
    }

    /// The device's slot in force.
    pub fn device_slot(&self, device: DeviceId) -> Option<ObjectHash> {
        self.slot(Target::Device(device))
    }

    /// The recovery kit's slot in force.
    pub fn recovery_slot(&self) -> Option<ObjectHash> {
        self.slot(Target::RecoveryKit)
    }

    pub(crate) fn slot(&self, target: Target) -> Option<ObjectHash> {
        self.keys.as_ref()?.slots.get(&target).copied()
    }

    pub(crate) fn slots(&self) -> BTreeMap<Target, ObjectHash> {
        self.keys
            .as_ref()
            .map(|keys| keys.slots.clone())
            .unwrap_or_default()
    }

    /// What has to be in a store for everybody to be able to open the vault.
    pub(crate) fn objects_in_force(&self) -> impl Iterator<Item = ObjectHash> {
        self.slots().into_values().chain(self.earlier_keys())
    }

    /// The keys of a member.
    pub fn member(&self, device: DeviceId) -> Option<&PublicKeys> {
        self.members.get(&device)
    }

    /// The members.
    pub fn members(&self) -> impl Iterator<Item = DeviceId> {
        self.members.keys().copied()
    }

    /// The recovery kit that is in force.
    pub fn recovery(&self) -> Option<&PublicKeys> {
        self.recovery.as_ref()
    }
}

impl Members for Trust {
    fn signing_key(&self, device: DeviceId) -> Option<PublicPoint> {
        self.members.get(&device).map(|public| public.signing)
    }
}

/// The vault that starts with this genesis.
pub(crate) fn vault_id(genesis_body: &[u8]) -> VaultId {
    VaultId(
        Sha256::new()
            .chain_update(VAULT_ID)
            .chain_update(genesis_body)
            .finalize()
            .into(),
    )
}

/// Formats never go back.
fn check_format(found: u32, before: u32) -> Result<(), Refused> {
    if found > EXCHANGE_FORMAT {
        Err(Refused::NewerFormat)
    } else if found < before.max(1) {
        Err(Refused::Misplaced)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

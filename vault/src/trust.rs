//! The trust log: who belongs to a vault, which root key is in force, and which slots hold it. Its entries are in
//! clear and signed, each names the one before, and the vault is named after the first. `FORMAT.md` §10.
//!
//! Entries go in one by one; [`Trust`] is what they amount to. Nothing is believed that the log does not say.

mod entry;
mod race;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

pub use self::entry::Transcript;
pub(crate) use self::entry::{Body, Head, NewKeys, Target};
pub use self::race::{Chosen, NotSettled};
use crate::device_key::PublicKeys;
use crate::frame::{ObjectHash, Refused};
use crate::kdf::KdfParameters;
use crate::keys::{DeviceId, VAULT_ID, VaultId};
use crate::object::{LogHead, Members, Position};
use crate::signature::PublicPoint;

/// What the entries read so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    vault: VaultId,
    seq: u32,
    head: ObjectHash,
    time: u64,
    min_format: u32,
    members: BTreeMap<DeviceId, Member>,
    former: BTreeMap<DeviceId, Former>,
    /// Of former members, and believed.
    snapshots: BTreeSet<ObjectHash>,
    recovery: Option<PublicKeys>,
    keys: Option<NewKeys>,
    /// The parameters of each Vault PIN, by its generation.
    kdfs: BTreeMap<u32, KdfParameters>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    public: PublicKeys,
    /// The entry since which it is one.
    added: u32,
    /// Only of a device that another one added.
    transcript: Option<Transcript>,
}

/// A device that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Former {
    member: Member,
    /// Nothing in its log after this is accepted.
    last: LogHead,
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

    /// Everybody who has to be able to open the vault.
    pub(crate) fn recipients(&self) -> Vec<(Target, PublicKeys)> {
        let kit = self.recovery.iter().map(|kit| (Target::RecoveryKit, kit.clone()));
        let devices = self
            .members
            .iter()
            .map(|(device, member)| (Target::Device(*device), member.public.clone()));
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

    /// The least format that a reader must know.
    pub(crate) fn min_format(&self) -> u32 {
        self.min_format
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

    /// How the Vault PIN of a generation is stretched, also of one that is not in force any more.
    pub fn kdf_of(&self, pin_generation: u32) -> Option<KdfParameters> {
        self.kdfs.get(&pin_generation).copied()
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
    pub fn objects_in_force(&self) -> impl Iterator<Item = ObjectHash> {
        self.slots().into_values().chain(self.earlier_keys())
    }

    /// The keys of a member.
    pub fn member(&self, device: DeviceId) -> Option<&PublicKeys> {
        self.members.get(&device).map(|member| &member.public)
    }

    /// The members.
    pub fn members(&self) -> impl Iterator<Item = DeviceId> {
        self.members.keys().copied()
    }

    /// The entry since which a device is a member.
    pub fn added_at(&self, device: DeviceId) -> Option<u32> {
        self.members.get(&device).map(|member| member.added)
    }

    /// How a member and the device that added it made sure of each other; `None` for one that nobody added.
    pub fn transcript(&self, device: DeviceId) -> Option<Transcript> {
        self.members.get(&device)?.transcript
    }

    /// The keys of a device that was removed, and how far its log is accepted.
    pub fn former(&self, device: DeviceId) -> Option<(&PublicKeys, LogHead)> {
        let former = self.former.get(&device)?;
        Some((&former.member.public, former.last))
    }

    /// The devices that were removed, and how far the log of each is accepted.
    pub fn former_members(&self) -> impl Iterator<Item = (DeviceId, LogHead)> {
        self.former.iter().map(|(device, former)| (*device, former.last))
    }

    /// The key with which an object that claims to stand at `position` of a device's log has to be signed. `None` when
    /// nothing there is accepted: the device is nobody's, it was removed and its log ended before, or it claims to have
    /// written before it was a member. A member had read the log up to `vouched` before it knew of the removal.
    pub fn log_author(&self, position: &Position, vouched: u32) -> Option<PublicPoint> {
        let author = self.members.get(&position.author).or_else(|| {
            let Former { member, last } = self.former.get(&position.author)?;
            let accepted = (1..=last.seq()).contains(&position.seq);
            let accepted = accepted && position.incarnation <= last.incarnation();
            let vouched = (last.seq() + 1..=vouched).contains(&position.seq);
            (accepted || vouched).then_some(member)
        })?;
        (position.trust_seq >= author.added).then_some(author.public.signing)
    }

    /// Whether a snapshot is believed although its author may be a member no more: the vault was taken over with its kit,
    /// and this was there.
    pub(crate) fn names_snapshot(&self, hash: ObjectHash) -> bool {
        self.snapshots.contains(&hash)
    }

    /// Whether there are such snapshots.
    pub(crate) fn names_snapshots(&self) -> bool {
        !self.snapshots.is_empty()
    }

    /// The recovery kit that is in force.
    pub fn recovery(&self) -> Option<&PublicKeys> {
        self.recovery.as_ref()
    }
}

impl Members for Trust {
    fn signing_key(&self, device: DeviceId) -> Option<PublicPoint> {
        self.member(device).map(|public| public.signing)
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

#[cfg(test)]
mod tests;

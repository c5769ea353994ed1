//! How a device that was added comes to the keys of the vault. Its own keys are kept under a temporary auth value until
//! then, because what the Vault PIN is stretched with is in the vault.
//!
//! That the slot opens with the Vault PIN proves the vault to the device: nobody who does not know the PIN can make
//! such a slot.

use rand_core::CryptoRng;

use super::{Here, Unlocked, all_roots};
use crate::attempts::{Counted, RightPin};
use crate::frame::{ObjectHash, Refused};
use crate::keys::{DeviceId, KeyAuth, VaultId};
use crate::locked::RightGuess;
use crate::pin::VaultPin;
use crate::slot::{NotOpened, open_slot_with};
use crate::trust::{NotTrusted, Remembered, Transcript, Trust};

/// What the device that adds another one tells it, after the user let it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    pub(crate) vault: VaultId,
    pub(crate) head: Remembered,
    pub(crate) transcript: Transcript,
}

impl Invitation {
    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The entry of the trust log that added the device.
    pub fn head(&self) -> Remembered {
        self.head
    }
}

/// What a store has of a vault.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// The trust log.
    pub entries: &'a [Vec<u8>],
    /// What is kept under a hash.
    pub object: &'a dyn Fn(ObjectHash) -> Option<Vec<u8>>,
}

/// A device that has the keys of the vault, and nothing else yet.
pub struct Joined {
    pub(crate) unlocked: Unlocked,
    pub(crate) right_pin: RightPin,
    /// The device's keys as they are kept from now on, and under which number; durable before the database is made.
    pub device_keys: (u32, Vec<u8>),
    pub(crate) device: DeviceId,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) objects: Vec<(ObjectHash, Vec<u8>)>,
}

/// Why a device did not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotJoined {
    /// The trust log is not believed, or not yet as far as the invitation.
    #[error(transparent)]
    Trust(#[from] NotTrusted),
    /// It is the trust log of another vault.
    #[error("this is another vault than the one that was to be joined")]
    OtherVault,
    /// The trust log does not say that this device was added, or says that it was another conversation.
    #[error("the vault does not say that this device was added")]
    NotAdded,
    /// The slot does not open.
    #[error(transparent)]
    Keys(#[from] NotOpened),
}

impl From<Refused> for NotJoined {
    fn from(refused: Refused) -> Self {
        Self::Keys(refused.into())
    }
}

impl Joined {
    /// Opens the database that was made, without asking for the Vault PIN again.
    pub fn into_guess(self) -> RightGuess {
        RightGuess {
            unlocked: self.unlocked,
            right_pin: self.right_pin,
        }
    }
}

/// Joins the vault. `auth` is what the keys of the device were made under; `pin` is the Vault PIN, one guess, which was
/// counted.
pub fn join(
    invitation: &Invitation,
    kept: Kept<'_>,
    (here, auth): (&mut Here<'_>, &KeyAuth),
    (pin, counted): (&VaultPin, Counted),
    rng: &mut dyn CryptoRng,
) -> Result<Joined, NotJoined> {
    let trust = invited(invitation, kept.entries, here)?;
    let pin = trust
        .kdf()
        .ok_or(Refused::Misplaced)?
        .stretch(pin)
        .map_err(NotOpened::from)?;
    let slot_name = trust.device_slot(here.device).ok_or(Refused::NotAMember)?;
    let slot = (kept.object)(slot_name).ok_or(Refused::Misplaced)?;
    let root = open_slot_with(&slot, &trust, here.device, (&mut *here.store, auth), &pin)?;
    let roots = all_roots(&trust, root, kept.object)?;

    let new_auth = pin.key_auth(trust.vault(), here.device);
    let keys = here
        .store
        .resealed(auth, &new_auth, rng)
        .map_err(NotOpened::from)?;
    // What this device needs to be opened again, or to be recovered from with the kit.
    let needed = [Some(slot_name), trust.recovery_slot(), trust.earlier_keys()];
    let needed = needed.into_iter().flatten();
    let objects = needed.filter_map(|name| Some((name, (kept.object)(name)?)));
    Ok(Joined {
        device_keys: (trust.pin_generation(), keys),
        device: here.device,
        entries: kept.entries.to_vec(),
        objects: objects.collect(),
        right_pin: counted.was_right(),
        unlocked: Unlocked {
            trust,
            roots,
            pin,
            auth: new_auth,
        },
    })
}

/// The trust log, where it says that this device was invited.
fn invited(invitation: &Invitation, entries: &[Vec<u8>], here: &Here<'_>) -> Result<Trust, NotJoined> {
    let entries = entries.iter().map(Vec::as_slice);
    let trust = Trust::read(entries, Some(invitation.head))?;
    if trust.vault() != invitation.vault {
        return Err(NotJoined::OtherVault);
    }
    let is_added = trust.member(here.device) == Some(here.store.public())
        && trust.transcript(here.device) == Some(invitation.transcript);
    if is_added {
        Ok(trust)
    } else {
        Err(NotJoined::NotAdded)
    }
}

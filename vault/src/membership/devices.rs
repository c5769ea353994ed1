//! Another device, and one less.

use rand_core::CryptoRng;

use super::{Change, Here, NewPin, NewRoot, NotChanged, Unlocked, Writing, all_roots};
use crate::attempts::RightPin;
use crate::device_key::PublicKeys;
use crate::frame::{ObjectHash, Refused};
use crate::keys::DeviceId;
use crate::object::LogHead;
use crate::slot::{NotOpened, open_slot_with};
use crate::trust::{Body, Target, Transcript, Trust};

/// A device that the user let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    pub(crate) device: DeviceId,
    pub(crate) public: PublicKeys,
    pub(crate) transcript: Transcript,
}

impl NewDevice {
    /// Its name in the vault.
    pub fn device(&self) -> DeviceId {
        self.device
    }
}

impl Unlocked {
    /// One more member, with a slot for the root key and the Vault PIN in force.
    pub fn add_device(
        &self,
        here: &mut Here<'_>,
        _: RightPin,
        new: &NewDevice,
        rng: &mut dyn CryptoRng,
    ) -> Result<Change, NotChanged> {
        let NewDevice {
            device,
            public,
            transcript,
        } = new;
        let mut writer = Writing::new(self.trust(), here, &self.auth);
        let target = Target::Device(*device);
        let slot = writer.slot(target, public, &self.keys_in_force()?, rng)?;
        let body = Body::AddDevice {
            device: *device,
            public: public.clone(),
            slot,
            transcript: *transcript,
        };
        writer.finish(self.trust().epoch(), &body, Vec::new())
    }

    /// Removes another device: it gets no root key from then on, and its log is accepted up to `last`. Whoever has that
    /// device may know the Vault PIN; where that is so, `pin` is another one.
    pub fn revoke(
        &self,
        here: &mut Here<'_>,
        _: RightPin,
        (device, last): (DeviceId, LogHead),
        pin: Option<&NewPin>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Change, NotChanged> {
        self.replace_keys(here, pin, NewRoot::Without { device, last }, rng)
    }

    /// Goes on to what the trust log says now, where the Vault PIN is still the same: other members, another root key.
    pub fn follow(
        &mut self,
        trust: Trust,
        here: &mut Here<'_>,
        object: &dyn Fn(ObjectHash) -> Option<Vec<u8>>,
    ) -> Result<(), NotOpened> {
        if trust.vault() != self.trust.vault() {
            return Err(Refused::Misplaced.into());
        }
        if trust.pin_generation() != self.trust.pin_generation() {
            return Err(NotOpened::WrongPin);
        }
        let slot = trust.device_slot(here.device).ok_or(Refused::NotAMember)?;
        let slot = object(slot).ok_or(Refused::Misplaced)?;
        let device = here.device;
        let root = open_slot_with(&slot, &trust, device, (&mut *here.store, &self.auth), &self.pin)?;
        self.roots = all_roots(&trust, root, object)?;
        self.trust = trust;
        Ok(())
    }
}

//! A device whose keys are still kept under an earlier Vault PIN, because another device made the new one: it needs
//! both, once.

use rand_core::CryptoRng;

use super::{Here, Unlocked, all_roots};
use crate::attempts::Counted;
use crate::frame::{ObjectHash, Refused};
use crate::locked::RightGuess;
use crate::pin::VaultPin;
use crate::slot::{NotOpened, open_slot_with};
use crate::trust::Trust;

/// The Vault PIN under which the device's keys are kept.
#[derive(Clone, Copy)]
pub struct EarlierPin<'a> {
    /// Its number.
    pub generation: u32,
    /// What was typed.
    pub pin: &'a VaultPin,
}

/// The vault is open, and the device's keys go with the Vault PIN in force.
pub struct CaughtUp {
    /// What opens the vault.
    pub guess: RightGuess,
    /// The device's keys as they are kept from now on, and under which number. The earlier ones are removed after these
    /// are durable.
    pub device_keys: (u32, Vec<u8>),
}

impl Unlocked {
    /// As [`Self::open`], with the device's keys as they are kept under an earlier Vault PIN.
    pub fn catch_up(
        trust: Trust,
        here: &mut Here<'_>,
        earlier: EarlierPin<'_>,
        (pin, counted): (&VaultPin, Counted),
        object: &dyn Fn(ObjectHash) -> Option<Vec<u8>>,
        rng: &mut dyn CryptoRng,
    ) -> Result<CaughtUp, NotOpened> {
        let (vault, device) = (trust.vault(), here.device);
        let slot = trust.device_slot(device).and_then(object);
        let slot = slot.ok_or(Refused::Misplaced)?;
        let kdf = trust.kdf_of(earlier.generation).ok_or(Refused::Misplaced)?;
        let earlier = kdf.stretch(earlier.pin)?.key_auth(vault, device);
        let pin = trust.kdf().ok_or(Refused::Misplaced)?.stretch(pin)?;
        let root = open_slot_with(&slot, &trust, device, (&mut *here.store, &earlier), &pin)?;
        let roots = all_roots(&trust, root, object)?;
        let auth = pin.key_auth(vault, device);
        let keys = here.store.resealed(&earlier, &auth, rng)?;
        Ok(CaughtUp {
            device_keys: (trust.pin_generation(), keys),
            guess: RightGuess {
                right_pin: counted.was_right(),
                unlocked: Self {
                    trust,
                    roots,
                    pin,
                    auth,
                },
            },
        })
    }
}

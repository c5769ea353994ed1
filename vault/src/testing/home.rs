//! A device and what it keeps, for the tests of the key hierarchy.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::TestRng;
use crate::frame::ObjectHash;
use crate::{
    Change, Counted, DeviceId, GuessLimit, Here, KdfCost, KeyAuth, Name, NewPin, NotOpened, NotTrusted,
    RecoveryKit, RightPin, SoftwareKeys, Trust, Unlocked, VaultPin, create, open_device_slot,
};

pub(crate) const DEVICE: DeviceId = DeviceId([0xa1; 16]);
pub(crate) const PIN: &str = "tin ra of olm";
pub(crate) const NEXT_PIN: &str = "another passphrase";

/// All that is kept, by name.
#[derive(Clone, Default)]
pub(crate) struct Home(pub(crate) BTreeMap<Name, Vec<u8>>);

/// One durable change of what is kept.
pub(crate) enum Step {
    Put(Name, Vec<u8>),
    Remove(Name),
}

pub(crate) fn kit(seed: u64) -> RecoveryKit {
    RecoveryKit::random(&mut TestRng(seed << 32))
}

pub(crate) fn new_pin(text: &str) -> NewPin {
    let cost = KdfCost::new(64 << 10, 3, 4).unwrap();
    NewPin::choose(text, GuessLimit::None, cost, &mut TestRng(0)).unwrap()
}

/// A change, one write after the other.
pub(crate) fn steps(change: Change) -> Vec<Step> {
    let Change {
        before,
        commit,
        after,
    } = change;
    let puts = before.into_iter().chain([commit]);
    puts.map(|(name, bytes)| Step::Put(name, bytes))
        .chain(after.into_iter().map(Step::Remove))
        .collect()
}

impl Home {
    /// A new vault, with [`PIN`] and the kit 1.
    pub(crate) fn new() -> Self {
        let mut home = Self::default();
        for step in steps(Self::creation(1)) {
            home.apply(step);
        }
        home
    }

    pub(crate) fn creation(seed: u64) -> Change {
        let rng = &mut TestRng(seed);
        let auth = KeyAuth::random(rng);
        let mut keys = SoftwareKeys::generate(&auth, rng);
        let mut here = Here {
            device: DEVICE,
            store: &mut keys,
            time: 1,
        };
        create(&mut here, &auth, &new_pin(PIN), Some(&kit(1)), rng)
            .unwrap()
            .change
    }

    pub(crate) fn apply(&mut self, step: Step) {
        match step {
            Step::Put(name, bytes) => {
                self.0.insert(name, bytes);
            }
            Step::Remove(name) => {
                self.0.remove(&name);
            }
        }
    }

    pub(crate) fn entries(&self) -> Vec<&[u8]> {
        (1..)
            .map_while(|seq| self.0.get(&Name::Entry(seq)).map(Vec::as_slice))
            .collect()
    }

    pub(crate) fn trust(&self) -> Trust {
        self.try_trust().unwrap()
    }

    pub(crate) fn try_trust(&self) -> Result<Trust, NotTrusted> {
        Trust::read(self.entries(), None)
    }

    pub(crate) fn object(&self, hash: ObjectHash) -> Option<Vec<u8>> {
        self.0.get(&Name::Object(hash)).cloned()
    }

    /// The slot of [`DEVICE`] in force.
    pub(crate) fn slot(&self) -> Vec<u8> {
        self.object(self.trust().device_slot(DEVICE).unwrap()).unwrap()
    }

    pub(crate) fn keys(&self) -> SoftwareKeys {
        SoftwareKeys::from_bytes(&self.0[&Name::DeviceKeys(self.trust().pin_generation())]).unwrap()
    }

    /// Opens the vault as it is.
    pub(crate) fn open(&self, pin: &str) -> Result<Unlocked, NotOpened> {
        self.open_with_evidence(pin).map(|(unlocked, _)| unlocked)
    }

    fn open_with_evidence(&self, pin: &str) -> Result<(Unlocked, RightPin), NotOpened> {
        let mut keys = self.keys();
        let mut here = Here {
            device: DEVICE,
            store: &mut keys,
            time: 2,
        };
        let pin = VaultPin::typed(pin).unwrap();
        let object = |hash| self.object(hash);
        Unlocked::open(self.trust(), &mut here, &pin, Counted::for_test(), &object)
    }

    /// Whether `slot` opens as the slot of [`DEVICE`].
    pub(crate) fn try_slot(&self, slot: &[u8], trust: &Trust, pin: &str) -> Result<[u8; 32], NotOpened> {
        let pin = VaultPin::typed(pin).unwrap();
        let opened = open_device_slot(slot, trust, DEVICE, &mut self.keys(), &pin, Counted::for_test());
        opened.map(|opened| *opened.root.expose_secret())
    }

    /// What `make` makes of the open vault.
    pub(crate) fn change(
        &self,
        pin: &str,
        make: impl FnOnce(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change,
    ) -> Change {
        let (unlocked, right_pin) = self.open_with_evidence(pin).unwrap();
        let mut keys = self.keys();
        let mut here = Here {
            device: DEVICE,
            store: &mut keys,
            time: 3,
        };
        let seed = 1 << 40 | u64::from(unlocked.trust().remembered().seq) << 20;
        make(&unlocked, &mut here, right_pin, &mut TestRng(seed))
    }

    pub(crate) fn changed(
        mut self,
        pin: &str,
        make: impl FnOnce(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change,
    ) -> Self {
        for step in steps(self.change(pin, make)) {
            self.apply(step);
        }
        self
    }
}

//! Several devices of one vault, and the store that they share, for the tests of what concerns more than one.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::TestRng;
use super::home::{DEVICE, Home, PIN, Step, steps};
use crate::{
    Change, Counted, DeviceId, Here, Invitation, Joined, Kept, KeyAuth, KeyStore, Name, NewDevice, NotJoined,
    NotOpened, RightPin, SoftwareKeys, Transcript, Trust, Unlocked, VaultPin, join,
};

pub(crate) const SECOND: DeviceId = DeviceId([0xb2; 16]);
pub(crate) const THIRD: DeviceId = DeviceId([0xc3; 16]);
pub(crate) const FOURTH: DeviceId = DeviceId([0xd4; 16]);

/// The store, and the keys of each device by the generation of the Vault PIN.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) store: Home,
    pub(crate) keys: BTreeMap<(DeviceId, u32), Vec<u8>>,
    /// The Vault PIN with which changes are made.
    pub(crate) pin: &'static str,
}

/// A device that is not a member yet.
pub(crate) struct Newcomer {
    pub(crate) auth: KeyAuth,
    pub(crate) keys: SoftwareKeys,
    pub(crate) new: NewDevice,
}

impl Newcomer {
    pub(crate) fn new(device: DeviceId) -> Self {
        let rng = &mut TestRng(u64::from(device.0[0]) << 48);
        let auth = KeyAuth::random(rng);
        let keys = SoftwareKeys::generate(&auth, rng);
        let new = NewDevice {
            device,
            public: keys.public().clone(),
            transcript: Transcript([device.0[0]; 32]),
        };
        Self { auth, keys, new }
    }

    /// What it is told when it was added to this vault.
    pub(crate) fn invitation(&self, trust: &Trust) -> Invitation {
        Invitation {
            vault: trust.vault(),
            head: trust.remembered(),
            transcript: self.new.transcript,
        }
    }

    pub(crate) fn join(
        &mut self,
        invitation: &Invitation,
        store: &Home,
        pin: &str,
    ) -> Result<Joined, NotJoined> {
        let entries: Vec<_> = store.entries().into_iter().map(<[u8]>::to_vec).collect();
        let mut here = Here {
            device: self.new.device,
            store: &mut self.keys,
            time: 5,
        };
        let kept = Kept {
            entries: &entries,
            object: &|hash| store.object(hash),
        };
        let pin = VaultPin::typed(pin).unwrap();
        let guess = (&pin, Counted::for_test());
        join(
            invitation,
            kept,
            (&mut here, &self.auth),
            guess,
            &mut TestRng(7 << 50),
        )
    }
}

impl House {
    /// One device, [`DEVICE`], with [`PIN`] and the kit 1.
    pub(crate) fn new() -> Self {
        let mut house = Self {
            store: Home::default(),
            keys: BTreeMap::new(),
            pin: PIN,
        };
        for step in steps(Home::creation(1)) {
            house.apply(DEVICE, step);
        }
        house
    }

    /// As [`Self::new`], and [`SECOND`] and [`THIRD`].
    pub(crate) fn of_three() -> Self {
        Self::new().with(DEVICE, SECOND).with(SECOND, THIRD)
    }

    pub(crate) fn trust(&self) -> Trust {
        self.store.trust()
    }

    /// One write of a change that `by` makes.
    pub(crate) fn apply(&mut self, by: DeviceId, step: Step) {
        match step {
            Step::Put(Name::DeviceKeys(generation), keys) => {
                self.keys.insert((by, generation), keys);
            }
            Step::Remove(Name::DeviceKeys(generation)) => {
                self.keys.remove(&(by, generation));
            }
            step @ (Step::Put(..) | Step::Remove(_)) => self.store.apply(step),
        }
    }

    pub(crate) fn keys(&self, device: DeviceId) -> SoftwareKeys {
        SoftwareKeys::from_bytes(&self.keys[&(device, self.trust().pin_generation())]).unwrap()
    }

    pub(crate) fn open(&self, device: DeviceId, pin: &str) -> Result<Unlocked, NotOpened> {
        self.open_with_evidence(device, pin).map(|(unlocked, _)| unlocked)
    }

    pub(crate) fn open_with_evidence(
        &self,
        device: DeviceId,
        pin: &str,
    ) -> Result<(Unlocked, RightPin), NotOpened> {
        let mut keys = self.keys(device);
        let mut here = Here {
            device,
            store: &mut keys,
            time: 2,
        };
        let pin = VaultPin::typed(pin).unwrap();
        let object = |hash| self.store.object(hash);
        Unlocked::open(self.trust(), &mut here, &pin, Counted::for_test(), &object)
    }

    /// What `make` makes of the vault that `by` opened.
    pub(crate) fn change(
        &self,
        by: DeviceId,
        make: impl FnOnce(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change,
    ) -> Change {
        let (unlocked, right_pin) = self.open_with_evidence(by, self.pin).unwrap();
        let mut keys = self.keys(by);
        let mut here = Here {
            device: by,
            store: &mut keys,
            time: 3,
        };
        let seed = u64::from(by.0[0]) << 32 | u64::from(unlocked.trust().remembered().seq) << 16;
        make(&unlocked, &mut here, right_pin, &mut TestRng(seed))
    }

    pub(crate) fn changed(
        mut self,
        by: DeviceId,
        make: impl FnOnce(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change,
    ) -> Self {
        for step in steps(self.change(by, make)) {
            self.apply(by, step);
        }
        self
    }

    /// `by` adds `device`, which joins.
    pub(crate) fn with(self, by: DeviceId, device: DeviceId) -> Self {
        let mut newcomer = Newcomer::new(device);
        let mut house = self.changed(by, |unlocked, here, pin, rng| {
            unlocked.add_device(here, pin, &newcomer.new, rng).unwrap()
        });
        let invitation = newcomer.invitation(&house.trust());
        let joined = newcomer.join(&invitation, &house.store, house.pin).unwrap();
        let (generation, keys) = joined.device_keys;
        house.keys.insert((device, generation), keys);
        house
    }
}

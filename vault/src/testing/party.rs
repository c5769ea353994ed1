//! A device that syncs, and a store that can be looked at, for the tests of the dialogue between them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::home::{DEVICE, Home, PIN, Step, kit, new_pin};
use super::house::Newcomer;
use super::{Disk, TestRng, passkey, root_key};
use crate::{
    Answer, Change, CredentialId, DeviceId, Error, Here, History, KeyAuth, KeyStore, KnownKey, Locked,
    Machine, Name, NoAnswer, NotChanged, ObjectHash, Proposed, RecoveryKit, Request, RightGuess, RightPin,
    SoftwareKeys, State, Unlocked, Vault, VaultPin, Wish, create,
};

const NOW: Duration = Duration::from_secs(100);
/// A day after the beginning of 2026.
pub(crate) const UNIX_MS: u64 = 1_767_312_000_000;

fn known() -> KnownKey {
    KnownKey::from_slice(&[0x6b; 32]).unwrap()
}

/// A store that does as it is told, and counts.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What was created, removed or not.
    pub(crate) ever: BTreeMap<String, Vec<u8>>,
    pub(crate) reads: usize,
    pub(crate) lists: usize,
    pub(crate) writes: usize,
    pub(crate) removals: usize,
}

impl MemoryStore {
    pub(crate) fn serve(&mut self, request: Request) -> Result<Answer, NoAnswer> {
        Ok(match request {
            Request::List { under } => {
                self.lists += 1;
                let names = self.files.keys().filter(|name| name.starts_with(&under));
                Answer::Listed(names.cloned().collect())
            }
            Request::Get { names } => {
                self.reads += names.len();
                Answer::Got(names.iter().map(|name| self.files.get(name).cloned()).collect())
            }
            Request::Poll { name, tag } => {
                self.reads += 1;
                let content = self.files.get(&name).cloned();
                let now = content.as_ref().map(|content| format!("{content:02x?}"));
                if tag.is_some() && tag == now {
                    Answer::Unchanged
                } else {
                    Answer::Polled(content, now)
                }
            }
            Request::Create { name, bytes } => {
                self.writes += 1;
                if self.files.contains_key(&name) {
                    return Ok(Answer::AlreadyThere);
                }
                self.ever.insert(name.clone(), bytes.clone());
                self.files.insert(name, bytes);
                Answer::Kept
            }
            Request::Put { name, bytes } => {
                self.writes += 1;
                self.files.insert(name, bytes);
                Answer::Kept
            }
            Request::Remove { names } => {
                self.removals += names.len();
                for name in names {
                    self.files.remove(&name);
                }
                Answer::Removed
            }
        })
    }

    /// The names that have `part` in them.
    pub(crate) fn named(&self, part: &str) -> Vec<String> {
        let names = self.files.keys().filter(|name| name.contains(part));
        names.cloned().collect()
    }
}

/// A device with an open vault.
pub(crate) struct Party {
    pub(crate) disk: Disk,
    pub(crate) vault: Vault,
    pub(crate) keys: SoftwareKeys,
    /// What the Vault PIN gave, for one change of the membership.
    pub(crate) guess: Option<RightGuess>,
    pub(crate) machine: Machine,
    pub(crate) now: Duration,
    /// What its clock said in the beginning.
    pub(crate) clock_unix_ms: u64,
    pub(crate) rng: TestRng,
}

impl Party {
    /// The first device of a new vault, which has a kit.
    pub(crate) fn first() -> Self {
        let mut party = Self::first_with(Some(&kit(1)));
        party.vault.begin_sync(&mut party.rng).unwrap();
        party
    }

    pub(crate) fn first_without_sync() -> Self {
        Self::first_with(Some(&kit(1)))
    }

    pub(crate) fn first_without_kit() -> Self {
        let mut party = Self::first_with(None);
        party.vault.begin_sync(&mut party.rng).unwrap();
        party
    }

    pub(crate) fn first_with(kit: Option<&RecoveryKit>) -> Self {
        let (disk, mut rng) = (Disk::default(), TestRng(0));
        let vault = Vault::open(disk.clone(), &root_key(1), &mut rng).unwrap();
        let auth = KeyAuth::random(&mut rng);
        let mut keys = SoftwareKeys::generate(&auth, &mut rng);
        let mut here = Here {
            device: DEVICE,
            store: &mut keys,
            time: 1,
        };
        let created = create(&mut here, &auth, &new_pin(PIN), kit, &mut rng).unwrap();
        let locked = vault.protect(&created, (DEVICE, known()), History::New, NOW, &mut rng);
        drop(locked);
        let (_, keys) = created.change.device_keys().unwrap();
        Self::open(disk, SoftwareKeys::from_bytes(keys).unwrap(), 1)
    }

    /// Another device of the vault of `first`, which adds it through `store`.
    pub(crate) fn added_by(first: &mut Self, device: DeviceId, store: &mut MemoryStore) -> Self {
        let mut newcomer = Newcomer::new(device);
        first.sync(store);
        first.propose(|unlocked, here, right_pin, rng| {
            unlocked.add_device(here, right_pin, &newcomer.new, rng)
        });
        first.sync(store);
        assert_eq!(first.machine.proposed(), Some(Proposed::Accepted));

        let mut home = Home::default();
        for (number, name) in (1..).zip(store.named("/t/")) {
            home.apply(Step::Put(Name::Entry(number), store.files[&name].clone()));
        }
        for name in store.named("/k/") {
            let object = store.files[&name].clone();
            home.apply(Step::Put(Name::Object(ObjectHash::of(&object)), object));
        }
        let invitation = newcomer.invitation(first.vault.trust().unwrap());
        let joined = newcomer.join(&invitation, &home, PIN).unwrap();
        let keys = SoftwareKeys::from_bytes(&joined.device_keys.1).unwrap();
        let (disk, mut rng) = (Disk::default(), TestRng(u64::from(device.0[0]) << 40));
        drop(Vault::join(disk.clone(), &joined, (known(), NOW), &mut rng));
        let mut party = Self::open(disk, keys, u64::from(device.0[0]) << 8);
        party.vault.begin_sync(&mut party.rng).unwrap();
        party.now = first.now;
        party
    }

    /// A device whose vault is on `disk`. Different seeds are different lives of the program.
    pub(crate) fn open(disk: Disk, mut keys: SoftwareKeys, seed: u64) -> Self {
        let mut rng = TestRng(seed << 32);
        let mut locked = Locked::open(disk.clone(), known(), NOW).unwrap();
        let guess = locked.guess(NOW).unwrap();
        let guess = guess.check(&mut keys, &VaultPin::typed(PIN).unwrap()).unwrap();
        let machine = Machine::new(locked.trust().vault());
        let Ok(vault) = locked.unlock(&guess, &mut rng) else {
            panic!("the vault does not open");
        };
        Self {
            disk,
            vault,
            keys,
            guess: Some(guess),
            machine,
            now: NOW,
            clock_unix_ms: UNIX_MS,
            rng,
        }
    }

    /// This device, started again from what `disk` has.
    pub(crate) fn restarted(&self, disk: Disk, seed: u64) -> Self {
        let keys = SoftwareKeys::from_bytes(self.keys.as_bytes()).unwrap();
        Self::open(disk, keys, seed)
    }

    /// This device, started again from a copy of its disk.
    pub(crate) fn reopened(&self, seed: u64) -> Self {
        self.restarted(Disk::with(self.disk.content()), seed)
    }

    /// Proposes a change of the membership.
    pub(crate) fn propose(
        &mut self,
        make: impl FnOnce(&Unlocked, &mut Here<'_>, RightPin, &mut TestRng) -> Result<Change, NotChanged>,
    ) {
        if self.guess.is_none() {
            // The Vault PIN is asked for again.
            let now = self.now;
            *self = self.reopened(77);
            self.now = now;
        }
        let RightGuess { unlocked, right_pin } = self.guess.take().unwrap();
        let mut here = Here {
            device: self.vault.device_id(),
            store: &mut self.keys,
            time: UNIX_MS << 16,
        };
        let change = make(&unlocked, &mut here, right_pin, &mut self.rng).unwrap();
        self.machine.propose(change);
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.vault.device_id()
    }

    /// Stores a passkey.
    pub(crate) fn register(&mut self, rp_id: &str, user: &str) -> CredentialId {
        let passkey = passkey(&mut self.rng, rp_id, user);
        let id = passkey.id.clone();
        self.vault.store(&mut self.rng, passkey, None).unwrap();
        id
    }

    /// Gives the account of a passkey another name.
    pub(crate) fn rename(&mut self, id: &CredentialId, name: &str) {
        let mut passkey = self.vault.load(id).unwrap().unwrap();
        passkey.user_name = Some(name.to_owned());
        self.vault.update(&mut self.rng, &passkey, None).unwrap();
    }

    /// What its account is called.
    pub(crate) fn name_of(&self, id: &CredentialId) -> Option<String> {
        self.vault.load(id).unwrap()?.user_name
    }

    /// Whose passkeys are there.
    pub(crate) fn users(&self) -> Vec<String> {
        let user = |id: &CredentialId| self.vault.load(id).unwrap().unwrap().user_id;
        let mut users: Vec<_> = (self.vault.entries().iter())
            .map(|entry| String::from_utf8(user(&entry.id)).unwrap())
            .collect();
        users.sort();
        users
    }

    /// One step: `false` when there is nothing to do. `serve` is the store.
    pub(crate) fn step(&mut self, serve: &mut dyn FnMut(Request) -> Result<Answer, NoAnswer>) -> bool {
        self.try_step(serve).unwrap()
    }

    /// As [`Self::step`], where the disk may fail.
    pub(crate) fn try_step(
        &mut self,
        serve: &mut dyn FnMut(Request) -> Result<Answer, NoAnswer>,
    ) -> Result<bool, Error> {
        let time = (self.now, self.unix_ms());
        match self.machine.wish(&mut self.vault, time, &mut self.rng)? {
            Wish::Request(request) => {
                let answer = serve(request);
                self.machine
                    .answer(&mut self.vault, answer, self.now, &mut self.rng)?;
            }
            Wish::Sign => {
                let auth = self.vault.key_auth().unwrap();
                let signature = self.keys.sign(&auth, self.machine.to_sign().unwrap());
                self.machine.signed(&mut self.vault, signature, self.now)?;
            }
            Wish::Rest(until) => return Ok(until <= self.now),
        }
        Ok(true)
    }

    /// Does all that there is to do now.
    pub(crate) fn work(&mut self, store: &mut MemoryStore) {
        for _ in 0..100_000 {
            if !self.step(&mut |request| store.serve(request)) {
                return;
            }
        }
        panic!("it never rests");
    }

    /// One whole round.
    pub(crate) fn sync(&mut self, store: &mut MemoryStore) -> &State {
        self.machine.now();
        self.work(store);
        &self.machine.status().state
    }

    /// Whether something waits to be told, or an answer is owed.
    pub(crate) fn has_something_to_say(&self) -> bool {
        self.vault.waiting() > 0 || self.vault.owes_an_answer()
    }

    /// What its clock says.
    fn unix_ms(&self) -> u64 {
        self.clock_unix_ms + u64::try_from(self.now.as_millis()).unwrap()
    }

    /// So much later.
    pub(crate) fn later(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self.vault.set_time(self.unix_ms());
        self
    }
}

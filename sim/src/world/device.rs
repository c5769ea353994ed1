//! A device with everything that the shipped program would give it: a disk, keys, a clock, the vault and the dialogue
//! with the store; and what its user does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use rand_core::Rng;
use wardkey_vault::{
    Answer, CredProtect, CredentialId, DeviceId, EarlierPin, Error, GuessLimit, KdfCost, KdfParameters,
    KnownKey, LargeBlob, Locked, Machine, NewPin, NoAnswer, Passkey, Profile, RightGuess, SecretBytes,
    SoftwareKeys, Trust, Vault, VaultPin,
};

use super::disk::Disk;
use super::model::{Blob, Core, Names, Object, Operation, Says, Shown};
use crate::scenario::SeededRng;

/// The Vault PINs that occur. Each has a salt of its own, always the same, so that each is stretched once for all worlds.
const PINS: [&str; 3] = ["tin ra of olm", "another passphrase", "kelp sum of ivy"];
/// 2026-01-02 by a clock that is right.
const UNIX_MS: i64 = 1_767_312_000_000;

/// What must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) String);

/// What cannot go wrong here, unless something is wrong.
pub(super) fn must<T, E: Debug>(result: Result<T, E>, what: &str) -> Result<T, Failure> {
    result.map_err(|error| Failure(format!("{what}: {error:?}")))
}

/// A Vault PIN as it is chosen.
pub(super) fn new_pin(number: usize) -> Result<NewPin, Failure> {
    let text = PINS.get(number).copied().unwrap_or_default();
    must(
        NewPin::choose(text, GuessLimit::None, KdfCost::FLOOR, &mut salt_of(number)),
        "a Vault PIN",
    )
}

fn salt_of(number: usize) -> SeededRng {
    SeededRng::new(u64::try_from(number).unwrap_or_default())
}

/// How many Vault PINs there are.
pub(super) const PIN_COUNT: usize = PINS.len();

/// Which Vault PIN is stretched so.
pub(super) fn pin_with(kdf: Option<KdfParameters>) -> Option<usize> {
    let is_it = |number: &usize| Some(KdfParameters::new(KdfCost::FLOOR, &mut salt_of(*number))) == kdf;
    (0..PIN_COUNT).find(is_it)
}

/// A Vault PIN as it is typed.
pub(super) fn typed(number: usize) -> Option<VaultPin> {
    VaultPin::typed(PINS.get(number)?)
}

/// What was given to the key store to be signed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) operations: Vec<Operation>,
    /// Of each other log the last number that the device had read.
    pub(super) had_read: BTreeMap<DeviceId, u32>,
    /// How many operations were said before and in it.
    pub(super) end: usize,
}

/// What is kept when everything in memory is gone.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) disk: Disk,
    pub(super) known: [u8; 32],
    /// The device's keys by generation and number of the Vault PIN.
    pub(super) keys: BTreeMap<(u32, usize), Vec<u8>>,
    /// What was said on this device, from the beginning: told, and then what waits.
    pub(super) said: Vec<Operation>,
    /// After how many of them an object of this device may end.
    pub(super) marks: BTreeSet<usize>,
    /// What was signed last.
    pub(super) signed: Option<Signed>,
}

/// What is there while the vault is open.
pub(super) struct Open {
    pub(super) vault: Vault,
    pub(super) machine: Machine,
    /// What the store said, on its way.
    pub(super) answer: Option<Result<Answer, NoAnswer>>,
    /// A list that was given in this round lacked something that this device knows of.
    pub(super) shown_less: bool,
    /// What is missing is put back in the next round, which then says that all is well.
    pub(super) heals: bool,
    pub(super) guess: Option<RightGuess>,
}

/// See above.
pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) kept: Kept,
    pub(super) open: Option<Box<Open>>,
    /// It was removed from the vault, and knows.
    pub(super) is_out: bool,
    pub(super) now: Duration,
    pub(super) clock_ms: i64,
    pub(super) rng: SeededRng,
    /// It was put back to an earlier state once.
    pub(super) was_put_back: bool,
    /// How far the logs were read when it was looked at last, in this life of the program.
    pub(super) heads: BTreeMap<DeviceId, u32>,
    /// Which devices were known to be removed then.
    pub(super) knew_former: BTreeSet<DeviceId>,
    /// Something was being done when the power went: what it would have said.
    pub(super) in_doubt: Vec<Operation>,
}

impl Kept {
    /// Of a device that has said nothing yet.
    pub(super) fn new(disk: Disk, known: [u8; 32], place: (u32, usize), keys: Vec<u8>) -> Self {
        Self {
            disk,
            known,
            keys: BTreeMap::from([(place, keys)]),
            said: Vec::new(),
            marks: BTreeSet::new(),
            signed: None,
        }
    }
}

impl Device {
    pub(super) fn new(id: DeviceId, kept: Kept, rng: SeededRng) -> Self {
        Self {
            id,
            kept,
            open: None,
            is_out: false,
            now: Duration::from_secs(100),
            clock_ms: 0,
            rng,
            was_put_back: false,
            heads: BTreeMap::new(),
            knew_former: BTreeSet::new(),
            in_doubt: Vec::new(),
        }
    }

    pub(super) fn unix_ms(&self) -> u64 {
        let passed = i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX);
        let clock = UNIX_MS.saturating_add(self.clock_ms).saturating_add(passed);
        u64::try_from(clock).unwrap_or_default()
    }

    /// Starts the program, and types the Vault PIN.
    pub(super) fn unlock(&mut self) -> Result<(), Failure> {
        if self.open.is_some() || self.is_out {
            return Ok(());
        }
        self.now += Duration::from_secs(4000);
        let known = must(KnownKey::from_slice(&self.kept.known).ok_or(()), "a key")?;
        let locked = must(Locked::open(self.kept.disk.clone(), known, self.now), "opening")?;
        self.unlock_with(locked)
    }

    /// Locks the vault, and types the Vault PIN again.
    pub(super) fn unlock_anew(&mut self) -> Result<(), Failure> {
        match self.open.take() {
            Some(open) => match open.vault.lock() {
                Ok(locked) => self.unlock_with(locked),
                Err(_) => Err(Failure("a member's vault does not lock".to_owned())),
            },
            None => self.unlock(),
        }
    }

    fn unlock_with(&mut self, mut locked: Locked) -> Result<(), Failure> {
        let trust = locked.trust();
        if trust.member(self.id).is_none() {
            self.is_out = true;
            return Ok(());
        }
        let generation = trust.pin_generation();
        let number = must(pin_with(trust.kdf()).ok_or(()), "which Vault PIN it is")?;
        let pin = must(typed(number).ok_or(()), "a Vault PIN")?;
        let own = self.kept.keys.get(&(generation, number)).cloned();
        let before = self.kept.keys.range(..(generation, 0)).rev();
        let before =
            before.filter(|((earlier, number), _)| pin_with(trust.kdf_of(*earlier)) == Some(*number));
        let before = before.map(|(place, keys)| (*place, keys.clone())).next();
        let guess = must(locked.guess(self.now), "counting a Vault PIN")?;
        let guess = match (own, before) {
            (Some(keys), _) => must(guess.check(&mut software(&keys)?, &pin), "the Vault PIN")?,
            (None, Some(((generation, earlier), keys))) => {
                let earlier = must(typed(earlier).ok_or(()), "a Vault PIN")?;
                let earlier = EarlierPin {
                    generation,
                    pin: &earlier,
                };
                let caught_up = guess.catch_up(&mut software(&keys)?, earlier, &pin, &mut self.rng);
                let caught_up = must(caught_up, "catching up with a Vault PIN")?;
                let (generation, keys) = caught_up.device_keys;
                self.kept.keys.insert((generation, number), keys);
                caught_up.guess
            }
            (None, None) => return Err(Failure("the device has no keys".to_owned())),
        };
        self.unlock_by(locked, guess)
    }

    /// With the right Vault PIN.
    pub(super) fn unlock_by(&mut self, locked: Locked, guess: RightGuess) -> Result<(), Failure> {
        let unlocked = locked.unlock(&guess, &mut self.rng);
        let vault = must(
            unlocked.map_err(wardkey_vault::NotUnlocked::into_reason),
            "unlocking",
        )?;
        let machine = Machine::new(must(vault.trust().ok_or(()), "a trust log")?.vault());
        self.open = Some(Box::new(Open {
            vault,
            machine,
            answer: None,
            shown_less: false,
            heals: false,
            guess: Some(guess),
        }));
        self.heads.clear();
        Ok(())
    }

    /// Syncs from now on. What there is to say then is about no passkey.
    pub(super) fn begin_sync(&mut self) -> Result<(), Failure> {
        if let Some(open) = self.open.as_deref_mut() {
            must(open.vault.begin_sync(&mut self.rng), "beginning to sync")?;
            let waiting = usize::try_from(open.vault.waiting()).unwrap_or_default();
            let about_none = Operation {
                time: 0,
                had_read: BTreeMap::new(),
                says: None,
            };
            self.kept.said = vec![about_none; waiting];
        }
        Ok(())
    }

    /// All that it keeps is what it was once.
    pub(super) fn put_back(&mut self, kept: Kept) {
        self.open = None;
        self.kept = kept;
        self.is_out = false;
        self.was_put_back = true;
        self.heads.clear();
        self.in_doubt.clear();
    }

    /// Ends the program.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// The power goes. What was being done may be there afterwards.
    pub(super) fn lose_power(&mut self, chance: &mut SeededRng) {
        self.kept.disk.cut_power_after(0);
        self.open = None;
        self.kept.disk = self.kept.disk.after_power_cut(chance);
    }

    /// The device's keys that go with the Vault PIN in force.
    pub(super) fn keys(&self) -> Result<SoftwareKeys, Failure> {
        let trust = self.open.as_ref().and_then(|open| open.vault.trust());
        let place = trust.and_then(|trust| Some((trust.pin_generation(), pin_with(trust.kdf())?)));
        let keys = place.and_then(|place| self.kept.keys.get(&place));
        // What another device changed comes into force when the Vault PIN was typed.
        let newest = || self.kept.keys.values().next_back();
        software(must(keys.or_else(newest).ok_or(()), "the device's keys")?)
    }

    /// What of `said` waits to be told, as if it were the last object.
    pub(super) fn waiting(&self, said: &[Operation]) -> Object {
        let waiting = self.open.as_ref().map_or(0, |open| open.vault.waiting());
        let told = said
            .len()
            .saturating_sub(usize::try_from(waiting).unwrap_or(usize::MAX));
        Object {
            author: self.id,
            seq: u32::MAX,
            operations: said.get(told..).unwrap_or_default().to_vec(),
        }
    }

    /// All passkeys that the device shows.
    pub(super) fn shown(&self) -> Result<BTreeMap<CredentialId, Shown>, Failure> {
        let mut shown = BTreeMap::new();
        let Some(Open { vault, .. }) = self.open.as_deref() else {
            return Ok(shown);
        };
        for entry in vault.entries() {
            let passkey = must(vault.load(&entry.id), "loading a passkey")?;
            let passkey = must(passkey.ok_or(()), "a passkey that is listed")?;
            shown.insert(entry.id, seen(&passkey));
        }
        Ok(shown)
    }

    /// Does something to the vault that says all this. Whether it did; `None` where the power went.
    fn act(
        &mut self,
        all: Vec<Option<(CredentialId, Says)>>,
        act: impl FnOnce(&mut Vault, &mut SeededRng) -> Result<bool, Error>,
    ) -> Result<Option<bool>, Failure> {
        let unix_ms = self.unix_ms();
        let Some(open) = self.open.as_deref_mut() else {
            return Ok(Some(false));
        };
        let had_read = had_read(&open.vault, self.id);
        let operation = |says| Operation {
            time: 0,
            had_read: had_read.clone(),
            says,
        };
        let mut operations: Vec<_> = all.into_iter().map(operation).collect();
        open.vault.set_time(unix_ms);
        match act(&mut open.vault, &mut self.rng) {
            Ok(true) => {
                learn_times(&mut operations, &open.vault);
                self.kept.said.extend(operations);
                Ok(Some(true))
            }
            Ok(false) => Ok(Some(false)),
            Err(Error::Database(_) | Error::Corrupted) if self.kept.disk.disarm() => {
                self.in_doubt = operations;
                Ok(None)
            }
            Err(error) => Err(Failure(format!("the vault fails: {error:?}"))),
        }
    }

    /// Stores a new passkey, in the place of those of the same account.
    pub(super) fn register(&mut self, rp_id: &str, user: &str) -> Result<Option<bool>, Failure> {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        let shown = self.shown()?;
        let passkey = Passkey {
            id: must(CredentialId::new(&id).ok_or(()), "an id")?,
            rp_id: rp_id.to_owned(),
            rp_name: None,
            user_id: user.as_bytes().to_vec(),
            user_name: Some(format!("{user} {:x}", self.rng.next_u32())),
            user_display_name: None,
            algorithm: -7,
            private_key: SecretBytes::random(&mut self.rng, 32),
            profile: Profile::Synced,
            created_unix_ms: self.unix_ms(),
            cred_protect: CredProtect::Optional,
            cred_random: None,
            cred_blob: None,
            large_blob_key: None,
            large_blob: None,
            third_party_payment: false,
        };
        let mut operations = replaced(&shown, &seen(&passkey).core);
        operations.push(Some((passkey.id.clone(), Says::Stored(seen(&passkey)))));
        let id = passkey.id.clone();
        let done = self.act(operations, |vault, rng| {
            vault.store(rng, passkey, None).map(|()| true)
        })?;
        // The vault makes it later than everything that it has.
        let stored = self.load(&id)?.filter(|_| done == Some(true));
        if let (Some(stored), Some(last)) = (stored, self.kept.said.last_mut()) {
            last.says = Some((id, Says::Stored(seen(&stored))));
        }
        Ok(done)
    }

    /// Gives a passkey another name.
    pub(super) fn rename(&mut self, id: &CredentialId) -> Result<Option<bool>, Failure> {
        let Some(mut passkey) = self.load(id)? else {
            return Ok(Some(false));
        };
        let name = Some(format!("renamed {:x}", self.rng.next_u32()));
        match self.rng.next_u32() % 3 {
            0 => passkey.rp_name = name,
            1 => passkey.user_display_name = name,
            _ => passkey.user_name = name,
        }
        let operation = Some((id.clone(), Says::Called(seen(&passkey).names)));
        self.act(vec![operation], |vault, rng| vault.update(rng, &passkey, None))
    }

    /// Writes its large blob, or takes it away.
    pub(super) fn write_blob(&mut self, id: &CredentialId, len: usize) -> Result<Option<bool>, Failure> {
        let Some(mut passkey) = self.load(id)? else {
            return Ok(Some(false));
        };
        let mut data = vec![0; len];
        self.rng.fill_bytes(&mut data);
        passkey.large_blob = match passkey.large_blob {
            Some(_) if len.is_multiple_of(4) => None,
            Some(_) | None => Some(LargeBlob {
                original_size: u64::from(self.rng.next_u32()),
                data,
            }),
        };
        let operation = Some((id.clone(), Says::Holds(seen(&passkey).blob)));
        self.act(vec![operation], |vault, rng| vault.update(rng, &passkey, None))
    }

    /// Deletes a passkey.
    pub(super) fn delete(&mut self, id: &CredentialId) -> Result<Option<bool>, Failure> {
        self.act(vec![Some((id.clone(), Says::Deleted))], |vault, rng| {
            vault.delete(rng, id, None)
        })
    }

    /// Takes a passkey back from the trash; `content` is what it was.
    pub(super) fn take_back(&mut self, id: &CredentialId, content: &Shown) -> Result<Option<bool>, Failure> {
        let mut operations = replaced(&self.shown()?, &content.core);
        operations.push(Some((id.clone(), Says::Stored(content.clone()))));
        self.act(operations, |vault, rng| vault.take_back(rng, id, None))
    }

    /// Gives the device a name.
    pub(super) fn name(&mut self) -> Result<Option<bool>, Failure> {
        let name = format!("{:x}", self.rng.next_u32());
        self.act(vec![None], |vault, rng| {
            vault.name_device(rng, &name).map(|()| true)
        })
    }

    fn load(&self, id: &CredentialId) -> Result<Option<Passkey>, Failure> {
        match self.open.as_deref() {
            Some(open) => must(open.vault.load(id), "loading a passkey"),
            None => Ok(None),
        }
    }
}

/// Of each other log the last number that this device has read.
pub(super) fn had_read(vault: &Vault, device: DeviceId) -> BTreeMap<DeviceId, u32> {
    let trust = vault.trust().into_iter();
    let members = trust.clone().flat_map(Trust::members);
    let others = members.chain(trust.flat_map(Trust::former_members).map(|(id, _)| id));
    let others = others.filter(|other| *other != device);
    others.map(|other| (other, vault.log_head(other).seq())).collect()
}

/// The vault chose when what was done last was done: one after the other.
pub(super) fn learn_times(operations: &mut [Operation], vault: &Vault) {
    for (before, operation) in (0..).zip(operations.iter_mut().rev()) {
        operation.time = vault.last_done() - before;
    }
}

/// The device's keys as they are kept.
pub(super) fn software(keys: &[u8]) -> Result<SoftwareKeys, Failure> {
    must(SoftwareKeys::from_bytes(keys).ok_or(()), "the device's keys")
}

/// What a new passkey of this account replaces.
fn replaced(shown: &BTreeMap<CredentialId, Shown>, core: &Core) -> Vec<Option<(CredentialId, Says)>> {
    let same = |other: &Core| other.rp_id == core.rp_id && other.user_id == core.user_id;
    let replaced = shown.iter().filter(|(_, shown)| same(&shown.core));
    replaced
        .map(|(id, _)| Some((id.clone(), Says::Deleted)))
        .collect()
}

/// As the model knows it.
pub(super) fn seen(passkey: &Passkey) -> Shown {
    let names: Names = [
        passkey.rp_name.clone(),
        passkey.user_name.clone(),
        passkey.user_display_name.clone(),
    ];
    let blob: Blob = passkey
        .large_blob
        .as_ref()
        .map(|blob| (blob.data.clone(), blob.original_size));
    Shown {
        core: Core {
            rp_id: passkey.rp_id.clone(),
            user_id: passkey.user_id.clone(),
            private_key: passkey.private_key.expose_secret().to_vec(),
            created_unix_ms: passkey.created_unix_ms,
        },
        names,
        blob,
    }
}

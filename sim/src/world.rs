//! A world of several devices, their users, wrong clocks, disks that lose power, and a store that cannot be relied on, all
//! from one seed. The machines in it are the shipped ones. After each step each device shows what the reference model says,
//! and nothing that must not happen has happened; when the faults have stopped all devices show the same.
//!
//! ```text
//! plan.rs      a seed             → what kind of world it is, and what happens
//! world.rs     steps              → what the devices do
//! device.rs    a user             → the vault, the dialogue with the store
//! members.rs   devices that come and go
//! disk.rs      a disk that loses power
//! store.rs     a store that lies
//! model.rs     operations         → what a device has to show
//! checks.rs    what must not happen
//! settle.rs    the faults have stopped
//! report.rs    twice, shorter, told
//! ```
//!
//! Mutations of the vault, each for less than a minute of worlds, from seed 0 on or from 2000:
//!
//! | mutation | caught by |
//! | --- | --- |
//! | clocks are believed before what was known | the model, seed 2 |
//! | something is written though something is missing | what the store lacks is not reported, seed 17 |
//! | what is missing is not remembered | what the store lacks is not reported, seed 1 |
//! | the last of *there or not* wins, not a deletion | the model, seed 2008 |
//! | the end of a removed device's log is ignored | they do not come to an end, seed 2029 |
//! | an object of a proposal counts as written when it was sent | they do not come to an end, seed 2224 |
//! | a device that lags behind itself writes | nothing so soon |
//!
//! Not in it: two copies of one device that both live. Each takes what the other wrote for its own, or their log forks; this
//! world counts what each device has said, and knows one life of it at a time.

mod checks;
mod device;
mod disk;
mod members;
mod model;
mod plan;
mod report;
mod settle;
mod store;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use rand_core::Rng;
use sha2::{Digest, Sha256};
use wardkey_vault::{
    Answer, DeviceId, Error, Here, History, KeyAuth, KeyStore, KnownKey, ObjectHash, RecoveryKit, Request,
    RootKey, SoftwareKeys, State, Vault, Wish, create,
};

use self::checks::Known;
use self::device::{Device, Failure, Kept, Open, Signed, had_read, must, new_pin};
use self::disk::Disk;
use self::members::{Newcomer, Proposal, Wanted};
use self::plan::{Act, Plan, Step};
pub use self::report::{Outcome, run};
use self::store::{Fault, Store, pick};
use crate::scenario::SeededRng;

/// Where passkeys are registered, and by whom: few, so that devices meet.
const SITES: [&str; 3] = ["a.example", "b.example", "c.example"];
const USERS: [&str; 2] = ["ann", "bob"];

/// See above.
struct World {
    store: Store,
    devices: Vec<Device>,
    newcomers: Vec<Newcomer>,
    proposals: BTreeMap<usize, Proposal>,
    copies: BTreeMap<usize, Kept>,
    /// Every device that there was, or was to be.
    ids: Vec<DeviceId>,
    clocks_ms: Vec<i64>,
    devices_max: usize,
    /// The objects that members signed and gave to the store.
    objects: BTreeMap<ObjectHash, Known>,
    /// Which of them stands where.
    places: BTreeMap<(DeviceId, u32, u32), ObjectHash>,
    /// What the snapshots of these names cover at most.
    covers: BTreeMap<String, BTreeMap<DeviceId, u32>>,
    /// The epoch in which a device was no member any more.
    removed: BTreeMap<DeviceId, u32>,
    /// A device that was put back could not know that it had written before: the store had lost that, or hid it.
    may_fork: bool,
    /// The entries of the trust log that were accepted by who wrote them.
    entries: BTreeMap<u32, ObjectHash>,
    /// There are two under one number: the store had lost one of them.
    two_trusts: bool,
    story: Vec<String>,
    tells_requests: bool,
    trace: Sha256,
    step: usize,
}

impl World {
    /// One device, with a new vault, that syncs.
    fn new(plan: &Plan) -> Result<Self, Failure> {
        let id = DeviceId([1; 16]);
        let mut rng = SeededRng::new(1);
        let disk = Disk::default();
        let root = must(RootKey::from_slice(&[7; 32]).ok_or(()), "a key")?;
        let vault = must(Vault::open(disk.clone(), &root, &mut rng), "a vault")?;
        let auth = KeyAuth::random(&mut rng);
        let mut keys = SoftwareKeys::generate(&auth, &mut rng);
        let mut here = Here {
            device: id,
            store: &mut keys,
            time: 1,
        };
        let kit = plan.has_kit.then(|| RecoveryKit::random(&mut rng));
        let created = must(
            create(&mut here, &auth, &new_pin(0)?, kit.as_ref(), &mut rng),
            "a vault",
        )?;
        let known = must(KnownKey::from_slice(&[1; 32]).ok_or(()), "a key")?;
        let protected = vault.protect(
            &created,
            (id, known),
            History::New,
            Duration::from_secs(100),
            &mut rng,
        );
        drop(must(protected, "a vault")?);
        let (generation, keys) = must(created.change.device_keys().ok_or(()), "the device's keys")?;
        let kept = Kept::new(disk, [1; 32], (generation, 0), keys.to_vec());
        let mut device = Device::new(id, kept, rng);
        device.clock_ms = plan.clocks_ms.first().copied().unwrap_or(0);
        device.unlock()?;
        device.begin_sync()?;
        Ok(Self {
            store: Store::new(plan.keeps_first),
            devices: vec![device],
            newcomers: Vec::new(),
            proposals: BTreeMap::new(),
            copies: BTreeMap::new(),
            ids: vec![id],
            clocks_ms: plan.clocks_ms.clone(),
            devices_max: usize::try_from(plan.devices_max).unwrap_or(2),
            objects: BTreeMap::new(),
            places: BTreeMap::new(),
            covers: BTreeMap::new(),
            removed: BTreeMap::new(),
            may_fork: false,
            entries: BTreeMap::new(),
            two_trusts: false,
            story: Vec::new(),
            tells_requests: false,
            trace: Sha256::new(),
            step: 0,
        })
    }

    /// What the store keeps of the vault is under this.
    fn root(&self) -> String {
        let trust = self
            .devices
            .iter()
            .find_map(|device| device.open.as_deref()?.vault.trust());
        trust
            .map(|trust| format!("pkv1/{}/", hex(&trust.vault().0)))
            .unwrap_or_default()
    }

    /// Something happened to a device.
    fn tell(&mut self, at: usize, what: &str) {
        let line = format!("{:4} {} {what}", self.step, name_of(at));
        self.trace.update(line.as_bytes());
        self.story.push(line);
    }

    /// More devices join, as long as everything works.
    fn begin(&mut self, plan: &Plan) -> Result<(), Failure> {
        let mut chance = SeededRng::new(2);
        let wanted = usize::try_from(plan.devices).unwrap_or(1);
        while self.devices.len() < wanted {
            self.propose(0, Wanted::Add, &mut chance)?;
            self.sync(0, &mut chance)?;
            self.join()?;
        }
        self.store.faults = plan.faults.clone();
        Ok(())
    }

    /// Something happens.
    fn take(&mut self, step: Step) -> Result<(), Failure> {
        self.step += 1;
        let count = u32::try_from(self.devices.len()).unwrap_or(1);
        let at = usize::try_from(step.device % count).unwrap_or(0);
        let mut chance = SeededRng::new(step.seed);
        let disk = self.devices.get(at).filter(|device| device.open.is_some());
        let disk = disk.map(|device| device.kept.disk.clone());
        let fuse = step.fuse.filter(|_| step.act.may_lose_power()).zip(disk.as_ref());
        if let Some((writes, disk)) = fuse {
            disk.cut_power_after(writes);
        }
        let done = self.act(at, step.act, &mut chance);
        if let Some((_, disk)) = fuse {
            disk.disarm();
        }
        if done? {
            self.tell(at, "loses power");
            self.after_power_cut(at, &mut chance)?;
        }
        self.look(at)
    }

    /// Does it; whether the power went.
    fn act(&mut self, at: usize, act: Act, chance: &mut SeededRng) -> Result<bool, Failure> {
        if let Some(device) = self.devices.get_mut(at)
            && matches!(act, Act::Register | Act::Sync)
        {
            device.unlock()?;
        }
        let open = self.devices.get(at).and_then(|device| device.open.as_deref());
        let ids = open.into_iter().flat_map(|open| open.vault.entries());
        let mut ids: Vec<_> = ids.map(|entry| entry.id).collect();
        ids.sort();
        let one = pick(chance, ids);
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(false);
        };
        let done = match (act, one) {
            (Act::Register, _) => {
                let site = pick(chance, SITES.into()).unwrap_or_default();
                device.register(site, pick(chance, USERS.into()).unwrap_or_default())?
            }
            (Act::Rename, Some(id)) => device.rename(&id)?,
            (Act::WriteBlob, Some(id)) => {
                device.write_blob(&id, usize::try_from(chance.next_u32() % 3000).unwrap_or(0))?
            }
            (Act::Delete, Some(id)) => device.delete(&id)?,
            (Act::Name, _) => device.name()?,
            (Act::TakeBack, _) => self.take_back(at, chance)?,
            _ => return self.act_on_world(at, act, chance),
        };
        let what = format!("{act:?}");
        match done {
            Some(true) => self.tell(at, &what),
            Some(false) => {}
            None => self.tell(at, &format!("{what}, interrupted")),
        }
        Ok(done.is_none())
    }

    /// What is not about a passkey.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is done elsewhere")]
    fn act_on_world(&mut self, at: usize, act: Act, chance: &mut SeededRng) -> Result<bool, Failure> {
        let others = self.devices.len();
        let other = pick(chance, (0..others).filter(|other| *other != at).collect());
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(false);
        };
        let told = match act {
            Act::Work(turns) => return self.work(at, turns, chance),
            Act::Sync => return self.sync(at, chance),
            Act::Later(seconds) => {
                device.now += Duration::from_secs(u64::from(seconds));
                format!("{seconds} seconds later")
            }
            Act::Clock(ms) => {
                device.clock_ms = ms;
                format!("its clock is {} days wrong", ms / 86_400_000)
            }
            Act::Lock => {
                device.close();
                "is locked".to_owned()
            }
            Act::Unlock => {
                device.unlock_anew()?;
                "is unlocked".to_owned()
            }
            Act::PowerCut => {
                self.tell(at, "loses power");
                self.after_power_cut(at, chance)?;
                return Ok(false);
            }
            Act::Copy => {
                let copy = Kept {
                    disk: device.kept.disk.copy(),
                    ..device.kept.clone()
                };
                self.copies.insert(at, copy);
                "is copied".to_owned()
            }
            Act::PutBack => {
                let Some(copy) = self.copies.get(&at) else {
                    return Ok(false);
                };
                let disk = copy.disk.copy();
                device.put_back(Kept { disk, ..copy.clone() });
                "is put back to its copy".to_owned()
            }
            Act::Heal => {
                if let Some(open) = device.open.as_deref_mut() {
                    open.machine.heal_all();
                    open.heals = true;
                }
                return self.work(at, 200, chance);
            }
            act if act.is_of_store() => match self.act_on_store(at, act, other, chance) {
                Some(told) => told,
                None => return Ok(false),
            },
            act => return self.act_on_members(at, act, other, chance),
        };
        self.tell(at, &told);
        Ok(false)
    }

    /// What the store shows to whom; `None` where nothing is different.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is done elsewhere")]
    fn act_on_store(
        &mut self,
        at: usize,
        act: Act,
        other: Option<usize>,
        chance: &mut SeededRng,
    ) -> Option<String> {
        match act {
            Act::Freeze => {
                let back = u64::from(chance.next_u32() % 60);
                self.store.freeze(at, back);
                Some(format!("sees the store as it was {back} requests ago"))
            }
            Act::Part => {
                let other = other?;
                self.store.part(at, other);
                Some(format!("does not see what {} writes", name_of(other)))
            }
            Act::Remove => {
                let name = self.store.remove(chance)?;
                Some(format!("is not asked: the store loses {name}"))
            }
            _ => {
                self.store.unite();
                Some("and all others see the whole store".to_owned())
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest was done elsewhere")]
    fn act_on_members(
        &mut self,
        at: usize,
        act: Act,
        other: Option<usize>,
        chance: &mut SeededRng,
    ) -> Result<bool, Failure> {
        let other = other.and_then(|other| Some(self.devices.get(other)?.id));
        let trust = self
            .devices
            .get(at)
            .and_then(|device| device.open.as_deref()?.vault.trust());
        let Some(trust) = trust.filter(|_| !self.proposals.contains_key(&at)) else {
            return Ok(false);
        };
        let wanted = match act {
            Act::Join => return self.join().map(|_| false),
            Act::Add if self.ids.len() < self.devices_max => Wanted::Add,
            Act::ChangePin => Wanted::ChangePin,
            Act::Rotate => Wanted::Rotate,
            Act::Revoke => match other.filter(|other| trust.member(*other).is_some()) {
                Some(other) => Wanted::Revoke(other),
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        if chance.next_u32().is_multiple_of(2) && self.sync(at, chance)? {
            return Ok(true);
        }
        self.tell(at, &format!("proposes: {act:?}"));
        self.propose(at, wanted, chance)?;
        Ok(false)
    }

    /// Takes something back from the trash.
    fn take_back(&mut self, at: usize, chance: &mut SeededRng) -> Result<Option<bool>, Failure> {
        let trash = self.devices.get(at).and_then(|device| device.open.as_deref());
        let Some(trash) = trash.map(|open| open.vault.trash()) else {
            return Ok(Some(false));
        };
        let mut trash = must(trash, "the trash")?;
        trash.sort_by(|one, other| one.passkey.id.cmp(&other.passkey.id));
        let Some(trashed) = pick(chance, trash) else {
            return Ok(Some(false));
        };
        let id = trashed.passkey.id.clone();
        self.check_trashed(at, &trashed.passkey)?;
        let content = device::seen(&trashed.passkey);
        match self.devices.get_mut(at) {
            Some(device) => device.take_back(&id, &content),
            None => Ok(Some(false)),
        }
    }

    /// The program starts again after the power came back.
    fn after_power_cut(&mut self, at: usize, chance: &mut SeededRng) -> Result<(), Failure> {
        self.proposals.remove(&at);
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(());
        };
        device.lose_power(chance);
        device.unlock()?;
        self.resolve_doubt(at)
    }

    /// Looks at the store until there is nothing more to do; whether the power went.
    fn sync(&mut self, at: usize, chance: &mut SeededRng) -> Result<bool, Failure> {
        if let Some(open) = self
            .devices
            .get_mut(at)
            .and_then(|device| device.open.as_deref_mut())
        {
            open.machine.now();
        }
        self.work(at, 1000, chance)
    }

    /// So many requests and answers, if there is so much to do; whether the power went.
    fn work(&mut self, at: usize, turns: u32, chance: &mut SeededRng) -> Result<bool, Failure> {
        for _ in 0..turns {
            match self.turn(at, chance) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(Turn::PowerWent) => return Ok(true),
                Err(Turn::Failed(failure)) => return Err(failure),
            }
            self.hear_of_proposal(at)?;
        }
        Ok(false)
    }

    /// One request, or one answer; whether there was one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "everything else is a failure")]
    fn turn(&mut self, at: usize, chance: &mut SeededRng) -> Result<bool, Turn> {
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(false);
        };
        let (id, now, unix_ms) = (device.id, device.now, device.unix_ms());
        let disk = device.kept.disk.clone();
        let failed = |error: Error| match error {
            Error::Database(_) | Error::Corrupted if disk.disarm() => Turn::PowerWent,
            error => Turn::Failed(Failure(format!("the dialogue with the store ends: {error:?}"))),
        };
        let Some(open) = device.open.as_deref_mut() else {
            return Ok(false);
        };
        if let Some(answer) = open.answer.take() {
            if let Ok(Answer::Listed(names)) = &answer {
                open.shown_less =
                    checks::shows_less(&open.vault, &self.ids, names, &self.store, &self.covers);
            }
            open.machine
                .answer(&mut open.vault, answer, now, &mut device.rng)
                .map_err(failed)?;
            return Ok(true);
        }
        let wish = open
            .machine
            .wish(&mut open.vault, (now, unix_ms), &mut device.rng);
        match wish.map_err(&failed)? {
            Wish::Rest(until) => {
                self.check_rest(at).map_err(Turn::Failed)?;
                self.lock_if_asked(at).map_err(Turn::Failed)?;
                Ok(until <= now)
            }
            Wish::Sign => {
                let signed = signed(device);
                let keys = device.keys().map_err(Turn::Failed)?;
                device.kept.marks.insert(signed.end);
                device.kept.signed = Some(signed);
                sign(device, keys).map_err(failed)?;
                Ok(true)
            }
            Wish::Request(request) => {
                self.note_object(at, id, &request).map_err(Turn::Failed)?;
                let told = self.tells_requests.then(|| words(&request));
                let (answer, fault) = self.store.ask(at, request, chance);
                self.tell_request(at, told, fault);
                if let Some(open) = self
                    .devices
                    .get_mut(at)
                    .and_then(|device| device.open.as_deref_mut())
                {
                    open.answer = Some(answer);
                }
                Ok(true)
            }
        }
    }

    fn tell_request(&mut self, at: usize, told: Option<String>, fault: Option<Fault>) {
        match (told, fault) {
            (Some(told), None) => self
                .story
                .push(format!("{:4}   {} {told}", self.step, name_of(at))),
            (told, Some(fault)) => {
                let told = told.unwrap_or_default();
                self.tell(at, &format!("{told} goes wrong: {fault:?}"));
            }
            (None, None) => {}
        }
    }

    /// Another device changed the Vault PIN or the root key: the program locks the vault.
    fn lock_if_asked(&mut self, at: usize) -> Result<(), Failure> {
        if self.state(at) == Some(&State::NeedsPin) {
            self.hear_of_proposal(at)?;
            self.proposals.remove(&at);
            if let Some(device) = self.devices.get_mut(at) {
                device.close();
            }
            self.tell(at, "is locked: the Vault PIN or the root key is another one");
        }
        Ok(())
    }

    /// The state that a device says it is in.
    fn state(&self, at: usize) -> Option<&State> {
        let device = self.devices.get(at)?;
        Some(&device.open.as_deref()?.machine.status().state)
    }
}

/// Why there is no more turn.
enum Turn {
    PowerWent,
    Failed(Failure),
}

/// What is going to be signed: everything that waits.
fn signed(device: &Device) -> Signed {
    let open = device.open.as_deref();
    Signed {
        had_read: open.map_or_else(BTreeMap::new, |open| had_read(&open.vault, device.id)),
        operations: device.waiting(&device.kept.said).operations,
        end: device.kept.said.len(),
    }
}

fn sign(device: &mut Device, mut keys: SoftwareKeys) -> Result<(), Error> {
    let Some(Open { vault, machine, .. }) = device.open.as_deref_mut() else {
        return Ok(());
    };
    let (Some(auth), Some(hash)) = (vault.key_auth(), machine.to_sign()) else {
        return Ok(());
    };
    let signature = keys.sign(&auth, hash);
    machine.signed(vault, signature, device.now)
}

/// A request as it is told.
fn words(request: &Request) -> String {
    let short = |name: &str| name.split('/').skip(2).collect::<Vec<_>>().join("/");
    let all = |names: &[String]| names.iter().map(|name| short(name)).collect::<Vec<_>>().join(" ");
    match request {
        Request::List { .. } => "lists".to_owned(),
        Request::Get { names } => format!("reads {}", all(names)),
        Request::Remove { names } => format!("removes {}", all(names)),
        Request::Poll { .. } => "looks at the hint".to_owned(),
        Request::Create { name, .. } => format!("creates {}", short(name)),
        Request::Put { name, .. } => format!("writes {}", short(name)),
    }
}

/// What a device is called in a story.
fn name_of(at: usize) -> char {
    u8::try_from(at).map_or('?', |at| char::from(b'A'.saturating_add(at)))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

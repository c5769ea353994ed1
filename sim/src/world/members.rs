//! Devices come and go: each change is made as the program makes it, at the store first.

use std::time::Duration;

use rand_core::Rng;
use wardkey_vault::{
    Admission, Admitting, AskToJoin, Attempts, DeviceId, Here, Invitation, Kept as InStore, KeyAuth,
    KeyStore, KnownKey, ObjectHash, PairingId, Proposed, Remembered, RightGuess, SoftwareKeys, Trust,
    UsedPairings, Vault, join,
};

use super::World;
use super::device::{Device, Failure, Kept, PIN_COUNT, must, new_pin, pin_with, software, typed};
use super::disk::Disk;
use crate::scenario::SeededRng;

/// A device that asked to join, with keys that only it knows.
pub(super) struct Newcomer {
    pub(super) id: DeviceId,
    auth: KeyAuth,
    keys: Vec<u8>,
    asking: AskToJoin,
    pub(super) invitation: Option<Invitation>,
}

/// What a device proposed, until it knows what became of it.
pub(super) enum Proposal {
    Add(Box<Newcomer>, Box<Admission>),
    Revoke(DeviceId),
    Keys,
}

/// What is proposed.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Add,
    Revoke(DeviceId),
    ChangePin,
    Rotate,
}

impl Newcomer {
    fn new(id: DeviceId, rng: &mut SeededRng, now: Duration) -> Self {
        let auth = KeyAuth::random(rng);
        let keys = SoftwareKeys::generate(&auth, rng);
        let asking = AskToJoin::begin(id, keys.public(), now, rng);
        Self {
            id,
            auth,
            keys: keys.as_bytes().to_vec(),
            asking,
            invitation: None,
        }
    }
}

impl World {
    /// A device makes a change of the membership, and proposes it.
    pub(super) fn propose(
        &mut self,
        at: usize,
        wanted: Wanted,
        chance: &mut SeededRng,
    ) -> Result<(), Failure> {
        let number = u8::try_from(self.ids.len() + 1).unwrap_or(u8::MAX);
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(());
        };
        device.unlock_anew()?;
        let mut keys = device.keys()?;
        let (id, now, time) = (device.id, device.now, device.unix_ms() << 16);
        let next = device.kept.keys.keys().map(|(_, number)| *number).max();
        let next = (next.unwrap_or(0) + 1) % PIN_COUNT;
        let (Some(open), rng) = (device.open.as_deref_mut(), &mut device.rng) else {
            return Ok(());
        };
        if let (Wanted::Revoke(other), Some(trust)) = (wanted, open.vault.trust())
            && trust.member(other).is_none()
        {
            // Somebody else was first.
            return Ok(());
        }
        let Some(RightGuess { unlocked, right_pin }) = open.guess.take() else {
            return Ok(());
        };
        let here = &mut Here {
            device: id,
            store: &mut keys,
            time,
        };
        let pin = match wanted {
            Wanted::ChangePin => Some(next),
            Wanted::Rotate => chance.next_u32().is_multiple_of(2).then_some(next),
            Wanted::Add | Wanted::Revoke(_) => None,
        };
        let chosen = pin.map(new_pin).transpose()?;
        let (change, proposal) = match (wanted, &chosen) {
            (Wanted::Add, _) => {
                let mut newcomer = Box::new(Newcomer::new(DeviceId([number; 16]), chance, now));
                let public = here.store.public().clone();
                let vault = unlocked.trust().vault();
                let admitting = Admitting {
                    vault,
                    device: id,
                    public: &public,
                };
                let mut admission = Box::new(pair(&mut newcomer.asking, admitting, now, rng)?);
                let new = must(admission.take_let_in(now).ok_or(()), "a device that was let in")?;
                self.ids.push(newcomer.id);
                let change = unlocked.add_device(here, right_pin, &new, rng);
                (change, Proposal::Add(newcomer, admission))
            }
            (Wanted::Revoke(other), _) => {
                let last = open.vault.log_head(other);
                let change = unlocked.revoke(here, right_pin, (other, last), None, rng);
                (change, Proposal::Revoke(other))
            }
            (Wanted::ChangePin, Some(pin)) => {
                (unlocked.change_pin(here, right_pin, pin, rng), Proposal::Keys)
            }
            (Wanted::Rotate | Wanted::ChangePin, pin) => (
                unlocked.rotate(here, right_pin, pin.as_ref(), rng),
                Proposal::Keys,
            ),
        };
        let change = must(change, "a change of the membership")?;
        if let (Some((generation, keys)), Some(pin)) = (change.device_keys(), pin) {
            device.kept.keys.insert((generation, pin), keys.to_vec());
        }
        open.machine.propose(change);
        self.proposals.insert(at, proposal);
        Ok(())
    }

    /// What became of a proposal.
    pub(super) fn hear_of_proposal(&mut self, at: usize) -> Result<(), Failure> {
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(());
        };
        let Some(open) = device.open.as_deref() else {
            self.proposals.remove(&at);
            return Ok(());
        };
        let Some(proposed) = open.machine.proposed() else {
            return Ok(());
        };
        let Some(proposal) = self.proposals.remove(&at) else {
            return Ok(());
        };
        let trust = must(open.vault.trust().ok_or(()), "a trust log")?;
        let Remembered { seq, head } = trust.remembered();
        self.two_trusts |= *self.entries.entry(seq).or_insert(head) != head;
        match (proposed, proposal) {
            (Proposed::Accepted, Proposal::Add(mut newcomer, mut admission)) => {
                must(admission.handle_added(trust.remembered()), "the welcome")?;
                let welcome = must(admission.poll_post().ok_or(()), "the welcome")?;
                // It may have waited too long. Then it is a member that never comes.
                let heard = newcomer
                    .asking
                    .handle_message(device.now, &welcome.name, &welcome.bytes);
                newcomer.invitation = newcomer.asking.invitation().filter(|_| heard.is_ok());
                self.newcomers
                    .extend(newcomer.invitation.is_some().then_some(*newcomer));
            }
            (Proposed::Accepted, Proposal::Revoke(other)) => {
                self.removed.entry(other).or_insert(trust.epoch());
            }
            (Proposed::Accepted, Proposal::Keys) | (Proposed::Beaten, _) => {}
        }
        self.tell(at, &format!("change of the membership: {proposed:?}"));
        Ok(())
    }

    /// A device that was let in reads the store and joins. Whether it did.
    pub(super) fn join(&mut self) -> Result<bool, Failure> {
        let Some(newcomer) = self.newcomers.pop() else {
            return Ok(false);
        };
        let at = self.devices.len();
        let root = self.root();
        let names = self.store.names(at);
        let of_trust = names.iter().filter(|name| name.starts_with(&format!("{root}t/")));
        let entries = of_trust.filter_map(|name| Some(self.store.look(at, name)?.to_vec()));
        let entries: Vec<_> = entries.collect();
        let Ok(trust) = Trust::read(entries.iter().map(Vec::as_slice), None) else {
            self.newcomers.insert(0, newcomer);
            return Ok(false);
        };
        let object = |hash: ObjectHash| {
            let name = format!("{root}k/{}.obj", super::hex(&hash.0));
            self.store.look(at, &name).map(<[u8]>::to_vec)
        };
        let kept = InStore {
            entries: &entries,
            object: &object,
        };
        let rng = SeededRng::new(u64::from(newcomer.id.0[0]));
        let Some(mut device) = newcomer.device(&trust, kept, rng)? else {
            if trust.former(newcomer.id).is_none() {
                self.newcomers.insert(0, newcomer);
            }
            return Ok(false);
        };
        device.clock_ms = self.clocks_ms.get(at).copied().unwrap_or(0);
        self.devices.push(device);
        self.tell(at, "joins");
        Ok(true)
    }
}

impl Newcomer {
    /// It joins the vault, if the store has what it needs.
    fn device(
        &self,
        trust: &Trust,
        kept: InStore<'_>,
        mut rng: SeededRng,
    ) -> Result<Option<Device>, Failure> {
        let number = pin_with(trust.kdf());
        let (Some(invitation), Some(number)) = (&self.invitation, number) else {
            return Ok(None);
        };
        let Some(pin) = typed(number) else {
            return Ok(None);
        };
        let mut keys = software(&self.keys)?;
        let mut here = Here {
            device: self.id,
            store: &mut keys,
            time: 5,
        };
        let counted = Attempts::from_bytes(None, Duration::ZERO).count(Duration::ZERO, |_| Ok::<_, ()>(()));
        let guess = (&pin, must(counted, "counting a Vault PIN")?);
        let Ok(joined) = join(invitation, kept, (&mut here, &self.auth), guess, &mut rng) else {
            return Ok(None);
        };
        let (generation, keys) = joined.device_keys.clone();
        let kept = Kept::new(Disk::default(), [self.id.0[0]; 32], (generation, number), keys);
        let known = must(KnownKey::from_slice(&kept.known).ok_or(()), "a key")?;
        let mut device = Device::new(self.id, kept, rng);
        let disk = device.kept.disk.clone();
        let locked = Vault::join(disk, &joined, (known, device.now), &mut device.rng);
        device.unlock_by(must(locked, "joining")?, joined.into_guess())?;
        device.begin_sync()?;
        Ok(Some(device))
    }
}

/// The whole conversation, over a mailbox that works, up to the digits.
fn pair(
    asking: &mut AskToJoin,
    here: Admitting<'_>,
    now: Duration,
    rng: &mut SeededRng,
) -> Result<Admission, Failure> {
    let hello = must(asking.poll_post().ok_or(()), "hello")?;
    let pairing = must(PairingId::of_hello(&hello.name).ok_or(()), "hello")?;
    let mut used = UsedPairings::default();
    let mut admission = must(
        Admission::begin(&mut used, (pairing, &hello.bytes), here, now, rng),
        "a pairing",
    )?;
    for _ in 0..2 {
        if let Some(post) = admission.poll_post() {
            must(asking.handle_message(now, &post.name, &post.bytes), "a message")?;
        }
        if let Some(post) = asking.poll_post() {
            must(
                admission.handle_message(now, &post.name, &post.bytes),
                "a message",
            )?;
        }
    }
    let digits = must(asking.digits().ok_or(()), "digits")?;
    must(admission.handle_digits(now, &digits.to_text()), "digits")?;
    Ok(admission)
}

//! What changes who can open a vault: making it, another Vault PIN, another root key, another recovery kit, another
//! device or one less, and recovering from a kit. Each is a [`Change`]: writes in an order in which the power may go after any of them.
//!
//! Each change of an open vault uses up a [`RightPin`]: the Vault PIN is asked for again, every time.
//!
//! Everything that the new state needs is written first, under names that nothing uses yet. Then one entry of the
//! trust log makes it the state in force. Only then is what the old state needed removed.

mod anew;
mod devices;
mod earlier_pin;
mod join;

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use self::anew::{Recovered, head_of, recover_anew, snapshot_of};
pub use self::devices::NewDevice;
pub use self::earlier_pin::{CaughtUp, EarlierPin};
pub use self::join::{Invitation, Joined, Kept, NotJoined, join};
use crate::attempts::{Counted, RightPin};
use crate::device_key::{KeyStore, PublicKeys};
use crate::epochs;
use crate::frame::{ObjectHash, Refused, SealedKind, Unsigned};
use crate::kdf::{KdfCost, KdfParameters, OutOfMemory};
use crate::keys::{DeviceId, KeyAuth, PinSecret, VaultKey};
use crate::object::{self, Authentic, LogHead, Position};
use crate::pin::{GuessLimit, PinRefused, VaultPin};
use crate::recovery_kit::RecoveryKit;
use crate::slot::{NotOpened, SlotHeader, SlotTarget, open_device_slot, open_kit_slot, recipient_hash};
use crate::trust::{Body, Head, NewKeys, Target, Trust, vault_id};
use crate::{RootKey, Secret};

/// More epochs than a vault will see.
const EPOCHS_MAX: usize = 4096;

/// The name of something that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// An entry of the trust log.
    Entry(u32),
    /// A slot, or the root keys of earlier epochs.
    Object(ObjectHash),
    /// The device's own keys as they are kept under the Vault PIN of this generation. Never leaves the device.
    DeviceKeys(u32),
}

impl Name {
    /// The keys of the rows of objects begin so.
    pub(crate) const OBJECT: u8 = b'o';

    /// As the key of a row: a letter, then the number (big endian) or the hash.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Entry(seq) => [b"t".as_slice(), &seq.to_be_bytes()].concat(),
            Self::Object(hash) => [[Self::OBJECT].as_slice(), &hash.0].concat(),
            Self::DeviceKeys(generation) => [b"k".as_slice(), &generation.to_be_bytes()].concat(),
        }
    }
}

/// A vault that was made.
pub struct Created {
    /// What makes it.
    pub change: Change,
    /// Its first root key, as it serves it.
    pub(crate) key: VaultKey,
}

/// Writes in order. After them the vault is opened again.
pub struct Change {
    /// To be durable, in any order, before the commit.
    pub before: Vec<(Name, Vec<u8>)>,
    /// Makes the change, in one durable write.
    pub commit: (Name, Vec<u8>),
    /// To be removed after the commit, or at any later time.
    pub after: Vec<Name>,
}

/// A Vault PIN that was chosen, stretched.
pub struct NewPin {
    kdf: KdfParameters,
    secret: PinSecret,
}

/// Why a Vault PIN was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChosen {
    /// It may not be chosen.
    #[error(transparent)]
    Refused(#[from] PinRefused),
    /// There is not enough memory to stretch it.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl Change {
    /// The device's keys as they are to be kept from then on, and under which number; durable before the change is made.
    pub fn device_keys(&self) -> Option<(u32, &[u8])> {
        self.before.iter().find_map(|(name, bytes)| match name {
            Name::DeviceKeys(generation) => Some((*generation, bytes.as_slice())),
            Name::Entry(_) | Name::Object(_) => None,
        })
    }
}

impl NewPin {
    /// What was typed to be the Vault PIN from now on, where guesses are limited as `limit` says.
    pub fn choose(
        text: &str,
        limit: GuessLimit,
        cost: KdfCost,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, NotChosen> {
        let pin = VaultPin::chosen(text, limit)?;
        let kdf = KdfParameters::new(cost, rng);
        let secret = kdf.stretch(&pin)?;
        Ok(Self { kdf, secret })
    }
}

/// This device, at this time.
pub struct Here<'a> {
    /// The device.
    pub device: DeviceId,
    /// Its keys.
    pub store: &'a mut dyn KeyStore,
    /// Hybrid logical clock.
    pub time: u64,
}

/// An open vault: what the trust log says, and the root keys. Dropping it locks the vault.
pub struct Unlocked {
    trust: Trust,
    roots: BTreeMap<u32, RootKey>,
    pin: PinSecret,
    auth: KeyAuth,
}

/// What an open vault needs to exchange objects with other devices.
pub(crate) struct Session {
    /// The root keys of all epochs, as they serve the vault.
    pub(crate) keys: BTreeMap<u32, VaultKey>,
    /// What the key store of the device asks for.
    pub(crate) auth: KeyAuth,
    /// The Vault PIN that it comes from.
    pub(crate) pin_generation: u32,
}

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// A slot or the keys of the device did not do what they should.
    #[error(transparent)]
    Keys(#[from] NotOpened),
    /// The vault does not allow it.
    #[error("the vault does not allow this change: {0}")]
    Refused(#[from] Refused),
}

impl From<crate::KeyStoreError> for NotChanged {
    fn from(error: crate::KeyStoreError) -> Self {
        Self::Keys(error.into())
    }
}

impl Unlocked {
    /// Opens a vault. `object` gives what is kept under a hash; `counted` is one guess.
    pub fn open(
        trust: Trust,
        here: &mut Here<'_>,
        pin: &VaultPin,
        counted: Counted,
        object: &dyn Fn(ObjectHash) -> Option<Vec<u8>>,
    ) -> Result<(Self, RightPin), NotOpened> {
        let slot = trust.device_slot(here.device).and_then(object);
        let slot = slot.ok_or(NotOpened::Slot(Refused::Misplaced))?;
        let opened = open_device_slot(&slot, &trust, here.device, here.store, pin, counted)?;
        let roots = all_roots(&trust, opened.root, object)?;
        let unlocked = Self {
            trust,
            roots,
            pin: opened.pin,
            auth: opened.auth,
        };
        Ok((unlocked, opened.right_pin))
    }

    /// What the trust log says.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The root key of `epoch`, as it serves this vault.
    pub fn key(&self, epoch: u32) -> Option<VaultKey> {
        let root = self.roots.get(&epoch)?;
        Some(VaultKey::of_epoch(root, self.trust.vault(), epoch))
    }

    pub(crate) fn session(&self) -> Session {
        let key =
            |(epoch, root): (&u32, &RootKey)| (*epoch, VaultKey::of_epoch(root, self.trust.vault(), *epoch));
        Session {
            keys: self.roots.iter().map(key).collect(),
            auth: self.auth.copy(),
            pin_generation: self.trust.pin_generation(),
        }
    }

    /// Another Vault PIN, for the same root key. Somebody who knows the old PIN and has the device's old files still
    /// has the root key: see [`Self::rotate`].
    pub fn change_pin(
        &self,
        here: &mut Here<'_>,
        _: RightPin,
        pin: &NewPin,
        rng: &mut dyn CryptoRng,
    ) -> Result<Change, NotChanged> {
        self.replace_keys(here, Some(pin), NewRoot::No, rng)
    }

    /// Another root key, and where `pin` is given another Vault PIN. What is sealed from then on is closed to whoever
    /// had the root key before.
    pub fn rotate(
        &self,
        here: &mut Here<'_>,
        _: RightPin,
        pin: Option<&NewPin>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Change, NotChanged> {
        self.replace_keys(here, pin, NewRoot::ForEverybody, rng)
    }

    /// Another recovery kit. The old one still opens old copies of the vault: see [`Self::rotate`].
    pub fn renew_kit(
        &self,
        here: &mut Here<'_>,
        _: RightPin,
        kit: &RecoveryKit,
        rng: &mut dyn CryptoRng,
    ) -> Result<Change, NotChanged> {
        let mut writer = Writing::new(&self.trust, here, &self.auth);
        let public = kit.public();
        let slot = writer.slot(Target::RecoveryKit, &public, &self.keys_in_force()?, rng)?;
        let body = Body::SetRecovery {
            recovery: public,
            slot,
        };
        let after = self.trust.recovery_slot().map(Name::Object);
        writer.finish(self.trust.epoch(), &body, after.into_iter().collect())
    }

    fn keys_in_force(&self) -> Result<Keys<'_>, Refused> {
        Ok(Keys {
            epoch: self.trust.epoch(),
            root: self.root()?,
            pin_generation: self.trust.pin_generation(),
            kdf: self.trust.kdf().ok_or(Refused::Misplaced)?,
            pin: &self.pin,
        })
    }

    fn root(&self) -> Result<&RootKey, Refused> {
        self.roots.get(&self.trust.epoch()).ok_or(Refused::Misplaced)
    }

    fn replace_keys(
        &self,
        here: &mut Here<'_>,
        pin: Option<&NewPin>,
        new_root: NewRoot,
        rng: &mut dyn CryptoRng,
    ) -> Result<Change, NotChanged> {
        let trust = &self.trust;
        let mut writer = Writing::new(trust, here, &self.auth);
        let mut after: Vec<Name> = trust.slots().into_values().map(Name::Object).collect();
        let pin_generation = trust.pin_generation() + u32::from(pin.is_some());
        let is_new = new_root != NewRoot::No;
        let epoch = trust.epoch() + u32::from(is_new);
        let kdf = match pin {
            Some(pin) => pin.kdf,
            None => trust.kdf().ok_or(Refused::Misplaced)?,
        };
        let secret = pin.map_or(&self.pin, |pin| &pin.secret);

        let fresh = Secret::random(rng);
        let (root, earlier) = if is_new {
            after.extend(trust.earlier_keys().map(Name::Object));
            (
                &fresh,
                Some(writer.earlier_keys(epoch, &fresh, &self.roots, rng)?),
            )
        } else {
            (self.root()?, trust.earlier_keys())
        };
        if let Some(pin) = pin {
            writer.reseal(pin_generation, pin, rng)?;
            after.push(Name::DeviceKeys(trust.pin_generation()));
        }
        let keys = Keys {
            epoch,
            root,
            pin_generation,
            kdf,
            pin: secret,
        };
        let mut recipients = trust.recipients();
        if let NewRoot::Without { device, .. } = new_root {
            recipients.retain(|(target, _)| *target != Target::Device(device));
        }
        let keys = writer.slots(recipients, &keys, earlier, rng)?;
        let body = match new_root {
            NewRoot::No | NewRoot::ForEverybody => Body::Keys(keys),
            NewRoot::Without { device, last } => Body::Revoke { device, last, keys },
        };
        writer.finish(epoch, &body, after)
    }
}

/// Whether another root key is made, and for whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NewRoot {
    No,
    ForEverybody,
    Without { device: DeviceId, last: LogHead },
}

/// Makes a vault. `auth` is what the keys of the device were made under. Before the commit there is none: a trust log
/// whose epoch is 0 is what a power cut left, and may be thrown away.
pub fn create(
    here: &mut Here<'_>,
    auth: &KeyAuth,
    pin: &NewPin,
    kit: Option<&RecoveryKit>,
    rng: &mut dyn CryptoRng,
) -> Result<Created, NotChanged> {
    let mut random = [0; 16];
    rng.fill_bytes(&mut random);
    let body = Body::Genesis {
        random,
        device: here.device,
        public: here.store.public().clone(),
        recovery: kit.map(RecoveryKit::public),
    };
    let genesis = Head {
        vault: vault_id(&body.encode()),
        seq: 1,
        previous: ObjectHash::NONE,
        epoch: 0,
        actor: here.device,
        time: here.time,
        min_format: body.format(),
    }
    .entry(&body);
    let signature = here.store.sign(auth, genesis.to_sign())?;
    let genesis = genesis.signed(&signature);
    let trust = Trust::begin(&genesis)?;

    let mut writer = Writing::new(&trust, here, auth);
    writer.before.push((Name::Entry(1), genesis));
    writer.reseal(1, pin, rng)?;
    let root = Secret::random(rng);
    let keys = Keys {
        epoch: 1,
        root: &root,
        pin_generation: 1,
        kdf: pin.kdf,
        pin: &pin.secret,
    };
    let body = Body::Keys(writer.slots(everyone(writer.here, kit), &keys, None, rng)?);
    Ok(Created {
        change: writer.finish(1, &body, Vec::new())?,
        key: VaultKey::of_epoch(&root, trust.vault(), 1),
    })
}

/// Takes a vault over with its recovery kit: this device becomes its only member, with a new root key, a new Vault PIN
/// and a new kit. `auth` is what the keys of the device were made under. `accepted` is how far the logs of the members
/// before were read; of one that is not in it, nothing is accepted from then on.
pub fn recover(
    trust: &Trust,
    (kit, accepted): (&RecoveryKit, &BTreeMap<DeviceId, LogHead>),
    object: &dyn Fn(ObjectHash) -> Option<Vec<u8>>,
    here: (&mut Here<'_>, &KeyAuth),
    new: (&NewPin, &RecoveryKit),
    rng: &mut dyn CryptoRng,
) -> Result<Change, NotChanged> {
    let accepted = (accepted, &BTreeSet::new());
    take_over(trust, (kit, accepted), object, here, new, rng)
}

/// What is accepted of the members before: how far their logs, and which of their snapshots.
pub(crate) type Accepted<'a> = (&'a BTreeMap<DeviceId, LogHead>, &'a BTreeSet<ObjectHash>);

fn take_over(
    trust: &Trust,
    (kit, (accepted, snapshots)): (&RecoveryKit, Accepted<'_>),
    object: &dyn Fn(ObjectHash) -> Option<Vec<u8>>,
    (here, auth): (&mut Here<'_>, &KeyAuth),
    (pin, new_kit): (&NewPin, &RecoveryKit),
    rng: &mut dyn CryptoRng,
) -> Result<Change, NotChanged> {
    // A kit of another vault is told before anything else is read.
    if trust.recovery() != Some(&kit.public()) {
        return Err(NotOpened::WrongKit.into());
    }
    let slot = trust.recovery_slot().and_then(object).ok_or(Refused::Misplaced)?;
    let roots = all_roots(trust, open_kit_slot(&slot, trust, kit)?, object)?;

    let (epoch, generation) = (trust.epoch() + 1, trust.pin_generation() + 1);
    let mut writer = Writing::new(trust, here, auth);
    let root = Secret::random(rng);
    let earlier = writer.earlier_keys(epoch, &root, &roots, rng)?;
    writer.reseal(generation, pin, rng)?;
    let keys = Keys {
        epoch,
        root: &root,
        pin_generation: generation,
        kdf: pin.kdf,
        pin: &pin.secret,
    };
    let body = Body::Recover {
        device: writer.here.device,
        public: writer.here.store.public().clone(),
        recovery: new_kit.public(),
        keys: writer.slots(everyone(writer.here, Some(new_kit)), &keys, Some(earlier), rng)?,
        accepted: accepted.clone(),
        snapshots: snapshots.clone(),
    };
    let mut after: Vec<Name> = trust.slots().into_values().map(Name::Object).collect();
    after.extend(trust.earlier_keys().map(Name::Object));
    let entry = writer.entry(epoch, &body);
    let signature = kit.sign(entry.to_sign());
    writer.finish_with(entry.signed(&signature), after)
}

/// This device, and the kit if there is one.
fn everyone(here: &Here<'_>, kit: Option<&RecoveryKit>) -> Vec<(Target, PublicKeys)> {
    let device = (Target::Device(here.device), here.store.public().clone());
    let kit = kit.map(|kit| (Target::RecoveryKit, kit.public()));
    [device].into_iter().chain(kit).collect()
}

/// The root key in force, and all before it.
fn all_roots(
    trust: &Trust,
    root: RootKey,
    object: &dyn Fn(ObjectHash) -> Option<Vec<u8>>,
) -> Result<BTreeMap<u32, RootKey>, Refused> {
    let mut roots = BTreeMap::new();
    if let Some(hash) = trust.earlier_keys() {
        let sealed = object(hash).ok_or(Refused::Misplaced)?;
        let sealed = Authentic::read(&sealed, SealedKind::EarlierKeys, trust.vault(), trust)?;
        if sealed.hash() != hash {
            return Err(Refused::Misplaced);
        }
        let payload = sealed.open(&VaultKey::of_epoch(&root, trust.vault(), trust.epoch()))?;
        roots = decode_earlier(&payload).ok_or(Refused::Malformed)?;
    }
    roots.insert(trust.epoch(), root);
    // Each epoch from the first on, or something that was sealed could not be opened any more.
    if roots.keys().copied().eq(1..=trust.epoch()) {
        Ok(roots)
    } else {
        Err(Refused::Malformed)
    }
}

/// With room for the padding of what is exchanged.
fn encode_earlier(roots: &BTreeMap<u32, RootKey>) -> Zeroizing<Vec<u8>> {
    epochs::encode(roots.iter().map(|(epoch, root)| (*epoch, root)), |len| {
        2 * len + 1024
    })
}

fn decode_earlier(payload: &[u8]) -> Option<BTreeMap<u32, RootKey>> {
    epochs::decode(payload, EPOCHS_MAX)
}

/// What is in force after a change.
struct Keys<'a> {
    epoch: u32,
    root: &'a RootKey,
    pin_generation: u32,
    kdf: KdfParameters,
    pin: &'a PinSecret,
}

/// A change that is being put together.
struct Writing<'w, 'h> {
    trust: Trust,
    here: &'w mut Here<'h>,
    auth: &'w KeyAuth,
    before: Vec<(Name, Vec<u8>)>,
}

impl<'w, 'h> Writing<'w, 'h> {
    fn new(trust: &Trust, here: &'w mut Here<'h>, auth: &'w KeyAuth) -> Self {
        Self {
            trust: trust.clone(),
            here,
            auth,
            before: Vec::new(),
        }
    }

    fn sign(&mut self, object: Unsigned) -> Result<Vec<u8>, NotChanged> {
        let signature = self.here.store.sign(self.auth, object.to_sign())?;
        Ok(object.signed(&signature))
    }

    /// Signs an object and writes it before the commit.
    fn put(&mut self, object: Unsigned) -> Result<ObjectHash, NotChanged> {
        let object = self.sign(object)?;
        let hash = ObjectHash::of(&object);
        self.before.push((Name::Object(hash), object));
        Ok(hash)
    }

    /// Writes the slot of `target` before the commit.
    fn slot(
        &mut self,
        target: Target,
        public: &PublicKeys,
        keys: &Keys<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<ObjectHash, NotChanged> {
        let header = SlotHeader {
            vault: self.trust.vault(),
            epoch: keys.epoch,
            target: match target {
                Target::RecoveryKit => SlotTarget::RecoveryKit,
                Target::Device(device) => SlotTarget::Device {
                    device,
                    pin_generation: keys.pin_generation,
                    kdf: keys.kdf,
                },
            },
            author: self.here.device,
            trust_head: self.trust.remembered().head,
            recipient: recipient_hash(&public.recipient),
        };
        let slot = header.slot(&public.recipient, keys.pin, keys.root, rng);
        self.put(slot)
    }

    /// Writes the slots of all of them, and says what the trust log has to.
    fn slots(
        &mut self,
        everyone: Vec<(Target, PublicKeys)>,
        keys: &Keys<'_>,
        earlier: Option<ObjectHash>,
        rng: &mut dyn CryptoRng,
    ) -> Result<NewKeys, NotChanged> {
        let mut slots = BTreeMap::new();
        for (target, public) in everyone {
            slots.insert(target, self.slot(target, &public, keys, rng)?);
        }
        Ok(NewKeys {
            epoch: keys.epoch,
            pin_generation: keys.pin_generation,
            kdf: keys.kdf,
            slots,
            earlier,
        })
    }

    /// The root keys before `epoch`, sealed under its own.
    fn earlier_keys(
        &mut self,
        epoch: u32,
        root: &RootKey,
        earlier: &BTreeMap<u32, RootKey>,
        rng: &mut dyn CryptoRng,
    ) -> Result<ObjectHash, NotChanged> {
        let known = self.trust.remembered();
        let position = Position {
            author: self.here.device,
            incarnation: 0,
            seq: 0,
            previous: ObjectHash::NONE,
            time: self.here.time,
            trust_seq: known.seq,
            trust_head: known.head,
            seen: [0; 32],
        };
        let key = VaultKey::of_epoch(root, self.trust.vault(), epoch);
        let payload = encode_earlier(earlier);
        let sealed = object::seal(&key, SealedKind::EarlierKeys, position, payload, rng);
        self.put(sealed.ok_or(Refused::Malformed)?)
    }

    /// The keys of this device, under what the new PIN gives.
    fn reseal(&mut self, generation: u32, pin: &NewPin, rng: &mut dyn CryptoRng) -> Result<(), NotChanged> {
        let auth = pin.secret.key_auth(self.trust.vault(), self.here.device);
        let keys = self.here.store.resealed(self.auth, &auth, rng)?;
        self.before.push((Name::DeviceKeys(generation), keys));
        Ok(())
    }

    /// The next entry of the trust log.
    fn entry(&self, epoch: u32, body: &Body) -> Unsigned {
        let known = self.trust.remembered();
        let head = Head {
            vault: self.trust.vault(),
            seq: known.seq + 1,
            previous: known.head,
            epoch,
            actor: self.here.device,
            time: self.here.time,
            min_format: body.format().max(self.trust.min_format()),
        };
        head.entry(body)
    }

    /// The change that this device makes with this entry.
    fn finish(mut self, epoch: u32, body: &Body, after: Vec<Name>) -> Result<Change, NotChanged> {
        let entry = self.entry(epoch, body);
        let entry = self.sign(entry)?;
        self.finish_with(entry, after)
    }

    /// Nothing is written that a reader would refuse.
    fn finish_with(self, entry: Vec<u8>, after: Vec<Name>) -> Result<Change, NotChanged> {
        let next = self.trust.follow(&entry)?;
        Ok(Change {
            before: self.before,
            commit: (Name::Entry(next.remembered().seq), entry),
            after,
        })
    }
}

#[cfg(test)]
mod tests;

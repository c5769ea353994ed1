//! A vault whose Vault PIN is not known: what can be seen without it, how a PIN is tried, and how it becomes an open
//! [`Vault`]. What is in clear here anybody who has the files can read.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::CryptoRng;
use redb::StorageBackend;

use crate::attempts::{Attempts, Counted, NotCounted, RightPin};
use crate::database::{Change, Database, Meta};
use crate::device_key::KeyStore;
use crate::frame::ObjectHash;
use crate::keys::{DeviceId, KnownKey, VaultKey};
use crate::known::KnownSum;
use crate::local_keys::LocalKeys;
use crate::membership::{self, CaughtUp, EarlierPin, Here, Name, Unlocked, head_of};
use crate::object::LogHead;
use crate::pin::VaultPin;
use crate::slot::NotOpened;
use crate::trust::Trust;
use crate::vault::{check_format, read_vault_id, require};
use crate::{CredentialId, Error, RpIdHash, Vault, known, seal};

/// A vault that is locked.
pub struct Locked {
    database: Database,
    member: Member,
    public_state: Option<Vec<u8>>,
}

/// This device as a member of a vault.
pub(crate) struct Member {
    pub(crate) device: DeviceId,
    pub(crate) trust: Trust,
    pub(crate) known: KnownKey,
    /// Whether all that is recognized while the vault is locked is there.
    pub(crate) is_known_whole: bool,
    /// Of what is there then.
    pub(crate) sum: KnownSum,
    pub(crate) attempts: Attempts,
}

/// One try at the Vault PIN, which is counted. It has all that it needs, so that it can be made elsewhere while the locked
/// vault goes on answering.
pub struct Guess {
    trust: Trust,
    device: DeviceId,
    objects: Vec<(ObjectHash, Vec<u8>)>,
    counted: Counted,
}

/// The Vault PIN was right: what opens the vault, and what a change of its membership needs.
pub struct RightGuess {
    /// The root keys.
    pub unlocked: Unlocked,
    /// The evidence.
    pub right_pin: RightPin,
}

impl Guess {
    /// Tries `pin` where the device's keys are still kept under an earlier one. It takes twice as long as [`Self::check`].
    pub fn catch_up(
        self,
        store: &mut dyn KeyStore,
        earlier: EarlierPin<'_>,
        pin: &VaultPin,
        rng: &mut dyn CryptoRng,
    ) -> Result<CaughtUp, NotOpened> {
        self.open(store, |trust, here, counted, object| {
            Unlocked::catch_up(trust, here, earlier, (pin, counted), object, rng)
        })
    }

    /// Tries `pin`. This takes as long as the Vault PIN is worth: a second, more or less.
    pub fn check(self, store: &mut dyn KeyStore, pin: &VaultPin) -> Result<RightGuess, NotOpened> {
        self.open(store, |trust, here, counted, object| {
            let (unlocked, right_pin) = Unlocked::open(trust, here, pin, counted, object)?;
            Ok(RightGuess { unlocked, right_pin })
        })
    }

    /// Opens with all that a try needs.
    fn open<T>(
        self,
        store: &mut dyn KeyStore,
        open: impl FnOnce(Trust, &mut Here<'_>, Counted, &dyn Fn(ObjectHash) -> Option<Vec<u8>>) -> T,
    ) -> T {
        let Self {
            trust,
            device,
            objects,
            counted,
        } = self;
        let mut here = Here {
            device,
            store,
            time: 0,
        };
        let object = |hash| {
            let found = objects.iter().find(|(name, _)| *name == hash);
            found.map(|(_, object)| object.clone())
        };
        open(trust, &mut here, counted, &object)
    }
}

impl Guess {
    /// Tries what was typed. What is longer than any Vault PIN is wrong.
    pub fn check_typed(self, store: &mut dyn KeyStore, typed: &str) -> Result<RightGuess, NotOpened> {
        let pin = VaultPin::typed(typed).ok_or(NotOpened::WrongPin)?;
        self.check(store, &pin)
    }
}

impl Locked {
    /// Opens what is in `backend` as far as that is possible without the Vault PIN. `now` is the time since some moment
    /// that does not change while the program runs.
    pub fn open(backend: impl StorageBackend, known: KnownKey, now: Duration) -> Result<Self, Error> {
        let database = Database::open(backend)?;
        if database.is_new()? {
            return Err(Error::HasNoPin);
        }
        check_format(&database)?;
        if database.meta(Meta::LocalKeys)?.is_none() {
            return Err(Error::HasNoPin);
        }
        Self::read(database, known, now)
    }

    pub(crate) fn read(database: Database, known: KnownKey, now: Duration) -> Result<Self, Error> {
        let device = require(&database, Meta::Device)?;
        let device = DeviceId(device.as_slice().try_into().map_err(|_| Error::Tampered)?);
        let attempts = Attempts::from_bytes(database.meta(Meta::Attempts)?.as_deref(), now);
        let trust = read_trust(&database)?;
        let sum = KnownSum::read(&database, &known, read_vault_id(&database)?)?;
        let member = Member {
            device,
            trust,
            known,
            is_known_whole: sum.is_some(),
            sum: sum.unwrap_or_default(),
            attempts,
        };
        Ok(Self {
            public_state: read_public_state(&database, &member)?,
            database,
            member,
        })
    }

    pub(crate) fn of(database: Database, member: Member) -> Self {
        // What cannot be read is as if it was never written.
        let public_state = read_public_state(&database, &member).ok().flatten();
        Self {
            database,
            member,
            public_state,
        }
    }

    /// What [`Vault::put_state`] was last given as the part that is no secret; `None` where that is not what is there.
    pub fn public_state(&self) -> Option<&[u8]> {
        self.public_state.as_deref()
    }

    /// What the trust log says.
    pub fn trust(&self) -> &Trust {
        &self.member.trust
    }

    /// Whether this device exchanges what changes with the others.
    pub fn syncs(&self) -> Result<bool, Error> {
        Ok(self.database.meta(Meta::Replica)?.is_some())
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.member.device
    }

    /// How far the log of each member was read.
    pub fn log_heads(&self) -> Result<BTreeMap<DeviceId, LogHead>, Error> {
        let trust = &self.member.trust;
        let mut heads = BTreeMap::new();
        for device in trust.members() {
            if let Some(object) = self.database.last_of_device_log(device)? {
                let (author, head) = head_of(trust, &object).map_err(|_| Error::Tampered)?;
                if author != device {
                    return Err(Error::Tampered);
                }
                heads.insert(device, head);
            }
        }
        Ok(heads)
    }

    /// How many Vault PINs were wrong since the last right one.
    pub fn wrong_pins(&self) -> u32 {
        self.member.attempts.failed()
    }

    /// Whether a discoverable credential for this relying party may be stored. Where the answer is `false` none is.
    pub fn has_site(&self, rp: &RpIdHash) -> Result<bool, Error> {
        let Member {
            known,
            is_known_whole,
            ..
        } = &self.member;
        Ok(!is_known_whole || self.database.knows(&known.site(rp))?)
    }

    /// Whether a credential with this id may be usable for this relying party. Where the answer is `false` it is not.
    pub fn may_have(&self, rp: &RpIdHash, id: &CredentialId) -> Result<bool, Error> {
        let Member {
            known,
            is_known_whole,
            ..
        } = &self.member;
        Ok(!is_known_whole || known::may_have(&self.database, known, rp, id)?)
    }

    /// Counts a Vault PIN that is going to be tried, durably.
    pub fn guess(&mut self, now: Duration) -> Result<Guess, NotCounted<Error>> {
        let objects = self.objects_to_open().map_err(NotCounted::NotKept)?;
        let database = &self.database;
        let counted = self.member.attempts.count(now, |attempts| {
            database.apply(&Change {
                put_meta: vec![(Meta::Attempts, attempts.to_vec())],
                ..Change::default()
            })
        })?;
        Ok(Guess {
            trust: self.member.trust.clone(),
            device: self.member.device,
            objects,
            counted,
        })
    }

    fn objects_to_open(&self) -> Result<Vec<(ObjectHash, Vec<u8>)>, Error> {
        let Member { trust, device, .. } = &self.member;
        let names = [trust.device_slot(*device), trust.earlier_keys()];
        let mut objects = Vec::new();
        for name in names.into_iter().flatten() {
            if let Some(object) = self.object(name)? {
                objects.push((name, object));
            }
        }
        Ok(objects)
    }

    /// A signed object by its hash.
    pub fn object(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.database.object(&Name::Object(hash).to_bytes())
    }

    /// Forgets the wrong Vault PINs before the right one.
    pub fn forget_wrong_pins(&mut self, evidence: &RightPin) -> Result<(), Error> {
        let database = &self.database;
        self.member.attempts.forget(evidence, |attempts| {
            database.apply(&Change {
                put_meta: vec![(Meta::Attempts, attempts.to_vec())],
                ..Change::default()
            })
        })
    }

    /// Makes a change of the membership durable in one step. The device's keys that belong to it are kept by the caller,
    /// and are durable already.
    pub fn apply(&mut self, change: &membership::Change) -> Result<(), Error> {
        self.apply_as(self.member.device, change)
    }

    /// As [`Self::apply`], and from then on this copy of the vault is that of `device`.
    pub fn apply_as(&mut self, device: DeviceId, change: &membership::Change) -> Result<(), Error> {
        let mut writes = Change::default();
        writes.add_membership(change);
        if device != self.member.device {
            writes.put_meta.push((Meta::Device, device.0.to_vec()));
            // An object that the device before has signed is said anew.
            writes.remove_meta.extend([Meta::Attempts, Meta::Formed]);
        }
        self.database.apply(&writes)?;
        self.member.trust = read_trust(&self.database)?;
        if device != self.member.device {
            self.member.device = device;
            self.member.attempts = Attempts::from_bytes(None, Duration::ZERO);
        }
        Ok(())
    }

    /// Opens the vault. Every record is opened and checked. When that fails the vault stays locked.
    pub fn unlock(mut self, guess: &RightGuess, rng: &mut dyn CryptoRng) -> Result<Vault, NotUnlocked> {
        let keys = match self
            .forget_wrong_pins(&guess.right_pin)
            .and_then(|()| self.read_keys(&guess.unlocked))
        {
            Ok(keys) => keys,
            Err(reason) => return Err(NotUnlocked::StaysLocked(Box::new(self), reason)),
        };
        let (keys, next) = keys;
        let Self { database, member, .. } = self;
        Vault::read(database, keys, rng)
            .and_then(|vault| vault.joined(member, next.as_ref(), guess.unlocked.session(), rng))
            .map_err(NotUnlocked::OpenAgain)
    }

    /// The keys of the database; and, when they are not sealed with the newest root key, that.
    fn read_keys(&self, unlocked: &Unlocked) -> Result<(LocalKeys, Option<VaultKey>), Error> {
        let sealed = require(&self.database, Meta::LocalKeys)?;
        let epoch = seal::epoch(&sealed).ok_or(Error::Tampered)?;
        let key = unlocked.key(epoch).ok_or(Error::Tampered)?;
        let vault = read_vault_id(&self.database)?;
        let keys = LocalKeys::unsealed(&key, vault, &sealed).ok_or(Error::Tampered)?;
        let newest = unlocked.trust().epoch();
        Ok((keys, unlocked.key(newest).filter(|_| newest > epoch)))
    }
}

/// Why a vault was not unlocked with the right Vault PIN.
pub enum NotUnlocked {
    /// It is locked as before.
    StaysLocked(Box<Locked>, Error),
    /// It cannot be worked with until it is opened again.
    OpenAgain(Error),
}

impl NotUnlocked {
    /// Why, for whoever gives up.
    pub fn into_reason(self) -> Error {
        match self {
            Self::StaysLocked(_, reason) | Self::OpenAgain(reason) => reason,
        }
    }
}

impl Change {
    /// The writes of a change of the membership, but for the device's keys.
    pub(crate) fn add_membership(&mut self, change: &membership::Change) {
        let puts = change.before.iter().chain([&change.commit]);
        for (name, object) in puts {
            if !matches!(name, Name::DeviceKeys(_)) {
                self.put_objects.push((name.to_bytes(), object.clone()));
            }
        }
        let removed = change.after.iter().map(|name| name.to_bytes());
        self.remove_objects.extend(removed);
    }
}

fn read_public_state(database: &Database, member: &Member) -> Result<Option<Vec<u8>>, Error> {
    let Some(kept) = database.meta(Meta::PublicState)? else {
        return Ok(None);
    };
    Ok(member.known.authentic(read_vault_id(database)?, &kept))
}

fn read_trust(database: &Database) -> Result<Trust, Error> {
    let mut entries = Vec::new();
    for seq in 1.. {
        let Some(entry) = database.object(&Name::Entry(seq).to_bytes())? else {
            break;
        };
        entries.push(entry);
    }
    Ok(Trust::read(entries.iter().map(Vec::as_slice), None)?)
}

#[cfg(test)]
mod tests;

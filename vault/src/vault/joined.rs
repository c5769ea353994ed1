//! The database of a device that joined a vault.

use std::time::Duration;

use rand_core::CryptoRng;
use redb::StorageBackend;

use super::{Vault, describe, random_id};
use crate::database::{Change, Database, Meta};
use crate::keyring::Keyring;
use crate::keys::KnownKey;
use crate::known::KnownSum;
use crate::local_keys::LocalKeys;
use crate::locked::Locked;
use crate::log::LogHead;
use crate::membership::{Joined, Name};
use crate::{Error, LogOrigin, Secret, StoreState};

impl Vault {
    /// Makes the database of a device that joined, in `backend`, which is empty. It has no passkeys yet. The device's
    /// keys are durable before. Making it is not one step: where the power may go meanwhile, make it in a file beside and
    /// rename that.
    pub fn join(
        backend: impl StorageBackend,
        joined: &Joined,
        (known, now): (KnownKey, Duration),
        rng: &mut dyn CryptoRng,
    ) -> Result<Locked, Error> {
        let database = Database::open(backend)?;
        if !database.is_new()? {
            return Err(Error::Tampered);
        }
        let Joined {
            unlocked,
            device,
            entries,
            objects,
            ..
        } = joined;
        let root = unlocked.key(unlocked.trust().epoch()).ok_or(Error::Tampered)?;
        let keys = LocalKeys::first(random_id(rng), Secret::random(rng));
        let mut put_meta = describe(&keys, &Keyring::new(rng), 0, StoreState::random(rng), rng);
        put_meta.extend([
            (Meta::LogHead, LogHead::begin(LogOrigin::New).seal(&keys, rng)),
            (Meta::LocalKeys, keys.sealed(&root, rng)),
            (Meta::Device, device.0.to_vec()),
            (
                Meta::KnownCheck,
                known.check(keys.vault(), KnownSum::default()).to_vec(),
            ),
        ]);
        let entries = (1..).map(Name::Entry).zip(entries);
        let objects = objects.iter().map(|(hash, object)| (Name::Object(*hash), object));
        let put_objects = entries
            .chain(objects)
            .map(|(name, object)| (name.to_bytes(), object.clone()));
        database.apply(&Change {
            put_meta,
            put_objects: put_objects.collect(),
            ..Change::default()
        })?;
        Locked::read(database, known, now)
    }
}

//! A key whose vault has a Vault PIN, and is locked or open. Stretching a PIN takes a while: it is done once.

use std::sync::OnceLock;
use std::time::Duration;

use wardkey_transport::time::Instant;
use wardkey_vault::{
    DeviceId, GuessLimit, Here, History, KdfCost, KeyAuth, KnownKey, Locked, NewPin, RightGuess, Secret,
    SoftwareKeys, Vault, VaultPin, create,
};

use super::disk::Disk;
use super::{Key, SeededRng};
use crate::{Authenticator, KeyKind};

const VAULT_PIN: &str = "tin ra of olm";

/// What a device keeps.
struct Kept {
    disk: Vec<u8>,
    keys: Vec<u8>,
}

/// The device with an empty vault.
fn kept() -> &'static Kept {
    static KEPT: OnceLock<Kept> = OnceLock::new();
    KEPT.get_or_init(|| {
        let (disk, rng) = (Disk::default(), &mut SeededRng::new(41));
        let vault = Vault::open(disk.clone(), &Secret::random(rng), rng).unwrap();
        let auth = KeyAuth::random(rng);
        let mut store = SoftwareKeys::generate(&auth, rng);
        let device = DeviceId([0xa1; 16]);
        let mut here = Here {
            device,
            store: &mut store,
            time: 1,
        };
        let cost = KdfCost::new(64 << 10, 3, 4).unwrap();
        let pin = NewPin::choose(VAULT_PIN, GuessLimit::None, cost, rng).unwrap();
        let created = create(&mut here, &auth, &pin, None, rng).unwrap();
        let locked = vault.protect(&created, (device, known()), History::New, Duration::ZERO, rng);
        drop(locked.unwrap());
        let (_, keys) = created.change.device_keys().unwrap();
        Kept {
            disk: disk.bytes(),
            keys: keys.to_vec(),
        }
    })
}

const KNOWN_KEY: [u8; 32] = [0x6b; 32];

fn known() -> KnownKey {
    KnownKey::from_slice(&KNOWN_KEY).unwrap()
}

/// A key in memory whose vault is locked.
pub(crate) fn locked_key() -> Authenticator<Locked> {
    locked_key_on(kept_disk())
}

/// A disk with the empty vault.
pub(crate) fn kept_disk() -> Disk {
    Disk::with(kept().disk.clone())
}

/// The vault on `disk`, locked.
pub(crate) fn locked_vault(disk: Disk) -> Locked {
    Locked::open(disk, known(), Duration::ZERO).unwrap()
}

/// A key whose vault, which is on `disk`, is locked.
pub(crate) fn locked_key_on(disk: Disk) -> Authenticator<Locked> {
    locked_key_with(disk, KNOWN_KEY)
}

/// The same, where the device has this key for what is recognized.
pub(crate) fn locked_key_with(disk: Disk, known: [u8; 32]) -> Authenticator<Locked> {
    let known = KnownKey::from_slice(&known).unwrap();
    let vault = Locked::open(disk, known, Duration::ZERO).unwrap();
    let config = Key::config(KeyKind::Synced);
    Authenticator::locked(vault, config, Box::new(SeededRng::new(42)), Instant::ZERO)
}

/// The vault on `disk`, open.
pub(crate) fn open_vault(disk: Disk) -> Vault {
    locked_vault(disk)
        .unlock(right_guess(), &mut SeededRng::new(3))
        .ok()
        .unwrap()
}

/// What can be seen of the state of the authenticator while the vault on `disk` is locked.
pub(crate) fn public_state(disk: Disk) -> Option<Vec<u8>> {
    locked_vault(disk).public_state().map(<[u8]>::to_vec)
}

/// The right Vault PIN, tried. It opens every vault of [`locked_key`].
pub(crate) fn right_guess() -> &'static RightGuess {
    static RIGHT: OnceLock<RightGuess> = OnceLock::new();
    RIGHT.get_or_init(|| {
        let guess = locked_key().vault_mut().guess(Duration::ZERO).unwrap();
        let mut store = SoftwareKeys::from_bytes(&kept().keys).unwrap();
        guess
            .check(&mut store, &VaultPin::typed(VAULT_PIN).unwrap())
            .unwrap()
    })
}

/// The same key, unlocked.
pub(crate) fn unlocked(key: Authenticator<Locked>) -> Key {
    Key {
        authenticator: key.unlock(right_guess()).ok().unwrap(),
        now: Instant::ZERO,
    }
}

/// The same key, locked.
pub(crate) fn locked(key: Key) -> Authenticator<Locked> {
    key.authenticator.lock().ok().unwrap()
}

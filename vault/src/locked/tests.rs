use std::collections::BTreeMap;

use rand_core::TryRng;

use super::*;
use crate::known::KnownHash;
use crate::testing::home::{DEVICE, NEXT_PIN, PIN, kit, new_pin};
use crate::testing::house::{House, Newcomer, SECOND};
use crate::testing::{Disk, TestRng, passkey, root_key};
use crate::{
    Document, Event, History, KeyAuth, NewPin, NotChanged, Profile, Record, RecoveryKit, SoftwareKeys,
    create, recover,
};

mod memory;
mod power_cut;

/// A device: its disk, the keys it keeps by generation of the Vault PIN, and what recognizes.
struct Device {
    disk: Disk,
    id: DeviceId,
    keys: Vec<(u32, Vec<u8>)>,
    rng: TestRng,
}

const NOW: Duration = Duration::from_secs(100);

fn known() -> KnownKey {
    KnownKey::from_slice(&[0x6b; 32]).unwrap()
}

impl Device {
    /// With a vault that has [`PIN`] and the kit 1, and `prepare` done to it before.
    fn prepared(prepare: impl FnOnce(&mut Vault), history: History) -> Self {
        Self::seeded(0, prepare, history)
    }

    fn seeded(seed: u64, prepare: impl FnOnce(&mut Vault), history: History) -> Self {
        let (disk, mut rng) = (Disk::default(), TestRng(seed));
        let mut vault = Vault::open(disk.clone(), &root_key(1), &mut rng).unwrap();
        prepare(&mut vault);
        let auth = KeyAuth::random(&mut rng);
        let mut store = SoftwareKeys::generate(&auth, &mut rng);
        let mut here = Here {
            device: DEVICE,
            store: &mut store,
            time: 1,
        };
        let created = create(&mut here, &auth, &new_pin(PIN), Some(&kit(1)), &mut rng).unwrap();
        let locked = vault.protect(&created, (DEVICE, known()), history, NOW, &mut rng);
        assert!(locked.is_ok());
        let (generation, keys) = created.change.device_keys().unwrap();
        Self {
            disk,
            id: DEVICE,
            keys: vec![(generation, keys.to_vec())],
            rng,
        }
    }

    fn new() -> Self {
        Self::prepared(|_| {}, History::New)
    }

    fn locked(&self) -> Locked {
        Locked::open(self.disk.clone(), known(), NOW).unwrap()
    }

    fn store(&self, locked: &Locked) -> SoftwareKeys {
        let generation = locked.trust().pin_generation();
        let (_, keys) = self.keys.iter().find(|(found, _)| *found == generation).unwrap();
        SoftwareKeys::from_bytes(keys).unwrap()
    }

    fn guess(&self, locked: &mut Locked, pin: &str) -> Result<RightGuess, NotOpened> {
        let guess = locked.guess(NOW).unwrap();
        guess.check(&mut self.store(locked), &VaultPin::typed(pin).unwrap())
    }

    fn open(&mut self, pin: &str) -> Vault {
        let mut locked = self.locked();
        let guess = self.guess(&mut locked, pin).unwrap();
        unlock(locked, &guess, &mut self.rng).unwrap()
    }

    /// Locked, on a copy of the disk that `damage` was done to.
    fn copy(&self, damage: impl FnOnce(&mut [u8])) -> Result<Locked, Error> {
        let mut content = self.disk.content();
        damage(&mut content);
        Locked::open(Disk::with(content), known(), NOW)
    }

    /// Locked, with rows of the database that somebody changed.
    fn edited(&self, edit: &Change) -> Locked {
        let disk = Disk::with(self.disk.content());
        Database::open(disk.clone()).unwrap().apply(edit).unwrap();
        Locked::open(disk, known(), NOW).unwrap()
    }

    /// A change of the membership, the way a program makes it.
    fn change(
        &mut self,
        make: impl FnOnce(
            &Unlocked,
            &mut Here<'_>,
            RightPin,
            &mut TestRng,
        ) -> Result<membership::Change, NotChanged>,
    ) {
        let mut locked = self.locked();
        let RightGuess { unlocked, right_pin } = self.guess(&mut locked, PIN).unwrap();
        let mut store = self.store(&locked);
        let mut here = Here {
            device: self.id,
            store: &mut store,
            time: 2,
        };
        let change = make(&unlocked, &mut here, right_pin, &mut self.rng).unwrap();
        if let Some((generation, keys)) = change.device_keys() {
            self.keys.push((generation, keys.to_vec()));
        }
        locked.apply(&change).unwrap();
    }
}

fn unlock(locked: Locked, guess: &RightGuess, rng: &mut TestRng) -> Result<Vault, Error> {
    locked.unlock(guess, rng).map_err(NotUnlocked::into_reason)
}

fn next_pin() -> NewPin {
    new_pin(NEXT_PIN)
}

fn reset() -> Record {
    Record {
        unix_ms: 7,
        event: Event::Reset,
    }
}

fn rp(name: &str) -> RpIdHash {
    RpIdHash::of(name)
}

fn users(vault: &Vault) -> Vec<Vec<u8>> {
    let entries = vault.entries().into_iter();
    entries
        .map(|entry| vault.load(&entry.id).unwrap().unwrap().user_id)
        .collect()
}

// --- opening ----------------------------------------------------------------------------------------------------------

#[test]
fn what_is_stored_in_an_open_vault_is_there_after_it_was_locked_and_opened_again() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    let stored = passkey(&mut device.rng, "example.org", "ann");
    vault.store(&mut device.rng, stored, None).unwrap();
    let mut locked = vault.lock().ok().unwrap();
    let guess = device.guess(&mut locked, PIN).unwrap();
    assert_eq!(users(&unlock(locked, &guess, &mut device.rng).unwrap()), [b"ann"]);
    assert_eq!(users(&device.open(PIN)), [b"ann"]);
}

#[test]
fn a_wrong_pin_opens_nothing_and_is_counted_until_a_right_one() {
    let mut device = Device::new();
    let mut locked = device.locked();
    assert_eq!(
        device.guess(&mut locked, "tin ra of oln").err(),
        Some(NotOpened::WrongPin)
    );
    // Whatever becomes of the program: the count was durable before the PIN was tried.
    assert_eq!(device.locked().wrong_pins(), 1);
    drop(locked);
    device.open(PIN);
    assert_eq!(device.locked().wrong_pins(), 0);
}

#[test]
fn a_pin_is_counted_when_it_is_not_even_tried() {
    let device = Device::new();
    let mut locked = device.locked();
    drop(locked.guess(NOW).unwrap());
    assert_eq!(device.locked().wrong_pins(), 1);
}

#[test]
fn after_too_many_wrong_pins_none_is_tried_for_a_while() {
    let device = Device::new();
    let mut locked = device.locked();
    for _ in 0..3 {
        assert!(locked.guess(NOW).is_ok());
    }
    assert!(matches!(
        locked.guess(NOW),
        Err(NotCounted::TooSoon { failed: 3, .. })
    ));
    assert!(locked.guess(NOW + Duration::from_secs(5)).is_ok());
}

#[test]
fn a_vault_without_a_pin_and_one_with_a_pin_are_not_mistaken_for_each_other() {
    let device = Device::new();
    let bare = Vault::open(device.disk.clone(), &root_key(1), &mut TestRng(0));
    assert!(matches!(bare.err(), Some(Error::NeedsPin)));
    let empty = Disk::default();
    assert!(matches!(
        Locked::open(empty.clone(), known(), NOW).err(),
        Some(Error::HasNoPin)
    ));
    let vault = Vault::open(empty.clone(), &root_key(1), &mut TestRng(0)).unwrap();
    assert!(vault.lock().is_err());
    assert!(matches!(
        Locked::open(empty, known(), NOW).err(),
        Some(Error::HasNoPin)
    ));
}

#[test]
fn a_vault_that_gets_a_pin_keeps_everything_and_the_old_key_opens_none_of_it() {
    let wrapped = std::cell::Cell::new(None);
    let mut device = Device::prepared(
        |vault| {
            let rng = &mut TestRng(7);
            let ann = passkey(rng, "example.org", "ann");
            vault.store(rng, ann, None).unwrap();
            vault
                .put_document(
                    rng,
                    Document::LargeBlobs,
                    zeroize::Zeroizing::new(vec![1; 40]),
                    None,
                )
                .unwrap();
            assert_eq!(vault.next_signature_count(rng, None).unwrap(), 1);
            wrapped.set(Some(
                vault
                    .wrap(rng, &rp("example.net"), Profile::U2f, &[7; 32])
                    .unwrap(),
            ));
        },
        History::Used,
    );
    let mut vault = device.open(PIN);
    assert_eq!(users(&vault), [b"ann"]);
    assert_eq!(
        vault.document(Document::LargeBlobs).unwrap().unwrap().as_slice(),
        [1; 40]
    );
    assert_eq!(vault.next_signature_count(&mut TestRng(8), None).unwrap(), 2);
    let wrapped = wrapped.take().unwrap();
    assert!(vault.unwrap(&rp("example.net"), &wrapped).is_some());
    drop(vault);
    let database = Database::open(device.disk.clone()).unwrap();
    let old = LocalKeys::first(read_vault_id(&database).unwrap(), root_key(1));
    assert!(Vault::read(database, old, &mut TestRng(0)).is_err());
}

// --- what is recognized while it is locked ----------------------------------------------------------------------------

#[test]
fn sites_and_credentials_are_recognized_as_long_as_they_are_stored() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    let rng = &mut TestRng(9);
    let [ann, bob] = ["ann", "bob"].map(|user| passkey(rng, "example.org", user));
    let [ann_id, bob_id] = [&ann, &bob].map(|passkey| passkey.id.clone());
    let site = rp("example.org");
    let check = |device: &Device, ann_there, bob_there| {
        let locked = device.locked();
        assert_eq!(locked.may_have(&site, &ann_id).unwrap(), ann_there);
        assert_eq!(locked.may_have(&site, &bob_id).unwrap(), bob_there);
        assert_eq!(locked.has_site(&site).unwrap(), ann_there || bob_there);
        assert!(!locked.may_have(&rp("example.net"), &ann_id).unwrap());
        assert!(!locked.has_site(&rp("example.net")).unwrap());
    };
    vault.store(rng, ann, None).unwrap();
    vault.store(rng, bob, None).unwrap();
    check(&device, true, true);
    vault.delete(rng, &ann_id, None).unwrap();
    check(&device, false, true);
    // The same account again: another credential in the place of the first.
    let again = passkey(rng, "example.org", "bob");
    vault.store(rng, again, None).unwrap();
    assert!(!device.locked().may_have(&site, &bob_id).unwrap());
    assert!(device.locked().has_site(&site).unwrap());
    vault.reset(rng, &reset()).unwrap();
    check(&device, false, false);
    // What comes in with a backup is recognized, too.
    let ann = passkey(rng, "example.org", "ann");
    let id = ann.id.clone();
    assert_eq!(vault.add(rng, &[ann], |_| None).unwrap(), 1);
    assert!(device.locked().may_have(&site, &id).unwrap());
}

#[test]
fn a_wrapped_credential_is_recognized_by_its_site_and_its_form() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    let wrapped = vault
        .wrap(&mut TestRng(3), &rp("example.org"), Profile::Synced, &[1; 38])
        .unwrap();
    let locked = device.locked();
    assert!(locked.may_have(&rp("example.org"), &wrapped).unwrap());
    assert!(!locked.may_have(&rp("example.net"), &wrapped).unwrap());
    assert!(!locked.has_site(&rp("example.org")).unwrap());
    let foreign = CredentialId::new(&[9; 64]).unwrap();
    assert!(!locked.may_have(&rp("example.org"), &foreign).unwrap());
}

#[test]
fn where_nobody_noted_them_every_wrapped_credential_may_be_ours() {
    let device = Device::prepared(|_| {}, History::Used);
    let mut other = Vault::open(Disk::default(), &root_key(5), &mut TestRng(4)).unwrap();
    let wrapped = other
        .wrap(&mut TestRng(3), &rp("example.org"), Profile::Synced, &[1; 38])
        .unwrap();
    assert!(device.locked().may_have(&rp("example.org"), &wrapped).unwrap());
}

#[test]
fn with_another_key_everything_may_be_here_and_the_next_opening_mends_that() {
    let mut device = Device::new();
    let stored = passkey(&mut device.rng, "example.org", "ann");
    let id = stored.id.clone();
    device.open(PIN).store(&mut TestRng(2), stored, None).unwrap();
    let other = || KnownKey::from_slice(&[1; 32]).unwrap();
    let mut locked = Locked::open(device.disk.clone(), other(), NOW).unwrap();
    for site in ["example.org", "example.net"] {
        assert!(locked.has_site(&rp(site)).unwrap());
        assert!(locked.may_have(&rp(site), &id).unwrap());
    }
    let guess = device.guess(&mut locked, PIN).unwrap();
    drop(unlock(locked, &guess, &mut device.rng).unwrap());
    let locked = Locked::open(device.disk.clone(), other(), NOW).unwrap();
    assert!(locked.has_site(&rp("example.org")).unwrap());
    assert!(locked.may_have(&rp("example.org"), &id).unwrap());
    assert!(!locked.has_site(&rp("example.net")).unwrap());
    assert!(!locked.may_have(&rp("example.net"), &id).unwrap());
}

/// Each kind of row, added, removed, or another in its place. Mutation: `KnownSum::read` does not compare the check.
#[test]
fn who_removes_what_is_recognized_is_not_told_that_it_is_not_here() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    let rng = &mut TestRng(9);
    let ann = passkey(rng, "example.org", "ann");
    let id = ann.id.clone();
    vault.store(rng, ann, None).unwrap();
    let wrapped = vault
        .wrap(rng, &rp("example.net"), Profile::Synced, &[1; 38])
        .unwrap();
    drop(vault);
    let mut rows = Vec::new();
    let database = Database::open(device.disk.clone()).unwrap();
    database.all_known(|row| rows.push(*row)).unwrap();
    drop(database);
    assert_eq!(rows.len(), 3);
    let mut edits: Vec<Change> = Vec::new();
    for row in &rows {
        for at in 0..16 {
            let mut other = *row;
            other.0[at] ^= 1 << (at % 8);
            edits.push(Change {
                remove_known: vec![*row],
                put_known: vec![other],
                ..Change::default()
            });
        }
        edits.push(Change {
            remove_known: vec![*row],
            ..Change::default()
        });
    }
    edits.push(Change {
        forget_all_known: true,
        ..Change::default()
    });
    edits.push(Change {
        put_known: vec![KnownHash([7; 16])],
        ..Change::default()
    });
    for edit in edits {
        let locked = device.edited(&edit);
        assert!(locked.has_site(&rp("example.org")).unwrap());
        assert!(locked.may_have(&rp("example.org"), &id).unwrap());
        assert!(locked.may_have(&rp("example.net"), &wrapped).unwrap());
        let mut locked = locked;
        let guess = device.guess(&mut locked, PIN).unwrap();
        let vault = unlock(locked, &guess, &mut TestRng(5)).unwrap();
        let locked = vault.lock().ok().unwrap();
        assert!(locked.may_have(&rp("example.org"), &id).unwrap());
        assert!(locked.may_have(&rp("example.net"), &wrapped).unwrap());
        assert!(!locked.has_site(&rp("example.com")).unwrap());
    }
}

/// Mutation: `KnownKey::authentic` believes every check.
#[test]
fn a_public_state_that_somebody_wrote_is_as_if_there_were_none() {
    let device = Device::new();
    let content = || zeroize::Zeroizing::new(vec![1, 2, 3]);
    let mut locked = device.locked();
    let guess = device.guess(&mut locked, PIN).unwrap();
    let mut vault = unlock(locked, &guess, &mut TestRng(1)).unwrap();
    vault
        .put_state(&mut TestRng(1), content(), vec![8; 20], None)
        .unwrap();
    drop(vault);
    let kept = Database::open(device.disk.clone())
        .unwrap()
        .meta(Meta::PublicState)
        .unwrap()
        .unwrap();
    let with = |public: Vec<u8>| Change {
        put_meta: vec![(Meta::PublicState, public)],
        ..Change::default()
    };
    assert_eq!(
        device.edited(&with(kept.clone())).public_state(),
        Some([8; 20].as_slice())
    );
    for at in 0..kept.len() {
        let mut changed = kept.clone();
        changed[at] ^= 1 << (at % 8);
        assert_eq!(device.edited(&with(changed)).public_state(), None, "byte {at}");
        assert_eq!(
            device.edited(&with(kept[..at].to_vec())).public_state(),
            None,
            "{at} bytes"
        );
    }
    // The open vault says so, too, and writes it again.
    let mut locked = device.edited(&with(vec![8; 36]));
    let guess = device.guess(&mut locked, PIN).unwrap();
    let mut vault = unlock(locked, &guess, &mut TestRng(1)).unwrap();
    assert_eq!(vault.public_state().unwrap(), None);
    vault
        .put_state(&mut TestRng(1), content(), vec![8; 20], None)
        .unwrap();
    assert_eq!(vault.public_state().unwrap(), Some(vec![8; 20]));
}

#[test]
fn the_public_state_is_read_while_locked_and_goes_with_a_reset() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    assert_eq!(device.locked().public_state(), None);
    let content = zeroize::Zeroizing::new(vec![1, 2, 3]);
    vault.put_state(&mut TestRng(1), content, vec![9], None).unwrap();
    assert_eq!(device.locked().public_state(), Some([9].as_slice()));
    let state = vault.document(Document::AuthenticatorState).unwrap().unwrap();
    assert_eq!(state.as_slice(), [1, 2, 3]);
    vault.reset(&mut TestRng(2), &reset()).unwrap();
    assert_eq!(device.locked().public_state(), None);
}

// --- changes of the membership ----------------------------------------------------------------------------------------

#[test]
fn after_another_pin_that_one_opens_the_same_passkeys() {
    let mut device = Device::new();
    let ann = passkey(&mut device.rng, "example.org", "ann");
    device.open(PIN).store(&mut TestRng(1), ann, None).unwrap();
    device.change(|unlocked, here, right, rng| unlocked.change_pin(here, right, &next_pin(), rng));
    let mut locked = device.locked();
    assert_eq!(device.guess(&mut locked, PIN).err(), Some(NotOpened::WrongPin));
    drop(locked);
    assert_eq!(users(&device.open(NEXT_PIN)), [b"ann"]);
}

#[test]
fn after_a_rotation_old_credentials_work_and_what_is_new_is_closed_to_the_old_root_key() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    let site = rp("example.org");
    let rng = &mut TestRng(11);
    let ann = passkey(rng, "example.org", "ann");
    vault.store(rng, ann, None).unwrap();
    let before = vault.wrap(rng, &site, Profile::Synced, &[1; 38]).unwrap();
    drop(vault);
    // What somebody has who knew the PIN: the keys of the database as they were.
    let mut locked = device.locked();
    let guess = device.guess(&mut locked, PIN).unwrap();
    let (old_keys, _) = locked.read_keys(&guess.unlocked).unwrap();
    drop(locked);

    device.change(|unlocked, here, right, rng| unlocked.rotate(here, right, Some(&next_pin()), rng));
    let mut vault = device.open(NEXT_PIN);
    let bob = passkey(rng, "example.org", "bob");
    vault.store(rng, bob, None).unwrap();
    let after = vault.wrap(rng, &site, Profile::Synced, &[2; 38]).unwrap();
    assert_eq!(users(&vault), [b"ann", b"bob"]);
    assert!(vault.unwrap(&site, &before).is_some() && vault.unwrap(&site, &after).is_some());
    drop(vault);
    let vault = device.open(NEXT_PIN);
    assert_eq!(users(&vault), [b"ann", b"bob"]);
    assert!(vault.unwrap(&site, &before).is_some() && vault.unwrap(&site, &after).is_some());
    drop(vault);

    let database = Database::open(device.disk.clone()).unwrap();
    let mut opened = 0;
    database
        .passkeys(|row, sealed| {
            opened += u32::from(old_keys.open(seal::Place::Passkey(row), sealed).is_ok());
            Ok(())
        })
        .unwrap();
    assert_eq!(opened, 1);
    let keyring = require(&database, Meta::Keyring).unwrap();
    assert!(old_keys.open(seal::Place::Keyring, &keyring).is_err());
}

#[test]
fn a_kit_and_a_copy_make_a_vault_on_another_device_and_the_first_pin_does_not_open_it() {
    let mut device = Device::new();
    let ann = passkey(&mut device.rng, "example.org", "ann");
    device.open(PIN).store(&mut TestRng(1), ann, None).unwrap();
    let id = DeviceId([0xb2; 16]);
    let mut rng = TestRng(77);
    let auth = KeyAuth::random(&mut rng);
    let mut store = SoftwareKeys::generate(&auth, &mut rng);
    let mut here = Here {
        device: id,
        store: &mut store,
        time: 3,
    };
    let mut locked = device.locked();
    for _ in 0..3 {
        assert!(locked.guess(NOW).is_ok());
    }
    let object = |hash| locked.object(hash).unwrap();
    let next = RecoveryKit::random(&mut rng);
    let here = (&mut here, &auth);
    let change = recover(
        locked.trust(),
        (&kit(1), &BTreeMap::new()),
        &object,
        here,
        (&next_pin(), &next),
        &mut rng,
    )
    .unwrap();
    locked.apply_as(id, &change).unwrap();
    // Wrong PINs on the other device are not this one's.
    assert_eq!(locked.wrong_pins(), 0);
    let (generation, keys) = change.device_keys().unwrap();
    device.keys.push((generation, keys.to_vec()));
    drop(locked);
    assert_eq!((device.locked().wrong_pins(), device.locked().device()), (0, id));
    let mut locked = device.locked();
    assert_eq!(device.guess(&mut locked, PIN).err(), Some(NotOpened::WrongPin));
    drop(locked);
    assert_eq!(users(&device.open(NEXT_PIN)), [b"ann"]);
}

// --- joining a vault --------------------------------------------------------------------------------------------------

/// A device that was added to a vault of another one, joined, and keeps its keys.
fn newcomer() -> (Device, membership::Joined) {
    let newcomer = &mut Newcomer::new(SECOND);
    let house = House::new().changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.rotate(here, pin, None, rng).unwrap()
    });
    let house = house.changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.add_device(here, pin, &newcomer.new, rng).unwrap()
    });
    let invitation = newcomer.invitation(&house.trust());
    let joined = newcomer.join(&invitation, &house.store, PIN).unwrap();
    let device = Device {
        disk: Disk::default(),
        id: SECOND,
        keys: vec![joined.device_keys.clone()],
        rng: TestRng(88),
    };
    (device, joined)
}

#[test]
fn a_device_that_joined_has_an_empty_vault_which_its_pin_opens() {
    let (mut device, joined) = newcomer();
    let rng = &mut TestRng(89);
    let locked = Vault::join(device.disk.clone(), &joined, (known(), NOW), rng).unwrap();
    assert_eq!((locked.device(), locked.trust().epoch()), (SECOND, 2));
    let mut vault = unlock(locked, &joined.into_guess(), rng).unwrap();
    let ann = passkey(rng, "example.org", "ann");
    vault.store(rng, ann, None).unwrap();
    drop(vault);
    let mut locked = device.locked();
    assert_eq!(
        device.guess(&mut locked, NEXT_PIN).err(),
        Some(NotOpened::WrongPin)
    );
    drop(locked);
    assert_eq!(users(&device.open(PIN)), [b"ann"]);
    // It changes the vault like any other member, and has what a recovery kit needs.
    device.change(|unlocked, here, right, rng| unlocked.rotate(here, right, None, rng));
    assert_eq!(users(&device.open(PIN)), [b"ann"]);
    let locked = device.locked();
    let kit_slot = locked.trust().recovery_slot().unwrap();
    assert!(locked.object(kit_slot).unwrap().is_some());
    drop(locked);
    // A file in which there is something is not made into another vault.
    let (_, joined) = newcomer();
    assert!(Vault::join(device.disk.clone(), &joined, (known(), NOW), rng).is_err());
}

/// K-11 crash, while a device joins: its keys are durable, the database is made in a file beside. A power cut after any
/// write leaves a file that is the whole vault or one that is thrown away, and then it joins again. Mutation: the head
/// of the log written in a transaction of its own, after the others.
#[test]
fn crash_while_a_device_joins() {
    let (device, joined) = newcomer();
    let make = |disk: &Disk| Vault::join(disk.clone(), &joined, (known(), NOW), &mut TestRng(89)).map(drop);
    let whole = |disk: &Disk| {
        let guess = |mut locked| device.guess(&mut locked, PIN).map(|guess| (locked, guess));
        let opened = Locked::open(disk.clone(), known(), NOW).ok().map(guess)?;
        let (locked, guess) = opened.unwrap();
        unlock(locked, &guess, &mut TestRng(90)).unwrap();
        Some(())
    };
    let (mut done, mut cuts) = (false, 0);
    while !done {
        let disk = Disk::default();
        disk.cut_power_after(cuts);
        done = make(&disk).is_ok();
        for seed in 0..3_u64 {
            let mut rng = TestRng(seed << 20);
            let after =
                disk.after_power_cut(|| rng.try_next_u32().unwrap() % 3 >= u32::try_from(seed).unwrap());
            let is_whole = whole(&after).is_some();
            assert!(is_whole || !done);
        }
        cuts += 1;
    }
    assert!(cuts > 5);
    let again = Disk::default();
    assert!(make(&again).is_ok() && whole(&again).is_some());
}

// --- damage and power cuts --------------------------------------------------------------------------------------------

/// Of a row in clear, what each changed bit leads to: the vault does not open, or it opens with everything in it. Mutation:
/// the device or the vault of the row not used, but those of the trust log.
#[test]
fn every_changed_byte_of_what_is_in_clear_is_refused_or_mended() {
    let mut device = Device::new();
    let ann = passkey(&mut device.rng, "example.org", "ann");
    device.open(PIN).store(&mut TestRng(1), ann, None).unwrap();
    let database = Database::open(device.disk.clone()).unwrap();
    let rows = [Meta::Format, Meta::Vault, Meta::Device, Meta::LocalKeys];
    let rows = rows.map(|meta| (meta, require(&database, meta).unwrap()));
    let objects = device_parts(&database);
    drop(database);
    let is_refused = |edit: Change| {
        let disk = Disk::with(device.disk.content());
        Database::open(disk.clone()).unwrap().apply(&edit).unwrap();
        let opened = Locked::open(disk, known(), NOW).ok().and_then(|mut locked| {
            let guess = device.guess(&mut locked, PIN).ok()?;
            unlock(locked, &guess, &mut TestRng(5)).ok()
        });
        opened.is_none()
    };
    for (meta, value) in rows {
        for at in (0..value.len()).step_by(value.len().div_ceil(40)) {
            let mut changed = value.clone();
            changed[at] ^= 0x10;
            let edit = Change {
                put_meta: vec![(meta, changed)],
                ..Change::default()
            };
            assert!(is_refused(edit), "{}, byte {at}", meta.name());
        }
    }
    for (name, value) in objects {
        // Enough places of each object; its own tests change every byte.
        for at in (0..value.len()).step_by(37) {
            let mut changed = value.clone();
            changed[at] ^= 1;
            let edit = Change {
                put_objects: vec![(name.clone(), changed)],
                ..Change::default()
            };
            assert!(is_refused(edit), "{name:?} {at}");
        }
    }
}

/// A bit of the file flips while it is not in use. Mutation: the integrity not checked when the database is opened.
#[test]
fn flipped_bits_anywhere_are_refused_or_nothing_is_said_that_is_not_so() {
    let mut device = Device::new();
    let mut vault = device.open(PIN);
    let rng = &mut TestRng(9);
    let ann = passkey(rng, "example.org", "ann");
    let id = ann.id.clone();
    vault.store(rng, ann, None).unwrap();
    let content = zeroize::Zeroizing::new(vec![1, 2, 3]);
    vault.put_state(rng, content, vec![9; 20], None).unwrap();
    drop(vault);
    let mut locked = device.locked();
    drop(locked.guess(NOW).unwrap());
    drop(locked);
    let right = device.guess(&mut device.copy(|_| {}).unwrap(), PIN).unwrap();

    let content = device.disk.content();
    // Where there is anything, every 23rd byte; of the free space, a little.
    let used = (0..content.len()).filter(|at| content[*at] != 0).step_by(23);
    let free = (0..content.len()).step_by(content.len() / 50);
    let mut refused = 0;
    for at in used.chain(free) {
        let Ok(locked) = device.copy(|bytes| bytes[at] ^= 1 << (at % 8)) else {
            refused += 1;
            continue;
        };
        assert!(locked.has_site(&rp("example.org")).unwrap(), "byte {at}");
        assert!(locked.may_have(&rp("example.org"), &id).unwrap(), "byte {at}");
        assert_eq!(locked.wrong_pins(), 1, "byte {at}");
        assert_eq!(locked.public_state(), Some([9; 20].as_slice()), "byte {at}");
        match unlock(locked, &right, &mut TestRng(5)) {
            Ok(vault) => assert_eq!(users(&vault), [b"ann"], "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "only {refused} flips were refused");
}

/// The trust log and the slot of the device.
fn device_parts(database: &Database) -> Vec<(Vec<u8>, Vec<u8>)> {
    let trust = read_trust(database).unwrap();
    let names = [
        Name::Entry(1),
        Name::Entry(2),
        Name::Object(trust.device_slot(DEVICE).unwrap()),
    ];
    names
        .map(|name| name.to_bytes())
        .map(|name| (name.clone(), database.object(&name).unwrap().unwrap()))
        .to_vec()
}

//! What is left in the memory of this process after a vault was locked. The test keeps each secret with every bit inverted
//! only, so that it does not find its own copy.
//!
//! Mutation: `Secret` is not wiped when it is dropped.

use std::fs::{File, read_to_string};
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;

use super::*;
use crate::slot::open_kit_slot;

/// Seeds that no other test uses: its keys are in the same memory.
const SEED: u64 = 0x6d65_6d00 << 24;

/// A secret with every bit inverted, and its name.
type Canary = (&'static str, Vec<u8>);

/// Of the second half: memory that was given back has something else at its beginning.
fn canary(name: &'static str, secret: &[u8]) -> Canary {
    (
        name,
        secret[secret.len() / 2..].iter().map(|byte| !byte).collect(),
    )
}

/// The names of those that are in memory.
fn found(canaries: &[Canary]) -> Vec<&'static str> {
    let maps = read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut part = vec![0; usize::try_from(end - start).unwrap()];
        if memory.read_exact_at(&mut part, start).is_err() {
            continue;
        }
        part.iter_mut().for_each(|byte| *byte = !*byte);
        let holds = |secret: &Vec<u8>| part.windows(secret.len()).any(|window| window == secret);
        let names = canaries.iter().filter(|(_, secret)| holds(secret));
        found.extend(names.map(|(name, _)| *name));
    }
    found
}

/// Overwrites what calls before it left on the stack.
#[inline(never)]
fn sweep() {
    black_box([0x5a_u8; 128 << 10]);
}

#[test]
fn no_key_is_in_memory_after_locking() {
    let mut device = Device::seeded(SEED, |_| {}, History::New);
    let mut locked = device.locked();
    let right = device.guess(&mut locked, PIN).unwrap();
    let canaries = canaries_of(&locked, &right);
    sweep();
    let mut vault = unlock(locked, &right, &mut device.rng).unwrap();
    drop(right);
    let ann = passkey(&mut device.rng, "example.org", "ann");
    let (id, of_ann) = (
        ann.id.clone(),
        canary("a private key", ann.private_key.expose_secret()),
    );
    vault.store(&mut device.rng, ann, None).unwrap();
    drop(vault.load(&id).unwrap());
    vault
        .wrap(&mut device.rng, &rp("example.org"), Profile::Synced, &[1; 38])
        .unwrap();
    assert!(
        !found(&canaries).is_empty(),
        "while it is open, its keys are there"
    );
    let locked = vault.lock().ok().unwrap();
    let left = found(&[canaries, vec![of_ann]].concat());
    assert!(left.is_empty(), "{left:?}");
    drop(locked);
}

#[inline(never)]
fn canaries_of(locked: &Locked, right: &RightGuess) -> Vec<Canary> {
    let slot = locked
        .object(locked.trust().recovery_slot().unwrap())
        .unwrap()
        .unwrap();
    let root = open_kit_slot(&slot, locked.trust(), &kit(1)).unwrap();
    let (keys, _) = locked.read_keys(&right.unlocked).unwrap();
    let row = |meta| require(&locked.database, meta).unwrap();
    let of_root = right.unlocked.key(1).unwrap();
    let local = seal::open(&of_root, seal::Place::LocalKeys, &row(Meta::LocalKeys))
        .ok()
        .unwrap();
    let keyring = keys.open(seal::Place::Keyring, &row(Meta::Keyring)).ok().unwrap();
    vec![
        canary("the root key", root.expose_secret()),
        canary("the key of the database", local.last_chunk::<32>().unwrap()),
        canary("the wrapping key", keyring.last_chunk::<32>().unwrap()),
    ]
}

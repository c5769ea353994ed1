//! "Mutation" says what was taken out to see the test fail.

use super::*;
use crate::testing::house::{SECOND, THIRD};
use crate::testing::party::{MemoryStore, Party};

/// A device with another root key than the first, and so with a snapshot.
fn rotated() -> (Party, MemoryStore) {
    let (mut one, mut store) = (Party::first(), MemoryStore::default());
    one.register("example.org", "ann");
    one.sync(&mut store);
    let one = rotate(one, &mut store);
    (one, store)
}

/// Replaces the root key.
fn rotate(mut one: Party, store: &mut MemoryStore) -> Party {
    one.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    assert_eq!(one.sync(store), &State::NeedsPin);
    let now = one.now;
    let mut one = one.reopened(now.as_secs());
    one.now = now;
    assert_eq!(one.sync(store), &State::Fresh);
    one
}

/// What a device makes of all that it has read.
fn state(party: &Party) -> Vec<(crate::CredentialId, Vec<u8>)> {
    party.vault.merged_for_test()
}

#[test]
fn a_new_root_key_brings_a_snapshot_at_once() {
    let (_, store) = rotated();
    assert_eq!(store.named("/s/").len(), 2, "a part and a root");
}

/// Mutation: `needed` that is never.
#[test]
fn a_new_device_takes_the_snapshot_and_goes_on_with_the_logs() {
    let (mut one, mut store) = rotated();
    one.register("example.org", "bob");
    one.sync(&mut store);
    let reads = store.reads;
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    assert_eq!(two.sync(&mut store), &State::Fresh);
    assert_eq!(two.users(), ["ann", "bob"]);
    assert_eq!(state(&two), state(&one));
    assert!(store.reads - reads < 8);
}

/// Until nobody has anything to say.
fn settle(parties: &mut [&mut Party], store: &mut MemoryStore) {
    for _ in 0..4 {
        for party in &mut *parties {
            assert_eq!(party.sync(store), &State::Fresh);
        }
    }
}

/// Two devices that have acknowledged the snapshot of the first.
fn two() -> (Party, Party, MemoryStore) {
    let (mut one, mut store) = rotated();
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    settle(&mut [&mut two, &mut one], &mut store);
    (one, two, store)
}

/// Mutation: `superfluous` that finds nothing.
#[test]
fn what_everybody_has_acknowledged_is_removed_but_the_last() {
    let (mut one, mut two, mut store) = two();
    for user in ["bob", "carol"] {
        one.register("example.com", user);
        settle(&mut [&mut one, &mut two], &mut store);
    }
    let before = store.named("/d/a1");
    let last = one.vault.log_head(one.id()).seq();
    let mut one = rotate_with(&mut one, &mut two, &mut store);
    assert!(
        before[..before.len() - 1]
            .iter()
            .all(|name| !store.files.contains_key(name))
    );
    let left = format!("/00000000-{last:08x}.obj");
    assert!(
        store.named("/d/a1")[0].ends_with(&left),
        "{:?}",
        store.named("/d/")
    );
    assert_eq!(store.named("/s/").len(), 2, "the first snapshot is gone, too");
    let three = Party::added_by(&mut one, THIRD, &mut store);
    let mut three = three;
    settle(&mut [&mut three, &mut two, &mut one], &mut store);
    for party in [&two, &three] {
        assert_eq!(state(party), state(&one));
    }
}

/// Another root key, which the second device gets to know.
fn rotate_with(one: &mut Party, two: &mut Party, store: &mut MemoryStore) -> Party {
    let mut one = rotate(one.reopened(51), store);
    assert_eq!(two.sync(store), &State::NeedsPin);
    *two = two.reopened(52);
    settle(&mut [two, &mut one], store);
    one
}

//! "Mutation" says what was taken out to see the test fail.

mod hostile;
mod lost;

use rand_core::Rng as _;

use super::*;
use crate::testing::TestRng;
use crate::testing::house::{FOURTH, SECOND, THIRD};
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

/// What a device makes of all that it has read, as hashes.
fn state(party: &Party) -> Vec<(crate::CredentialId, ObjectHash)> {
    let merged = party.vault.merged_for_test().into_iter();
    merged.map(|(id, merged)| (id, ObjectHash::of(&merged))).collect()
}

#[test]
fn a_new_root_key_brings_a_snapshot_at_once() {
    let (_, store) = rotated();
    assert_eq!(store.named("/s/").len(), 2, "a part and a root");
}

/// A snapshot that cannot be read yet may cover what is gone, or may not. Mutation: only what is known to be missing counts.
#[test]
fn where_it_is_not_known_what_is_missing_nothing_is_backed_up() {
    let (one, mut two, mut store) = two();
    let id = two.register("example.org", "bob");
    two.sync(&mut store);
    assert!(two.vault.is_backed_up(&id).unwrap());
    let newest = store.named("/t/").len() + 1;
    rotate(one, &mut store);
    let mut without = store.clone();
    without
        .files
        .retain(|name, _| !name.ends_with(&format!("/t/{newest:08}.obj")));
    assert!(matches!(two.sync(&mut without), State::Gap(..)));
    assert!(!two.machine.status().is_compared);
    assert!(!two.vault.is_backed_up(&id).unwrap());
    assert_eq!(two.sync(&mut store), &State::NeedsPin);
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

/// What is not about passkeys is in the snapshot, too. Mutations: its wrapping keys, its names are not taken; the objects that
/// it covers stay on the disk.
#[test]
fn wrapped_credentials_and_names_of_devices_outlive_the_logs() {
    let mut one = Party::first_without_sync();
    let (mut store, rp) = (MemoryStore::default(), crate::RpIdHash::of("example.org"));
    let id = one
        .vault
        .wrap(&mut one.rng, &rp, crate::Profile::Synced, &[7; 32]);
    one.vault.begin_sync(&mut one.rng).unwrap();
    one.vault.name_device(&mut one.rng, "the desk").unwrap();
    one.sync(&mut store);
    let mut one = rotate(one, &mut store);
    for user in ["ann", "bob"] {
        one.register("example.org", user);
        one.sync(&mut store);
    }
    one.sync(&mut store);
    assert!(!store.named("/d/a1")[0].ends_with("00000001.obj"));
    assert_eq!(
        one.vault.log_object(one.id(), 1).unwrap(),
        None,
        "it is forgotten"
    );
    let two = &mut Party::added_by(&mut one, SECOND, &mut store);
    assert_eq!(two.sync(&mut store), &State::Fresh);
    assert!(two.vault.unwrap(&rp, &id.unwrap()).is_some());
    assert_eq!(two.vault.device_name(one.id()), Some("the desk"));
}

/// Another root key, which the second device gets to know.
fn rotate_with(one: &mut Party, two: &mut Party, store: &mut MemoryStore) -> Party {
    let mut one = rotate(one.reopened(51), store);
    assert_eq!(two.sync(store), &State::NeedsPin);
    *two = two.reopened(52);
    settle(&mut [two, &mut one], store);
    one
}

/// Mutation: the number of passkeys does not count.
#[test]
fn a_snapshot_is_made_when_it_is_worth_it() {
    let (mut party, mut store) = (Party::first(), MemoryStore::default());
    let id = party.register("example.org", "ann");
    party.sync(&mut store);
    let rename = |party: &mut Party, store: &mut MemoryStore, number: u32| {
        let mut passkey = party.vault.load(&id).unwrap().unwrap();
        passkey.user_name = Some(number.to_string());
        party.vault.update(&mut party.rng, &passkey, None).unwrap();
        assert_eq!(party.sync(store), &State::Fresh);
    };
    for number in 2..256 {
        rename(&mut party, &mut store, number);
    }
    assert!(store.named("/s/").is_empty(), "after 255 objects");
    rename(&mut party, &mut store, 256);
    assert_eq!(store.named("/s/").len(), 2);
    party.sync(&mut store);
    assert_eq!(store.named("/d/").len(), 1, "nobody else has to read them");

    party.machine.sum_up_after(4);
    for user in 0..20 {
        party.register("example.com", &user.to_string());
    }
    for number in 0..9 {
        rename(&mut party, &mut store, number);
    }
    let roots = |store: &MemoryStore, number| store.named(&format!("/{number:08x}-")).len();
    assert_eq!((roots(&store, 1), roots(&store, 2)), (1, 0));
    rename(&mut party, &mut store, 9);
    rename(&mut party, &mut store, 10);
    assert_eq!(roots(&store, 2), 1, "two times eleven is more than 21");
}

/// Mutation: whoever can makes one.
#[test]
fn the_device_that_wrote_most_makes_the_snapshot() {
    let (mut one, mut two, mut store) = two();
    one.machine.sum_up_after(1);
    for user in ["a", "b", "c"] {
        two.register("example.org", user);
        two.sync(&mut store);
    }
    one.sync(&mut store);
    assert!(store.named("/00000002-").is_empty());
    two.machine.sum_up_after(1);
    two.sync(&mut store);
    assert!(store.named("/00000002-")[0].contains("/s/b2"));
}

// --- R-10 and R-11 ----------------------------------------------------------------------------------------------------

fn delete(party: &mut Party, id: &crate::CredentialId) {
    party.vault.delete(&mut party.rng, id, None).unwrap();
}

const DAY: u64 = 86_400;

/// Mutations: a device that is away is waited for; `join` that keeps what was written over.
#[test]
fn a_device_that_was_away_for_long_takes_the_snapshot_and_keeps_what_it_has_to_say() {
    let (mut one, mut two, mut store) = two();
    let (gone, other) = (
        one.register("example.org", "gone"),
        one.register("example.org", "other"),
    );
    settle(&mut [&mut one, &mut two], &mut store);
    let offline = two.register("example.org", "made offline");
    two.rename(&gone, "renamed, and gone meanwhile");
    two.rename(&other, "renamed long ago");
    let old = two.reopened(31);

    delete(&mut one, &gone);
    one.later(DAY);
    one.rename(&other, "renamed meanwhile");
    one.sync(&mut store);
    one.machine.sum_up_after(1);
    one.later(88 * DAY).sync(&mut store);
    let objects = store.named("/d/a1").len();
    one.later(2 * DAY).sync(&mut store);
    assert!(
        store.named("/d/a1").len() < objects,
        "it is not waited for any more"
    );

    let mut two = old;
    two.later(92 * DAY);
    settle(&mut [&mut two, &mut one], &mut store);
    assert_eq!(two.users(), ["ann", "made offline", "other"]);
    assert_eq!(one.users(), two.users());
    assert!(one.vault.load(&offline).unwrap().is_some());
    assert_eq!(
        two.vault.load(&other).unwrap().unwrap().user_name.as_deref(),
        Some("renamed meanwhile")
    );
    settle(&mut [&mut two, &mut one], &mut store);
    assert_eq!(one.users(), two.users());
}

/// what is in the trash is in the snapshot, for thirty days; that it was deleted is for ever.
#[test]
fn the_trash_is_in_the_snapshot_and_a_deletion_stays_for_ever() {
    let (mut one, mut store) = (Party::first(), MemoryStore::default());
    let id = one.register("example.org", "ann");
    one.sync(&mut store);
    delete(&mut one, &id);
    one.sync(&mut store);
    one.machine.sum_up_after(1);
    one.sync(&mut store);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    assert_eq!(store.named("/d/a1").len(), 1);

    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    two.sync(&mut store);
    assert!(two.users().is_empty());
    assert!(two.vault.take_back(&mut two.rng, &id, None).unwrap());
    assert_eq!(two.users(), ["ann"]);
    delete(&mut two, &id);
    settle(&mut [&mut two, &mut one], &mut store);

    for _ in 0..31 {
        one.later(DAY);
        two.later(DAY);
        settle(&mut [&mut two, &mut one], &mut store);
    }
    one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    three.sync(&mut store);
    assert_eq!(three.users(), ["bob"]);
    assert!(
        !three.vault.take_back(&mut three.rng, &id, None).unwrap(),
        "it was thrown away"
    );
    let ids: Vec<_> = state(&three).into_iter().map(|(id, _)| id).collect();
    assert!(ids.contains(&id), "that it was deleted is known");
}

/// Whatever devices do, one that takes snapshots ends where one ends that reads all that was ever written.
#[test]
fn with_snapshots_and_without_everybody_ends_the_same() {
    for seed in 0..3 {
        play(seed);
    }
}

/// A random number below `end`.
fn below(rng: &mut TestRng, end: u64) -> usize {
    usize::try_from(rng.next_u64() % end).unwrap()
}

fn play(seed: u64) {
    let rng = &mut TestRng(seed << 40);
    let (mut one, mut store) = (Party::first(), MemoryStore::default());
    let two = Party::added_by(&mut one, SECOND, &mut store);
    let three = Party::added_by(&mut one, THIRD, &mut store);
    let mut parties = [one, two, three];
    let (mut ids, mut made) = (Vec::new(), BTreeSet::new());
    for _ in 0..60 {
        let party = &mut parties[below(rng, 3)];
        party.machine.sum_up_after(6);
        let chosen: Option<&crate::CredentialId> = ids.get(below(rng, 1 + u64::try_from(ids.len()).unwrap()));
        let here = chosen.filter(|id| party.vault.load(id).unwrap().is_some());
        match (below(rng, 8), here) {
            (0, _) => ids.push(party.register("example.org", &ids.len().to_string())),
            (1, Some(id)) => delete(party, id),
            (2, Some(id)) => party.rename(id, &rng.next_u64().to_string()),
            (3, None) => {
                if let Some(id) = chosen {
                    party.vault.take_back(&mut party.rng, id, None).unwrap();
                }
            }
            _ => {
                let state = party.sync(&mut store).clone();
                assert!(matches!(state, State::Fresh), "seed {seed}: {state:?}");
            }
        }
        made.extend(store.named("/s/"));
    }
    let [one, two, three] = &mut parties;
    settle(&mut [one, two, three], &mut store);
    assert!(made.len() > 3, "seed {seed}: {} pieces", made.len());
    assert!(store.removals > 20, "seed {seed}");
    let expected = state(&parties[0]);
    for party in &parties[1..] {
        assert_eq!(state(party), expected, "seed {seed}");
    }
    let mut without = Party::added_by(&mut parties[0], FOURTH, &mut store);
    let mut with = without.reopened(99);
    with.sync(&mut store);
    let mut everything = store.clone();
    everything.files.append(&mut everything.ever.clone());
    everything.files.retain(|name, _| !name.contains("/s/"));
    without.sync(&mut everything);
    assert_eq!(state(&with), expected, "seed {seed}");
    assert_eq!(state(&without), expected, "seed {seed}");
}

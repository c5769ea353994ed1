use super::*;
use crate::testing::party::{MemoryStore, Party};

fn synced() -> (Party, MemoryStore) {
    let (mut party, mut store) = (Party::first(), MemoryStore::default());
    party.register("example.org", "ann");
    assert_eq!(party.sync(&mut store), &State::Fresh);
    (party, store)
}

#[test]
fn the_first_round_writes_what_there_is_in_few_objects() {
    let (mut party, mut store) = (Party::first(), MemoryStore::default());
    for user in 0..100 {
        party.register("example.org", &format!("user {user}"));
    }
    assert_eq!(party.sync(&mut store), &State::Fresh);
    assert_eq!(store.named("/t/").len(), 2);
    assert_eq!(
        store.named("/k/").len(),
        2,
        "a slot for the device, one for the kit"
    );
    assert_eq!(store.named("/d/").len(), 1);
    assert!(!party.vault.has_something_to_say());

    let writes = store.writes;
    assert_eq!(party.sync(&mut store), &State::Fresh);
    assert_eq!(store.writes, writes, "there is nothing new");
}

/// Design: one change is two small writes, an idle poll one read.
#[test]
fn the_number_of_requests_is_as_small_as_promised() {
    let (mut party, mut store) = synced();
    let before = store.clone();
    party.register("example.org", "bob");
    party.work(&mut store);
    assert_eq!(store.writes - before.writes, 2);
    assert_eq!((store.reads, store.lists), (before.reads, before.lists));

    party.later(2).work(&mut store);
    let before = store.clone();
    for _ in 0..3 {
        party.later(60).work(&mut store);
    }
    assert_eq!(store.reads - before.reads, 3);
    assert_eq!((store.writes, store.lists), (before.writes, before.lists));
}

#[test]
fn nothing_of_a_passkey_is_readable_in_the_store() {
    let (_, store) = synced();
    let all: Vec<u8> = store.files.values().flatten().copied().collect();
    let all = [all, store.files.keys().flat_map(|name| name.bytes()).collect()].concat();
    for secret in ["example.org", "ann"] {
        let found = all
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

/// Mutation: `compare` that expects nothing.
#[test]
fn a_store_that_shows_less_is_not_written_to_until_it_is_healed() {
    let (mut party, mut store) = synced();
    let whole = store.clone();
    for name in whole.named(".obj") {
        store.files.remove(&name);
        party.register("example.com", &name);
        let writes = store.writes;
        assert_eq!(party.sync(&mut store), &State::RolledBack, "{name}");
        assert_eq!(party.machine.status().missing, std::slice::from_ref(&name));
        assert_eq!(store.writes, writes, "{name}");
        party.machine.heal();
        assert_eq!(party.sync(&mut store), &State::Fresh, "{name}");
        assert_eq!(store.files.get(&name), whole.files.get(&name), "{name}");
    }
}

/// Delete everything: any device has it all.
#[test]
fn an_emptied_store_is_healed_byte_for_byte() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    party.sync(&mut store);
    let whole = store.clone();
    store.files.clear();
    assert_eq!(party.sync(&mut store), &State::RolledBack);
    party.machine.heal();
    assert_eq!(party.sync(&mut store), &State::Fresh);
    for name in whole.named(".obj") {
        assert_eq!(store.files.get(&name), whole.files.get(&name), "{name}");
    }
}

/// The answer to a write is lost, each in turn: it is written once.
#[test]
fn a_lost_answer_changes_nothing() {
    for lost in 0..8 {
        let (mut party, mut store) = (Party::first(), MemoryStore::default());
        party.register("example.org", "ann");
        let mut writes = 0;
        party.machine.now();
        for _ in 0..1000 {
            let mut serve = |request: Request| {
                let is_write = matches!(request, Request::Create { .. } | Request::Put { .. });
                let answer = store.serve(request);
                writes += usize::from(is_write);
                if is_write && writes == lost + 1 {
                    Err(NoAnswer::Unreachable)
                } else {
                    answer
                }
            };
            if !party.step(&mut serve) {
                party.later(6);
            }
        }
        assert_eq!(party.machine.status().state, State::Fresh, "{lost}");
        assert_eq!(store.named("/d/").len(), 1, "{lost}");
        assert_eq!(store.named("/t/").len(), 2, "{lost}");
        assert!(!party.vault.has_something_to_say(), "{lost}");
        assert_eq!(party.vault.log_head(party.id()).incarnation(), 0, "{lost}");
    }
}

/// a device that was put back to an earlier state. Mutation: an incarnation that stays.
#[test]
fn a_device_restored_from_a_copy_begins_another_life() {
    let (mut party, mut store) = synced();
    let copy = crate::testing::Disk::with(party.disk.content());
    party.register("example.org", "written before it was put back");
    party.sync(&mut store);
    let objects = store.named("/d/");

    let mut restored = party.restarted(copy, 2);
    assert_eq!(restored.users(), ["ann"]);
    restored.register("example.org", "written after");
    assert_eq!(restored.sync(&mut store), &State::Fresh);
    assert_eq!(
        restored.users(),
        ["ann", "written after", "written before it was put back"]
    );
    let now = store.named("/d/");
    assert_eq!(now.len(), objects.len() + 1);
    assert!(objects.iter().all(|object| now.contains(object)));
    let head = restored.vault.log_head(restored.id());
    assert_eq!((head.incarnation(), head.seq()), (1, 3));
}

/// it had signed an object that the store did not have yet.
#[test]
fn a_restored_device_gives_up_what_it_signed_under_a_number_that_is_taken() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    let mut nothing = |_: Request| Err(NoAnswer::Unreachable);
    while party.step(&mut nothing) {}
    assert!(party.vault.object_to_publish().unwrap().is_some());
    party.vault.flush().unwrap();
    let copy = crate::testing::Disk::with(party.disk.content());
    let mut other = party.restarted(crate::testing::Disk::with(party.disk.content()), 3);
    other.vault.disown().unwrap();
    other.register("example.org", "carol");
    other.sync(&mut store);

    let mut restored = party.restarted(copy, 4);
    assert_eq!(restored.sync(&mut store), &State::Fresh);
    assert_eq!(restored.users(), ["ann", "bob", "carol"]);
    let head = restored.vault.log_head(restored.id());
    assert_eq!((head.incarnation(), head.seq()), (1, 3));
}

#[test]
fn after_a_failure_it_is_tried_again_more_and_more_seldom() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    let mut attempts = 0;
    for _ in 0..3600 {
        party.later(1);
        while party.step(&mut |_| {
            attempts += 1;
            Err(NoAnswer::Unreachable)
        }) {}
    }
    assert_eq!(
        party.machine.status().state,
        State::Offline(NoAnswer::Unreachable)
    );
    assert!((8..=14).contains(&attempts), "{attempts}");
    party.later(900).work(&mut store);
    assert_eq!(party.machine.status().state, State::Fresh);
}

#[test]
fn what_was_deleted_can_be_taken_back_for_thirty_days() {
    let (mut party, mut store) = synced();
    let id = party.register("example.org", "bob");
    party.sync(&mut store);
    party.vault.delete(&mut party.rng, &id, None).unwrap();
    party.sync(&mut store);
    assert_eq!(party.users(), ["ann"]);
    let trash = party.vault.trash().unwrap();
    assert_eq!(trash.len(), 1);
    assert!(party.vault.take_back(&mut party.rng, &id, None).unwrap());
    assert_eq!(party.users(), ["ann", "bob"]);
    party.sync(&mut store);
    assert!(party.vault.trash().unwrap().is_empty());

    party.vault.delete(&mut party.rng, &id, None).unwrap();
    party.sync(&mut store);
    party.later(29 * 86_400).sync(&mut store);
    assert_eq!(party.vault.trash().unwrap().len(), 1);
    party.later(2 * 86_400).sync(&mut store);
    assert!(party.vault.trash().unwrap().is_empty());
    assert!(!party.vault.take_back(&mut party.rng, &id, None).unwrap());
    assert_eq!(party.users(), ["ann"]);
}

/// Mutation: an outbox that is not read when the vault is opened.
#[test]
fn what_was_not_told_is_told_after_a_restart() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    let mut again = party.restarted(crate::testing::Disk::with(party.disk.content()), 5);
    assert!(again.vault.has_something_to_say());
    again.sync(&mut store);
    assert_eq!(store.named("/d/").len(), 2);
    assert!(!again.vault.has_something_to_say());
}

/// Another root key: what is in the store is there before the entry that names it, and the vault asks for its PIN.
#[test]
fn a_change_of_the_membership_is_made_at_the_store_first() {
    let (mut party, mut store) = synced();
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    assert_eq!(party.machine.proposed(), None);
    assert_eq!(party.sync(&mut store), &State::NeedsPin);
    assert_eq!(party.machine.proposed(), Some(Proposed::Accepted));
    assert_eq!(store.named("/t/").len(), 3);

    let mut again = party.restarted(crate::testing::Disk::with(party.disk.content()), 6);
    assert_eq!(again.vault.trust().unwrap().epoch(), 2);
    again.register("example.org", "bob");
    assert_eq!(again.sync(&mut store), &State::Fresh);
    assert_eq!(again.users(), ["ann", "bob"]);
}

/// Each answer is lost in turn: the change is made once, and the device learns of it.
#[test]
fn a_change_whose_answer_is_lost_is_made_once() {
    for lost in 0..5 {
        let (mut party, mut store) = synced();
        party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
        let mut writes = 0;
        for _ in 0..200 {
            let mut serve = |request: Request| {
                let is_write = matches!(request, Request::Create { .. });
                let answer = store.serve(request);
                writes += usize::from(is_write);
                if is_write && writes == lost + 1 {
                    Err(NoAnswer::Unreachable)
                } else {
                    answer
                }
            };
            if !party.step(&mut serve) {
                party.later(6);
            }
        }
        assert_eq!(party.machine.proposed(), Some(Proposed::Accepted), "{lost}");
        assert_eq!(store.named("/t/").len(), 3, "{lost}");
    }
}

/// Mutation: a proposal that is written under the next free number.
#[test]
fn of_two_changes_at_once_one_is_made() {
    let (mut party, mut store) = synced();
    let mut twin = party.restarted(crate::testing::Disk::with(party.disk.content()), 7);
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    twin.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    party.sync(&mut store);
    twin.sync(&mut store);
    assert_eq!(party.machine.proposed(), Some(Proposed::Accepted));
    assert_eq!(twin.machine.proposed(), Some(Proposed::Beaten));
    assert_eq!(twin.vault.trust(), party.vault.trust());
}

/// Mutation: a credential that waits in the outbox counts as backed up.
#[test]
fn backed_up_is_what_the_store_has() {
    let (mut party, mut store) = synced();
    let id = party.register("example.org", "bob");
    assert!(!party.vault.is_backed_up(&id).unwrap());
    party.sync(&mut store);
    assert!(party.vault.is_backed_up(&id).unwrap(), "there is a recovery kit");
    let name = store.named("/d/").remove(0);
    let object = store.files.remove(&name).unwrap();
    party.sync(&mut store);
    assert!(!party.vault.is_backed_up(&id).unwrap(), "the store shows less");
    store.files.insert(name, object);
    party.sync(&mut store);
    assert!(party.vault.is_backed_up(&id).unwrap());
}

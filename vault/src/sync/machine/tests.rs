use std::collections::BTreeSet;
use std::slice;

use super::*;
use crate::membership::Name;
use crate::testing::house::{SECOND, THIRD};
use crate::testing::party::{MemoryStore, Party, UNIX_MS};
use crate::{Answer, DeviceId};

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
    assert!(!party.has_something_to_say());

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
        assert_eq!(party.machine.status().missing, slice::from_ref(&name));
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

fn is_write(request: &Request) -> bool {
    matches!(request, Request::Create { .. } | Request::Put { .. })
}

/// Goes on for a long time; of the requests that count one is done, but its answer is lost.
fn work_losing(lost: usize, party: &mut Party, store: &mut MemoryStore, counts: fn(&Request) -> bool) {
    let mut counted = 0;
    for _ in 0..1000 {
        let mut serve = |request: Request| {
            let is_counted = counts(&request);
            let answer = store.serve(request);
            counted += usize::from(is_counted);
            if is_counted && counted == lost + 1 {
                Err(NoAnswer::Unreachable)
            } else {
                answer
            }
        };
        if !party.step(&mut serve) {
            party.later(6);
        }
    }
}

/// The answer to a write is lost, each in turn: it is written once.
#[test]
fn a_lost_answer_changes_nothing() {
    for lost in 0..8 {
        let (mut party, mut store) = (Party::first(), MemoryStore::default());
        party.register("example.org", "ann");
        party.machine.now();
        work_losing(lost, &mut party, &mut store, is_write);
        assert_eq!(party.machine.status().state, State::Fresh, "{lost}");
        assert_eq!(store.named("/d/").len(), 1, "{lost}");
        assert_eq!(store.named("/t/").len(), 2, "{lost}");
        assert!(!party.has_something_to_say(), "{lost}");
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
    let mut other = party.reopened(3);
    other.vault.disown().unwrap();
    other.register("example.org", "carol");
    other.sync(&mut store);

    let mut restored = party.restarted(copy, 4);
    assert_eq!(restored.sync(&mut store), &State::Fresh);
    assert_eq!(restored.users(), ["ann", "bob", "carol"]);
    let head = restored.vault.log_head(restored.id());
    assert_eq!((head.incarnation(), head.seq()), (1, 3));
}

/// What another device made is wanted when the key is used, not a minute later. Mutation: `in_use` does nothing.
#[test]
fn a_vault_in_use_looks_at_once_and_not_more_often_than_twice_a_second() {
    let (mut party, mut store) = synced();
    for _ in 0..20 {
        party.later(60).work(&mut store);
    }
    let reads = store.reads;
    party.later(2).work(&mut store);
    assert_eq!(store.reads, reads, "it looks once a minute");
    party.machine.in_use();
    party.work(&mut store);
    assert_eq!(store.reads, reads + 1);
    party.machine.in_use();
    party.work(&mut store);
    assert_eq!(store.reads, reads + 1, "it was just looked at");
    party.later(1);
    party.machine.in_use();
    party.work(&mut store);
    assert_eq!(store.reads, reads + 2);
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
    for days_left in (0..30).rev() {
        party.later(86_400).sync(&mut store);
        assert_eq!(party.vault.trash().unwrap()[0].days_left, days_left);
    }
    party.later(86_400).sync(&mut store);
    assert!(party.vault.trash().unwrap().is_empty());
    assert!(!party.vault.take_back(&mut party.rng, &id, None).unwrap());
    assert_eq!(party.users(), ["ann"]);
}

/// Mutation: what waits to be told is not looked at.
#[test]
fn what_was_deleted_can_be_taken_back_before_the_store_knows() {
    let (mut party, mut store) = synced();
    let told = party.register("example.org", "bob");
    party.sync(&mut store);
    let not_told = party.register("example.com", "eve");
    for id in [&told, &not_told] {
        party.vault.delete(&mut party.rng, id, None).unwrap();
    }
    assert_eq!(party.users(), ["ann"]);
    let trash = party.vault.trash().unwrap();
    let ids: BTreeSet<_> = trash.iter().map(|trashed| trashed.passkey.id.clone()).collect();
    assert_eq!(ids, BTreeSet::from([told.clone(), not_told.clone()]));
    assert!(trash.iter().all(|trashed| trashed.days_left == 30));
    for id in [&told, &not_told] {
        assert!(party.vault.take_back(&mut party.rng, id, None).unwrap());
        assert!(!party.vault.take_back(&mut party.rng, id, None).unwrap());
    }
    party.sync(&mut store);
    assert_eq!(party.users(), ["ann", "bob", "eve"]);
    assert!(party.vault.trash().unwrap().is_empty());
}

/// Mutation: an outbox that is not read when the vault is opened.
#[test]
fn what_was_not_told_is_told_after_a_restart() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    let mut again = party.reopened(5);
    assert!(again.has_something_to_say());
    again.sync(&mut store);
    assert_eq!(store.named("/d/").len(), 2);
    assert!(!again.has_something_to_say());
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

    let mut again = party.reopened(6);
    assert_eq!(again.vault.trust().unwrap().epoch(), 2);
    again.register("example.org", "bob");
    assert_eq!(again.sync(&mut store), &State::Fresh);
    assert_eq!(again.users(), ["ann", "bob"]);
}

/// The power goes as soon as the entry is there, and the store loses what it names. Mutation: that is kept only in memory.
#[test]
fn what_a_change_names_is_kept_by_who_made_it() {
    let (mut party, mut store) = synced();
    let before = store.named("/k/");
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    party.machine.now();
    while store.named("/t/").len() < 3 {
        assert!(party.step(&mut |request| store.serve(request)));
    }
    let mut again = party.reopened(6);
    store
        .files
        .retain(|name, _| !name.contains("/k/") || before.contains(name));
    assert_eq!(again.sync(&mut store), &State::RolledBack);
    again.machine.heal();
    assert_eq!(again.sync(&mut store), &State::NeedsPin);
    let mut once_more = again.reopened(7);
    assert_eq!(once_more.sync(&mut store), &State::Fresh);
}

/// What a change names that was not made is thrown away. Mutation: all objects are kept.
#[test]
fn what_a_change_names_that_was_not_made_is_not_kept() {
    let (mut party, mut store) = synced();
    let mut twin = party.reopened(8);
    let mut objects = Vec::new();
    party.propose(|unlocked, here, right_pin, rng| {
        let change = unlocked.rotate(here, right_pin, None, rng)?;
        objects.extend(change.before.iter().filter_map(|(name, _)| match name {
            Name::Object(hash) => Some(*hash),
            Name::Entry(_) | Name::DeviceKeys(_) => None,
        }));
        Ok(change)
    });
    party.machine.now();
    let is_kept = |party: &Party| {
        objects
            .iter()
            .any(|hash| party.vault.membership_object(*hash).unwrap().is_some())
    };
    while !is_kept(&party) {
        assert!(party.step(&mut |request| store.serve(request)));
    }
    twin.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    twin.sync(&mut store);
    party.sync(&mut store);
    assert_eq!(party.machine.proposed(), Some(Proposed::Beaten));
    assert_eq!(party.sync(&mut store), &State::NeedsPin);
    assert!(!is_kept(&party));
}

/// Each answer is lost in turn: the change is made once, and the device learns of it.
#[test]
fn a_change_whose_answer_is_lost_is_made_once() {
    for lost in 0..5 {
        let (mut party, mut store) = synced();
        party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
        work_losing(lost, &mut party, &mut store, |request| {
            matches!(request, Request::Create { .. })
        });
        assert_eq!(party.machine.proposed(), Some(Proposed::Accepted), "{lost}");
        assert_eq!(store.named("/t/").len(), 3, "{lost}");
    }
}

/// The other one was made after this device had looked. Mutation: a name that is taken counts as accepted.
#[test]
fn of_two_changes_in_one_moment_one_is_made() {
    let (mut party, mut store) = synced();
    let mut twin = party.reopened(8);
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    twin.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    let mut is_first = true;
    for _ in 0..100 {
        let mut serve = |request: Request| {
            let is_entry = matches!(&request, Request::Create { name, .. } if name.contains("/t/"));
            if is_entry && std::mem::take(&mut is_first) {
                party.sync(&mut store);
            }
            store.serve(request)
        };
        if !twin.step(&mut serve) {
            break;
        }
    }
    assert_eq!(party.machine.proposed(), Some(Proposed::Accepted));
    assert_eq!(twin.machine.proposed(), Some(Proposed::Beaten));
    assert_eq!(twin.vault.trust(), party.vault.trust());
}

/// Replaces the root key at a store for which `lie` sometimes answers.
fn rotate_despite(lie: &mut dyn FnMut(&Request) -> Option<Answer>) -> (Party, MemoryStore) {
    let (mut party, mut store) = synced();
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    party.machine.now();
    for _ in 0..100 {
        let goes_on = party.step(&mut |request| match lie(&request) {
            Some(answer) => Ok(answer),
            None => store.serve(request),
        });
        if !goes_on {
            party.later(60);
        }
        if party.machine.proposed().is_some() {
            break;
        }
    }
    assert_eq!(party.machine.proposed(), Some(Proposed::Accepted));
    (party, store)
}

/// The store says that it has a slot, and has none. Mutation: it is believed.
#[test]
fn what_an_entry_names_is_looked_at_where_it_is_said_to_be_there() {
    let mut lies = 0;
    let (party, store) = rotate_despite(&mut |request| {
        let is_slot = matches!(request, Request::Create { name, .. } if name.contains("/k/"));
        lies += usize::from(is_slot);
        (is_slot && lies <= 2).then_some(Answer::AlreadyThere)
    });
    for hash in party.vault.trust().unwrap().objects_in_force() {
        assert!(
            store
                .files
                .values()
                .any(|content| ObjectHash::of(content) == hash)
        );
    }
}

/// Mutation: whatever is read back and is something else counts as another device's.
#[test]
fn what_is_read_back_and_nobodys_leaves_it_open() {
    let mut wrong = vec![Some(vec![1, 2, 3]), None];
    rotate_despite(&mut |request| {
        let is_entry = matches!(request, Request::Get { names } if names[0].contains("/t/"));
        (is_entry && !wrong.is_empty()).then(|| Answer::Got(vec![wrong.remove(0)]))
    });
    assert!(wrong.is_empty());
}

/// Where a store replaces what is there, what was written last is in force; who wrote before finds out when it reads its
/// entry back. Mutation: an entry that was kept counts as accepted at once.
#[test]
fn of_two_changes_in_a_store_that_replaces_the_last_is_made() {
    let (mut party, mut store) = synced();
    let mut twin = party.reopened(8);
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    twin.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    let is_entry =
        |request: &Request| matches!(request, Request::Create { name, .. } if name.contains("/t/"));
    let replace = |store: &mut MemoryStore, request: Request| {
        if let Request::Create { name, bytes } = request {
            store.serve(Request::Put { name, bytes })
        } else {
            store.serve(request)
        }
    };
    let mut twin_wrote = false;
    let mut steps = 0;
    while party.machine.proposed().is_none() {
        party.step(&mut |request| {
            // Both have looked by then, and the twin writes first.
            while is_entry(&request) && !twin_wrote {
                twin.step(&mut |request| {
                    twin_wrote = is_entry(&request);
                    replace(&mut store, request)
                });
            }
            replace(&mut store, request)
        });
        steps += 1;
        assert!(steps < 100, "it never ends");
    }
    twin.sync(&mut store);
    assert_eq!(party.machine.proposed(), Some(Proposed::Accepted));
    assert_eq!(twin.machine.proposed(), Some(Proposed::Beaten));
    assert_eq!(twin.vault.trust(), party.vault.trust());
}

#[test]
fn of_two_changes_at_once_one_is_made() {
    let (mut party, mut store) = synced();
    let mut twin = party.reopened(7);
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

// --- several devices --------------------------------------------------------------------------------------------------

fn two() -> (Party, Party, MemoryStore) {
    let (mut one, mut store) = synced();
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    assert_eq!(two.sync(&mut store), &State::Fresh);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    (one, two, store)
}

/// Until nobody has anything to say.
fn settle(parties: &mut [&mut Party], store: &mut MemoryStore) {
    for _ in 0..4 {
        for party in &mut *parties {
            party.sync(store);
        }
    }
}

#[test]
fn a_passkey_made_on_one_device_is_on_the_other() {
    let (mut one, mut two, mut store) = two();
    assert_eq!(two.users(), ["ann"]);
    let id = two.register("example.org", "bob");
    two.sync(&mut store);
    one.sync(&mut store);
    assert_eq!(one.users(), ["ann", "bob"]);
    let (here, there) = (one.vault.load(&id).unwrap(), two.vault.load(&id).unwrap());
    let encoded = |passkey: Option<crate::Passkey>| crate::payload::encode(&passkey.unwrap()).unwrap();
    assert_eq!(encoded(here), encoded(there));
}

#[test]
fn everybody_answers_once() {
    let (mut one, mut two, mut store) = two();
    settle(&mut [&mut one, &mut two], &mut store);
    let writes = store.writes;
    one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    settle(&mut [&mut one, &mut two], &mut store);
    assert_eq!(
        store.writes - writes,
        4,
        "the object, its answer, and the hint after each"
    );
}

#[test]
fn a_change_on_one_device_is_seen_at_once_by_the_clients_of_the_other() {
    let (mut one, mut two, mut store) = two();
    let (state, id) = (two.vault.store_state(), one.register("example.org", "bob"));
    one.sync(&mut store);
    two.sync(&mut store);
    assert_ne!(two.vault.store_state(), state);
    let state = two.vault.store_state();
    one.vault.delete(&mut one.rng, &id, None).unwrap();
    settle(&mut [&mut one, &mut two], &mut store);
    assert_ne!(two.vault.store_state(), state);
    assert_eq!(two.users(), ["ann"]);
}

/// F-05: both are kept, the one made last is offered, and the other comes back when that is deleted.
#[test]
fn one_account_made_on_two_devices_that_were_offline() {
    let (mut one, mut two, mut store) = two();
    let (first, second) = (
        one.register("example.com", "bob"),
        two.register("example.com", "bob"),
    );
    settle(&mut [&mut one, &mut two], &mut store);
    let rp = crate::RpIdHash::of("example.com");
    let offered = |party: &Party| party.vault.find_by_rp(&rp, crate::CredProtect::Required);
    assert_eq!(offered(&one), offered(&two));
    assert_eq!(offered(&one).len(), 1);
    for id in [&first, &second] {
        assert!(
            one.vault.load(id).unwrap().is_some(),
            "a site may know only this one"
        );
        assert!(two.vault.load(id).unwrap().is_some());
    }
    let newest = offered(&one).remove(0);
    one.vault.delete(&mut one.rng, &newest, None).unwrap();
    settle(&mut [&mut one, &mut two], &mut store);
    let other = if newest == first { second } else { first };
    assert_eq!(offered(&two), [other]);
}

/// Mutation: what waits in the outbox is not laid over what is merged.
#[test]
fn what_is_not_told_yet_stays_in_force_when_something_else_is_read() {
    let (mut one, mut two, mut store) = two();
    let id = one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    two.rename(&id, "from two");
    two.sync(&mut store);
    // One reads that while it has something to say itself, and cannot write.
    one.rename(&id, "from one");
    one.machine.now();
    for _ in 0..100 {
        let mut serve = |request: Request| {
            if is_write(&request) {
                Err(NoAnswer::Full)
            } else {
                store.serve(request)
            }
        };
        if !one.step(&mut serve) {
            break;
        }
    }
    assert_eq!(
        one.vault.load(&id).unwrap().unwrap().user_name.as_deref(),
        Some("from one")
    );
    settle(&mut [&mut one, &mut two], &mut store);
    for party in [&one, &two] {
        let name = party.vault.load(&id).unwrap().unwrap().user_name;
        assert_eq!(
            name.as_deref(),
            Some("from one"),
            "it was said last, and all was known"
        );
    }
}

/// Credentials that are not stored work on every device, whether they were made before or after syncing began; those
/// bound to a device do not. Mutation: of two keys with one number, which are of two devices, the lesser stays.
#[test]
fn wrapped_credentials_follow_their_profile() {
    let mut one = Party::first_without_sync();
    let (mut store, rp) = (MemoryStore::default(), crate::RpIdHash::of("example.org"));
    let wrap = |party: &mut Party, profile| party.vault.wrap(&mut party.rng, &rp, profile, &[7; 32]).unwrap();
    let before = wrap(&mut one, crate::Profile::Synced);
    let bound = wrap(&mut one, crate::Profile::DeviceBound);
    one.vault.begin_sync(&mut one.rng).unwrap();
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    settle(&mut [&mut one, &mut two], &mut store);
    let mut three = Party::added_by(&mut two, THIRD, &mut store);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    let after = wrap(&mut one, crate::Profile::Synced);
    let still_bound = wrap(&mut one, crate::Profile::DeviceBound);
    for id in [&before, &after] {
        assert!(one.vault.unwrap(&rp, id).is_some());
        assert!(two.vault.unwrap(&rp, id).is_some());
        assert!(three.vault.unwrap(&rp, id).is_some());
    }
    for id in [&bound, &still_bound] {
        assert!(one.vault.unwrap(&rp, id).is_some());
        assert!(two.vault.unwrap(&rp, id).is_none());
    }
}

/// Without a kit, what this device made is backed up when another one says that it has it.
#[test]
fn without_a_kit_another_device_has_to_have_it() {
    let mut one = Party::first_without_kit();
    let mut store = MemoryStore::default();
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    settle(&mut [&mut one, &mut two], &mut store);
    let id = one.register("example.org", "ann");
    one.sync(&mut store);
    assert!(!one.vault.is_backed_up(&id).unwrap());
    two.sync(&mut store);
    assert!(
        two.vault.is_backed_up(&id).unwrap(),
        "it has been on two devices since it was read"
    );
    one.sync(&mut store);
    assert!(one.vault.is_backed_up(&id).unwrap());
}

/// one device's objects are withheld. What builds on them waits, and is taken later.
#[test]
fn what_builds_on_something_that_is_withheld_waits() {
    let (mut one, mut two, mut store) = two();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    one.register("example.org", "from one");
    one.sync(&mut store);
    let withheld = store.named("/d/a1").pop().unwrap();
    two.sync(&mut store);
    two.register("example.org", "from two");
    two.sync(&mut store);
    let object = store.files.remove(&withheld).unwrap();
    let seq = one.vault.log_head(one.id()).seq();
    assert_eq!(three.sync(&mut store), &State::Gap(one.id(), seq));
    assert_eq!(three.users(), ["ann"]);
    store.files.insert(withheld, object);
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(three.users(), ["ann", "from one", "from two"]);
}

/// two devices are shown different logs of a third one, which was copied. Mutation: hashes are not compared.
#[test]
fn a_split_view_is_noticed_in_one_exchange() {
    let (mut one, mut two, mut store) = two();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    let mut copy = one.reopened(9);
    let mut other_store = store.clone();
    one.register("example.org", "to two");
    one.sync(&mut store);
    copy.register("example.org", "to three");
    copy.sync(&mut other_store);
    two.sync(&mut store);
    three.sync(&mut other_store);
    // The views meet: what two wrote reaches three.
    for name in store.named("/d/b2") {
        let object = store.files[&name].clone();
        other_store.files.insert(name, object);
    }
    let seq = one.vault.log_head(one.id()).seq();
    assert_eq!(three.sync(&mut other_store), &State::Forked(one.id(), seq));
    let writes = other_store.writes;
    three.register("example.org", "not written");
    three.sync(&mut other_store);
    assert_eq!(other_store.writes, writes);
    assert!(
        three.users().contains(&"not written".to_owned()),
        "signing in goes on"
    );
}

/// the whole store is put back to each earlier state.
#[test]
fn a_store_that_was_put_back_is_noticed_by_everybody_who_saw_more() {
    let (mut one, mut two, mut store) = two();
    let mut states = vec![store.clone()];
    for user in ["bob", "carol", "dave"] {
        one.register("example.org", user);
        settle(&mut [&mut one, &mut two], &mut store);
        states.push(store.clone());
    }
    states.pop();
    for mut state in states {
        for party in [&mut one, &mut two] {
            assert_eq!(party.sync(&mut state), &State::RolledBack);
        }
    }
    for party in [&mut one, &mut two] {
        assert_eq!(party.sync(&mut store), &State::Fresh);
    }
}

/// clocks that are fifty years off freeze nothing and lose nothing. Whoever knew what was there has the last word.
/// Mutation: of two values the one with the greater clock stays, whatever its author had seen.
#[test]
fn clocks_that_are_fifty_years_off() {
    const FIFTY_YEARS_MS: u64 = 50 * 366 * 86_400_000;
    for wrong in [UNIX_MS + FIFTY_YEARS_MS, UNIX_MS - FIFTY_YEARS_MS] {
        let (mut one, mut two, mut store) = two();
        two.clock_unix_ms = wrong;
        let id = one.register("example.org", "bob");
        settle(&mut [&mut one, &mut two], &mut store);
        for round in 0..4 {
            for (author, name) in [(0, "from one"), (1, "from two")] {
                let name = format!("{name}, {round}");
                [&mut one, &mut two][author].rename(&id, &name);
                settle(&mut [&mut one, &mut two], &mut store);
                for party in [&one, &two] {
                    let found = party.vault.load(&id).unwrap().unwrap().user_name;
                    assert_eq!(found.as_deref(), Some(name.as_str()));
                }
            }
        }
        one.register("example.org", "made by one");
        two.register("example.org", "made by two");
        two.vault.delete(&mut two.rng, &id, None).unwrap();
        settle(&mut [&mut one, &mut two], &mut store);
        for party in [&mut one, &mut two] {
            assert_eq!(party.users(), ["ann", "made by one", "made by two"]);
        }
        one.vault.take_back(&mut one.rng, &id, None).unwrap();
        settle(&mut [&mut one, &mut two], &mut store);
        for party in [&one, &two] {
            assert_eq!(party.users(), ["ann", "bob", "made by one", "made by two"]);
        }
    }
}

/// K-07: it may read nothing newer, and nothing that it writes is read. Mutation: `listens_to` listens to everything of it, and
/// `Trust::log_author` does not compare the number.
#[test]
fn a_revoked_device_is_out() {
    let (mut one, mut two, mut store) = two();
    settle(&mut [&mut one, &mut two], &mut store);
    let mut offline = store.clone();
    let last = one.vault.log_head(SECOND);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    let mut one = one.reopened(10);
    one.register("example.org", "secret");
    assert_eq!(one.sync(&mut store), &State::Fresh);

    // It wrote meanwhile, without having looked.
    two.register("example.org", "too late");
    assert_eq!(two.sync(&mut offline), &State::Fresh);
    assert!(offline.named("/d/b2").len() > store.named("/d/b2").len());
    for name in offline.named("/d/b2") {
        let object = offline.files[&name].clone();
        store.files.insert(name, object);
    }
    assert_eq!(two.sync(&mut store), &State::Removed);
    assert!(!two.users().contains(&"secret".to_owned()));
    assert_eq!(one.sync(&mut store), &State::Fresh);
    assert_eq!(one.users(), ["ann", "secret"]);
}

/// The others may have removed from the store what it had read there. Mutation: it puts that back.
#[test]
fn a_removed_device_puts_nothing_back() {
    let (mut one, mut two, mut store) = two();
    settle(&mut [&mut one, &mut two], &mut store);
    let last = one.vault.log_head(SECOND);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    let read = store.named("/d/a1").remove(0);
    store.files.remove(&read);
    let writes = store.writes;
    assert_eq!(two.sync(&mut store), &State::Removed);
    assert!(two.machine.status().missing.is_empty());
    two.machine.heal_all();
    assert_eq!(two.sync(&mut store), &State::Removed);
    assert_eq!(store.writes, writes);
}

/// Who removed a device says with its hash which object it had read last. A thief who has the device, and the store, show
/// others another one in its place. Mutation: the number alone is compared.
#[test]
fn another_end_of_a_removed_device_is_a_fork() {
    let (mut one, mut two, mut store) = two();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    let (mut twin, mut elsewhere) = (two.reopened(31), store.clone());
    two.register("example.org", "read by one");
    two.sync(&mut store);
    twin.register("example.org", "shown to three");
    twin.sync(&mut elsewhere);
    one.sync(&mut store);
    let last = one.vault.log_head(SECOND);
    let name = store.named("/d/b2").pop().unwrap();
    let other = elsewhere.files[&name].clone();
    assert_ne!(store.files[&name], other);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    store.files.insert(name, other);
    assert_eq!(three.sync(&mut store), &State::Forked(SECOND, last.seq()));
    assert_eq!(three.users(), ["ann"]);
}

/// Slots that are in force no more are nobody's to heal. Mutation: an entry whose slot is not there ends the reading.
#[test]
fn slots_of_entries_in_between_may_be_lost() {
    let (one, mut two, mut store) = two();
    let mut one = rotated(one, &mut store);
    let in_between: Vec<_> = one.vault.trust().unwrap().objects_in_force().collect();
    one = rotated(one, &mut store);
    one.register("example.org", "bob");
    one.sync(&mut store);
    let in_force: Vec<_> = one.vault.trust().unwrap().objects_in_force().collect();
    for hash in in_between.iter().filter(|hash| !in_force.contains(hash)) {
        let kept = store.files.len();
        store.files.retain(|_, content| ObjectHash::of(content) != *hash);
        assert_eq!(store.files.len(), kept - 1);
    }
    assert_eq!(two.sync(&mut store), &State::NeedsPin);
    let mut two = two.reopened(11);
    assert_eq!(two.sync(&mut store), &State::Fresh);
    assert_eq!(two.users(), one.users());
}

fn rotated(mut party: Party, store: &mut MemoryStore) -> Party {
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    assert_eq!(party.sync(store), &State::NeedsPin);
    let seed = 20 + u64::from(party.vault.trust().unwrap().epoch());
    let mut party = party.reopened(seed);
    party.sync(store);
    party
}

/// It wrote after the change was made, and before it is in the store. Mutation: `propose_first` that does nothing.
#[test]
fn nothing_is_read_of_a_removed_device_but_what_is_accepted() {
    let (mut one, mut two, mut store) = two();
    settle(&mut [&mut one, &mut two], &mut store);
    let last = one.vault.log_head(SECOND);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    two.register("example.org", "too late");
    two.sync(&mut store);
    assert!(two.vault.log_head(SECOND).seq() > last.seq());
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    assert_eq!(one.machine.proposed(), Some(Proposed::Accepted));
    assert_eq!(one.vault.log_head(SECOND), last);
    let mut one = one.reopened(10);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut one, &mut three], &mut store);
    assert_eq!(
        (one.users(), three.users()),
        (vec!["ann".to_owned()], vec!["ann".to_owned()])
    );
}

/// Mutation: a vault that was opened with an earlier root key counts as damaged.
#[test]
fn what_is_still_to_be_said_when_the_root_key_is_replaced_is_said_with_the_new_one() {
    let (mut one, mut two, mut store) = two();
    two.register("example.org", "bob");
    two.sync(&mut store);
    one.register("example.org", "carol");
    one.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    assert!(one.has_something_to_say());
    let mut one = one.reopened(20);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    assert_eq!(two.sync(&mut store), &State::NeedsPin);
    let mut two = two.reopened(21);
    settle(&mut [&mut one, &mut two], &mut store);
    assert_eq!(
        (one.users(), two.users()),
        (two.users(), vec!["ann".into(), "bob".into(), "carol".into()])
    );
}

/// copies and temporary files of other programs are not looked at.
#[test]
fn files_that_nobody_of_the_vault_wrote_do_no_harm() {
    let (mut one, mut two, mut store) = two();
    let object = store.named("/d/a1").remove(0);
    let bytes = store.files[&object].clone();
    let folder = object.rsplit_once('/').unwrap().0.to_owned();
    for name in [
        "00000000-00000001 (1).obj",
        "00000000-00000001.sync-conflict-1.obj",
        ".tmp",
        "x",
    ] {
        store.files.insert(format!("{folder}/{name}"), bytes.clone());
    }
    let stranger = folder.replace("a1a1a1a1", "eeeeeeee");
    store
        .files
        .insert(format!("{stranger}/00000000-00000001.obj"), bytes);
    two.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    assert_eq!(one.machine.status().state, State::Fresh);
    assert_eq!(one.users(), ["ann", "bob"]);
}

/// a store that lists what was there a while ago, has not yet what it lists, or has the beginning of it. Nothing is
/// lost, no number is used twice, and nobody has to mend anything. Mutations: a listing is not compared with what was there; what
/// is not there yet is asked for again and again.
#[test]
fn a_store_that_is_late_loses_nothing() {
    let (mut one, mut two, mut store) = two();
    settle(&mut [&mut one, &mut two], &mut store);
    for late in 0..3 {
        let before = store.clone();
        for party in [&mut one, &mut two] {
            let user = format!("{late}, {:?}", party.id());
            party.register("example.org", &user);
            party.sync(&mut store);
        }
        for party in [&mut one, &mut two] {
            party.register("example.com", &format!("meanwhile, {late}, {:?}", party.id()));
            party.machine.now();
            let (writes, mut rests) = (store.writes, false);
            for _ in 0..1000 {
                let is_whole = |name: &String| before.files.contains_key(name) || name.ends_with("hint");
                let mut serve = |request: Request| match (late, &request) {
                    (0, Request::List { .. }) => before.clone().serve(request),
                    (1 | 2, Request::Get { names }) => {
                        let got = names.iter().map(|name| {
                            let content = store.files.get(name).cloned()?;
                            match (is_whole(name), late) {
                                (true, _) => Some(content),
                                (false, 1) => None,
                                (false, _) => Some(content[..content.len() / 2].to_vec()),
                            }
                        });
                        Ok(Answer::Got(got.collect()))
                    }
                    _ => store.serve(request),
                };
                rests = !party.step(&mut serve);
                if rests {
                    break;
                }
            }
            assert!(rests, "{late}");
            if late == 0 {
                assert_eq!(party.machine.status().state, State::RolledBack);
                assert_eq!(store.writes, writes);
            }
        }
        settle(&mut [&mut one, &mut two], &mut store);
        for party in [&one, &two] {
            assert_eq!(party.machine.status().state, State::Fresh, "{late}");
            assert_eq!(party.users().len(), 1 + 4 * (late + 1), "{late}");
            assert_eq!(party.vault.log_head(party.id()).incarnation(), 0, "{late}");
        }
    }
}

/// A store that gives genuine objects under other names: the round ends, and what is there is used once it is in its place.
/// Mutations: an object that was read before is passed over, and asked for again; a device that lags behind itself writes.
#[test]
fn objects_under_other_names_do_no_harm_and_do_not_hold_it_up() {
    let (mut one, mut two, mut store) = two();
    for user in ["bob", "carol", "dave"] {
        one.register("example.org", user);
        one.sync(&mut store);
    }
    let whole = store.clone();
    let new = store.named("/d/a1").split_off(2);
    let old = store.named("/d/a1").remove(0);
    for name in &new {
        for other in new.iter().chain([&old]).filter(|other| *other != name) {
            store.files.insert(name.clone(), whole.files[other].clone());
            let mut fresh = two.reopened(11);
            let state = fresh.sync(&mut store).clone();
            assert!(matches!(state, State::Damaged(_) | State::Gap(..)), "{state:?}");
            store.files.insert(name.clone(), whole.files[name].clone());
            assert_eq!(fresh.sync(&mut store), &State::Fresh);
            assert_eq!(fresh.users(), ["ann", "bob", "carol", "dave"]);
        }
    }
    assert_eq!(two.sync(&mut store), &State::Fresh);
}

/// I-06: an object that was damaged on its way is not taken, and is taken once it is whole.
#[test]
fn a_damaged_object_is_not_taken() {
    let (mut one, mut two, mut store) = two();
    one.register("example.org", "bob");
    one.sync(&mut store);
    let name = store.named("/d/a1").pop().unwrap();
    let whole = store.files[&name].clone();
    for at in (0..whole.len()).step_by(7) {
        store.files.get_mut(&name).unwrap()[at] ^= 1;
        let state = two.sync(&mut store).clone();
        assert_ne!(state, State::Fresh, "byte {at}");
        assert_eq!(two.users(), ["ann"], "byte {at}");
        store.files.insert(name.clone(), whole.clone());
    }
    assert_eq!(two.sync(&mut store), &State::Fresh);
    assert_eq!(two.users(), ["ann", "bob"]);
}

#[test]
fn devices_have_names() {
    let (mut one, mut two, mut store) = two();
    one.vault.name_device(&mut one.rng, "the desk").unwrap();
    let long = "ü".repeat(100);
    two.vault.name_device(&mut two.rng, &long).unwrap();
    settle(&mut [&mut one, &mut two], &mut store);
    for party in [&one, &two] {
        assert_eq!(party.vault.device_name(one.id()), Some("the desk"));
        assert_eq!(party.vault.device_name(two.id()), Some("ü".repeat(32).as_str()));
        assert_eq!(party.vault.device_name(DeviceId([9; 16])), None);
    }
}

// --- what the worlds of the simulator found ---------------------------------------------------------------------------

/// The store said that the name was taken, and had nothing there. Mutation: what was signed is given up.
#[test]
fn a_number_is_not_signed_twice_because_the_store_lies() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    let mut sent = Vec::new();
    for refuses in [true, false] {
        let mut serve = |request: Request| {
            if let Request::Create { name, bytes } = &request
                && name.contains("/d/")
            {
                sent.push((name.clone(), bytes.clone()));
                if refuses {
                    return Ok(Answer::AlreadyThere);
                }
            }
            store.serve(request)
        };
        while party.step(&mut serve) {}
        party.later(6);
    }
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert_eq!(party.sync(&mut store), &State::Fresh);
}

/// Mutation: an object of a change that was asked for once counts as written.
#[test]
fn what_an_entry_names_is_there_before_it_though_a_request_was_lost() {
    for lost in 0..3 {
        let (mut party, mut store) = synced();
        party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
        let mut creations = 0;
        for _ in 0..100 {
            let mut serve = |request: Request| {
                creations += usize::from(matches!(request, Request::Create { .. }));
                if creations == lost + 1 {
                    creations += 1;
                    return Err(NoAnswer::Unreachable);
                }
                store.serve(request)
            };
            if !party.step(&mut serve) {
                party.later(6);
            }
        }
        assert_eq!(party.machine.proposed(), Some(Proposed::Accepted), "{lost}");
        for hash in party.vault.trust().unwrap().objects_in_force() {
            let name = party.machine.layout.name(StoreName::Membership(hash));
            assert!(store.files.contains_key(&name), "{lost}");
        }
    }
}

/// Mutation: the round in which the root key is replaced goes on to write the log.
#[test]
fn what_waits_when_the_root_key_is_replaced_is_told_after_the_pin() {
    let (mut party, mut store) = synced();
    party.register("example.org", "bob");
    party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    assert_eq!(party.sync(&mut store), &State::NeedsPin);
    assert_eq!(party.sync(&mut store), &State::NeedsPin, "not only once");
    let mut again = party.reopened(12);
    assert_eq!(again.sync(&mut store), &State::Fresh);
    assert_eq!(again.vault.waiting(), 0);
}

/// Two had read different parts of the log of a device that one of them removed. What either had read counts, if the store has
/// it. Mutations: it ends where the entry says; what is lost is waited for; who has read more does not say so.
#[test]
fn what_a_member_had_read_of_a_removed_device_counts_for_all() {
    for says_more in [true, false] {
        for is_lost in [true, false] {
            one_had_read_more(says_more, is_lost);
        }
    }
}

fn one_had_read_more(says_more: bool, is_lost: bool) {
    let (mut one, mut two, mut store) = two();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    let last = one.vault.log_head(SECOND);
    two.register("example.org", "read by three alone");
    two.sync(&mut store);
    let mut all = vec!["ann"];
    if says_more {
        three.sync(&mut store);
        three.register("example.org", "from three");
        all.push("from three");
    }
    let mut without_write = |request: Request| match request {
        request if is_write(&request) && !says_more => Err(NoAnswer::Full),
        request => store.serve(request),
    };
    three.machine.now();
    while three.step(&mut without_write) {}
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    one.machine.now();
    let mut without_logs = |request: Request| {
        if let Request::Get { names } = &request
            && names[0].contains("/d/")
        {
            return Ok(Answer::Got(vec![None; names.len()]));
        }
        store.serve(request)
    };
    while one.step(&mut without_logs) {}
    assert_eq!(one.machine.proposed(), Some(Proposed::Accepted));
    let of_two = store.named("/d/b2").pop().unwrap();
    let content = store.files[&of_two].clone();
    if is_lost {
        store.files.remove(&of_two);
    }
    let mut one = one.reopened(13);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    if is_lost {
        assert_eq!(one.users(), all);
    }
    store.files.insert(of_two, content);
    assert_eq!(three.sync(&mut store), &State::NeedsPin);
    let mut three = three.reopened(14);
    settle(&mut [&mut three, &mut one], &mut store);
    all.push("read by three alone");
    assert_eq!(one.users(), all);
    assert_eq!(three.users(), all);
    assert_eq!(one.vault.versions(), three.vault.versions());
}

/// Mutation: what waits to be told counts as done by somebody who had read everything.
#[test]
fn what_waits_to_be_told_does_not_beat_a_deletion_that_is_read_since() {
    let (mut one, mut two, mut store) = two();
    let id = one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    one.vault.delete(&mut one.rng, &id, None).unwrap();
    settle(&mut [&mut one, &mut two], &mut store);
    assert!(one.vault.take_back(&mut one.rng, &id, None).unwrap());
    assert!(one.vault.trash().unwrap().is_empty(), "it was taken back");
    assert!(!one.vault.take_back(&mut one.rng, &id, None).unwrap());
    two.vault.take_back(&mut two.rng, &id, None).unwrap();
    two.vault.delete(&mut two.rng, &id, None).unwrap();
    two.sync(&mut store);
    one.machine.now();
    while one.step(&mut |request| {
        if is_write(&request) {
            Err(NoAnswer::Full)
        } else {
            store.serve(request)
        }
    }) {}
    assert_eq!(one.vault.waiting(), 1);
    assert_eq!(one.users(), ["ann"]);
    one.later(900);
    settle(&mut [&mut one, &mut two], &mut store);
    for party in [&one, &two] {
        assert_eq!(party.users(), ["ann"]);
        assert_eq!(party.vault.trash().unwrap().len(), 1);
    }
}

/// One writes late what it did before another one: the order in which it was done counts. Mutations: the time of an
/// operation is that of the object; its author is taken to have seen what it had read when it wrote; what waits is
/// newer than all that was read.
#[test]
fn edits_that_are_told_late_lose_against_what_was_done_since() {
    let (mut one, mut two, mut store) = two();
    let id = one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    let day = 86_400;
    two.later(day).rename(&id, "by two, offline");
    one.later(2 * day).rename(&id, "by one, since");
    one.sync(&mut store);
    let mut written = 0;
    two.later(30 * day).machine.now();
    while two.step(&mut |request| {
        written += usize::from(is_write(&request));
        if is_write(&request) {
            Err(NoAnswer::Full)
        } else {
            store.serve(request)
        }
    }) {}
    assert_eq!((written, two.name_of(&id).as_deref()), (1, Some("by one, since")));
    settle(&mut [two.later(900), &mut one], &mut store);
    for party in [&one, &two] {
        assert_eq!(party.name_of(&id).as_deref(), Some("by one, since"));
    }
    one.later(40 * day).rename(&id, "by one");
    two.later(41 * day).rename(&id, "by two, later");
    settle(&mut [&mut one, &mut two], &mut store);
    for party in [&one, &two] {
        assert_eq!(party.name_of(&id).as_deref(), Some("by two, later"));
    }
}

/// Every device looks at what one says; that each of them says so at once, and all look again, is of no use to anybody.
/// Mutations: an answer is due at once; never; it is told that there is something new.
#[test]
fn an_answer_for_which_nobody_waits_comes_with_the_next_change_or_within_ten_minutes() {
    let (mut one, mut two, mut store) = two();
    one.register("example.org", "bob");
    one.work(&mut store);
    let writes = store.writes;
    two.later(60).work(&mut store);
    assert_eq!(two.users(), ["ann", "bob"]);
    assert_eq!(store.writes, writes, "it has read it, and says nothing");
    let hint = store
        .files
        .clone()
        .into_iter()
        .find(|(name, _)| name.ends_with("/hint"));
    for _ in 0..10 {
        two.later(60).work(&mut store);
    }
    assert_eq!(store.writes, writes + 1, "the answer");
    let after = store
        .files
        .clone()
        .into_iter()
        .find(|(name, _)| name.ends_with("/hint"));
    assert_eq!(hint, after, "nobody is woken up by it");
    assert!(!two.has_something_to_say());

    one.register("example.org", "carol");
    one.work(&mut store);
    two.later(60).work(&mut store);
    two.register("example.org", "dave");
    two.work(&mut store);
    assert!(!two.has_something_to_say(), "the change says it, too");
    for _ in 0..20 {
        one.later(60).work(&mut store);
    }
    let told = one.vault.told(SECOND).unwrap();
    assert_eq!(told.head(one.id()), two.vault.log_head(one.id()));
}

/// Without a recovery kit what another device has is what makes a passkey outlive its author. Mutation: nobody waits.
#[test]
fn an_answer_for_which_somebody_waits_comes_at_once() {
    let mut one = Party::first_with(None);
    one.vault.begin_sync(&mut one.rng).unwrap();
    let mut store = MemoryStore::default();
    one.sync(&mut store);
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    let id = one.register("example.org", "bob");
    one.work(&mut store);
    assert!(!one.vault.is_backed_up(&id).unwrap());
    two.later(60).work(&mut store);
    one.later(60).work(&mut store);
    assert!(one.vault.is_backed_up(&id).unwrap());
    let writes = store.writes;
    three.later(60).work(&mut store);
    assert_eq!(three.users(), ["bob"]);
    assert_eq!(store.writes, writes, "one answer is enough");
}

/// Mutation: what a device read of the trust log is not known to be in the store.
#[test]
fn a_store_that_was_put_back_is_noticed_by_a_device_that_joined() {
    let (mut one, mut store) = synced();
    let mut before = store.clone();
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    assert_eq!(two.sync(&mut before), &State::RolledBack);
    assert_eq!(two.sync(&mut store), &State::Fresh);
}

/// Mutation: what was missing once is written, whatever is there since.
#[test]
fn healing_writes_nothing_over() {
    let (mut one, mut two, mut store) = two();
    one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    let name = store.named("/d/a1").pop().unwrap();
    store.files.remove(&name);
    assert_eq!(two.sync(&mut store), &State::RolledBack);
    two.machine.heal();
    let other = b"something else".to_vec();
    store.files.insert(name.clone(), other.clone());
    two.sync(&mut store);
    assert_eq!(store.files[&name], other);
}

/// The store lost an entry of the trust log, and kept another one in its place. Mutation: the hash of the entry is not compared.
#[test]
fn who_goes_by_another_trust_log_is_noticed() {
    let (mut one, mut two, mut store) = two();
    let mut other = store.clone();
    for (party, store) in [(&mut one, &mut store), (&mut two, &mut other)] {
        party.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
        assert_eq!(party.sync(store), &State::NeedsPin);
        *party = party.reopened(21);
        party.register("example.org", "bob");
        assert_eq!(party.sync(store), &State::Fresh);
    }
    let of_two = other.files.into_iter().filter(|(name, _)| name.contains("/d/b2"));
    store.files.extend(of_two);
    let writes = store.writes;
    one.register("example.org", "carol");
    assert_eq!(one.sync(&mut store), &State::OtherTrust);
    assert_eq!(store.writes, writes);
}

/// The slot of a device that never came is with nobody any more. Mutation: nothing is proposed while something is missing.
#[test]
fn a_new_root_key_takes_the_place_of_slots_that_are_lost() {
    let (mut one, mut store) = (Party::first(), MemoryStore::default());
    one.sync(&mut store);
    let copy = crate::testing::Disk::with(one.disk.content());
    let slots = store.named("/k/");
    drop(Party::added_by(&mut one, SECOND, &mut store));
    store
        .files
        .retain(|name, _| !name.contains("/k/") || slots.contains(name));
    let mut one = one.restarted(copy, 23);
    assert_eq!(one.sync(&mut store), &State::RolledBack);
    one.machine.heal();
    assert_eq!(one.sync(&mut store), &State::RolledBack);
    let mut one = one.reopened(24);
    one.propose(|unlocked, here, right_pin, rng| unlocked.rotate(here, right_pin, None, rng));
    one.sync(&mut store);
    assert_eq!(one.machine.proposed(), Some(Proposed::Accepted));
    assert_eq!(one.reopened(25).sync(&mut store), &State::Fresh);
}

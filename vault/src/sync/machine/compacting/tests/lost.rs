//! Something gets lost: a piece in the store, an answer, the power, a device, the memory of one.

use super::*;
use crate::NoAnswer;
use crate::testing::Disk;

/// Mutation: the pieces of a snapshot are not expected.
#[test]
fn a_snapshot_that_the_store_lost_is_put_back_byte_for_byte() {
    let (mut one, mut two, mut store) = two();
    let whole = store.clone();
    for name in whole.named("/s/") {
        store.files.remove(&name);
        for party in [&mut one, &mut two] {
            assert_eq!(party.sync(&mut store), &State::RolledBack, "{name}");
            assert_eq!(party.machine.status().missing, std::slice::from_ref(&name));
        }
        one.machine.heal();
        settle(&mut [&mut one, &mut two], &mut store);
        assert_eq!(store.files.get(&name), whole.files.get(&name), "{name}");
    }
}

/// A listing may lag behind. Mutation: a snapshot is known before all of it is listed.
#[test]
fn a_snapshot_of_which_a_part_is_not_listed_yet_is_waited_for() {
    let (mut one, _, mut store) = two();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    let part = store.named("/s/").into_iter().min_by_key(String::len).unwrap();
    let content = store.files.remove(&part).unwrap();
    assert!(matches!(three.sync(&mut store), State::Gap(..)));
    store.files.insert(part, content);
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(three.users(), ["ann"]);
}

/// The part is nowhere but with its maker. Mutation: `renew` that does nothing.
#[test]
fn a_snapshot_that_nobody_has_any_more_is_made_anew() {
    let (mut one, mut two, mut store) = two();
    store.files.retain(|name, _| !name.contains("/s/"));
    assert_eq!(two.sync(&mut store), &State::RolledBack);
    two.machine.heal();
    assert_eq!(two.sync(&mut store), &State::Fresh);
    settle(&mut [&mut one, &mut two], &mut store);
    assert!(!store.named("/s/b2").is_empty());
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    three.sync(&mut store);
    assert_eq!(state(&three), state(&one));
}

/// Mutation: what is covered is expected.
#[test]
fn what_is_covered_is_not_missed_and_everything_else_is() {
    let (mut one, mut two, mut store) = two();
    one.register("example.org", "bob");
    settle(&mut [&mut one, &mut two], &mut store);
    let covered = one.vault.covered();
    let whole = store.clone();
    for (device, folder) in [(one.id(), "/d/a1"), (two.id(), "/d/b2")] {
        for name in whole.named(folder) {
            store.files.remove(&name);
            let seq = u32::from_str_radix(&name[name.len() - 12..name.len() - 4], 16).unwrap();
            let expected = if seq <= covered.head(device).seq() {
                State::Fresh
            } else {
                State::RolledBack
            };
            assert_eq!(one.sync(&mut store), &expected, "{name}");
            store = whole.clone();
        }
    }
}

/// Two snapshots, the objects that they cover, and what is removed in the end.
fn busy(party: &mut Party) {
    party.machine.sum_up_after(1);
    party.register("example.org", "bob");
    party.machine.now();
}

/// Each answer is lost in turn. Mutations: a root is written before its parts; it is removed after them.
#[test]
fn a_lost_answer_leaves_nothing_behind() {
    let (one, _, store) = two();
    let expected = {
        let (mut one, mut store) = (one.reopened(60), store.clone());
        busy(&mut one);
        one.work(&mut store);
        one.users()
    };
    for lost in 0..40 {
        let (mut one, mut store) = (one.reopened(61), store.clone());
        busy(&mut one);
        let mut asked = 0;
        for _ in 0..400 {
            let mut serve = |request: Request| {
                asked += usize::from(!matches!(request, Request::Poll { .. }));
                let answer = store.serve(request);
                if asked == lost + 1 {
                    Err(NoAnswer::Unreachable)
                } else {
                    answer
                }
            };
            if !one.step(&mut serve) {
                one.later(6);
            }
            roots_have_their_parts(&one, &store);
        }
        ends_well(one, store, &expected);
        if asked <= lost {
            return;
        }
    }
    panic!("there are more steps than that");
}

fn roots_have_their_parts(party: &Party, store: &MemoryStore) {
    let layout = &party.machine.layout;
    for known in party.vault.snapshots() {
        let mut there = pieces(known).map(|piece| store.files.contains_key(&layout.name(piece)));
        assert!(there.next() == Some(false) || there.all(|part| part));
    }
}

fn ends_well(mut one: Party, mut store: MemoryStore, expected: &[String]) {
    one.machine.sum_up_after(1000);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    assert_eq!(one.users(), expected);
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(state(&three), state(&one));
}

/// K-11 for compaction: the power goes at each write of a scripted day; what is left is the old state or the new one, and the
/// next snapshot removes what nobody needs.
#[test]
fn a_power_cut_at_any_write_loses_nothing() {
    let (one, two, store) = two();
    let (mut expected, mut writes) = (Vec::new(), 0);
    for cut in 0.. {
        let (mut one, mut store) = (one.reopened(62), store.clone());
        busy(&mut one);
        if cut == 0 {
            let whole = one.disk.clone();
            whole.record();
            one.work(&mut store);
            (expected, writes) = (one.users(), whole.recorded_len());
        }
        if cut > writes {
            break;
        }
        one.disk.cut_power_after(cut);
        let cut_off = (0..400).find_map(|_| match one.try_step(&mut |request| store.serve(request)) {
            Ok(true) => None,
            Ok(false) => Some(false),
            Err(_) => Some(true),
        });
        assert!(cut_off.is_some(), "it never rests");
        roots_have_their_parts(&one, &store);
        let mut kept = cut;
        let disk = one.disk.after_power_cut(|| {
            kept += 1;
            kept % 2 == 0
        });
        let mut one = one.restarted(disk, 63);
        one.machine.sum_up_after(1);
        assert_eq!(one.sync(&mut store), &State::Fresh, "write {cut}");
        assert_eq!(one.users(), expected, "write {cut}");
        let mut two = two.reopened(64);
        settle(&mut [&mut two, &mut one], &mut store);
        assert_eq!(state(&two), state(&one), "write {cut}");
        assert!(
            store.named("/s/").len() <= 4,
            "write {cut}: {:?}",
            store.named("/s/")
        );
    }
}

/// what it wrote since is in a snapshot, and nowhere else; and it had signed an object under a number that is taken.
/// Mutations: the incarnation stays; what it had signed stays.
#[test]
fn a_device_restored_from_a_copy_finds_its_objects_in_a_snapshot() {
    let (mut one, mut two, mut store) = two();
    two.register("example.org", "signed, and not written");
    while two.step(&mut |_| Err(NoAnswer::Unreachable)) {}
    assert!(two.vault.object_to_publish().unwrap().is_some());
    two.vault.flush().unwrap();
    let copy = Disk::with(two.disk.content());
    two.vault.disown().unwrap();
    for user in ["bob", "carol"] {
        two.register("example.org", user);
        two.later(10).sync(&mut store);
        one.sync(&mut store);
    }
    let head = two.vault.log_head(two.id());
    one.machine.sum_up_after(1);
    one.register("example.org", "dave");
    assert_eq!(one.sync(&mut store), &State::Fresh);
    assert_eq!(one.vault.covered().head(two.id()), head);
    store.files.retain(|name, _| !name.contains("/d/b2"));

    let mut restored = two.restarted(copy, 65);
    restored.register("example.org", "made after");
    assert_eq!(restored.sync(&mut store), &State::Fresh);
    settle(&mut [&mut restored, &mut one], &mut store);
    let all = [
        "ann",
        "bob",
        "carol",
        "dave",
        "made after",
        "signed, and not written",
    ];
    assert_eq!(restored.users(), all);
    assert_eq!(state(&restored), state(&one));
    let now = restored.vault.log_head(restored.id());
    assert_eq!((now.incarnation(), head.incarnation()), (1, 0));
    assert!(now.seq() > head.seq());
}

/// Mutation: the newer one replaces the other, whatever it covers.
#[test]
fn two_snapshots_at_once_stay_until_one_covers_both() {
    let (mut one, mut two, mut store) = two();
    one.machine.sum_up_after(1);
    two.machine.sum_up_after(1);
    let mut other = store.clone();
    one.register("example.org", "bob");
    one.sync(&mut store);
    for user in ["carol", "dave", "eve"] {
        two.register("example.org", user);
        two.sync(&mut other);
    }
    store.files.extend(other.files);
    assert!(store.named("/s/a1").len() == 4 || store.named("/s/a1").len() == 2);
    assert!(!store.named("/s/b2").is_empty());
    for party in [&mut one, &mut two] {
        party.machine.sum_up_after(1000);
    }
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(three.users(), ["ann", "bob", "carol", "dave", "eve"]);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    assert!(!store.named("/s/a1").is_empty() && !store.named("/s/b2").is_empty());
    one.machine.sum_up_after(1);
    settle(&mut [&mut one, &mut two, &mut three], &mut store);
    assert!(store.named("/s/b2").is_empty(), "{:?}", store.named("/s/"));
}

/// Nobody else is left who would. Mutation: only the author removes.
#[test]
fn the_maker_removes_what_a_former_member_wrote() {
    let (mut one, mut two, mut store) = two();
    for user in ["bob", "carol", "dave"] {
        two.register("example.org", user);
        settle(&mut [&mut two, &mut one], &mut store);
    }
    two.machine.sum_up_after(1);
    settle(&mut [&mut two, &mut one], &mut store);
    let last = one.vault.log_head(SECOND);
    let mut one = one.reopened(66);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    let mut one = one.reopened(67);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    assert_eq!(one.sync(&mut store), &State::Fresh);
    let name = format!("/00000000-{:08x}.obj", last.seq());
    assert_eq!(store.named("/d/b2").len(), 1);
    assert!(store.named("/d/b2")[0].ends_with(&name));
    assert!(store.named("/s/b2").is_empty());
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(three.users(), ["ann", "bob", "carol", "dave"]);
}

/// Mutation: what cannot be removed ends the round.
#[test]
fn a_store_that_removes_nothing_is_exchanged_with_all_the_same() {
    let (mut one, mut two, mut store) = two();
    busy(&mut one);
    one.work(&mut store);
    two.sync(&mut store);
    let names = store.named("");
    one.machine.now();
    let mut asked = 0;
    let mut serve = |request: Request| {
        if matches!(request, Request::Remove { .. }) {
            asked += 1;
            return Err(NoAnswer::Refused);
        }
        store.serve(request)
    };
    while one.step(&mut serve) {}
    assert_eq!(one.machine.status().state, State::Fresh);
    assert_eq!(asked, 1);
    assert!(names.iter().all(|name| store.files.contains_key(name)));
}

/// A thief's last snapshot covers what is not accepted of it, and counts for nobody; but what a member had read of it before it
/// knew counts for all. Mutations: that snapshot counts for ever; nobody believes those of who has read more.
#[test]
fn a_snapshot_by_a_device_that_was_removed_is_forgotten() {
    let (mut one, mut two, mut store) = two();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    settle(&mut [&mut three, &mut two, &mut one], &mut store);
    let last = one.vault.log_head(SECOND);
    // What it writes then reaches only the third device.
    let mut other = store.clone();
    two.machine.sum_up_after(1);
    two.register("example.org", "too late");
    two.sync(&mut other);
    three.sync(&mut other);
    let beyond = three
        .vault
        .snapshots()
        .iter()
        .find(|known| known.key.author == SECOND);
    let beyond = beyond.unwrap().versions.clone();
    let mut one = one.reopened(68);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    let mut one = one.reopened(69);
    assert_eq!(one.sync(&mut store), &State::Fresh);

    three.sync(&mut store);
    let mut three = three.reopened(70);
    three.sync(&mut store);
    let missing = &three.machine.status().missing;
    assert!(missing.iter().all(|name| !name.contains("/s/")), "{missing:?}");
    assert!(!three.vault.covered().cover(&beyond));

    other.files.retain(|name, _| name.contains("/d/"));
    store.files.extend(other.files);
    three.machine.sum_up_after(1);
    three.register("example.org", "more");
    settle(&mut [&mut three, &mut one], &mut store);
    assert!(!store.named("/s/c3").is_empty());
    assert!(one.users().contains(&"too late".to_owned()));
    assert_eq!(state(&one), state(&three));
}

/// A device that was put back to a copy does not see the snapshot that it has made, and makes another one under the same
/// number. Mutation: only the newest root of each device is looked at.
#[test]
fn snapshots_of_two_lives_under_one_number_do_no_harm() {
    let (mut one, mut two, mut store) = two();
    let copy = Disk::with(one.disk.content());
    let of_before = store.named("/s/");
    two.register("example.org", "bob");
    two.sync(&mut store);
    one.machine.sum_up_after(1);
    one.sync(&mut store);
    let of_first_life = store.files.clone();
    store
        .files
        .retain(|name, _| !name.contains("/s/") || of_before.contains(name));

    let mut restored = one.restarted(copy, 83);
    restored.machine.sum_up_after(1);
    restored.later(10).sync(&mut store);
    store.files.extend(of_first_life);
    assert_eq!(store.named("/00000002-").len(), 2, "{:?}", store.named("/s/"));
    settle(&mut [&mut restored, &mut two], &mut store);
    for party in [&restored, &two] {
        let known = party.vault.snapshots().iter();
        let known = known.filter(|known| known.key.number == 2);
        assert_eq!(known.count(), store.named("/00000002-").len());
    }
    assert_eq!(state(&restored), state(&two));
    let mut three = Party::added_by(&mut restored, THIRD, &mut store);
    settle(&mut [&mut three, &mut restored, &mut two], &mut store);
    assert_eq!(three.users(), ["ann", "bob"]);
}

//! What is not believed. The names of tests are those of the threat table in `DESIGN.md`.

use zeroize::Zeroizing;

use super::*;
use crate::frame::SealedKind;
use crate::object::{Authentic, LogHead, Position, seal};
use crate::sync::snapshot::{Root, StateHash, decode_part, encode_part};
use crate::sync::{Names, Operation, Seen, Stamp, Versions};
use crate::testing::home::DEVICE;
use crate::{DeviceId, KeyStore as _, Refused};

/// The root of the only snapshot, its part, and their names.
struct Found {
    root: Vec<u8>,
    root_name: String,
    part: Vec<u8>,
    part_name: String,
}

fn found(store: &MemoryStore) -> Found {
    let mut names = store.named("/s/");
    names.sort_by_key(String::len);
    let [part_name, root_name] = names.try_into().unwrap();
    Found {
        root: store.files[&root_name].clone(),
        part: store.files[&part_name].clone(),
        root_name,
        part_name,
    }
}

/// What the first snapshot of the first device is called with this root.
fn first(root: &[u8]) -> SnapshotKey {
    key(DEVICE, 1, root)
}

fn key(author: DeviceId, number: u32, root: &[u8]) -> SnapshotKey {
    let hash = ObjectHash::of(root);
    SnapshotKey { author, number, hash }
}

/// Reads it under the name that goes with it.
fn read(party: &Party, root: &[u8]) -> Result<Known, NotTaken> {
    party.vault.read_snapshot(first(root), root)
}

/// Puts another root in the place of the first one.
fn replace_root(store: &mut MemoryStore, found: &Found, root: Vec<u8>) -> String {
    store.files.remove(&found.root_name);
    let (folder, _) = found.root_name.rsplit_once('/').unwrap();
    let name = format!("{folder}/00000001-{}.obj", hex(&ObjectHash::of(&root)));
    store.files.insert(name.clone(), root);
    name
}

fn hex(hash: &ObjectHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(party: &Party, kind: SealedKind, bytes: &[u8]) -> (Position, Zeroizing<Vec<u8>>) {
    let trust = party.vault.trust().unwrap();
    let object = Authentic::read_again(bytes, kind, trust).unwrap();
    let key = party.guess.as_ref().unwrap().unlocked.key(object.header().epoch);
    (object.header().position, object.open(&key.unwrap()).unwrap())
}

/// What `party` seals and signs.
fn write(party: &mut Party, kind: SealedKind, position: Position, payload: Zeroizing<Vec<u8>>) -> Vec<u8> {
    let epoch = party.vault.trust().unwrap().epoch();
    let key = party.guess.as_ref().unwrap().unlocked.key(epoch).unwrap();
    let object = seal(&key, kind, position, payload, &mut party.rng).unwrap();
    let auth = party.vault.key_auth().unwrap();
    let signature = party.keys.sign(&auth, object.to_sign()).unwrap();
    object.signed(&signature)
}

/// The root with something changed, signed by `party`.
fn other_root(party: &mut Party, root: &[u8], change: impl FnOnce(&mut Position, &mut Root)) -> Vec<u8> {
    let (mut position, payload) = open(party, SealedKind::Snapshot, root);
    let mut root = Root::decode(&payload).unwrap();
    change(&mut position, &mut root);
    write(party, SealedKind::Snapshot, position, root.encode())
}

/// As it is where the header follows from the root.
fn consistent(position: &mut Position, versions: &Versions) {
    let own = versions.head(position.author);
    (position.incarnation, position.seq, position.previous) = (own.incarnation(), own.seq(), own.hash());
    position.seen = versions.without(position.author).hash();
}

/// One device, whose snapshot a second one has read, too.
fn known() -> (Party, Party, MemoryStore, Found) {
    let (one, two, store) = two();
    let found = found(&store);
    (one, two, store, found)
}

/// I-06. Mutation: the signature is not checked.
#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let (_, mut two, _, found) = known();
    assert!(read(&two, &found.root).is_ok());
    for at in 0..found.root.len() {
        let mut root = found.root.clone();
        root[at] ^= 1 << (at % 8);
        assert!(read(&two, &root).is_err(), "byte {at} of the root");
    }
    for at in 0..found.part.len() {
        let mut part = found.part.clone();
        part[at] ^= 1 << (at % 8);
        let mut taking = Taking::begin(first(&found.root));
        let taken = two.vault.take_snapshot_part(&mut two.rng, &mut taking, &part);
        assert!(taken.is_err(), "byte {at} of the part");
    }
    let mut taking = Taking::begin(first(&found.root));
    two.vault
        .take_snapshot_part(&mut two.rng, &mut taking, &found.part)
        .unwrap();
    for len in 0..found.root.len() {
        assert!(read(&two, &found.root[..len]).is_err());
    }
}

/// I-03.
#[test]
fn an_object_of_another_type_is_no_snapshot() {
    let (_, mut two, store, found) = known();
    let log = &store.files[&store.named("/d/a1")[0]];
    let others = [store.named("/t/"), store.named("/k/")].concat();
    for other in others
        .iter()
        .map(|name| &store.files[name])
        .chain([log, &found.part])
    {
        assert!(read(&two, other).is_err());
    }
    for object in [&found.root, &found.part] {
        assert!(matches!(
            two.vault.take_object(&mut two.rng, object),
            Err(NotTaken::Refused(Refused::Malformed))
        ));
    }
    let mut taking = Taking::begin(first(&found.root));
    for other in [log, &found.root] {
        assert!(
            two.vault
                .take_snapshot_part(&mut two.rng, &mut taking, other)
                .is_err()
        );
    }
}

/// I-04, I-05. Mutations: the number in the root is not compared; its author, its hash is not.
#[test]
fn a_snapshot_is_of_one_vault_one_author_and_one_number() {
    let (one, two, _, found) = known();
    let wrong = [(DEVICE, 2), (SECOND, 1), (THIRD, 1)];
    for (author, number) in wrong {
        let key = key(author, number, &found.root);
        assert!(two.vault.read_snapshot(key, &found.root).is_err(), "{key:?}");
    }
    let other = key(DEVICE, 1, &found.part);
    assert!(
        two.vault.read_snapshot(other, &found.root).is_err(),
        "another hash"
    );
    drop(one);
    let (_, mut store) = (Party::first(), MemoryStore::default());
    let mut stranger = Party::first_without_kit();
    stranger.register("example.org", "ann");
    stranger.machine.sum_up_after(1);
    stranger.sync(&mut store);
    let other = &store.files[&store.named("/00000001-").pop().unwrap()];
    assert!(read(&two, other).is_err());
    assert!(read(&stranger, other).is_ok());
    assert!(read(&stranger, &found.root).is_err());
}

/// Each would be believed by somebody who does not look. Mutations: each check of `read_snapshot` and `check_covered`.
#[test]
fn a_root_says_what_its_header_says_and_contradicts_nothing_that_is_known() {
    let (mut one, two, _, found) = known();
    one = one.reopened(70);
    let hash = ObjectHash([7; 32]);
    let forked = |root: &[u8]| matches!(read(&two, root), Err(NotTaken::Forked(..)));
    let refused = |root: &[u8]| matches!(read(&two, root), Err(NotTaken::Refused(_)));
    let same = other_root(&mut one, &found.root, |_, _| {});
    assert!(read(&two, &same).is_ok());

    let own = one.vault.versions().head(DEVICE);
    let other_head = other_root(&mut one, &found.root, |position, root| {
        let head = root.versions.head(DEVICE);
        root.versions
            .set(DEVICE, LogHead::new(head.incarnation(), head.seq(), hash));
        consistent(position, &root.versions);
    });
    assert!(forked(&other_head), "another hash in the author's own log");
    let ahead = other_root(&mut one, &found.root, |position, root| {
        root.versions.set(DEVICE, LogHead::new(0, own.seq() + 5, hash));
        root.versions.set(SECOND, two.vault.versions().head(SECOND));
        let mut told = Versions::default();
        told.set(DEVICE, LogHead::new(0, own.seq(), hash));
        root.logs
            .insert(SECOND, crate::sync::Covered { unix_ms: 1, told });
        consistent(position, &root.versions);
    });
    assert!(forked(&ahead), "another hash in what another device had seen");
    let of_stranger = other_root(&mut one, &found.root, |position, root| {
        let stranger = DeviceId([0xee; 16]);
        root.versions.set(stranger, LogHead::new(0, 1, hash));
        let told = Versions::default();
        root.logs
            .insert(stranger, crate::sync::Covered { unix_ms: 1, told });
        consistent(position, &root.versions);
    });
    assert!(refused(&of_stranger), "somebody who is no member");
    let beyond = other_root(&mut one, &found.root, |_, root| {
        let log = root.logs.get_mut(&DEVICE).unwrap();
        log.told.set(SECOND, LogHead::new(0, 99, hash));
    });
    assert!(refused(&beyond), "somebody had seen what is not covered");

    let header = [
        |position: &mut Position| position.seen = [1; 32],
        |position: &mut Position| position.seq += 1,
        |position: &mut Position| position.incarnation += 1,
        |position: &mut Position| position.previous = ObjectHash([8; 32]),
        |position: &mut Position| position.trust_head = ObjectHash([9; 32]),
        |position: &mut Position| position.trust_seq -= 1,
        |position: &mut Position| position.author = SECOND,
    ];
    for (number, change) in header.into_iter().enumerate() {
        let root = other_root(&mut one, &found.root, |position, _| change(position));
        assert!(refused(&root), "header {number}");
    }
    let later = other_root(&mut one, &found.root, |position, _| position.trust_seq += 9);
    assert!(matches!(read(&two, &later), Err(NotTaken::WaitsForTrust)));
}

/// Mutation: incarnations are not compared.
#[test]
fn a_snapshot_leads_nobody_back_to_an_earlier_life() {
    let (mut one, mut two, mut store, found) = known();
    let copy = crate::testing::Disk::with(two.disk.content());
    two.register("example.org", "bob");
    two.sync(&mut store);
    let mut restored = two.restarted(copy, 79);
    restored.register("example.org", "carol");
    restored.sync(&mut store);
    one.sync(&mut store);
    let head = one.vault.log_head(SECOND);
    assert_eq!(head.incarnation(), 1);
    let mut again = one.reopened(80);
    for (incarnation, is_forked) in [(0, true), (1, false)] {
        let root = other_root(&mut again, &found.root, |position, root| {
            let next = LogHead::new(incarnation, head.seq() + 1, ObjectHash([7; 32]));
            root.versions.set(SECOND, next);
            let told = Versions::default();
            root.logs
                .insert(SECOND, crate::sync::Covered { unix_ms: 1, told });
            consistent(position, &root.versions);
        });
        let read = read(&one, &root);
        assert_eq!(matches!(read, Err(NotTaken::Forked(..))), is_forked);
    }
}

/// K-07: a snapshot by who was removed is nothing to go by, whenever it claims to have been made. Mutation: it counts as long
/// as its place in the log is accepted.
#[test]
fn a_removed_member_makes_no_snapshot() {
    let (mut one, mut two, mut store, found) = known();
    let last = one.vault.log_head(SECOND);
    let mut thief = two.reopened(71);
    one = one.reopened(72);
    one.propose(|unlocked, here, right_pin, rng| unlocked.revoke(here, right_pin, (SECOND, last), None, rng));
    assert_eq!(one.sync(&mut store), &State::NeedsPin);
    let mut one = one.reopened(73);
    one.sync(&mut store);
    let back_dated = other_root(&mut thief, &found.root, |position, root| {
        let known = two.vault.trust().unwrap().remembered();
        (position.author, position.trust_seq, position.trust_head) = (SECOND, known.seq, known.head);
        root.versions = two.vault.versions();
        root.logs = root
            .versions
            .iter()
            .map(|(device, _)| {
                let told = Versions::default();
                (device, crate::sync::Covered { unix_ms: 1, told })
            })
            .collect();
        consistent(position, &root.versions);
    });
    assert!(
        two.vault
            .read_snapshot(key(SECOND, 1, &back_dated), &back_dated)
            .is_ok(),
        "as long as it was one"
    );
    assert!(matches!(
        one.vault.read_snapshot(key(SECOND, 1, &back_dated), &back_dated),
        Err(NotTaken::Refused(Refused::NotAMember))
    ));
    two.sync(&mut store);
}

/// The entry of the trust log that it builds on is withheld. Mutation: this device writes all the same.
#[test]
fn while_a_snapshot_cannot_be_read_nothing_is_written() {
    let (one, mut two, mut store, _) = known();
    rotate(one.reopened(81), &mut store);
    let entry = store.named("/t/").pop().unwrap();
    let content = store.files.remove(&entry).unwrap();
    two.register("example.org", "bob");
    let writes = store.writes;
    assert!(matches!(two.sync(&mut store), State::Gap(..)));
    assert_eq!(store.writes, writes);
    assert!(two.machine.status().missing.is_empty());
    store.files.insert(entry, content);
    assert_eq!(two.sync(&mut store), &State::NeedsPin);
    let mut two = two.reopened(82);
    assert_eq!(two.sync(&mut store), &State::Fresh);
    assert!(store.writes > writes);
}

/// A part belongs to its root, and says nothing that the root does not cover.
#[test]
fn a_part_that_does_not_follow_from_its_root_is_not_taken() {
    let (mut one, _, mut store, found) = known();
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    let mut one = one.reopened(74);
    let (position, payload) = open(&one, SealedKind::SnapshotPart, &found.part);
    let items = || {
        let items = decode_part(&payload).unwrap().into_iter();
        items
            .map(|(id, merged)| merged.encode(&id).unwrap())
            .collect::<Vec<_>>()
    };
    let twice = encode_part(&[items(), items()].concat());
    let parts = [
        ("an item twice", twice, true),
        ("not covered", encode_part(&from_the_future(&payload)), true),
        ("the same", encode_part(&items()), false),
    ];
    for (what, payload, is_wrong) in parts {
        let part = write(&mut one, SealedKind::SnapshotPart, position, payload.clone());
        let hash = ObjectHash::of(&part);
        let root = other_root(&mut one, &found.root, |_, root| {
            root.parts = vec![hash];
            root.state = state_of(&payload);
        });
        let mut store = store.clone();
        store.files.remove(&found.part_name);
        store
            .files
            .insert(one.machine.layout.name(part_name(DEVICE, hash)), part);
        replace_root(&mut store, &found, root);
        let mut three = three.reopened(75);
        let state = three.sync(&mut store).clone();
        assert_eq!(matches!(state, State::Damaged(_)), is_wrong, "{what}: {state:?}");
    }
    // The state is another one.
    let root = other_root(&mut one, &found.root, |_, root| root.state = [1; 32]);
    let mut changed = store.clone();
    replace_root(&mut changed, &found, root);
    assert!(matches!(three.reopened(76).sync(&mut changed), State::Damaged(_)));
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(three.users(), ["ann"]);
}

fn state_of(part: &[u8]) -> [u8; 32] {
    let mut state = StateHash::new();
    for (id, merged) in decode_part(part).unwrap() {
        let _ = state.add(&id, &merged.fingerprint(&id));
    }
    state.finish()
}

/// A part of another snapshot, under the name of the one that is asked for. Mutation: its hash is not compared.
#[test]
fn a_part_of_an_earlier_snapshot_is_not_taken() {
    let (mut one, two, mut store, found) = known();
    one.register("example.org", "bob");
    one.sync(&mut store);
    one.machine.sum_up_after(1);
    one.sync(&mut store);
    let known = |party: &Party| party.vault.snapshots().iter().map(|known| known.key.number).max();
    assert_eq!(known(&one), Some(2));
    let newest = one.vault.snapshots().iter().max_by_key(|known| known.key.age());
    let newest = newest.unwrap();
    let name = one.machine.layout.name(part_name(DEVICE, newest.parts[0]));
    let whole = store.files.insert(name.clone(), found.part).unwrap();
    // Somebody who has read nothing of it.
    let mut three = Party::added_by(&mut one, THIRD, &mut store);
    assert!(matches!(three.sync(&mut store), State::Damaged(_)));
    assert_eq!(known(&three), Some(2));
    store.files.insert(name, whole);
    assert_eq!(three.sync(&mut store), &State::Fresh);
    assert_eq!(three.users(), ["ann", "bob"]);
    drop(two);
}

/// The items of a part, with a name that nobody has written yet.
fn from_the_future(payload: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let (versions, author) = (Versions::default(), DEVICE);
    let stamp = Stamp {
        time: u64::MAX,
        device: author,
        seq: 99,
        index: 0,
    };
    let items = decode_part(payload).unwrap().into_iter();
    let changed = items.map(|(id, mut merged)| {
        let operation = Operation::Rename(id.clone(), Names::default());
        let seen = Seen {
            author,
            versions: &versions,
            but: &crate::sync::Reach::default(),
        };
        merged.apply(&operation, stamp, seen).unwrap();
        merged.encode(&id).unwrap()
    });
    changed.collect()
}

/// Who has read exactly what a snapshot covers looks whether the same came of it. Mutation: `judge` that never compares.
#[test]
fn a_snapshot_that_says_something_else_is_reported() {
    let (mut one, mut store) = (Party::first(), MemoryStore::default());
    one.register("example.org", "ann");
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    settle(&mut [&mut two, &mut one], &mut store);
    one.machine.sum_up_after(1);
    one.sync(&mut store);
    let found = found(&store);
    let mut one = one.reopened(77);
    let root = other_root(&mut one, &found.root, |_, root| root.state = [1; 32]);
    let honest = two.reopened(78).sync(&mut store.clone()).clone();
    assert_eq!(honest, State::Fresh);
    let name = replace_root(&mut store, &found, root);
    assert_eq!(two.sync(&mut store), &State::Damaged(name.clone()));
    assert_eq!(two.sync(&mut store), &State::Damaged(name));
}

/// Names that others put there, as many as there may be.
#[test]
fn made_up_names_hold_nothing_up() {
    let (mut one, mut two, mut store, found) = known();
    let folder = found.root_name.rsplit_once('/').unwrap().0.to_owned();
    for number in 0..100_u32 {
        let hash = hex(&ObjectHash::of(&found.root));
        let name = format!("{folder}/{:08x}-{hash}.obj", u32::MAX - number);
        store.files.insert(name, found.root.clone());
        store.files.insert(
            format!("{folder}/{}.obj", format!("{number:08x}").repeat(8)),
            Vec::new(),
        );
    }
    let reads = store.reads;
    for party in [&mut one, &mut two] {
        party.register("example.org", "goes on");
        assert!(matches!(party.sync(&mut store), State::Damaged(_)));
        assert!(!party.has_something_to_say());
    }
    assert!(store.reads - reads < 40, "{}", store.reads - reads);
}

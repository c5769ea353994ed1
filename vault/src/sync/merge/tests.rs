use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::frame::ObjectHash;
use crate::object::LogHead;
use crate::testing::{TestRng, passkey};

const DEVICES: usize = 4;
const PASSKEYS: u64 = 3;

/// An object as far as merging is concerned.
#[derive(Clone)]
struct Written {
    author: usize,
    versions: Versions,
    /// It was done when the author had read less than when it was written.
    but: Reach,
    time: u64,
    operation: u8,
    subject: u64,
}

#[derive(Default)]
struct Device {
    versions: Versions,
    merged: BTreeMap<CredentialId, Merged>,
    /// What it had read before, and before that.
    before: Vec<Reach>,
}

fn id(device: usize) -> DeviceId {
    DeviceId([u8::try_from(device).unwrap(); 16])
}

fn subject(number: u64) -> Passkey {
    passkey(
        &mut TestRng(number << 32),
        "example.org",
        &format!("user {number}"),
    )
}

impl Written {
    fn operation(&self) -> Operation {
        let passkey = subject(self.subject);
        let text = format!("{} by {}", self.operation, self.author);
        match self.operation % 4 {
            0 => Operation::Store(Box::new(passkey)),
            1 => Operation::Delete(passkey.id),
            2 => Operation::Rename(
                passkey.id,
                Names {
                    user_name: Some(text),
                    ..Names::default()
                },
            ),
            _ => Operation::WriteLargeBlob(
                passkey.id,
                Some(LargeBlob {
                    data: text.into_bytes(),
                    original_size: 9,
                }),
            ),
        }
    }
}

impl Device {
    fn can_read(&self, object: &Written, seq: u32) -> bool {
        self.versions.head(id(object.author)).seq() + 1 == seq
            && object
                .versions
                .iter()
                .all(|(device, head)| head.seq() <= self.versions.head(device).seq())
    }

    fn read(&mut self, object: &Written, seq: u32) {
        let operation = object.operation();
        let author = id(object.author);
        let stamp = Stamp {
            time: object.time,
            device: author,
            seq,
            index: 0,
        };
        let seen = Seen {
            author,
            versions: &object.versions,
            but: &object.but,
        };
        let merged = self.merged.entry(operation.id().unwrap().clone()).or_default();
        merged.apply(&operation, stamp, seen).unwrap();
        self.before.push(self.versions.reach());
        self.versions.set(author, LogHead::new(0, seq, ObjectHash::NONE));
    }

    fn state(&self) -> BTreeMap<CredentialId, Vec<u8>> {
        let encoded =
            |(id, merged): (&CredentialId, &Merged)| (id.clone(), merged.encode(id).unwrap().to_vec());
        self.merged.iter().map(encoded).collect()
    }
}

/// Devices that write and read as `script` says, and what each has written.
fn play(script: &[(usize, u8, u64, u64)]) -> (Vec<Device>, Vec<Vec<Written>>) {
    let mut devices: Vec<Device> = (0..DEVICES).map(|_| Device::default()).collect();
    let mut logs: Vec<Vec<Written>> = vec![Vec::new(); DEVICES];
    for &(actor, action, number, time) in script {
        let actor = actor % DEVICES;
        if action < 8 {
            let device = &devices[actor];
            let others = device.versions.without(id(actor));
            // Done at once, or some time before.
            let back = usize::try_from(number / PASSKEYS).unwrap();
            let done = device.before.iter().rev().nth(back.wrapping_sub(1));
            let object = Written {
                author: actor,
                versions: device.versions.clone(),
                but: done.map(|reach| others.beyond(reach)).unwrap_or_default(),
                time,
                operation: action,
                subject: number % PASSKEYS,
            };
            let seq = u32::try_from(logs[actor].len()).unwrap() + 1;
            devices[actor].read(&object, seq);
            logs[actor].push(object);
        } else {
            let from = usize::from(action) % DEVICES;
            deliver(&mut devices[actor], &logs[from]);
        }
    }
    (devices, logs)
}

/// As [`play`]; in the end everybody reads everything, in an order of his own.
fn run(script: &[(usize, u8, u64, u64)]) -> Vec<Device> {
    let (mut devices, logs) = play(script);
    for (number, device) in devices.iter_mut().enumerate() {
        while (0..DEVICES).any(|n| deliver(device, &logs[(n + number) % DEVICES])) {}
    }
    devices
}

/// The next object of a log, if it is time.
fn deliver(device: &mut Device, log: &[Written]) -> bool {
    let Some(author) = log.first().map(|object| object.author) else {
        return false;
    };
    let seq = device.versions.head(id(author)).seq() + 1;
    let next = usize::try_from(seq).unwrap() - 1;
    match log.get(next) {
        Some(object) if device.can_read(object, seq) => {
            device.read(object, seq);
            true
        }
        _ => false,
    }
}

proptest! {
    /// Mutation: a register that keeps the last value it was given.
    #[test]
    fn every_order_leads_to_the_same(
        script in prop::collection::vec((0..DEVICES, 0..16_u8, 0..4 * PASSKEYS, 0..4_u64), 0..60),
    ) {
        let devices = run(&script);
        for device in &devices[1..] {
            prop_assert_eq!(device.state(), devices[0].state());
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        script in prop::collection::vec((0..DEVICES, 0..16_u8, 0..PASSKEYS, 0..4_u64), 0..40),
    ) {
        for (id, merged) in &run(&script)[0].merged {
            let encoded = merged.encode(id).unwrap();
            let (named, decoded) = Merged::decode(&encoded).unwrap();
            prop_assert_eq!(&named, id);
            prop_assert_eq!(&decoded.encode(id).unwrap(), &encoded);
            prop_assert_eq!(&merged.copy().encode(id).unwrap(), &encoded);
        }
    }

    /// What two devices have read, in part the same, is joined: as if one had read what either has. A third one that had
    /// the join of some of it only, and then reads, ends where all end. Mutations: in `join`, a value that is missing on
    /// one side counts as written over, or never does.
    #[test]
    fn joined_states_are_what_reading_leads_to(
        script in prop::collection::vec((0..DEVICES, 0..16_u8, 0..4 * PASSKEYS, 0..4_u64), 0..60),
        pick in any::<u64>(),
    ) {
        let (mut devices, logs) = play(&script);
        let all = run(&script).remove(0);
        let there = devices.remove(1);
        let mut here = devices.remove(0);
        let before = here.versions.clone();
        for (number, (id, other)) in there.merged.iter().enumerate() {
            if pick >> (number % 64) & 1 == 0 {
                let merged = here.merged.entry(id.clone()).or_default();
                prop_assert_eq!(merged.join(&before, other, &there.versions), Ok(()));
            }
        }
        let mut later = Device { versions: before.clone(), ..Device::default() };
        later.merged.extend(here.merged.iter().map(|(id, merged)| (id.clone(), merged.copy())));
        while (0..DEVICES).any(|n| deliver(&mut later, &logs[n])) {}
        prop_assert_eq!(later.state(), all.state());

        for (id, other) in &there.merged {
            let merged = here.merged.entry(id.clone()).or_default();
            prop_assert_eq!(merged.join(&before, other, &there.versions), Ok(()));
            prop_assert!(merged.is_within(&before.joined(&there.versions)));
        }
        here.versions = before.joined(&there.versions);
        let end = here.versions.clone();
        let mut read = Device::default();
        while (0..DEVICES).any(|n| read.versions.head(id(n)).seq() < end.head(id(n)).seq() && deliver(&mut read, &logs[n])) {}
        prop_assert_eq!(&read.versions, &end);
        prop_assert_eq!(here.state(), read.state());
        while (0..DEVICES).any(|n| deliver(&mut here, &logs[n])) {}
        prop_assert_eq!(here.state(), all.state());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        Merged::decode(&bytes);
        Operation::decode(&bytes);
        super::super::operation::Entry::decode(&bytes);
    }
}

/// One device writes after the other; `time` is what its clock says.
struct Story {
    merged: Merged,
    versions: Versions,
}

impl Story {
    fn new() -> Self {
        let mut story = Self {
            merged: Merged::default(),
            versions: Versions::default(),
        };
        story.next(0, 10, &store(0));
        story
    }

    /// `device` had seen everything.
    fn next(&mut self, device: usize, time: u64, operation: &Operation) {
        let seen = self.versions.clone();
        self.blind(device, time, operation, &seen);
    }

    /// `device` had seen what is in `versions`.
    fn blind(&mut self, device: usize, time: u64, operation: &Operation, versions: &Versions) {
        self.late(device, time, operation, (versions, versions));
    }

    /// `device` had seen what is in `versions` when it wrote, but only what is in `done` when it did what it says.
    fn late(
        &mut self,
        device: usize,
        time: u64,
        operation: &Operation,
        (versions, done): (&Versions, &Versions),
    ) {
        let but = &versions.beyond(&done.reach());
        let author = id(device);
        let seq = self.versions.head(author).seq() + 1;
        let stamp = Stamp {
            time,
            device: author,
            seq,
            index: 0,
        };
        self.merged
            .apply(
                operation,
                stamp,
                Seen {
                    author,
                    versions,
                    but,
                },
            )
            .unwrap();
        self.versions.set(author, LogHead::new(0, seq, ObjectHash::NONE));
    }

    fn name(&self) -> Option<String> {
        self.merged.visible()?.user_name
    }
}

fn rename(name: &str) -> Operation {
    let names = Names {
        user_name: Some(name.to_owned()),
        ..Names::default()
    };
    Operation::Rename(subject(0).id, names)
}

fn delete() -> Operation {
    Operation::Delete(subject(0).id)
}

/// Mutation: nothing counts as seen, so that the greatest stamp wins.
#[test]
fn a_wrong_clock_freezes_nothing() {
    const FIFTY_YEARS: u64 = (50 * 365 * 86_400_000) << 16;
    let mut story = Story::new();
    story.next(1, FIFTY_YEARS, &rename("from the future"));
    story.next(2, 20, &rename("later"));
    assert_eq!(story.name().as_deref(), Some("later"));
    story.next(3, 0, &rename("from the past"));
    assert_eq!(story.name().as_deref(), Some("from the past"));
}

#[test]
fn of_two_that_did_not_see_each_other_the_later_clock_decides() {
    let mut story = Story::new();
    let seen = story.versions.clone();
    story.blind(1, 30, &rename("later"), &seen);
    story.blind(2, 20, &rename("earlier"), &seen);
    assert_eq!(story.name().as_deref(), Some("later"));
}

#[test]
fn a_deletion_beats_an_edit_that_did_not_see_it() {
    let mut story = Story::new();
    let seen = story.versions.clone();
    story.blind(1, 20, &delete(), &seen);
    story.blind(2, 30, &rename("still here"), &seen);
    assert!(story.merged.visible().is_none());
    assert_eq!(
        story.merged.content().unwrap().user_name.as_deref(),
        Some("still here")
    );
}

#[test]
fn what_was_deleted_is_back_once_it_is_stored_again() {
    let mut story = Story::new();
    story.next(1, 20, &delete());
    assert!(story.merged.visible().is_none());
    story.next(2, 30, &store(0));
    assert!(story.merged.visible().is_some());
}

/// Mutation: the last stamp says whether it is there.
#[test]
fn a_deletion_beats_a_restoration_that_did_not_see_it() {
    let mut story = Story::new();
    story.next(1, 20, &delete());
    let seen = story.versions.clone();
    story.blind(2, 30, &store(0), &seen);
    story.blind(3, 25, &delete(), &seen);
    assert!(story.merged.visible().is_none());
}

#[test]
fn another_private_key_under_the_same_id_is_noticed_and_the_first_stays() {
    let forged = || {
        let mut forged = subject(0);
        forged.private_key = crate::SecretBytes::from_slice(&[9; 32]);
        Operation::Store(Box::new(forged))
    };
    let stamp = |time| Stamp {
        time,
        device: id(0),
        seq: 1,
        index: 0,
    };
    let versions = Versions::default();
    let seen = Seen {
        author: id(0),
        versions: &versions,
        but: &Reach::default(),
    };
    for forged_first in [false, true] {
        let mut merged = Merged::default();
        let (first, second) = if forged_first {
            (forged(), &store(0))
        } else {
            (store(0), &forged())
        };
        let (first_time, second_time) = if forged_first { (2, 1) } else { (1, 2) };
        assert_eq!(merged.apply(&first, stamp(first_time), seen), Ok(()));
        assert_eq!(merged.apply(second, stamp(second_time), seen), Err(Contradiction));
        let kept = merged.content().unwrap().private_key;
        assert_eq!(kept.expose_secret(), subject(0).private_key.expose_secret());
    }
}

fn store(number: u64) -> Operation {
    Operation::Store(Box::new(subject(number)))
}

#[test]
fn what_is_thrown_away_stays_deleted() {
    let mut story = Story::new();
    story.next(1, 20, &delete());
    throw_away(&mut story.merged);
    assert!(story.merged.content().is_none());
    story.next(2, 30, &rename("again"));
    assert!(story.merged.visible().is_none());
    assert_eq!(story.merged.deleted_unix_ms(), Some(0));
}

/// It is looked through the trash until its last day is over.
fn throw_away(merged: &mut Merged) {
    for _ in 0..30 {
        assert!(merged.stay_in_trash() && merged.content().is_some());
    }
    assert!(merged.stay_in_trash());
    assert!(merged.content().is_none() && !merged.stay_in_trash());
}

/// Mutation: the days are not counted anew.
#[test]
fn what_is_deleted_again_has_all_its_days_again() {
    let mut story = Story::new();
    assert!(!story.merged.stay_in_trash());
    story.next(1, 20, &delete());
    assert!(story.merged.stay_in_trash());
    assert_eq!(story.merged.days_left(), 29);
    let row = story.merged.encode_row(&subject(0).id).unwrap();
    assert_eq!(Merged::decode_row(&row).unwrap().1.days_left(), 29);
    story.next(1, 30, &store(0));
    story.next(1, 40, &delete());
    assert_eq!(story.merged.days_left(), 30);
}

/// Mutations: what counts is what was seen when it was told, or the clock of that moment.
#[test]
fn what_was_done_long_ago_and_is_told_late_beats_nothing_of_between() {
    let mut story = Story::new();
    let done = story.versions.clone();
    story.next(1, 50, &rename("meanwhile"));
    let told = story.versions.clone();
    story.late(2, 20, &rename("long ago"), (&told, &done));
    assert_eq!(story.name().as_deref(), Some("meanwhile"));
    story.late(3, 30, &delete(), (&told, &done));
    story.next(1, 60, &store(0));
    let told = story.versions.clone();
    story.late(2, 21, &rename("long ago"), (&told, &done));
    assert!(story.merged.visible().is_some());
}

/// Somebody gave it another name at the same time, which one device had thrown away. Mutation: names are thrown away, too.
#[test]
fn what_is_taken_back_is_the_same_for_who_had_thrown_it_away() {
    let mut story = Story::new();
    story.next(1, 20, &delete());
    let seen = story.versions.clone();
    story.blind(2, 90, &rename("at the same time"), &seen);
    let mut thrown_away = story.merged.copy();
    throw_away(&mut thrown_away);
    for merged in [&mut thrown_away, &mut story.merged] {
        let stamp = Stamp {
            time: 30,
            device: id(3),
            seq: 1,
            index: 0,
        };
        let but = &Reach::default();
        let versions = &seen;
        let author = id(3);
        let stored = merged.apply(
            &store(0),
            stamp,
            Seen {
                author,
                versions,
                but,
            },
        );
        assert_eq!(stored, Ok(()));
        let name = merged.visible().unwrap().user_name;
        assert_eq!(name.as_deref(), Some("at the same time"));
    }
}

/// One device has thrown it away, another one has not yet.
#[test]
fn what_one_has_thrown_away_comes_back_from_another_with_its_names() {
    let mut story = Story::new();
    story.next(1, 20, &rename("its name"));
    story.next(1, 30, &delete());
    let versions = &story.versions;
    let whole = || story.merged.copy();
    let mut thrown_away = whole();
    throw_away(&mut thrown_away);
    for (mut one, other) in [(thrown_away.copy(), whole()), (whole(), thrown_away.copy())] {
        assert_eq!(one.join(versions, &other, versions), Ok(()));
        assert!(one.visible().is_none());
        assert_eq!(one.content().unwrap().user_name.as_deref(), Some("its name"));
    }
    let mut both = thrown_away.copy();
    assert_eq!(both.join(versions, &thrown_away, versions), Ok(()));
    assert!(both.content().is_none() && both.visible().is_none());
}

//! What somebody who edits the database can do to the log: everything but to hide it.

mod power_cut;

use std::ops::RangeInclusive;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::event::tests::{all, ann};
use super::*;
use crate::testing::{Disk, TestRng, passkey, root_key};
use crate::{Passkey, RpIdHash, Vault};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const START: u64 = 1_700_000_000_000;

fn open(disk: &Disk) -> Vault {
    Vault::open(disk.clone(), &root_key(1), &mut TestRng(1_000_000)).unwrap()
}

/// What happened at the `n`th moment.
fn record(n: u64) -> Record {
    Record {
        unix_ms: START + n,
        event: Event::SignedIn {
            credential: ann(),
            consent: Consent::Present,
        },
    }
}

/// A vault with `count` entries in its log.
fn disk_with(count: u64) -> Disk {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for n in 1..=count {
        vault.record_later(&mut rng, &record(n)).unwrap();
    }
    drop(vault);
    disk
}

fn entry(number: u64) -> Logged {
    Logged::Entry {
        number,
        record: record(number),
    }
}

fn read(vault: &Vault) -> Vec<Logged> {
    vault.log(None).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The log of a vault of which nothing but entries `missing` and `damaged` are not as they were.
fn expected(count: u64, missing: &[RangeInclusive<u64>], damaged: &[u64]) -> Vec<Logged> {
    let mut log = Vec::new();
    let mut number = count;
    while number > 0 {
        if let Some(gap) = missing.iter().find(|gap| gap.contains(&number)) {
            log.push(Logged::Gap {
                first: *gap.start(),
                last: *gap.end(),
            });
            number = *gap.start();
        } else if damaged.contains(&number) {
            log.push(Logged::Damaged { number });
        } else {
            log.push(entry(number));
        }
        number -= 1;
    }
    log
}

/// The rows of the log as they are on the disk.
fn rows(disk: &Disk) -> Vec<(u64, Vec<u8>)> {
    let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let table = database.begin_read().unwrap().open_table(LOG).unwrap();
    let row = |row: Result<(redb::AccessGuard<'_, u64>, redb::AccessGuard<'_, &[u8]>), _>| {
        let (number, sealed) = row.unwrap();
        (number.value(), sealed.value().to_vec())
    };
    table.iter().unwrap().map(row).collect()
}

fn sealed(disk: &Disk, number: u64) -> Vec<u8> {
    let of_number = |(found, sealed)| (found == number).then_some(sealed);
    rows(disk).into_iter().find_map(of_number).unwrap()
}

fn edit(disk: &Disk, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

fn edit_log(disk: &Disk, change: impl FnOnce(&mut redb::Table<'_, u64, &'static [u8]>)) {
    edit(disk, |transaction| {
        change(&mut transaction.open_table(LOG).unwrap());
    });
}

fn put(disk: &Disk, number: u64, sealed: &[u8]) {
    edit_log(disk, |log| {
        log.insert(number, sealed).unwrap();
    });
}

fn remove(disk: &Disk, numbers: RangeInclusive<u64>) {
    edit_log(disk, |log| {
        for number in numbers {
            log.remove(number).unwrap();
        }
    });
}

// --- what is written is there ---------------------------------------------------------------------------------------

#[test]
fn a_new_vault_has_an_empty_log_and_says_why_it_begins() {
    let disk = Disk::default();
    for _ in 0..2 {
        let vault = open(&disk);
        let log = vault.log(None).unwrap();
        assert_eq!((log.origin(), log.oldest(), log.newest()), (LogOrigin::New, 1, 0));
        assert_eq!(log.count(), 0);
    }
}

#[test]
fn every_event_is_there_after_reopening_newest_first() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let events = all();
    let mut vault = open(&disk);
    for (n, event) in (1..).zip(events.clone()) {
        let unix_ms = START + n;
        vault.record(&mut rng, &Record { unix_ms, event }).unwrap();
    }
    for vault in [vault, open(&disk)] {
        let read = read(&vault).into_iter().rev();
        for ((number, event), read) in (1..).zip(&events).zip(read) {
            let unix_ms = START + number;
            let event = event.clone();
            let record = Record { unix_ms, event };
            assert_eq!(read, Logged::Entry { number, record });
        }
        assert_eq!(vault.log(None).unwrap().count(), events.len());
    }
}

#[test]
fn a_clock_that_goes_back_does_not_change_the_order() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for unix_ms in [9, 3, 5, u64::MAX, 0] {
        let event = Event::PinSet;
        vault.record(&mut rng, &Record { unix_ms, event }).unwrap();
    }
    let time = |logged: &Logged| match logged {
        Logged::Entry { record, .. } => record.unix_ms,
        Logged::Gap { .. } | Logged::Damaged { .. } => panic!("{logged:?}"),
    };
    let times: Vec<u64> = read(&vault).iter().map(time).collect();
    assert_eq!(times, [0, u64::MAX, 5, 3, 9]);
}

#[test]
fn each_change_takes_its_entry_with_it() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let ann = passkey(&mut rng, "example.org", "ann");
    let id = ann.id.clone();
    let copy = |vault: &Vault| vault.load(&id).unwrap().unwrap();
    vault.store(&mut rng, ann, Some(&record(1))).unwrap();
    let renamed = copy(&vault);
    assert!(vault.update(&mut rng, &renamed, Some(&record(2))).unwrap());
    vault.next_signature_count(&mut rng, Some(&record(3))).unwrap();
    let content = Zeroizing::new(vec![1]);
    let document = crate::Document::LargeBlobs;
    vault
        .put_document(&mut rng, document, content, Some(&record(4)))
        .unwrap();
    assert!(vault.delete(&mut rng, &id, Some(&record(5))).unwrap());
    let added = vault.add(&mut rng, &[renamed], |count| {
        assert_eq!(count, 1);
        Some(record(6))
    });
    assert_eq!(added.unwrap(), 1);
    for vault in [vault, open(&disk)] {
        assert_eq!(read(&vault), expected(6, &[], &[]));
    }
}

#[test]
fn what_does_not_happen_is_not_recorded() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let mut ann = passkey(&mut rng, "example.org", "ann");
    assert!(!vault.update(&mut rng, &ann, Some(&record(1))).unwrap());
    assert!(!vault.delete(&mut rng, &ann.id, Some(&record(1))).unwrap());
    ann.user_name = Some("n".repeat(padding::SIZE_MAX));
    assert!(vault.store(&mut rng, ann, Some(&record(1))).is_err());
    assert_eq!(vault.add(&mut rng, &[], |_| None).unwrap(), 0);
    assert_eq!(read(&vault), []);
}

#[test]
fn an_event_that_is_too_long_changes_nothing() {
    let (disk, mut rng) = (disk_with(1), TestRng(50));
    let mut vault = open(&disk);
    let mut subject = ann();
    subject.site = Site::Id("s".repeat(padding::SIZE_MAX));
    let record = Record {
        unix_ms: 1,
        event: Event::Deleted(subject),
    };
    assert!(matches!(vault.record(&mut rng, &record), Err(Error::TooLarge)));
    let ann: Passkey = passkey(&mut rng, "example.org", "ann");
    assert!(vault.store(&mut rng, ann, Some(&record)).is_err());
    assert!(vault.is_empty());
    assert_eq!(read(&vault), expected(1, &[], &[]));
}

#[test]
fn a_reset_begins_the_log_anew() {
    let (disk, mut rng) = (disk_with(5), TestRng(50));
    let mut vault = open(&disk);
    vault.reset(&mut rng, &record(1)).unwrap();
    vault.record_later(&mut rng, &record(2)).unwrap();
    vault.flush().unwrap();
    for vault in [vault, open(&disk)] {
        assert_eq!(read(&vault), expected(2, &[], &[]));
        assert_eq!(vault.log(None).unwrap().origin(), LogOrigin::Reset);
    }
    assert_eq!(rows(&disk).len(), 2);
}

#[test]
fn pages_join_without_a_gap_and_are_checked_at_the_seam() {
    let vault = open(&disk_with(7));
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page: Vec<Logged> = vault.log(before).unwrap().take(3).map(Result::unwrap).collect();
        let Some(Logged::Entry { number, .. }) = page.last() else {
            break;
        };
        before = Some(*number);
        read.extend(page);
    }
    assert_eq!(read, expected(7, &[], &[]));
    assert_eq!(vault.log(Some(100)).unwrap().count(), 7);
    assert_eq!(vault.log(Some(1)).unwrap().count(), 0);
    assert_eq!(vault.log(Some(0)).unwrap().count(), 0);
}

#[test]
fn the_oldest_entries_make_room_for_new_ones() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for n in 1..=LOG_ENTRIES_MAX + 3 {
        vault.record_later(&mut rng, &record(n)).unwrap();
    }
    drop(vault);
    let vault = open(&disk);
    let log = vault.log(None).unwrap();
    assert_eq!((log.oldest(), log.newest()), (4, LOG_ENTRIES_MAX + 3));
    let expected = (4..=LOG_ENTRIES_MAX + 3).rev().map(entry);
    assert!(log.map(Result::unwrap).eq(expected));
    drop(vault);

    // What was dropped is no gap; what is taken away after it is one.
    remove(&disk, 4..=5);
    let last = open(&disk).log(None).unwrap().last().unwrap().unwrap();
    assert_eq!(last, Logged::Gap { first: 4, last: 5 });
}

#[test]
fn sizes_say_nothing() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for event in all() {
        vault
            .record_later(&mut rng, &Record { unix_ms: 0, event })
            .unwrap();
    }
    drop(vault);
    let mut lengths: Vec<usize> = rows(&disk).iter().map(|(_, sealed)| sealed.len()).collect();
    lengths.dedup();
    // Only the number in the header has a length: one byte up to 23, two from there on.
    assert_eq!(lengths, [lengths[0], lengths[0] + 1]);
}

#[test]
fn nothing_of_it_is_readable_on_the_disk() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let id = crate::CredentialId::new(&[0xa7; 32]).unwrap();
    let event = Event::Deleted(Subject::new(
        Site::named("secret.example"),
        id,
        Some("unmistakable"),
    ));
    let unix_ms = 0x0102_0304_0506_0708;
    vault.record(&mut rng, &Record { unix_ms, event }).unwrap();
    let hash = RpIdHash::of("secret.example").0;
    let planted: [&[u8]; 5] = [
        b"secret.example",
        b"unmistakable",
        &[0xa7; 32],
        &hash,
        &unix_ms.to_be_bytes(),
    ];
    for needle in planted {
        let content = disk.content();
        assert!(!content.windows(needle.len()).any(|window| window == needle));
    }
}

// --- somebody edits it ----------------------------------------------------------------------------------------------

#[test]
fn what_is_removed_shows_wherever_it_was() {
    for gap in [1..=1, 1..=4, 3..=3, 2..=5, 6..=6, 4..=6, 1..=6] {
        let disk = disk_with(6);
        remove(&disk, gap.clone());
        assert_eq!(read(&open(&disk)), expected(6, &[gap], &[]));
    }
    let disk = disk_with(6);
    remove(&disk, 2..=2);
    remove(&disk, 4..=5);
    assert_eq!(read(&open(&disk)), expected(6, &[2..=2, 4..=5], &[]));
}

#[test]
fn a_gap_stays_when_the_log_goes_on() {
    let disk = disk_with(4);
    remove(&disk, 3..=4);
    let mut vault = open(&disk);
    vault.record_later(&mut TestRng(50), &record(5)).unwrap();
    assert_eq!(read(&vault), expected(5, &[3..=4], &[]));
}

#[test]
fn a_log_that_is_gone_as_a_whole_is_a_gap() {
    let disk = disk_with(6);
    edit(&disk, |transaction| {
        transaction.delete_table(LOG).unwrap();
    });
    assert_eq!(read(&open(&disk)), expected(6, &[1..=6], &[]));
}

#[test]
fn a_gap_at_a_seam_of_pages_is_told_once() {
    let disk = disk_with(6);
    remove(&disk, 3..=4);
    let vault = open(&disk);
    let page = |before, len| {
        let log = vault.log(before).unwrap();
        log.take(len).map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(
        page(None, 3),
        [entry(6), entry(5), Logged::Gap { first: 3, last: 4 }]
    );
    assert_eq!(page(Some(3), 3), [entry(2), entry(1)]);
    // Nobody asks like this; it is no harm.
    assert_eq!(
        page(Some(4), 3),
        [Logged::Gap { first: 3, last: 3 }, entry(2), entry(1)]
    );
}

#[test]
fn swapped_entries_are_damaged_and_the_others_are_not() {
    for (one, other) in [(2, 5), (3, 4), (1, 6)] {
        let disk = disk_with(6);
        let (first, second) = (sealed(&disk, one), sealed(&disk, other));
        put(&disk, one, &second);
        put(&disk, other, &first);
        assert_eq!(read(&open(&disk)), expected(6, &[], &[one, other]));
    }
}

#[test]
fn a_copied_entry_is_damaged() {
    let disk = disk_with(4);
    put(&disk, 3, &sealed(&disk, 2));
    assert_eq!(read(&open(&disk)), expected(4, &[], &[3]));
}

#[test]
fn an_entry_that_is_appended_by_somebody_is_never_shown() {
    let disk = disk_with(3);
    put(&disk, 4, &sealed(&disk, 3));
    put(&disk, u64::MAX, &sealed(&disk, 3));
    let mut vault = open(&disk);
    assert_eq!(read(&vault), expected(3, &[], &[]));
    vault.record(&mut TestRng(50), &record(4)).unwrap();
    assert_eq!(read(&vault), expected(4, &[], &[]));
}

#[test]
fn an_entry_of_another_past_is_damaged() {
    // The same vault on two disks that go different ways: each entry is sound for its place.
    let disk = disk_with(2);
    let other = Disk::with(disk.content());
    for (disk, seed) in [(&disk, 50), (&other, 60)] {
        let mut vault = open(disk);
        for n in 3..=5 {
            vault.record(&mut TestRng(seed + 10 * n), &record(n)).unwrap();
        }
    }
    for number in 3..=5 {
        let disk = Disk::with(disk.content());
        put(&disk, number, &sealed(&other, number));
        assert_eq!(read(&open(&disk)), expected(5, &[], &[number]));
    }
}

#[test]
fn flipped_bits_of_an_entry_show() {
    let disk = disk_with(3);
    let whole = sealed(&disk, 2);
    for at in (0..whole.len()).step_by(5).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        let disk = Disk::with(disk.content());
        put(&disk, 2, &changed);
        assert_eq!(read(&open(&disk)), expected(3, &[], &[2]), "byte {at}");
    }
    for changed in [&[][..], &whole[..whole.len() - 1], &[&whole[..], &[0]].concat()] {
        put(&disk, 2, changed);
        assert_eq!(read(&open(&disk)), expected(3, &[], &[2]));
    }
}

#[test]
fn a_log_without_its_head_or_with_another_one_does_not_open() {
    let disk = disk_with(3);
    let head = |disk: &Disk| {
        let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
        let meta = database.begin_read().unwrap().open_table(META).unwrap();
        meta.get("log").unwrap().unwrap().value().to_vec()
    };
    let mut other = open(&Disk::with(disk.content()));
    other.reset(&mut TestRng(50), &record(1)).unwrap();
    let of_another = {
        let disk = Disk::default();
        drop(open(&disk));
        let mut vault = Vault::open(disk.clone(), &root_key(1), &mut TestRng(70)).unwrap();
        vault.reset(&mut TestRng(80), &record(1)).unwrap();
        drop(vault);
        head(&disk)
    };
    for changed in [None, Some(of_another), Some(sealed(&disk, 3)), Some(vec![])] {
        let disk = Disk::with(disk.content());
        edit(&disk, |transaction| {
            let mut meta = transaction.open_table(META).unwrap();
            match &changed {
                None => drop(meta.remove("log").unwrap()),
                Some(changed) => drop(meta.insert("log", changed.as_slice()).unwrap()),
            }
        });
        let opened = Vault::open(disk, &root_key(1), &mut TestRng(0));
        assert!(matches!(opened, Err(Error::Tampered)));
    }
}

#[test]
fn a_head_that_makes_no_sense_is_refused() {
    let hash = [&[0x04, 0x58, 0x20][..], &[0; 32]].concat();
    let head = |fields: &[u8]| LogHead::decode(&[&[0xa4][..], fields, &hash].concat());
    assert!(head(&[1, 1, 2, 1, 3, 0]).is_some());
    assert!(head(&[1, 3, 2, 5, 3, 9]).is_some());
    for (name, fields) in [
        ("origin 0", [1, 0, 2, 1, 3, 0]),
        ("origin 4", [1, 4, 2, 1, 3, 0]),
        ("it begins at 0", [1, 1, 2, 0, 3, 0]),
        ("it ends before it begins", [1, 1, 2, 5, 3, 3]),
    ] {
        assert!(head(&fields).is_none(), "{name}");
    }
}

//! The power goes after each write of a day. What the log shows then is a beginning of what was written into it, never
//! less than was durable, without a gap and without damage; and an entry that belongs to a change is there when the
//! change is.

use rand_core::Rng;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// An entry that nobody waits for.
    Later,
    /// An entry that is durable.
    Now,
    Flush,
    /// A passkey, and its entry.
    Store,
    /// A signature count, and its entry.
    Count,
    /// A change without an entry.
    Unlogged,
}

const DAY: [Step; 14] = [
    Step::Later,
    Step::Later,
    Step::Flush,
    Step::Store,
    Step::Later,
    Step::Count,
    Step::Later,
    Step::Later,
    Step::Unlogged,
    Step::Later,
    Step::Store,
    Step::Now,
    Step::Later,
    Step::Later,
];

/// How much of the day was lived, and how much of that is durable: numbers of entries.
#[derive(Debug, Clone, Copy, Default)]
struct Lived {
    written: u64,
    durable: u64,
    stored: usize,
    /// The entry of the last passkey.
    of_last_store: u64,
}

impl Lived {
    fn after(mut self, step: Step) -> Self {
        if !matches!(step, Step::Flush | Step::Unlogged) {
            self.written += 1;
        }
        if step != Step::Later {
            self.durable = self.written;
        }
        if step == Step::Store {
            self.stored += 1;
            self.of_last_store = self.written;
        }
        self
    }
}

fn perform(vault: &mut Vault, rng: &mut TestRng, step: Step, number: u64) -> Result<(), Error> {
    let record = record(number);
    match step {
        Step::Later => vault.record_later(rng, &record),
        Step::Now => vault.record(rng, &record),
        Step::Flush => vault.flush(),
        Step::Store => {
            let passkey = passkey(rng, "example.org", &format!("user {number}"));
            vault.store(rng, passkey, Some(&record))
        }
        Step::Count => vault.next_signature_count(rng, Some(&record)).map(|_| ()),
        Step::Unlogged => vault.next_signature_count(rng, None).map(|_| ()),
    }
}

/// Lives the day until the power goes: what was acknowledged, and what would have been next.
fn live(vault: &mut Vault, rng: &mut TestRng) -> (Lived, Option<Step>) {
    let mut lived = Lived::default();
    for step in DAY {
        if perform(vault, rng, step, lived.written + 1).is_err() {
            return (lived, Some(step));
        }
        lived = lived.after(step);
    }
    (lived, None)
}

#[test]
fn a_power_cut_after_any_write_leaves_a_beginning_of_the_log() {
    let (mut cut_short, mut lost, mut seeds) = (0, 0, TestRng(0));
    for writes in 0.. {
        let disk = Disk::default();
        let mut vault = open(&disk);
        disk.cut_power_after(writes);
        let (lived, next) = live(&mut vault, &mut TestRng(0));
        cut_short += u32::from(next.is_some());
        // The power goes at once, and with what closing the vault still could write.
        let at_once = disk.clone();
        for kept in 0..4 {
            let left = at_once.after_power_cut(|| match kept {
                0 => false,
                1 => true,
                _ => seeds.next_u32() % 2 == 0,
            });
            let vault = open(&left);
            let most = next.map_or(lived, |step| lived.after(step));
            let newest = vault.log(None).unwrap().newest();
            let name = format!("cut after {writes} writes, {kept}: {lived:?}, {next:?}, {newest}");
            assert!((lived.durable..=most.written).contains(&newest), "{name}");
            assert_eq!(read(&vault), expected(newest, &[], &[]), "{name}");
            assert!((lived.stored..=most.stored).contains(&vault.len()), "{name}");
            if vault.len() == most.stored {
                assert!(newest >= most.of_last_store, "{name}");
            }
            lost += u32::from(newest < lived.written);
        }
        drop(vault);
        if next.is_none() {
            break;
        }
    }
    assert!(cut_short > 20, "the day took only {cut_short} writes");
    assert!(lost > 20, "only {lost} times something was lost");
}

#[test]
fn closing_the_vault_makes_everything_durable() {
    let disk = disk_with(3);
    let left = disk.after_power_cut(|| false);
    assert_eq!(read(&open(&left)), expected(3, &[], &[]));
}

#[test]
fn what_nobody_waits_for_costs_no_sync_and_one_flush_is_enough_for_all_of_it() {
    // Room for all that follows: making the file longer takes a sync. So does the first write after opening.
    let (disk, mut rng) = (disk_with(299), TestRng(50));
    let mut vault = open(&disk);
    vault.record(&mut rng, &record(300)).unwrap();
    let syncs = disk.syncs();
    for n in 301..=340 {
        vault.record_later(&mut rng, &record(n)).unwrap();
    }
    assert_eq!(disk.syncs(), syncs);
    let durable = || read(&open(&disk.after_power_cut(|| false)));
    assert_eq!(durable(), expected(300, &[], &[]));
    vault.flush().unwrap();
    assert_eq!(durable(), expected(340, &[], &[]));
}

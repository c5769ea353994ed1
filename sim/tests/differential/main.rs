//! Our authenticator beside the reference: sequences of commands, drawn from a seed, are run by both, and what they
//! answer is compared. They may differ only where [`accepted`] says so. What the messages of our key say is compared with
//! what the reference's decoder reads in them, in [`decoding`].
//!
//! `WARDKEY_DIFFERENTIAL_SEEDS=FROM..TO` compares other seeds, or more. What fails prints its seed and the steps that are
//! left after everything that does not matter was left out.

mod accepted;
mod compare;
mod decoding;
mod ours;
mod shorten;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wardkey_sim::scenario::{Draw, Step, plan};

use crate::accepted::{Accepted, DECODING, PARTS};
use crate::compare::{Found, Outcome};
use crate::decoding::Message;

const SEEDS: Range<u64> = 0..250;
/// Seeds that need the entries that no seed of those needs.
const RARE_SEEDS: [u64; 6] = [288, 353, 361, 545, 589, 604];
/// The same for the entries of [`DECODING`].
const RARE_READINGS: [u64; 1] = [1373];
const STEPS: usize = 30;
/// How many failures are told in full.
const TOLD_MAX: usize = 8;

/// The seeds to compare, and whether they are the usual ones.
fn seeds() -> (Vec<u64>, bool) {
    let Ok(wanted) = std::env::var("WARDKEY_DIFFERENTIAL_SEEDS") else {
        return (SEEDS.chain(RARE_SEEDS).collect(), true);
    };
    let range = wanted.split_once("..");
    let range = range.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    (
        range.expect("WARDKEY_DIFFERENTIAL_SEEDS=FROM..TO").collect(),
        false,
    )
}

#[test]
fn the_keys_differ_only_where_the_list_says_so() {
    let (seeds, is_usual) = seeds();
    let next = AtomicUsize::new(0);
    let result = Mutex::new(Total::default());
    let threads = thread::available_parallelism().map_or(1, Into::into);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Outcome {
                        used,
                        compared,
                        unlisted,
                    } = run(seed);
                    let mut result = result.lock().unwrap();
                    result.compared += compared;
                    for entry in used {
                        let first = result.used.entry(entry.reference).or_insert(seed);
                        *first = seed.min(*first);
                    }
                    if let Some(found) = unlisted {
                        result.failed.entry(found.difference.to_string()).or_insert(seed);
                    }
                }
            });
        }
    });
    let Total {
        compared,
        used,
        failed,
    } = result.into_inner().unwrap();
    println!("{} seeds, {compared} commands", seeds.len());
    for (entry, seed) in &used {
        println!("{seed:8} {entry}");
    }
    assert!(compared > 0, "nothing was compared");
    let told: String = failed.values().take(TOLD_MAX).map(|seed| tell(*seed)).collect();
    assert!(
        failed.is_empty(),
        "{} differences are not listed\n{told}",
        failed.len()
    );
    if is_usual {
        let unused: Vec<_> = entries()
            .map(|entry| entry.reference)
            .filter(|name| !used.contains_key(name))
            .collect();
        assert_eq!(unused, [""; 0], "accepted, but does not occur");
    }
}

/// What came of all sequences.
#[derive(Default)]
struct Total {
    compared: usize,
    /// Each entry that was needed, and the first seed that needs it.
    used: BTreeMap<&'static str, u64>,
    /// Each difference that is not accepted, and a seed that shows it.
    failed: BTreeMap<String, u64>,
}

fn run(seed: u64) -> Outcome {
    compare::run(seed, &plan(&mut Draw::from_seed(seed), STEPS))
}

/// What a seed shows, shortened.
fn tell(seed: u64) -> String {
    let Some(found) = run(seed).unlisted else {
        return String::new();
    };
    let (steps, found) = shorten::shorten(seed, &plan(&mut Draw::from_seed(seed), STEPS), found);
    format!(
        "\nseed {seed}: the last step is answered differently, {}\n{}",
        found.difference,
        listing(&steps)
    )
}

fn listing(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("  {step:?}\n")).collect()
}

#[test]
fn messages_are_read_differently_only_where_the_list_says_so() {
    let (mut seeds, is_usual) = seeds();
    if is_usual {
        seeds.extend(RARE_READINGS);
    }
    let mut used = HashSet::new();
    let mut failed = BTreeMap::new();
    let mut compared = BTreeMap::new();
    for seed in &seeds {
        let outcome = decoding::run(*seed, &plan(&mut Draw::from_seed(*seed), STEPS));
        used.extend(outcome.used.iter().map(|entry| entry.reference));
        for kind in outcome.compared {
            *compared.entry(kind).or_insert(0) += 1;
        }
        for found in outcome.unlisted {
            failed
                .entry(found.difference.to_string())
                .or_insert((*seed, found));
        }
    }
    println!(
        "{} seeds, messages by kind and command: {compared:02x?}",
        seeds.len()
    );
    let told: String = failed
        .values()
        .take(TOLD_MAX)
        .map(
            |(
                seed,
                Found {
                    difference,
                    command,
                    sent,
                    ..
                },
            )| {
                format!(
                    "\nseed {seed}: {difference}\n  {command:?}\n  {}\n",
                    decoding::hex(sent)
                )
            },
        )
        .collect();
    assert!(
        failed.is_empty(),
        "{} differences are not listed\n{told}",
        failed.len()
    );
    if is_usual {
        for command in [0x01, 0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C] {
            assert!(compared.contains_key(&Message::Answer(command)), "{command:02x}");
        }
        let entries = DECODING.iter().flat_map(|(_, entries)| *entries);
        let unused: Vec<_> = entries
            .map(|entry| entry.reference)
            .filter(|name| !used.contains(name))
            .collect();
        assert_eq!(unused, [""; 0], "accepted, but does not occur");
    }
}

fn entries() -> impl Iterator<Item = &'static Accepted> {
    PARTS.iter().flat_map(|(_, entries)| *entries)
}

#[test]
fn no_two_entries_have_one_name() {
    let mut names = HashSet::new();
    let of_decoding = DECODING.iter().flat_map(|(_, entries)| *entries);
    for entry in entries().chain(of_decoding) {
        assert!(names.insert(entry.reference), "{}", entry.reference);
    }
}

#[test]
fn the_document_is_the_list() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/DIFFERENCES.md");
    let document = document();
    if std::env::var_os("WARDKEY_WRITE_DIFFERENCES").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == document,
        "run again with WARDKEY_WRITE_DIFFERENCES=1 to write {path}"
    );
}

fn document() -> String {
    let mut text = String::from(
        "# Where we and the reference differ\n\n\
         `tests/differential` runs random sequences of commands with our authenticator and with the reference \
         (Trussed's fido-authenticator 0.4.0-rc.4) and compares what they answer. This is every difference that is \
         accepted; any other fails the test. Beside that, every request and every answer is decoded by ctap-types \
         0.6.0-rc.5, which the reference is built on: the last two parts are every difference in what can be read, \
         and in what is read. The lists are `tests/differential/accepted` and `tests/differential/decoding`, from \
         which this document is made.\n",
    );
    for (heading, entries) in PARTS.into_iter().chain(DECODING) {
        text += &format!(
            "\n## {heading}\n\n| the reference | clause | why ours is right |\n| --- | --- | --- |\n"
        );
        for Accepted {
            reference,
            clause,
            why,
            ..
        } in entries
        {
            text += &format!("| {reference} | {clause} | {why} |\n");
        }
    }
    text
}

//! Every case that can run in this process passes.

use wardkey_conformance::drivers::in_process::InProcessDriver;
use wardkey_conformance::{RULES, SCRIPTS, Summary, run, table};

#[test]
fn every_official_case_passes() {
    let entries = run(SCRIPTS, &[&InProcessDriver], "");
    let bad = entries
        .iter()
        .filter(|entry| !matches!(entry.summary(), Summary::Passed | Summary::Skipped(_)));
    assert_eq!(bad.count(), 0, "\n{}", table(&entries));
}

#[test]
fn every_rule_of_our_own_passes() {
    let entries = run(RULES, &[&InProcessDriver], "");
    let bad = entries.iter().filter(|entry| entry.summary() != Summary::Passed);
    assert_eq!(bad.count(), 0, "\n{}", table(&entries));
}

#[test]
fn all_295_official_cases_are_there_once() {
    let mut ids: Vec<String> = SCRIPTS
        .iter()
        .flat_map(|script| {
            script
                .cases
                .iter()
                .map(|case| format!("{}/{}", script.name, case.name))
        })
        .collect();
    // 8 cases of NFC and 10 of Bluetooth are one entry each.
    assert_eq!((SCRIPTS.len(), ids.len() - 2 + 8 + 10), (49, 295));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() - 2 + 8 + 10, 295);
}

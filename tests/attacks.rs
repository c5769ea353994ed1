//! The tables of attacks name tests that are there: `vault/DESIGN.md` says where, `SECURITY.md` which published attacks
//! they stand for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::Path;

/// What is between backquotes.
fn codes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A file of the repository.
fn content(file: &str) -> String {
    read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The cells of each row of the tables under a heading.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, section) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| {
        row.trim_start_matches('|')
            .split(" | ")
            .map(str::to_owned)
            .collect()
    })
    .collect()
}

/// The tests of the table in `vault/DESIGN.md`, and the files that they are in.
fn tested() -> BTreeMap<String, Vec<String>> {
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(&content("vault/DESIGN.md"), "Attacks and faults that are tested") {
        let (Some(test), Some(file)) = (
            codes(&row[1]).next(),
            row.get(3).and_then(|cell| codes(cell).next()),
        ) else {
            continue;
        };
        tests.entry(test.to_owned()).or_default().push(file.to_owned());
    }
    tests
}

#[test]
fn every_test_in_the_table_of_attacks_is_where_it_says() {
    let tests = tested();
    for (test, files) in &tests {
        for file in files {
            assert!(
                content(file).contains(&format!("fn {test}(")),
                "{test} is not in {file}"
            );
        }
    }
    assert!(tests.len() > 90, "only {} tests were read", tests.len());
}

#[test]
fn each_published_attack_has_a_test() {
    let named = [("BW", 12), ("LP", 7), ("1P", 6), ("DL", 6)];
    let named = named
        .iter()
        .flat_map(|(of, count)| (1..=*count).map(move |n| format!("{of}{n:02}")));
    let (tests, mut found) = (tested(), Vec::new());
    for row in rows(&content("SECURITY.md"), "Published attacks").iter().skip(2) {
        found.push(row[0].trim().to_owned());
        let named: Vec<_> = codes(&row[3]).collect();
        assert!(!named.is_empty(), "{row:?}");
        for test in named {
            assert!(tests.contains_key(test), "{test} is not in vault/DESIGN.md");
        }
    }
    assert_eq!(found.len(), 31);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), named.collect());
}

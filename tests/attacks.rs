//! The table of attacks in `vault/DESIGN.md` names tests that are there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs::read_to_string;
use std::path::Path;

/// What is between the first pair of backquotes.
fn code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

#[test]
fn every_test_in_the_table_of_attacks_is_where_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let design = read_to_string(root.join("vault/DESIGN.md")).unwrap();
    let (_, table) = design
        .split_once("## Attacks and faults that are tested")
        .unwrap();
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let (Some(test), Some(file)) = (code(cells[1]), cells.get(3).and_then(|cell| code(cell))) else {
            continue;
        };
        let source = read_to_string(root.join(file)).unwrap();
        assert!(
            source.contains(&format!("fn {test}()")),
            "{test} is not in {file}"
        );
        rows += 1;
    }
    assert!(rows > 50, "only {rows} rows were read");
}

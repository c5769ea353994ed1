//! What is printed after a run: a table for people, JSON for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::run::{Entry, Summary, Verdict};

/// How many cases ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Passed wherever there was something to test.
    pub passed: usize,
    /// Failed at least once.
    pub failed: usize,
    /// Not run, for a reason.
    pub skipped: usize,
    /// Run, and nowhere was anything to test.
    pub nowhere: usize,
}

impl Totals {
    /// Counts.
    pub fn of(entries: &[Entry]) -> Self {
        let mut totals = Self::default();
        for entry in entries {
            match entry.summary() {
                Summary::Passed => totals.passed += 1,
                Summary::Failed(_) => totals.failed += 1,
                Summary::Skipped(_) => totals.skipped += 1,
                Summary::Nowhere(_) => totals.nowhere += 1,
            }
        }
        totals
    }

    /// Whether the run is good: nothing failed, and nothing was left out without a reason.
    pub const fn is_good(self) -> bool {
        self.failed == 0 && self.nowhere == 0
    }
}

/// A line per case, and the totals.
pub fn table(entries: &[Entry]) -> String {
    let mut table = String::new();
    let width = entries
        .iter()
        .map(|entry| entry.id.len())
        .max()
        .unwrap_or_default();
    for entry in entries {
        let (word, remark) = match entry.summary() {
            Summary::Passed => ("pass", places(entry)),
            Summary::Failed(why) => ("FAIL", why),
            Summary::Skipped(why) => ("skip", why.to_owned()),
            Summary::Nowhere(why) => ("NONE", why),
        };
        // Writing to a text does not fail.
        let _ = writeln!(table, "{word}  {:<width$}  {remark}", entry.id);
    }
    let Totals {
        passed,
        failed,
        skipped,
        nowhere,
    } = Totals::of(entries);
    let _ = writeln!(
        table,
        "\n{passed} passed, {failed} failed, {skipped} skipped, {nowhere} not run anywhere"
    );
    table
}

/// Where a case passed: `in process: synced, verifying; raw socket: synced`.
fn places(entry: &Entry) -> String {
    let mut places = String::new();
    let mut last_driver = "";
    for run in entry.runs.iter().filter(|run| run.verdict == Verdict::Passed) {
        let separator = match (places.is_empty(), run.driver == last_driver) {
            (_, true) => ", ",
            (true, false) => "",
            (false, false) => "; ",
        };
        places.push_str(separator);
        if run.driver != last_driver {
            places.push_str(run.driver);
            places.push_str(": ");
        }
        places.push_str(run.configuration);
        last_driver = run.driver;
    }
    places
}

/// Everything.
pub fn json(entries: &[Entry]) -> Value {
    let cases: Vec<Value> = entries.iter().map(entry_as_json).collect();
    let Totals {
        passed,
        failed,
        skipped,
        nowhere,
    } = Totals::of(entries);
    json!({
        "cases": cases,
        "passed": passed,
        "failed": failed,
        "skipped": skipped,
        "nowhere": nowhere,
    })
}

fn entry_as_json(entry: &Entry) -> Value {
    let (result, reason) = match entry.summary() {
        Summary::Passed => ("pass", None),
        Summary::Failed(why) => ("fail", Some(why)),
        Summary::Skipped(why) => ("skip", Some(why.to_owned())),
        Summary::Nowhere(why) => ("nowhere", Some(why)),
    };
    let runs: Vec<Value> = entry
        .runs
        .iter()
        .map(|run| {
            let (verdict, why) = match &run.verdict {
                Verdict::Passed => ("pass", None),
                Verdict::Failed(why) => ("fail", Some(why)),
                Verdict::NotApplicable(why) => ("not applicable", Some(why)),
            };
            json!({
                "driver": run.driver,
                "configuration": run.configuration,
                "verdict": verdict,
                "reason": why,
            })
        })
        .collect();
    json!({
        "id": entry.id,
        "claim": entry.claim,
        "result": result,
        "reason": reason,
        "runs": runs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Run;

    fn entry(
        id: &str,
        verdicts: &[(&'static str, &'static str, Verdict)],
        skipped: Option<&'static str>,
    ) -> Entry {
        Entry {
            id: id.to_owned(),
            claim: "does something",
            skipped,
            runs: verdicts
                .iter()
                .map(|(driver, configuration, verdict)| Run {
                    driver,
                    configuration,
                    verdict: verdict.clone(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_case_passes_where_it_applies_and_fails_if_it_fails_once() {
        let not_here = || Verdict::NotApplicable("no such thing".to_owned());
        let entries = [
            entry(
                "a/P-1",
                &[
                    ("in process", "synced", Verdict::Passed),
                    ("in process", "verifying", not_here()),
                ],
                None,
            ),
            entry(
                "a/P-2",
                &[
                    ("in process", "synced", Verdict::Passed),
                    ("raw socket", "synced", Verdict::Failed("why".to_owned())),
                ],
                None,
            ),
            entry("a/P-3", &[], Some("a reason")),
            entry("a/P-4", &[("in process", "synced", not_here())], None),
        ];
        let totals = Totals::of(&entries);
        assert_eq!(
            (totals.passed, totals.failed, totals.skipped, totals.nowhere),
            (1, 1, 1, 1)
        );
        assert!(!totals.is_good());
        let table = table(&entries);
        assert!(table.contains("pass  a/P-1  in process: synced\n"), "{table}");
        assert!(
            table.contains("FAIL  a/P-2  raw socket, synced: why\n"),
            "{table}"
        );
        assert!(table.contains("skip  a/P-3  a reason\n"), "{table}");
        assert!(table.contains("NONE  a/P-4  no such thing\n"), "{table}");
        assert_eq!(json(&entries)["cases"][1]["result"], "fail");
    }

    #[test]
    fn places_are_grouped_by_driver() {
        let passed = |driver, configuration| (driver, configuration, Verdict::Passed);
        let runs = [
            passed("in process", "synced"),
            passed("in process", "verifying"),
            passed("raw socket", "synced"),
        ];
        let entry = entry("a/P-1", &runs, None);
        assert_eq!(
            places(&entry),
            "in process: synced, verifying; raw socket: synced"
        );
    }
}

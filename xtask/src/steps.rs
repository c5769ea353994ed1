//! Named steps: runs them one after another, says so, and sums up at the end.

use std::fmt;
use std::time::{Duration, Instant};

use crate::clock;
use crate::failure::Failure;

enum Outcome {
    Passed,
    Failed,
    Skipped(String),
}

struct Step {
    name: String,
    duration: Duration,
    outcome: Outcome,
}

/// The steps of one chore, in the order in which they ran.
pub(crate) struct Steps {
    began: Instant,
    steps: Vec<Step>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            began: clock::now(),
            steps: Vec::new(),
        }
    }

    /// Runs one step; a failure is printed and counted, and the next steps run nevertheless.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<(), Failure>) -> bool {
        println!("\n== {name}");
        let began = clock::now();
        let result = step();
        if let Err(failure) = &result {
            println!("{failure}");
        }
        let passed = result.is_ok();
        let duration = began.elapsed();
        println!(
            "-- {name}: {} ({})",
            if passed { "passed" } else { "FAILED" },
            clock::in_words(duration)
        );
        self.record(name, duration, passed);
        passed
    }

    /// Takes over the result of a step that ran elsewhere.
    pub(crate) fn record(&mut self, name: &str, duration: Duration, passed: bool) {
        let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
        self.steps.push(Step {
            name: name.to_owned(),
            duration,
            outcome,
        });
    }

    pub(crate) fn fail(&mut self, name: &str) {
        self.record(name, Duration::ZERO, false);
    }

    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("\n== {name}\n-- {name}: skipped, {why}");
        let outcome = Outcome::Skipped(why.to_owned());
        self.steps.push(Step {
            name: name.to_owned(),
            duration: Duration::ZERO,
            outcome,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Prints what ran; the last line is for machines. True when nothing failed.
    pub(crate) fn summarize(&self) -> bool {
        println!("\nSummary, {} in all:", clock::in_words(self.began.elapsed()));
        for step in &self.steps {
            println!("  {step}");
        }
        let failed = self
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Failed))
            .count();
        let passed = self
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Passed))
            .count();
        println!("\n{passed} passed, {failed} failed");
        failed == 0
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = clock::in_words(self.duration);
        match &self.outcome {
            Outcome::Passed => write!(formatter, "passed   {:<52} {duration:>12}", self.name),
            Outcome::Failed => write!(formatter, "FAILED   {:<52} {duration:>12}", self.name),
            Outcome::Skipped(why) => write!(formatter, "skipped  {:<52} {why}", self.name),
        }
    }
}

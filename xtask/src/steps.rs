//! Named steps: runs them one after another, or two lanes of them at the same time, says so, and sums up at the end.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::failure::Failure;
use crate::output::{self, say};

/// With it, a program has a tenth of what one without it has, where both want all; sched(7).
const NICENESS: i32 = 10;

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
    /// Other steps run at the same time.
    in_lane: bool,
    steps: Vec<Step>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            began: clock::now(),
            in_lane: false,
            steps: Vec::new(),
        }
    }

    /// Runs two lanes at the same time: the steps of each one after another. `second` has what `first` leaves of the
    /// processors.
    pub(crate) fn side_by_side(
        &mut self,
        first: impl FnOnce(&mut Self) -> Result<(), Failure> + Send,
        second: impl FnOnce(&mut Self) -> Result<(), Failure> + Send,
    ) {
        let lanes = thread::scope(|scope| {
            let first = scope.spawn(|| lane(first));
            let second = scope.spawn(|| {
                // Of this thread, and of what it starts. Where that is not allowed they are equals.
                let _niceness = rustix::process::nice(NICENESS);
                lane(second)
            });
            [first, second].map(|lane| lane.join().expect("steps do not panic"))
        });
        self.steps.extend(lanes.into_iter().flatten());
    }

    /// Runs one step; a failure is printed and counted, and the next steps run nevertheless.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<(), Failure>) -> bool {
        let began = clock::now();
        let head = format!("\n== {name}");
        let verdict = |result: &Result<(), Failure>| {
            let (words, verdict) = match result {
                Ok(()) => (String::new(), "passed"),
                Err(failure) => (format!("{failure}\n"), "FAILED"),
            };
            format!(
                "{words}-- {name}: {verdict} ({})",
                clock::in_words(began.elapsed())
            )
        };
        let result = if self.in_lane {
            say!("\n== {name}: begins; what it says follows");
            output::shown_at_the_end(&head, step, verdict)
        } else {
            say!("{head}");
            let result = step();
            say!("{}", verdict(&result));
            result
        };
        self.record(name, began.elapsed(), result.is_ok());
        result.is_ok()
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
        say!("\n== {name}\n-- {name}: skipped, {why}");
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
        say!(
            "\nSummary, {} in all, {} of processor time:",
            clock::in_words(self.began.elapsed()),
            clock::in_words(clock::spent_by_children())
        );
        for step in &self.steps {
            say!("  {step}");
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
        say!("\n{passed} passed, {failed} failed");
        failed == 0
    }
}

/// Runs steps while others run; gives what came of them.
fn lane(work: impl FnOnce(&mut Steps) -> Result<(), Failure>) -> Vec<Step> {
    let mut steps = Steps {
        in_lane: true,
        ..Steps::new()
    };
    if let Err(failure) = work(&mut steps) {
        steps.run("the rest", || Err(failure));
    }
    steps.steps
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

#[cfg(test)]
mod tests {
    use super::{Failure, Steps};

    #[test]
    fn what_came_of_two_lanes_is_counted() {
        let mut steps = Steps::new();
        steps.run("first", || Ok(()));
        steps.side_by_side(
            |steps| {
                steps.run("fails", || Err(Failure::new("in a lane")));
                steps.run("runs nevertheless", || Ok(()));
                Ok(())
            },
            |steps| {
                steps.run("passes", || Ok(()));
                Err(Failure::new("the lane cannot go on"))
            },
        );
        let came_of_it: Vec<String> = steps.steps.iter().map(ToString::to_string).collect();
        let starts = [
            "passed   first",
            "FAILED   fails",
            "passed   runs nevertheless",
            "passed   passes",
            "FAILED   the rest",
        ];
        assert_eq!(came_of_it.len(), starts.len(), "{came_of_it:?}");
        for (step, start) in came_of_it.iter().zip(starts) {
            assert!(step.starts_with(start), "{step}");
        }
        assert!(!steps.summarize());
    }
}

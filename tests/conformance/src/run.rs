//! Runs cases: each against a new key, in every configuration, with every driver that is given.

use crate::bench::Bench;
use crate::case::{Body, Case, Script, Stop};
use crate::configuration::Configuration;
use crate::key::{Broken, Key};

/// A way to make new keys.
pub trait Driver {
    /// Shown in the report.
    fn name(&self) -> &'static str;

    /// A key that was never used. `name` tells it from others.
    fn new_key(&self, configuration: Configuration, name: &str) -> Result<Box<dyn Key>, Broken>;
}

/// How one case ended with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// The key did something else.
    Failed(String),
    /// There was nothing to test.
    NotApplicable(String),
}

/// One run of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The driver.
    pub driver: &'static str,
    /// The configuration.
    pub configuration: &'static str,
    /// How it ended.
    pub verdict: Verdict,
}

/// Everything about one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Script and case.
    pub id: String,
    /// What the key has to do.
    pub claim: &'static str,
    /// Why it was not run at all.
    pub skipped: Option<&'static str>,
    /// All runs.
    pub runs: Vec<Run>,
}

/// What came of all runs of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Summary {
    /// Every run that had something to test passed, and there was one.
    Passed,
    /// At least one failed: where, and why.
    Failed(String),
    /// Was not run, on purpose.
    Skipped(&'static str),
    /// Was run, and nowhere was anything to test.
    Nowhere(String),
}

impl Entry {
    /// What came of all runs.
    pub fn summary(&self) -> Summary {
        if let Some(reason) = self.skipped {
            return Summary::Skipped(reason);
        }
        let mut nowhere = "there is no driver".to_owned();
        let mut passed = false;
        for run in &self.runs {
            match &run.verdict {
                Verdict::Failed(why) => {
                    return Summary::Failed(format!("{}, {}: {why}", run.driver, run.configuration));
                }
                Verdict::Passed => passed = true,
                Verdict::NotApplicable(why) => nowhere.clone_from(why),
            }
        }
        if passed {
            Summary::Passed
        } else {
            Summary::Nowhere(nowhere)
        }
    }
}

/// Runs the cases whose id contains `filter`.
pub fn run(scripts: &[Script], drivers: &[&dyn Driver], filter: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for script in scripts {
        for case in script.cases {
            let id = format!("{}/{}", script.name, case.name);
            if id.contains(filter) {
                entries.push(run_case(case, id, drivers));
            }
        }
    }
    entries
}

fn run_case(case: &Case, id: String, drivers: &[&dyn Driver]) -> Entry {
    let (test, skipped) = match case.body {
        Body::Test(test) => (Some(test), None),
        Body::Skipped(reason) => (None, Some(reason)),
    };
    let mut runs = Vec::new();
    for driver in drivers {
        for configuration in Configuration::ALL {
            let Some(test) = test else { continue };
            let key = driver.new_key(configuration, &id);
            let outcome = key
                .map_err(Stop::from)
                .and_then(|key| Bench::new(key, configuration, &id))
                .and_then(|mut bench| test(&mut bench));
            runs.push(Run {
                driver: driver.name(),
                configuration: configuration.name,
                verdict: outcome.into(),
            });
        }
    }
    Entry {
        id,
        claim: case.claim,
        skipped,
        runs,
    }
}

impl From<Result<(), Stop>> for Verdict {
    fn from(outcome: Result<(), Stop>) -> Self {
        match outcome {
            Ok(()) => Self::Passed,
            Err(Stop::Failed(why)) => Self::Failed(why),
            Err(Stop::NotApplicable(why)) => Self::NotApplicable(why.to_owned()),
        }
    }
}

//! Tells the steps of the demo: as numbered lines while they happen, or as one JSON object at the end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wardkey_sim::clock;

/// Where a detail's text begins.
const LABEL_LEN: usize = 11;
/// Where a step's time begins.
const TITLE_LEN: usize = 78;

/// Collects or prints the steps.
pub(crate) struct Narrator {
    as_json: bool,
    steps: Vec<Value>,
    started: Instant,
    step_began: Instant,
}

impl Narrator {
    /// The clock starts now.
    pub(crate) fn new(as_json: bool) -> Self {
        let now = clock::now();
        Self {
            as_json,
            steps: Vec::new(),
            started: now,
            step_began: now,
        }
    }

    /// A line that belongs to no step.
    pub(crate) fn say(&self, text: &str) {
        if !self.as_json {
            println!("{text}");
        }
    }

    /// The next step begins.
    pub(crate) fn begin(&mut self) {
        self.step_began = clock::now();
    }

    /// The step that was begun is done.
    pub(crate) fn step(&mut self, name: &str, title: &str, data: Value) {
        let took = self.step_began.elapsed();
        self.steps
            .push(json!({ "step": name, "milliseconds": milliseconds(took), "data": data }));
        let number = self.steps.len();
        self.say(&format!(
            "{number}  {title:<TITLE_LEN$} {:>8.1} ms",
            milliseconds(took)
        ));
    }

    /// What the key asked its user in the last step.
    pub(crate) fn asked(&mut self, question: &str) {
        if let Some(Value::Object(step)) = self.steps.last_mut() {
            step.insert("asked".to_owned(), question.into());
        }
    }

    /// A line about the last step.
    pub(crate) fn detail(&self, label: &str, text: &str) {
        self.say(&format!("     {label:<LABEL_LEN$}{text}"));
    }

    /// The whole time so far.
    pub(crate) fn total(&self) -> f64 {
        milliseconds(self.started.elapsed())
    }

    /// Prints the JSON object, if that is what was wanted.
    pub(crate) fn finish(self, ok: bool) {
        if self.as_json {
            println!("{:#}", self.story(ok));
        }
    }

    /// The whole story as JSON.
    pub(crate) fn story(self, ok: bool) -> Value {
        json!({ "ok": ok, "approval": "automatic", "milliseconds": self.total(), "steps": self.steps })
    }
}

/// In milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

//! Makes a sequence that shows a difference as short as it can be made by leaving out steps.

use wardkey_sim::scenario::{Command, Step};

use crate::compare::{self, Found};

/// The shortest sequence found in which the last step still is answered with a difference that is not accepted.
pub(crate) fn shorten(seed: u64, steps: &[Step], found: Found) -> (Vec<Step>, Found) {
    let mut shortest = Shortest {
        seed,
        steps: steps.iter().take(found.index + 1).cloned().collect(),
        found,
    };
    let mut part = shortest.steps.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < shortest.steps.len() {
            let mut steps = shortest.steps.clone();
            steps.drain(at..(at + part).min(steps.len()));
            if !shortest.try_steps(steps) {
                at += part;
            }
        }
        part /= 2;
    }
    for at in 0..shortest.steps.len() {
        let mut steps = shortest.steps.clone();
        if let Some(Step::Send(Command { damage, .. })) = steps.get_mut(at)
            && damage.take().is_some()
        {
            shortest.try_steps(steps);
        }
    }
    (shortest.steps, shortest.found)
}

struct Shortest {
    seed: u64,
    steps: Vec<Step>,
    found: Found,
}

impl Shortest {
    /// Takes these steps if they still show the difference.
    fn try_steps(&mut self, mut steps: Vec<Step>) -> bool {
        let found = compare::run(self.seed, &steps).unlisted;
        let Some(found) = found.filter(|found| found.difference == self.found.difference) else {
            return false;
        };
        steps.truncate(found.index + 1);
        self.steps = steps;
        self.found = found;
        true
    }
}

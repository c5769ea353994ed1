//! A seed, run: twice, which has to be the same; and where something went wrong, as short a story of it as can be found.

use std::fmt::{Display, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};

use super::World;
use super::device::Failure;
use super::plan::{Plan, Step};

/// Of a long story so many lines are told from the beginning, and as many from the end.
const LINES: usize = 60;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    seed: u64,
    trace: [u8; 32],
    failure: Option<String>,
    story: Vec<String>,
    settled: bool,
}

impl Outcome {
    /// Whether nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether everybody came to show the same; not so where a device that was put back could not know what it had written.
    pub fn settled(&self) -> bool {
        self.settled
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (begin, end) = (self.story.iter().take(LINES), self.story.iter().skip(LINES));
        begin.clone().try_for_each(|line| writeln!(f, "{line}"))?;
        let left_out = end.len().saturating_sub(LINES);
        if left_out > 0 {
            writeln!(f, "     … {left_out} lines …")?;
        }
        end.skip(left_out).try_for_each(|line| writeln!(f, "{line}"))?;
        match &self.failure {
            None => writeln!(f, "seed {}: all is well", self.seed),
            Some(failure) => {
                writeln!(f, "seed {}: {failure}", self.seed)?;
                writeln!(f, "again: cargo xtask sim --seed {}", self.seed)
            }
        }
    }
}

/// Runs the world of a seed.
pub fn run(seed: u64) -> Outcome {
    wardkey_vault::remember_work();
    let plan = Plan::of(seed);
    let outcome = play(seed, &plan, Tells::Acts);
    let again = play(seed, &plan, Tells::Acts);
    if outcome.trace != again.trace {
        let failure = Some("it is not the same twice".to_owned());
        return Outcome { failure, ..outcome };
    }
    match &outcome.failure {
        Some(_) => shorten(seed, plan, outcome),
        None => outcome,
    }
}

/// How much of what happens is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Acts,
    Requests,
}

/// Once.
fn play(seed: u64, plan: &Plan, tells: Tells) -> Outcome {
    let mut world: Option<World> = None;
    let played = catch_unwind(AssertUnwindSafe(|| {
        let world = world.insert(World::new(plan)?);
        world.tells_requests = tells == Tells::Requests;
        world.begin(plan)?;
        for step in &plan.steps {
            world.take(*step)?;
        }
        world.settle()
    }));
    let failure = match played {
        Ok(Ok(())) => None,
        Ok(Err(Failure(failure))) => Some(failure),
        Err(_) => Some("it panics".to_owned()),
    };
    match world {
        Some(world) => Outcome {
            seed,
            trace: world.trace.finalize().into(),
            failure,
            story: world.story,
            settled: !(world.may_fork || world.two_trusts),
        },
        None => Outcome {
            seed,
            trace: Sha256::digest(b"").into(),
            failure,
            story: Vec::new(),
            settled: false,
        },
    }
}

/// The same failure with as few steps as can be found by leaving some out.
fn shorten(seed: u64, mut plan: Plan, mut shortest: Outcome) -> Outcome {
    let kind = |outcome: &Outcome| {
        let failure = outcome.failure.as_deref().unwrap_or_default();
        // Numbers and names may be others.
        failure
            .chars()
            .filter(|letter| letter.is_lowercase())
            .take(24)
            .collect::<String>()
    };
    let wanted = kind(&shortest);
    let mut try_plan = |candidate: Plan, plan: &mut Plan| {
        let outcome = play(seed, &candidate, Tells::Acts);
        let same = !outcome.is_good() && kind(&outcome) == wanted;
        if same {
            *plan = candidate;
            shortest = outcome;
        }
        same
    };
    let mut part = plan.steps.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < plan.steps.len() {
            let mut candidate = plan.clone();
            candidate.steps.drain(at..(at + part).min(candidate.steps.len()));
            if !try_plan(candidate, &mut plan) {
                at += part;
            }
        }
        part /= 2;
    }
    for fault in plan.faults.clone().into_keys() {
        let mut candidate = plan.clone();
        candidate.faults.remove(&fault);
        try_plan(candidate, &mut plan);
    }
    for at in 0..plan.steps.len() {
        let mut candidate = plan.clone();
        if let Some(Step { fuse, .. }) = candidate.steps.get_mut(at)
            && fuse.take().is_some()
        {
            try_plan(candidate, &mut plan);
        }
    }
    let told = play(seed, &plan, Tells::Requests);
    if told.failure == shortest.failure {
        told
    } else {
        shortest
    }
}

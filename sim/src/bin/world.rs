//! Runs worlds: `cargo xtask sim --seeds N [--from S] [--jobs J]`, or one of them, told in full: `cargo xtask sim --seed S`.
//! However many are run at once, the one that is reported is the first that fails.

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use wardkey_sim::world::{self, Outcome};

#[derive(Parser)]
struct Arguments {
    /// One world, with its story
    #[arg(long, conflicts_with_all = ["seeds", "from", "jobs"])]
    seed: Option<u64>,
    /// How many worlds
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many at once [default: as many as there are cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let failed = match arguments.seed {
        Some(seed) => {
            let outcome = world::run(seed);
            if outcome.is_good() {
                println!("{outcome}");
                return ExitCode::SUCCESS;
            }
            Some(outcome)
        }
        None => run_all(&arguments),
    };
    match failed {
        Some(outcome) => {
            println!("{outcome}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

/// Runs them; the first that fails.
fn run_all(arguments: &Arguments) -> Option<Outcome> {
    let end = arguments.from.saturating_add(arguments.seeds);
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or_else(cores, usize::from);
    // Seeds are begun in their order, so that all before one that fails are run, too.
    let (next, end) = (&AtomicU64::new(arguments.from), &AtomicU64::new(end));
    let (out, outcomes) = channel();
    let told = thread::scope(|scope| {
        for _ in 0..jobs {
            let out = out.clone();
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = world::run(seed);
                    if !outcome.is_good() {
                        end.fetch_min(seed, Ordering::Relaxed);
                    }
                    if out.send((seed, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(out);
        Told::listen(&outcomes, arguments.seeds)
    });
    told.failed.map(|(_, outcome)| outcome)
}

/// What came of the worlds so far.
#[derive(Default)]
struct Told {
    worlds: u64,
    not_settled: u64,
    failed: Option<(u64, Outcome)>,
}

impl Told {
    /// How often it is told how far it is.
    const EVERY: Duration = Duration::from_secs(5);

    #[expect(clippy::disallowed_methods, reason = "a program that a person waits for")]
    fn listen(outcomes: &Receiver<(u64, Outcome)>, seeds: u64) -> Self {
        let mut told = Self::default();
        let begin = Instant::now();
        let mut next = Self::EVERY;
        for (seed, outcome) in outcomes {
            told.worlds += 1;
            told.not_settled += u64::from(outcome.is_good() && !outcome.settled());
            let is_first = told.failed.as_ref().is_none_or(|(first, _)| seed < *first);
            if !outcome.is_good() && is_first {
                told.failed = Some((seed, outcome));
            }
            let passed = begin.elapsed();
            if passed >= next && stderr().is_terminal() {
                next = passed + Self::EVERY;
                let _ = write!(
                    stderr(),
                    "\r{} of {seeds} worlds, {} s",
                    told.worlds,
                    passed.as_secs()
                );
            }
        }
        if next > Self::EVERY {
            let _ = writeln!(stderr());
        }
        if told.failed.is_none() {
            println!(
                "{} worlds, each twice: all is well; in {} a device that was put back wrote something twice",
                told.worlds, told.not_settled
            );
        }
        told
    }
}

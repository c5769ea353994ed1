//! Runs worlds: `cargo xtask sim --seeds N [--from S]`, or one of them, told in full: `cargo xtask sim --seed S`.

use std::process::ExitCode;

use clap::Parser;
use wardkey_sim::world;

#[derive(Parser)]
struct Arguments {
    /// One world, with its story
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many worlds
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
}

fn main() -> ExitCode {
    let Arguments { seed, seeds, from } = Arguments::parse();
    if let Some(seed) = seed {
        let outcome = world::run(seed);
        println!("{outcome}");
        return if outcome.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let mut not_settled = 0_u64;
    for seed in from..from.saturating_add(seeds) {
        let outcome = world::run(seed);
        if !outcome.is_good() {
            println!("{outcome}");
            return ExitCode::FAILURE;
        }
        not_settled += u64::from(!outcome.settled());
    }
    println!(
        "{seeds} worlds, each twice: all is well; in {not_settled} a device that was put back wrote something twice"
    );
    ExitCode::SUCCESS
}

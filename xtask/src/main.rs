//! Chores: everything this repository does beside being compiled. `cargo xtask check|test|conformance|interop|store|sim|tpm|vm|bench|fuzz`.
//!
//! Each chore is a list of named [`Steps`]; what ran, how long it took and what failed is printed at
//! the end. Nothing here ships.

mod check;
mod clock;
mod conformance;
mod failure;
mod fuzz;
mod interop;
mod output;
mod paths;
mod run;
mod sim;
mod steps;
mod store;
mod test;
mod tools;
mod tpm;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::run::cargo;
use crate::steps::Steps;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "wardkey's chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Formatting, lints, documentation, licences and advisories
    Check,
    /// Everything: check, tests, conformance, python-fido2, stores, TPM, the virtual machine, a short fuzz; installs what is missing
    Test {
        /// Install what is missing without asking (CI=true does the same)
        #[arg(long, short)]
        yes: bool,
    },
    /// One test for each case of the FIDO conformance tool
    Conformance {
        /// Passed on: part of the ids of cases, or --json
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The newest python-fido2 as a client over the raw socket
    Interop,
    /// The store for sync, with Apache and Garage
    Store,
    /// Worlds of several devices, wrong clocks, power cuts and a store that lies, each from a seed
    Sim {
        /// Passed on: --seeds N, --from S; or --seed S, one world with its story
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The device's keys in a TPM 2.0, with swtpm
    Tpm,
    /// A real kernel with libfido2, ssh, Chromium and Firefox, in QEMU
    Vm(vm::Options),
    /// Latency of wardkey beside other authenticators; with --sync, what it takes to keep devices in step
    Bench {
        /// Passed on to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The fuzz targets, a minute each
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let mut steps = Steps::new();
    let finished = match Arguments::parse().chore {
        Chore::Check => {
            check::check(&mut steps);
            Ok(())
        }
        Chore::Test { yes } => test::test(&mut steps, yes),
        Chore::Conformance { arguments } => {
            conformance::conformance(&mut steps, &[], &arguments);
            Ok(())
        }
        Chore::Interop => interop::interop(&mut steps),
        Chore::Store => {
            tools::require_packages(&store::PACKAGES).and_then(|()| store::store(&mut steps, &[]))
        }
        Chore::Sim { arguments } => {
            sim::sim(&mut steps, &arguments);
            Ok(())
        }
        Chore::Tpm => tools::require_packages(&tpm::PACKAGES).map(|()| {
            check::lints(&mut steps, "lints, with a TPM", &["--features", "wardkey/tpm"]);
            tpm::tpm(&mut steps, &[]);
        }),
        Chore::Vm(options) => vm::vm(&mut steps, &options),
        Chore::Bench { arguments } => bench(&mut steps, &arguments),
        Chore::Fuzz(options) => fuzz::fuzz(&mut steps, &options),
    };
    if let Err(failure) = finished {
        eprintln!("{failure}");
        if steps.is_empty() {
            return ExitCode::FAILURE;
        }
        steps.fail("the rest");
    }
    if steps.summarize() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The measurements live in the `sim` crate; the reference authenticator they compare with needs libclang.
fn bench(steps: &mut Steps, arguments: &[String]) -> Result<(), Failure> {
    tools::require_packages(&["libclang-dev"])?;
    let garage = if arguments.iter().any(|argument| argument == "--sync") {
        Some(store::install()?)
    } else {
        None
    };
    steps.run("bench", || {
        let bench = cargo([
            "run",
            "--release",
            "--package",
            "wardkey-sim",
            "--features",
            "reference",
            "--bin",
            "bench",
            "--",
        ])
        .args(arguments);
        match &garage {
            Some(garage) => bench.env("WARDKEY_TEST_GARAGE", garage).finish(),
            None => bench.finish(),
        }
    });
    Ok(())
}

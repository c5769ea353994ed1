//! Runs the cases and prints what came of them. `cargo xtask conformance` builds the program and runs this over both
//! drivers.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use wardkey_conformance::drivers::in_process::InProcessDriver;
use wardkey_conformance::drivers::raw_socket::RawSocketDriver;
use wardkey_conformance::{Driver, RULES, SCRIPTS, Totals, json, run, table};

/// One test for each case of the FIDO conformance tool for CTAP 2.3, and the rules it has no case for.
#[derive(Parser)]
struct Arguments {
    /// Only cases whose id contains this
    #[arg(default_value = "")]
    filter: String,
    /// Also runs this program, over its raw socket
    #[arg(long, value_name = "WARDKEY")]
    program: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let Arguments {
        filter,
        program,
        json: as_json,
    } = Arguments::parse();
    let program = program.map(RawSocketDriver::new);
    let mut drivers: Vec<&dyn Driver> = vec![&InProcessDriver];
    drivers.extend(program.as_ref().map(|driver| -> &dyn Driver { driver }));
    let entries: Vec<_> = [SCRIPTS, RULES]
        .into_iter()
        .flat_map(|scripts| run(scripts, &drivers, &filter))
        .collect();
    if as_json {
        println!("{:#}", json(&entries));
    } else {
        print!("{}", table(&entries));
    }
    if !entries.is_empty() && Totals::of(&entries).is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

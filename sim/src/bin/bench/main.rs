//! Measures wardkey as a program on the same computer sees it: one USB/IP host and CTAPHID client, the key in a
//! process of its own with its credentials on disk. Beside it, with the same client, the reference authenticator
//! behind `usbip-device`, and a bare echo of the same packets, which is as fast as any key can be.
//!
//! With `--sync`: what it takes that several devices have the same passkeys.
//!
//! Prints a Markdown table, or JSON with `--json`.

mod commands;
mod daemon;
mod echo;
mod failure;
mod helper;
mod machine;
mod operations;
mod output;
mod process;
mod samples;
mod schedule;
mod subjects;
mod sync;
mod table;
mod unlocking;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use wardkey_sim::reference;

use crate::failure::Failure;
use crate::machine::Machine;
use crate::schedule::Plan;

#[derive(Debug, Parser)]
#[command(about = "Latency of wardkey beside a reference authenticator and a bare echo")]
struct Arguments {
    /// The program to measure [default: builds the release binary of this repository]
    #[arg(long, value_name = "PATH")]
    wardkey: Option<PathBuf>,
    /// How many credentials are stored when many are
    #[arg(long, default_value_t = 100_000)]
    credentials: u32,
    /// A tenth of the samples
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// Measure how devices exchange passkeys; of the credentials there are a tenth. Needs Garage
    #[arg(long, conflicts_with = "json")]
    sync: bool,
    /// The process that is measured beside wardkey
    #[arg(long, hide = true)]
    role: Option<Role>,
}

/// What this program is when it was started by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// A bare echo on the socket that is standard input.
    EchoStdin,
    /// A bare echo on a TCP port that it prints.
    EchoTcp,
    /// The reference authenticator on usbip-device.
    Reference,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        None => measure(&arguments),
        Some(Role::EchoStdin) => echo::serve_stdin(),
        Some(Role::EchoTcp) => echo::serve_tcp(),
        Some(Role::Reference) => {
            reference::usbip::serve(|| println!("{}", reference::usbip::ADDRESS));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let wardkey = match &arguments.wardkey {
        Some(path) => path.clone(),
        None => daemon::build()?,
    };
    let folder = process::Folder::new()?;
    let machine = Machine::describe(folder.path());
    let plan = Plan {
        wardkey: &wardkey,
        folder: folder.path(),
        some: arguments.credentials.div_ceil(10),
        many: arguments.credentials,
        quick: arguments.quick,
    };
    if arguments.sync {
        let measured = sync::measure(&plan)?;
        println!("{}", sync::output::markdown(&machine, &measured));
        return Ok(());
    }
    let table = schedule::measure(&plan);
    if arguments.json {
        println!("{}", output::json(&machine, &table));
    } else {
        println!("{}", output::markdown(&machine, &table));
    }
    table.failure().map_or(Ok(()), |failure| Err(failure.clone()))
}

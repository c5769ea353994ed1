//! The `wardkey` program: the only code that touches the operating system. `cli.rs` says what was asked for,
//! `serve.rs` assembles the key, `run.rs` is the event loop.

mod attach;
mod base64url;
mod cli;
mod commands;
mod commands_socket;
mod control;
#[cfg(feature = "demo")]
mod demo;
mod error;
mod host;
mod http;
mod kernel;
mod key;
mod log;
mod prompt;
mod questions;
mod run;
mod serve;
mod signals;
mod sockets;
mod state;
mod test_control;
mod touch;
mod wake;

use std::io::stdout;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::error::Failure;
use crate::log::Log;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match perform(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn perform(cli: Cli) -> Result<ExitCode, Failure> {
    let state = cli.state.as_deref();
    let log = Log::new(cli.json, cli.verbose > 0);
    match cli.command {
        Command::Serve(options) => serve::serve(state, &options, log)?,
        Command::List => commands::list(state, cli.json, &mut stdout())?,
        Command::Delete(options) => {
            commands::delete(state, &options.id, options.yes, cli.json, &mut stdout())?;
        }
        Command::Info => commands::info(state, cli.json, &mut stdout())?,
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

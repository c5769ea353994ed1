//! The `wardkey` program: the only code that touches the operating system. `cli.rs` says what was asked for,
//! `serve.rs` assembles the key, `run.rs` is the event loop.

mod attach;
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
mod programs;
mod prompt;
mod questions;
mod readiness;
mod run;
mod serve;
mod signals;
mod sockets;
mod state;
mod test_control;
mod touch;
mod wake;

use std::io::stdout;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::attach::Start;
use crate::attach::as_root::KeyProcess;
use crate::cli::{Cli, Command, Up};
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
        Command::Up(options) => return up(state, &options, log),
        #[cfg(feature = "demo")]
        Command::Demo(cli::Demo { site: None }) => demo::story(cli.json)?,
        #[cfg(feature = "demo")]
        Command::Demo(cli::Demo { site: Some(address) }) => demo::site(address, cli.json)?,
        Command::Serve(options) => serve::serve(state, &options, log)?,
        Command::List => commands::list(state, cli.json, &mut stdout())?,
        Command::Delete(options) => {
            commands::delete(state, &options.id, options.yes, cli.json, &mut stdout())?;
        }
        Command::Info => commands::info(state, cli.json, &mut stdout())?,
        Command::VhciHelper => attach::helper::main()?,
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Started as root, this process becomes the helper and starts itself again as the user.
fn up(state: Option<&Path>, options: &Up, log: Log) -> Result<ExitCode, Failure> {
    if attach::is_root() {
        let arguments = std::env::args_os().skip(1).chain(["--helper-on-stdin".into()]).collect();
        let user = options.user.clone();
        return Ok(ExitCode::from(attach::as_root::run(KeyProcess { user, arguments })?));
    }
    let start = if options.helper_on_stdin { Start::OnStandardInput } else { Start::Launch };
    serve::up(state, &options.key, start, log)?;
    Ok(ExitCode::SUCCESS)
}

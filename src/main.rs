//! The `wardkey` program: the only code that touches the operating system. `cli.rs` says what was asked for,
//! `serve.rs` assembles the key, `run.rs` is the event loop.

mod attach;
mod autolock;
mod bus;
mod cli;
mod commands;
mod commands_socket;
mod control;
#[cfg(feature = "demo")]
mod demo;
mod device_keys;
mod doctor;
mod error;
mod hardening;
mod host;
mod http;
mod kernel;
mod key;
mod log;
mod membership;
mod programs;
mod prompt;
mod questions;
mod readiness;
mod remote;
mod run;
mod serve;
mod signals;
mod sockets;
mod state;
mod sync;
mod test_control;
mod touch;
mod unlock;
mod user;
mod wake;

use std::io::stdout;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::attach::Start;
use crate::attach::as_root::KeyProcess;
use crate::cli::device::DeviceCommand;
use crate::cli::membership::{PinCommand, RecoveryKitCommand};
use crate::cli::sync::SyncCommand;
use crate::cli::{Cli, Command, Doctor, TrashCommand, Up};
use crate::commands::Access;
use crate::control::SyncAction;
use crate::doctor::{Format, Machine, UsbId};
use crate::error::Failure;
use crate::log::Log;
use crate::prompt::chain::{Way, chain_for};
use crate::prompt::verify::Verifier;
use crate::prompt::verify::fingerprint::Fingerprint;
use crate::prompt::verify::password::{POLICY, POLICY_PATH, Password};
use crate::prompt::verify::pin::Pin;
use crate::state::Folder;

fn main() -> ExitCode {
    // First: it may start the program again, and a process protects only itself.
    #[cfg(feature = "tpm")]
    device_keys::tpm::silence();
    hardening::protect_memory();
    match Cli::read() {
        Ok(cli) => perform(cli).unwrap_or_else(|failure| failure.report()),
        Err(error) => cli::report_usage(&error),
    }
}

fn perform(cli: Cli) -> Result<ExitCode, Failure> {
    let state = cli.state.as_deref();
    let called = (state, cli.json);
    let log = Log::new(cli.json, cli.verbose > 0);
    match cli.command {
        Command::Up(options) => return up(state, &options, log),
        #[cfg(feature = "demo")]
        Command::Demo(cli::Demo { site: None }) => demo::story(cli.json)?,
        #[cfg(feature = "demo")]
        Command::Demo(cli::Demo { site: Some(address) }) => demo::site(address, cli.json)?,
        Command::Serve(options) => serve::serve(state, &options, log)?,
        Command::VhciHelper { serve: false } => attach::helper::start()?,
        Command::VhciHelper { serve: true } => attach::helper::run()?,
        Command::Unlock(source) => commands::unlock(state, &source, cli.json, &mut stdout())?,
        Command::Lock => commands::lock(state, cli.json, &mut stdout())?,
        Command::Status => commands::status(state, cli.json, &mut stdout())?,
        Command::List => commands::list(Access::open(state)?, cli.json, &mut stdout())?,
        Command::Delete(options) => {
            commands::delete(
                Access::open(state)?,
                &options.id,
                options.yes,
                cli.json,
                &mut stdout(),
            )?;
        }
        Command::Trash(TrashCommand::List) => {
            commands::list_trash(Access::open(state)?, cli.json, &mut stdout())?;
        }
        Command::Trash(TrashCommand::Restore { id }) => {
            commands::restore(Access::open(state)?, &id, cli.json, &mut stdout())?;
        }
        Command::Info => commands::info(Access::open(state)?, cli.json, &mut stdout())?,
        Command::Log(options) => commands::log(Access::open(state)?, options.limit, cli.json, &mut stdout())?,
        Command::Metadata(options) => commands::metadata(|| Access::open(state), &options, &mut stdout())?,
        Command::Attestation(cli::Attestation::Export) => {
            commands::export(Access::open(state)?, cli.json, &mut stdout())?
        }
        Command::Init(options) => membership::call(called, "init", |call| membership::init(call, &options))?,
        Command::Pin(PinCommand::Change(options)) => {
            membership::call(called, "pin change", |call| {
                membership::change_pin(call, &options)
            })?;
        }
        Command::Pin(PinCommand::Adopt(options)) => {
            membership::call(called, "pin adopt", |call| membership::adopt_pin(call, &options))?;
        }
        Command::RecoveryKit(RecoveryKitCommand::Renew(pin)) => {
            membership::call(called, "recovery-kit renew", |call| {
                membership::renew_kit(call, &pin)
            })?;
        }
        Command::Recover(options) => {
            membership::call(called, "recover", |call| membership::recover(call, &options))?
        }
        Command::Export(options) => {
            membership::call(called, "export", |call| membership::export(call, &options))?
        }
        Command::Import(options) => {
            membership::call(called, "import", |call| membership::import(call, &options))?
        }
        Command::Device(command) => device(state, cli.json, &command)?,
        Command::Sync(command) => sync(state, cli.json, &command)?,
        Command::Doctor(options) => return doctor(state, &options, cli.json),
    }
    Ok(ExitCode::SUCCESS)
}

fn device(state: Option<&Path>, json: bool, command: &DeviceCommand) -> Result<(), Failure> {
    let name = match command {
        DeviceCommand::Add(_) => "device add",
        DeviceCommand::Approve(_) => "device approve",
        DeviceCommand::List(_) => "device list",
        DeviceCommand::Revoke(_) => "device revoke",
    };
    membership::call((state, json), name, |call| match command {
        DeviceCommand::Add(options) => membership::add_device(call, options),
        DeviceCommand::Approve(options) => membership::approve_device(call, options),
        DeviceCommand::List(pin) => membership::devices(call, pin),
        DeviceCommand::Revoke(options) => membership::revoke_device(call, options),
    })
}

fn sync(state: Option<&Path>, json: bool, command: &SyncCommand) -> Result<(), Failure> {
    let name = match command {
        SyncCommand::Setup(_) => "sync setup",
        SyncCommand::Now(_) => "sync now",
        SyncCommand::Status(_) => "sync status",
        SyncCommand::Heal(_) => "sync heal",
        SyncCommand::Check(_) => "sync check",
    };
    membership::call((state, json), name, |call| match command {
        SyncCommand::Setup(options) => membership::set_up_sync(call, options),
        SyncCommand::Now(pin) => membership::sync(call, pin, SyncAction::Now),
        SyncCommand::Heal(pin) => membership::sync(call, pin, SyncAction::Heal),
        SyncCommand::Status(pin) => membership::sync_status(call, pin),
        SyncCommand::Check(options) => commands::check_store(options, json, &mut stdout()),
    })
}

/// Started as root, this process becomes the helper and starts itself again as the user.
fn up(state: Option<&Path>, options: &Up, log: Log) -> Result<ExitCode, Failure> {
    if attach::is_root() {
        let arguments = std::env::args_os()
            .skip(1)
            .chain(["--helper-on-stdin".into()])
            .collect();
        let user = options.user.clone();
        return Ok(ExitCode::from(attach::as_root::run(KeyProcess {
            user,
            arguments,
        })?));
    }
    let start = if options.helper_on_stdin {
        Start::OnStandardInput
    } else {
        Start::Launch
    };
    serve::up(state, &options.key, start, log)?;
    Ok(ExitCode::SUCCESS)
}

/// The exit code says whether `wardkey up` can work.
fn doctor(state: Option<&Path>, options: &Doctor, json: bool) -> Result<ExitCode, Failure> {
    if options.print_policy {
        eprintln!("This file belongs at {POLICY_PATH}.");
        commands::print(&mut stdout(), POLICY)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (vendor, product) = options.usb_id.pair;
    let machine = Machine::this(Folder::locate(state)?, UsbId { vendor, product });
    let asker = Arc::new(chain_for(Way::Auto, None));
    let verifiers: [Box<dyn Verifier>; 3] = [
        Box::new(Pin::by(Way::Auto)),
        Box::new(Fingerprint::of_this_computer(asker.clone())),
        Box::new(Password::of_this_computer(asker.clone())),
    ];
    let report = doctor::examine(&machine, &asker, &verifiers);
    let format = if json {
        Format::Json
    } else {
        Format::for_standard_output()
    };
    report.write(&mut stdout(), format).map_err(|error| {
        Failure::new(
            format!("the report could not be printed: {error}"),
            "print it to a terminal or a file with room",
        )
    })?;
    Ok(if report.is_ready() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

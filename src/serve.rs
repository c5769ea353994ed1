//! `wardkey up` and `wardkey serve`: opens the vault, takes the sockets, asks the right way, and runs.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::Path;

use rustix::fs::Mode;
use wardkey_authenticator::{Device, Verifier};

use crate::attach::{self, Helper, Start};
use crate::autolock;
use crate::autolock::idle::IdleLock;
use crate::cli::{Key, Serve};
use crate::error::Failure;
use crate::host;
use crate::kernel::Kernel;
use crate::key::{self, broken_state};
use crate::log::Log;
use crate::membership::{self, Made};
use crate::prompt::Modality;
use crate::questions::Questions;
use crate::run::{Daemon, Standing};
use crate::signals;
use crate::sockets::{Address, Listener, Purpose};
use crate::state::{Held, State};
use crate::sync::Exchange;
use crate::unlock::{Unlocker, open_with_pin};
use crate::user::User;
use crate::wake::Mailbox;

/// Runs the key for the hosts that `options` names.
pub(crate) fn serve(state: Option<&Path>, options: &Serve, log: Log) -> Result<(), Failure> {
    let addresses = addresses(options, &log)?;
    run(state, &options.key, addresses, None, log)
}

/// Runs the key for the local kernel.
pub(crate) fn up(state: Option<&Path>, options: &Key, start: Start, log: Log) -> Result<(), Failure> {
    run(state, options, Vec::new(), Some(start), log)
}

fn addresses(options: &Serve, log: &Log) -> Result<Vec<(Purpose, Address)>, Failure> {
    let usbip = options
        .usbip
        .map(|address| (Purpose::Usbip, Address::Tcp(address)));
    let raw = options
        .raw
        .clone()
        .map(|address| (Purpose::Raw, Address::from(address)));
    let addresses: Vec<_> = [usbip, raw].into_iter().flatten().collect();
    if addresses.is_empty() {
        return Err(Failure::new(
            "serve has nowhere to listen",
            "give --usbip 127.0.0.1:3240, or --raw unix:PATH, or both; `wardkey up` plugs the key into this computer",
        ));
    }
    for (_, address) in &addresses {
        if let Address::Tcp(address) = address {
            check_reach(*address, options.allow_remote, log)?;
        }
    }
    Ok(addresses)
}

/// Neither USB/IP nor raw reports know who is at the other end.
fn check_reach(address: SocketAddr, allow_remote: bool, log: &Log) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    if !allow_remote {
        return Err(Failure::new(
            format!("{address} can be reached by other computers, and the protocol has no authentication"),
            "use a loopback address, or give --allow-remote if only people you trust can reach that address",
        ));
    }
    log.problem(&format!(
        "WARNING: whoever reaches {address} can use this key: USB/IP has no authentication"
    ));
    Ok(())
}

fn run(
    state: Option<&Path>,
    options: &Key,
    addresses: Vec<(Purpose, Address)>,
    start: Option<Start>,
    log: Log,
) -> Result<(), Failure> {
    // No file of the key is for others.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let stop = signals::stop().map_err(|error| unexpected("signals", &error))?;
    if attach::is_root() {
        log.problem(
            "WARNING: this process holds keys and runs as root, which it has no need of: start it as a user",
        );
    }
    let (mailbox, waker) = Mailbox::new().map_err(|error| unexpected("an event descriptor", &error))?;
    let user = User::of(options, &waker, &log)?;
    // Before anybody can connect: a wrong Vault PIN ends it here.
    let (mut device, held) = power_up(state, options, start.as_ref(), &log)?;
    let mut listeners = Vec::new();
    if let Some(held) = &held {
        listeners.push(listen(Purpose::Commands, Address::Unix(held.control_socket()))?);
    }
    for (purpose, address) in addresses {
        let listener = listen(purpose, address)?;
        log.listening(purpose, &listener.address);
        listeners.push(listener);
    }
    let helper = start.map(Helper::start).transpose()?;
    if options.model.post_quantum {
        log.problem("WARNING: ML-DSA is offered; its implementation has not been audited");
    }
    if device.locked_mut().is_some() {
        log.starts_locked();
    }
    offer_verification(&mut device, &user, &log)?;
    if device.vault_pin_generation().is_some() {
        autolock::watch_this_computer(options.locking.events(), waker.clone())
            .map_err(|error| unexpected("thread", &error))?;
    }
    let daemon = Daemon {
        device,
        disk: held.as_ref().map(Held::disk),
        identity: key::identity(options.usb_id.pair),
        listeners,
        kernel: helper.map(|helper| Kernel::new(helper, host::now())),
        questions: Questions::new(user, waker.clone()),
        mailbox,
        waker: waker.clone(),
        standing: Standing::Here,
        unlocker: held.map(|held| Unlocker::new(held, waker.clone())),
        exchange: Exchange::new(waker),
        vault_pin_prompt: None,
        idle: IdleLock::new(options.locking.lock_after.0),
        stop,
        log,
        connections: Vec::new(),
        next_connection: 0,
        powered: true,
    };
    daemon.run()
}

/// The key, and the folder that it keeps itself in. Its vault is open where the command line has the Vault PIN.
fn power_up(
    state: Option<&Path>,
    options: &Key,
    start: Option<&Start>,
    log: &Log,
) -> Result<(Device, Option<Held>), Failure> {
    let config = key::config(&options.model);
    if options.temporary {
        log.problem(
            "WARNING: this key is temporary: no Vault PIN protects it, and all that is on it is gone when it ends. \
             Use it for tests only",
        );
        return Ok((key::device(key::temporary_vault()?, config)?, None));
    }
    let (State { locked, held }, chosen) = match offer_vault(state, options, start)? {
        Some(Made { state, pin }) => (state, Some(pin)),
        None => (membership::state(state)?, None),
    };
    // Better now than when a site waits.
    held.device_keys(locked.trust().pin_generation())?.check()?;
    let pin = match chosen {
        Some(pin) => Some(pin),
        None => options.vault_pin.read()?,
    };
    let Some(pin) = pin else {
        return Ok((key::locked_device(locked, config), Some(held)));
    };
    let vault = open_with_pin(locked, &held, &pin)?;
    let mut device = key::device(vault, config)?;
    device.vault_opened(host::now());
    Ok((device, Some(held)))
}

/// Has somebody who begins make a vault, where `wardkey up` was typed at a terminal.
fn offer_vault(state: Option<&Path>, options: &Key, start: Option<&Start>) -> Result<Option<Made>, Failure> {
    let is_asked_for = start.is_some() && options.vault_pin.vault_pin_file.is_none();
    if is_asked_for && io::stderr().is_terminal() && !State::is_there(state)? {
        return membership::first_vault(state);
    }
    Ok(None)
}

fn listen(purpose: Purpose, address: Address) -> Result<Listener, Failure> {
    Listener::open(purpose, address.clone()).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            "another program uses it: stop that one, or choose another address"
        } else if error.kind() == io::ErrorKind::NotFound {
            "make the folder first, or choose another path"
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            "choose an address that this user may use, such as a port from 1024 on"
        } else {
            "choose another address"
        };
        Failure::new(format!("cannot listen on {address}: {error}"), hint)
    })
}

/// What built-in user verification the key can offer. One that does not work now is offered as one that is not set up.
fn offer_verification(device: &mut Device, user: &User, log: &Log) -> Result<(), Failure> {
    device.set_account_choice(user.asker.can_choose_account());
    let Some(verifier) = &user.verifier else {
        return Ok(());
    };
    let modality = verifier.modality();
    let probed = verifier.probe();
    device.set_verifier(Some(Verifier {
        modality: modality.into(),
        ready: probed.is_ok(),
    }));
    let name = modality.name();
    match probed {
        Err(unavailable) => log.problem(&format!(
            "you cannot be verified by {name}: {unavailable}. hint: {}; then start wardkey again",
            unavailable.hint()
        )),
        Ok(_) if modality == Modality::Pin && lacks_pin(device)? => log
            .problem(
                "you cannot be verified by PIN yet: the key has none. hint: set one in the settings of your browser, or \
                 with `fido2-token -S`",
            ),
        Ok(found) => log.verifies(modality, &found),
    }
    Ok(())
}

/// Whether the key has no PIN. That is not known while the vault is locked.
fn lacks_pin(device: &mut Device) -> Result<bool, Failure> {
    match device.authenticator_mut() {
        Some(authenticator) => Ok(!authenticator.facts().map_err(broken_state)?.has_pin),
        None => Ok(false),
    }
}

fn unexpected(what: &str, error: &io::Error) -> Failure {
    Failure::new(
        format!("no {what}: {error}"),
        "close other programs, and start wardkey again",
    )
}

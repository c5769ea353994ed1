//! `wardkey sync`: passkeys on the person's other devices. A running key exchanges by itself; where none runs, these
//! commands do it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use wardkey_vault::{Document, State, Vault};

use super::opened::{broken, vault};
use super::{Call, passkeys};
use crate::cli::membership::VaultPinSource;
use crate::cli::sync::{Setup, StoreOptions};
use crate::commands::show;
use crate::control::{Answer, Client, Request, SyncAction, SyncStatus};
use crate::error::Failure;
use crate::host;
use crate::remote::{Account, Address, Finding, Patience, Secrets, probe};
use crate::state::{Folder, Held};
use crate::sync::{Driver, Progress, Storage, report, to_the_end};

/// How often a running key is asked how far it is.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The store that the command line names, and what opens it.
pub(crate) fn account(options: &StoreOptions) -> Result<Account, Failure> {
    let address = Address::parse(&options.store)?;
    let secrets = match (&options.credentials_file, &address) {
        (Some(file), _) => Some(Secrets::from_file(file)?),
        (None, Address::S3(_)) => Secrets::from_environment(),
        (None, Address::Folder(_) | Address::WebDav(_)) => None,
    };
    Ok(Account::new(address, secrets))
}

/// From now on the vault is exchanged at a store.
pub(crate) fn set_up_sync(call: &mut Call<'_>, options: &Setup) -> Result<(), Failure> {
    let storage = try_out(call, &options.store)?;
    let (mut vault, held) = vault(call, &options.vault_pin)?;
    let rng = &mut host::rng();
    let moves = vault.syncs();
    vault
        .put_document(rng, Document::Storage, storage.to_bytes(), None)
        .map_err(broken)?;
    vault.begin_sync(rng).map_err(broken)?;
    if !moves {
        let name = options.device_name.clone().unwrap_or_else(host::name);
        vault.name_device(rng, &name).map_err(broken)?;
    }
    let mut driver = exchange(call, &mut vault, &held, |_| {})?;
    if moves && driver.status().state == State::RolledBack {
        // Another store, which has nothing of it yet.
        driver = exchange(call, &mut vault, &held, Driver::heal_all)?;
    }
    outcome(
        call,
        &vault,
        &driver,
        "The vault is exchanged from now on: a running key does it by itself.",
    )
}

/// The store that the command line names, and what it can do.
pub(super) fn try_out(call: &mut Call<'_>, options: &StoreOptions) -> Result<Storage, Failure> {
    let account = account(options)?;
    call.dialogue.say("Trying out the storage.\n")?;
    let Finding { capabilities, .. } = probe(&account, Patience::default())?;
    if !capabilities.read_after_write {
        return Err(Failure::new(
            "this storage does not give back what was just written",
            "use another one: nothing could be relied on",
        ));
    }
    Ok(Storage {
        account,
        capabilities,
    })
}

/// Exchanges once, or puts back what the store has lost.
pub(crate) fn sync(call: &mut Call<'_>, source: &VaultPinSource, action: SyncAction) -> Result<(), Failure> {
    if let Some(mut client) = running(call.given)? {
        let mut status = ask(&mut client, Some(action))?;
        while !status.rests && status.store.is_some() {
            pause();
            status = ask(&mut client, None)?;
        }
        return show(call, &status, "");
    }
    let (mut vault, held) = vault(call, source)?;
    let mut driver = exchange(call, &mut vault, &held, |_| {})?;
    if action == SyncAction::Heal && driver.status().state == State::RolledBack {
        driver = exchange(call, &mut vault, &held, Driver::heal_all)?;
    }
    outcome(call, &vault, &driver, "")
}

/// How it goes; nothing is exchanged.
pub(crate) fn sync_status(call: &mut Call<'_>, source: &VaultPinSource) -> Result<(), Failure> {
    let status = status(call, source)?;
    show(call, &status, "")
}

/// What the running key says of the exchange, or where none runs the vault.
pub(super) fn status(call: &mut Call<'_>, source: &VaultPinSource) -> Result<SyncStatus, Failure> {
    if let Some(mut client) = running(call.given)? {
        return ask(&mut client, None);
    }
    let (vault, _held) = vault(call, source)?;
    report(&vault, None)
}

/// The key that runs on the state folder.
fn running(given: Option<&Path>) -> Result<Option<Client>, Failure> {
    let path = Folder::locate(given)?;
    match Folder::open(&path)? {
        Some(folder) => Client::connect(&folder).map_err(|error| crate::commands::lost(&error)),
        None => Ok(None),
    }
}

fn ask(client: &mut Client, first: Option<SyncAction>) -> Result<SyncStatus, Failure> {
    let answer = client
        .request(&Request::Sync { first })
        .map_err(|error| crate::commands::lost(&error))?;
    let reason = match answer {
        Answer::Sync(status) => return Ok(*status),
        Answer::Locked => {
            return Err(Failure::new(
                "the vault is locked, so nothing is exchanged",
                "unlock it first: wardkey unlock",
            ));
        }
        Answer::StandsAsideFor { command } => return Err(crate::commands::stands_aside_for(&command)),
        Answer::Failed { reason } => reason,
        Answer::Passkeys { .. }
        | Answer::Deleted { .. }
        | Answer::Trash { .. }
        | Answer::TakenBack { .. }
        | Answer::Info(_)
        | Answer::Log(_)
        | Answer::AttestationRoot { .. }
        | Answer::Status(_)
        | Answer::Unlocked
        | Answer::StandsAside { .. }
        | Answer::StaysLocked { .. } => return Err(crate::commands::misunderstood()),
    };
    Err(Failure::new(reason, "look at what the running key printed"))
}

/// One exchange, with progress for the person who waits.
pub(super) fn exchange(
    call: &mut Call<'_>,
    vault: &mut Vault,
    held: &Held,
    prepare: impl FnOnce(&mut Driver),
) -> Result<Driver, Failure> {
    let began = host::stopwatch();
    let mut shown = began;
    let dialogue = &mut *call.dialogue;
    to_the_end(vault, held, prepare, &mut |Progress { status }| {
        let now = host::stopwatch();
        if now - shown < Duration::from_secs(1) {
            return;
        }
        shown = now;
        // Whoever cannot be told has nothing to see.
        let _ = dialogue.say(&format!(
            "Read {} of {} objects, wrote {}.\n",
            status.read, status.to_read, status.written
        ));
    })
}

pub(super) fn outcome(
    call: &mut Call<'_>,
    vault: &Vault,
    driver: &Driver,
    note: &str,
) -> Result<(), Failure> {
    let status = report(vault, Some(driver))?;
    let count = passkeys(vault.len());
    show(
        call,
        &status,
        &format!(
            "{note}{}{count} on this device.\n",
            if note.is_empty() { "" } else { "\n" }
        ),
    )
}

/// Prints how it goes. Where something is wrong, that is a failure.
fn show(call: &mut Call<'_>, status: &SyncStatus, note: &str) -> Result<(), Failure> {
    let Some(store) = &status.store else {
        call.print(
            &json!({ "store": null }),
            "This vault is not exchanged with other devices.\n",
        )?;
        return Ok(());
    };
    let mut text = format!("Storage       {store}\nState         {}\n", status.text);
    if let Some(trouble) = &status.trouble {
        text.push_str(&format!("              {trouble}\n"));
    }
    for name in &status.missing {
        text.push_str(&format!("Missing       {name}\n"));
    }
    for device in &status.devices {
        let name = device.name.as_deref().unwrap_or("(no name)");
        let what = match (device.is_this, device.is_removed) {
            (true, _) => ", this one",
            (false, true) => ", removed",
            (false, false) => "",
        };
        let id = show::short_device(&device.id);
        text.push_str(&format!("Device        {id}  {name}{what}\n"));
    }
    text.push_str(note);
    call.print(&as_json(status), &text)?;
    match &status.hint {
        Some(hint) => Err(Failure::new(&status.text, hint)),
        None if status.state == "offline" => Err(Failure::new(
            status.trouble.as_ref().unwrap_or(&status.text),
            "check the network and the address, or try again later: wardkey sync now",
        )),
        None => Ok(()),
    }
}

fn as_json(status: &SyncStatus) -> Value {
    serde_json::to_value(status).expect("a status has text keys and no maps that fail")
}

#[expect(clippy::disallowed_methods, reason = "nothing else is to be done meanwhile")]
fn pause() {
    std::thread::sleep(ASK_AGAIN);
}

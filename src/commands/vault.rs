//! `wardkey unlock`, `lock` and `status`: the vault of the running key.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::access::{lost, misunderstood, stands_aside_for};
use crate::cli::membership::VaultPinSource;
use crate::control::{Answer, Client, Request, SentPin, Status, VaultState};
use crate::device_keys::{DeviceKeys, describe};
use crate::error::Failure;
use crate::state::{Error, Folder, State, read_device_keys};
use crate::unlock::ask_for_vault_pin;

/// Opens the vault of the running key.
pub(crate) fn unlock(
    given: Option<&Path>,
    source: &VaultPinSource,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut client = running(given)?;
    let status = ask_status(&mut client)?;
    if let Some(command) = &status.stands_aside_for {
        return Err(stands_aside_for(command));
    }
    match status.vault {
        VaultState::Locked => {}
        VaultState::Open => return say(out, json, "open", "The vault is open already."),
        VaultState::WithoutPin | VaultState::None => return Err(misunderstood()),
    }
    let pin = match source.read()? {
        Some(pin) => pin,
        None => ask_for_vault_pin()?,
    };
    let vault_pin = SentPin::new(pin);
    let answer = ask(&mut client, &Request::Unlock { vault_pin })?;
    if let Answer::StaysLocked { reason, hint } = answer {
        return Err(Failure::new(format!("the vault stays locked: {reason}"), hint));
    }
    expect(&answer, &Answer::Unlocked)?;
    say(out, json, "open", "The vault is unlocked.")
}

/// Closes the vault of the running key.
pub(crate) fn lock(given: Option<&Path>, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = running(given)?;
    let answer = ask(&mut client, &Request::Lock)?;
    expect(&answer, &Answer::Locked)?;
    say(out, json, "locked", "The vault is locked.")
}

/// Says how the vault stands, whether a key runs or not.
pub(crate) fn status(given: Option<&Path>, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let path = Folder::locate(given)?;
    let folder = Folder::open(&path)?;
    let client = match &folder {
        None => None,
        Some(folder) => Client::connect(folder).map_err(|error| lost(&error))?,
    };
    let status = match client {
        Some(mut client) => ask_status(&mut client)?,
        None => of_folder(given)?,
    };
    let Status {
        process,
        vault,
        wrong_pins,
        pin_generation,
        stands_aside_for,
    } = status;
    let keys = match (&folder, pin_generation) {
        (Some(folder), Some(generation)) => Some(read_device_keys(folder, generation)?),
        _ => None,
    };
    let guessing = keys.as_deref().map(DeviceKeys::guessing);
    if json {
        let facts = json!({
            "state": path.display().to_string(),
            "process": process,
            "vault": vault,
            "stands_aside_for": stands_aside_for,
            "wrong_vault_pins": wrong_pins,
            "device_keys": keys.map(|keys| keys.place()),
            "guess_limit": guessing.and_then(Result::ok).map(|(limit, _)| describe(limit)),
        });
        return super::print(out, &format!("{facts}\n"));
    }
    let vault = match vault {
        VaultState::None => "none yet (wardkey init makes one)",
        VaultState::WithoutPin => "from before, without a Vault PIN (wardkey init gives it one)",
        VaultState::Open => "open",
        VaultState::Locked => "locked",
    };
    let key = match (process, stands_aside_for) {
        (Some(process), None) => format!("runs as process {process}"),
        (Some(process), Some(command)) => {
            format!("runs as process {process}, and stands aside for {command}")
        }
        (None, _) => "does not run".to_owned(),
    };
    let mut text = format!("Key           {key}\nVault         {vault}\n");
    if wrong_pins > 0 {
        text.push_str(&format!("Wrong PINs    {wrong_pins} since the last right one\n"));
    }
    if let (Some(keys), Some(guessing)) = (keys, guessing) {
        let guessing = guessing.map_or_else(|failure| format!("not known: {failure}"), |(_, words)| words);
        let place = keys.place();
        text.push_str(&format!("Device keys   {place}\nGuess limit   {guessing}\n"));
    }
    super::print(out, &text)
}

fn of_folder(given: Option<&Path>) -> Result<Status, Failure> {
    let mut status = Status {
        process: None,
        vault: VaultState::None,
        wrong_pins: 0,
        pin_generation: None,
        stands_aside_for: None,
    };
    match State::open(given) {
        Ok(None) => {}
        Err(Error::WithoutPin(_)) => status.vault = VaultState::WithoutPin,
        Err(error) => return Err(error.into()),
        Ok(Some(State { locked, .. })) => {
            status.vault = VaultState::Locked;
            status.wrong_pins = locked.wrong_pins();
            status.pin_generation = Some(locked.trust().pin_generation());
        }
    }
    Ok(status)
}

fn running(given: Option<&Path>) -> Result<Client, Failure> {
    let folder = Folder::open(&Folder::locate(given)?)?;
    let client = folder
        .as_ref()
        .map(Client::connect)
        .transpose()
        .map_err(|error| lost(&error))?;
    client.flatten().ok_or_else(|| {
        Failure::new(
            "no key runs on this state folder",
            "start it: wardkey up. If it has another folder, give that: --state DIR",
        )
    })
}

fn ask_status(client: &mut Client) -> Result<Status, Failure> {
    let Answer::Status(status) = ask(client, &Request::Status)? else {
        return Err(misunderstood());
    };
    Ok(status)
}

fn ask(client: &mut Client, request: &Request) -> Result<Answer, Failure> {
    client.request(request).map_err(|error| lost(&error))
}

fn expect(answer: &Answer, expected: &Answer) -> Result<(), Failure> {
    if answer == expected {
        Ok(())
    } else {
        Err(misunderstood())
    }
}

fn say(out: &mut dyn Write, json: bool, vault: &str, text: &str) -> Result<(), Failure> {
    if json {
        super::print(out, &format!("{}\n", json!({ "vault": vault })))
    } else {
        super::print(out, &format!("{text}\n"))
    }
}

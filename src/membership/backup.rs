//! `wardkey export` and `wardkey import`: all passkeys that may leave this computer, in a file that a passphrase protects, or
//! in clear for other programs.

use std::path::Path;

use serde_json::{Value, json};
use wardkey_authenticator::exchange::{Leaving, leaving, looks_like_json};
use wardkey_vault::{CredentialId, Event, GuessLimit, NotExported, NotImported, Passkey, Vault, open_backup};
use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use super::opened::{broken, now_record, record, vault};
use super::passkey_file::{Target, read};
use super::secret_file::first_line;
use super::{Call, cost, cxf, passkeys, vault_pin};
use crate::cli::membership::{Backup, Export, Format};
use crate::commands::show;
use crate::control::Listed;
use crate::error::Failure;
use crate::host;

/// How often the passphrase of a file is asked for.
const TRIES: usize = 3;

/// What will be written.
struct Made {
    bytes: Zeroizing<Vec<u8>>,
    passkeys: usize,
    /// Passkeys that may leave, and are not in it.
    left_out: Vec<CredentialId>,
    event: fn(u32) -> Event,
}

/// Writes a file.
pub(crate) fn export(call: &mut Call<'_>, options: &Export) -> Result<(), Failure> {
    let Export { backup, format } = options;
    let target = Target::of(&backup.file)?;
    if *format == Format::Cxf {
        if backup.passphrase_file.is_some() {
            return Err(Failure::new(
                "nothing is encrypted in the exchange format, so there is no passphrase",
                "leave --passphrase-file away, or leave --format cxf away",
            ));
        }
        call.dialogue.say(cxf::WARNING)?;
    }
    let (mut vault, _held) = vault(call, &backup.vault_pin)?;
    let Leaving { passkeys, staying } = leaving(&vault).map_err(broken)?;
    let made = match format {
        Format::Backup => sealed(&passkeys, backup.passphrase_file.as_deref(), call.dialogue)?,
        Format::Cxf => in_clear(&passkeys)?,
    };
    call.dialogue.check_wanted()?;
    let staying = load(&vault, &staying)?;
    let left_out = load(&vault, &made.left_out)?;
    // Before the file is there: nothing leaves without an entry.
    let event = (made.event)(u32::try_from(made.passkeys).unwrap_or(u32::MAX));
    record(&mut vault, event)?;
    target.write(&made.bytes)?;
    tell(call, &target, &made, &[staying, left_out])
}

fn in_clear(passkeys: &[Passkey]) -> Result<Made, Failure> {
    let written = cxf::written(passkeys)?;
    Ok(Made {
        bytes: written.json,
        passkeys: written.passkeys,
        left_out: written.left_out,
        event: |passkeys| Event::ExportedInClear { passkeys },
    })
}

fn sealed(
    passkeys: &[Passkey],
    passphrase_file: Option<&Path>,
    dialogue: &mut dyn Dialogue,
) -> Result<Made, Failure> {
    let passphrase = match passphrase_file {
        Some(file) => first_line(file)?,
        None => {
            dialogue.say(
                "The passphrase protects the file alone, and is asked for when it is imported. It is kept nowhere.\n",
            )?;
            vault_pin::choose_word("passphrase", GuessLimit::None, dialogue)?
        }
    };
    dialogue.say("Sealing the passkeys. This takes a few seconds.\n")?;
    let now = host::unix_now_ms();
    let backup = wardkey_vault::export(passkeys, &passphrase, cost(None), now, &mut host::rng());
    let backup = backup.map_err(|error| not_exported(&error))?;
    Ok(Made {
        bytes: Zeroizing::new(backup.bytes),
        passkeys: backup.passkeys,
        left_out: backup.left_out,
        event: |passkeys| Event::Exported { passkeys },
    })
}

/// Says what was written; where a program takes the passkeys from standard output, only to the person.
fn tell(
    call: &mut Call<'_>,
    target: &Target,
    made: &Made,
    [staying, left_out]: &[Vec<Listed>; 2],
) -> Result<(), Failure> {
    let Target::File(path) = target else {
        let text = format!("{} written.\n", passkeys(made.passkeys));
        return call.dialogue.say(&(text + &not_in_it(staying, left_out)));
    };
    let text = format!("{} in {}.\n", passkeys(made.passkeys), path.display());
    let not_in_file: Vec<_> = staying.iter().chain(left_out).collect();
    let json = json!({ "file": path, "passkeys": made.passkeys, "left_out": not_in_file });
    call.print(&json, &(text + &not_in_it(staying, left_out)))
}

fn not_in_it(staying: &[Listed], left_out: &[Listed]) -> String {
    let mut text = String::new();
    for (passkeys, why) in [
        (staying, "because they are bound to this device"),
        (left_out, "because no other program could use their keys"),
    ] {
        if !passkeys.is_empty() {
            text.push_str(&format!("Not in it, {why}:\n"));
        }
        for passkey in passkeys {
            let (account, site) = (show::account(passkey), show::site(passkey));
            text.push_str(&format!("  {account} at {site}\n"));
        }
    }
    text
}

/// Adds the passkeys of a file: all that can be kept, or, where something fails, none.
pub(crate) fn import(call: &mut Call<'_>, options: &Backup) -> Result<(), Failure> {
    let bytes = read(&options.file)?;
    let of_others = looks_like_json(&bytes).then(|| cxf::found(&bytes)).transpose()?;
    let (mut vault, _held) = vault(call, &options.vault_pin)?;
    match of_others {
        Some(found) => {
            call.dialogue.check_wanted()?;
            let (mut json, text) = add(&mut vault, &found.passkeys)?;
            if let (Value::Object(json), Value::Object(not_taken)) = (&mut json, cxf::in_json(&found)) {
                json.extend(not_taken);
            }
            call.print(&json, &(text + &cxf::in_words(&found)))
        }
        None => {
            let found = open(&bytes, options.passphrase_file.as_deref(), call.dialogue)?;
            call.dialogue.check_wanted()?;
            let (json, text) = add(&mut vault, &found)?;
            call.print(&json, &text)
        }
    }
}

/// What was added, for programs and for people.
fn add(vault: &mut Vault, found: &[Passkey]) -> Result<(Value, String), Failure> {
    let added = vault.add(&mut host::rng(), found, |added| {
        let passkeys = u32::try_from(added).unwrap_or(u32::MAX);
        Some(now_record(Event::Imported { passkeys }))
    });
    let added = added.map_err(broken)?;
    let there = found.len().saturating_sub(added);
    let mut text = format!("{} added.\n", passkeys(added));
    if there > 0 {
        text.push_str(&format!(
            "{} of the file passed over: the same passkey, or another of the same account, is here.\n",
            passkeys(there)
        ));
    }
    Ok((json!({ "added": added, "passed_over": there }), text))
}

fn open(
    bytes: &[u8],
    passphrase_file: Option<&Path>,
    dialogue: &mut dyn Dialogue,
) -> Result<Vec<Passkey>, Failure> {
    let tries = if passphrase_file.is_some() { 1 } else { TRIES };
    for _ in 0..tries {
        let passphrase: Zeroizing<String> = match passphrase_file {
            Some(file) => first_line(file)?,
            None => dialogue.ask_hidden("Passphrase of the file: ")?,
        };
        match open_backup(bytes, &passphrase) {
            Ok(passkeys) => return Ok(passkeys),
            Err(error @ NotImported::WrongPassphrase) => dialogue.say(&format!("No: {error}.\n"))?,
            Err(error) => return Err(not_imported(&error)),
        }
    }
    Err(not_imported(&NotImported::WrongPassphrase))
}

fn load(vault: &Vault, ids: &[CredentialId]) -> Result<Vec<Listed>, Failure> {
    let load = |id| vault.load(id).transpose();
    let passkeys = ids.iter().filter_map(load);
    passkeys
        .map(|passkey| passkey.map(Listed::from).map_err(broken))
        .collect()
}

fn not_exported(error: &NotExported) -> Failure {
    let hint = match error {
        NotExported::Passphrase(_) => "choose another one, for example six words that do not belong together",
        NotExported::OutOfMemory(_) => "close other programs, and try again",
        NotExported::Passkey(_) => "check the disk: is it full, read-only or failing?",
        NotExported::TooLarge => "delete passkeys that are not needed: wardkey list, wardkey delete",
    };
    Failure::new(error, hint)
}

fn not_imported(error: &NotImported) -> Failure {
    let hint = match error {
        NotImported::NotABackup => {
            "give a file that wardkey export wrote, or one in the exchange format (CXF)"
        }
        NotImported::NewerVersion => "update wardkey on this computer",
        NotImported::Kdf(_) => "do not use this file: somebody may have changed it",
        NotImported::WrongPassphrase => "try again; without the passphrase nothing opens the file",
        NotImported::OutOfMemory(_) => "close other programs, and try again",
    };
    Failure::new(error, hint)
}

//! `wardkey export` and `wardkey import`: all passkeys that may leave this computer, in a file that a passphrase protects.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;
use wardkey_vault::{Event, GuessLimit, NotExported, NotImported, Passkey, Vault, open_backup};
use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use super::opened::{broken, now_record, record, vault};
use super::secret_file::first_line;
use super::{Call, cost, passkeys, vault_pin};
use crate::cli::membership::Backup;
use crate::commands::show;
use crate::control::Listed;
use crate::error::Failure;
use crate::host;

/// How often the passphrase of a file is asked for.
const TRIES: usize = 3;
/// More than any backup has.
const FILE_LEN_MAX: u64 = 80 << 20;

/// Writes a backup.
pub(crate) fn export(call: &mut Call<'_>, options: &Backup) -> Result<(), Failure> {
    let path = &options.file;
    if path.symlink_metadata().is_ok() {
        return Err(not_written(path, &io::ErrorKind::AlreadyExists.into()));
    }
    let (mut vault, _held) = vault(call.given, &options.vault_pin, call.dialogue)?;
    let passphrase = match options.passphrase_file.as_deref() {
        Some(file) => first_line(file)?,
        None => {
            call.dialogue.say(
                "The passphrase protects the file alone, and is asked for when it is imported. It is kept nowhere.\n",
            )?;
            vault_pin::choose_word("passphrase", GuessLimit::None, call.dialogue)?
        }
    };
    call.dialogue
        .say("Sealing the passkeys. This takes a few seconds.\n")?;
    let made = host::unix_now_ms();
    let backup = wardkey_vault::export(&vault, &passphrase, cost(None), made, &mut host::rng());
    let backup = backup.map_err(|error| not_exported(&error))?;
    call.dialogue.check_wanted()?;
    let left_out = load(&vault, &backup.left_out)?;
    // Before the file is there: nothing leaves without an entry.
    let passkeys_in_file = u32::try_from(backup.passkeys).unwrap_or(u32::MAX);
    record(
        &mut vault,
        Event::Exported {
            passkeys: passkeys_in_file,
        },
    )?;
    write_new(path, &backup.bytes).map_err(|error| not_written(path, &error))?;
    let mut text = format!("{} in {}.\n", passkeys(backup.passkeys), path.display());
    if !left_out.is_empty() {
        text.push_str("Not in it, because they are bound to this device:\n");
    }
    for passkey in &left_out {
        text.push_str(&format!(
            "  {} at {}\n",
            show::account(passkey),
            show::site(passkey)
        ));
    }
    call.print(
        &json!({ "file": path, "passkeys": backup.passkeys, "left_out": left_out }),
        &text,
    )
}

/// Adds the passkeys of a backup.
pub(crate) fn import(call: &mut Call<'_>, options: &Backup) -> Result<(), Failure> {
    let path = &options.file;
    let bytes = read(path)?;
    let (mut vault, _held) = vault(call.given, &options.vault_pin, call.dialogue)?;
    let found = open(&bytes, options.passphrase_file.as_deref(), call.dialogue)?;
    call.dialogue.check_wanted()?;
    let added = vault.add(&mut host::rng(), &found, |added| {
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
    call.print(&json!({ "added": added, "passed_over": there }), &text)
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

fn load(vault: &Vault, ids: &[wardkey_vault::CredentialId]) -> Result<Vec<Listed>, Failure> {
    let load = |id| vault.load(id).transpose();
    let passkeys = ids.iter().filter_map(load);
    passkeys
        .map(|passkey| passkey.map(Listed::from).map_err(broken))
        .collect()
}

/// A new file for its owner alone, durable when this returns; nothing is left of one that could not be written.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // It is useless, and sealed.
        let _left_behind = remove_file(path);
    }
    written
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_LEN_MAX).read_to_end(&mut bytes))
        .map_err(|error| {
            Failure::new(
                format!("cannot read {}: {error}", path.display()),
                "give a file that wardkey export wrote",
            )
        })?;
    Ok(bytes)
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        format!("cannot write {}: {error}", path.display()),
        "give the name of a new file, where there is room",
    )
}

fn not_exported(error: &NotExported) -> Failure {
    let hint = match error {
        NotExported::Passphrase(_) => "choose another one, for example six words that do not belong together",
        NotExported::OutOfMemory(_) => "close other programs, and try again",
        NotExported::Vault(_) => "check the disk: is it full, read-only or failing?",
        NotExported::TooLarge => "delete passkeys that are not needed: wardkey list, wardkey delete",
    };
    Failure::new(error, hint)
}

fn not_imported(error: &NotImported) -> Failure {
    let hint = match error {
        NotImported::NotABackup => "give a file that wardkey export wrote",
        NotImported::NewerVersion => "update wardkey on this computer",
        NotImported::Kdf(_) => "do not use this file: somebody may have changed it",
        NotImported::WrongPassphrase => "try again; without the passphrase nothing opens the file",
        NotImported::OutOfMemory(_) => "close other programs, and try again",
    };
    Failure::new(error, hint)
}

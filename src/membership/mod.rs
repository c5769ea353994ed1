//! `wardkey init` and the commands that change who can open the vault. They work on the state folder; a key that runs on it
//! stands aside meanwhile.
//!
//! Each asks for all that it needs first, and writes last: whoever stops it before has changed nothing. What it writes
//! is durable in an order in which the power may go at any time: the keys of this device under their new name, then
//! the change in one transaction, and only then is removed what nothing uses any more.

mod adopt_pin;
mod agreed;
mod backup;
mod change_pin;
mod cxf;
mod devices;
mod dialogue;
mod exchange;
mod fetched;
mod init;
mod join;
mod kit;
mod mailbox;
mod opened;
mod passkey_file;
mod qr_code;
mod recover;
mod recover_at_store;
mod renew_kit;
mod running_key;
mod secret_file;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(feature = "demo")]
pub(crate) mod unattended;
mod vault_pin;
mod verified;

use std::io::{Write, stdout};
use std::path::Path;

use rustix::system::sysinfo;
use serde_json::Value;
use wardkey_vault::{KdfCost, Trust};
use zeroize::Zeroizing;

pub(crate) use self::adopt_pin::adopt_pin;
pub(crate) use self::backup::{export, import};
pub(crate) use self::change_pin::change_pin;
pub(crate) use self::devices::{approve_device, devices, revoke_device};
use self::dialogue::Dialogue;
pub(crate) use self::exchange::{account, set_up_sync, sync, sync_status};
pub(crate) use self::init::{Made, init};
pub(crate) use self::join::add_device;
pub(crate) use self::opened::state;
pub(crate) use self::recover::recover;
pub(crate) use self::renew_kit::renew_kit;
use self::running_key::RunningKey;
pub(crate) use self::secret_file::lines as secret_lines;
use crate::cli::membership::Init;
use crate::commands;
use crate::error::Failure;
use crate::host;
use crate::state::{Folder, State};

/// From so much memory on, a guess at the Vault PIN may take 256 MiB of it.
const MEMORY_OF_A_DESKTOP: u64 = 2 << 30;

/// What all commands have in common.
pub(crate) struct Call<'a> {
    /// The state folder of the command line.
    given: Option<&'a Path>,
    /// The words of the command.
    name: &'a str,
    dialogue: &'a mut dyn Dialogue,
    json: bool,
    out: &'a mut dyn Write,
    /// It stands aside for the command.
    running_key: Option<RunningKey>,
}

/// Carries out a command for the person at the terminal.
pub(crate) fn call(
    (given, json): (Option<&Path>, bool),
    name: &str,
    command: impl FnOnce(&mut Call<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (dialogue, out) = (&mut *terminal::dialogue(), &mut stdout());
    Call::new(given, name, dialogue, out)
        .json(json)
        .carry_out(command)
}

/// Makes the first vault when the key is started; `None` where there is nobody to choose the Vault PIN.
pub(crate) fn first_vault(given: Option<&Path>) -> Result<Option<Made>, Failure> {
    let Some(mut dialogue) = terminal::open() else {
        return Ok(None);
    };
    let path = Folder::locate(given)?;
    dialogue.say(&format!(
        "There is no vault in {} yet. It is made now; Ctrl-C makes none.\n",
        path.display()
    ))?;
    let out = &mut stdout();
    let call = &mut Call::new(given, "up", &mut *dialogue, out);
    init::make_vault(call, &Init::default(), "").map(Some)
}

impl<'a> Call<'a> {
    /// Prints for people.
    fn new(
        given: Option<&'a Path>,
        name: &'a str,
        dialogue: &'a mut dyn Dialogue,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            given,
            name,
            dialogue,
            json: false,
            out,
            running_key: None,
        }
    }

    /// Prints JSON or not.
    fn json(self, json: bool) -> Self {
        Self { json, ..self }
    }

    /// Carries the command out. A key that has stood aside comes back, however it went.
    fn carry_out<T>(mut self, command: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let done = command(&mut self);
        if let Some(key) = self.running_key.take() {
            // Whoever cannot be told finds out.
            let _ = key.come_back(self.dialogue);
        }
        done
    }

    /// The state folder, where there is a vault. A key that runs on it stands aside until the command has ended.
    fn state(&mut self) -> Result<State, Failure> {
        if self.running_key.is_none() {
            self.running_key = RunningKey::stand_aside(self.given, self.name)?;
        }
        state(self.given)
    }

    /// What Vault PIN is in force; nothing as long as that is not known.
    fn vault_pin_is(&mut self, pin: Option<&str>) {
        if let Some(key) = &mut self.running_key {
            key.vault_pin = pin.map(|pin| Zeroizing::new(pin.to_owned()));
        }
    }

    /// What the command did, as JSON or for people.
    fn print(&mut self, json: &Value, text: &str) -> Result<(), Failure> {
        if self.json {
            commands::print(self.out, &format!("{json}\n"))
        } else {
            commands::print(self.out, text)
        }
    }
}

/// How much work one guess at a new Vault PIN is on this computer. In a vault it never becomes less.
fn cost(vault: Option<&Trust>) -> KdfCost {
    let info = sysinfo();
    let memory = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let here = if memory >= MEMORY_OF_A_DESKTOP && !cfg!(test) {
        KdfCost::DESKTOP
    } else {
        KdfCost::FLOOR
    };
    match vault.and_then(Trust::kdf) {
        Some(before) if here.at_least(before.cost()).is_err() => before.cost(),
        _ => here,
    }
}

/// Now, as the trust log counts time: milliseconds since the Unix epoch, with 16 bits for what happens within one.
fn now() -> u64 {
    host::unix_now_ms().saturating_mul(1 << 16)
}

/// Passkeys in words.
fn passkeys(count: usize) -> String {
    match count {
        1 => "1 passkey".to_owned(),
        count => format!("{count} passkeys"),
    }
}

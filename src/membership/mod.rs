//! `wardkey init` and the commands that change who can open the vault. They work on a state folder that no key uses.
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
pub(crate) use self::secret_file::lines as secret_lines;
use crate::cli::membership::Init;
use crate::commands;
use crate::error::Failure;
use crate::host;
use crate::state::Folder;

/// From so much memory on, a guess at the Vault PIN may take 256 MiB of it.
const MEMORY_OF_A_DESKTOP: u64 = 2 << 30;

/// What all commands have in common.
pub(crate) struct Call<'a> {
    /// The state folder of the command line.
    given: Option<&'a Path>,
    dialogue: &'a mut dyn Dialogue,
    json: bool,
    out: &'a mut dyn Write,
}

/// Carries out a command for the person at the terminal.
pub(crate) fn call(
    given: Option<&Path>,
    json: bool,
    command: impl FnOnce(&mut Call<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    command(&mut Call {
        given,
        dialogue: &mut *terminal::dialogue(),
        json,
        out: &mut stdout(),
    })
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
    let call = &mut Call {
        given,
        dialogue: &mut *dialogue,
        json: false,
        out: &mut stdout(),
    };
    init::make_vault(call, &Init::default(), "").map(Some)
}

impl Call<'_> {
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

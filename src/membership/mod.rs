//! `wardkey init` and the commands that change who can open the vault. They work on a state folder that no key uses.
//!
//! Each asks for all that it needs first, and writes last: whoever stops it before has changed nothing. What it writes
//! is durable in an order in which the power may go at any time: the keys of this device under their new name, then
//! the change in one transaction, and only then is removed what nothing uses any more.

mod dialogue;
mod init;
mod kit;
mod secret_file;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod vault_pin;

use rustix::system::sysinfo;
use wardkey_vault::KdfCost;

pub(crate) use self::init::init;
pub(crate) use self::terminal::dialogue;
use crate::host;

/// From so much memory on, a guess at the Vault PIN may take 256 MiB of it.
const MEMORY_OF_A_DESKTOP: u64 = 2 << 30;

/// How much work one guess at a new Vault PIN is, on this computer.
fn cost() -> KdfCost {
    let info = sysinfo();
    let memory = info.totalram.saturating_mul(u64::from(info.mem_unit));
    if memory >= MEMORY_OF_A_DESKTOP && !cfg!(test) {
        KdfCost::DESKTOP
    } else {
        KdfCost::FLOOR
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

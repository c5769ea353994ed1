//! `wardkey list`, `delete`, `trash`, `info`, `log`, `metadata`, `attestation`, `unlock`, `lock` and `status`: short commands about
//! the key, its vault and its passkeys, whether a
//! key runs on the folder or not.

mod access;
mod attestation;
mod by_id;
mod delete;
mod info;
mod list;
mod log;
mod metadata;
pub(crate) mod show;
mod sync;
mod trash;
mod vault;

pub(crate) use self::access::{Access, lost, misunderstood, stands_aside_for};
pub(crate) use self::attestation::export;
pub(crate) use self::delete::delete;
pub(crate) use self::info::info;
pub(crate) use self::list::list;
pub(crate) use self::log::log;
pub(crate) use self::metadata::metadata;
pub(crate) use self::sync::check_store;
pub(crate) use self::trash::{list_trash, restore};
pub(crate) use self::vault::{lock, status, unlock};

use std::io::{self, Write};

use crate::error::Failure;

/// Writes all of `text`. A reader that went away, as in `wardkey list | head`, is no failure.
pub(crate) fn print(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            format!("cannot print: {error}"),
            "check where the output goes",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

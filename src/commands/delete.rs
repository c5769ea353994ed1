//! `wardkey delete`: removes one passkey, after asking.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::json;

use super::access::{Access, misunderstood};
use super::by_id::{Among, whose};
use crate::control::{Answer, Listed, ProfileName, Request};
use crate::error::Failure;

/// Deletes the passkey whose id begins with `id`. Asks on the terminal unless `yes`; the answer comes from standard
/// input.
pub(crate) fn delete(
    mut access: Access,
    id: &str,
    yes: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let passkey = Among::Passkeys.find(access.passkeys()?, id)?;
    let is_kept = passkey.profile == ProfileName::Synced && access.has_trash()?;
    if !yes && !confirmed(&passkey, is_kept)? {
        return super::print(out, if json { "null\n" } else { "Nothing was deleted.\n" });
    }
    match access.request(&Request::Delete {
        id: passkey.id.clone(),
    })? {
        Some(Answer::Deleted { existed: true }) => {}
        Some(Answer::Deleted { existed: false }) | None => return Err(Among::Passkeys.none(id)),
        Some(_) => return Err(misunderstood()),
    }
    let text = if json {
        json!({ "deleted": passkey, "is_kept": is_kept }).to_string() + "\n"
    } else {
        let kept = if is_kept {
            "It is kept for 30 days, and can be brought back: wardkey trash.\n"
        } else {
            ""
        };
        format!(
            "Deleted the passkey for {}. Remove it at the site, too.\n{kept}",
            whose(&passkey)
        )
    };
    super::print(out, &text)
}

fn confirmed(passkey: &Listed, is_kept: bool) -> Result<bool, Failure> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::new(
            "nobody can be asked whether to delete the passkey",
            "give --yes to delete it",
        ));
    }
    let after = if is_kept {
        "It can be brought back for 30 days."
    } else {
        "It cannot be brought back."
    };
    eprint!("Delete the passkey for {}? {after} [y/N] ", whose(passkey));
    let mut answer = String::new();
    input
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(format!("no answer: {error}"), "give --yes to delete it"))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

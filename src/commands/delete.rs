//! `wardkey delete`: removes one passkey, after asking.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::json;

use super::access::{Access, misunderstood};
use super::show;
use crate::control::{Answer, Listed, Request};
use crate::error::Failure;

/// The most ids that are named when a beginning fits several.
const NAMED_MAX: usize = 5;

/// Deletes the passkey whose id begins with `id`. Asks on the terminal unless `yes`; the answer comes from standard
/// input.
pub(crate) fn delete(
    mut access: Access,
    id: &str,
    yes: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let passkey = find(access.passkeys()?, id)?;
    if !yes && !confirmed(&passkey)? {
        return super::print(out, if json { "null\n" } else { "Nothing was deleted.\n" });
    }
    match access.request(&Request::Delete {
        id: passkey.id.clone(),
    })? {
        Some(Answer::Deleted { existed: true }) => {}
        Some(Answer::Deleted { existed: false }) | None => return Err(none(id)),
        Some(_) => return Err(misunderstood()),
    }
    let text = if json {
        json!({ "deleted": passkey }).to_string() + "\n"
    } else {
        format!(
            "Deleted the passkey for {}. Remove it at the site, too.\n",
            whose(&passkey)
        )
    };
    super::print(out, &text)
}

/// The only passkey whose id begins so.
fn find(passkeys: Vec<Listed>, id: &str) -> Result<Listed, Failure> {
    let mut found: Vec<Listed> = passkeys
        .into_iter()
        .filter(|passkey| !id.is_empty() && passkey.id.starts_with(id))
        .collect();
    // A whole id may be the beginning of a longer one.
    if let Some(exact) = found.iter().position(|passkey| passkey.id == id) {
        return Ok(found.swap_remove(exact));
    }
    match found.pop() {
        None => Err(none(id)),
        Some(only) if found.is_empty() => Ok(only),
        Some(last) => Err(several(id, &[found, vec![last]].concat())),
    }
}

fn none(id: &str) -> Failure {
    Failure::new(
        format!("no passkey has an id that begins with {id:?}"),
        "see the ids with: wardkey list",
    )
}

fn several(id: &str, found: &[Listed]) -> Failure {
    let named: Vec<String> = found
        .iter()
        .zip(show::short_ids(found))
        .take(NAMED_MAX)
        .map(|(passkey, id)| format!("{id} ({})", whose(passkey)))
        .collect();
    Failure::new(
        format!("{} passkeys have an id that begins with {id:?}", found.len()),
        format!("give more of the id, for example: {}", named.join(", ")),
    )
}

fn whose(passkey: &Listed) -> String {
    format!("{} at {}", show::account(passkey), show::site(passkey))
}

fn confirmed(passkey: &Listed) -> Result<bool, Failure> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::new(
            "nobody can be asked whether to delete the passkey",
            "give --yes to delete it",
        ));
    }
    eprint!(
        "Delete the passkey for {}? It cannot be brought back. [y/N] ",
        whose(passkey)
    );
    let mut answer = String::new();
    input
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(format!("no answer: {error}"), "give --yes to delete it"))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::listed;
    use super::*;

    fn found(ids: &[&str], id: &str) -> Result<String, Failure> {
        find(ids.iter().map(|id| listed(id)).collect(), id).map(|passkey| passkey.id)
    }

    #[test]
    fn a_beginning_finds_the_only_id_that_has_it() {
        assert_eq!(found(&["abcd", "abef", "xyzw"], "abc").unwrap(), "abcd");
        assert_eq!(found(&["abcd", "abef", "xyzw"], "xyzw").unwrap(), "xyzw");
    }

    #[test]
    fn a_whole_id_that_begins_another_one_is_found() {
        assert_eq!(found(&["abcd", "abcdef"], "abcd").unwrap(), "abcd");
    }

    #[test]
    fn no_beginning_and_none_that_fits_are_refused() {
        assert!(found(&["abcd"], "").is_err());
        assert!(found(&["abcd"], "b").is_err());
        assert!(found(&[], "a").is_err());
    }

    #[test]
    fn a_beginning_of_several_is_refused_with_their_names() {
        let failure = found(&["abcdefghijkl", "abcdefghixyz"], "ab").unwrap_err();
        assert_eq!(
            failure.to_string(),
            "2 passkeys have an id that begins with \"ab\""
        );
    }
}

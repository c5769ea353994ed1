//! `wardkey trash`: what was deleted in a vault that syncs, and is kept for a while.

use std::io::Write;

use serde_json::json;

use super::access::{Access, misunderstood};
use super::by_id::{Among, whose};
use super::show;
use crate::control::{Answer, Discarded, Request};
use crate::error::Failure;

/// Prints what is in the trash.
pub(crate) fn list_trash(mut access: Access, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let trash = access.trash()?.ok_or_else(no_trash)?;
    let text = if json {
        serde_json::to_string_pretty(&trash).expect("text keys only") + "\n"
    } else if trash.is_empty() {
        "There is nothing in the trash.\n".to_owned()
    } else {
        show::table(&rows(trash))
    };
    super::print(out, &text)
}

/// One line for each passkey under a line of titles, ordered by site and account.
fn rows(mut trash: Vec<Discarded>) -> Vec<[String; 5]> {
    trash.sort_by_cached_key(|Discarded { passkey, .. }| (passkey.rp_id.clone(), show::account(passkey)));
    let ids = show::short_ids(trash.iter().map(|discarded| &discarded.passkey));
    let titles = ["SITE", "ACCOUNT", "DELETED (UTC)", "DAYS LEFT", "ID"].map(str::to_owned);
    let row = |(discarded, id): (&Discarded, String)| {
        let passkey = &discarded.passkey;
        let (deleted, days) = (
            show::minute(discarded.deleted_unix_ms),
            discarded.days_left.to_string(),
        );
        [show::site(passkey), show::account(passkey), deleted, days, id]
    };
    [titles]
        .into_iter()
        .chain(trash.iter().zip(ids).map(row))
        .collect()
}

/// Takes back the passkey whose id begins with `id`.
pub(crate) fn restore(mut access: Access, id: &str, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let trash = access.trash()?.ok_or_else(no_trash)?;
    let passkeys = trash.into_iter().map(|discarded| discarded.passkey).collect();
    let passkey = Among::Trash.find(passkeys, id)?;
    let replaced = match access.request(&Request::TakeBack {
        id: passkey.id.clone(),
    })? {
        Some(Answer::TakenBack {
            existed: true,
            replaced,
        }) => replaced,
        Some(Answer::TakenBack { existed: false, .. }) | None => return Err(Among::Trash.none(id)),
        Some(_) => return Err(misunderstood()),
    };
    let text = if json {
        json!({ "restored": passkey, "replaced_another": replaced }).to_string() + "\n"
    } else {
        let other = if replaced {
            "The one that was made for this account since is in the trash now.\n"
        } else {
            ""
        };
        format!("The passkey for {} is back.\n{other}", whose(&passkey))
    };
    super::print(out, &text)
}

fn no_trash() -> Failure {
    Failure::new(
        "there is no trash: this vault does not sync, and what is deleted in it is gone",
        "a vault that syncs keeps what is deleted for 30 days: wardkey sync setup",
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{access, listed};
    use super::*;
    use crate::state::testing::{new_folder, open_bare};

    #[test]
    fn the_table_says_what_how_long_and_by_which_id() {
        let discarded = |id: &str, days_left| Discarded {
            passkey: listed(id),
            deleted_unix_ms: 1_700_000_000_000,
            days_left,
        };
        let trash = vec![discarded("abcdefghijkl", 30), discarded("xyzwxyzwxyzw", 2)];
        assert_eq!(
            show::table(&rows(trash)),
            "\
SITE         ACCOUNT  DELETED (UTC)     DAYS LEFT  ID
example.org  ann      2023-11-14 22:13  30         abcdefgh
example.org  ann      2023-11-14 22:13  2          xyzwxyzw
"
        );
    }

    #[test]
    fn a_vault_that_does_not_sync_says_that_it_has_no_trash() {
        let folder = new_folder();
        drop(open_bare(folder.path()));
        let listing = list_trash(access(folder.path()), false, &mut Vec::new()).unwrap_err();
        let restoring = restore(access(folder.path()), "abc", false, &mut Vec::new()).unwrap_err();
        for failure in [listing, restoring] {
            assert!(failure.to_string().contains("does not sync"), "{failure}");
        }
    }

    #[test]
    fn where_there_is_no_vault_nothing_is_in_the_trash() {
        let folder = new_folder();
        let mut out = Vec::new();
        list_trash(access(folder.path()), true, &mut out).unwrap();
        assert_eq!(out, b"[]\n");
        let failure = restore(access(folder.path()), "abc", false, &mut out).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("no passkey in the trash has an id"),
            "{failure}"
        );
    }
}

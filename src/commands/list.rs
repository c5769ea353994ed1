//! `wardkey list`: the passkeys on the key.

use std::io::Write;

use super::access::Access;
use super::show;
use crate::control::Listed;
use crate::error::Failure;

/// Prints the passkeys.
pub(crate) fn list(mut access: Access, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let passkeys = access.passkeys()?;
    let text = if json {
        serde_json::to_string_pretty(&passkeys).expect("text keys only") + "\n"
    } else if passkeys.is_empty() {
        "There are no passkeys on the key.\n".to_owned()
    } else {
        show::table(&rows(passkeys))
    };
    super::print(out, &text)
}

/// One line for each passkey under a line of titles, ordered by site and account.
fn rows(mut passkeys: Vec<Listed>) -> Vec<[String; 5]> {
    passkeys.sort_by_cached_key(|passkey| (passkey.rp_id.clone(), show::account(passkey)));
    let ids = show::short_ids(&passkeys);
    let titles = ["SITE", "ACCOUNT", "ALGORITHM", "MADE (UTC)", "ID"].map(str::to_owned);
    let row = |(passkey, id): (&Listed, String)| {
        [
            show::site(passkey),
            show::account(passkey),
            show::algorithm(passkey.algorithm),
            show::minute(passkey.created_unix_ms),
            id,
        ]
    };
    [titles]
        .into_iter()
        .chain(passkeys.iter().zip(ids).map(row))
        .collect()
}

//! `wardkey export --format cxf`, and the import of such a file: the exchange format of the FIDO Alliance, which is in clear.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use wardkey_authenticator::exchange::{
    Found, Incomplete, LeftOut, Lost, NotRead, Reason, TooLarge, Written, read, write,
};
use wardkey_vault::Passkey;

use crate::error::Failure;
use crate::host;
use crate::prompt::text::visible;

/// Before the Vault PIN is asked for.
pub(super) const WARNING: &str = "The file will have the keys of your passkeys in clear: whoever reads it can sign in as you, and nothing shows it.\n\
    Give it to the other program, and then destroy it. For a backup, leave --format away.\n";

/// After an import.
const REMINDER: &str =
    "The file has the keys of these passkeys in clear: destroy it when it is not needed any more.\n";

/// Writes the file of these passkeys.
pub(super) fn written(passkeys: &[Passkey]) -> Result<Written, Failure> {
    write(passkeys, host::unix_now_ms(), &mut host::rng()).map_err(|TooLarge| {
        Failure::new(
            "there are too many passkeys for one file",
            "delete passkeys that are not needed: wardkey list, wardkey delete",
        )
    })
}

/// What the file of another program has.
pub(super) fn found(bytes: &[u8]) -> Result<Found, Failure> {
    read(bytes, host::unix_now_ms()).map_err(|error| match error {
        NotRead::NotCxf => Failure::new(
            "this is no file in the exchange format of the FIDO Alliance (CXF 1.0), or it is damaged",
            "export it again; other formats with passkeys in them are not understood",
        ),
        NotRead::NewerVersion => Failure::new(
            "this file is in a newer version of the exchange format",
            "update wardkey on this computer",
        ),
        NotRead::TooLarge => Failure::new(
            "this file is larger than 64 MiB",
            "export fewer passkeys at a time",
        ),
    })
}

/// What was not taken, for people, and the reminder.
pub(super) fn in_words(found: &Found) -> String {
    let mut text = String::new();
    if !found.left_out.is_empty() {
        text.push_str("Left out:\n");
    }
    for LeftOut {
        rp_id,
        user_name,
        reason,
    } in &found.left_out
    {
        text.push_str(&format!(
            "  {}: {}\n",
            name(rp_id.as_deref(), user_name.as_deref()),
            why(*reason)
        ));
    }
    if !found.incomplete.is_empty() {
        text.push_str("Not everything of these can be kept here; without it they are:\n");
    }
    for (passkey, lost) in incomplete(found) {
        let name = name(Some(&passkey.rp_id), passkey.user_name.as_deref());
        text.push_str(&format!("  {name}: {}\n", what(lost)));
    }
    match found.others {
        0 => {}
        1 => text.push_str("1 credential of the file is no passkey, and was left out.\n"),
        others => text.push_str(&format!(
            "{others} credentials of the file are no passkeys, and were left out.\n"
        )),
    }
    text.push_str(REMINDER);
    text
}

/// The same for programs.
pub(super) fn in_json(found: &Found) -> Value {
    let left_out = found.left_out.iter().map(|left_out| {
        let LeftOut {
            rp_id,
            user_name,
            reason,
        } = left_out;
        json!({ "rp_id": rp_id, "user_name": user_name, "reason": reason_name(*reason) })
    });
    let incomplete = incomplete(found).map(|(passkey, lost)| {
        let id = Base64UrlUnpadded::encode_string(passkey.id.as_bytes());
        json!({ "id": id, "lost": lost_name(lost) })
    });
    json!({
        "left_out": left_out.collect::<Vec<_>>(),
        "incomplete": incomplete.collect::<Vec<_>>(),
        "other_credentials": found.others,
    })
}

fn incomplete(found: &Found) -> impl Iterator<Item = (&Passkey, Lost)> {
    let incomplete = found.incomplete.iter();
    incomplete.filter_map(|Incomplete { at, lost }| Some((found.passkeys.get(*at)?, *lost)))
}

/// Names come from the file.
fn name(rp_id: Option<&str>, user_name: Option<&str>) -> String {
    let site = rp_id.map_or_else(|| "an unknown site".to_owned(), visible);
    match user_name.map(visible).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} at {site}"),
        None => format!("a passkey at {site}"),
    }
}

fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "something that every passkey has is missing or damaged",
        Reason::OutOfBounds => "a name of the site, the account or the passkey is empty or too long",
        Reason::UnknownAlgorithm => "its key is for an algorithm that wardkey does not have",
        Reason::DamagedKey => "its key is damaged",
    }
}

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "malformed",
        Reason::OutOfBounds => "out-of-bounds",
        Reason::UnknownAlgorithm => "unknown-algorithm",
        Reason::DamagedKey => "damaged-key",
    }
}

fn what(lost: Lost) -> &'static str {
    match lost {
        Lost::HmacSecret => {
            "the secrets for hmac-secret (PRF); what was encrypted with them stays closed to it"
        }
        Lost::CredBlob => "the bytes that the site gave it (credBlob)",
        Lost::LargeBlob => "the data that the site keeps with it (large blob)",
        Lost::Payments => "whether it is for payments",
        Lost::Extensions => "all of its extensions",
    }
}

fn lost_name(lost: Lost) -> &'static str {
    match lost {
        Lost::HmacSecret => "hmac-secret",
        Lost::CredBlob => "cred-blob",
        Lost::LargeBlob => "large-blob",
        Lost::Payments => "payments",
        Lost::Extensions => "extensions",
    }
}

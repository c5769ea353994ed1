//! `wardkey info`: what the key is, how it stands, and where it keeps itself.

use std::io::Write;

use serde_json::json;

use super::access::{Access, misunderstood};
use super::show;
use crate::cli::Model;
use crate::control::{Answer, Info, LargeBlobs, Pin, ProfileName, Request, Verification};
use crate::error::Failure;
use crate::key;

/// Prints the facts.
pub(crate) fn info(mut access: Access, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let running = access.is_running();
    let info = match access.request(&Request::Info)? {
        Some(Answer::Info(info)) => info,
        Some(_) => return Err(misunderstood()),
        None => of_a_new_key()?,
    };
    let state = access.path.display().to_string();
    let text = if json {
        as_json(&info, &state, running)
    } else {
        as_text(&info, &state, running)
    };
    super::print(out, &text)
}

/// What a key says that was never used.
fn of_a_new_key() -> Result<Info, Failure> {
    let authenticator = key::authenticator(key::temporary_vault()?, key::config(&Model::default()))?;
    Ok(Info::from(authenticator.facts().map_err(key::broken_state)?))
}

fn as_json(info: &Info, state: &str, running: bool) -> String {
    let Info {
        version,
        process,
        passkeys,
        kind,
        aaguid,
        speaks,
        pin,
        verification,
        large_blobs,
    } = info;
    let facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": state,
        "running": running.then(|| json!({ "process": process, "version": version })),
        "passkeys": passkeys,
        "kind": kind,
        "aaguid": show::uuid(aaguid),
        "speaks": speaks,
        "pin": pin,
        "verification": verification,
        "large_blobs": large_blobs,
    });
    facts.to_string() + "\n"
}

fn as_text(info: &Info, state: &str, running: bool) -> String {
    let runner = if running {
        format!("yes, process {}, version {}", info.process, info.version)
    } else {
        "no".to_owned()
    };
    let kind = match info.kind {
        ProfileName::Synced => "synced",
        ProfileName::DeviceBound | ProfileName::U2f => "device-bound",
    };
    let kind = if running {
        kind.to_owned()
    } else {
        format!("{kind}, unless it is started with another --kind")
    };
    let rows = [
        ["Version", env!("CARGO_PKG_VERSION")],
        ["State folder", state],
        ["Running", &runner],
        ["Passkeys", &info.passkeys.to_string()],
        ["Kind", &kind],
        ["AAGUID", &show::uuid(&info.aaguid)],
        ["Speaks", &info.speaks.join(", ")],
        ["PIN", &pin(&info.pin)],
        ["Verification", &verification(&info.verification, running)],
        ["Large blobs", &large_blobs(&info.large_blobs)],
    ];
    show::table(&rows.map(|row| row.map(str::to_owned)))
}

fn pin(pin: &Pin) -> String {
    let Pin {
        is_set,
        attempts_left,
        needs_replug,
    } = *pin;
    match (is_set, attempts_left) {
        (false, _) => "not set".to_owned(),
        (true, 0) => "set, and blocked: only a reset of the key helps".to_owned(),
        (true, _) if needs_replug => {
            format!(
                "set, {}, after the key was unplugged",
                show::attempts(attempts_left)
            )
        }
        (true, _) => format!("set, {}", show::attempts(attempts_left)),
    }
}

fn verification(verification: &Verification, running: bool) -> String {
    let Verification {
        modality,
        is_ready,
        attempts_left,
    } = *verification;
    let attempts = match attempts_left {
        0 => "blocked until the PIN is entered".to_owned(),
        _ => show::attempts(attempts_left),
    };
    match modality {
        None if running => "not offered (start the key with --verify)".to_owned(),
        None => format!("{attempts}, if it is started with --verify"),
        Some(modality) if is_ready => format!("by {}, {attempts}", modality.name()),
        Some(modality) => format!("by {}, which is not set up", modality.name()),
    }
}

fn large_blobs(large_blobs: &LargeBlobs) -> String {
    match large_blobs {
        LargeBlobs::Array { bytes: 0 } => "in an array, which is empty".to_owned(),
        LargeBlobs::Array { bytes } => format!("in an array of {bytes} bytes"),
        LargeBlobs::Extension => "with each passkey".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Modality;

    fn with_pin(is_set: bool, attempts_left: u8, needs_replug: bool) -> String {
        pin(&Pin {
            is_set,
            attempts_left,
            needs_replug,
        })
    }

    #[test]
    fn a_pin_is_said_to_have_attempts_left_or_to_be_blocked() {
        assert_eq!(with_pin(false, 8, false), "not set");
        assert_eq!(with_pin(true, 8, false), "set, 8 attempts left");
        assert_eq!(
            with_pin(true, 1, true),
            "set, 1 attempt left, after the key was unplugged"
        );
        assert_eq!(
            with_pin(true, 0, true),
            "set, and blocked: only a reset of the key helps"
        );
    }

    #[test]
    fn verification_is_said_to_work_or_why_not() {
        let say = |modality, is_ready, attempts_left, running| {
            let told = Verification {
                modality,
                is_ready,
                attempts_left,
            };
            verification(&told, running)
        };
        let finger = Some(Modality::Fingerprint);
        assert_eq!(say(finger, true, 8, true), "by fingerprint, 8 attempts left");
        assert_eq!(
            say(finger, true, 0, true),
            "by fingerprint, blocked until the PIN is entered"
        );
        assert_eq!(
            say(Some(Modality::Pin), false, 8, true),
            "by PIN, which is not set up"
        );
        assert_eq!(
            say(None, false, 8, true),
            "not offered (start the key with --verify)"
        );
        assert_eq!(
            say(None, false, 8, false),
            "8 attempts left, if it is started with --verify"
        );
    }

    #[test]
    fn large_blobs_have_a_place_and_a_size() {
        assert_eq!(
            large_blobs(&LargeBlobs::Array { bytes: 0 }),
            "in an array, which is empty"
        );
        assert_eq!(
            large_blobs(&LargeBlobs::Array { bytes: 17 }),
            "in an array of 17 bytes"
        );
        assert_eq!(large_blobs(&LargeBlobs::Extension), "with each passkey");
    }
}

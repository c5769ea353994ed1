//! `wardkey log`: what was done with the key, the newest last.

use std::io::Write;

use serde_json::json;

use super::access::Access;
use super::show;
use crate::control::log::{
    CauseName, ConsentName, FrequentName, Happened, Line, Named, Origin, SettingName, SiteName, WantedName,
};
use crate::error::Failure;
use crate::prompt::text::visible;

/// Characters of a hash that are shown.
const HASH_CHARS: usize = 8;

/// The log, or its newest part.
pub(super) struct History {
    /// The oldest line first.
    pub(super) lines: Vec<Line>,
    /// What stands before them, where that is the beginning.
    pub(super) beginning: Option<Beginning>,
}

/// Why there is nothing older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    Dropped,
    Origin(Origin),
}

/// Prints the newest `limit` lines, or all.
pub(crate) fn log(
    mut access: Access,
    limit: Option<usize>,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let history = access.log(limit.unwrap_or(usize::MAX))?;
    let text = match history {
        None if json => json!({ "beginning": null, "lines": [] }).to_string() + "\n",
        None => "There is no key yet.\n".to_owned(),
        Some(history) if json => as_json(&history),
        Some(history) => as_text(&history),
    };
    super::print(out, &text)
}

fn as_json(History { lines, beginning }: &History) -> String {
    let beginning = beginning.map(|beginning| match beginning {
        Beginning::Dropped => json!("dropped"),
        Beginning::Origin(origin) => json!(origin),
    });
    let history = json!({ "beginning": beginning, "lines": lines });
    serde_json::to_string_pretty(&history).expect("text keys only") + "\n"
}

fn as_text(History { lines, beginning }: &History) -> String {
    let beginning = beginning.map(|beginning| match beginning {
        Beginning::Dropped => "-- Older entries made room for newer ones. --",
        Beginning::Origin(Origin::New) => "-- The log begins: the key was new. --",
        Beginning::Origin(Origin::Upgrade) => {
            "-- The log begins: what was done before an update of wardkey was not recorded. --"
        }
        Beginning::Origin(Origin::Reset) => "-- The log begins: the key was reset. --",
    });
    let mut text = String::new();
    for line in beginning
        .map(str::to_owned)
        .into_iter()
        .chain(lines.iter().map(in_words))
    {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn in_words(line: &Line) -> String {
    match line {
        Line::Entry { unix_ms, event, .. } => format!("{}  {}", show::second(*unix_ms), event.in_words()),
        Line::Gap { first, last } if first == last => {
            format!("-- ENTRY {first} IS MISSING: somebody removed it. --")
        }
        Line::Gap { first, last } => {
            format!("-- ENTRIES {first} TO {last} ARE MISSING: somebody removed them. --")
        }
        Line::Damaged { number } => {
            format!("-- ENTRY {number} IS DAMAGED: it is not what was written there. --")
        }
    }
}

impl Happened {
    fn in_words(&self) -> String {
        match self {
            Self::Registered {
                credential, consent, ..
            } => format!("Registered {}{}.", credential.at(), consent.in_words()),
            Self::SignedIn {
                credential,
                consent: ConsentName::Unasked,
            } => format!("Signed without asking: {}.", credential.at()),
            Self::SignedIn { credential, consent } => {
                format!("Signed in {}{}.", credential.at(), consent.in_words())
            }
            Self::Updated { credential } => format!("Changed the passkey {}.", credential.at()),
            Self::Deleted { credential } => format!("Deleted the passkey {}.", credential.at()),
            Self::Refused { wanted, site } => {
                let site = site.as_ref().map(|site| format!(" {}", site.at()));
                format!("You refused {}{}.", wanted.in_words(), site.unwrap_or_default())
            }
            Self::WrongPin { attempts_left } => {
                format!("A PIN was wrong; {}.", show::attempts(*attempts_left))
            }
            Self::NotVerified { attempts_left } => {
                format!("You were not recognized; {}.", show::attempts(*attempts_left))
            }
            Self::PinSet => "A PIN was set.".to_owned(),
            Self::PinChanged => "The PIN was changed.".to_owned(),
            Self::Configured { setting } => setting.in_words().to_owned(),
            Self::LargeBlobsWritten => "The data that sites keep on the key was changed.".to_owned(),
            Self::Reset => "The key was reset.".to_owned(),
            Self::Omitted { kind } => {
                format!(
                    "Too many {} today: no more of them are recorded.",
                    kind.in_words()
                )
            }
            Self::VaultMade => "The vault was made.".to_owned(),
            Self::Unlocked { wrong_pins: 0 } => "Unlocked with the Vault PIN.".to_owned(),
            Self::Unlocked { wrong_pins: 1 } => "Unlocked with the Vault PIN, after a wrong one.".to_owned(),
            Self::Unlocked { wrong_pins } => {
                format!("Unlocked with the Vault PIN, after {wrong_pins} wrong ones.")
            }
            Self::Locked { cause } => format!("Locked: {}.", cause.in_words()),
            Self::VaultPinChanged => "The Vault PIN was changed.".to_owned(),
            Self::RootKeyReplaced => "The root key was replaced.".to_owned(),
            Self::RecoveryKitRenewed => "There is a new recovery kit.".to_owned(),
            Self::Recovered => "The vault was taken over with the recovery kit.".to_owned(),
            Self::Exported { passkeys } => format!("Exported {}.", count(*passkeys)),
            Self::ExportedInClear { passkeys } => {
                format!("Exported {} in clear, for other programs.", count(*passkeys))
            }
            Self::Imported { passkeys } => format!("Imported {}.", count(*passkeys)),
            Self::DeviceAdded { device } => {
                format!("Device {} was added to the vault.", show::short_device(device))
            }
            Self::DeviceRemoved { device } => {
                format!(
                    "Device {} was removed from the vault.",
                    show::short_device(device)
                )
            }
            Self::TakenBack { credential } => format!("Took back the passkey {}.", credential.at()),
        }
    }
}

fn count(passkeys: u32) -> String {
    match passkeys {
        1 => "1 passkey".to_owned(),
        _ => format!("{passkeys} passkeys"),
    }
}

impl Named {
    fn at(&self) -> String {
        let name = self.user_name.as_deref().map(visible);
        let name = name.filter(|name| !name.is_empty());
        let name = name.map(|name| format!(" as {name}")).unwrap_or_default();
        format!("{}{name}", self.site.at())
    }
}

impl SiteName {
    fn at(&self) -> String {
        match self {
            Self::RpId(id) => format!("at {}", visible(id)),
            Self::RpIdHash(hash) => {
                let start: String = hash.chars().take(HASH_CHARS).collect();
                format!("at a site that gave no name (U2F, {})", visible(&start))
            }
        }
    }
}

impl ConsentName {
    fn in_words(self) -> &'static str {
        match self {
            Self::Unasked => ", without asking",
            Self::Present => "",
            Self::Verified => ", you were verified",
        }
    }
}

impl WantedName {
    fn in_words(self) -> &'static str {
        match self {
            Self::Registration => "to register",
            Self::SignIn => "to sign in",
            Self::Authorization => "to let a program use the key",
            Self::Reset => "to reset the key",
            Self::Selection => "that it is this key",
        }
    }
}

impl SettingName {
    fn in_words(self) -> &'static str {
        match self {
            Self::EnterpriseAttestation => "Enterprise attestation was switched on.",
            Self::AlwaysVerify => "From now on every use needs you to be verified.",
            Self::NotAlwaysVerify => "No longer does every use need you to be verified.",
            Self::PinRules => "The rules for the PIN were changed.",
            Self::LongTouchForReset => "From now on a reset is asked for twice.",
        }
    }
}

impl FrequentName {
    fn in_words(self) -> &'static str {
        match self {
            Self::UnaskedSignIns => "signatures without asking",
            Self::Refusals => "refusals",
            Self::WrongPins => "wrong PINs",
            Self::PinChanges => "new PINs",
            Self::Settings => "changes of settings",
            Self::Updates => "changes of passkeys",
            Self::LargeBlobs => "changes of sites' data",
        }
    }
}

impl CauseName {
    fn in_words(self) -> &'static str {
        match self {
            Self::Asked => "you wanted it",
            Self::Idle => "nobody used the key",
            Self::Suspend => "the computer went to sleep",
            Self::Session => "your session was locked",
            Self::Stopped => "wardkey was stopped",
        }
    }
}

//! How the exchange goes, in words for a person.

use wardkey_vault::{DeviceId, State};

/// A few words that scripts can rely on.
pub(crate) fn code(state: &State) -> &'static str {
    match state {
        State::Unknown => "unknown",
        State::Fresh => "fresh",
        State::Offline(_) => "offline",
        State::Gap(..) => "gap",
        State::Damaged(_) => "damaged",
        State::RolledBack => "rolled-back",
        State::Forked(..) => "forked",
        State::NeedsPin => "needs-vault-pin",
        State::Removed => "removed",
        State::OtherTrust => "other-vault",
    }
}

/// A sentence, and one that says what to do where there is something.
pub(crate) fn describe(state: &State, name: &dyn Fn(DeviceId) -> String) -> (String, Option<&'static str>) {
    match state {
        State::Unknown => ("Not looked at since the vault was opened.".to_owned(), None),
        State::Fresh => ("All devices have everything.".to_owned(), None),
        State::Offline(reason) => (format!("Not exchanged: {reason}. It is tried again."), None),
        State::Gap(device, number) => (
            format!(
                "Something that {} wrote (number {number}) is not there yet. What builds on it waits.",
                name(*device)
            ),
            Some(
                "wait; if it does not come, the storage keeps it back, or that device has to put it there again: wardkey sync heal",
            ),
        ),
        State::Damaged(object) => (
            format!("The storage gives something else than what was written: {object}"),
            Some("remove it from the storage, then on a device that has read it: wardkey sync heal"),
        ),
        State::RolledBack => (
            "The storage shows less than it did. Nothing is written there, and signing in goes on."
                .to_owned(),
            Some("find out who put the storage back; then: wardkey sync heal"),
        ),
        State::Forked(device, number) => (
            format!(
                "There are two different objects number {number} of {}: it was copied and both copies wrote, or the \
                 storage shows different things to different devices. Nothing is written there, and signing in goes on.",
                name(*device)
            ),
            Some("find out which copy is the right one, and use no other"),
        ),
        State::NeedsPin => (
            "Another device replaced the root key or the Vault PIN.".to_owned(),
            Some(
                "unlock the vault anew: wardkey unlock; if the Vault PIN is another one, first: wardkey pin adopt",
            ),
        ),
        State::Removed => (
            "This device was removed from the vault. It keeps what it had, and gets nothing new.".to_owned(),
            None,
        ),
        State::OtherTrust => (
            "The storage has another history of who belongs to this vault. Nothing is written there."
                .to_owned(),
            Some(
                "find out who put something else there; an empty storage takes this one's: wardkey sync setup URL",
            ),
        ),
    }
}

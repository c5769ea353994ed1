//! A change of who can open the vault. In a vault that other devices have, too, only one change can be the next: it is made
//! at the store first, and here when the store has it.

use wardkey_vault::{Change, Event, Here, NotChanged, Proposed, RightGuess, State, Vault};

use super::exchange::exchange;
use super::opened::{Opened, broken, not_changed, record};
use super::{Call, now};
use crate::device_keys::DeviceKeys;
use crate::error::Failure;
use crate::host;
use crate::state::Held;
use crate::sync::{Driver, report};
use crate::unlock::{not_opened, open_after_wrong_pins};

/// Makes a change with the keys of this device, and has the log tell what was done. The right Vault PIN is used up by it;
/// `pin` is the one from then on.
pub(super) fn change(
    call: &mut Call<'_>,
    opened: Opened,
    (pin, events): (&str, &[Event]),
    make: impl FnOnce(&mut Here<'_>, RightGuess) -> Result<Change, NotChanged>,
) -> Result<(Vault, Held), Failure> {
    if opened.locked.syncs().map_err(broken)? {
        return Shared::of(call, opened)?.change(call, (pin, events), make);
    }
    let prepared = opened.change(make)?;
    call.dialogue.check_wanted()?;
    call.vault_pin_is(None);
    let done = prepared.carry_out(pin, events)?;
    call.vault_pin_is(Some(pin));
    Ok(done)
}

/// A vault of several devices, as they all know it now.
pub(super) struct Shared {
    pub(super) vault: Vault,
    pub(super) held: Held,
    pub(super) keys: Box<dyn DeviceKeys>,
    right: RightGuess,
    wrong_pins: u32,
}

impl Shared {
    /// Hears first what the other devices did.
    fn of(call: &mut Call<'_>, opened: Opened) -> Result<Self, Failure> {
        let Opened {
            locked,
            held,
            mut keys,
            mut right,
            wrong_pins,
            ..
        } = opened;
        let unlocked = locked.unlock(&right, &mut host::rng());
        let mut vault = unlocked.map_err(|error| broken(error.into_reason()))?;
        let driver = exchange(call, &mut vault, &held, |_| {})?;
        is_fresh(&vault, &driver)?;
        if let (Some(device), Some(trust)) = (vault.this_device(), vault.trust()) {
            let mut here = Here {
                device,
                store: &mut *keys,
                time: now(),
            };
            // What cannot be read is missing.
            let object = |hash| vault.membership_object(hash).ok().flatten();
            let followed = right.unlocked.follow(trust.clone(), &mut here, &object);
            followed.map_err(|error| not_opened(&error, &*keys))?;
        }
        Ok(Self {
            vault,
            held,
            keys,
            right,
            wrong_pins,
        })
    }

    /// Makes a change at the store, then here.
    pub(super) fn change(
        self,
        call: &mut Call<'_>,
        (pin, events): (&str, &[Event]),
        make: impl FnOnce(&mut Here<'_>, RightGuess) -> Result<Change, NotChanged>,
    ) -> Result<(Vault, Held), Failure> {
        let Self {
            mut vault,
            held,
            mut keys,
            right,
            wrong_pins,
        } = self;
        let mut here = Here {
            device: vault.this_device().expect("a vault that syncs has members"),
            store: &mut *keys,
            time: now(),
        };
        let change = make(&mut here, right).map_err(|error| not_changed(error, &*keys))?;
        call.dialogue.check_wanted()?;
        call.vault_pin_is(None);
        if let Some((generation, keys)) = change.device_keys() {
            held.keep_device_keys(generation, keys)?;
        }
        let driver = exchange(call, &mut vault, &held, |driver| driver.propose(change))?;
        match driver.proposed() {
            Some(Proposed::Accepted) => {}
            Some(Proposed::Beaten) => {
                return Err(Failure::new(
                    "another device changed who can open the vault at the same moment; nothing was changed here",
                    "look at what it did, and try again: wardkey device list",
                ));
            }
            None => {
                let status = report(&vault, Some(&driver))?;
                return Err(Failure::new(
                    format!(
                        "it is not known whether the storage has the change: {}",
                        status.trouble.unwrap_or(status.text)
                    ),
                    "find out: wardkey sync now. Until then the Vault PIN may be the one before or the new one",
                ));
            }
        }
        drop(driver);
        // With the keys and the Vault PIN from now on.
        let Ok(locked) = vault.lock() else {
            unreachable!("a vault that syncs has a Vault PIN");
        };
        held.forget_device_keys_before(locked.trust().pin_generation())?;
        let mut vault = open_after_wrong_pins(locked, &held, pin, wrong_pins)?;
        call.vault_pin_is(Some(pin));
        for event in events {
            record(&mut vault, event.clone())?;
        }
        Ok((vault, held))
    }
}

/// The vault, where other devices have it, too.
pub(super) fn open_shared(call: &mut Call<'_>, opened: Opened) -> Result<Shared, Failure> {
    if opened.locked.syncs().map_err(broken)? {
        return Shared::of(call, opened);
    }
    Err(Failure::new(
        "this vault is not exchanged with other devices",
        "give it a place where they meet: wardkey sync setup URL",
    ))
}

/// Nothing about the members is changed on what may be old.
fn is_fresh(vault: &Vault, driver: &Driver) -> Result<(), Failure> {
    if driver.status().state == State::Fresh {
        return Ok(());
    }
    if driver.status().state == State::NeedsPin {
        return Err(Failure::new(
            "another device replaced the root key or the Vault PIN since this one was last open",
            "try again: the vault is opened with what is in force now",
        ));
    }
    let status = report(vault, Some(driver))?;
    let text = status.trouble.unwrap_or(status.text);
    let hint = status
        .hint
        .as_deref()
        .unwrap_or("try again when the storage can be reached");
    Err(Failure::new(format!("nothing was changed: {text}"), hint))
}

//! What a change of the vault begins and ends with: the right Vault PIN, and a durable change that is in the log.

use std::path::Path;
use std::time::Duration;

use wardkey_vault::{
    Change, DeviceId, Event, Guess, Here, Locked, NotChanged, NotCounted, NotOpened, Record, RightGuess,
    Vault,
};
use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use super::{Call, now};
use crate::cli::membership::VaultPinSource;
use crate::device_keys::DeviceKeys;
use crate::error::Failure;
use crate::host;
use crate::state::{Folder, Held, State, since_boot};
use crate::unlock::{not_opened, open_after_wrong_pins, unlock};

/// How often a command asks for the Vault PIN.
const TRIES: usize = 3;

/// A vault whose Vault PIN was entered.
pub(super) struct Opened {
    pub(super) locked: Locked,
    pub(super) held: Held,
    pub(super) keys: Box<dyn DeviceKeys>,
    pub(super) right: RightGuess,
    pub(super) pin: Zeroizing<String>,
    /// Before the right one.
    pub(super) wrong_pins: u32,
}

impl Opened {
    /// The vault of the state folder.
    pub(super) fn of(call: &mut Call<'_>, source: &VaultPinSource) -> Result<Self, Failure> {
        let State { mut locked, held } = call.state()?;
        let generation = locked.trust().pin_generation();
        let mut keys = held.device_keys(generation)?;
        keys.check()?;
        // Where the power went after the last change, they are still there.
        held.forget_device_keys_before(generation)?;
        let given = source.read()?;
        let tries = if given.is_some() { 1 } else { TRIES };
        for _ in 0..tries {
            keys.check_not_locked_out()?;
            let pin = match &given {
                Some(pin) => pin.clone(),
                None => call.dialogue.ask_hidden("Vault PIN: ")?,
            };
            let guess = count(&mut locked, call.dialogue)?;
            match guess.check_typed(&mut *keys, &pin) {
                Ok(right) => {
                    // The one that was right was counted, too.
                    let wrong_pins = locked.wrong_pins().saturating_sub(1);
                    locked.forget_wrong_pins(&right.right_pin).map_err(broken)?;
                    call.vault_pin_is(Some(&pin));
                    return Ok(Self {
                        locked,
                        held,
                        keys,
                        right,
                        pin,
                        wrong_pins,
                    });
                }
                Err(NotOpened::WrongPin) => call.dialogue.say("The Vault PIN is wrong.\n")?,
                Err(error) => return Err(not_opened(&error, &*keys)),
            }
        }
        Err(not_opened(&NotOpened::WrongPin, &*keys))
    }

    /// Makes a change with the keys of this device. The right Vault PIN is used up by it.
    pub(super) fn change(
        self,
        make: impl FnOnce(&mut Here<'_>, RightGuess) -> Result<Change, NotChanged>,
    ) -> Result<Prepared, Failure> {
        let Self {
            locked,
            held,
            mut keys,
            right,
            wrong_pins,
            ..
        } = self;
        let device = locked.device();
        let mut here = Here {
            device,
            store: &mut *keys,
            time: now(),
        };
        let change = make(&mut here, right).map_err(|error| not_changed(error, &*keys))?;
        Ok(Prepared {
            locked,
            held,
            device,
            change,
            wrong_pins,
        })
    }
}

/// A change that was made, and nothing of it written.
pub(super) struct Prepared {
    pub(super) locked: Locked,
    pub(super) held: Held,
    device: DeviceId,
    pub(super) change: Change,
    wrong_pins: u32,
}

impl Prepared {
    /// Makes the change durable, opens the vault as it is from then on, and has its log tell what was done.
    pub(super) fn carry_out(self, pin: &str, events: &[Event]) -> Result<(Vault, Held), Failure> {
        let Self {
            locked,
            held,
            device,
            change,
            wrong_pins,
        } = self;
        let vault = carry_out((locked, &held), (device, &change), (pin, wrong_pins), events)?;
        Ok((vault, held))
    }
}

/// Makes `change` durable, from which on this copy of the vault is that of `device`. Its log tells what was done, and
/// how many Vault PINs were wrong before.
pub(super) fn carry_out(
    (mut locked, held): (Locked, &Held),
    (device, change): (DeviceId, &Change),
    (pin, wrong_pins): (&str, u32),
    events: &[Event],
) -> Result<Vault, Failure> {
    if let Some((generation, keys)) = change.device_keys() {
        held.keep_device_keys(generation, keys)?;
    }
    locked.apply_as(device, change).map_err(broken)?;
    held.forget_device_keys_before(locked.trust().pin_generation())?;
    let mut vault = open_after_wrong_pins(locked, held, pin, wrong_pins)?;
    for event in events {
        record(&mut vault, event.clone())?;
    }
    Ok(vault)
}

/// The vault of the state folder, open.
pub(super) fn vault(call: &mut Call<'_>, source: &VaultPinSource) -> Result<(Vault, Held), Failure> {
    let Opened {
        locked,
        held,
        right,
        wrong_pins,
        ..
    } = Opened::of(call, source)?;
    let vault = unlock(locked, &right, wrong_pins).map_err(broken)?;
    Ok((vault, held))
}

/// Writes into the log what was done, durably.
pub(super) fn record(vault: &mut Vault, event: Event) -> Result<(), Failure> {
    let record = now_record(event);
    vault.record(&mut host::rng(), &record).map_err(broken)
}

pub(super) fn now_record(event: Event) -> Record {
    Record {
        unix_ms: host::unix_now_ms(),
        event,
    }
}

/// The state folder, where there is a vault.
pub(crate) fn state(given: Option<&Path>) -> Result<State, Failure> {
    let Some(state) = State::open(given)? else {
        return Err(Failure::new(
            format!("there is no vault in {}", Folder::locate(given)?.display()),
            "make one: wardkey init; or give the folder of another: --state DIR",
        ));
    };
    Ok(state)
}

/// Counts a try. After too many it waits: the time begins anew with every program that tries.
pub(super) fn count(locked: &mut Locked, dialogue: &mut dyn Dialogue) -> Result<Guess, Failure> {
    loop {
        match locked.guess(since_boot()) {
            Ok(guess) => return Ok(guess),
            Err(NotCounted::NotKept(error)) => return Err(broken(error)),
            Err(NotCounted::TooSoon { failed, wait }) => {
                let wait = wait + Duration::from_millis(1);
                dialogue.say(&format!(
                    "After {failed} wrong Vault PINs the next is tried in {} seconds.\n",
                    wait.as_secs() + 1
                ))?;
                dialogue.wait(wait)?;
            }
        }
    }
}

pub(super) fn not_changed(error: NotChanged, keys: &dyn DeviceKeys) -> Failure {
    match error {
        NotChanged::Keys(error) => not_opened(&error, keys),
        NotChanged::Refused(_) => Failure::new(error, "nothing was changed; update wardkey, and try again"),
    }
}

pub(super) fn broken(error: wardkey_vault::Error) -> Failure {
    Failure::new(
        format!("the vault cannot be used: {error}"),
        "check the disk: is it full, read-only or failing?",
    )
}

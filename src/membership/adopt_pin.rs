//! `wardkey pin adopt`: the Vault PIN was changed on another device, and the keys of this one are still kept under the one
//! before.

use serde_json::json;
use wardkey_vault::{CaughtUp, EarlierPin, Event, NotOpened, VaultPin};
use zeroize::Zeroizing;

use super::Call;
use super::opened::{broken, count, record};
use super::secret_file::first_line;
use crate::cli::membership::PinAdoption;
use crate::error::Failure;
use crate::host;
use crate::state::{EarlierKeys, Error, State};
use crate::unlock::{not_opened, unlock};

/// How often the two are asked for.
const TRIES: usize = 3;

/// Keeps the keys of this device under the Vault PIN in force.
pub(crate) fn adopt_pin(call: &mut Call<'_>, options: &PinAdoption) -> Result<(), Failure> {
    let State { mut locked, held } = call.state()?;
    let generation = locked.trust().pin_generation();
    let is_behind = matches!(held.device_keys(generation), Err(Error::PinChangedElsewhere));
    let earlier = held.earlier_device_keys(generation)?.filter(|_| is_behind);
    let Some(EarlierKeys {
        generation: earlier,
        mut keys,
    }) = earlier
    else {
        return Err(Failure::new(
            "this device has no older Vault PIN than the vault, as far as it knows",
            "hear what the other devices did first: wardkey sync now",
        ));
    };
    keys.check()?;
    let old_file = options.old_vault_pin_file.as_deref();
    let given = (old_file.map(first_line).transpose()?, options.vault_pin.read()?);
    let tries = if given.0.is_some() && given.1.is_some() {
        1
    } else {
        TRIES
    };
    for _ in 0..tries {
        keys.check_not_locked_out()?;
        let mut ask = |given: &Option<Zeroizing<String>>, prompt| match given {
            Some(pin) => Ok(pin.clone()),
            None => call.dialogue.ask_hidden(prompt),
        };
        let old = ask(&given.0, "Vault PIN that this device had: ")?;
        let entered = ask(&given.1, "Vault PIN now: ")?;
        let guess = count(&mut locked, call.dialogue)?;
        let (Some(old), Some(new)) = (VaultPin::typed(&old), VaultPin::typed(&entered)) else {
            call.dialogue.say(WRONG)?;
            continue;
        };
        let old = EarlierPin {
            generation: earlier,
            pin: &old,
        };
        let CaughtUp {
            guess: right,
            device_keys: (generation, kept),
        } = match guess.catch_up(&mut *keys, old, &new, &mut host::rng()) {
            Ok(caught_up) => caught_up,
            Err(NotOpened::WrongPin) => {
                call.dialogue.say(WRONG)?;
                continue;
            }
            Err(error) => return Err(not_opened(&error, &*keys)),
        };
        held.keep_device_keys(generation, &kept)?;
        held.forget_device_keys_before(generation)?;
        // The one that was right was counted, too.
        let wrong_pins = locked.wrong_pins().saturating_sub(1);
        let mut vault = unlock(locked, &right, wrong_pins).map_err(broken)?;
        record(&mut vault, Event::VaultPinChanged)?;
        call.vault_pin_is(Some(&entered));
        return call.print(
            &json!({ "vault_pin": "adopted" }),
            "This device has the Vault PIN of the others.\n",
        );
    }
    Err(Failure::new(
        "one of the two Vault PINs is wrong",
        "try again; whoever forgot them removes this device on another one, and adds it anew",
    ))
}

const WRONG: &str = "One of the two is wrong.\n";

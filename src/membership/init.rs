//! `wardkey init`: makes the vault, or gives the one that is there its Vault PIN.

use serde_json::json;
use wardkey_vault::{Created, DeviceId, Here, NewPin, RecoveryKit, create};
use zeroize::Zeroizing;

use super::opened::not_changed;
use super::{Call, cost, kit, now, passkeys, vault_pin};
use crate::cli::membership::Init;
use crate::device_keys::{New, describe};
use crate::error::Failure;
use crate::host;
use crate::state::{Beginning, Folder, State};

/// A vault that was just made, or just got its Vault PIN.
pub(crate) struct Made {
    pub(crate) state: State,
    pub(crate) pin: Zeroizing<String>,
}

/// Makes the vault of the state folder.
pub(crate) fn init(call: &mut Call<'_>, options: &Init) -> Result<(), Failure> {
    make_vault(call, options, "Start the key: wardkey up\n").map(drop)
}

/// Makes the vault, and says what comes next. Nothing is written before everything is known.
pub(super) fn make_vault(call: &mut Call<'_>, options: &Init, next: &str) -> Result<Made, Failure> {
    let Some(beginning) = Beginning::open(call.given)? else {
        return Err(Failure::new(
            format!(
                "the vault in {} has a Vault PIN",
                Folder::locate(call.given)?.display()
            ),
            "to replace it: wardkey pin change. A second vault needs its own folder: --state DIR",
        ));
    };
    let (is_new, count) = (beginning.is_new(), beginning.passkeys());
    let mut new = New::make(options.device_keys.place)?;
    let limit = new.keys.guess_limit();
    let about_keys = new.explanation()?;
    let file = options.vault_pin.vault_pin_file.as_deref();
    if file.is_none() {
        let about_vault = explanation(is_new, count);
        call.dialogue.say(&format!("{about_vault}{about_keys}"))?;
    }
    let pin = vault_pin::choose(file, limit, call.dialogue)?;
    let kit = if options.no_recovery_kit {
        None
    } else {
        Some(kit::hand_over(call.dialogue)?)
    };
    call.dialogue
        .say("Making the vault. This takes a few seconds.\n")?;
    let new_pin = NewPin::choose(&pin, limit, cost(None), &mut host::rng()).map_err(vault_pin::not_chosen)?;
    let device = new_device();
    let created = make(device, &mut new, &new_pin, kit.as_ref())?;
    call.dialogue.check_wanted()?;
    let path = beginning.path().display().to_string();
    let state = beginning.protect(&created, device)?;
    let done = if is_new { "created" } else { "protected" };
    let text = if is_new {
        format!("The vault is made, in {path}.\n{next}")
    } else {
        format!(
            "The vault in {path} has a Vault PIN, and {} as before.\n\
             Copies of the folder from before open without it: destroy them.\n",
            passkeys(count)
        )
    };
    // Where somebody chose the Vault PIN, it was said before.
    let text = if file.is_some() { text + &about_keys } else { text };
    call.print(
        &json!({
            "vault": done,
            "passkeys": count,
            "recovery_kit": kit.is_some(),
            "device_keys": new.keys.place(),
            "guess_limit": describe(limit),
        }),
        &text,
    )?;
    Ok(Made { state, pin })
}

fn explanation(is_new: bool, count: usize) -> String {
    let vault = if is_new {
        String::new()
    } else {
        format!(
            "There is a vault without a Vault PIN. Its {} stay.\n",
            passkeys(count)
        )
    };
    format!(
        "{vault}The Vault PIN opens the passkeys on this computer: when the key starts, and after it was locked.\n\
         It is not the PIN that browsers ask for; that one is the key's own, and stays as it is.\n"
    )
}

/// The name of this device in a vault that it comes to.
pub(super) fn new_device() -> DeviceId {
    let mut device = [0; 16];
    rand_core::Rng::fill_bytes(&mut host::rng(), &mut device);
    DeviceId(device)
}

fn make(
    device: DeviceId,
    new: &mut New,
    pin: &NewPin,
    kit: Option<&RecoveryKit>,
) -> Result<Created, Failure> {
    let New { keys, auth, .. } = new;
    let mut here = Here {
        device,
        store: &mut **keys,
        time: now(),
    };
    let created = create(&mut here, auth, pin, kit, &mut host::rng());
    created.map_err(|error| not_changed(error, &**keys))
}

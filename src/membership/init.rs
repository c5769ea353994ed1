//! `wardkey init`: makes the vault, or gives the one that is there its Vault PIN.

use serde_json::json;
use wardkey_vault::{
    Created, DeviceId, GuessLimit, Here, KeyAuth, NewPin, RecoveryKit, SoftwareKeys, create,
};

use super::{Call, cost, kit, now, passkeys, vault_pin};
use crate::cli::membership::Init;
use crate::error::Failure;
use crate::host;
use crate::state::{Beginning, Folder};

/// Makes the vault of the state folder. Nothing is written before everything is known.
pub(crate) fn init(call: &mut Call<'_>, options: &Init) -> Result<(), Failure> {
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
    // What is kept in software nothing else limits.
    let limit = GuessLimit::None;
    let file = options.vault_pin.vault_pin_file.as_deref();
    if file.is_none() {
        call.dialogue.say(&explanation(is_new, count))?;
    }
    let pin = vault_pin::choose(file, limit, call.dialogue)?;
    let kit = if options.no_recovery_kit {
        None
    } else {
        Some(kit::hand_over(call.dialogue)?)
    };
    call.dialogue
        .say("Making the vault. This takes a few seconds.\n")?;
    let pin = NewPin::choose(&pin, limit, cost(None), &mut host::rng()).map_err(vault_pin::not_chosen)?;
    let device = new_device();
    let created = make(device, &pin, kit.as_ref())?;
    call.dialogue.check_wanted()?;
    let path = beginning.path().display().to_string();
    beginning.protect(&created, device)?;
    let done = if is_new { "created" } else { "protected" };
    let text = if is_new {
        format!("The vault is made, in {path}.\nStart the key: wardkey up\n")
    } else {
        format!(
            "The vault in {path} has a Vault PIN, and {} as before.\n\
             Copies of the folder from before open without it: destroy them.\n",
            passkeys(count)
        )
    };
    call.print(
        &json!({ "vault": done, "passkeys": count, "recovery_kit": kit.is_some() }),
        &text,
    )
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

fn make(device: DeviceId, pin: &NewPin, kit: Option<&RecoveryKit>) -> Result<Created, Failure> {
    let rng = &mut host::rng();
    let auth = KeyAuth::random(rng);
    let mut here = Here {
        device,
        store: &mut SoftwareKeys::generate(&auth, rng),
        time: now(),
    };
    create(&mut here, &auth, pin, kit, rng).map_err(|error| {
        Failure::new(
            format!("the vault could not be made: {error}"),
            "try again; nothing was changed",
        )
    })
}

//! `wardkey pin change`: another Vault PIN, and with `--compromised` another root key.

use serde_json::json;
use wardkey_vault::{Event, NewPin};

use super::opened::Opened;
use super::{Call, agreed, cost, vault_pin};
use crate::cli::membership::PinChange;
use crate::error::Failure;
use crate::host;

/// Replaces the Vault PIN.
pub(crate) fn change_pin(call: &mut Call<'_>, options: &PinChange) -> Result<(), Failure> {
    let opened = Opened::of(call, &options.vault_pin)?;
    let limit = opened.keys.guess_limit();
    let text = vault_pin::choose(options.new_vault_pin_file.as_deref(), limit, call.dialogue)?;
    call.dialogue
        .say("Changing the Vault PIN. This takes a few seconds.\n")?;
    let rng = &mut host::rng();
    let cost = cost(Some(opened.locked.trust()));
    let pin = NewPin::choose(&text, limit, cost, rng).map_err(vault_pin::not_chosen)?;
    let events: &[Event] = if options.compromised {
        &[Event::VaultPinChanged, Event::RootKeyReplaced]
    } else {
        &[Event::VaultPinChanged]
    };
    agreed::change(call, opened, (&text, events), |here, right| {
        if options.compromised {
            right.unlocked.rotate(here, right.right_pin, Some(&pin), rng)
        } else {
            right.unlocked.change_pin(here, right.right_pin, &pin, rng)
        }
    })?;
    let told = if options.compromised {
        "The Vault PIN and the root key are replaced. Whoever had a copy of the vault and the old PIN has the passkeys of\n\
         that time: replace them at their sites.\n"
    } else {
        "The Vault PIN is changed. Copies of the vault from before still open with the old one; if somebody knows it:\n\
         wardkey pin change --compromised\n"
    };
    call.print(
        &json!({ "vault_pin": "changed", "root_key_replaced": options.compromised }),
        told,
    )
}

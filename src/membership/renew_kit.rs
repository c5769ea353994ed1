//! `wardkey recovery-kit renew`: another recovery kit, or the first one.

use serde_json::json;
use wardkey_vault::Event;

use super::opened::Opened;
use super::{Call, agreed, kit};
use crate::cli::membership::VaultPinSource;
use crate::error::Failure;
use crate::host;

/// Replaces the recovery kit.
pub(crate) fn renew_kit(call: &mut Call<'_>, source: &VaultPinSource) -> Result<(), Failure> {
    let opened = Opened::of(call, source)?;
    let had_one = opened.locked.trust().recovery().is_some();
    let kit = kit::hand_over(call.dialogue)?;
    let pin = opened.pin.clone();
    let rng = &mut host::rng();
    let events = &[Event::RecoveryKitRenewed];
    agreed::change(call, opened, (&pin, events), |here, right| {
        right.unlocked.renew_kit(here, right.right_pin, &kit, rng)
    })?;
    let told = if had_one {
        "The new recovery kit is in force. The old one opens only copies of the vault from before: destroy it.\n"
    } else {
        "The vault has a recovery kit.\n"
    };
    call.print(&json!({ "recovery_kit": "renewed" }), told)
}

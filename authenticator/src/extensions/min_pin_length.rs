//! minPinLength and pinComplexityPolicy, `CTAP 2.3 §12.6`, `§12.9`: relying parties that the owner of the key has listed
//! learn what PINs it takes. For others the extensions do not exist.

use super::{MakeInputs, Output, Outputs};
use crate::entity::RpId;
use crate::state::State;

/// How many relying parties the list has room for, shown as `maxRPIDsForSetMinPINLength`.
pub(crate) const RP_IDS_MAX: usize = 16;

pub(crate) fn put_out(inputs: &MakeInputs, rp_id: &RpId, state: &State, outputs: &mut Outputs) {
    if !state.min_pin_length_rp_ids.contains(&rp_id.0) {
        return;
    }
    if inputs.min_pin_length {
        let length = u64::from(state.min_pin_length);
        outputs.push("minPinLength", Output::Unsigned(length));
    }
    if inputs.pin_complexity_policy {
        outputs.push("pinComplexityPolicy", Output::Bool(state.pin_complexity_policy));
    }
}

#[cfg(test)]
mod tests;

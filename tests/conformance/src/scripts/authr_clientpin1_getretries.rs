//! `Authr-ClientPin1-GetRetries`: wrong PINs, with PIN/UV auth protocol one, CTAP 2.3 §6.5.5.2 and §6.5.5.7.

use wardkey_sim::fido_client::PinProtocol;

use crate::case::{Case, Script};
use crate::scripts::client_pin::{
    counts_retries, no_retries_block_for_good, right_pin_restores_retries, three_wrong_pins_block,
};

const PROTOCOL: PinProtocol = PinProtocol::One;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin1-GetRetries",
    cases: &[
        Case::new("P-1", "tells how many retries are left", |bench| {
            counts_retries(bench, PROTOCOL)
        }),
        Case::new("P-2", "gives retries back after the right PIN", |bench| {
            right_pin_restores_retries(bench, PROTOCOL)
        }),
        Case::new(
            "P-3",
            "blocks after three wrong PINs until it loses power",
            |bench| three_wrong_pins_block(bench, PROTOCOL),
        ),
        Case::new("P-4", "blocks for good without retries", |bench| {
            no_retries_block_for_good(bench, PROTOCOL)
        }),
    ],
};

//! `Authr-ClientPin2-GetRetries`: wrong PINs, with PIN/UV auth protocol two, CTAP 2.3 §6.5.5.2, §6.5.5.3 and §6.5.5.7.

use wardkey_sim::fido_client::PinProtocol;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure};
use crate::scripts::client_pin::{
    counts_retries, no_retries_block_for_good, right_pin_restores_retries, three_wrong_pins_block,
};

const PROTOCOL: PinProtocol = PinProtocol::Two;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin2-GetRetries",
    cases: &[
        Case::new("P-1", "tells how many retries are left", |bench| {
            counts_retries(bench, PROTOCOL)
        }),
        Case::new(
            "P-2",
            "tells how many retries of built-in verification are left",
            uv_retries,
        ),
        Case::new("P-3", "gives retries back after the right PIN", |bench| {
            right_pin_restores_retries(bench, PROTOCOL)
        }),
        Case::new(
            "P-4",
            "blocks after three wrong PINs until it loses power",
            |bench| three_wrong_pins_block(bench, PROTOCOL),
        ),
        Case::new("P-5", "blocks for good without retries", |bench| {
            no_retries_block_for_good(bench, PROTOCOL)
        }),
    ],
};

fn uv_retries(bench: &mut Bench) -> Outcome {
    bench.needs_option("uv", "the key has no built-in user verification")?;
    let retries = bench.client().uv_retries()?;
    ensure!((1..=25).contains(&retries), "uvRetries is {retries}");
    Ok(())
}

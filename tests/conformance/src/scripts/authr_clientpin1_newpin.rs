//! `Authr-ClientPin1-NewPin`: PINs and tokens with PIN/UV auth protocol one, CTAP 2.3 §6.5.5.

use wardkey_sim::fido_client::PinProtocol;

use crate::bench::PIN;
use crate::case::{Case, Script};
use crate::scripts::client_pin::{
    asserts_with, change_ends_force, changes_pin, gives_old_token, no_old_token_when_forced, old_token,
    registers_with, sets_pin,
};

const PROTOCOL: PinProtocol = PinProtocol::One;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin1-NewPin",
    cases: &[
        Case::new("P-1", "sets a first PIN", |bench| sets_pin(bench, PROTOCOL)),
        Case::new("P-2", "changes the PIN", |bench| changes_pin(bench, PROTOCOL)),
        Case::new("P-3", "gives a token", |bench| gives_old_token(bench, PROTOCOL)),
        Case::new("P-4", "registers a verified user", |bench| {
            bench.set_pin(PROTOCOL)?;
            let token = old_token(bench, PROTOCOL, PIN)?;
            registers_with(bench, &token, false)
        }),
        Case::new("P-5", "signs for a verified user", |bench| {
            bench.set_pin(PROTOCOL)?;
            asserts_with(bench, |bench| old_token(bench, PROTOCOL, PIN))
        }),
        Case::new("P-6", "no longer forces a change after it", |bench| {
            change_ends_force(bench, PROTOCOL)
        }),
        Case::new("F-1", "gives no token while a change is forced", |bench| {
            no_old_token_when_forced(bench, PROTOCOL)
        }),
    ],
};

//! `Authr-ClientPin1-KeyAgreement`: getKeyAgreement with PIN/UV auth protocol one, CTAP 2.3 §6.5.5.4.

use wardkey_sim::fido_client::PinProtocol;

use crate::case::{Case, Script};
use crate::scripts::client_pin::key_agreement;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin1-KeyAgreement",
    cases: &[Case::new("P-1", "gives a key for key agreement", |bench| {
        key_agreement(bench, PinProtocol::One)
    })],
};

//! `Authr-ClientPin2-PinPolicy`: rules for PINs, with PIN/UV auth protocol two, CTAP 2.3 §6.5.1.

use wardkey_sim::fido_client::PinProtocol;

use crate::case::{Case, Script};
use crate::scripts::client_pin::{accepts_lengths, refuses_longer, refuses_pin};

const PROTOCOL: PinProtocol = PinProtocol::Two;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin2-PinPolicy",
    cases: &[
        Case::new("P-1", "takes PINs within the limits", |bench| {
            accepts_lengths(bench, PROTOCOL)
        }),
        Case::new("F-1", "refuses a PIN of three bytes", |bench| {
            refuses_pin(bench, PROTOCOL, b"246")
        }),
        Case::new("F-2", "refuses a PIN of more than 63 bytes", |bench| {
            refuses_pin(bench, PROTOCOL, "é".repeat(32).as_bytes())
        }),
        Case::new("F-3", "refuses a PIN of 64 bytes", |bench| {
            refuses_pin(bench, PROTOCOL, &[b'7'; 64])
        }),
        Case::new("F-4", "refuses a PIN longer than maxPINLength", |bench| {
            refuses_longer(bench, PROTOCOL)
        }),
        Case::new("F-5", "refuses a PIN of many bytes and few characters", |bench| {
            refuses_pin(bench, PROTOCOL, "🔑🔒🔓".as_bytes())
        }),
    ],
};

//! Rules of the specification that the tool has no case for, or checks less strictly than we do. Scripts and cases are
//! named by us.

mod absent;
mod algorithms;
mod built_in_uv;
mod client_pin;
mod configuration;
mod credential_management;
mod encoding;
mod extensions;
mod get_assertion;
mod hid;
mod large_blobs;
mod make_credential;
mod reset;

use wardkey_sim::fido_client::{Configuration, MinPinLength, Permissions, PinProtocol};

use crate::bench::Bench;
use crate::case::{Outcome, Script};

/// All of them.
pub const RULES: &[Script] = &[
    hid::SCRIPT,
    encoding::SCRIPT,
    make_credential::SCRIPT,
    get_assertion::SCRIPT,
    algorithms::SCRIPT,
    client_pin::SCRIPT,
    built_in_uv::SCRIPT,
    extensions::SCRIPT,
    credential_management::SCRIPT,
    large_blobs::SCRIPT,
    configuration::SCRIPT,
    reset::SCRIPT,
    absent::SCRIPT,
];

/// Demands that the PIN, which is set, be changed.
fn force_pin_change(bench: &mut Bench) -> Outcome {
    let token = bench.token(PinProtocol::Two, Permissions::CONFIGURATION, None)?;
    let setting = Configuration::SetMinPinLength(MinPinLength {
        force_change_pin: Some(true),
        ..MinPinLength::default()
    });
    Ok(bench.client().configure(&setting, Some(&token))?)
}

//! `hmacSecret`: the extension hmac-secret with PIN/UV auth protocol one, CTAP 2.3 §12.

use wardkey_sim::fido_client::PinProtocol;

use crate::case::{Case, Script};
use crate::scripts::hmac_secret::{
    acknowledges, refuses_other_types, refuses_salts, same_salt_same_secret, secrets_depend_on_verification,
};

const PROTOCOL: PinProtocol = PinProtocol::One;

pub(super) const SCRIPT: Script = Script {
    name: "hmacSecret",
    cases: &[
        Case::new("P-1", "acknowledges the extension", acknowledges),
        Case::new("P-2", "makes the same secret of the same salt", |bench| {
            same_salt_same_secret(bench, PROTOCOL)
        }),
        Case::new("P-3", "makes other secrets for a verified user", |bench| {
            secrets_depend_on_verification(bench, PROTOCOL)
        }),
        Case::new(
            "F-1",
            "refuses an input that is not a boolean",
            refuses_other_types,
        ),
        Case::new("F-2", "refuses a salt that is too short", |bench| {
            refuses_salts(bench, PROTOCOL, 16)
        }),
        Case::new("F-3", "refuses a second salt that is too short", |bench| {
            refuses_salts(bench, PROTOCOL, 48)
        }),
    ],
};

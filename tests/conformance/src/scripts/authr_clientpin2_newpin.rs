//! `Authr-ClientPin2-NewPin`: PINs with PIN/UV auth protocol two, CTAP 2.3 §6.5.5.

use wardkey_sim::fido_client::{Permissions, PinProtocol, Status};

use crate::bench::{Bench, PIN};
use crate::case::{Case, Outcome, Script, refused};
use crate::scripts::client_pin::{NEW_PIN, change_ends_force, changes_pin, sets_pin};

const PROTOCOL: PinProtocol = PinProtocol::Two;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin2-NewPin",
    cases: &[
        Case::new("P-1", "sets a first PIN", |bench| sets_pin(bench, PROTOCOL)),
        Case::new("P-2", "changes the PIN", |bench| changes_pin(bench, PROTOCOL)),
        Case::new("P-3", "no longer forces a change after it", |bench| {
            change_ends_force(bench, PROTOCOL)
        }),
        Case::new(
            "P-4",
            "ends persistent tokens when the PIN changes",
            persistent_token_ends,
        ),
    ],
};

fn persistent_token_ends(bench: &mut Bench) -> Outcome {
    bench.set_pin(PROTOCOL)?;
    let permissions = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;
    let token = bench.token(PROTOCOL, permissions, None)?;
    bench.client().creds_metadata(&token)?;
    bench.power_cycle()?;
    bench.client().creds_metadata(&token)?;
    let (client, rng) = bench.client_and_rng();
    client.change_pin(PROTOCOL, PIN, NEW_PIN, rng)?;
    refused(bench.client().creds_metadata(&token), Status::PIN_AUTH_INVALID)
}

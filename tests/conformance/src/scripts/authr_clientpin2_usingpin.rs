//! `Authr-ClientPin2-GetPinUvAuthTokenUsingPinWithPermissions`: CTAP 2.3 §6.5.5.7.2.

use wardkey_sim::fido_client::{Permissions, PinProtocol, Status};

use crate::bench::{Bench, PIN};
use crate::case::{Case, Outcome, Script, ensure_eq, refused};
use crate::scripts::client_pin::{NEW_PIN, asserts_with, force_pin_change, registers_with, token_for};

const PROTOCOL: PinProtocol = PinProtocol::Two;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin2-GetPinUvAuthTokenUsingPinWithPermissions",
    cases: &[
        Case::new("P-1", "gives a token with permissions", gives_token),
        Case::new("P-2", "registers a verified user", |bench| {
            bench.set_pin(PROTOCOL)?;
            let token = token_for(bench, PROTOCOL, Permissions::MAKE_CREDENTIAL)?;
            registers_with(bench, &token, true)
        }),
        Case::new("P-3", "signs for a verified user", |bench| {
            bench.set_pin(PROTOCOL)?;
            asserts_with(bench, |bench| {
                token_for(bench, PROTOCOL, Permissions::GET_ASSERTION)
            })
        }),
        Case::new("P-4", "gives a persistent token", persistent),
        Case::new("F-1", "gives no token while a change is forced", not_when_forced),
    ],
};

fn gives_token(bench: &mut Bench) -> Outcome {
    bench.set_pin(PROTOCOL)?;
    let both = Permissions::MAKE_CREDENTIAL.and(Permissions::GET_ASSERTION);
    let token = token_for(bench, PROTOCOL, both)?;
    ensure_eq!(token.expose_secret().len(), 32, "the length of the token");
    Ok(())
}

fn persistent(bench: &mut Bench) -> Outcome {
    bench.set_pin(PROTOCOL)?;
    let permissions = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;
    let token = bench.token(PROTOCOL, permissions, None)?;
    let again = bench.token(PROTOCOL, permissions, None)?;
    ensure_eq!(again, token, "the persistent token, asked for again");
    Ok(())
}

fn not_when_forced(bench: &mut Bench) -> Outcome {
    force_pin_change(bench, PROTOCOL)?;
    let grant = wardkey_sim::fido_client::Grant {
        permissions: Permissions::MAKE_CREDENTIAL,
        rp_id: None,
    };
    let (client, rng) = bench.client_and_rng();
    refused(
        client.pin_token_for(PROTOCOL, PIN, grant, rng),
        Status::PIN_POLICY_VIOLATION,
    )?;
    client.change_pin(PROTOCOL, PIN, NEW_PIN, rng)?;
    client.pin_token_for(PROTOCOL, NEW_PIN, grant, rng)?;
    Ok(())
}

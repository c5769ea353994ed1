//! `Authr-ClientPin2-GetPinUvAuthTokenUsingUvWithPermissions`: CTAP 2.3 §6.5.5.7.3.

use wardkey_sim::fido_client::{Grant, Permissions, PinProtocol, PinUvAuthToken};

use crate::bench::{Bench, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure_eq};
use crate::scripts::client_pin::{asserts_with, registers_with};

const PROTOCOL: PinProtocol = PinProtocol::Two;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-ClientPin2-GetPinUvAuthTokenUsingUvWithPermissions",
    cases: &[
        Case::new("P-1", "gives a token with permissions", gives_token),
        Case::new("P-2", "registers a verified user", |bench| {
            let token = token_for(bench, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
            registers_with(bench, &token, true)
        }),
        Case::new("P-3", "signs for a verified user", |bench| {
            asserts_with(bench, |bench| {
                token_for(bench, Permissions::GET_ASSERTION, Some(RP_ID))
            })
        }),
        Case::new("P-4", "gives a persistent token", |bench| {
            let permissions = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;
            let token = token_for(bench, permissions, None)?;
            bench.client().creds_metadata(&token)?;
            Ok(())
        }),
    ],
};

fn token_for(
    bench: &mut Bench,
    permissions: Permissions,
    rp_id: Option<&str>,
) -> Result<PinUvAuthToken, Stop> {
    bench.needs_option("uv", "the key has no built-in user verification")?;
    let (client, rng) = bench.client_and_rng();
    Ok(client.uv_token_for(PROTOCOL, Grant { permissions, rp_id }, rng)?)
}

fn gives_token(bench: &mut Bench) -> Outcome {
    let both = Permissions::MAKE_CREDENTIAL.and(Permissions::GET_ASSERTION);
    let token = token_for(bench, both, Some(RP_ID))?;
    ensure_eq!(token.expose_secret().len(), 32, "the length of the token");
    Ok(())
}

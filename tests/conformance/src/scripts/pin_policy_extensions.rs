//! What `minPINLength` and `pinComplexityPolicy` share: relying parties that are told about the rules for PINs.

use ciborium::Value;
use wardkey_sim::fido_client::{Configuration, MinPinLength, Permissions, PinProtocol};

use crate::bench::{Bench, RP_ID};
use crate::case::{Outcome, Stop, ensure_eq};
use crate::parameters::text_map;

/// Lets one relying party know the rules.
pub(super) fn tell(bench: &mut Bench, rp_id: &str, policy: MinPinLength) -> Outcome {
    let setting = Configuration::SetMinPinLength(MinPinLength {
        rp_ids: Some(vec![rp_id.to_owned()]),
        ..policy
    });
    let token = bench.token(PinProtocol::Two, Permissions::CONFIGURATION, None)?;
    Ok(bench.client().configure(&setting, Some(&token))?)
}

/// The extension outputs of a registration that asks.
pub(super) fn ask(bench: &mut Bench, extension: &'static str) -> Result<Option<Value>, Stop> {
    let token = bench.token(PinProtocol::Two, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
    let request = bench.resident_registration().authorized_by(&token);
    let request = request.with_extensions([(extension, Value::from(true))]);
    Ok(bench.register(&request)?.attestation.auth_data.extensions)
}

/// A relying party that is not on the list is told nothing.
pub(super) fn tells_nobody_else(bench: &mut Bench, extension: &'static str) -> Outcome {
    bench.needs_extension(extension, "the key does not have the extension")?;
    bench.set_pin(PinProtocol::Two)?;
    ensure_eq!(
        ask(bench, extension)?,
        None,
        "the extension outputs before there is a list"
    );
    tell(bench, "another.example", MinPinLength::default())?;
    ensure_eq!(
        ask(bench, extension)?,
        None,
        "the extension outputs for who is not on the list"
    );
    Ok(())
}

/// A relying party on the list is told this.
pub(super) fn tells(bench: &mut Bench, extension: &'static str, expected: Value) -> Outcome {
    let outputs = ask(bench, extension)?;
    ensure_eq!(
        outputs,
        Some(text_map([(extension, expected)])),
        "the extension outputs"
    );
    Ok(())
}

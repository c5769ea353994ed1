//! `pinComplexityPolicy`: the extension pinComplexityPolicy, CTAP 2.3 §12.

use ciborium::Value;
use wardkey_sim::fido_client::{MinPinLength, PinProtocol};

use crate::bench::{Bench, RP_ID};
use crate::case::{Case, Outcome, Script};
use crate::scripts::pin_policy_extensions::{tell, tells, tells_nobody_else};

pub(super) const SCRIPT: Script = Script {
    name: "pinComplexityPolicy",
    cases: &[
        Case::new(
            "P-1",
            "tells that there is a policy to who is on the list",
            tells_policy,
        ),
        Case::new("P-2", "tells it to nobody else", |bench| {
            tells_nobody_else(bench, EXTENSION)
        }),
    ],
};

const EXTENSION: &str = "pinComplexityPolicy";

fn tells_policy(bench: &mut Bench) -> Outcome {
    bench.needs_extension(EXTENSION, "the key does not have the extension")?;
    bench.set_pin(PinProtocol::Two)?;
    let policy = MinPinLength {
        pin_complexity_policy: Some(true),
        ..MinPinLength::default()
    };
    tell(bench, RP_ID, policy)?;
    tells(bench, EXTENSION, Value::from(true))
}

//! `minPINLength`: the extension minPinLength, CTAP 2.3 §12.

use ciborium::Value;
use wardkey_sim::fido_client::{MinPinLength, PinProtocol};

use crate::bench::{Bench, RP_ID};
use crate::case::{Case, Outcome, Script, ensure_eq, present};
use crate::scripts::pin_policy_extensions::{tell, tells, tells_nobody_else};

pub(super) const SCRIPT: Script = Script {
    name: "minPINLength",
    cases: &[
        Case::new("P-1", "tells the length to who is on the list", tells_length),
        Case::new("F-1", "tells the length to nobody else", |bench| {
            tells_nobody_else(bench, EXTENSION)
        }),
    ],
};

const EXTENSION: &str = "minPinLength";
const MIN_PIN_LENGTH: u8 = 0x0D;

fn tells_length(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    // The PIN is longer, and need not be changed.
    let policy = MinPinLength {
        new_min_pin_length: Some(6),
        ..MinPinLength::default()
    };
    tell(bench, RP_ID, policy)?;
    let shown = bench.info()?.member(MIN_PIN_LENGTH).cloned();
    ensure_eq!(present(shown, "minPINLength")?, Value::from(6), "minPINLength");
    tells(bench, EXTENSION, Value::from(6))
}

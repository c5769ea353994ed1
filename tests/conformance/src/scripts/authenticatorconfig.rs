//! `AuthenticatorConfig`: CTAP 2.3 §6.11.

use ciborium::Value;
use wardkey_sim::fido_client::{Configuration, MinPinLength, Permissions, PinProtocol};

use crate::bench::{Bench, PIN};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present};
use crate::scripts::client_pin::forces_pin_change;

pub(super) const SCRIPT: Script = Script {
    name: "AuthenticatorConfig",
    cases: &[
        Case::new("P-1", "enables enterprise attestation", enterprise_attestation),
        Case::new("P-2", "toggles whether users are always verified", always_uv),
        Case::new("P-3", "demands another PIN when it is too short now", longer_pins),
        Case::new("P-4", "takes as many relying parties as it says", relying_parties),
        Case::new("P-5", "demands another PIN when told to", force_change),
        Case::new("P-6", "makes the rules for PINs stricter", complexity),
        Case::new("P-7", "wants a long touch for a reset from now on", long_touch),
    ],
};

const MAX_RP_IDS: u8 = 0x10;
const LONG_TOUCH_FOR_RESET: u8 = 0x18;
const PIN_COMPLEXITY_POLICY: u8 = 0x1B;

/// Configures the key as its owner, who has a PIN.
fn configure(bench: &mut Bench, setting: &Configuration) -> Outcome {
    let token = bench.token(PinProtocol::Two, Permissions::CONFIGURATION, None)?;
    Ok(bench.client().configure(setting, Some(&token))?)
}

fn enterprise_attestation(bench: &mut Bench) -> Outcome {
    if !bench.configuration().enterprise {
        return Err(Stop::NotApplicable(
            "the key has no attestation key for enterprises",
        ));
    }
    bench.set_pin(PinProtocol::Two)?;
    for _ in 0..2 {
        configure(bench, &Configuration::EnableEnterpriseAttestation)?;
        ensure_eq!(bench.info()?.option("ep"), Some(true), "option ep");
    }
    Ok(())
}

fn always_uv(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    let before = present(bench.info()?.option("alwaysUv"), "option alwaysUv")?;
    configure(bench, &Configuration::ToggleAlwaysUv)?;
    let info = bench.info()?;
    ensure_eq!(info.option("alwaysUv"), Some(!before), "option alwaysUv");
    ensure!(
        info.option("makeCredUvNotRqd") != Some(true),
        "makeCredUvNotRqd with alwaysUv"
    );
    configure(bench, &Configuration::ToggleAlwaysUv)?;
    ensure_eq!(
        bench.info()?.option("alwaysUv"),
        Some(before),
        "option alwaysUv, toggled twice"
    );
    Ok(())
}

fn longer_pins(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    let longer = u32::try_from(PIN.len() + 1).ok();
    let policy = MinPinLength {
        new_min_pin_length: longer,
        ..MinPinLength::default()
    };
    configure(bench, &Configuration::SetMinPinLength(policy))?;
    ensure!(
        forces_pin_change(bench)?,
        "forcePINChange is false, and the PIN is too short"
    );
    Ok(())
}

fn relying_parties(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    let info = bench.info()?;
    let most = info.member(MAX_RP_IDS).and_then(Value::as_integer);
    let most = most.and_then(|most| usize::try_from(i128::from(most)).ok());
    let most = present(most, "maxRPIDsForSetMinPINLength")?;
    let rp_ids = (0..most).map(|number| format!("rp{number}.example"));
    let policy = MinPinLength {
        rp_ids: Some(rp_ids.collect()),
        ..MinPinLength::default()
    };
    configure(bench, &Configuration::SetMinPinLength(policy))
}

fn force_change(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    let policy = MinPinLength {
        force_change_pin: Some(true),
        ..MinPinLength::default()
    };
    configure(bench, &Configuration::SetMinPinLength(policy))?;
    ensure!(forces_pin_change(bench)?, "forcePINChange is false");
    Ok(())
}

fn complexity(bench: &mut Bench) -> Outcome {
    bench.needs_extension("pinComplexityPolicy", "the key has no stricter rules")?;
    bench.set_pin(PinProtocol::Two)?;
    let policy = MinPinLength {
        pin_complexity_policy: Some(true),
        ..MinPinLength::default()
    };
    configure(bench, &Configuration::SetMinPinLength(policy))?;
    let shown = bench.info()?.member(PIN_COMPLEXITY_POLICY).cloned();
    ensure_eq!(shown, Some(Value::from(true)), "pinComplexityPolicy");
    Ok(())
}

fn long_touch(bench: &mut Bench) -> Outcome {
    let before = bench.info()?.member(LONG_TOUCH_FOR_RESET).cloned();
    ensure_eq!(before, Some(Value::from(false)), "longTouchForReset of a new key");
    bench.set_pin(PinProtocol::Two)?;
    configure(bench, &Configuration::EnableLongTouchForReset)?;
    let after = bench.info()?.member(LONG_TOUCH_FOR_RESET).cloned();
    ensure_eq!(after, Some(Value::from(true)), "longTouchForReset");
    // A user who agrees to everything can still reset the key.
    bench.reset()
}

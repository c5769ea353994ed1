//! `wardkey-reset`: authenticatorReset and authenticatorSelection, CTAP 2.3 §6.6 and §6.9.

use std::time::Duration;

use wardkey_sim::fido_client::{PinProtocol, Status, serialize_large_blobs};

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure_eq, refused};
use crate::key::User;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-reset",
    cases: &[
        Case::new("late", "resets only in the first ten seconds with power", late),
        Case::new("in-time", "resets just before ten seconds are over", in_time),
        Case::new("declined", "does not reset when the user refuses", declined),
        Case::new("timed-out", "does not reset when nobody is there", timed_out),
        Case::new("pin", "forgets the PIN", pin),
        Case::new("large-blobs", "forgets large blobs", large_blobs),
        Case::new("aaguid", "stays the same model", aaguid),
        Case::new("selection", "is selected by a touch", selection),
        Case::new(
            "selection-declined",
            "is not selected when the user refuses",
            selection_declined,
        ),
        Case::new(
            "selection-timed-out",
            "is not selected when nobody is there",
            selection_timed_out,
        ),
    ],
};

fn late(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    bench.wait(Duration::from_millis(10_001))?;
    refused(bench.client().reset(), Status::NOT_ALLOWED)?;
    bench.reset()
}

fn in_time(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    bench.power_cycle()?;
    bench.wait(Duration::from_millis(9_900))?;
    Ok(bench.client().reset()?)
}

fn declined(bench: &mut Bench) -> Outcome {
    bench.user(User::Refuses)?;
    bench.power_cycle()?;
    refused(bench.client().reset(), Status::OPERATION_DENIED)
}

fn timed_out(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    bench.user(User::Absent)?;
    bench.power_cycle()?;
    refused(bench.client().reset(), Status::USER_ACTION_TIMEOUT)
}

fn pin(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    bench.reset()?;
    ensure_eq!(bench.info()?.option("clientPin"), Some(false), "option clientPin");
    bench.set_pin(PinProtocol::One)
}

fn large_blobs(bench: &mut Bench) -> Outcome {
    bench.needs_option("largeBlobs", "the key keeps large blobs with their credentials")?;
    let token = bench.uv_token(wardkey_sim::fido_client::Permissions::LARGE_BLOB_WRITE)?;
    let serialized = serialize_large_blobs(&[0x81, 0x01]);
    bench
        .client()
        .write_large_blobs(token.as_ref(), &serialized, 100)?;
    bench.reset()?;
    let after = bench.client().read_large_blobs(100)?;
    ensure_eq!(after, serialize_large_blobs(&[0x80]), "the array");
    Ok(())
}

fn aaguid(bench: &mut Bench) -> Outcome {
    let before = bench.info()?.aaguid;
    bench.reset()?;
    ensure_eq!(bench.info()?.aaguid, before, "aaguid");
    Ok(())
}

fn selection(bench: &mut Bench) -> Outcome {
    Ok(bench.client().selection()?)
}

fn selection_declined(bench: &mut Bench) -> Outcome {
    bench.user(User::Refuses)?;
    refused(bench.client().selection(), Status::OPERATION_DENIED)
}

fn selection_timed_out(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    bench.user(User::Absent)?;
    refused(bench.client().selection(), Status::USER_ACTION_TIMEOUT)
}

//! `Authr-Reset-1`: authenticatorReset, CTAP 2.3 §6.6.

use wardkey_sim::fido_client::Status;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, refused};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-Reset-1",
    cases: &[Case::new("P-1", "forgets every credential", forgets)],
};

/// Also one that is not stored: its id is of no use any more.
fn forgets(bench: &mut Bench) -> Outcome {
    let (wrapped, resident) = (bench.registration(), bench.resident_registration());
    let wrapped = bench.register(&wrapped)?;
    let resident = bench.register(&resident)?;
    let requests = [
        bench.assertion_of(&wrapped),
        bench.assertion_of(&resident),
        bench.assertion_for(&resident.rp_id),
    ];
    for request in &requests {
        bench.assert(request)?;
    }
    bench.reset()?;
    for request in &requests {
        refused(bench.client().get_assertion(request), Status::NO_CREDENTIALS)?;
    }
    Ok(())
}

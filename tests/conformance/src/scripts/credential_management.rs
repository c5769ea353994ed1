//! What the scripts about authenticatorCredentialManagement share.

use wardkey_sim::fido_client::{Permissions, PinProtocol, PinUvAuthToken};

use crate::bench::{Bench, Registered};
use crate::case::Stop;

/// Changes credentials.
pub(super) const MANAGE: Permissions = Permissions::CREDENTIAL_MANAGEMENT;
/// Reads, for as long as the PIN stays the same.
pub(super) const READ: Permissions = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;

/// Stores a credential for each of these relying parties, in a key that gets a PIN afterwards.
pub(super) fn store(bench: &mut Bench, rp_ids: &[&str]) -> Result<Vec<Registered>, Stop> {
    let mut stored = Vec::new();
    for rp_id in rp_ids {
        let mut request = bench.resident_registration();
        (*rp_id).clone_into(&mut request.rp.id);
        stored.push(bench.register(&request)?);
    }
    bench.set_pin(PinProtocol::Two)?;
    Ok(stored)
}

/// A token that is bound to no relying party.
pub(super) fn token(bench: &mut Bench, permissions: Permissions) -> Result<PinUvAuthToken, Stop> {
    bench.token(PinProtocol::Two, permissions, None)
}

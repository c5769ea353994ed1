//! Where the keys of this device are kept, behind the vault's `KeyStore`.

#[cfg(feature = "tpm")]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the program takes its root key from a file")
)]
pub(crate) mod tpm;

use wardkey_vault::{KeyStore, SoftwareKeys};

/// The keys of a device from what was kept of them, wherever they are; `None` when it is something else.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Box<dyn KeyStore + Send>> {
    SoftwareKeys::from_bytes(bytes).map(|keys| -> Box<dyn KeyStore + Send> { Box::new(keys) })
}

//! Where the keys of this device are kept, behind the vault's `KeyStore`.

#[cfg(feature = "tpm")]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the program takes its root key from a file")
)]
pub(crate) mod tpm;

//! What the vault keeps for the authenticator without knowing what it means: one sealed object each.

use crate::database::Meta;

/// Names a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Document {
    /// The state of the key that survives power cycles; a reset removes it.
    AuthenticatorState,
    /// The serialized array of large blobs; a reset removes it.
    LargeBlobs,
    /// The attestation authority of this installation; a reset keeps it.
    Attestation,
    /// Where the devices of the vault exchange passkeys, and what lets this one in there; a reset removes it.
    Storage,
}

impl Document {
    pub(crate) const ALL: [Self; 4] = [
        Self::AuthenticatorState,
        Self::LargeBlobs,
        Self::Attestation,
        Self::Storage,
    ];

    /// The longest document, in bytes.
    pub const LEN_MAX: usize = crate::padding::SIZE_MAX - 1;

    pub(crate) fn meta(self) -> Meta {
        match self {
            Self::AuthenticatorState => Meta::AuthenticatorState,
            Self::LargeBlobs => Meta::LargeBlobs,
            Self::Attestation => Meta::Attestation,
            Self::Storage => Meta::Storage,
        }
    }

    pub(crate) fn survives_reset(self) -> bool {
        match self {
            Self::AuthenticatorState | Self::LargeBlobs | Self::Storage => false,
            Self::Attestation => true,
        }
    }
}

/// Random, and another one after every change of the stored credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreState(pub [u8; 16]);

impl StoreState {
    pub(crate) fn random(rng: &mut dyn rand_core::CryptoRng) -> Self {
        let mut state = [0; 16];
        rng.fill_bytes(&mut state);
        Self(state)
    }
}

//! What the vault keeps about one credential.

use crate::secret::Secret;

/// A credential id as relying parties see it: 1 to [`CredentialId::LEN_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    /// The longest credential id this key makes or accepts, in bytes.
    pub const LEN_MAX: usize = 255;

    /// `None` when `bytes` is empty or longer than [`Self::LEN_MAX`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::LEN_MAX).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// The bytes of the id.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// SHA-256 of a relying party id, or a U2F application parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpIdHash(pub [u8; 32]);

/// What a credential may do besides sign; chosen when it is made, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// May be copied to the person's other devices: backup eligible, signature counter always 0.
    Synced,
    /// Stays on this device: not backup eligible, signature counter increases.
    DeviceBound,
    /// Made through U2F: not backup eligible, signature counter increases.
    U2f,
}

/// A stored (discoverable) credential.
pub struct Passkey {
    /// Names the credential.
    pub id: CredentialId,
    /// The relying party's id, byte for byte as the client sent it.
    pub rp_id: String,
    /// The relying party's name.
    pub rp_name: Option<String>,
    /// The user handle, 1 to 64 bytes.
    pub user_id: Vec<u8>,
    /// The account's name.
    pub user_name: Option<String>,
    /// The person's name.
    pub user_display_name: Option<String>,
    /// COSE algorithm identifier, for example -7.
    pub algorithm: i32,
    /// P-256: the scalar, big endian; Ed25519: the seed.
    pub private_key: Secret<32>,
    /// Fixed at creation.
    pub profile: Profile,
    /// When it was made, milliseconds since the Unix epoch; the vault raises it where needed so that of two
    /// credentials the later made has the greater value.
    pub created_unix_ms: u64,
}

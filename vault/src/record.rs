//! What the vault keeps about one credential.

use std::borrow::Borrow;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{Secret, SecretBytes};

/// A credential id as relying parties see it: 1 to [`CredentialId::LEN_MAX`] bytes. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Arc<[u8]>);

impl CredentialId {
    /// The longest credential id this key makes or accepts, in bytes.
    pub const LEN_MAX: usize = 255;

    /// `None` when `bytes` is empty or longer than [`Self::LEN_MAX`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::LEN_MAX)
            .contains(&bytes.len())
            .then(|| Self(Arc::from(bytes)))
    }

    /// The bytes of the id.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for CredentialId {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// SHA-256 of a relying party id, or a U2F application parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpIdHash(pub [u8; 32]);

impl RpIdHash {
    /// The hash of a relying party id.
    pub fn of(rp_id: &str) -> Self {
        Self(Sha256::digest(rp_id).into())
    }
}

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

impl Profile {
    /// The number that stands for the profile in sealed data.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Synced => 1,
            Self::DeviceBound => 2,
            Self::U2f => 3,
        }
    }

    /// The profile that `code` stands for.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        [Self::Synced, Self::DeviceBound, Self::U2f]
            .into_iter()
            .find(|profile| profile.code() == code)
    }
}

/// Who may use a credential, `CTAP 2.3 §12.1`; chosen when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CredProtect {
    /// Whoever has the key.
    #[default]
    Optional,
    /// Without user verification only who names the credential.
    OptionalWithList,
    /// Nobody without user verification.
    Required,
}

impl CredProtect {
    /// The number that stands for the level, on the wire and in sealed data.
    pub fn code(self) -> u8 {
        match self {
            Self::Optional => 1,
            Self::OptionalWithList => 2,
            Self::Required => 3,
        }
    }

    /// The level that `code` stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Optional, Self::OptionalWithList, Self::Required]
            .into_iter()
            .find(|level| level.code() == code)
    }
}

/// What a relying party keeps with a credential, as the client compressed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeBlob {
    /// The compressed bytes.
    pub data: Vec<u8>,
    /// How many bytes there were before.
    pub original_size: u64,
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
    /// The scalar, big endian, or the seed; its length follows from the algorithm.
    pub private_key: SecretBytes,
    /// Fixed at creation.
    pub profile: Profile,
    /// When it was made, milliseconds since the Unix epoch; the vault raises it where needed so that of two
    /// credentials the later made has the greater value.
    pub created_unix_ms: u64,
    /// Who may use it.
    pub cred_protect: CredProtect,
    /// What symmetric secrets are computed from: 32 bytes for use with user verification, then 32 for use without.
    /// A credential that came from elsewhere may have none.
    pub cred_random: Option<Secret<64>>,
    /// A few bytes that the relying party gave when it was made.
    pub cred_blob: Option<Vec<u8>>,
    /// Encrypts the credential's entry in the array of large blobs.
    pub large_blob_key: Option<Secret<32>>,
    /// The credential's own large blob; `None` where it has never been written.
    pub large_blob: Option<LargeBlob>,
    /// It may be used for payments that another site starts.
    pub third_party_payment: bool,
}

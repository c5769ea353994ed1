//! What a key is: fixed when it is made, shown in getInfo and in authenticator data.

use wardkey_transport::time::Instant;
use wardkey_vault::Profile;

use crate::cose::Algorithm;

/// What a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the credentials made through CTAP2 may live.
    pub kind: KeyKind,
    /// Which algorithms new credentials may have.
    pub algorithms: Algorithms,
    /// Who signs the attestation of new credentials.
    pub attestation: Attestation,
    /// Who may learn which key this is; `None`: nobody, and it cannot be switched on.
    pub enterprise: Option<Enterprise>,
    /// Shown as `firmwareVersion`.
    pub firmware_version: u32,
    /// What the wall clock shows at [`wardkey_transport::time::Instant::ZERO`], in milliseconds since the Unix
    /// epoch; credentials remember when they were made.
    pub unix_ms_at_zero: u64,
    /// How relying parties can keep data with a credential.
    pub large_blobs: LargeBlobs,
    /// Leaves `FIDO_2_3` out of `versions`, for clients that take the key for a U2F key when they see it.
    pub hide_fido_2_3: bool,
}

impl Config {
    /// What the wall clock shows.
    pub(crate) fn unix_ms(&self, now: Instant) -> u64 {
        self.unix_ms_at_zero.saturating_add(now.as_millis())
    }
}

/// How relying parties can keep data with a credential. The two ways exclude each other, `CTAP 2.3 §12.4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LargeBlobs {
    /// In one array, encrypted by the platform: authenticatorLargeBlobs and largeBlobKey.
    #[default]
    Array,
    /// With the credential: the extension largeBlob.
    Extension,
}

impl LargeBlobs {
    pub(crate) fn is_array(self) -> bool {
        self == Self::Array
    }
}

/// Where the credentials made through CTAP2 may live. The two have different models (AAGUIDs), because relying
/// parties and metadata treat them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// On all devices of the person: backup eligible, no signature counter.
    Synced,
    /// On this device only: not backup eligible, with a signature counter.
    DeviceBound,
}

/// Which algorithms new credentials may have. Credentials that exist are used whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithms {
    /// ECDSA with P-256 and P-384, and Ed25519.
    #[default]
    Classical,
    /// These and ML-DSA. Its implementation has not been audited, and there are clients that refuse a key whose getInfo
    /// names an algorithm they do not know.
    WithMlDsa,
}

impl Algorithms {
    pub(crate) fn contain(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::MlDsa44 | Algorithm::MlDsa65 => self == Self::WithMlDsa,
            Algorithm::Es256
            | Algorithm::EdDsa
            | Algorithm::Es384
            | Algorithm::Esp256
            | Algorithm::Ed25519
            | Algorithm::Esp384 => true,
        }
    }
}

/// Who signs the attestation of new credentials, for clients that do not want none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attestation {
    /// Each credential that of itself: nobody can tell two credentials of one key from those of two keys.
    #[default]
    OfItself,
    /// Keys that the authority of this installation certifies. Whoever has the authority's certificate recognizes the
    /// installation, and relying parties that compare what they see can, too.
    Authority,
}

/// Enterprise attestation, `CTAP 2.3 §7.1`: relying parties that a managed platform names, and those named here, may be
/// told which key this is, once authenticatorConfig has switched it on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enterprise {
    /// The relying parties of vendor-facilitated enterprise attestation.
    pub rp_ids: Vec<String>,
}

/// Identifies a model of authenticator, `WebAuthn L3 §6.5.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aaguid(pub [u8; 16]);

impl Aaguid {
    /// 841295c2-9ffe-407a-893c-2e41b27ac240
    pub const SYNCED: Self = Self(0x8412_95c2_9ffe_407a_893c_2e41_b27a_c240_u128.to_be_bytes());
    /// 9e326632-c098-4e72-b441-1e8a7ccdf57d
    pub const DEVICE_BOUND: Self = Self(0x9e32_6632_c098_4e72_b441_1e8a_7ccd_f57d_u128.to_be_bytes());
}

impl KeyKind {
    pub(crate) fn aaguid(self) -> Aaguid {
        match self {
            Self::Synced => Aaguid::SYNCED,
            Self::DeviceBound => Aaguid::DEVICE_BOUND,
        }
    }

    /// The profile of the credentials that a key of this kind makes through CTAP2.
    pub(crate) fn profile(self) -> Profile {
        match self {
            Self::Synced => Profile::Synced,
            Self::DeviceBound => Profile::DeviceBound,
        }
    }
}

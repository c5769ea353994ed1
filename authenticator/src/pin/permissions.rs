//! What a pinUvAuthToken may be used for. `CTAP 2.3 §6.5.5.7`.

/// One thing that a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    MakeCredential,
    GetAssertion,
    CredentialManagement,
    BioEnrollment,
    LargeBlobWrite,
    AuthenticatorConfig,
    /// Reading in credential management, with a token that lasts.
    PersistentReadOnly,
}

impl Permission {
    pub(super) const ALL: [Self; 7] = [
        Self::MakeCredential,
        Self::GetAssertion,
        Self::CredentialManagement,
        Self::BioEnrollment,
        Self::LargeBlobWrite,
        Self::AuthenticatorConfig,
        Self::PersistentReadOnly,
    ];

    pub(super) const fn bit(self) -> u64 {
        match self {
            Self::MakeCredential => 0x01,
            Self::GetAssertion => 0x02,
            Self::CredentialManagement => 0x04,
            Self::BioEnrollment => 0x08,
            Self::LargeBlobWrite => 0x10,
            Self::AuthenticatorConfig => 0x20,
            Self::PersistentReadOnly => 0x40,
        }
    }
}

/// A set of permissions. Bits that mean nothing are dropped when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Permissions(u64);

impl Permissions {
    /// What getPinToken grants, `CTAP 2.3 §6.5.5.7.1`.
    pub(crate) const OF_PIN_TOKEN: Self =
        Self(Permission::MakeCredential.bit() | Permission::GetAssertion.bit());

    const DEFINED: u64 = 0x7F;

    /// The permissions in a request.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits & Self::DEFINED)
    }

    pub(crate) fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether all of them are such.
    pub(crate) fn all(self, mut is_such: impl FnMut(Permission) -> bool) -> bool {
        Permission::ALL
            .into_iter()
            .filter(|permission| self.contains(*permission))
            .all(&mut is_such)
    }

    /// Whether this permission is the only one.
    pub(crate) fn is_only(self, permission: Permission) -> bool {
        self.0 == permission.bit()
    }

    /// What is left once the user's presence was used up, `CTAP 2.3 §6.5.2.1`.
    pub(crate) fn keep_large_blob_write(self) -> Self {
        Self(self.0 & Permission::LargeBlobWrite.bit())
    }
}

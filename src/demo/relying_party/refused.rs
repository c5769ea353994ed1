//! Why the relying party refuses, in words that a person at the page understands.

use webauthn_rs_core::error::WebauthnError;

/// One reason; each is one check of WebAuthn L3 §7.1 or §7.2, or one bound of this relying party.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("a name has 1 to 64 characters and no control characters")]
    BadName,
    #[error("nobody has registered under this name since this site was started")]
    UnknownName,
    #[error("somebody registered this name in the meantime")]
    NameTaken,
    #[error("this site has no room for more accounts; restart it")]
    TooManyAccounts,
    #[error("this account has no room for more keys")]
    TooManyCredentials,
    #[error("this challenge was never issued, has been answered already, or is too old")]
    UnknownCeremony,
    #[error("this credential is registered already")]
    AlreadyRegistered,
    #[error("this credential is not known here")]
    UnknownCredential,
    #[error("the key did not say which account it signs for")]
    NoUserHandle,
    #[error("the key signed for another account")]
    WrongUserHandle,
    #[error("the answer is for another kind of request")]
    WrongType,
    #[error("the signed challenge is not the one that was issued")]
    WrongChallenge,
    #[error("the answer was made for a page from another origin")]
    WrongOrigin,
    #[error("the answer was made inside a frame of another site")]
    CrossOrigin,
    #[error("the key signed for another relying party")]
    WrongRelyingParty,
    #[error("the key did not test that a person is present")]
    UserNotPresent,
    #[error("the key did not verify who the person is")]
    UserNotVerified,
    #[error("the key used an algorithm that was not offered")]
    AlgorithmNotOffered,
    #[error("the attestation is not valid")]
    BadAttestation,
    #[error("the signature is not valid for the registered public key")]
    BadSignature,
    #[error("the signature counter did not grow: there may be a copy of this key")]
    CounterNotHigher,
    #[error("the backup flags contradict themselves or what was registered")]
    BackupFlags,
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
}

impl Refused {
    /// A stable name for programs.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::BadName => "bad-name",
            Self::UnknownName => "unknown-name",
            Self::NameTaken => "name-taken",
            Self::TooManyAccounts => "too-many-accounts",
            Self::TooManyCredentials => "too-many-credentials",
            Self::UnknownCeremony => "unknown-ceremony",
            Self::AlreadyRegistered => "already-registered",
            Self::UnknownCredential => "unknown-credential",
            Self::NoUserHandle => "no-user-handle",
            Self::WrongUserHandle => "wrong-user-handle",
            Self::WrongType => "wrong-type",
            Self::WrongChallenge => "wrong-challenge",
            Self::WrongOrigin => "wrong-origin",
            Self::CrossOrigin => "cross-origin",
            Self::WrongRelyingParty => "wrong-relying-party",
            Self::UserNotPresent => "user-not-present",
            Self::UserNotVerified => "user-not-verified",
            Self::AlgorithmNotOffered => "algorithm-not-offered",
            Self::BadAttestation => "bad-attestation",
            Self::BadSignature => "bad-signature",
            Self::CounterNotHigher => "counter-not-higher",
            Self::BackupFlags => "backup-flags",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl From<WebauthnError> for Refused {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other ninety are ways to be unreadable"
    )]
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::InvalidClientDataType => Self::WrongType,
            WebauthnError::MismatchedChallenge => Self::WrongChallenge,
            WebauthnError::InvalidRPOrigin => Self::WrongOrigin,
            WebauthnError::CredentialCrossOrigin => Self::CrossOrigin,
            WebauthnError::InvalidRPIDHash => Self::WrongRelyingParty,
            WebauthnError::UserNotPresent => Self::UserNotPresent,
            WebauthnError::UserNotVerified => Self::UserNotVerified,
            WebauthnError::CredentialAlteredAlgFromRequest
            | WebauthnError::COSEKeyEDUnsupported
            | WebauthnError::SshPublicKeyEDUnsupported => Self::AlgorithmNotOffered,
            WebauthnError::AttestationStatementSigInvalid
            | WebauthnError::AttestationStatementSigMissing
            | WebauthnError::AttestationStatementAlgMismatch
            | WebauthnError::AttestationNotSupported => Self::BadAttestation,
            WebauthnError::AuthenticationFailure | WebauthnError::SignatureInvalid => Self::BadSignature,
            WebauthnError::CredentialPossibleCompromise => Self::CounterNotHigher,
            WebauthnError::CredentialBackupEligibilityInconsistent
            | WebauthnError::CredentialMayNotBeHardwareBound => Self::BackupFlags,
            WebauthnError::CredentialNotFound => Self::UnknownCredential,
            other => Self::Malformed(other.to_string()),
        }
    }
}

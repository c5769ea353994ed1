//! What can be wrong with a TPM, and what a person can do about it.

use tss_esapi::Error;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;
use wardkey_vault::KeyStoreError;

/// Why the TPM did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TpmError {
    /// There is none, or the firmware hides it.
    #[error("this computer shows no TPM 2.0")]
    Missing,
    /// The device may not be opened.
    #[error("this user may not use the TPM")]
    NotAllowed,
    /// It does not answer.
    #[error("the TPM does not answer: {0}")]
    Unreachable(Error),
    /// The owner hierarchy has a password.
    #[error("the owner of the TPM has set a password, and without it the TPM makes no keys")]
    Owned,
    /// It makes another storage key than the one under which the keys are.
    #[error("this TPM did not make the keys of this device, or it was cleared since")]
    OtherTpm,
    /// The authorization value is wrong, and was counted.
    #[error("the TPM counted a wrong Vault PIN")]
    WrongAuth,
    /// Wrong guesses are not even compared any more.
    #[error(
        "the TPM has counted too many wrong guesses, of this or another program, and checks none for now"
    )]
    LockedOut,
    /// Anything else that the TPM or its library says.
    #[error("the TPM did not do it: {0}")]
    Refused(Error),
    /// What it answered is not what was asked for.
    #[error("the TPM gave an answer that makes no sense")]
    Nonsense,
}

impl TpmError {
    /// What to do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Missing => {
                "switch the TPM on in the firmware's settings; elsewhere than on the computer that has it, only the \
                 recovery kit opens the vault: wardkey recover"
            }
            Self::NotAllowed => {
                "add yourself to the group that may: sudo usermod --append --groups tss \"$USER\"\n\
                 then log in again"
            }
            Self::Owned => {
                "ask whoever administers this computer; wardkey needs an owner hierarchy without a password"
            }
            Self::OtherTpm => {
                "use the computer that made them; where that is gone, take the vault over with its recovery kit: wardkey \
                 recover"
            }
            Self::WrongAuth => "check the Vault PIN",
            Self::LockedOut => {
                "leave the computer on and wait: the TPM forgets one wrong guess after the other"
            }
            Self::Unreachable(_) | Self::Refused(_) | Self::Nonsense => {
                "restart the computer; if that does not help, look for an update of its firmware"
            }
        }
    }
}

impl From<Error> for TpmError {
    fn from(error: Error) -> Self {
        match kind(error) {
            Some(Tss2ResponseCodeKind::AuthFail) => Self::WrongAuth,
            Some(Tss2ResponseCodeKind::Lockout) => Self::LockedOut,
            _ => Self::Refused(error),
        }
    }
}

impl From<TpmError> for KeyStoreError {
    fn from(error: TpmError) -> Self {
        match error {
            TpmError::WrongAuth => Self::WrongAuth,
            TpmError::LockedOut => Self::LockedOut,
            TpmError::Missing
            | TpmError::NotAllowed
            | TpmError::Unreachable(_)
            | TpmError::Owned
            | TpmError::OtherTpm
            | TpmError::Refused(_)
            | TpmError::Nonsense => Self::Unavailable,
        }
    }
}

/// What the TPM answered; nothing when the answer is its library's.
pub(super) fn kind(error: Error) -> Option<Tss2ResponseCodeKind> {
    match error {
        Error::Tss2Error(code) => code.kind(),
        Error::WrapperError(_) => None,
    }
}

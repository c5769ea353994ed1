//! The status codes of CTAP2, `CTAP 2.3 §8.2`, and the one place where an error of another layer becomes one.

/// The first byte of a CTAP2 answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusCode(u8);

#[allow(
    missing_docs,
    reason = "the names are the specification's; it says when each is sent"
)]
impl StatusCode {
    pub const OK: Self = Self(0x00);
    pub const INVALID_COMMAND: Self = Self(0x01);
    pub const INVALID_PARAMETER: Self = Self(0x02);
    pub const INVALID_LENGTH: Self = Self(0x03);
    pub const INVALID_SEQ: Self = Self(0x04);
    pub const TIMEOUT: Self = Self(0x05);
    pub const CHANNEL_BUSY: Self = Self(0x06);
    pub const LOCK_REQUIRED: Self = Self(0x0A);
    pub const INVALID_CHANNEL: Self = Self(0x0B);
    pub const CBOR_UNEXPECTED_TYPE: Self = Self(0x11);
    pub const INVALID_CBOR: Self = Self(0x12);
    pub const MISSING_PARAMETER: Self = Self(0x14);
    pub const LIMIT_EXCEEDED: Self = Self(0x15);
    pub const FP_DATABASE_FULL: Self = Self(0x17);
    pub const LARGE_BLOB_STORAGE_FULL: Self = Self(0x18);
    pub const CREDENTIAL_EXCLUDED: Self = Self(0x19);
    pub const PROCESSING: Self = Self(0x21);
    pub const INVALID_CREDENTIAL: Self = Self(0x22);
    pub const USER_ACTION_PENDING: Self = Self(0x23);
    pub const OPERATION_PENDING: Self = Self(0x24);
    pub const NO_OPERATIONS: Self = Self(0x25);
    pub const UNSUPPORTED_ALGORITHM: Self = Self(0x26);
    pub const OPERATION_DENIED: Self = Self(0x27);
    pub const KEY_STORE_FULL: Self = Self(0x28);
    pub const UNSUPPORTED_OPTION: Self = Self(0x2B);
    pub const INVALID_OPTION: Self = Self(0x2C);
    pub const KEEPALIVE_CANCEL: Self = Self(0x2D);
    pub const NO_CREDENTIALS: Self = Self(0x2E);
    pub const USER_ACTION_TIMEOUT: Self = Self(0x2F);
    pub const NOT_ALLOWED: Self = Self(0x30);
    pub const PIN_INVALID: Self = Self(0x31);
    pub const PIN_BLOCKED: Self = Self(0x32);
    pub const PIN_AUTH_INVALID: Self = Self(0x33);
    pub const PIN_AUTH_BLOCKED: Self = Self(0x34);
    pub const PIN_NOT_SET: Self = Self(0x35);
    pub const PUAT_REQUIRED: Self = Self(0x36);
    pub const PIN_POLICY_VIOLATION: Self = Self(0x37);
    pub const REQUEST_TOO_LARGE: Self = Self(0x39);
    pub const ACTION_TIMEOUT: Self = Self(0x3A);
    pub const UP_REQUIRED: Self = Self(0x3B);
    pub const UV_BLOCKED: Self = Self(0x3C);
    pub const INTEGRITY_FAILURE: Self = Self(0x3D);
    pub const INVALID_SUBCOMMAND: Self = Self(0x3E);
    pub const UV_INVALID: Self = Self(0x3F);
    pub const UNAUTHORIZED_PERMISSION: Self = Self(0x40);
    pub const OTHER: Self = Self(0x7F);
}

impl StatusCode {
    /// Every code that this key sends; the last one only where its disk is not sound.
    pub const SENT: &'static [Self] = &[
        Self::OK,
        Self::INVALID_COMMAND,
        Self::INVALID_PARAMETER,
        Self::INVALID_LENGTH,
        Self::INVALID_SEQ,
        Self::CBOR_UNEXPECTED_TYPE,
        Self::INVALID_CBOR,
        Self::MISSING_PARAMETER,
        Self::LIMIT_EXCEEDED,
        Self::LARGE_BLOB_STORAGE_FULL,
        Self::CREDENTIAL_EXCLUDED,
        Self::UNSUPPORTED_ALGORITHM,
        Self::OPERATION_DENIED,
        Self::KEY_STORE_FULL,
        Self::UNSUPPORTED_OPTION,
        Self::INVALID_OPTION,
        Self::KEEPALIVE_CANCEL,
        Self::NO_CREDENTIALS,
        Self::USER_ACTION_TIMEOUT,
        Self::NOT_ALLOWED,
        Self::PIN_INVALID,
        Self::PIN_BLOCKED,
        Self::PIN_AUTH_INVALID,
        Self::PIN_AUTH_BLOCKED,
        Self::PIN_NOT_SET,
        Self::PUAT_REQUIRED,
        Self::PIN_POLICY_VIOLATION,
        Self::REQUEST_TOO_LARGE,
        Self::UV_BLOCKED,
        Self::INTEGRITY_FAILURE,
        Self::INVALID_SUBCOMMAND,
        Self::UV_INVALID,
        Self::UNAUTHORIZED_PERMISSION,
        Self::OTHER,
    ];

    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        self.0
    }
}

/// Only a vault without room has a code of its own; that it is broken is nobody's fault on the wire.
impl From<wardkey_vault::Error> for StatusCode {
    fn from(error: wardkey_vault::Error) -> Self {
        use wardkey_vault::Error;
        match error {
            Error::TooLarge => Self::KEY_STORE_FULL,
            Error::Database(_)
            | Error::Corrupted
            | Error::Tampered
            | Error::WrongRootKey
            | Error::NewerFormat { .. }
            | Error::NeedsPin
            | Error::HasNoPin
            | Error::Trust(_) => Self::OTHER,
        }
    }
}

/// Every way in which bytes are not canonical CBOR has one code, `CTAP 2.3 §8.2`.
impl From<crate::cbor::Malformed> for StatusCode {
    fn from(_: crate::cbor::Malformed) -> Self {
        Self::INVALID_CBOR
    }
}

#[cfg(test)]
mod tests {
    use wardkey_vault::Error;

    use super::*;

    #[test]
    fn only_a_vault_without_room_is_told_apart() {
        assert_eq!(StatusCode::from(Error::TooLarge), StatusCode::KEY_STORE_FULL);
        for error in [
            Error::Corrupted,
            Error::Tampered,
            Error::WrongRootKey,
            Error::NewerFormat {
                found: 2,
                supported: 1,
            },
        ] {
            assert_eq!(StatusCode::from(error), StatusCode::OTHER);
        }
    }
}

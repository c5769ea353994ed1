//! CTAP2 status codes, CTAP 2.3 §8.2.

use std::fmt;

/// The first byte of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u8);

impl Status {
    /// Done.
    pub const OK: Self = Self(0x00);
    /// The command is not known.
    pub const INVALID_COMMAND: Self = Self(0x01);
    /// A parameter has a value that makes no sense here.
    pub const INVALID_PARAMETER: Self = Self(0x02);
    /// A parameter is too long or too short.
    pub const INVALID_LENGTH: Self = Self(0x03);
    /// A fragment does not follow the last one.
    pub const INVALID_SEQ: Self = Self(0x04);
    /// A parameter is of another type.
    pub const CBOR_UNEXPECTED_TYPE: Self = Self(0x11);
    /// The request is not CBOR as CTAP has it.
    pub const INVALID_CBOR: Self = Self(0x12);
    /// A parameter is missing.
    pub const MISSING_PARAMETER: Self = Self(0x14);
    /// A list is too long.
    pub const LIMIT_EXCEEDED: Self = Self(0x15);
    /// The large blobs do not fit.
    pub const LARGE_BLOB_STORAGE_FULL: Self = Self(0x18);
    /// A credential of the exclude list exists.
    pub const CREDENTIAL_EXCLUDED: Self = Self(0x19);
    /// None of the algorithms is known.
    pub const UNSUPPORTED_ALGORITHM: Self = Self(0x26);
    /// The user said no, or did nothing.
    pub const OPERATION_DENIED: Self = Self(0x27);
    /// There is no more room.
    pub const KEY_STORE_FULL: Self = Self(0x28);
    /// The option is not for this command.
    pub const UNSUPPORTED_OPTION: Self = Self(0x2B);
    /// The option has a value that is not possible.
    pub const INVALID_OPTION: Self = Self(0x2C);
    /// The client cancelled.
    pub const KEEPALIVE_CANCEL: Self = Self(0x2D);
    /// There is no credential for this.
    pub const NO_CREDENTIALS: Self = Self(0x2E);
    /// The user did nothing.
    pub const USER_ACTION_TIMEOUT: Self = Self(0x2F);
    /// Not now.
    pub const NOT_ALLOWED: Self = Self(0x30);
    /// The PIN is wrong.
    pub const PIN_INVALID: Self = Self(0x31);
    /// The PIN was wrong too often; only a reset helps.
    pub const PIN_BLOCKED: Self = Self(0x32);
    /// The pinUvAuthParam does not authorise this.
    pub const PIN_AUTH_INVALID: Self = Self(0x33);
    /// The PIN was wrong too often in a row; the key has to lose power.
    pub const PIN_AUTH_BLOCKED: Self = Self(0x34);
    /// There is no PIN.
    pub const PIN_NOT_SET: Self = Self(0x35);
    /// A pinUvAuthParam is needed.
    pub const PUAT_REQUIRED: Self = Self(0x36);
    /// The PIN breaks a rule for PINs.
    pub const PIN_POLICY_VIOLATION: Self = Self(0x37);
    /// Built-in user verification failed too often.
    pub const UV_BLOCKED: Self = Self(0x3C);
    /// The checksum is wrong.
    pub const INTEGRITY_FAILURE: Self = Self(0x3D);
    /// The subcommand is not known.
    pub const INVALID_SUBCOMMAND: Self = Self(0x3E);
    /// Built-in user verification failed.
    pub const UV_INVALID: Self = Self(0x3F);
    /// The permission cannot be given.
    pub const UNAUTHORIZED_PERMISSION: Self = Self(0x40);

    /// The name in the specification.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x00 => "OK",
            0x01 => "INVALID_COMMAND",
            0x02 => "INVALID_PARAMETER",
            0x03 => "INVALID_LENGTH",
            0x04 => "INVALID_SEQ",
            0x05 => "TIMEOUT",
            0x06 => "CHANNEL_BUSY",
            0x0A => "LOCK_REQUIRED",
            0x0B => "INVALID_CHANNEL",
            0x11 => "CBOR_UNEXPECTED_TYPE",
            0x12 => "INVALID_CBOR",
            0x14 => "MISSING_PARAMETER",
            0x15 => "LIMIT_EXCEEDED",
            0x17 => "FP_DATABASE_FULL",
            0x18 => "LARGE_BLOB_STORAGE_FULL",
            0x19 => "CREDENTIAL_EXCLUDED",
            0x21 => "PROCESSING",
            0x22 => "INVALID_CREDENTIAL",
            0x23 => "USER_ACTION_PENDING",
            0x24 => "OPERATION_PENDING",
            0x25 => "NO_OPERATIONS",
            0x26 => "UNSUPPORTED_ALGORITHM",
            0x27 => "OPERATION_DENIED",
            0x28 => "KEY_STORE_FULL",
            0x2B => "UNSUPPORTED_OPTION",
            0x2C => "INVALID_OPTION",
            0x2D => "KEEPALIVE_CANCEL",
            0x2E => "NO_CREDENTIALS",
            0x2F => "USER_ACTION_TIMEOUT",
            0x30 => "NOT_ALLOWED",
            0x31 => "PIN_INVALID",
            0x32 => "PIN_BLOCKED",
            0x33 => "PIN_AUTH_INVALID",
            0x34 => "PIN_AUTH_BLOCKED",
            0x35 => "PIN_NOT_SET",
            0x36 => "PUAT_REQUIRED",
            0x37 => "PIN_POLICY_VIOLATION",
            0x39 => "REQUEST_TOO_LARGE",
            0x3A => "ACTION_TIMEOUT",
            0x3B => "UP_REQUIRED",
            0x3C => "UV_BLOCKED",
            0x3D => "INTEGRITY_FAILURE",
            0x3E => "INVALID_SUBCOMMAND",
            0x3F => "UV_INVALID",
            0x40 => "UNAUTHORIZED_PERMISSION",
            0x7F => "OTHER",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "status {:#04x}", self.0),
        }
    }
}

//! What holds for every answer of CTAP2, whatever was asked.

use wardkey_authenticator::StatusCode;
use wardkey_sim::fido_client::{canonical, from_bytes, to_bytes};

/// The status codes that a key with a sound disk sends.
const STATUSES: [StatusCode; 33] = [
    StatusCode::OK,
    StatusCode::INVALID_COMMAND,
    StatusCode::INVALID_PARAMETER,
    StatusCode::INVALID_LENGTH,
    StatusCode::INVALID_SEQ,
    StatusCode::CBOR_UNEXPECTED_TYPE,
    StatusCode::INVALID_CBOR,
    StatusCode::MISSING_PARAMETER,
    StatusCode::LIMIT_EXCEEDED,
    StatusCode::LARGE_BLOB_STORAGE_FULL,
    StatusCode::CREDENTIAL_EXCLUDED,
    StatusCode::UNSUPPORTED_ALGORITHM,
    StatusCode::OPERATION_DENIED,
    StatusCode::KEY_STORE_FULL,
    StatusCode::UNSUPPORTED_OPTION,
    StatusCode::INVALID_OPTION,
    StatusCode::KEEPALIVE_CANCEL,
    StatusCode::NO_CREDENTIALS,
    StatusCode::USER_ACTION_TIMEOUT,
    StatusCode::NOT_ALLOWED,
    StatusCode::PIN_INVALID,
    StatusCode::PIN_BLOCKED,
    StatusCode::PIN_AUTH_INVALID,
    StatusCode::PIN_AUTH_BLOCKED,
    StatusCode::PIN_NOT_SET,
    StatusCode::PUAT_REQUIRED,
    StatusCode::PIN_POLICY_VIOLATION,
    StatusCode::REQUEST_TOO_LARGE,
    StatusCode::UV_BLOCKED,
    StatusCode::INTEGRITY_FAILURE,
    StatusCode::INVALID_SUBCOMMAND,
    StatusCode::UV_INVALID,
    StatusCode::UNAUTHORIZED_PERMISSION,
];

/// The longest answer that CTAPHID carries.
const LEN_MAX: usize = 7609;

/// Checks that an answer is a known status, followed by one canonical map or by nothing where the command succeeded,
/// and by nothing where it did not.
pub(crate) fn check(answer: &[u8]) {
    let (status, body) = answer.split_first().expect("an answer has a status");
    assert!(
        STATUSES.iter().any(|known| known.byte() == *status),
        "status {status:#04x}"
    );
    assert!(answer.len() <= LEN_MAX, "{} bytes", answer.len());
    if *status != StatusCode::OK.byte() {
        assert!(body.is_empty(), "an error has no body");
    } else if !body.is_empty() {
        let value = from_bytes(body).expect("a body is CBOR");
        assert!(value.is_map(), "a body is a map");
        assert_eq!(to_bytes(&canonical(value)), body, "a body is canonical");
    }
}

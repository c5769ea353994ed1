//! What holds for every answer of CTAP2, whatever was asked.

use wardkey_authenticator::StatusCode;
use wardkey_sim::fido_client::{canonical, from_bytes, to_bytes};

/// The longest answer that CTAPHID carries.
const LEN_MAX: usize = 7609;

/// Checks that an answer is a status that a key with a sound disk sends, followed by one canonical map or by nothing where
/// the command succeeded, and by nothing where it did not.
pub(crate) fn check(answer: &[u8]) {
    let (status, body) = answer.split_first().expect("an answer has a status");
    let known = StatusCode::SENT.iter().find(|known| known.byte() == *status);
    assert!(
        known.is_some_and(|known| *known != StatusCode::OTHER),
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

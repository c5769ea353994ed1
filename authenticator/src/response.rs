//! CTAP2 answers: a status byte and, when all is well, a map. `CTAP 2.3 §8.1`.

use crate::cbor::{self, Map, Value};
use crate::status::StatusCode;

/// A CTAP2 answer that reports success.
pub(crate) struct Response(Vec<u8>);

impl Response {
    /// An answer with members.
    pub(crate) fn with(members: Map<'_>) -> Self {
        let mut bytes = vec![StatusCode::OK.byte()];
        bytes.extend(cbor::encode(&Value::Map(members)));
        Self(bytes)
    }

    /// An answer without members.
    pub(crate) fn empty() -> Self {
        Self(vec![StatusCode::OK.byte()])
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

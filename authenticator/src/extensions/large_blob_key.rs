//! largeBlobKey, `CTAP 2.3 §12.3`: a key with which the platform encrypts what it keeps for a discoverable credential in
//! the array of large blobs.

use crate::cbor::Map;
use crate::config::{Config, LargeBlobs};
use crate::options::Residence;
use crate::parameters::boolean;
use crate::status::StatusCode;

pub(crate) fn read(inputs: &Map<'_>, config: &Config) -> Result<Option<bool>, StatusCode> {
    match config.large_blobs {
        LargeBlobs::Array => inputs.get("largeBlobKey").map(boolean).transpose(),
        LargeBlobs::Extension => Ok(None),
    }
}

/// Whether a key is wanted; wanting none is not said by `false`.
pub(crate) fn is_wanted(input: Option<bool>) -> Result<bool, StatusCode> {
    match input {
        None => Ok(false),
        Some(true) => Ok(true),
        Some(false) => Err(StatusCode::INVALID_OPTION),
    }
}

/// Only discoverable credentials have such a key.
pub(crate) fn is_wanted_for(input: Option<bool>, residence: Residence) -> Result<bool, StatusCode> {
    match (is_wanted(input)?, residence) {
        (true, Residence::Wrapped) => Err(StatusCode::INVALID_OPTION),
        (wanted, Residence::Stored | Residence::Wrapped) => Ok(wanted),
    }
}

#[cfg(test)]
mod tests;

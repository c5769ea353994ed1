//! credBlob, `CTAP 2.3 §12.2`: a few bytes kept with a discoverable credential.

use crate::cbor::Value;
use crate::options::Residence;
use crate::parameters::bytes;
use crate::status::StatusCode;

/// The most bytes that are kept, shown as `maxCredBlobLength`.
pub(crate) const LEN_MAX: usize = 64;

pub(crate) fn read(value: &Value<'_>) -> Result<Vec<u8>, StatusCode> {
    bytes(value).map(<[u8]>::to_vec)
}

/// What is kept of `wanted`: all of it or nothing.
pub(crate) fn kept(wanted: Option<Vec<u8>>, residence: Residence) -> Option<Vec<u8>> {
    wanted.filter(|blob| residence == Residence::Stored && blob.len() <= LEN_MAX)
}

#[cfg(test)]
mod tests;

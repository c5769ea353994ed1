//! largeBlob, `CTAP 2.3 §12.4`: a relying party's data kept with the credential itself. It takes the place of the array
//! of large blobs and of largeBlobKey; a key offers one of the two ways.
//!
//! Every discoverable credential can have a blob, also one that was made without this extension.

use wardkey_vault::LargeBlob;

use super::{Output, UnsignedOutputs};
use crate::cbor::{Map, Value};
use crate::config::{Config, LargeBlobs};
use crate::options::Residence;
use crate::parameters::map;
use crate::status::StatusCode;

/// The most compressed bytes that are kept with one credential: as many as fit into an answer that has the longest of
/// everything else.
pub(crate) const LEN_MAX: usize = 3072;

/// What a relying party wants at registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    Preferred,
    Required,
}

/// What a relying party wants at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write(LargeBlob),
}

/// Everything that is not a proper input has one code, `CTAP 2.3 §12.4`.
const MALFORMED: StatusCode = StatusCode::INVALID_CBOR;

fn input<'s, 'a>(inputs: &'s Map<'a>, config: &Config) -> Result<Option<&'s Map<'a>>, StatusCode> {
    match config.large_blobs {
        LargeBlobs::Array => Ok(None),
        LargeBlobs::Extension => inputs
            .get("largeBlob")
            .map(|value| map(value).map_err(|_| MALFORMED))
            .transpose(),
    }
}

impl Support {
    pub(crate) fn read(inputs: &Map<'_>, config: &Config) -> Result<Option<Self>, StatusCode> {
        let Some(input) = input(inputs, config)? else {
            return Ok(None);
        };
        match input.get("support") {
            Some(Value::Text("preferred")) => Ok(Some(Self::Preferred)),
            Some(Value::Text("required")) => Ok(Some(Self::Required)),
            _ => Err(MALFORMED),
        }
    }

    /// The output at registration. Whoever requires a blob is not served with a credential that cannot have one.
    pub(crate) fn output(self, residence: Residence) -> Result<UnsignedOutputs, StatusCode> {
        let supported = residence == Residence::Stored;
        if self == Self::Required && !supported {
            return Err(StatusCode::UNSUPPORTED_OPTION);
        }
        Ok(UnsignedOutputs(vec![("supported", Output::Bool(supported))]))
    }
}

impl Access {
    pub(crate) fn read(inputs: &Map<'_>, config: &Config) -> Result<Option<Self>, StatusCode> {
        let Some(input) = input(inputs, config)? else {
            return Ok(None);
        };
        match (input.get("read"), input.get("write"), input.get("originalSize")) {
            (Some(Value::Bool(true)), None, None) => Ok(Some(Self::Read)),
            (None, Some(Value::Bytes(data)), Some(Value::Unsigned(original_size))) => {
                Ok(Some(Self::Write(LargeBlob {
                    data: data.to_vec(),
                    original_size: *original_size,
                })))
            }
            _ => Err(MALFORMED),
        }
    }
}

/// The output of a read: nothing where nothing was ever written.
pub(crate) fn read_output(blob: Option<LargeBlob>) -> Option<UnsignedOutputs> {
    let LargeBlob { data, original_size } = blob?;
    Some(UnsignedOutputs(vec![
        ("blob", Output::Bytes(data)),
        ("originalSize", Output::Unsigned(original_size)),
    ]))
}

/// The output of a write.
pub(crate) fn write_output(written: bool) -> UnsignedOutputs {
    UnsignedOutputs(vec![("written", Output::Bool(written))])
}

#[cfg(test)]
mod tests;

//! Extensions, `CTAP 2.3 §12`: one file each. In: the `extensions` of a request, of which unknown ones are ignored. Out:
//! members of authenticator data, and members beside it. What was not asked for is never put out.
//!
//! Inputs are checked before the user is asked, so that nobody touches the key in vain.

pub(crate) mod cred_blob;
pub(crate) mod cred_protect;
pub(crate) mod hmac_secret;
pub(crate) mod large_blob;
pub(crate) mod large_blob_key;
pub(crate) mod min_pin_length;

use wardkey_vault::CredProtect;

use crate::cbor::{self, Map, Value};
use crate::config::{Config, LargeBlobs};
use crate::parameters::{boolean, map};
use crate::status::StatusCode;
use hmac_secret::{Input, Salts};

/// The identifiers, in the order in which getInfo lists them.
pub(crate) fn identifiers(config: &Config) -> Vec<&'static str> {
    let large_blob = match config.large_blobs {
        LargeBlobs::Array => "largeBlobKey",
        LargeBlobs::Extension => "largeBlob",
    };
    vec![
        "credBlob",
        "credProtect",
        "hmac-secret",
        "hmac-secret-mc",
        large_blob,
        "minPinLength",
        "pinComplexityPolicy",
        "thirdPartyPayment",
    ]
}

/// The inputs of makeCredential.
#[derive(Default)]
pub(crate) struct MakeInputs {
    pub(crate) cred_protect: Option<CredProtect>,
    pub(crate) hmac_secret: bool,
    pub(crate) hmac_secret_mc: Option<Input>,
    pub(crate) cred_blob: Option<Vec<u8>>,
    pub(crate) large_blob_key: Option<bool>,
    pub(crate) large_blob: Option<large_blob::Support>,
    pub(crate) min_pin_length: bool,
    pub(crate) pin_complexity_policy: bool,
    pub(crate) third_party_payment: bool,
}

/// The inputs of getAssertion.
#[derive(Default)]
pub(crate) struct GetInputs {
    pub(crate) hmac_secret: Option<Input>,
    pub(crate) cred_blob: bool,
    pub(crate) large_blob_key: Option<bool>,
    pub(crate) large_blob: Option<large_blob::Access>,
    pub(crate) third_party_payment: bool,
}

/// What an assertion puts out, once its inputs were checked.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) hmac_secret: Option<Salts>,
    pub(crate) cred_blob: bool,
    pub(crate) large_blob_key: bool,
    pub(crate) large_blob: Option<large_blob::Access>,
    pub(crate) third_party_payment: bool,
}

impl MakeInputs {
    pub(crate) fn read(value: &Value<'_>, config: &Config) -> Result<Self, StatusCode> {
        let inputs = map(value)?;
        let flag = |name| Ok::<_, StatusCode>(inputs.get(name).map(boolean).transpose()?.unwrap_or(false));
        Ok(Self {
            cred_protect: inputs.get("credProtect").map(cred_protect::read).transpose()?,
            hmac_secret: flag("hmac-secret")?,
            hmac_secret_mc: inputs.get("hmac-secret-mc").map(Input::read).transpose()?,
            cred_blob: inputs.get("credBlob").map(cred_blob::read).transpose()?,
            large_blob_key: large_blob_key::read(inputs, config)?,
            large_blob: large_blob::Support::read(inputs, config)?,
            min_pin_length: flag("minPinLength")?,
            pin_complexity_policy: flag("pinComplexityPolicy")?,
            third_party_payment: flag("thirdPartyPayment")?,
        })
    }
}

impl GetInputs {
    pub(crate) fn read(value: &Value<'_>, config: &Config) -> Result<Self, StatusCode> {
        let inputs = map(value)?;
        let flag = |name| Ok::<_, StatusCode>(inputs.get(name).map(boolean).transpose()?.unwrap_or(false));
        Ok(Self {
            hmac_secret: inputs.get("hmac-secret").map(Input::read).transpose()?,
            cred_blob: flag("credBlob")?,
            large_blob_key: large_blob_key::read(inputs, config)?,
            large_blob: large_blob::Access::read(inputs, config)?,
            third_party_payment: flag("thirdPartyPayment")?,
        })
    }
}

/// A value that an extension puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    Bool(bool),
    Unsigned(u64),
    Bytes(Vec<u8>),
}

impl Output {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Unsigned(value) => Value::Unsigned(*value),
            Self::Bytes(value) => Value::Bytes(value),
        }
    }
}

/// The outputs in authenticator data.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outputs(Vec<(&'static str, Output)>);

impl Outputs {
    pub(crate) fn push(&mut self, extension: &'static str, output: Output) {
        self.0.push((extension, output));
    }

    /// The map; `None` when it would be empty.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let members = self.0.iter().map(|(name, output)| (*name, output.value()));
        (!self.0.is_empty()).then(|| cbor::encode(&Value::Map(Map::new(members))))
    }
}

/// The outputs beside authenticator data: of one extension, because only one has any.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnsignedOutputs(pub(crate) Vec<(&'static str, Output)>);

impl UnsignedOutputs {
    pub(crate) fn members(&self) -> Map<'_> {
        let members = self.0.iter().map(|(name, output)| (*name, output.value()));
        Map::new([("largeBlob", Value::Map(Map::new(members)))])
    }
}

#[cfg(test)]
mod tests;

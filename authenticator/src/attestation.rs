//! Attestation statements, `WebAuthn L3 §8.2`, `§8.7`: packed self attestation, or none if the client wants none. A
//! shared attestation key whose secret half is public would attest nothing.

use rand_core::CryptoRng;

use crate::cbor::{Map, Value};
use crate::cose::Algorithm;
use crate::parameters;
use crate::private_key::SigningKey;

/// The formats this key can make, as shown in `attestationFormats`; "none" is never listed there.
pub(crate) const FORMATS: [&str; 1] = ["packed"];

/// What the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Packed,
    None,
}

impl Format {
    /// Reads `attestationFormatsPreference`, `CTAP 2.3 §6.1.2 step 19`: the single wish "none" is granted, everything
    /// else gets the one format there is. It is a wish, so a member of another type is no error.
    pub(crate) fn from_preference(value: &Value<'_>) -> Self {
        match parameters::array(value) {
            Ok([Value::Text("none")]) => Self::None,
            Ok(_) | Err(_) => Self::Packed,
        }
    }
}

/// A statement about a new credential.
pub(crate) enum Statement {
    /// `WebAuthn L3 §8.2`, without `x5c`: signed by the credential itself.
    PackedSelf {
        algorithm: Algorithm,
        signature: Vec<u8>,
    },
    /// `WebAuthn L3 §8.7`.
    None,
}

impl Statement {
    /// Makes a statement over `message`: authenticator data and client data hash.
    pub(crate) fn make(rng: &mut dyn CryptoRng, format: Format, key: &SigningKey, message: &[u8]) -> Self {
        match format {
            Format::Packed => Self::PackedSelf {
                algorithm: key.algorithm(),
                signature: key.sign(rng, message),
            },
            Format::None => Self::None,
        }
    }

    /// The identifier of the format, `WebAuthn L3 §8.1`.
    pub(crate) fn format(&self) -> &'static str {
        match self {
            Self::PackedSelf { .. } => "packed",
            Self::None => "none",
        }
    }

    /// The members.
    pub(crate) fn members(&self) -> Map<'_> {
        match self {
            Self::PackedSelf { algorithm, signature } => Map::new([
                ("alg", Value::integer(i64::from(algorithm.identifier()))),
                ("sig", Value::Bytes(signature)),
            ]),
            Self::None => Map::default(),
        }
    }
}

//! Attestation statements, `WebAuthn L3 §8.2`, `§8.7`: packed, or none if the client wants none. Packed is signed by the
//! new credential itself, unless the key is set up to be recognized: then by a key that the installation's own authority
//! certifies. A key that all copies of a program share would attest nothing.

mod authority;

use self::authority::{Authority, Disclosure};
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::config::Attestation;
use crate::cose::Algorithm;
use crate::entity::RpId;
use crate::parameters;
use crate::private_key::SigningKey;
use crate::status::StatusCode;

/// The formats this key can make, as shown in `attestationFormats`; "none" is never listed there.
pub(crate) const FORMATS: [&str; 1] = ["packed"];

// The values of `enterpriseAttestation`, CTAP 2.3 §6.1.2 step 9.
const VENDOR_FACILITATED: u64 = 1;
const PLATFORM_MANAGED: u64 = 2;

/// What the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Packed,
    /// Packed, and the certificate tells which key this is: `CTAP 2.3 §7.1`.
    Enterprise,
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
    /// `WebAuthn L3 §8.2`: signed by an attestation key, and the certificate of that.
    PackedCertified {
        algorithm: Algorithm,
        signature: Vec<u8>,
        certificate: Vec<u8>,
    },
    /// `WebAuthn L3 §8.7`.
    None,
}

impl Statement {
    /// The identifier of the format, `WebAuthn L3 §8.1`.
    pub(crate) fn format(&self) -> &'static str {
        match self {
            Self::PackedSelf { .. } | Self::PackedCertified { .. } => "packed",
            Self::None => "none",
        }
    }

    /// The members.
    pub(crate) fn members(&self) -> Map<'_> {
        let signed = |algorithm: Algorithm, signature| {
            Map::new([
                ("alg", Value::integer(i64::from(algorithm.identifier()))),
                ("sig", Value::Bytes(signature)),
            ])
        };
        match self {
            Self::PackedSelf { algorithm, signature } => signed(*algorithm, signature),
            Self::PackedCertified {
                algorithm,
                signature,
                certificate,
            } => {
                let mut members = signed(*algorithm, signature);
                members.insert("x5c", Value::Array(vec![Value::Bytes(certificate)]));
                members
            }
            Self::None => Map::default(),
        }
    }
}

impl<V> Authenticator<V> {
    /// Whether enterprise attestation is supported, and if so, whether it is switched on: the option `ep`.
    pub(crate) fn enterprise_attestation(&self) -> Option<bool> {
        let supported = self.config.enterprise.as_ref();
        supported.map(|_| self.state.enterprise_attestation)
    }
}

impl Authenticator {
    /// What a client gets that asks for enterprise attestation in this way, `CTAP 2.3 §6.1.2 step 9`, `§7.1.3`.
    pub(crate) fn choose_format(
        &self,
        preferred: Format,
        enterprise: Option<u64>,
        rp: &RpId,
    ) -> Result<Format, StatusCode> {
        let Some(wanted) = enterprise else {
            return Ok(preferred);
        };
        match &self.config.enterprise {
            Some(enterprise) if self.state.enterprise_attestation => match wanted {
                VENDOR_FACILITATED if !enterprise.rp_ids.contains(&rp.0) => Ok(preferred),
                VENDOR_FACILITATED | PLATFORM_MANAGED => Ok(Format::Enterprise),
                _ => Err(StatusCode::INVALID_OPTION),
            },
            Some(_) | None => Err(StatusCode::INVALID_PARAMETER),
        }
    }

    /// Makes a statement over `message`, authenticator data and client data hash: `CTAP 2.3 §6.1.2 step 19`.
    pub(crate) fn attest(
        &mut self,
        format: Format,
        key: &SigningKey,
        message: &[u8],
    ) -> Result<Statement, StatusCode> {
        match (format, self.config.attestation) {
            (Format::None, _) => Ok(Statement::None),
            (Format::Packed, Attestation::OfItself) => Ok(Statement::PackedSelf {
                algorithm: key.algorithm(),
                signature: key.sign(&mut *self.rng, message),
            }),
            (Format::Packed, Attestation::Authority) => self.attest_certified(Disclosure::Model, message),
            (Format::Enterprise, _) => self.attest_certified(Disclosure::SerialNumber, message),
        }
    }

    fn attest_certified(&mut self, disclosure: Disclosure, message: &[u8]) -> Result<Statement, StatusCode> {
        let authority = Authority::of(&mut self.vault, &mut *self.rng)?;
        let aaguid = self.config.kind.aaguid();
        Ok(authority.attest(&mut *self.rng, aaguid, disclosure, message)?)
    }
}

#[cfg(test)]
mod tests;

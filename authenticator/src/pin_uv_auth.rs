//! `pinUvAuthParam` and `pinUvAuthProtocol` as they arrive with a command. `CTAP 2.3 §6.1.2 steps 1 and 2`, `§6.2.2
//! steps 1 and 2`.

use crate::parameters::{Parameters, bytes, unsigned};
use crate::pin::protocol::Protocol;
use crate::status::StatusCode;

/// What a request proves of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinUvAuth {
    param: Option<Vec<u8>>,
    protocol: Option<u64>,
}

/// A proof, by a pinUvAuthToken, that is yet to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) protocol: Protocol,
    pub(crate) param: Vec<u8>,
}

impl PinUvAuth {
    /// Reads the two members with these numbers.
    pub(crate) fn read(parameters: &Parameters<'_>, param: u64, protocol: u64) -> Result<Self, StatusCode> {
        Ok(Self {
            param: parameters.optional(param, bytes)?.map(<[u8]>::to_vec),
            protocol: parameters.optional(protocol, unsigned)?,
        })
    }

    /// Whether there is a parameter of zero bytes: the client wants the key to blink.
    pub(crate) fn is_empty(&self) -> bool {
        self.param.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether there is no parameter.
    pub(crate) fn is_absent(&self) -> bool {
        self.param.is_none()
    }

    /// Whether there is either member.
    pub(crate) fn is_given(&self) -> bool {
        self.param.is_some() || self.protocol.is_some()
    }

    /// A parameter must name a supported protocol; no parameter is no proof.
    pub(crate) fn proof(self) -> Result<Option<Proof>, StatusCode> {
        let Self { param, protocol } = self;
        let Some(param) = param else {
            return Ok(None);
        };
        let number = protocol.ok_or(StatusCode::MISSING_PARAMETER)?;
        let protocol = Protocol::from_number(number).ok_or(StatusCode::INVALID_PARAMETER)?;
        Ok(Some(Proof { protocol, param }))
    }

    /// The proof of a command that does nothing without.
    pub(crate) fn required(self) -> Result<Proof, StatusCode> {
        self.proof()?.ok_or(StatusCode::PUAT_REQUIRED)
    }
}

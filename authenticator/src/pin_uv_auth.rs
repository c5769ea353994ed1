//! `pinUvAuthParam` and `pinUvAuthProtocol` as they arrive with a command. No protocol is supported, so none is ever
//! verified; but an empty parameter has a meaning of its own. `CTAP 2.3 §6.1.2 steps 1 and 2`, `§6.2.2 steps 1 and 2`.

use crate::gesture::Gesture;
use crate::parameters::{Parameters, bytes, unsigned};
use crate::status::StatusCode;

/// What a request proves of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PinUvAuth {
    Absent,
    /// Zero bytes: the client wants the key to blink.
    Empty,
    /// A proof under the protocol of this number, if it has one.
    Given(Option<u64>),
}

impl PinUvAuth {
    /// Reads the two members with these numbers.
    pub(crate) fn read(parameters: &Parameters<'_>, param: u64, protocol: u64) -> Result<Self, StatusCode> {
        let param = parameters.optional(param, bytes)?;
        let protocol = parameters.optional(protocol, unsigned)?;
        Ok(match param {
            None => Self::Absent,
            Some([]) => Self::Empty,
            Some(_) => Self::Given(protocol),
        })
    }

    /// Step 2: a proof must name a supported protocol.
    pub(crate) fn refuse(self) -> Result<(), StatusCode> {
        match self {
            Self::Absent | Self::Empty => Ok(()),
            Self::Given(None) => Err(StatusCode::MISSING_PARAMETER),
            Self::Given(Some(_)) => Err(StatusCode::INVALID_PARAMETER),
        }
    }
}

/// After the gesture for an empty parameter: step 1. The client learns that the user touched this key, in the form of
/// an error, as there is no PIN.
pub(crate) fn answer_blink(gesture: Gesture) -> StatusCode {
    match gesture.evidence() {
        Ok(_) => StatusCode::PIN_NOT_SET,
        Err(refusal) => refusal.of_operation(),
    }
}

//! A CTAPHID_CBOR message becomes a command: one byte says which, the rest are its parameters. `CTAP 2.3 §6`, `§8.1`.

use crate::commands::{get_assertion, make_credential};
use crate::parameters::Parameters;
use crate::status::StatusCode;

/// The longest request, shown as `maxMsgSize`: what CTAPHID can carry, `CTAP 2.3 §11.2.4`.
pub(crate) const MESSAGE_LEN_MAX: usize = 7609;

/// A well-formed request.
pub(crate) enum Command {
    MakeCredential(make_credential::Request),
    GetAssertion(get_assertion::Request),
    GetInfo,
    Reset,
    GetNextAssertion,
    Selection,
}

impl Command {
    /// Reads a request. Commands without parameters ignore whatever follows their byte.
    pub(crate) fn decode(request: &[u8]) -> Result<Self, StatusCode> {
        if request.len() > MESSAGE_LEN_MAX {
            return Err(StatusCode::REQUEST_TOO_LARGE);
        }
        let (command, body) = request.split_first().ok_or(StatusCode::INVALID_LENGTH)?;
        match command {
            0x01 => make_credential::Request::read(&Parameters::decode(body)?).map(Self::MakeCredential),
            0x02 => get_assertion::Request::read(&Parameters::decode(body)?).map(Self::GetAssertion),
            0x04 => Ok(Self::GetInfo),
            0x07 => Ok(Self::Reset),
            0x08 => Ok(Self::GetNextAssertion),
            0x0B => Ok(Self::Selection),
            _ => Err(StatusCode::INVALID_COMMAND),
        }
    }
}

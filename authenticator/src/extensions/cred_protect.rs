//! credProtect, `CTAP 2.3 §12.1`: without user verification a credential may be for those only who name it, or for nobody.
//! What follows from it is in makeCredential, getAssertion and U2F.

use wardkey_vault::CredProtect;

use crate::cbor::Value;
use crate::parameters::unsigned;
use crate::status::StatusCode;

pub(crate) fn read(value: &Value<'_>) -> Result<CredProtect, StatusCode> {
    u8::try_from(unsigned(value)?)
        .ok()
        .and_then(CredProtect::from_code)
        .ok_or(StatusCode::INVALID_OPTION)
}

#[cfg(test)]
mod tests;

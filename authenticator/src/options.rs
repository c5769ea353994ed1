//! The `options` of makeCredential and getAssertion, and what they come to. Unknown options are ignored.
//! `CTAP 2.3 §6.1.2 step 5`, `§6.2.2 step 4`.

use crate::cbor::{Map, Value};
use crate::parameters::{boolean, map};
use crate::status::StatusCode;

/// The options as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Options {
    rk: Option<bool>,
    up: Option<bool>,
    uv: Option<bool>,
}

/// Where a new credential is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Residence {
    /// In the vault; discoverable.
    Stored,
    /// In its own id; not discoverable.
    Wrapped,
}

/// Whether the user is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    NotWanted,
}

impl Options {
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let options = map(value)?;
        Ok(Self {
            rk: option(options, "rk")?,
            up: option(options, "up")?,
            uv: option(options, "uv")?,
        })
    }

    /// For makeCredential: presence is always required.
    pub(crate) fn for_make_credential(self) -> Result<Residence, StatusCode> {
        let Self { rk, up, uv } = self;
        refuse_verification(uv)?;
        if up == Some(false) {
            return Err(StatusCode::INVALID_OPTION);
        }
        Ok(if rk == Some(true) {
            Residence::Stored
        } else {
            Residence::Wrapped
        })
    }

    /// For getAssertion.
    pub(crate) fn for_get_assertion(self) -> Result<Presence, StatusCode> {
        let Self { rk, up, uv } = self;
        refuse_verification(uv)?;
        if rk.is_some() {
            return Err(StatusCode::UNSUPPORTED_OPTION);
        }
        Ok(if up == Some(false) {
            Presence::NotWanted
        } else {
            Presence::Required
        })
    }
}

fn option(options: &Map<'_>, name: &str) -> Result<Option<bool>, StatusCode> {
    options.get(name).map(boolean).transpose()
}

/// There is no built-in user verification. Clients send `uv:false` all the same.
fn refuse_verification(uv: Option<bool>) -> Result<(), StatusCode> {
    if uv == Some(true) {
        Err(StatusCode::INVALID_OPTION)
    } else {
        Ok(())
    }
}

//! The `options` of makeCredential and getAssertion, and what they come to. Unknown options are ignored.
//! `CTAP 2.3 §6.1.2 step 5`, `§6.2.2 step 4`.

use crate::cbor::{Map, Value};
use crate::gesture::Modality;
use crate::parameters::{boolean, map};
use crate::pin::built_in::BuiltIn;
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

/// How a request wants the user to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Not at all.
    NotWanted,
    /// By its pinUvAuthParam.
    ByToken,
    /// By the key itself.
    BuiltIn(Modality),
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

    /// How the user is to be verified; a token takes precedence.
    pub(crate) fn verification(self, has_proof: bool, built_in: BuiltIn) -> Result<Verification, StatusCode> {
        match (has_proof, self.uv, built_in) {
            (true, _, _) => Ok(Verification::ByToken),
            (false, None | Some(false), _) => Ok(Verification::NotWanted),
            (false, Some(true), BuiltIn::Ready(modality)) => Ok(Verification::BuiltIn(modality)),
            (false, Some(true), BuiltIn::Absent | BuiltIn::NotSetUp) => Err(StatusCode::INVALID_OPTION),
        }
    }

    /// For makeCredential: presence is always required.
    pub(crate) fn for_make_credential(self) -> Result<Residence, StatusCode> {
        let Self { rk, up, uv: _ } = self;
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
        let Self { rk, up, uv: _ } = self;
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

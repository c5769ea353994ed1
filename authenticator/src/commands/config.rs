//! authenticatorConfig, `CTAP 2.3 §6.11`: settings of the key. Where the key is protected, only with a token.

use wardkey_transport::time::Instant;
use wardkey_vault::{Event, Setting};

use crate::authenticator::Authenticator;
use crate::cbor::{self, Map, Value};
use crate::extensions::min_pin_length::RP_IDS_MAX;
use crate::parameters::{Parameters, array, boolean, map, text, unsigned};
use crate::pin::entry;
use crate::pin::permissions::Permission;
use crate::pin_uv_auth::PinUvAuth;
use crate::response::Response;
use crate::state::State;
use crate::status::StatusCode;

const ENABLE_ENTERPRISE_ATTESTATION: u64 = 0x01;
const TOGGLE_ALWAYS_UV: u64 = 0x02;
const SET_MIN_PIN_LENGTH: u64 = 0x03;
const ENABLE_LONG_TOUCH_FOR_RESET: u64 = 0x04;

/// The number of this command, as it is authenticated.
const COMMAND: u8 = 0x0D;

/// The parameters.
pub(crate) struct Request {
    subcommand: u64,
    /// The parameters of the subcommand as they were sent, because they are authenticated.
    encoded: Vec<u8>,
    min_pin_length: MinPinLength,
    pin_uv_auth: PinUvAuth,
}

/// The parameters of setMinPINLength.
#[derive(Default)]
struct MinPinLength {
    new: Option<u64>,
    rp_ids: Option<Vec<String>>,
    force_change: bool,
    complexity: bool,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, StatusCode> {
        let subcommand = parameters.required(0x01, unsigned)?;
        let value = parameters.optional(0x02, |value| Ok(value.clone()))?;
        let min_pin_length = match &value {
            Some(value) if subcommand == SET_MIN_PIN_LENGTH => MinPinLength::read(map(value)?)?,
            Some(value) => {
                map(value)?;
                MinPinLength::default()
            }
            None => MinPinLength::default(),
        };
        Ok(Self {
            subcommand,
            // What was accepted is canonical, so encoding gives back what was sent.
            encoded: value.as_ref().map(cbor::encode).unwrap_or_default(),
            min_pin_length,
            pin_uv_auth: PinUvAuth::read(parameters, 0x04, 0x03)?,
        })
    }
}

impl MinPinLength {
    fn read(parameters: &Map<'_>) -> Result<Self, StatusCode> {
        let flag =
            |key: u64| Ok::<_, StatusCode>(parameters.get(key).map(boolean).transpose()?.unwrap_or(false));
        let rp_id = |value: &Value<'_>| text(value).map(str::to_owned);
        let rp_ids = |value: &Value<'_>| array(value)?.iter().map(rp_id).collect();
        Ok(Self {
            new: parameters.get(1_u64).map(unsigned).transpose()?,
            rp_ids: parameters.get(2_u64).map(rp_ids).transpose()?,
            force_change: flag(3)?,
            complexity: flag(4)?,
        })
    }
}

impl<V> Authenticator<V> {
    /// The subcommands of this key, shown as `authenticatorConfigCommands`.
    pub(crate) fn config_subcommands(&self) -> Vec<u64> {
        let enterprise = self
            .enterprise_attestation()
            .map(|_| ENABLE_ENTERPRISE_ATTESTATION);
        let always = [TOGGLE_ALWAYS_UV, SET_MIN_PIN_LENGTH, ENABLE_LONG_TOUCH_FOR_RESET];
        enterprise.into_iter().chain(always).collect()
    }
}

impl Authenticator {
    pub(crate) fn configure(&mut self, now: Instant, request: Request) -> Result<Response, StatusCode> {
        let Request {
            subcommand,
            encoded,
            min_pin_length,
            pin_uv_auth,
        } = request;
        if !self.config_subcommands().contains(&subcommand) {
            return Err(StatusCode::INVALID_SUBCOMMAND);
        }
        // What nobody could authorize any more can at least be switched off.
        let is_way_out = subcommand == TOGGLE_ALWAYS_UV && self.state.always_uv && !self.is_protected();
        if (self.is_protected() || self.state.always_uv) && !is_way_out {
            let proof = pin_uv_auth.required()?;
            let subcommand = [COMMAND, u8::try_from(subcommand).unwrap_or(u8::MAX)];
            let message = [&[0xFF; 32][..], &subcommand, &encoded];
            self.token
                .authorize(now, &proof, &message, Permission::AuthenticatorConfig)?;
        }
        match subcommand {
            ENABLE_ENTERPRISE_ATTESTATION => {
                let event = Event::Configured(Setting::EnterpriseAttestation);
                self.update_state_and_log(now, event, |state| state.enterprise_attestation = true)?;
            }
            TOGGLE_ALWAYS_UV => self.toggle_always_uv(now)?,
            SET_MIN_PIN_LENGTH => self.set_min_pin_length(now, min_pin_length)?,
            _ => {
                let event = Event::Configured(Setting::LongTouchForReset);
                self.update_state_and_log(now, event, |state| state.long_touch_for_reset = true)?;
            }
        }
        Ok(Response::empty())
    }

    /// toggleAlwaysUv, `CTAP 2.3 §6.11.2`.
    fn toggle_always_uv(&mut self, now: Instant) -> Result<(), StatusCode> {
        let setting = if self.state.always_uv {
            Setting::NotAlwaysVerify
        } else {
            Setting::AlwaysVerify
        };
        let toggle = |state: &mut State| state.always_uv = !state.always_uv;
        self.update_state_and_log(now, Event::Configured(setting), toggle)
    }

    /// setMinPINLength, `CTAP 2.3 §6.11.4`. Nothing changes unless everything is allowed.
    fn set_min_pin_length(&mut self, now: Instant, wanted: MinPinLength) -> Result<(), StatusCode> {
        let MinPinLength {
            new,
            rp_ids,
            force_change,
            complexity,
        } = wanted;
        let length = match new {
            None => self.state.min_pin_length,
            Some(new) => u8::try_from(new)
                .ok()
                .filter(|new| (self.state.min_pin_length..=MIN_LENGTH_MAX).contains(new))
                .ok_or(StatusCode::PIN_POLICY_VIOLATION)?,
        };
        if force_change && self.state.pin.is_none() {
            return Err(StatusCode::PIN_NOT_SET);
        }
        if rp_ids
            .as_ref()
            .is_some_and(|ids| ids.len() > RP_IDS_MAX || ids.iter().any(|id| id.len() > RP_ID_LEN_MAX))
        {
            return Err(StatusCode::KEY_STORE_FULL);
        }
        let complexity = complexity || self.state.pin_complexity_policy;
        let is_outdated = self
            .state
            .pin
            .as_ref()
            .is_some_and(|pin| pin.code_points < length || (complexity && !pin.is_complex));
        let force_change = force_change || is_outdated;
        let event = Event::Configured(Setting::PinRules);
        self.update_state_and_log(now, event, |state| {
            state.min_pin_length = length;
            state.pin_complexity_policy = complexity;
            state.force_pin_change |= force_change;
            if let Some(rp_ids) = rp_ids.filter(|ids| !ids.is_empty()) {
                state.min_pin_length_rp_ids = rp_ids;
            }
        })?;
        if force_change {
            self.token.stop();
        }
        Ok(())
    }
}

/// The greatest minimum.
const MIN_LENGTH_MAX: u8 = 63;
const _: () = assert!(entry::LEN_MAX == 63);

/// The longest relying party id that is kept in the list, as long as a domain can be.
const RP_ID_LEN_MAX: usize = 255;

#[cfg(test)]
mod tests;

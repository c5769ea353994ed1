//! authenticatorConfig, CTAP 2.3 §6.11: settings of the key.

use ciborium::Value;

use super::command::parameters;
use super::pin::PinUvAuthToken;
use super::{Error, FidoClient, MessagePipe, canonical, to_bytes};

const CONFIG: u8 = 0x0D;

/// A request to authenticatorConfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Configuration {
    /// Enterprise attestation from now on.
    EnableEnterpriseAttestation,
    /// Every use verifies the user, or no longer.
    ToggleAlwaysUv,
    /// Rules for PINs.
    SetMinPinLength(MinPinLength),
    /// Resetting needs a long touch from now on.
    EnableLongTouchForReset,
}

/// The parameters of setMinPINLength. `None` is not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MinPinLength {
    /// The shortest PIN from now on, in code points.
    pub new_min_pin_length: Option<u32>,
    /// The relying parties that may ask for the shortest length.
    pub rp_ids: Option<Vec<String>>,
    /// The PIN has to be changed before it is of use.
    pub force_change_pin: Option<bool>,
    /// PINs have to obey the authenticator's policy.
    pub pin_complexity_policy: Option<bool>,
}

impl Configuration {
    /// The number of the subcommand.
    pub const fn subcommand(&self) -> u8 {
        match self {
            Self::EnableEnterpriseAttestation => 0x01,
            Self::ToggleAlwaysUv => 0x02,
            Self::SetMinPinLength(_) => 0x03,
            Self::EnableLongTouchForReset => 0x04,
        }
    }

    fn subcommand_parameters(&self) -> Option<Value> {
        let Self::SetMinPinLength(parameters) = self else {
            return None;
        };
        let rp_ids = parameters.rp_ids.as_ref();
        let rp_ids = rp_ids.map(|ids| Value::Array(ids.iter().map(|id| Value::from(id.as_str())).collect()));
        let members = [
            (0x01, parameters.new_min_pin_length.map(Value::from)),
            (0x02, rp_ids),
            (0x03, parameters.force_change_pin.map(Value::from)),
            (0x04, parameters.pin_complexity_policy.map(Value::from)),
        ];
        let present = members
            .into_iter()
            .filter_map(|(key, value)| Some((Value::from(key), value?)));
        Some(canonical(Value::Map(present.collect())))
    }

    /// The parameters as CBOR, authenticated when there is a token.
    pub fn to_bytes(&self, token: Option<&PinUvAuthToken>) -> Vec<u8> {
        let subcommand = self.subcommand();
        let mut members = vec![(0x01, Value::from(subcommand))];
        let mut message = vec![0xFF; 32];
        message.extend([CONFIG, subcommand]);
        if let Some(subcommand_parameters) = self.subcommand_parameters() {
            message.extend(to_bytes(&subcommand_parameters));
            members.push((0x02, subcommand_parameters));
        }
        if let Some(token) = token {
            members.push((0x03, Value::from(token.protocol().number())));
            members.push((0x04, Value::from(token.authenticate(&message))));
        }
        parameters(members)
    }
}

impl<M: MessagePipe> FidoClient<M> {
    /// authenticatorConfig.
    pub fn configure(
        &mut self,
        request: &Configuration,
        token: Option<&PinUvAuthToken>,
    ) -> Result<(), Error> {
        self.call(CONFIG, &request.to_bytes(token)).map(drop)
    }
}

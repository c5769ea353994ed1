//! authenticatorClientPIN, CTAP 2.3 §6.5.5: PINs are set and changed, tokens are given out.

use ciborium::Value;
use rand_core::CryptoRng;

use super::cbor::{self, Members};
use super::command::parameters;
use super::pin::{self, Permissions, PinProtocol, PinUvAuthToken, SharedSecret};
use super::{Error, FidoClient, MessagePipe};

const CLIENT_PIN: u8 = 0x06;

/// The parameters of authenticatorClientPIN. `None` is not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClientPin {
    /// The number of the PIN/UV auth protocol.
    pub protocol: Option<u8>,
    /// What to do, one of the constants of this type.
    pub subcommand: Option<u8>,
    /// The platform's key-agreement key.
    pub key_agreement: Option<Value>,
    /// Authenticates the encrypted members.
    pub pin_uv_auth_param: Option<Vec<u8>>,
    /// The new PIN, padded and encrypted.
    pub new_pin_enc: Option<Vec<u8>>,
    /// The first half of the hash of the PIN, encrypted.
    pub pin_hash_enc: Option<Vec<u8>>,
    /// What the token may be used for.
    pub permissions: Option<u8>,
    /// For which relying party the token is.
    pub rp_id: Option<String>,
}

impl ClientPin {
    /// getPINRetries.
    pub const GET_PIN_RETRIES: u8 = 0x01;
    /// getKeyAgreement.
    pub const GET_KEY_AGREEMENT: u8 = 0x02;
    /// setPIN.
    pub const SET_PIN: u8 = 0x03;
    /// changePIN.
    pub const CHANGE_PIN: u8 = 0x04;
    /// getPinToken.
    pub const GET_PIN_TOKEN: u8 = 0x05;
    /// getPinUvAuthTokenUsingUvWithPermissions.
    pub const GET_TOKEN_USING_UV: u8 = 0x06;
    /// getUVRetries.
    pub const GET_UV_RETRIES: u8 = 0x07;
    /// getPinUvAuthTokenUsingPinWithPermissions.
    pub const GET_TOKEN_USING_PIN: u8 = 0x09;

    /// A subcommand without parameters.
    pub fn bare(subcommand: u8) -> Self {
        Self {
            subcommand: Some(subcommand),
            ..Self::default()
        }
    }

    /// Asks for the authenticator's key-agreement key.
    pub fn get_key_agreement(protocol: PinProtocol) -> Self {
        Self {
            protocol: Some(protocol.number()),
            ..Self::bare(Self::GET_KEY_AGREEMENT)
        }
    }

    /// Sets the first PIN.
    pub fn set_pin(secret: &SharedSecret, pin: &[u8], rng: &mut dyn CryptoRng) -> Self {
        let new_pin_enc = secret.encrypt(&pin::pad(pin), rng);
        Self {
            pin_uv_auth_param: Some(secret.authenticate(&new_pin_enc)),
            new_pin_enc: Some(new_pin_enc),
            ..Self::with_secret(Self::SET_PIN, secret)
        }
    }

    /// Replaces the PIN.
    pub fn change_pin(secret: &SharedSecret, current: &[u8], new: &[u8], rng: &mut dyn CryptoRng) -> Self {
        let new_pin_enc = secret.encrypt(&pin::pad(new), rng);
        let pin_hash_enc = secret.encrypt(&pin::hash(current), rng);
        let message = [new_pin_enc.as_slice(), &pin_hash_enc].concat();
        Self {
            pin_uv_auth_param: Some(secret.authenticate(&message)),
            new_pin_enc: Some(new_pin_enc),
            pin_hash_enc: Some(pin_hash_enc),
            ..Self::with_secret(Self::CHANGE_PIN, secret)
        }
    }

    /// Asks for a token with the older subcommand, which names neither permissions nor relying party.
    pub fn get_pin_token(secret: &SharedSecret, pin: &[u8], rng: &mut dyn CryptoRng) -> Self {
        Self {
            pin_hash_enc: Some(secret.encrypt(&pin::hash(pin), rng)),
            ..Self::with_secret(Self::GET_PIN_TOKEN, secret)
        }
    }

    /// Asks for a token by PIN.
    pub fn get_token_using_pin(
        secret: &SharedSecret,
        pin: &[u8],
        grant: Grant<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        Self {
            pin_hash_enc: Some(secret.encrypt(&pin::hash(pin), rng)),
            ..Self::with_grant(Self::GET_TOKEN_USING_PIN, secret, grant)
        }
    }

    /// Asks for a token by built-in user verification.
    pub fn get_token_using_uv(secret: &SharedSecret, grant: Grant<'_>) -> Self {
        Self::with_grant(Self::GET_TOKEN_USING_UV, secret, grant)
    }

    fn with_secret(subcommand: u8, secret: &SharedSecret) -> Self {
        Self {
            protocol: Some(secret.protocol().number()),
            key_agreement: Some(secret.platform_key().clone()),
            ..Self::bare(subcommand)
        }
    }

    fn with_grant(subcommand: u8, secret: &SharedSecret, grant: Grant<'_>) -> Self {
        Self {
            permissions: Some(grant.permissions.0),
            rp_id: grant.rp_id.map(str::to_owned),
            ..Self::with_secret(subcommand, secret)
        }
    }

    /// The parameters as CBOR.
    pub fn to_bytes(&self) -> Vec<u8> {
        let members = [
            (0x01, self.protocol.map(Value::from)),
            (0x02, self.subcommand.map(Value::from)),
            (0x03, self.key_agreement.clone()),
            (0x04, self.pin_uv_auth_param.as_deref().map(Value::from)),
            (0x05, self.new_pin_enc.as_deref().map(Value::from)),
            (0x06, self.pin_hash_enc.as_deref().map(Value::from)),
            (0x09, self.permissions.map(Value::from)),
            (0x0A, self.rp_id.as_deref().map(Value::from)),
        ];
        let present = members.into_iter().filter_map(|(key, value)| Some((key, value?)));
        parameters(present.collect())
    }
}

/// What a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant<'a> {
    /// What it may be used for.
    pub permissions: Permissions,
    /// For which relying party; without one, the first use binds it.
    pub rp_id: Option<&'a str>,
}

/// The answer to authenticatorClientPIN: what its subcommand asks for, the rest is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClientPinAnswer {
    /// The authenticator's key-agreement key.
    pub key_agreement: Option<Value>,
    /// A token, encrypted.
    pub pin_uv_auth_token: Option<Vec<u8>>,
    /// How many more wrong PINs the key takes.
    pub pin_retries: Option<u32>,
    /// Whether the key wants to lose power before it takes another PIN.
    pub power_cycle_state: Option<bool>,
    /// How many more failures of built-in user verification the key takes.
    pub uv_retries: Option<u32>,
    /// Every other member of the answer.
    pub more: Vec<(Value, Value)>,
}

fn read_answer(answer: &[u8]) -> Result<ClientPinAnswer, Error> {
    // setPIN and changePIN answer with nothing at all.
    if answer.is_empty() {
        return Ok(ClientPinAnswer::default());
    }
    let mut members = Members::read(answer)?;
    Ok(ClientPinAnswer {
        key_agreement: members.optional(1, "keyAgreement", Some)?,
        pin_uv_auth_token: members.optional(2, "pinUvAuthToken", cbor::bytes)?,
        pin_retries: members.optional(3, "pinRetries", cbor::integer)?,
        power_cycle_state: members.optional(4, "powerCycleState", cbor::boolean)?,
        uv_retries: members.optional(5, "uvRetries", cbor::integer)?,
        more: members.into_rest(),
    })
}

impl ClientPinAnswer {
    /// The token in the answer.
    pub fn token(&self, secret: &SharedSecret) -> Result<PinUvAuthToken, Error> {
        let encrypted = self.pin_uv_auth_token.as_deref();
        let token = encrypted.and_then(|token| secret.decrypt(token));
        let token = token.ok_or(Error::Member("pinUvAuthToken"))?;
        Ok(PinUvAuthToken::from_parts(secret.protocol(), token))
    }
}

impl<M: MessagePipe> FidoClient<M> {
    /// authenticatorClientPIN with any parameters.
    pub fn client_pin(&mut self, request: &ClientPin) -> Result<ClientPinAnswer, Error> {
        read_answer(&self.call(CLIENT_PIN, &request.to_bytes())?)
    }

    /// How many more wrong PINs the key takes before it is of no use.
    pub fn pin_retries(&mut self) -> Result<u32, Error> {
        let answer = self.client_pin(&ClientPin::bare(ClientPin::GET_PIN_RETRIES))?;
        answer.pin_retries.ok_or(Error::Member("pinRetries"))
    }

    /// How many more failures of built-in user verification the key takes.
    pub fn uv_retries(&mut self) -> Result<u32, Error> {
        let answer = self.client_pin(&ClientPin::bare(ClientPin::GET_UV_RETRIES))?;
        answer.uv_retries.ok_or(Error::Member("uvRetries"))
    }

    /// Agrees with the key on a secret.
    pub fn share_secret(
        &mut self,
        protocol: PinProtocol,
        rng: &mut dyn CryptoRng,
    ) -> Result<SharedSecret, Error> {
        let answer = self.client_pin(&ClientPin::get_key_agreement(protocol))?;
        protocol.encapsulate(&answer.key_agreement.ok_or(Error::Member("keyAgreement"))?, rng)
    }

    /// Sets the first PIN.
    pub fn set_pin(
        &mut self,
        protocol: PinProtocol,
        pin: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        let secret = self.share_secret(protocol, rng)?;
        self.client_pin(&ClientPin::set_pin(&secret, pin, rng)).map(drop)
    }

    /// Replaces the PIN.
    pub fn change_pin(
        &mut self,
        protocol: PinProtocol,
        current: &[u8],
        new: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        let secret = self.share_secret(protocol, rng)?;
        self.client_pin(&ClientPin::change_pin(&secret, current, new, rng))
            .map(drop)
    }

    /// A token for making credentials and assertions, with the older subcommand.
    pub fn pin_token(
        &mut self,
        protocol: PinProtocol,
        pin: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<PinUvAuthToken, Error> {
        let secret = self.share_secret(protocol, rng)?;
        self.client_pin(&ClientPin::get_pin_token(&secret, pin, rng))?
            .token(&secret)
    }

    /// A token by PIN.
    pub fn pin_token_for(
        &mut self,
        protocol: PinProtocol,
        pin: &[u8],
        grant: Grant<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<PinUvAuthToken, Error> {
        let secret = self.share_secret(protocol, rng)?;
        self.client_pin(&ClientPin::get_token_using_pin(&secret, pin, grant, rng))?
            .token(&secret)
    }

    /// A token by built-in user verification.
    pub fn uv_token_for(
        &mut self,
        protocol: PinProtocol,
        grant: Grant<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<PinUvAuthToken, Error> {
        let secret = self.share_secret(protocol, rng)?;
        self.client_pin(&ClientPin::get_token_using_uv(&secret, grant))?
            .token(&secret)
    }
}

//! authenticatorClientPIN, `CTAP 2.3 §6.5.5`: sets and changes the PIN, and turns the PIN or built-in user verification
//! into a token for the platform. One function per subcommand.

use wardkey_transport::time::Instant;
use wardkey_vault::{Event, RpIdHash, Secret};

use super::Step;
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::entity::RpId;
use crate::gesture::{Evidence, Prompt, Purpose};
use crate::parameters::{Parameters, bytes, required, unsigned};
use crate::pin::built_in::{BuiltIn, Then};
use crate::pin::entry::RETRIES_MAX;
use crate::pin::key_agreement::PeerKey;
use crate::pin::permissions::{Permission, Permissions};
use crate::pin::protocol::{Protocol, SharedSecret};
use crate::pin::token::Grant;
use crate::prompt_text;
use crate::response::Response;
use crate::state::Pin;
use crate::status::StatusCode;

/// The parameters; which of them are required depends on the subcommand.
pub(crate) struct Request {
    protocol: Option<u64>,
    subcommand: u64,
    peer_key: Option<PeerKey>,
    param: Option<Vec<u8>>,
    new_pin: Option<Vec<u8>>,
    pin_hash: Option<Vec<u8>>,
    permissions: Option<u64>,
    rp_id: Option<RpId>,
}

/// A token that is asked for by user verification.
pub(crate) struct TokenRequest {
    protocol: Protocol,
    shared: SharedSecret,
    permissions: Permissions,
    rp: Option<RpIdHash>,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, StatusCode> {
        let owned = |key| Ok::<_, StatusCode>(parameters.optional(key, bytes)?.map(<[u8]>::to_vec));
        Ok(Self {
            protocol: parameters.optional(0x01, unsigned)?,
            subcommand: parameters.required(0x02, unsigned)?,
            peer_key: parameters.optional(0x03, PeerKey::read)?,
            param: owned(0x04)?,
            new_pin: owned(0x05)?,
            pin_hash: owned(0x06)?,
            permissions: parameters.optional(0x09, unsigned)?,
            rp_id: parameters.optional(0x0A, RpId::read)?,
        })
    }

    /// Which subcommand it is.
    pub(crate) fn subcommand(&self) -> u64 {
        self.subcommand
    }

    fn protocol(&self) -> Result<Protocol, StatusCode> {
        Protocol::from_number(required(self.protocol)?).ok_or(StatusCode::INVALID_PARAMETER)
    }
}

/// What needs neither the PIN nor a credential.
impl<V> Authenticator<V> {
    /// getPINRetries, `CTAP 2.3 §6.5.5.2`.
    pub(crate) fn pin_retries(&self) -> Response {
        Response::with(Map::new([
            (0x03_u64, Value::Unsigned(u64::from(self.state.pin_retries))),
            (0x04, Value::Bool(self.needs_power_cycle())), // powerCycleState
        ]))
    }

    /// getUVRetries, `CTAP 2.3 §6.5.5.3`.
    pub(crate) fn uv_retries(&self) -> Result<Response, StatusCode> {
        match self.built_in() {
            BuiltIn::Absent => Err(StatusCode::INVALID_SUBCOMMAND),
            BuiltIn::NotSetUp | BuiltIn::Ready(_) => Ok(Response::with(Map::new([(
                0x05_u64,
                Value::Unsigned(u64::from(self.state.uv_retries)),
            )]))),
        }
    }

    /// getKeyAgreement, `CTAP 2.3 §6.5.5.4`.
    pub(crate) fn own_key(&mut self, request: &Request) -> Result<Response, StatusCode> {
        let key = self.key_agreement.public_key(&mut *self.rng, request.protocol()?);
        Ok(Response::with(Map::new([(0x01_u64, Value::Map(key.members()))])))
    }
}

impl Authenticator {
    pub(crate) fn client_pin(&mut self, now: Instant, request: Request) -> Result<Step, StatusCode> {
        let response = match request.subcommand {
            0x01 => self.pin_retries(),
            0x02 => self.own_key(&request)?,
            0x03 => self.set_pin(now, request)?,
            0x04 => self.change_pin(now, request)?,
            0x05 => self.pin_token(now, request)?,
            0x06 => return self.token_using_uv(request),
            0x07 => self.uv_retries()?,
            0x09 => self.token_using_pin(now, request)?,
            _ => return Err(StatusCode::INVALID_SUBCOMMAND),
        };
        Ok(Step::Answer(response))
    }

    /// setPIN, `CTAP 2.3 §6.5.5.5`.
    fn set_pin(&mut self, now: Instant, request: Request) -> Result<Response, StatusCode> {
        required(request.protocol)?;
        let peer_key = required(request.peer_key.as_ref())?;
        let new_pin = required(request.new_pin.as_ref())?;
        let param = required(request.param.as_ref())?;
        let protocol = request.protocol()?;
        if self.state.pin.is_some() {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        let shared = self
            .key_agreement
            .decapsulate(&mut *self.rng, protocol, peer_key)?;
        if !shared.verify(&[new_pin], param) {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        let pin = self.decrypt_new_pin(&shared, new_pin)?;
        self.keep_pin(now, pin, Event::PinSet)?;
        Ok(Response::empty())
    }

    /// changePIN, `CTAP 2.3 §6.5.5.6`.
    fn change_pin(&mut self, now: Instant, request: Request) -> Result<Response, StatusCode> {
        required(request.protocol)?;
        let peer_key = required(request.peer_key.as_ref())?;
        let pin_hash = required(request.pin_hash.as_ref())?;
        let new_pin = required(request.new_pin.as_ref())?;
        let param = required(request.param.as_ref())?;
        let protocol = request.protocol()?;
        self.allow_pin_attempt()?;
        let shared = self
            .key_agreement
            .decapsulate(&mut *self.rng, protocol, peer_key)?;
        if !shared.verify(&[new_pin, pin_hash], param) {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        self.check_encrypted_pin(now, protocol, &shared, pin_hash)?;
        let pin = self.decrypt_new_pin(&shared, new_pin)?;
        if self.state.force_pin_change && self.is_current_pin(&pin) {
            return Err(StatusCode::PIN_POLICY_VIOLATION);
        }
        self.keep_pin(now, pin, Event::PinChanged)?;
        Ok(Response::empty())
    }

    /// getPinToken, `CTAP 2.3 §6.5.5.7.1`: what a client of CTAP 2.0 knows.
    fn pin_token(&mut self, now: Instant, request: Request) -> Result<Response, StatusCode> {
        required(request.protocol)?;
        let peer_key = required(request.peer_key.as_ref())?;
        let pin_hash = required(request.pin_hash.as_ref())?;
        let protocol = request.protocol()?;
        if request.permissions.is_some() || request.rp_id.is_some() {
            return Err(StatusCode::INVALID_PARAMETER);
        }
        let shared = self.agree_with_pin(now, protocol, peer_key, pin_hash)?;
        if self.state.force_pin_change {
            return Err(StatusCode::PIN_INVALID);
        }
        let grant = Grant {
            permissions: Permissions::OF_PIN_TOKEN,
            rp: None,
            present: None,
        };
        Ok(self.issue_token(now, protocol, &shared, grant))
    }

    /// getPinUvAuthTokenUsingPinWithPermissions, `CTAP 2.3 §6.5.5.7.2`.
    fn token_using_pin(&mut self, now: Instant, request: Request) -> Result<Response, StatusCode> {
        required(request.protocol)?;
        let peer_key = required(request.peer_key.as_ref())?;
        let pin_hash = required(request.pin_hash.as_ref())?;
        let permissions = required(request.permissions)?;
        let protocol = request.protocol()?;
        let permissions = self.grantable(permissions)?;
        let shared = self.agree_with_pin(now, protocol, peer_key, pin_hash)?;
        if self.state.force_pin_change {
            return Err(StatusCode::PIN_POLICY_VIOLATION);
        }
        let request = TokenRequest {
            protocol,
            shared,
            permissions,
            rp: request.rp_id.as_ref().map(RpId::hash),
        };
        self.grant_token(now, &request, Evidence::none())
    }

    /// getPinUvAuthTokenUsingUvWithPermissions, `CTAP 2.3 §6.5.5.7.3`. First look: asks the user.
    fn token_using_uv(&mut self, request: Request) -> Result<Step, StatusCode> {
        if self.built_in() == BuiltIn::Absent {
            return Err(StatusCode::INVALID_SUBCOMMAND);
        }
        required(request.protocol)?;
        let peer_key = required(request.peer_key.as_ref())?;
        let permissions = required(request.permissions)?;
        let protocol = request.protocol()?;
        let permissions = self.grantable(permissions)?;
        let BuiltIn::Ready(modality) = self.built_in() else {
            return Err(StatusCode::NOT_ALLOWED);
        };
        if self.is_built_in_blocked(modality) {
            return Err(StatusCode::UV_BLOCKED);
        }
        let shared = self
            .key_agreement
            .decapsulate(&mut *self.rng, protocol, peer_key)?;
        let mut prompt = Prompt::bare(Purpose::Verify);
        prompt.rp_id = request.rp_id.as_ref().and_then(|id| prompt_text::rp_id(&id.0));
        let request = TokenRequest {
            protocol,
            shared,
            permissions,
            rp: request.rp_id.as_ref().map(RpId::hash),
        };
        self.verify(modality, prompt, Then::IssueToken(request))
    }

    /// The permissions asked for, when there are any and all of them mean something here.
    fn grantable(&self, bits: u64) -> Result<Permissions, StatusCode> {
        if bits == 0 {
            return Err(StatusCode::INVALID_PARAMETER);
        }
        let permissions = Permissions::from_bits(bits);
        let supported = |permission| match permission {
            Permission::MakeCredential
            | Permission::GetAssertion
            | Permission::CredentialManagement
            | Permission::AuthenticatorConfig => true,
            Permission::LargeBlobWrite => self.config.large_blobs.is_array(),
            Permission::BioEnrollment => false,
            Permission::PersistentReadOnly => permissions.is_only(Permission::PersistentReadOnly),
        };
        if permissions.all(supported) {
            Ok(permissions)
        } else {
            Err(StatusCode::UNAUTHORIZED_PERMISSION)
        }
    }

    /// A token with these permissions: the persistent one, which lasts, or a new one of the other kind.
    pub(crate) fn grant_token(
        &mut self,
        now: Instant,
        request: &TokenRequest,
        evidence: Evidence,
    ) -> Result<Response, StatusCode> {
        let TokenRequest {
            protocol,
            shared,
            permissions,
            rp,
        } = request;
        if permissions.contains(Permission::PersistentReadOnly) {
            return self.persistent_token(shared);
        }
        let grant = Grant {
            permissions: *permissions,
            rp: *rp,
            present: evidence.present,
        };
        Ok(self.issue_token(now, *protocol, shared, grant))
    }

    fn issue_token(
        &mut self,
        now: Instant,
        protocol: Protocol,
        shared: &SharedSecret,
        grant: Grant,
    ) -> Response {
        let secret = self.token.issue(now, &mut *self.rng, protocol, grant);
        token_response(&shared.encrypt(&mut *self.rng, secret.expose_secret()))
    }

    fn persistent_token(&mut self, shared: &SharedSecret) -> Result<Response, StatusCode> {
        if self.state.persistent_token.is_none() {
            let secret = Secret::random(&mut *self.rng);
            self.update_state(|state| state.persistent_token = Some(secret))?;
        }
        let secret = self
            .state
            .persistent_token
            .as_ref()
            .expect("it was made if it was not there");
        Ok(token_response(
            &shared.encrypt(&mut *self.rng, secret.expose_secret()),
        ))
    }

    /// What is shared with a platform that knows the PIN.
    fn agree_with_pin(
        &mut self,
        now: Instant,
        protocol: Protocol,
        peer_key: &PeerKey,
        pin_hash: &[u8],
    ) -> Result<SharedSecret, StatusCode> {
        self.allow_pin_attempt()?;
        let shared = self
            .key_agreement
            .decapsulate(&mut *self.rng, protocol, peer_key)?;
        self.check_encrypted_pin(now, protocol, &shared, pin_hash)?;
        Ok(shared)
    }

    /// The current PIN's hash, encrypted by the platform. What does not decrypt is a wrong PIN, too.
    fn check_encrypted_pin(
        &mut self,
        now: Instant,
        protocol: Protocol,
        shared: &SharedSecret,
        encrypted: &[u8],
    ) -> Result<(), StatusCode> {
        let candidate = shared
            .decrypt(encrypted)
            .and_then(|hash| Secret::from_slice(&hash))
            // No hash of a PIN is known to be this.
            .unwrap_or_else(|| Secret::random(&mut *self.rng));
        self.check_pin(now, Some(protocol), &candidate)
    }

    fn decrypt_new_pin(&self, shared: &SharedSecret, encrypted: &[u8]) -> Result<Pin, StatusCode> {
        let padded = shared.decrypt(encrypted).ok_or(StatusCode::PIN_AUTH_INVALID)?;
        self.read_new_pin(&padded)
    }

    fn is_current_pin(&self, pin: &Pin) -> bool {
        self.state
            .pin
            .as_ref()
            .is_some_and(|current| current.hash.expose_secret() == pin.hash.expose_secret())
    }

    /// A new PIN ends everything that the old one has opened.
    fn keep_pin(&mut self, now: Instant, pin: Pin, event: Event) -> Result<(), StatusCode> {
        self.update_state_and_log(now, event, |state| {
            state.pin = Some(pin);
            state.pin_retries = RETRIES_MAX;
            state.force_pin_change = false;
            state.persistent_token = None;
        })?;
        self.token.stop();
        self.pin_mismatches = 0;
        Ok(())
    }
}

fn token_response(encrypted: &[u8]) -> Response {
    Response::with(Map::new([(0x02_u64, Value::Bytes(encrypted))]))
}

#[cfg(test)]
mod tests;

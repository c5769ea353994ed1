//! authenticatorCredentialManagement, `CTAP 2.3 §6.8`: lists, renames and deletes discoverable credentials. Reading is also
//! allowed to holders of the persistent token. Lists are walked, never gathered: one answer holds one entry.

use std::vec;

use wardkey_transport::time::Instant;
use wardkey_vault::{CredProtect, CredentialId, Event, Passkey, RpIdHash};

use crate::audit::subject;
use crate::authenticator::Authenticator;
use crate::cbor::{self, Map, Value};
use crate::commands::get_assertion::{descriptor, user_entity};
use crate::entity::{Descriptors, User};
use crate::parameters::{Parameters, bytes, map, required, unsigned};
use crate::pin::permissions::Permission;
use crate::pin_uv_auth::{PinUvAuth, Proof};
use crate::response::Response;
use crate::session::{Continuation, Session};
use crate::status::StatusCode;
use crate::store;

/// The parameters.
pub(crate) struct Request {
    subcommand: Subcommand,
    /// The parameters of the subcommand as they were sent, because they are authenticated.
    encoded: Vec<u8>,
    rp_id_hash: Option<RpIdHash>,
    /// The credential that is named; one that cannot be ours has no id.
    credential: Option<Option<CredentialId>>,
    user: Option<User>,
    pin_uv_auth: PinUvAuth,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subcommand {
    GetCredsMetadata,
    EnumerateRpsBegin,
    EnumerateRpsGetNextRp,
    EnumerateCredentialsBegin,
    EnumerateCredentialsGetNextCredential,
    DeleteCredential,
    UpdateUserInformation,
    Unknown,
}

impl Subcommand {
    fn from_number(number: u64) -> Self {
        match number {
            0x01 => Self::GetCredsMetadata,
            0x02 => Self::EnumerateRpsBegin,
            0x03 => Self::EnumerateRpsGetNextRp,
            0x04 => Self::EnumerateCredentialsBegin,
            0x05 => Self::EnumerateCredentialsGetNextCredential,
            0x06 => Self::DeleteCredential,
            0x07 => Self::UpdateUserInformation,
            _ => Self::Unknown,
        }
    }

    /// What of the request a token authenticates.
    fn message(self, encoded: &[u8]) -> [&[u8]; 2] {
        match self {
            Self::GetCredsMetadata => [&[0x01], &[]],
            Self::EnumerateRpsBegin => [&[0x02], &[]],
            Self::EnumerateCredentialsBegin => [&[0x04], encoded],
            Self::DeleteCredential => [&[0x06], encoded],
            Self::UpdateUserInformation => [&[0x07], encoded],
            Self::EnumerateRpsGetNextRp | Self::EnumerateCredentialsGetNextCredential | Self::Unknown => {
                [&[], &[]]
            }
        }
    }
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, StatusCode> {
        let subcommand = Subcommand::from_number(parameters.required(0x01, unsigned)?);
        let value = parameters.optional(0x02, |value| Ok(value.clone()))?;
        let empty = Map::default();
        let members = value.as_ref().map(map).transpose()?.unwrap_or(&empty);
        Ok(Self {
            subcommand,
            // What was accepted is canonical, so encoding gives back what was sent.
            encoded: value.as_ref().map(cbor::encode).unwrap_or_default(),
            rp_id_hash: members.get(1_u64).map(read_hash).transpose()?,
            credential: members.get(2_u64).map(Descriptors::read_one).transpose()?,
            user: members.get(3_u64).map(User::read).transpose()?,
            pin_uv_auth: PinUvAuth::read(parameters, 0x04, 0x03)?,
        })
    }

    pub(crate) fn subcommand(&self) -> Subcommand {
        self.subcommand
    }
}

fn read_hash(value: &Value<'_>) -> Result<RpIdHash, StatusCode> {
    bytes(value)?
        .try_into()
        .map(RpIdHash)
        .map_err(|_| StatusCode::INVALID_LENGTH)
}

impl Authenticator {
    pub(crate) fn credential_management(
        &mut self,
        now: Instant,
        request: Request,
    ) -> Result<Response, StatusCode> {
        let Request {
            subcommand,
            encoded,
            rp_id_hash,
            credential,
            user,
            pin_uv_auth,
        } = request;
        let proof = |needed: bool| match (pin_uv_auth.is_absent(), needed) {
            (true, _) => Err(StatusCode::PUAT_REQUIRED),
            (false, false) => Err(StatusCode::MISSING_PARAMETER),
            (false, true) => pin_uv_auth.clone().required(),
        };
        let message = subcommand.message(&encoded);
        match subcommand {
            Subcommand::GetCredsMetadata => {
                self.authorize_reading(now, &proof(true)?, &message, None)?;
                Ok(self.metadata())
            }
            Subcommand::EnumerateRpsBegin => {
                let continuation = self.authorize_reading(now, &proof(true)?, &message, None)?;
                self.begin_relying_parties(continuation)
            }
            Subcommand::EnumerateRpsGetNextRp => self.next_relying_party(now),
            Subcommand::EnumerateCredentialsBegin => {
                let proof = proof(rp_id_hash.is_some())?;
                let rp = required(rp_id_hash)?;
                let continuation = self.authorize_reading(now, &proof, &message, Some(&rp))?;
                self.begin_credentials(continuation, &rp)
            }
            Subcommand::EnumerateCredentialsGetNextCredential => self.next_credential(now),
            Subcommand::DeleteCredential => {
                let proof = proof(credential.is_some())?;
                let id = required(credential)?;
                let passkey = self.authorize_change(now, &proof, &message, id.as_ref())?;
                let entry = self.entry(now, Event::Deleted(subject(&passkey)));
                self.vault.delete(&mut *self.rng, &passkey.id, entry.as_ref())?;
                Ok(Response::empty())
            }
            Subcommand::UpdateUserInformation => {
                let proof = proof(credential.is_some() && user.is_some())?;
                let (id, user) = (required(credential)?, required(user)?);
                let passkey = self.authorize_change(now, &proof, &message, id.as_ref())?;
                self.update_user(now, passkey, user)
            }
            Subcommand::Unknown => Err(StatusCode::INVALID_SUBCOMMAND),
        }
    }

    /// Reading is for holders of the persistent token, and of a token for managing credentials: all, or those of the
    /// relying party it is bound to.
    fn authorize_reading(
        &mut self,
        now: Instant,
        proof: &Proof,
        message: &[&[u8]],
        rp: Option<&RpIdHash>,
    ) -> Result<Continuation, StatusCode> {
        let is_persistent = self
            .state
            .persistent_token
            .as_ref()
            .is_some_and(|token| proof.protocol.verify(token, message, &proof.param));
        if is_persistent {
            return Ok(Continuation::new(now, false));
        }
        let token = self
            .token
            .authorize(now, proof, message, Permission::CredentialManagement)?;
        if token.rp().is_some_and(|bound| Some(bound) != rp) {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        Ok(Continuation::new(now, true))
    }

    /// Changing is for holders of a token for managing credentials: all, or those of the relying party it is bound to.
    fn authorize_change(
        &mut self,
        now: Instant,
        proof: &Proof,
        message: &[&[u8]],
        id: Option<&CredentialId>,
    ) -> Result<Passkey, StatusCode> {
        let token = self
            .token
            .authorize(now, proof, message, Permission::CredentialManagement)?;
        let bound = token.rp().copied();
        let passkey = match id {
            None => None,
            Some(id) => self.vault.load(id)?,
        };
        let rp = passkey.as_ref().map(|passkey| RpIdHash::of(&passkey.rp_id));
        if bound.is_some() && bound != rp {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        passkey.ok_or(StatusCode::NO_CREDENTIALS)
    }

    /// getCredsMetadata, `CTAP 2.3 §6.8.2`.
    fn metadata(&self) -> Response {
        Response::with(Map::new([
            (0x01_u64, Value::count(self.vault.len())),
            (0x02, Value::count(self.remaining_credentials())),
        ]))
    }

    /// enumerateRPsBegin, `CTAP 2.3 §6.8.3`.
    fn begin_relying_parties(&mut self, continuation: Continuation) -> Result<Response, StatusCode> {
        let first = self
            .vault
            .next_relying_party(None)
            .ok_or(StatusCode::NO_CREDENTIALS)?;
        let total = self.vault.relying_parties();
        let response = self.relying_party(&first, Some(total))?;
        self.session = Session::RelyingParties(continuation.after(first));
        Ok(response)
    }

    /// enumerateRPsGetNextRP, `CTAP 2.3 §6.8.3`.
    fn next_relying_party(&mut self, now: Instant) -> Result<Response, StatusCode> {
        let Session::RelyingParties(walk) = core::mem::take(&mut self.session) else {
            return Err(StatusCode::NOT_ALLOWED);
        };
        let (previous, continuation) = walk.go_on(now, &mut self.token)?;
        let next = self
            .vault
            .next_relying_party(Some(&previous))
            .ok_or(StatusCode::NOT_ALLOWED)?;
        let response = self.relying_party(&next, None)?;
        self.session = Session::RelyingParties(continuation.after(next));
        Ok(response)
    }

    fn relying_party(&self, rp: &RpIdHash, total: Option<usize>) -> Result<Response, StatusCode> {
        let mut ids = self.vault.find_by_rp(rp, CredProtect::Required).into_iter();
        let passkey = self.next_stored(&mut ids)?.ok_or(StatusCode::OTHER)?;
        let mut entity = Map::new([("id", Value::Text(&passkey.rp_id))]);
        if let Some(name) = &passkey.rp_name {
            entity.insert("name", Value::Text(name));
        }
        let mut members = Map::new([(0x03_u64, Value::Map(entity)), (0x04, Value::Bytes(&rp.0))]);
        if let Some(total) = total {
            members.insert(0x05_u64, Value::count(total));
        }
        Ok(Response::with(members))
    }

    /// enumerateCredentialsBegin, `CTAP 2.3 §6.8.4`.
    fn begin_credentials(
        &mut self,
        continuation: Continuation,
        rp: &RpIdHash,
    ) -> Result<Response, StatusCode> {
        let ids = self.vault.find_by_rp(rp, CredProtect::Required);
        let total = ids.len();
        let mut ids = ids.into_iter();
        let first = self.next_stored(&mut ids)?.ok_or(StatusCode::NO_CREDENTIALS)?;
        let response = credential(first, Some(total))?;
        self.session = Session::Credentials(continuation.after(ids));
        Ok(response)
    }

    /// enumerateCredentialsGetNextCredential, `CTAP 2.3 §6.8.4`.
    fn next_credential(&mut self, now: Instant) -> Result<Response, StatusCode> {
        let Session::Credentials(walk) = core::mem::take(&mut self.session) else {
            return Err(StatusCode::NOT_ALLOWED);
        };
        let (mut ids, continuation) = walk.go_on(now, &mut self.token)?;
        let next = self.next_stored(&mut ids)?.ok_or(StatusCode::NOT_ALLOWED)?;
        let response = credential(next, None)?;
        self.session = Session::Credentials(continuation.after(ids));
        Ok(response)
    }

    /// The next of these credentials that is still there: the owner of the key may have deleted some meanwhile.
    fn next_stored(&self, ids: &mut vec::IntoIter<CredentialId>) -> Result<Option<Passkey>, StatusCode> {
        for id in ids {
            if let Some(passkey) = self.vault.load(&id)? {
                return Ok(Some(passkey));
            }
        }
        Ok(None)
    }

    /// updateUserInformation, `CTAP 2.3 §6.8.6`: names that are absent or empty are removed.
    fn update_user(
        &mut self,
        now: Instant,
        mut passkey: Passkey,
        user: User,
    ) -> Result<Response, StatusCode> {
        if user.id != passkey.user_id {
            return Err(StatusCode::INVALID_PARAMETER);
        }
        passkey.user_name = user.name.filter(|name| !name.is_empty());
        passkey.user_display_name = user.display_name.filter(|name| !name.is_empty());
        let entry = self.entry(now, Event::Updated(subject(&passkey)));
        self.vault.update(&mut *self.rng, &passkey, entry.as_ref())?;
        Ok(Response::empty())
    }
}

/// A credential as a list tells it; the first one with the number of all.
fn credential(passkey: Passkey, total: Option<usize>) -> Result<Response, StatusCode> {
    let (_, credential) = store::from_passkey(passkey).ok_or(StatusCode::OTHER)?;
    let signing_key = credential.key.load().ok_or(StatusCode::OTHER)?;
    let public_key = signing_key.public_key().encode();
    let user = credential.user.as_ref().ok_or(StatusCode::OTHER)?;
    let mut members = Map::new([
        (0x06_u64, Value::Map(user_entity(user))),
        (0x07, Value::Map(descriptor(&credential.id))),
        (0x08, cbor::decode(&public_key)?),
        (
            0x0A,
            Value::Unsigned(u64::from(credential.traits.cred_protect.code())),
        ),
        (0x0C, Value::Bool(credential.traits.third_party_payment)),
    ]);
    if let Some(total) = total {
        members.insert(0x09_u64, Value::count(total));
    }
    if let Some(key) = &credential.large_blob_key {
        members.insert(0x0B_u64, Value::Bytes(key.expose_secret()));
    }
    Ok(Response::with(members))
}

#[cfg(test)]
mod tests;

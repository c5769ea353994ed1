//! authenticatorGetAssertion, `CTAP 2.3 §6.2`. First look: [`Authenticator::get_assertion`] finds the credentials, before
//! it asks the user. After the gesture, or at once where the client wants none: [`Authenticator::assert`] signs with the
//! first of them and leaves the others to getNextAssertion.
//!
//! Not here yet: steps 5 and 6 (no user verification) and step 10 (no extension).

use wardkey_transport::time::Instant;
use wardkey_vault::{CredentialId, RpIdHash};

use super::Step;
use crate::auth_data::AuthData;
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::entity::{ClientDataHash, Descriptors, PUBLIC_KEY, RpId, User};
use crate::gesture::{Evidence, Gesture, Next, Prompt, Purpose, Refusal};
use crate::options::{Options, Presence};
use crate::parameters::{Parameters, map};
use crate::pin_uv_auth::PinUvAuth;
use crate::prompt_text;
use crate::response::Response;
use crate::session::Assertion;
use crate::status::StatusCode;
use crate::store::{self, Credential};

/// The parameters.
pub(crate) struct Request {
    rp_id: RpId,
    client_data_hash: ClientDataHash,
    allow_list: Descriptors,
    options: Options,
    pin_uv_auth: PinUvAuth,
}

/// A request whose credentials are found.
pub(crate) struct Located {
    rp_id_hash: RpIdHash,
    client_data_hash: ClientDataHash,
    /// At least one. Several only without an allowList; then the newest first.
    credentials: Vec<CredentialId>,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, StatusCode> {
        let request = Self {
            rp_id: parameters.required(0x01, RpId::read)?,
            client_data_hash: parameters.required(0x02, ClientDataHash::read)?,
            allow_list: parameters.optional(0x03, Descriptors::read)?.unwrap_or_default(),
            options: parameters.optional(0x05, Options::read)?.unwrap_or_default(),
            pin_uv_auth: PinUvAuth::read(parameters, 0x06, 0x07)?,
        };
        // No extension is supported, and unknown ones are ignored; but they come in a map.
        parameters.optional(0x04, map)?;
        Ok(request)
    }
}

impl Authenticator {
    /// The first look, `CTAP 2.3 §6.2.2`.
    pub(crate) fn get_assertion(&mut self, now: Instant, request: Request) -> Result<Step, StatusCode> {
        let Request {
            rp_id,
            client_data_hash,
            allow_list,
            options,
            pin_uv_auth,
        } = request;
        if pin_uv_auth == PinUvAuth::Empty {
            return Ok(Step::ask(Prompt::bare(Purpose::Identify), Next::AnswerBlink)); // step 1
        }
        pin_uv_auth.refuse()?; // step 2
        let presence = options.for_get_assertion()?; // step 4
        let rp_id_hash = rp_id.hash();
        let credentials = self.locate(&rp_id_hash, &allow_list)?; // step 7
        let located = Located {
            rp_id_hash,
            client_data_hash,
            credentials,
        };
        match presence {
            Presence::Required => {
                let prompt = self.sign_in_prompt(&rp_id, &located)?;
                Ok(Step::ask(prompt, Next::GetAssertion(located))) // step 9
            }
            Presence::NotWanted => self.assert(now, located, Evidence::none()).map(Step::Answer),
        }
    }

    /// After the gesture.
    pub(crate) fn assert_present(
        &mut self,
        now: Instant,
        located: Located,
        gesture: Gesture,
    ) -> Result<Response, StatusCode> {
        let present = gesture.evidence().map_err(Refusal::of_operation)?; // step 9
        self.assert(now, located, Evidence::of(present))
    }

    /// Signs with the first credential, `CTAP 2.3 §6.2.2 steps 11 to 13`.
    fn assert(&mut self, now: Instant, located: Located, evidence: Evidence) -> Result<Response, StatusCode> {
        let Located {
            rp_id_hash,
            client_data_hash,
            credentials,
        } = located;
        let count = credentials.len();
        let mut credentials = credentials.into_iter();
        let first = credentials.next().ok_or(StatusCode::NO_CREDENTIALS)?;
        let assertion = Assertion {
            rp_id_hash,
            client_data_hash,
            evidence,
        };
        let mut members = self.sign_assertion(&assertion, &first)?;
        if count > 1 {
            self.session.keep(now, assertion, credentials);
            members.number_of_credentials = u64::try_from(count).ok();
        }
        Ok(members.into_response())
    }

    /// The credentials that may answer: of an allowList one, otherwise every discoverable one.
    fn locate(&self, rp: &RpIdHash, allow_list: &Descriptors) -> Result<Vec<CredentialId>, StatusCode> {
        let credentials = if allow_list.is_empty() {
            self.vault.find_by_rp(rp)
        } else {
            self.first_known(rp, allow_list)?.into_iter().collect()
        };
        if credentials.is_empty() {
            Err(StatusCode::NO_CREDENTIALS)
        } else {
            Ok(credentials)
        }
    }

    fn first_known(
        &self,
        rp: &RpIdHash,
        allow_list: &Descriptors,
    ) -> Result<Option<CredentialId>, StatusCode> {
        for id in allow_list.ids()? {
            if store::find(&self.vault, rp, id)?.is_some() {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// The question names the account if only one can be meant.
    fn sign_in_prompt(&self, rp_id: &RpId, located: &Located) -> Result<Prompt, StatusCode> {
        let user = match located.credentials.as_slice() {
            [only] => {
                store::find(&self.vault, &located.rp_id_hash, only)?.and_then(|credential| credential.user)
            }
            _ => None,
        };
        let shown = |text: Option<String>| text.as_deref().and_then(prompt_text::name);
        let (user_name, user_display_name) = user.map_or((None, None), |user| (user.name, user.display_name));
        Ok(Prompt {
            purpose: Purpose::SignIn,
            rp_id: prompt_text::rp_id(&rp_id.0),
            rp_name: None,
            user_name: shown(user_name),
            user_display_name: shown(user_display_name),
        })
    }

    /// One assertion, for getAssertion and getNextAssertion.
    pub(super) fn sign_assertion(
        &mut self,
        assertion: &Assertion,
        id: &CredentialId,
    ) -> Result<Members, StatusCode> {
        let Assertion {
            rp_id_hash,
            client_data_hash,
            evidence,
        } = assertion;
        let credential = store::find(&self.vault, rp_id_hash, id)?.ok_or(StatusCode::NO_CREDENTIALS)?;
        let Credential {
            id,
            profile,
            key,
            user,
        } = credential;
        let signing_key = key.load().ok_or(StatusCode::OTHER)?;
        let signature_count = self.signature_count(profile)?;
        let auth_data = AuthData {
            rp_id_hash,
            evidence,
            profile,
            signature_count,
        }
        .encode();
        let message = [&auth_data[..], &client_data_hash.0].concat();
        let signature = signing_key.sign(&mut *self.rng, &message); // step 13
        let user = user.map(|user| shown_to_relying_party(user, evidence));
        Ok(Members {
            id,
            auth_data,
            signature,
            user,
            number_of_credentials: None,
        })
    }
}

/// Who someone is is told only after user verification, `CTAP 2.3 §6.2.2 step 12`.
fn shown_to_relying_party(user: User, evidence: &Evidence) -> User {
    if evidence.is_verified() {
        user
    } else {
        User {
            id: user.id,
            name: None,
            display_name: None,
        }
    }
}

/// The members of an answer.
pub(super) struct Members {
    id: CredentialId,
    auth_data: Vec<u8>,
    signature: Vec<u8>,
    user: Option<User>,
    number_of_credentials: Option<u64>,
}

impl Members {
    pub(super) fn into_response(self) -> Response {
        let Self {
            id,
            auth_data,
            signature,
            user,
            number_of_credentials,
        } = &self;
        let mut members = Map::new([
            (0x01_u64, Value::Map(descriptor(id))),
            (0x02, Value::Bytes(auth_data)),
            (0x03, Value::Bytes(signature)),
        ]);
        if let Some(user) = user {
            members.insert(0x04_u64, Value::Map(user_entity(user)));
        }
        if let Some(count) = number_of_credentials {
            members.insert(0x05_u64, Value::Unsigned(*count));
        }
        Response::with(members)
    }
}

fn descriptor(id: &CredentialId) -> Map<'_> {
    Map::new([
        ("id", Value::Bytes(id.as_bytes())),
        ("type", Value::Text(PUBLIC_KEY)),
    ])
}

fn user_entity(user: &User) -> Map<'_> {
    let User {
        id,
        name,
        display_name,
    } = user;
    let mut members = Map::new([("id", Value::Bytes(id))]);
    if let Some(name) = name {
        members.insert("name", Value::Text(name));
    }
    if let Some(display_name) = display_name {
        members.insert("displayName", Value::Text(display_name));
    }
    members
}

#[cfg(test)]
mod tests;

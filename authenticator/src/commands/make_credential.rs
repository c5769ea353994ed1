//! authenticatorMakeCredential, `CTAP 2.3 §6.1`. First look: [`Authenticator::make_credential`] checks the request and
//! asks the user. After the gesture: [`Authenticator::create_credential`] makes, keeps and attests the credential.
//!
//! Not here yet: steps 6 to 8, 10 and 11 (no user verification) and step 15 (no extension).

use wardkey_transport::time::Instant;
use wardkey_vault::{CredentialId, Profile, RpIdHash};

use super::Step;
use crate::attestation::{Format, Statement};
use crate::auth_data::{Attested, AuthData};
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::cose::Algorithm;
use crate::dummy;
use crate::entity::{ClientDataHash, Descriptors, PUBLIC_KEY, RelyingParty, User};
use crate::gesture::{Evidence, Gesture, Next, Prompt, Purpose, Refusal};
use crate::options::{Options, Residence};
use crate::parameters::{Parameters, array, map, text, unsigned};
use crate::pin_uv_auth::PinUvAuth;
use crate::private_key::{PrivateKey, SigningKey};
use crate::prompt_text;
use crate::response::Response;
use crate::status::StatusCode;
use crate::store::{self, Binding, NewCredential};

/// The parameters.
pub(crate) struct Request {
    client_data_hash: ClientDataHash,
    rp: RelyingParty,
    user: User,
    /// Those of `pubKeyCredParams` that this key can use, in the order sent.
    algorithms: Vec<Algorithm>,
    exclude_list: Descriptors,
    options: Options,
    pin_uv_auth: PinUvAuth,
    enterprise_attestation: Option<u64>,
    format: Format,
}

/// A request that passed every check and waits for the user.
pub(crate) struct Accepted {
    client_data_hash: ClientDataHash,
    rp: RelyingParty,
    user: User,
    algorithm: Algorithm,
    residence: Residence,
    format: Format,
}

/// A credential that exists nowhere but here yet.
struct Minted {
    id: CredentialId,
    profile: Profile,
    key: PrivateKey,
    signing_key: SigningKey,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, StatusCode> {
        let request = Self {
            client_data_hash: parameters.required(0x01, ClientDataHash::read)?,
            rp: parameters.required(0x02, RelyingParty::read)?,
            user: parameters.required(0x03, User::read)?,
            algorithms: parameters.required(0x04, read_algorithms)?,
            exclude_list: parameters.optional(0x05, Descriptors::read)?.unwrap_or_default(),
            options: parameters.optional(0x07, Options::read)?.unwrap_or_default(),
            pin_uv_auth: PinUvAuth::read(parameters, 0x08, 0x09)?,
            enterprise_attestation: parameters.optional(0x0A, unsigned)?,
            format: parameters
                .optional(0x0B, |value| Ok(Format::from_preference(value)))?
                .unwrap_or_default(),
        };
        // No extension is supported, and unknown ones are ignored; but they come in a map.
        parameters.optional(0x06, map)?;
        Ok(request)
    }
}

/// Reads `pubKeyCredParams`: every element must be sound, also behind the one that is chosen, `CTAP 2.3 §6.1.2 step 3`.
fn read_algorithms(value: &Value<'_>) -> Result<Vec<Algorithm>, StatusCode> {
    let mut algorithms = Vec::new();
    for item in array(value)? {
        let parameters = map(item)?;
        let kind = text(parameters.get("type").ok_or(StatusCode::INVALID_CBOR)?)?;
        let algorithm = match parameters.get("alg").ok_or(StatusCode::INVALID_CBOR)? {
            Value::Negative(n) => i32::try_from(*n)
                .ok()
                .and_then(|n| Algorithm::from_identifier(-1 - n)),
            // No signature algorithm of this key has a positive identifier.
            Value::Unsigned(_) => None,
            Value::Bytes(_)
            | Value::Text(_)
            | Value::Array(_)
            | Value::Map(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Undefined => return Err(StatusCode::CBOR_UNEXPECTED_TYPE),
        };
        if kind == PUBLIC_KEY {
            algorithms.extend(algorithm);
        }
    }
    Ok(algorithms)
}

impl Authenticator {
    /// The first look, `CTAP 2.3 §6.1.2`.
    pub(crate) fn make_credential(&mut self, request: Request) -> Result<Step, StatusCode> {
        let Request {
            client_data_hash,
            rp,
            user,
            algorithms,
            exclude_list,
            options,
            pin_uv_auth,
            enterprise_attestation,
            format,
        } = request;
        if pin_uv_auth == PinUvAuth::Empty {
            return Ok(Step::ask(Prompt::bare(Purpose::Identify), Next::AnswerBlink)); // step 1
        }
        pin_uv_auth.refuse()?; // step 2
        let algorithm = *algorithms.first().ok_or(StatusCode::UNSUPPORTED_ALGORITHM)?; // step 3
        let residence = options.for_make_credential()?; // step 5
        refuse_enterprise_attestation(enterprise_attestation)?; // step 9
        if self.has_any(&rp.id.hash(), &exclude_list)? {
            let prompt = account_prompt(Purpose::AlreadyRegistered, &rp, &user);
            return Ok(Step::ask(prompt, Next::RefuseExcluded)); // step 12
        }
        let (prompt, residence) = if dummy::is_dummy_registration(&rp, &user, &client_data_hash) {
            // Deviation: a dummy request is answered, but never stored, because nobody will ever use it.
            (Prompt::bare(Purpose::Identify), Residence::Wrapped)
        } else {
            (account_prompt(Purpose::Register, &rp, &user), residence)
        };
        let accepted = Accepted {
            client_data_hash,
            rp,
            user,
            algorithm,
            residence,
            format,
        };
        Ok(Step::ask(prompt, Next::MakeCredential(Box::new(accepted)))) // step 14
    }

    /// After the gesture for an excluded credential: excluded, whatever the user did, `CTAP 2.3 §6.1.2 step 12`.
    pub(crate) fn refuse_excluded(gesture: Gesture) -> StatusCode {
        match gesture {
            Gesture::Approved | Gesture::Declined | Gesture::TimedOut => StatusCode::CREDENTIAL_EXCLUDED,
            Gesture::Cancelled => StatusCode::KEEPALIVE_CANCEL,
        }
    }

    /// After the gesture, `CTAP 2.3 §6.1.2 steps 14 to 19`.
    pub(crate) fn create_credential(
        &mut self,
        now: Instant,
        accepted: Accepted,
        gesture: Gesture,
    ) -> Result<Response, StatusCode> {
        let Accepted {
            client_data_hash,
            rp,
            user,
            algorithm,
            residence,
            format,
        } = accepted;
        let evidence = Evidence::of(gesture.evidence().map_err(Refusal::of_operation)?); // step 14
        let rp_id_hash = rp.id.hash();
        let new = self.mint(&rp_id_hash, algorithm, residence); // steps 16 and 18
        let auth_data = self.attested_data(&rp_id_hash, &evidence, &new)?;
        let message = [&auth_data[..], &client_data_hash.0].concat();
        let statement = Statement::make(&mut *self.rng, format, &new.signing_key, &message); // step 19
        // Order: storing comes last, so that a failure before it leaves no credential that nobody knows.
        match residence {
            Residence::Stored => self.keep(now, rp, user, new)?, // step 17
            Residence::Wrapped => {}
        }
        Ok(Response::with(Map::new([
            (0x01_u64, Value::Text(statement.format())),
            (0x02, Value::Bytes(&auth_data)),
            (0x03, Value::Map(statement.members())),
        ])))
    }

    /// A new key and the id it will be known by; one that is not stored is sealed into its id.
    fn mint(&mut self, rp_id_hash: &RpIdHash, algorithm: Algorithm, residence: Residence) -> Minted {
        let profile = self.config.kind.profile();
        let (key, signing_key) = PrivateKey::generate(&mut *self.rng, algorithm);
        let id = match residence {
            Residence::Stored => store::random_id(&mut *self.rng),
            Residence::Wrapped => store::wrap(
                &self.vault,
                &mut *self.rng,
                &Binding { rp_id_hash, profile },
                &key,
            ),
        };
        Minted {
            id,
            profile,
            key,
            signing_key,
        }
    }

    fn attested_data(
        &mut self,
        rp_id_hash: &RpIdHash,
        evidence: &Evidence,
        new: &Minted,
    ) -> Result<Vec<u8>, StatusCode> {
        let Minted {
            id,
            profile,
            key: _,
            signing_key,
        } = new;
        let signature_count = self.signature_count(*profile)?;
        let attested = Attested {
            aaguid: self.config.kind.aaguid(),
            credential_id: id,
            public_key: &signing_key.public_key(),
        };
        let auth_data = AuthData {
            rp_id_hash,
            evidence,
            profile: *profile,
            signature_count,
        };
        Ok(auth_data.encode_attested(&attested))
    }

    fn keep(&mut self, now: Instant, rp: RelyingParty, user: User, new: Minted) -> Result<(), StatusCode> {
        let Minted {
            id,
            profile,
            key,
            signing_key: _,
        } = new;
        let created_unix_ms = self.config.unix_ms_at_zero.saturating_add(now.as_millis());
        let credential = NewCredential {
            id,
            rp,
            user,
            key,
            profile,
            created_unix_ms,
        };
        Ok(store::store(&mut self.vault, &mut *self.rng, credential)?)
    }

    /// Whether one of these credentials is ours and of this relying party.
    fn has_any(&self, rp: &RpIdHash, list: &Descriptors) -> Result<bool, StatusCode> {
        for id in list.ids()? {
            if store::find(&self.vault, rp, id)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Enterprise attestation is not offered, so no value of it is looked at, `CTAP 2.3 §6.1.2 step 9`.
fn refuse_enterprise_attestation(wanted: Option<u64>) -> Result<(), StatusCode> {
    if wanted.is_some() {
        Err(StatusCode::INVALID_PARAMETER)
    } else {
        Ok(())
    }
}

fn account_prompt(purpose: Purpose, rp: &RelyingParty, user: &User) -> Prompt {
    Prompt {
        purpose,
        rp_id: prompt_text::rp_id(&rp.id.0),
        rp_name: rp.name.as_deref().and_then(prompt_text::name),
        user_name: user.name.as_deref().and_then(prompt_text::name),
        user_display_name: user.display_name.as_deref().and_then(prompt_text::name),
    }
}

#[cfg(test)]
mod tests;

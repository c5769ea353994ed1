//! authenticatorGetAssertion, `CTAP 2.3 §6.2`. First look: [`Authenticator::get_assertion`] checks the request and what it
//! proves of the user. Then, with built-in verification in between or without: [`Authenticator::get_assertion_for`] finds
//! the credentials, before it asks for presence. After the gesture, or at once where the client wants none:
//! [`Authenticator::assert`] signs with one of them and leaves the others to getNextAssertion.

use wardkey_transport::time::Instant;
use wardkey_vault::{CredProtect, CredentialId, Event, LargeBlob, RpIdHash, Secret, Site};

use super::Step;
use crate::audit::subject;
use crate::auth_data::AuthData;
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::config::Config;
use crate::entity::{ClientDataHash, Descriptors, PUBLIC_KEY, RpId, User};
use crate::extensions::{GetInputs, Output, Outputs, UnsignedOutputs, Wanted, large_blob, large_blob_key};
use crate::gesture::{Account, Evidence, Gesture, Next, Prompt, Purpose, Refusal, UserPresent};
use crate::options::{Options, Presence, Verification};
use crate::parameters::Parameters;
use crate::pin::built_in::Then;
use crate::pin::permissions::Permission;
use crate::pin_uv_auth::PinUvAuth;
use crate::prompt_text;
use crate::response::Response;
use crate::session::{Assertion, Continuation};
use crate::status::StatusCode;
use crate::store::{self, Credential};

/// The most accounts among which a prompt lets the user choose; of more, the client does.
const ACCOUNTS_MAX: usize = 16;

/// The parameters.
pub(crate) struct Request {
    rp_id: RpId,
    client_data_hash: ClientDataHash,
    allow_list: Descriptors,
    extensions: GetInputs,
    options: Options,
    pin_uv_auth: PinUvAuth,
}

/// A request that is sound as far as it can be told without the user.
pub(crate) struct Checked {
    rp_id: RpId,
    client_data_hash: ClientDataHash,
    allow_list: Descriptors,
    extensions: GetInputs,
    presence: Presence,
}

/// A request whose credentials are found.
pub(crate) struct Located {
    rp_id: RpId,
    rp_id_hash: RpIdHash,
    client_data_hash: ClientDataHash,
    wanted: Wanted,
    evidence: Evidence,
    /// At least one. Several only without an allowList; then the newest first.
    credentials: Vec<CredentialId>,
    has_allow_list: bool,
    verified_by_token: bool,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>, config: &Config) -> Result<Self, StatusCode> {
        Ok(Self {
            rp_id: parameters.required(0x01, RpId::read)?,
            client_data_hash: parameters.required(0x02, ClientDataHash::read)?,
            allow_list: parameters.optional(0x03, Descriptors::read)?.unwrap_or_default(),
            extensions: parameters
                .optional(0x04, |value| GetInputs::read(value, config))?
                .unwrap_or_default(),
            options: parameters.optional(0x05, Options::read)?.unwrap_or_default(),
            pin_uv_auth: PinUvAuth::read(parameters, 0x06, 0x07)?,
        })
    }
}

/// What can be told of a request without the vault.
impl Request {
    pub(crate) fn rp_id(&self) -> &RpId {
        &self.rp_id
    }

    /// Empty where the relying party names no credential.
    pub(crate) fn allowed(&self) -> &Descriptors {
        &self.allow_list
    }

    pub(crate) fn pin_uv_auth(&self) -> &PinUvAuth {
        &self.pin_uv_auth
    }
}

impl Authenticator {
    /// The first look, `CTAP 2.3 §6.2.2`.
    pub(crate) fn get_assertion(&mut self, now: Instant, request: Request) -> Result<Step, StatusCode> {
        let Request {
            rp_id,
            client_data_hash,
            allow_list,
            extensions,
            options,
            pin_uv_auth,
        } = request;
        if pin_uv_auth.is_empty() {
            return Ok(Step::ask(Prompt::bare(Purpose::Identify), Next::AnswerBlink)); // step 1
        }
        let proof = pin_uv_auth.proof()?; // step 2
        let mut verification = options.verification(proof.is_some(), self.built_in())?; // step 4
        let presence = options.for_get_assertion()?;
        if self.state.always_uv && presence == Presence::Required {
            verification = self.required_always(verification)?; // step 5
        }
        let checked = Checked {
            rp_id,
            client_data_hash,
            allow_list: allow_list.within_limit()?,
            extensions,
            presence,
        };
        match (verification, proof) {
            (Verification::BuiltIn(modality), _) => {
                let prompt = checked.prompt();
                self.verify(modality, prompt, Then::GetAssertion(checked)) // step 6.2
            }
            (Verification::ByToken, Some(proof)) if self.is_protected() => {
                let message = &[&checked.client_data_hash.0[..]];
                let permission = Permission::GetAssertion;
                let token = self.token.authorize(now, &proof, message, permission)?; // step 6.1
                let evidence = Evidence {
                    present: None,
                    verified: Some(token.bind(&checked.rp_id.hash())?),
                };
                self.get_assertion_for(now, checked, evidence)
            }
            (Verification::ByToken | Verification::NotWanted, _) => {
                self.get_assertion_for(now, checked, Evidence::none())
            }
        }
    }

    /// The second look, when it is known whether the user is verified. `CTAP 2.3 §6.2.2 steps 7 to 10`.
    pub(crate) fn get_assertion_for(
        &mut self,
        now: Instant,
        request: Checked,
        mut evidence: Evidence,
    ) -> Result<Step, StatusCode> {
        let rp_id_hash = request.rp_id.hash();
        let credentials = self.locate(&rp_id_hash, &request.allow_list, &evidence)?; // step 7
        let wanted = self.check_get_inputs(&request)?; // step 10
        let verified_by_token = evidence.is_verified() && !evidence.is_present();
        if verified_by_token && request.presence == Presence::Required {
            evidence.present = self.token.take_presence(now);
        }
        let prompt = request.prompt();
        let located = Located {
            rp_id: request.rp_id.clone(),
            rp_id_hash,
            client_data_hash: request.client_data_hash,
            wanted,
            evidence,
            credentials,
            has_allow_list: !request.allow_list.is_empty(),
            verified_by_token,
        };
        let prompt = self.with_accounts(prompt, &located)?;
        if located.evidence.is_present() && !prompt.accounts.is_empty() {
            let purpose = Purpose::ChooseAccount;
            return Ok(Step::ask(
                Prompt { purpose, ..prompt },
                Next::GetAssertion(Box::new(located)),
            ));
        }
        if located.evidence.is_present() || request.presence == Presence::NotWanted {
            return self.assert(now, located, None).map(Step::Answer); // step 8
        }
        Ok(Step::ask(prompt, Next::GetAssertion(Box::new(located)))) // step 9
    }

    /// What is wrong with the inputs of extensions; if nothing is, what is to be put out.
    fn check_get_inputs(&mut self, request: &Checked) -> Result<Wanted, StatusCode> {
        let inputs = &request.extensions;
        let hmac_secret = match &inputs.hmac_secret {
            None => None,
            Some(_) if request.presence == Presence::NotWanted => return Err(StatusCode::UNSUPPORTED_OPTION),
            Some(input) => Some(self.open_salts(input)?),
        };
        Ok(Wanted {
            hmac_secret,
            cred_blob: inputs.cred_blob,
            large_blob_key: large_blob_key::is_wanted(inputs.large_blob_key)?,
            large_blob: inputs.large_blob.clone(),
            third_party_payment: inputs.third_party_payment,
        })
    }

    /// After the gesture, `CTAP 2.3 §6.2.2 step 9`.
    pub(crate) fn assert_present(
        &mut self,
        now: Instant,
        mut located: Located,
        gesture: Gesture,
    ) -> Result<Response, StatusCode> {
        let account = gesture.account();
        let present: UserPresent = gesture.evidence().map_err(Refusal::of_operation)?;
        located.evidence.present = Some(present);
        self.assert(now, located, account)
    }

    /// Signs with one credential, `CTAP 2.3 §6.2.2 steps 11 to 13`.
    fn assert(
        &mut self,
        now: Instant,
        located: Located,
        account: Option<usize>,
    ) -> Result<Response, StatusCode> {
        let Located {
            rp_id,
            rp_id_hash,
            client_data_hash,
            wanted,
            evidence,
            mut credentials,
            has_allow_list,
            verified_by_token,
        } = located;
        if evidence.is_present() {
            self.token.spend(); // step 9
        }
        let chosen = account.and_then(|account| credentials.get(account).cloned());
        let user_selected = chosen.is_some() && credentials.len() > 1;
        if let Some(chosen) = chosen {
            credentials = vec![chosen];
        }
        let count = credentials.len();
        let mut credentials = credentials.into_iter();
        let first = credentials.next().ok_or(StatusCode::NO_CREDENTIALS)?;
        let assertion = Assertion {
            rp_id,
            rp_id_hash,
            client_data_hash,
            evidence,
            wanted,
            has_allow_list,
        };
        let mut members = self.sign_assertion(now, &assertion, &first)?;
        members.user_selected = user_selected;
        if count > 1 {
            let continuation = Continuation::new(now, verified_by_token);
            self.session.keep(continuation, assertion, credentials);
            members.number_of_credentials = u64::try_from(count).ok();
        }
        Ok(members.into_response())
    }

    /// The credentials that may answer: of an allowList one, otherwise every discoverable one.
    fn locate(
        &self,
        rp: &RpIdHash,
        allow_list: &Descriptors,
        evidence: &Evidence,
    ) -> Result<Vec<CredentialId>, StatusCode> {
        let credentials = if !allow_list.is_empty() {
            self.first_known(rp, allow_list, evidence)?.into_iter().collect()
        } else if evidence.is_verified() {
            self.vault.find_by_rp(rp, CredProtect::Required)
        } else {
            self.vault.find_by_rp(rp, CredProtect::Optional)
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
        evidence: &Evidence,
    ) -> Result<Option<CredentialId>, StatusCode> {
        for id in allow_list.ids() {
            let found = store::find(&self.vault, rp, id)?;
            if found.is_some_and(|found| {
                evidence.is_verified() || found.traits.cred_protect != CredProtect::Required
            }) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// The question names the account if only one can be meant, and all of them if the user may choose.
    fn with_accounts(&self, mut prompt: Prompt, located: &Located) -> Result<Prompt, StatusCode> {
        let can_choose = self.account_choice && (2..=ACCOUNTS_MAX).contains(&located.credentials.len());
        if let [only] = located.credentials.as_slice() {
            let account = self.account(located, only)?;
            prompt.user_name = account.user_name;
            prompt.user_display_name = account.user_display_name;
        } else if can_choose {
            let accounts = located.credentials.iter().map(|id| self.account(located, id));
            prompt.accounts = accounts.collect::<Result<_, _>>()?;
        }
        Ok(prompt)
    }

    fn account(&self, located: &Located, id: &CredentialId) -> Result<Account, StatusCode> {
        let user = store::find(&self.vault, &located.rp_id_hash, id)?.and_then(|credential| credential.user);
        let shown = |text: Option<String>| text.as_deref().and_then(prompt_text::name);
        let (user_name, user_display_name) = user.map_or((None, None), |user| (user.name, user.display_name));
        Ok(Account {
            user_name: shown(user_name),
            user_display_name: shown(user_display_name),
        })
    }

    /// One assertion, for getAssertion and getNextAssertion.
    pub(super) fn sign_assertion(
        &mut self,
        now: Instant,
        assertion: &Assertion,
        id: &CredentialId,
    ) -> Result<Members, StatusCode> {
        let Assertion {
            rp_id,
            rp_id_hash,
            client_data_hash,
            evidence,
            wanted,
            has_allow_list: _,
        } = assertion;
        let credential = store::find(&self.vault, rp_id_hash, id)?.ok_or(StatusCode::NO_CREDENTIALS)?;
        let outputs = self.get_outputs(wanted, &credential, evidence);
        let signing_key = credential.key.load().ok_or(StatusCode::OTHER)?;
        let signed_in = Event::SignedIn {
            credential: credential.subject(Site::named(&rp_id.0)),
            consent: evidence.consent(),
        };
        let signature_count = self.count_signature(now, credential.profile, Some(signed_in))?;
        let auth_data = AuthData {
            rp_id_hash,
            evidence,
            profile: credential.profile,
            is_backed_up: self.vault.is_backed_up(id)?,
            signature_count,
            outputs: &outputs,
        }
        .encode();
        let message = [&auth_data[..], &client_data_hash.0].concat();
        let signature = signing_key.sign(&mut *self.rng, &message); // step 13
        // Order: writing comes last, so that a command that fails has written nothing.
        let unsigned_outputs = self.access_large_blob(now, assertion, &credential)?;
        let Credential {
            id,
            user,
            large_blob_key,
            ..
        } = credential;
        Ok(Members {
            id,
            auth_data,
            signature,
            user: user.map(|user| shown_to_relying_party(user, evidence)),
            number_of_credentials: None,
            user_selected: false,
            large_blob_key: large_blob_key.filter(|_| wanted.large_blob_key),
            unsigned_outputs,
        })
    }

    /// The outputs in authenticator data: of the extensions that were asked for, and of no others.
    fn get_outputs(&mut self, wanted: &Wanted, credential: &Credential, evidence: &Evidence) -> Outputs {
        let mut outputs = Outputs::default();
        if wanted.cred_blob {
            let blob = credential.cred_blob.clone().unwrap_or_default();
            outputs.push("credBlob", Output::Bytes(blob));
        }
        if let Some((salts, random)) = wanted.hmac_secret.as_ref().zip(credential.cred_random.as_ref()) {
            let output = salts.output(&mut *self.rng, random, evidence.is_verified());
            outputs.push("hmac-secret", Output::Bytes(output));
        }
        if wanted.third_party_payment {
            let is_set = credential.traits.third_party_payment;
            outputs.push("thirdPartyPayment", Output::Bool(is_set));
        }
        outputs
    }

    /// Reads or writes the large blob of a stored credential. Only a client that names the credential may write.
    fn access_large_blob(
        &mut self,
        now: Instant,
        assertion: &Assertion,
        credential: &Credential,
    ) -> Result<Option<UnsignedOutputs>, StatusCode> {
        match &assertion.wanted.large_blob {
            None => Ok(None),
            Some(large_blob::Access::Read) => {
                // The array of another device may have room for more than an answer.
                let blob = credential.large_blob.clone();
                let blob = blob.filter(|blob| blob.data.len() <= large_blob::LEN_MAX);
                Ok(large_blob::read_output(blob))
            }
            Some(large_blob::Access::Write(blob)) => {
                let fits = blob.data.len() <= large_blob::LEN_MAX;
                let written =
                    assertion.has_allow_list && fits && self.write_large_blob(now, &credential.id, blob)?;
                Ok(Some(large_blob::write_output(written)))
            }
        }
    }
}

impl Authenticator {
    /// Writes the large blob of a stored credential durably; `false` when it is not stored.
    fn write_large_blob(
        &mut self,
        now: Instant,
        id: &CredentialId,
        blob: &LargeBlob,
    ) -> Result<bool, StatusCode> {
        let Some(mut passkey) = self.vault.load(id)? else {
            return Ok(false);
        };
        passkey.large_blob = Some(blob.clone());
        let entry = self.entry(now, Event::Updated(subject(&passkey)));
        Ok(self.vault.update(&mut *self.rng, &passkey, entry.as_ref())?)
    }
}

impl Checked {
    fn prompt(&self) -> Prompt {
        Prompt {
            rp_id: prompt_text::rp_id(&self.rp_id.0),
            ..Prompt::bare(Purpose::SignIn)
        }
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
    user_selected: bool,
    large_blob_key: Option<Secret<32>>,
    unsigned_outputs: Option<UnsignedOutputs>,
}

impl Members {
    pub(super) fn into_response(self) -> Response {
        let Self {
            id,
            auth_data,
            signature,
            user,
            number_of_credentials,
            user_selected,
            large_blob_key,
            unsigned_outputs,
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
        if *user_selected {
            members.insert(0x06_u64, Value::Bool(true));
        }
        if let Some(key) = large_blob_key {
            members.insert(0x07_u64, Value::Bytes(key.expose_secret()));
        }
        if let Some(outputs) = unsigned_outputs {
            members.insert(0x08_u64, Value::Map(outputs.members()));
        }
        Response::with(members)
    }
}

pub(super) fn descriptor(id: &CredentialId) -> Map<'_> {
    Map::new([
        ("id", Value::Bytes(id.as_bytes())),
        ("type", Value::Text(PUBLIC_KEY)),
    ])
}

pub(super) fn user_entity(user: &User) -> Map<'_> {
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

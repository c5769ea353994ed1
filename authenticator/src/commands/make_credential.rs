//! authenticatorMakeCredential, `CTAP 2.3 §6.1`. First look: [`Authenticator::make_credential`] checks the request and what
//! it proves of the user. Then, with built-in verification in between or without: [`Authenticator::make_credential_for`]
//! looks for excluded credentials and asks for presence. After the gesture: [`Authenticator::create_credential`] makes,
//! keeps and attests the credential.

use wardkey_transport::time::Instant;
use wardkey_vault::{CredProtect, Event, Record, RpIdHash, Secret, Site, Subject};

use super::Step;
use crate::attestation::Format;
use crate::auth_data::{Attested, AuthData};
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::config::Config;
use crate::cose::Algorithm;
use crate::dummy;
use crate::entity::{ClientDataHash, Descriptors, PUBLIC_KEY, RelyingParty, User};
use crate::extensions::hmac_secret::Salts;
use crate::extensions::{
    MakeInputs, Output, Outputs, UnsignedOutputs, cred_blob, large_blob_key, min_pin_length,
};
use crate::gesture::{Evidence, Gesture, Next, Prompt, Purpose, Refusal};
use crate::options::{Options, Residence, Verification};
use crate::parameters::{Parameters, array, map, text, unsigned};
use crate::pin::built_in::{BuiltIn, Then};
use crate::pin::permissions::Permission;
use crate::pin_uv_auth::PinUvAuth;
use crate::prompt_text;
use crate::response::Response;
use crate::status::StatusCode;
use crate::store::{self, Binding, Minted, NewCredential, Traits};

/// The parameters.
pub(crate) struct Request {
    client_data_hash: ClientDataHash,
    rp: RelyingParty,
    user: User,
    /// Those of `pubKeyCredParams` that this key knows, in the order sent.
    algorithms: Vec<Algorithm>,
    exclude_list: Descriptors,
    extensions: MakeInputs,
    options: Options,
    pin_uv_auth: PinUvAuth,
    enterprise_attestation: Option<u64>,
    format: Format,
}

/// A request that is sound as far as it can be told without the user.
pub(crate) struct Checked {
    client_data_hash: ClientDataHash,
    rp: RelyingParty,
    user: User,
    algorithm: Algorithm,
    exclude_list: Descriptors,
    extensions: MakeInputs,
    residence: Residence,
    format: Format,
}

/// A request that passed every check and waits for the user.
pub(crate) struct Accepted {
    request: Checked,
    salts: Option<Salts>,
    evidence: Evidence,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>, config: &Config) -> Result<Self, StatusCode> {
        Ok(Self {
            client_data_hash: parameters.required(0x01, ClientDataHash::read)?,
            rp: parameters.required(0x02, RelyingParty::read)?,
            user: parameters.required(0x03, User::read)?,
            algorithms: parameters.required(0x04, read_algorithms)?,
            exclude_list: parameters.optional(0x05, Descriptors::read)?.unwrap_or_default(),
            extensions: parameters
                .optional(0x06, |value| MakeInputs::read(value, config))?
                .unwrap_or_default(),
            options: parameters.optional(0x07, Options::read)?.unwrap_or_default(),
            pin_uv_auth: PinUvAuth::read(parameters, 0x08, 0x09)?,
            enterprise_attestation: parameters.optional(0x0A, unsigned)?,
            format: parameters
                .optional(0x0B, |value| Ok(Format::from_preference(value)))?
                .unwrap_or_default(),
        })
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

/// What can be told of a request without the vault.
impl Request {
    pub(crate) fn rp(&self) -> &RelyingParty {
        &self.rp
    }

    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    pub(crate) fn pin_uv_auth(&self) -> &PinUvAuth {
        &self.pin_uv_auth
    }
}

impl Authenticator {
    /// The first look, `CTAP 2.3 §6.1.2`.
    pub(crate) fn make_credential(&mut self, now: Instant, request: Request) -> Result<Step, StatusCode> {
        let Request {
            client_data_hash,
            rp,
            user,
            algorithms,
            exclude_list,
            extensions,
            options,
            pin_uv_auth,
            enterprise_attestation,
            format,
        } = request;
        if pin_uv_auth.is_empty() {
            return Ok(Step::ask(Prompt::bare(Purpose::Identify), Next::AnswerBlink)); // step 1
        }
        let proof = pin_uv_auth.proof()?; // step 2
        let algorithm = self.choose_algorithm(&algorithms)?; // step 3
        let verification = options.verification(proof.is_some(), self.built_in())?; // step 5
        let residence = options.for_make_credential()?;
        let verification = self.required_to_register(verification, residence)?; // steps 6 to 8
        let format = self.choose_format(format, enterprise_attestation, &rp.id)?; // step 9
        let checked = Checked {
            client_data_hash,
            rp,
            user,
            algorithm,
            exclude_list: exclude_list.within_limit()?,
            extensions,
            residence,
            format,
        };
        match (verification, proof) {
            (Verification::BuiltIn(modality), _) => {
                let prompt = checked.prompt(Purpose::Register);
                self.verify(modality, prompt, Then::MakeCredential(checked)) // step 11.2
            }
            (Verification::ByToken, Some(proof)) if self.is_protected() => {
                let message = &[&checked.client_data_hash.0[..]];
                let permission = Permission::MakeCredential;
                let token = self.token.authorize(now, &proof, message, permission)?; // step 11.1
                let evidence = Evidence {
                    present: None,
                    verified: Some(token.bind(&checked.rp.id.hash())?),
                };
                self.make_credential_for(now, checked, evidence)
            }
            (Verification::ByToken | Verification::NotWanted, _) => {
                self.make_credential_for(now, checked, Evidence::none()) // step 10
            }
        }
    }

    /// The relying party's favourite among those that new credentials may have, `CTAP 2.3 §6.1.2 step 3`.
    fn choose_algorithm(&self, wanted: &[Algorithm]) -> Result<Algorithm, StatusCode> {
        let offered = self.config.algorithms;
        wanted
            .iter()
            .copied()
            .find(|algorithm| offered.contain(*algorithm))
            .ok_or(StatusCode::UNSUPPORTED_ALGORITHM)
    }

    /// How the user is verified before a credential is made: as wanted, or as the key's settings demand.
    /// `CTAP 2.3 §6.1.2 steps 6 to 8`.
    fn required_to_register(
        &self,
        wanted: Verification,
        residence: Residence,
    ) -> Result<Verification, StatusCode> {
        if self.state.always_uv {
            return self.required_always(wanted);
        }
        // makeCredUvNotRqd: only what is stored needs the owner's consent.
        let needs_verification = self.is_protected() && residence == Residence::Stored;
        if wanted != Verification::NotWanted || !needs_verification {
            Ok(wanted)
        } else if self.state.pin.is_some() {
            Err(StatusCode::PUAT_REQUIRED)
        } else {
            Err(StatusCode::OPERATION_DENIED)
        }
    }

    /// The same under `alwaysUv`, for makeCredential and getAssertion. `CTAP 2.3 §6.1.2 step 6`, `§6.2.2 step 5`.
    pub(super) fn required_always(&self, wanted: Verification) -> Result<Verification, StatusCode> {
        if !self.is_protected() {
            return Err(StatusCode::PUAT_REQUIRED);
        }
        match (wanted, self.built_in()) {
            (Verification::NotWanted, BuiltIn::Ready(modality)) => Ok(Verification::BuiltIn(modality)),
            (Verification::NotWanted, BuiltIn::Absent | BuiltIn::NotSetUp) => Err(StatusCode::PUAT_REQUIRED),
            (Verification::ByToken | Verification::BuiltIn(_), _) => Ok(wanted),
        }
    }

    /// The second look, when it is known whether the user is verified. `CTAP 2.3 §6.1.2 steps 12 to 15`.
    pub(crate) fn make_credential_for(
        &mut self,
        now: Instant,
        request: Checked,
        mut evidence: Evidence,
    ) -> Result<Step, StatusCode> {
        if self.has_any(&request.rp.id.hash(), &request.exclude_list, &evidence)? {
            if evidence.is_present() || (evidence.is_verified() && self.token.is_present(now)) {
                return Err(StatusCode::CREDENTIAL_EXCLUDED);
            }
            let prompt = request.prompt(Purpose::AlreadyRegistered);
            return Ok(Step::ask(prompt, Next::RefuseExcluded)); // step 12
        }
        let salts = self.check_make_inputs(&request)?; // step 15
        if evidence.is_verified() && !evidence.is_present() {
            evidence.present = self.token.take_presence(now);
        }
        let prompt = request.prompt(Purpose::Register);
        let accepted = Accepted {
            request: request.unless_dummy(),
            salts,
            evidence,
        };
        if accepted.evidence.is_present() {
            return self.create(now, accepted).map(Step::Answer); // step 13
        }
        Ok(Step::ask(prompt, Next::MakeCredential(Box::new(accepted)))) // step 14
    }

    /// What is wrong with the inputs of extensions; if nothing is, the salts among them.
    fn check_make_inputs(&mut self, request: &Checked) -> Result<Option<Salts>, StatusCode> {
        let inputs = &request.extensions;
        large_blob_key::is_wanted_for(inputs.large_blob_key, request.residence)?;
        if let Some(support) = inputs.large_blob {
            support.output(request.residence)?;
        }
        match &inputs.hmac_secret_mc {
            None => Ok(None),
            Some(_) if !inputs.hmac_secret => Err(StatusCode::MISSING_PARAMETER),
            Some(input) => self.open_salts(input).map(Some),
        }
    }

    /// After the gesture for an excluded credential: excluded, whatever the user did, `CTAP 2.3 §6.1.2 step 12`.
    pub(crate) fn refuse_excluded(gesture: &Gesture) -> StatusCode {
        match gesture {
            Gesture::Cancelled => StatusCode::KEEPALIVE_CANCEL,
            Gesture::Approved
            | Gesture::ApprovedAccount(_)
            | Gesture::Verified
            | Gesture::NotVerified
            | Gesture::Pin(_)
            | Gesture::Declined
            | Gesture::TimedOut => StatusCode::CREDENTIAL_EXCLUDED,
        }
    }

    /// After the gesture, `CTAP 2.3 §6.1.2 step 14`.
    pub(crate) fn create_credential(
        &mut self,
        now: Instant,
        mut accepted: Accepted,
        gesture: Gesture,
    ) -> Result<Response, StatusCode> {
        accepted.evidence.present = Some(gesture.evidence().map_err(Refusal::of_operation)?);
        self.create(now, accepted)
    }

    /// `CTAP 2.3 §6.1.2 steps 14 to 19`.
    fn create(&mut self, now: Instant, accepted: Accepted) -> Result<Response, StatusCode> {
        let Accepted {
            request,
            salts,
            evidence,
        } = accepted;
        self.token.spend(); // step 14
        let rp_id_hash = request.rp.id.hash();
        let new = self.mint(&rp_id_hash, &request)?; // steps 16 and 18
        let credential = self.credential_of(now, &request, &new);
        let outputs = self.make_outputs(&request, salts.as_ref(), &evidence, &new); // step 15
        let signature_count = self.count_signature(now, new.profile, None)?;
        let auth_data = AuthData {
            rp_id_hash: &rp_id_hash,
            evidence: &evidence,
            profile: new.profile,
            // Nobody else has it yet.
            is_backed_up: false,
            signature_count,
            outputs: &outputs,
        };
        let auth_data = self.attested_data(&auth_data, &new);
        let message = [&auth_data[..], &request.client_data_hash.0].concat();
        let statement = self.attest(request.format, &new.signing_key, &message)?; // step 19
        let large_blob_key = credential
            .large_blob_key
            .as_ref()
            .map(|key| key.expose_secret().to_vec());
        let unsigned = unsigned_outputs(&request)?;
        let registered = Event::Registered {
            credential: request.subject(&new),
            profile: new.profile,
            stored: request.residence == Residence::Stored,
            consent: evidence.consent(),
        };
        // Order: storing comes last, so that a failure before it leaves no credential that nobody knows.
        if request.residence == Residence::Stored {
            let entry = self.entry(now, registered);
            self.keep(credential, new, entry.as_ref())?; // step 17
        } else if !request.is_dummy() {
            self.note(now, registered)?;
        }
        let mut members = Map::new([
            (0x01_u64, Value::Text(statement.format())),
            (0x02, Value::Bytes(&auth_data)),
            (0x03, Value::Map(statement.members())),
        ]);
        if request.format == Format::Enterprise {
            members.insert(0x04_u64, Value::Bool(true)); // epAtt
        }
        if let Some(key) = &large_blob_key {
            members.insert(0x05_u64, Value::Bytes(key));
        }
        if let Some(unsigned) = &unsigned {
            members.insert(0x06_u64, Value::Map(unsigned.members()));
        }
        Ok(Response::with(members))
    }

    /// A new key and the id it will be known by; one that is not stored is sealed into its id.
    fn mint(&mut self, rp_id_hash: &RpIdHash, request: &Checked) -> Result<Minted, StatusCode> {
        let profile = self.config.kind.profile();
        match request.residence {
            Residence::Stored => Ok(store::mint_stored(&mut *self.rng, profile, request.algorithm)),
            Residence::Wrapped => {
                let binding = Binding { rp_id_hash, profile };
                let traits = request.traits();
                let algorithm = request.algorithm;
                Ok(store::mint_wrapped(
                    &mut self.vault,
                    &mut *self.rng,
                    &binding,
                    algorithm,
                    traits,
                )?)
            }
        }
    }

    /// What is kept of a credential that is stored.
    fn credential_of(&mut self, now: Instant, request: &Checked, new: &Minted) -> NewCredential {
        let inputs = &request.extensions;
        NewCredential {
            id: new.id.clone(),
            rp: request.rp.clone(),
            user: request.user.clone(),
            profile: new.profile,
            created_unix_ms: self.config.unix_ms(now),
            traits: request.traits(),
            cred_blob: cred_blob::kept(inputs.cred_blob.clone(), request.residence),
            large_blob_key: inputs.large_blob_key.map(|_| Secret::random(&mut *self.rng)),
        }
    }

    fn keep(
        &mut self,
        credential: NewCredential,
        new: Minted,
        entry: Option<&Record>,
    ) -> Result<(), StatusCode> {
        let replaces = self
            .vault
            .has_account(&credential.rp.id.hash(), &credential.user.id);
        if self.remaining_credentials() == 0 && !replaces {
            return Err(StatusCode::KEY_STORE_FULL);
        }
        let passkey = store::passkey(credential, new);
        Ok(self.vault.store(&mut *self.rng, passkey, entry)?)
    }

    /// The outputs in authenticator data: of the extensions that were asked for, and of no others.
    fn make_outputs(
        &mut self,
        request: &Checked,
        salts: Option<&Salts>,
        evidence: &Evidence,
        new: &Minted,
    ) -> Outputs {
        let inputs = &request.extensions;
        let mut outputs = Outputs::default();
        if let Some(level) = inputs.cred_protect {
            outputs.push("credProtect", Output::Unsigned(u64::from(level.code())));
        }
        if let Some(blob) = &inputs.cred_blob {
            let kept = cred_blob::kept(Some(blob.clone()), request.residence);
            outputs.push("credBlob", Output::Bool(kept.is_some()));
        }
        if inputs.hmac_secret {
            outputs.push("hmac-secret", Output::Bool(true));
        }
        if let Some(salts) = salts {
            let output = salts.output(&mut *self.rng, &new.cred_random, evidence.is_verified());
            outputs.push("hmac-secret-mc", Output::Bytes(output));
        }
        min_pin_length::put_out(inputs, &request.rp.id, &self.state, &mut outputs);
        outputs
    }

    fn attested_data(&self, auth_data: &AuthData<'_>, new: &Minted) -> Vec<u8> {
        auth_data.encode_attested(&Attested {
            aaguid: self.config.kind.aaguid(),
            credential_id: &new.id,
            public_key: &new.signing_key.public_key(),
        })
    }

    /// Whether one of these credentials is ours, of this relying party, and may be known to whoever asks.
    fn has_any(&self, rp: &RpIdHash, list: &Descriptors, evidence: &Evidence) -> Result<bool, StatusCode> {
        for id in list.ids() {
            let found = store::find(&self.vault, rp, id)?;
            if found.is_some_and(|found| {
                evidence.is_verified() || found.traits.cred_protect != CredProtect::Required
            }) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Checked {
    fn traits(&self) -> Traits {
        Traits {
            cred_protect: self.extensions.cred_protect.unwrap_or_default(),
            third_party_payment: self.extensions.third_party_payment,
        }
    }

    /// The credential that is made for this, as the log names it.
    fn subject(&self, new: &Minted) -> Subject {
        let site = Site::named(&self.rp.id.0);
        Subject::new(site, new.id.clone(), self.user.name.as_deref())
    }

    fn is_dummy(&self) -> bool {
        dummy::is_dummy_registration(&self.rp, &self.user, &self.client_data_hash)
    }

    /// Deviation: a dummy request is answered, but never stored, because nobody will ever use it.
    fn unless_dummy(mut self) -> Self {
        if self.is_dummy() {
            self.residence = Residence::Wrapped;
        }
        self
    }

    fn prompt(&self, purpose: Purpose) -> Prompt {
        if self.is_dummy() {
            return Prompt::bare(Purpose::Identify);
        }
        let Self { rp, user, .. } = self;
        Prompt {
            rp_id: prompt_text::rp_id(&rp.id.0),
            rp_name: rp.name.as_deref().and_then(prompt_text::name),
            user_name: user.name.as_deref().and_then(prompt_text::name),
            user_display_name: user.display_name.as_deref().and_then(prompt_text::name),
            ..Prompt::bare(purpose)
        }
    }
}

fn unsigned_outputs(request: &Checked) -> Result<Option<UnsignedOutputs>, StatusCode> {
    request
        .extensions
        .large_blob
        .map(|support| support.output(request.residence))
        .transpose()
}

#[cfg(test)]
mod tests;

//! The CTAP2 commands: requests as structures, answers read from CBOR.

use ciborium::Value;

use super::cbor::{self, Members};
use super::pin::PinUvAuthToken;
use super::{Error, canonical, from_bytes, to_bytes};
use crate::auth_data::{self, AuthData};

pub(super) const MAKE_CREDENTIAL: u8 = 0x01;
pub(super) const GET_ASSERTION: u8 = 0x02;
pub(super) const GET_INFO: u8 = 0x04;
pub(super) const RESET: u8 = 0x07;
pub(super) const GET_NEXT_ASSERTION: u8 = 0x08;
pub(super) const SELECTION: u8 = 0x0B;

/// A relying party.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelyingParty {
    /// Its id, a domain for browsers.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The user handle.
    pub id: Vec<u8>,
    /// The account's name.
    pub name: Option<String>,
    /// The person's name.
    pub display_name: Option<String>,
}

/// The parameters of authenticatorMakeCredential. `None` is not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MakeCredential {
    /// SHA-256 of the client data.
    pub client_data_hash: [u8; 32],
    /// For whom.
    pub rp: RelyingParty,
    /// For which account.
    pub user: User,
    /// COSE algorithms, the preferred one first.
    pub algorithms: Vec<i32>,
    /// Credentials that must not exist yet.
    pub exclude_list: Vec<Vec<u8>>,
    /// Option `rk`: the key stores the credential.
    pub rk: Option<bool>,
    /// Option `up`.
    pub up: Option<bool>,
    /// Option `uv`.
    pub uv: Option<bool>,
    /// Further parameters, for example extensions, with their keys.
    pub more: Vec<(u8, Value)>,
}

impl MakeCredential {
    /// The same, authorised: pinUvAuthParam and pinUvAuthProtocol.
    #[must_use]
    pub fn authorized_by(mut self, token: &PinUvAuthToken) -> Self {
        self.more.extend(authorization(8, token, &self.client_data_hash));
        self
    }

    /// The same, with these inputs for extensions.
    #[must_use]
    pub fn with_extensions(mut self, inputs: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        self.more.push((6, extensions(inputs)));
        self
    }

    /// The parameters as CBOR.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut members = vec![
            (1, Value::from(self.client_data_hash.as_slice())),
            (2, rp_entity(&self.rp)),
            (3, user_entity(&self.user)),
            (
                4,
                Value::Array(
                    self.algorithms
                        .iter()
                        .map(|algorithm| key_type(*algorithm))
                        .collect(),
                ),
            ),
        ];
        members.extend(descriptors(5, &self.exclude_list));
        members.extend(options(7, [("rk", self.rk), ("up", self.up), ("uv", self.uv)]));
        members.extend(self.more.clone());
        parameters(members)
    }
}

/// The parameters of authenticatorGetAssertion. `None` and an empty list are not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GetAssertion {
    /// For whom.
    pub rp_id: String,
    /// SHA-256 of the client data.
    pub client_data_hash: [u8; 32],
    /// Only with one of these credentials.
    pub allow_list: Vec<Vec<u8>>,
    /// Option `up`.
    pub up: Option<bool>,
    /// Option `uv`.
    pub uv: Option<bool>,
    /// Further parameters, with their keys.
    pub more: Vec<(u8, Value)>,
}

impl GetAssertion {
    /// The same, authorised: pinUvAuthParam and pinUvAuthProtocol.
    #[must_use]
    pub fn authorized_by(mut self, token: &PinUvAuthToken) -> Self {
        self.more.extend(authorization(6, token, &self.client_data_hash));
        self
    }

    /// The same, with these inputs for extensions.
    #[must_use]
    pub fn with_extensions(mut self, inputs: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        self.more.push((4, extensions(inputs)));
        self
    }

    /// The parameters as CBOR.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut members = vec![
            (1, Value::from(self.rp_id.as_str())),
            (2, Value::from(self.client_data_hash.as_slice())),
        ];
        members.extend(descriptors(3, &self.allow_list));
        members.extend(options(5, [("up", self.up), ("uv", self.uv)]));
        members.extend(self.more.clone());
        parameters(members)
    }
}

fn authorization(key: u8, token: &PinUvAuthToken, client_data_hash: &[u8; 32]) -> [(u8, Value); 2] {
    [
        (key, Value::from(token.authenticate(client_data_hash))),
        (key + 1, Value::from(token.protocol().number())),
    ]
}

fn extensions(inputs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    text_map(inputs.into_iter().map(|(name, input)| (name, Some(input))))
}

pub(super) fn parameters(members: Vec<(u8, Value)>) -> Vec<u8> {
    let members = members
        .into_iter()
        .map(|(key, value)| (Value::from(key), value))
        .collect();
    to_bytes(&canonical(Value::Map(members)))
}

fn text_map(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let members = members
        .into_iter()
        .filter_map(|(key, value)| Some((Value::from(key), value?)));
    Value::Map(members.collect())
}

fn rp_entity(rp: &RelyingParty) -> Value {
    text_map([
        ("id", Some(Value::from(rp.id.as_str()))),
        ("name", rp.name.as_deref().map(Value::from)),
    ])
}

pub(super) fn user_entity(user: &User) -> Value {
    text_map([
        ("id", Some(Value::from(user.id.as_slice()))),
        ("name", user.name.as_deref().map(Value::from)),
        ("displayName", user.display_name.as_deref().map(Value::from)),
    ])
}

fn key_type(algorithm: i32) -> Value {
    text_map([
        ("alg", Some(Value::from(algorithm))),
        ("type", Some(Value::from("public-key"))),
    ])
}

pub(super) fn descriptor(id: &[u8]) -> Value {
    text_map([
        ("id", Some(Value::from(id))),
        ("type", Some(Value::from("public-key"))),
    ])
}

fn descriptors(key: u8, ids: &[Vec<u8>]) -> Option<(u8, Value)> {
    (!ids.is_empty()).then(|| {
        let ids = ids.iter().map(|id| descriptor(id));
        (key, Value::Array(ids.collect()))
    })
}

fn options<const N: usize>(key: u8, options: [(&'static str, Option<bool>); N]) -> Option<(u8, Value)> {
    let any = options.iter().any(|(_, option)| option.is_some());
    any.then(|| {
        (
            key,
            text_map(options.map(|(name, option)| (name, option.map(Value::from)))),
        )
    })
}

/// The answer to authenticatorMakeCredential.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    /// The format of the attestation statement.
    pub format: String,
    /// The authenticator data.
    pub auth_data: AuthData,
    /// The attestation statement.
    pub statement: Value,
    /// Every other member of the answer.
    pub more: Vec<(Value, Value)>,
}

impl Attestation {
    /// The attestation object of WebAuthn, WebAuthn L3 §6.5.4.
    pub fn object(&self) -> Vec<u8> {
        let members = [
            ("fmt", Value::from(self.format.as_str())),
            ("attStmt", self.statement.clone()),
            ("authData", Value::from(self.auth_data.raw.as_slice())),
        ];
        to_bytes(&text_map(members.map(|(key, value)| (key, Some(value)))))
    }
}

/// Reads the answer to authenticatorMakeCredential.
pub fn read_attestation(answer: &[u8]) -> Result<Attestation, Error> {
    let mut members = Members::read(answer)?;
    Ok(Attestation {
        format: members.required(1, "fmt", cbor::text)?,
        auth_data: auth_data::parse(members.required(2, "authData", cbor::bytes)?)?,
        statement: members.required(3, "attStmt", Some)?,
        more: members.into_rest(),
    })
}

/// One answer to authenticatorGetAssertion or authenticatorGetNextAssertion.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// The credential that signed; a key may leave it out for an allow list of one.
    pub credential_id: Option<Vec<u8>>,
    /// The authenticator data.
    pub auth_data: AuthData,
    /// The signature over authenticator data and client data hash.
    pub signature: Vec<u8>,
    /// The account.
    pub user: Option<User>,
    /// How many credentials there are, when more than one.
    pub number_of_credentials: Option<u32>,
    /// Every other member of the answer.
    pub more: Vec<(Value, Value)>,
}

/// Reads the answer to authenticatorGetAssertion or authenticatorGetNextAssertion.
pub fn read_assertion(answer: &[u8]) -> Result<Assertion, Error> {
    let mut members = Members::read(answer)?;
    Ok(Assertion {
        credential_id: members.optional(1, "credential", read_descriptor)?,
        auth_data: auth_data::parse(members.required(2, "authData", cbor::bytes)?)?,
        signature: members.required(3, "signature", cbor::bytes)?,
        user: members.optional(4, "user", read_user)?,
        number_of_credentials: members.optional(5, "numberOfCredentials", cbor::integer)?,
        more: members.into_rest(),
    })
}

pub(super) fn read_descriptor(value: Value) -> Option<Vec<u8>> {
    Members::new(value)?.take_text("id").and_then(cbor::bytes)
}

pub(super) fn read_rp(value: Value) -> Option<RelyingParty> {
    let mut members = Members::new(value)?;
    Some(RelyingParty {
        id: members.take_text("id").and_then(cbor::text)?,
        name: members.take_text("name").and_then(cbor::text),
    })
}

pub(super) fn read_user(value: Value) -> Option<User> {
    let mut members = Members::new(value)?;
    Some(User {
        id: members.take_text("id").and_then(cbor::bytes)?,
        name: members.take_text("name").and_then(cbor::text),
        display_name: members.take_text("displayName").and_then(cbor::text),
    })
}

/// The answer to authenticatorGetInfo.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The versions that the key speaks.
    pub versions: Vec<String>,
    /// The extensions.
    pub extensions: Vec<String>,
    /// The model of the key.
    pub aaguid: Vec<u8>,
    /// The options, in the order of the answer.
    pub options: Vec<(String, bool)>,
    /// The longest message; 1024 when the key does not say.
    pub message_len_max: u32,
    /// How many credentials may be in a list.
    pub credentials_in_list_max: Option<u32>,
    /// The longest credential id.
    pub credential_id_len_max: Option<u32>,
    /// The transports.
    pub transports: Vec<String>,
    /// COSE algorithms, the preferred one first.
    pub algorithms: Vec<i32>,
    /// The whole answer.
    pub raw: Value,
}

impl Info {
    /// A member of the answer by its key.
    pub fn member(&self, key: u8) -> Option<&Value> {
        let members = self.raw.as_map()?;
        let found = members
            .iter()
            .find(|(candidate, _)| *candidate == Value::from(key));
        found.map(|(_, value)| value)
    }

    /// The value of an option, `None` when the key does not have it.
    pub fn option(&self, name: &str) -> Option<bool> {
        self.options
            .iter()
            .find_map(|(option, value)| (option == name).then_some(*value))
    }
}

pub(super) fn read_info(answer: &[u8]) -> Result<Info, Error> {
    let raw = from_bytes(answer)?;
    let mut members = Members::new(raw.clone()).ok_or(Error::NotCbor)?;
    let texts = |value| cbor::list(value, cbor::text);
    Ok(Info {
        versions: members.required(1, "versions", texts)?,
        extensions: members.optional(2, "extensions", texts)?.unwrap_or_default(),
        aaguid: members.required(3, "aaguid", cbor::bytes)?,
        options: members.optional(4, "options", read_options)?.unwrap_or_default(),
        message_len_max: members.optional(5, "maxMsgSize", cbor::integer)?.unwrap_or(1024),
        credentials_in_list_max: members.optional(7, "maxCredentialCountInList", cbor::integer)?,
        credential_id_len_max: members.optional(8, "maxCredentialIdLength", cbor::integer)?,
        transports: members.optional(9, "transports", texts)?.unwrap_or_default(),
        algorithms: members
            .optional(10, "algorithms", read_algorithms)?
            .unwrap_or_default(),
        raw,
    })
}

fn read_options(value: Value) -> Option<Vec<(String, bool)>> {
    let members = value.into_map().ok()?.into_iter();
    members
        .map(|(key, value)| Some((cbor::text(key)?, cbor::boolean(value)?)))
        .collect()
}

fn read_algorithms(value: Value) -> Option<Vec<i32>> {
    cbor::list(value, |item| {
        Members::new(item)?.take_text("alg").and_then(cbor::integer)
    })
}

//! authenticatorCredentialManagement, CTAP 2.3 §6.8: what is stored, and for whom.

use ciborium::Value;

use super::cbor::{self, Members};
use super::command::{descriptor, parameters, read_descriptor, read_rp, read_user, user_entity};
use super::pin::PinUvAuthToken;
use super::{Error, FidoClient, MessagePipe, RelyingParty, User, canonical, to_bytes};

const CREDENTIAL_MANAGEMENT: u8 = 0x0A;

/// A request to authenticatorCredentialManagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialManagement {
    /// How many credentials there are.
    GetCredsMetadata,
    /// The first relying party.
    EnumerateRpsBegin,
    /// The next one.
    EnumerateRpsGetNextRp,
    /// The first credential of the relying party whose id has this SHA-256.
    EnumerateCredentialsBegin([u8; 32]),
    /// The next one.
    EnumerateCredentialsGetNextCredential,
    /// Removes a credential.
    DeleteCredential(Vec<u8>),
    /// Changes the account's names.
    UpdateUserInformation(Vec<u8>, User),
}

impl CredentialManagement {
    const fn subcommand(&self) -> u8 {
        match self {
            Self::GetCredsMetadata => 0x01,
            Self::EnumerateRpsBegin => 0x02,
            Self::EnumerateRpsGetNextRp => 0x03,
            Self::EnumerateCredentialsBegin(_) => 0x04,
            Self::EnumerateCredentialsGetNextCredential => 0x05,
            Self::DeleteCredential(_) => 0x06,
            Self::UpdateUserInformation(..) => 0x07,
        }
    }

    fn subcommand_parameters(&self) -> Option<Value> {
        let members = match self {
            Self::GetCredsMetadata
            | Self::EnumerateRpsBegin
            | Self::EnumerateRpsGetNextRp
            | Self::EnumerateCredentialsGetNextCredential => return None,
            Self::EnumerateCredentialsBegin(rp_id_hash) => vec![(0x01, Value::from(rp_id_hash.as_slice()))],
            Self::DeleteCredential(id) => vec![(0x02, descriptor(id))],
            Self::UpdateUserInformation(id, user) => {
                vec![(0x02, descriptor(id)), (0x03, user_entity(user))]
            }
        };
        let members = members.into_iter().map(|(key, value)| (Value::from(key), value));
        Some(canonical(Value::Map(members.collect())))
    }

    /// The parameters as CBOR, authenticated when there is a token.
    pub fn to_bytes(&self, token: Option<&PinUvAuthToken>) -> Vec<u8> {
        let subcommand = self.subcommand();
        let subcommand_parameters = self.subcommand_parameters();
        let mut members = vec![(0x01, Value::from(subcommand))];
        let mut message = vec![subcommand];
        if let Some(subcommand_parameters) = subcommand_parameters {
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

/// How many discoverable credentials there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredsMetadata {
    /// Stored.
    pub existing: u32,
    /// Room for at most so many more.
    pub max_possible_remaining: u32,
}

/// A relying party in an enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumeratedRp {
    /// The relying party.
    pub rp: RelyingParty,
    /// SHA-256 of its id.
    pub rp_id_hash: Vec<u8>,
    /// How many there are, in the first answer.
    pub total: Option<u32>,
    /// Every other member of the answer.
    pub more: Vec<(Value, Value)>,
}

/// A credential in an enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumeratedCredential {
    /// The account.
    pub user: User,
    /// The id.
    pub credential_id: Vec<u8>,
    /// The public key, a COSE key.
    pub public_key: Value,
    /// How many there are, in the first answer.
    pub total: Option<u32>,
    /// The level of credProtect.
    pub cred_protect: Option<u32>,
    /// The key to its large blob.
    pub large_blob_key: Option<Vec<u8>>,
    /// Whether it may be used for payments by third parties.
    pub third_party_payment: Option<bool>,
    /// Every other member of the answer.
    pub more: Vec<(Value, Value)>,
}

fn read_enumerated_rp(answer: &[u8]) -> Result<EnumeratedRp, Error> {
    let mut members = Members::read(answer)?;
    Ok(EnumeratedRp {
        rp: members.required(0x03, "rp", read_rp)?,
        rp_id_hash: members.required(0x04, "rpIDHash", cbor::bytes)?,
        total: members.optional(0x05, "totalRPs", cbor::integer)?,
        more: members.into_rest(),
    })
}

fn read_enumerated_credential(answer: &[u8]) -> Result<EnumeratedCredential, Error> {
    let mut members = Members::read(answer)?;
    Ok(EnumeratedCredential {
        user: members.required(0x06, "user", read_user)?,
        credential_id: members.required(0x07, "credentialID", read_descriptor)?,
        public_key: members.required(0x08, "publicKey", Some)?,
        total: members.optional(0x09, "totalCredentials", cbor::integer)?,
        cred_protect: members.optional(0x0A, "credProtect", cbor::integer)?,
        large_blob_key: members.optional(0x0B, "largeBlobKey", cbor::bytes)?,
        third_party_payment: members.optional(0x0C, "thirdPartyPayment", cbor::boolean)?,
        more: members.into_rest(),
    })
}

impl<M: MessagePipe> FidoClient<M> {
    fn manage(
        &mut self,
        request: &CredentialManagement,
        token: Option<&PinUvAuthToken>,
    ) -> Result<Vec<u8>, Error> {
        self.call(CREDENTIAL_MANAGEMENT, &request.to_bytes(token))
    }

    /// How many credentials there are.
    pub fn creds_metadata(&mut self, token: &PinUvAuthToken) -> Result<CredsMetadata, Error> {
        let answer = self.manage(&CredentialManagement::GetCredsMetadata, Some(token))?;
        let mut members = Members::read(&answer)?;
        Ok(CredsMetadata {
            existing: members.required(0x01, "existingResidentCredentialsCount", cbor::integer)?,
            max_possible_remaining: members.required(
                0x02,
                "maxPossibleRemainingResidentCredentialsCount",
                cbor::integer,
            )?,
        })
    }

    /// The first relying party with credentials.
    pub fn enumerate_rps_begin(&mut self, token: &PinUvAuthToken) -> Result<EnumeratedRp, Error> {
        let answer = self.manage(&CredentialManagement::EnumerateRpsBegin, Some(token))?;
        read_enumerated_rp(&answer)
    }

    /// The next relying party.
    pub fn enumerate_rps_next(&mut self) -> Result<EnumeratedRp, Error> {
        read_enumerated_rp(&self.manage(&CredentialManagement::EnumerateRpsGetNextRp, None)?)
    }

    /// The first credential of a relying party.
    pub fn enumerate_credentials_begin(
        &mut self,
        token: &PinUvAuthToken,
        rp_id_hash: [u8; 32],
    ) -> Result<EnumeratedCredential, Error> {
        let request = CredentialManagement::EnumerateCredentialsBegin(rp_id_hash);
        read_enumerated_credential(&self.manage(&request, Some(token))?)
    }

    /// The next credential of the same relying party.
    pub fn enumerate_credentials_next(&mut self) -> Result<EnumeratedCredential, Error> {
        let request = CredentialManagement::EnumerateCredentialsGetNextCredential;
        read_enumerated_credential(&self.manage(&request, None)?)
    }

    /// Removes a credential.
    pub fn delete_credential(&mut self, token: &PinUvAuthToken, id: &[u8]) -> Result<(), Error> {
        self.manage(&CredentialManagement::DeleteCredential(id.to_vec()), Some(token))
            .map(drop)
    }

    /// Changes the names of a credential's account.
    pub fn update_user_information(
        &mut self,
        token: &PinUvAuthToken,
        id: &[u8],
        user: &User,
    ) -> Result<(), Error> {
        let request = CredentialManagement::UpdateUserInformation(id.to_vec(), user.clone());
        self.manage(&request, Some(token)).map(drop)
    }
}

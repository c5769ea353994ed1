//! One conversation with the TPM: it makes the storage key, a session with it, and does one thing with what is loaded.
//! Nothing stays in the TPM afterwards, so there is nothing to clean up after a crash or a suspend.
//!
//! The session is an HMAC session (TPM 2.0 part 1, "Session-based authorizations") whose salt is encrypted to the
//! storage key, and encrypts the first parameter of commands and answers. So neither authorization values nor secrets
//! cross the bus between processor and TPM in clear. The storage key has to be the one that is kept on the disk: somebody
//! on the bus who answers with a key of his own learns nothing.

use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;
use tss_esapi::constants::{SessionType, tss::TPM2_ST_HASHCHECK};
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Auth, CreateKeyResult, Digest, HashScheme, HashcheckTicket, Public, SensitiveData,
    Signature as TpmSignature, SignatureScheme, SymmetricDefinition,
};
use tss_esapi::tss2_esys::{TPM2B_DIGEST, TPMT_TK_HASHCHECK};
use tss_esapi::{Context, Error};
use wardkey_vault::{KeyAuth, PublicPoint, Secret, Signature, SignedHash};

use super::chip::Chip;
use super::error::{TpmError, kind};
use super::kept::Private;
use super::objects;

/// A TPM that is ready to use objects under the storage key.
pub(super) struct Conversation {
    context: Context,
    storage_key: KeyHandle,
    storage: PublicPoint,
    session: AuthSession,
}

/// Whether the answer to a command has something to encrypt.
#[derive(Clone, Copy)]
enum Answer {
    Secret,
    InClear,
}

impl Conversation {
    /// Begins. `expected` is the storage key under which the keys are; without it, any will do.
    pub(super) fn begin(chip: &Chip, expected: Option<&PublicPoint>) -> Result<Self, TpmError> {
        let mut context = chip.connect()?;
        let made = context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.create_primary(Hierarchy::Owner, objects::storage()?, None, None, None, None)
            })
            .map_err(not_owner)?;
        let storage = objects::point(&made.out_public)?;
        if expected.is_some_and(|expected| *expected != storage) {
            return Err(TpmError::OtherTpm);
        }
        let session = context
            .start_auth_session(
                Some(made.key_handle),
                None,
                None,
                SessionType::Hmac,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )?
            .ok_or(TpmError::Nonsense)?;
        Ok(Self {
            context,
            storage_key: made.key_handle,
            storage,
            session,
        })
    }

    /// The storage key.
    pub(super) fn storage(&self) -> &PublicPoint {
        &self.storage
    }

    /// Makes an object; `data` is what it seals, if it is not a key.
    pub(super) fn create(
        &mut self,
        public: Public,
        auth: &KeyAuth,
        data: Option<&Secret<32>>,
    ) -> Result<CreateKeyResult, TpmError> {
        let storage_key = self.storage_key;
        let data = data.map(|data| SensitiveData::try_from(data.expose_secret().as_slice()));
        let (auth, data) = (auth_value(auth)?, data.transpose()?);
        self.say(Answer::Secret, |context| {
            context.create(storage_key, public, Some(auth), data, None, None)
        })
    }

    /// Loads an object that is used with `auth`.
    pub(super) fn load(
        &mut self,
        public: Public,
        private: &Private,
        auth: &KeyAuth,
    ) -> Result<KeyHandle, TpmError> {
        let (storage_key, private) = (self.storage_key, private.for_tpm()?);
        let key = self.say(Answer::Secret, |context| {
            context.load(storage_key, private, public)
        })?;
        self.context
            .tr_set_auth(ObjectHandle::from(key), auth_value(auth)?)?;
        Ok(key)
    }

    /// Signs.
    pub(super) fn sign(&mut self, key: KeyHandle, hash: &SignedHash) -> Result<Signature, TpmError> {
        let digest = Digest::try_from(hash.as_bytes().as_slice())?;
        let scheme = SignatureScheme::EcDsa {
            hash_scheme: HashScheme::new(HashingAlgorithm::Sha256),
        };
        // The key is not restricted: it signs what the TPM has not hashed itself.
        let not_hashed_here = HashcheckTicket::try_from(TPMT_TK_HASHCHECK {
            tag: TPM2_ST_HASHCHECK,
            hierarchy: tss_esapi::constants::tss::TPM2_RH_NULL,
            digest: TPM2B_DIGEST::default(),
        })?;
        let signature = self.say(Answer::InClear, |context| {
            context.sign(key, digest, scheme, not_hashed_here)
        })?;
        let TpmSignature::EcDsa(signature) = signature else {
            return Err(TpmError::Nonsense);
        };
        let mut bytes = [0; 64];
        let (r, s) = bytes.split_at_mut(32);
        objects::pad(signature.signature_r(), r)?;
        objects::pad(signature.signature_s(), s)?;
        Signature::new(&bytes).ok_or(TpmError::Nonsense)
    }

    /// The x coordinate of the ECDH of a key and a point.
    pub(super) fn agree(&mut self, key: KeyHandle, point: &PublicPoint) -> Result<Secret<32>, TpmError> {
        let point = objects::ecc_point(point)?;
        let agreed = self.say(Answer::Secret, |context| context.ecdh_z_gen(key, point))?;
        Secret::fill_with(|x| objects::pad(agreed.x(), x))
    }

    /// What is sealed.
    pub(super) fn unseal(&mut self, object: KeyHandle) -> Result<Secret<32>, TpmError> {
        let data = self.say(Answer::Secret, |context| context.unseal(object.into()))?;
        Secret::from_slice(data.value()).ok_or(TpmError::Nonsense)
    }

    /// The same object for another authorization value. It is not loaded afterwards.
    pub(super) fn change_auth(
        &mut self,
        public: Public,
        private: &Private,
        auth: &KeyAuth,
        new_auth: &KeyAuth,
    ) -> Result<Private, TpmError> {
        let object = ObjectHandle::from(self.load(public, private, auth)?);
        let (storage_key, new_auth) = (self.storage_key, auth_value(new_auth)?);
        let private = self.say(Answer::Secret, |context| {
            context.object_change_auth(object, storage_key.into(), new_auth)
        })?;
        // A TPM has place for three objects at least, and one of them is the storage key.
        self.context.flush_context(object)?;
        Private::of(&private)
    }

    /// One command in the session.
    fn say<T>(
        &mut self,
        answer: Answer,
        command: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, TpmError> {
        let (attributes, mask) = SessionAttributesBuilder::new()
            .with_decrypt(true)
            .with_encrypt(matches!(answer, Answer::Secret))
            .build();
        self.context
            .tr_sess_set_attributes(self.session, attributes, mask)?;
        Ok(self.context.execute_with_session(Some(self.session), command)?)
    }
}

fn auth_value(auth: &KeyAuth) -> Result<Auth, Error> {
    Auth::try_from(auth.expose_secret().as_slice())
}

/// The one command that is authorized with the owner's password.
fn not_owner(error: Error) -> TpmError {
    match kind(error) {
        Some(Tss2ResponseCodeKind::BadAuth) => TpmError::Owned,
        _ => TpmError::from(error),
    }
}

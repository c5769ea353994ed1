//! A website's side of WebAuthn: it issues challenges and verifies what comes back (WebAuthn L3 §7.1, §7.2).
//!
//! In: what the page or the demo wants, and the client's answers as the JSON types of WebAuthn. Out: the options for
//! `navigator.credentials`, and either what was verified or why it was refused. Accounts live in memory only.
//! webauthn-rs verifies; it has no Ed25519, so `ed25519.rs` verifies those. Not here: HTTP, and the key.

mod attested;
mod ed25519;
mod facts;
mod refused;
#[cfg(test)]
pub(crate) mod software_signer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use url::Url;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{
    AllowCredentials, AuthenticationState, AuthenticatorAttachment, COSEAlgorithm, CreationChallengeResponse,
    CredProtect, Credential, CredentialProtectionPolicy, PublicKeyCredential, RegisterPublicKeyCredential,
    RegistrationState, RequestChallengeResponse, RequestRegistrationExtensions, UserVerificationPolicy,
};

use attested::AuthenticatorData;
pub(crate) use facts::{FlagNames, LoggedIn, Registered, uuid};
pub(crate) use refused::Refused;

/// The RP ID: credentials are scoped to it, and browsers allow it without https.
pub(crate) const RP_ID: &str = "localhost";
const RP_NAME: &str = "wardkey demo";
const CEREMONY_TIMEOUT: Duration = Duration::from_mins(2);

const ACCOUNTS_MAX: usize = 1_000;
const CREDENTIALS_PER_ACCOUNT_MAX: usize = 16;
/// Ceremonies begun and not ended; beyond it the oldest is forgotten.
const CEREMONIES_MAX: usize = 64;
const NAME_LEN_MAX: usize = 64;

/// The relying party with its accounts.
pub(crate) struct RelyingParty {
    webauthn: WebauthnCore,
    origin: Url,
    accounts: Vec<Account>,
    ceremonies: VecDeque<(CeremonyId, Ceremony)>,
}

struct Account {
    name: String,
    user_id: [u8; 16],
    credentials: Vec<Stored>,
}

/// A registered public key, in the form that its verifier wants.
enum Stored {
    Webauthn(Box<Credential>),
    Ed25519(Box<ed25519::Credential>),
}

impl Stored {
    fn id(&self) -> &[u8] {
        match self {
            Self::Webauthn(credential) => &credential.cred_id,
            Self::Ed25519(credential) => &credential.id,
        }
    }
}

/// Names one begun registration or login; only its first answer is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CeremonyId(String);

enum Ceremony {
    Registration {
        wish: RegistrationWish,
        user_id: [u8; 16],
        challenge: Vec<u8>,
        state: Box<RegistrationState>,
    },
    Login {
        wish: LoginWish,
        challenge: Vec<u8>,
        state: Box<AuthenticationState>,
    },
}

/// What a registration shall be like.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RegistrationWish {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) resident_key: ResidentKey,
    #[serde(default)]
    pub(crate) algorithm: Algorithm,
    #[serde(default = "discouraged")]
    pub(crate) user_verification: UserVerificationPolicy,
}

/// Who wants to log in. No name: the key shall say who it is (discoverable login).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LoginWish {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default = "discouraged")]
    pub(crate) user_verification: UserVerificationPolicy,
}

/// For a key that cannot verify who the person is.
pub(crate) fn discouraged() -> UserVerificationPolicy {
    UserVerificationPolicy::Discouraged_DO_NOT_USE
}

/// Whether the key stores the credential, so that a login needs no name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResidentKey {
    /// The key must store it. Chromium then insists on user verification, whatever the website asks for.
    Required,
    /// The website keeps the credential id.
    #[default]
    Discouraged,
}

/// Which signature algorithm is offered to the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    /// ECDSA with P-256 and SHA-256, COSE -7.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519, COSE -8.
    #[serde(rename = "EdDSA")]
    Eddsa,
}

impl Algorithm {
    /// For people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Es256 => "ES256 (COSE -7, ECDSA on P-256)",
            Self::Eddsa => "EdDSA (COSE -8, Ed25519)",
        }
    }

    const fn cose(self) -> COSEAlgorithm {
        match self {
            Self::Es256 => COSEAlgorithm::ES256,
            Self::Eddsa => COSEAlgorithm::EDDSA,
        }
    }
}

impl RelyingParty {
    /// A relying party without accounts, for pages from `origin`.
    pub(crate) fn new(origin: Url) -> Self {
        let webauthn = WebauthnCore::new_unsafe_experts_only(
            RP_NAME,
            RP_ID,
            vec![origin.clone()],
            CEREMONY_TIMEOUT,
            Some(false),
            Some(false),
        );
        Self {
            webauthn,
            origin,
            accounts: Vec::new(),
            ceremonies: VecDeque::new(),
        }
    }

    /// Begins a registration: the options for `navigator.credentials.create`.
    pub(crate) fn start_registration(
        &mut self,
        wish: RegistrationWish,
    ) -> Result<(CeremonyId, CreationChallengeResponse), Refused> {
        check_name(&wish.name)?;
        let account = self.accounts.iter().find(|account| account.name == wish.name);
        if account.is_none() && self.accounts.len() >= ACCOUNTS_MAX {
            return Err(Refused::TooManyAccounts);
        }
        if account.is_some_and(|account| account.credentials.len() >= CREDENTIALS_PER_ACCOUNT_MAX) {
            return Err(Refused::TooManyCredentials);
        }
        let user_id = account.map_or_else(random, |account| account.user_id);
        let known = account.map(|account| {
            account
                .credentials
                .iter()
                .map(|stored| stored.id().to_vec())
                .collect()
        });

        let builder = self
            .webauthn
            .new_challenge_register_builder(&user_id, &wish.name, &wish.name)?
            .user_verification_policy(wish.user_verification)
            .require_resident_key(wish.resident_key == ResidentKey::Required)
            .authenticator_attachment(Some(AuthenticatorAttachment::CrossPlatform))
            .credential_algorithms(vec![wish.algorithm.cose()])
            .exclude_credentials(known)
            .extensions(Some(registration_extensions(&wish)));
        let (options, state) = self.webauthn.generate_challenge_register(builder)?;
        let challenge = options.public_key.challenge.clone();
        let state = Box::new(state);
        let id = self.remember(Ceremony::Registration {
            wish,
            user_id,
            challenge,
            state,
        });
        Ok((id, options))
    }

    /// Verifies the answer to a registration (WebAuthn L3 §7.1) and keeps the new public key.
    pub(crate) fn finish_registration(
        &mut self,
        id: &CeremonyId,
        answer: &RegisterPublicKeyCredential,
    ) -> Result<Registered, Refused> {
        let Some(Ceremony::Registration {
            wish,
            user_id,
            challenge,
            state,
        }) = self.take(id)
        else {
            return Err(Refused::UnknownCeremony);
        };
        let attested = attested::parse(&answer.response.attestation_object)?;
        let stored = match wish.algorithm {
            Algorithm::Es256 => {
                let credential = self.webauthn.register_credential(answer, &state, None)?;
                Stored::Webauthn(Box::new(credential))
            }
            Algorithm::Eddsa => {
                let expected = self.expected(&challenge, wish.user_verification);
                Stored::Ed25519(Box::new(ed25519::verify_registration(
                    &expected,
                    &attested,
                    &answer.response.client_data_json,
                )?))
            }
        };
        // WebAuthn L3 §7.1 step 27: a credential id belongs to one account only.
        if self
            .accounts
            .iter()
            .flat_map(|account| &account.credentials)
            .any(|known| known.id() == stored.id())
        {
            return Err(Refused::AlreadyRegistered);
        }
        let facts = Registered::new(&wish, &attested, answer);
        self.account_for(&wish.name, user_id)?.credentials.push(stored);
        Ok(facts)
    }

    /// Begins a login: the options for `navigator.credentials.get`.
    pub(crate) fn start_login(
        &mut self,
        wish: LoginWish,
    ) -> Result<(CeremonyId, RequestChallengeResponse), Refused> {
        let allowed = match &wish.name {
            Some(name) => self
                .account_named(name)?
                .credentials
                .iter()
                .map(Stored::id)
                .map(allow)
                .collect(),
            None => Vec::new(),
        };
        let policy = Some(wish.user_verification);
        let builder = self
            .webauthn
            .new_challenge_authenticate_builder(Vec::new(), policy)?;
        let (mut options, state) = self.webauthn.generate_challenge_authenticate(builder)?;
        options.public_key.allow_credentials = allowed;
        let challenge = options.public_key.challenge.clone();
        let id = self.remember(Ceremony::Login {
            wish,
            challenge,
            state: Box::new(state),
        });
        Ok((id, options))
    }

    /// Verifies the answer to a login (WebAuthn L3 §7.2).
    pub(crate) fn finish_login(
        &mut self,
        id: &CeremonyId,
        answer: &PublicKeyCredential,
    ) -> Result<LoggedIn, Refused> {
        let Some(Ceremony::Login {
            wish,
            challenge,
            state,
        }) = self.take(id)
        else {
            return Err(Refused::UnknownCeremony);
        };
        let account = self.position_of_signer(&wish, answer)?;
        let expected = self.expected(&challenge, wish.user_verification);
        let Self {
            webauthn, accounts, ..
        } = self;
        let Account {
            name, credentials, ..
        } = accounts.get_mut(account).ok_or(Refused::UnknownCredential)?;
        let stored = credentials
            .iter_mut()
            .find(|stored| stored.id() == answer.raw_id)
            .ok_or(Refused::UnknownCredential)?;

        let algorithm = match stored {
            Stored::Webauthn(credential) => {
                let result = webauthn.authenticate_single_credential(answer, &state, credential)?;
                credential.counter = result.counter();
                credential.backup_state = result.backup_state();
                Algorithm::Es256
            }
            Stored::Ed25519(credential) => {
                ed25519::verify_login(&expected, credential, &answer.response)?;
                Algorithm::Eddsa
            }
        };
        let data = AuthenticatorData::parse(&answer.response.authenticator_data)?;
        Ok(LoggedIn::new(
            name,
            algorithm,
            wish.name.is_none(),
            &data,
            &answer.raw_id,
        ))
    }

    /// WebAuthn L3 §7.2 step 6: which account owns the credential, and does the key say so too?
    fn position_of_signer(&self, wish: &LoginWish, answer: &PublicKeyCredential) -> Result<usize, Refused> {
        let owns = |account: &Account| {
            account
                .credentials
                .iter()
                .any(|stored| stored.id() == answer.raw_id)
        };
        let position = self
            .accounts
            .iter()
            .position(owns)
            .ok_or(Refused::UnknownCredential)?;
        let account = self.accounts.get(position).ok_or(Refused::UnknownCredential)?;
        match (&wish.name, answer.get_user_unique_id()) {
            (Some(name), _) if *name != account.name => Err(Refused::UnknownCredential),
            (None, None) => Err(Refused::NoUserHandle),
            (_, Some(handle)) if handle != account.user_id => Err(Refused::WrongUserHandle),
            (Some(_), None) | (_, Some(_)) => Ok(position),
        }
    }

    fn expected(&self, challenge: &[u8], user_verification: UserVerificationPolicy) -> ed25519::Expected {
        ed25519::Expected {
            challenge: challenge.to_vec(),
            origin: self.origin.clone(),
            user_verification,
        }
    }

    fn account_named(&self, name: &str) -> Result<&Account, Refused> {
        self.accounts
            .iter()
            .find(|account| account.name == name)
            .ok_or(Refused::UnknownName)
    }

    /// The account with that name; a new one when there is none. The bounds are checked again: two registrations may
    /// have begun when there was room for one.
    fn account_for(&mut self, name: &str, user_id: [u8; 16]) -> Result<&mut Account, Refused> {
        let position = match self.accounts.iter().position(|account| account.name == name) {
            Some(position) => position,
            None if self.accounts.len() >= ACCOUNTS_MAX => return Err(Refused::TooManyAccounts),
            None => {
                self.accounts.push(Account {
                    name: name.to_owned(),
                    user_id,
                    credentials: Vec::new(),
                });
                self.accounts.len() - 1
            }
        };
        match self.accounts.get_mut(position) {
            Some(account) if account.user_id != user_id => Err(Refused::NameTaken),
            Some(account) if account.credentials.len() >= CREDENTIALS_PER_ACCOUNT_MAX => {
                Err(Refused::TooManyCredentials)
            }
            Some(account) => Ok(account),
            None => Err(Refused::UnknownName),
        }
    }

    fn remember(&mut self, ceremony: Ceremony) -> CeremonyId {
        if self.ceremonies.len() >= CEREMONIES_MAX {
            self.ceremonies.pop_front();
        }
        let id = CeremonyId(base64url(&random::<16>()));
        self.ceremonies.push_back((id.clone(), ceremony));
        id
    }

    /// Hands out a begun ceremony once: a replayed answer finds nothing.
    fn take(&mut self, id: &CeremonyId) -> Option<Ceremony> {
        let position = self.ceremonies.iter().position(|(known, _)| known == id)?;
        self.ceremonies.remove(position).map(|(_, ceremony)| ceremony)
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    let ok = !name.trim().is_empty() && name.len() <= NAME_LEN_MAX && !name.chars().any(char::is_control);
    if ok { Ok(()) } else { Err(Refused::BadName) }
}

/// `credProps` tells whether the credential is discoverable. Browsers ask for credProtect by themselves, at a level
/// where a key without PIN hides the credential from a login without name; so a lower level is asked for.
fn registration_extensions(wish: &RegistrationWish) -> RequestRegistrationExtensions {
    let unverified = wish.user_verification != UserVerificationPolicy::Required;
    let cred_protect = (unverified && wish.resident_key == ResidentKey::Required).then_some(CredProtect {
        credential_protection_policy: CredentialProtectionPolicy::UserVerificationOptional,
        enforce_credential_protection_policy: Some(false),
    });
    RequestRegistrationExtensions {
        cred_protect,
        cred_props: Some(true),
        uvm: None,
        min_pin_length: None,
        hmac_create_secret: None,
    }
}

fn allow(id: &[u8]) -> AllowCredentials {
    AllowCredentials {
        type_: "public-key".to_owned(),
        id: id.to_vec(),
        transports: None,
    }
}

/// Credential ids as WebAuthn writes them.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn random<const LEN: usize>() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).expect("the operating system's generator works once the system has booted");
    bytes
}

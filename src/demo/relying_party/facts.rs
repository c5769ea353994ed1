//! What was verified, as the page and `--json` show it.

use serde::Serialize;
use webauthn_rs_core::proto::RegisterPublicKeyCredential;

use super::attested::{Attested, AuthenticatorData, Flags};
use super::{Algorithm, RegistrationWish, base64url};

/// A verified registration.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) credential_id: String,
    pub(crate) credential_id_len: usize,
    pub(crate) algorithm: Algorithm,
    /// The attestation format: `packed` is verified with the credential's own key, `none` says nothing.
    pub(crate) attestation: String,
    pub(crate) aaguid: String,
    pub(crate) flags: FlagNames,
    pub(crate) counter: u32,
    /// What the browser says about the credential being discoverable; nothing when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discoverable: Option<bool>,
}

/// A verified login.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggedIn {
    pub(crate) name: String,
    pub(crate) credential_id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) flags: FlagNames,
    pub(crate) counter: u32,
    /// The key said who logs in; the site had not asked for anyone.
    pub(crate) without_name: bool,
}

/// The flags of the authenticator data, named as in WebAuthn L3 §6.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) struct FlagNames {
    pub(crate) up: bool,
    pub(crate) uv: bool,
    pub(crate) be: bool,
    pub(crate) bs: bool,
}

impl From<Flags> for FlagNames {
    fn from(flags: Flags) -> Self {
        Self {
            up: flags.user_present(),
            uv: flags.user_verified(),
            be: flags.backup_eligible(),
            bs: flags.backed_up(),
        }
    }
}

impl Registered {
    pub(super) fn new(
        wish: &RegistrationWish,
        attested: &Attested,
        answer: &RegisterPublicKeyCredential,
    ) -> Self {
        Self {
            name: wish.name.clone(),
            credential_id: base64url(&attested.credential.id),
            credential_id_len: attested.credential.id.len(),
            algorithm: wish.algorithm,
            attestation: attested.format.clone(),
            aaguid: uuid(&attested.credential.aaguid),
            flags: attested.data.flags.into(),
            counter: attested.data.counter,
            discoverable: answer.extensions.cred_props.as_ref().and_then(|props| props.rk),
        }
    }
}

impl LoggedIn {
    pub(super) fn new(
        name: &str,
        algorithm: Algorithm,
        without_name: bool,
        data: &AuthenticatorData,
        credential_id: &[u8],
    ) -> Self {
        Self {
            name: name.to_owned(),
            credential_id: base64url(credential_id),
            algorithm,
            flags: data.flags.into(),
            counter: data.counter,
            without_name,
        }
    }
}

/// RFC 9562 §4, the form in which AAGUIDs are written.
pub(crate) fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [
        hex.get(..8),
        hex.get(8..12),
        hex.get(12..16),
        hex.get(16..20),
        hex.get(20..),
    ]
    .map(Option::unwrap_or_default)
    .join("-")
}

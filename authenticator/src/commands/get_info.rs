//! authenticatorGetInfo, `CTAP 2.3 §6.4`: what we are, in one table. What is not supported is not listed.

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use wardkey_vault::{CredentialId, Secret, StoreState};

use crate::attestation;
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::command::MESSAGE_LEN_MAX;
use crate::commands::large_blobs;
use crate::config::{Algorithms, LargeBlobs};
use crate::cose::Algorithm;
use crate::entity::{DESCRIPTORS_MAX, PUBLIC_KEY};
use crate::extensions::{self, cred_blob, min_pin_length};
use crate::gesture::Modality;
use crate::pin::built_in::BuiltIn;
use crate::pin::entry;
use crate::pin::protocol::{Protocol, expand};
use crate::response::Response;

/// How often a platform should ask for built-in user verification before it asks for the PIN: this key itself asks again
/// after a failed attempt.
const PLATFORM_UV_ATTEMPTS: u64 = 1;

/// `FIDO Registry of Predefined Values §3.1`.
const USER_VERIFY_FINGERPRINT_INTERNAL: u64 = 0x0000_0002;
const USER_VERIFY_PASSCODE_INTERNAL: u64 = 0x0000_0004;

/// What getInfo says of the credentials.
struct Contents {
    count: usize,
    store_state: StoreState,
}

impl Authenticator {
    pub(crate) fn get_info(&mut self) -> Response {
        self.describe(Response::with)
    }

    /// Hands all that getInfo says to `tell`.
    pub(crate) fn describe<T>(&mut self, tell: impl FnOnce(Map<'_>) -> T) -> T {
        let contents = Contents {
            count: self.vault.len(),
            store_state: self.vault.store_state(),
        };
        self.describe_with(Some(&contents), tell)
    }
}

impl<V> Authenticator<V> {
    /// A vault that is not open tells nothing of what is in it.
    pub(crate) fn get_info_without_contents(&mut self) -> Response {
        self.describe_with(None, Response::with)
    }

    fn describe_with<T>(&mut self, contents: Option<&Contents>, tell: impl FnOnce(Map<'_>) -> T) -> T {
        let aaguid = self.config.kind.aaguid();
        let identifier = self.encrypted_identifier();
        let store_state = contents.and_then(|contents| self.encrypted_store_state(contents.store_state));
        let mut info = Map::new([
            (0x01_u64, texts(&self.versions())),
            (0x02, texts(&extensions::identifiers(&self.config))),
            (0x03, Value::Bytes(&aaguid.0)),
            (0x04, Value::Map(self.options())),
            (0x05, Value::count(MESSAGE_LEN_MAX)), // maxMsgSize
            (0x06, protocols()),
            (0x07, Value::count(DESCRIPTORS_MAX)), // maxCredentialCountInList
            (0x08, Value::count(CredentialId::LEN_MAX)), // maxCredentialIdLength
            (0x09, texts(&["usb"])),               // transports
            (0x0A, algorithms(self.config.algorithms)),
            (0x0C, Value::Bool(self.state.force_pin_change)),
            (0x0D, Value::Unsigned(u64::from(self.state.min_pin_length))),
            (0x0E, Value::Unsigned(u64::from(self.config.firmware_version))),
            (0x0F, Value::count(cred_blob::LEN_MAX)),
            (0x10, Value::count(min_pin_length::RP_IDS_MAX)),
            (0x16, texts(&attestation::FORMATS)), // attestationFormats
            (0x18, Value::Bool(self.state.long_touch_for_reset)),
            (0x1A, texts(&["usb"])), // transportsForReset
            (0x1B, Value::Bool(self.state.pin_complexity_policy)),
            (0x1D, Value::count(entry::LEN_MAX)), // maxPINLength
            (0x1F, self.config_commands()),
        ]);
        if self.config.large_blobs == LargeBlobs::Array {
            info.insert(0x0B_u64, Value::count(large_blobs::LEN_MAX)); // maxSerializedLargeBlobArray
        }
        if let Some(Contents { count, .. }) = contents {
            let remaining = self.credentials_max.saturating_sub(*count);
            info.insert(0x14_u64, Value::count(remaining)); // remainingDiscoverableCredentials
        }
        self.insert_built_in(&mut info);
        if let Some(identifier) = &identifier {
            info.insert(0x19_u64, Value::Bytes(identifier));
        }
        if let Some(state) = &store_state {
            info.insert(0x1E_u64, Value::Bytes(state));
        }
        tell(info)
    }

    /// U2F cannot verify the user, so a key that always does does not speak it, `CTAP 2.3 §7.2.4`.
    pub(crate) fn versions(&self) -> Vec<&'static str> {
        let mut versions = vec!["FIDO_2_0", "FIDO_2_1"];
        if !self.config.hide_fido_2_3 {
            versions.push("FIDO_2_3");
        }
        if self.is_u2f_allowed() {
            versions.insert(0, "U2F_V2");
        }
        versions
    }

    fn options(&self) -> Map<'static> {
        let mut options = Map::new(
            [
                ("rk", true),
                ("up", true),
                ("plat", false),
                ("alwaysUv", self.state.always_uv),
                ("credMgmt", true),
                ("authnrCfg", true),
                ("clientPin", self.state.pin.is_some()),
                ("pinUvAuthToken", true),
                ("perCredMgmtRO", true),
                ("setMinPINLength", true),
                ("makeCredUvNotRqd", !self.state.always_uv),
            ]
            .map(|(name, value)| (name, Value::Bool(value))),
        );
        if self.config.large_blobs == LargeBlobs::Array {
            options.insert("largeBlobs", Value::Bool(true));
        }
        if let Some(enabled) = self.enterprise_attestation() {
            options.insert("ep", Value::Bool(enabled));
        }
        // An absent `uv` means that there is no built-in user verification; false, that it has to be set up.
        match self.built_in() {
            BuiltIn::Absent => {}
            BuiltIn::NotSetUp => {
                options.insert("uv", Value::Bool(false));
                options.insert("uvAcfg", Value::Bool(true));
            }
            BuiltIn::Ready(_) => {
                options.insert("uv", Value::Bool(true));
                options.insert("uvAcfg", Value::Bool(true));
            }
        }
        options
    }

    /// The members about built-in user verification, where there is any.
    fn insert_built_in(&self, info: &mut Map<'_>) {
        let Some(verifier) = self.verifier else { return };
        let modality = match verifier.modality {
            Modality::Fingerprint => USER_VERIFY_FINGERPRINT_INTERNAL,
            Modality::Password | Modality::Pin => USER_VERIFY_PASSCODE_INTERNAL,
        };
        info.insert(0x11_u64, Value::Unsigned(PLATFORM_UV_ATTEMPTS));
        info.insert(0x12_u64, Value::Unsigned(modality));
        info.insert(0x17_u64, Value::Unsigned(u64::from(self.state.uv_count)));
    }

    fn config_commands(&self) -> Value<'static> {
        Value::Array(
            self.config_subcommands()
                .into_iter()
                .map(Value::Unsigned)
                .collect(),
        )
    }

    /// encIdentifier, `CTAP 2.3 §6.4`: for holders of the persistent token, and of no use to others.
    fn encrypted_identifier(&mut self) -> Option<Vec<u8>> {
        self.encrypt_for_token_holders(self.state.device_identifier, b"encIdentifier")
    }

    /// encCredStoreState, `CTAP 2.3 §6.4`.
    fn encrypted_store_state(&mut self, state: StoreState) -> Option<Vec<u8>> {
        self.encrypt_for_token_holders(state.0, b"encCredStoreState")
    }

    fn encrypt_for_token_holders(&mut self, text: [u8; 16], info: &[u8]) -> Option<Vec<u8>> {
        let token = self.state.persistent_token.as_ref()?;
        let key: Secret<16> = expand(token.expose_secret(), info);
        let mut iv = [0; 16];
        self.rng.fill_bytes(&mut iv);
        let encrypted = cbc::Encryptor::<Aes128>::new(key.expose_secret().into(), &iv.into())
            .encrypt_padded_vec::<NoPadding>(&text);
        Some([&iv[..], &encrypted].concat())
    }
}

fn protocols() -> Value<'static> {
    let numbers = Protocol::ALL.map(|protocol| Value::Unsigned(protocol.number()));
    Value::Array(numbers.to_vec())
}

/// PublicKeyCredentialParameters, the preferred first.
fn algorithms(offered: Algorithms) -> Value<'static> {
    let parameters = |algorithm: Algorithm| {
        Value::Map(Map::new([
            ("alg", Value::integer(i64::from(algorithm.identifier()))),
            ("type", Value::Text(PUBLIC_KEY)),
        ]))
    };
    let named = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.is_advertised() && offered.contain(*algorithm));
    Value::Array(named.map(parameters).collect())
}

fn texts(texts: &[&'static str]) -> Value<'static> {
    Value::Array(texts.iter().map(|text| Value::Text(text)).collect())
}

#[cfg(test)]
mod tests;

//! A key and a browser in forty lines, for tests of the relying party: it signs what it is told to sign, wrong things too.

use ciborium::Value;
use ed25519_dalek::Signer as _;
use serde_json::json;
use sha2::{Digest, Sha256};
use webauthn_rs_core::proto::{
    CreationChallengeResponse, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse,
};

use super::{Algorithm, base64url};

pub(crate) const UP: u8 = 0x01;
pub(crate) const UV: u8 = 0x04;
pub(crate) const BE: u8 = 0x08;
pub(crate) const BS: u8 = 0x10;
const AT: u8 = 0x40;

pub(crate) const AAGUID: [u8; 16] = *b"software signer!";

enum Key {
    Es256(Box<p256::ecdsa::SigningKey>),
    Eddsa(Box<ed25519_dalek::SigningKey>),
}

/// Signs whatever its fields say.
pub(crate) struct SoftwareSigner {
    key: Key,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) counter: u32,
    pub(crate) flags: u8,
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) cross_origin: bool,
    pub(crate) format: &'static str,
    /// Signed in place of the challenge that was asked for.
    pub(crate) other_challenge: Option<Vec<u8>>,
    /// Written in place of `webauthn.create` or `webauthn.get`.
    pub(crate) other_type: Option<&'static str>,
    /// The account that the last registration was for.
    pub(crate) user_handle: Option<Vec<u8>>,
}

impl SoftwareSigner {
    pub(crate) fn new(algorithm: Algorithm, origin: &str) -> Self {
        let seed = [7; 32];
        let key = match algorithm {
            Algorithm::Es256 => Key::Es256(Box::new(p256::ecdsa::SigningKey::from_slice(&seed).unwrap())),
            Algorithm::Eddsa => Key::Eddsa(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed))),
        };
        Self {
            key,
            credential_id: vec![0xC1; 32],
            counter: 0,
            flags: UP,
            origin: origin.to_owned(),
            rp_id: super::RP_ID.to_owned(),
            cross_origin: false,
            format: "packed",
            other_challenge: None,
            other_type: None,
            user_handle: None,
        }
    }

    pub(crate) fn register(&mut self, options: &CreationChallengeResponse) -> RegisterPublicKeyCredential {
        self.user_handle = Some(options.public_key.user.id.clone());
        let client_data = self.client_data("webauthn.create", &options.public_key.challenge);
        let mut data = self.authenticator_data(self.flags | AT);
        data.extend(AAGUID);
        data.extend(u16::try_from(self.credential_id.len()).unwrap().to_be_bytes());
        data.extend(&self.credential_id);
        data.extend(cbor(&self.public_key()));
        let statement = match self.format {
            "packed" => {
                let signature = Value::Bytes(self.sign(&data, &client_data));
                let alg = Value::from(self.algorithm());
                [(text("alg"), alg), (text("sig"), signature)].into()
            }
            _ => [].into(),
        };
        let object: Value = Value::Map(
            [
                (text("fmt"), text(self.format)),
                (text("attStmt"), Value::Map(statement)),
                (text("authData"), Value::Bytes(data)),
            ]
            .into(),
        );
        let answer = json!({
            "id": base64url(&self.credential_id),
            "rawId": base64url(&self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": base64url(&client_data),
                "attestationObject": base64url(&cbor(&object)),
                "transports": ["usb"],
            },
            "clientExtensionResults": { "credProps": { "rk": true } },
            "authenticatorAttachment": "cross-platform",
        });
        serde_json::from_value(answer).unwrap()
    }

    pub(crate) fn login(&mut self, options: &RequestChallengeResponse) -> PublicKeyCredential {
        let client_data = self.client_data("webauthn.get", &options.public_key.challenge);
        let data = self.authenticator_data(self.flags);
        let answer = json!({
            "id": base64url(&self.credential_id),
            "rawId": base64url(&self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": base64url(&client_data),
                "authenticatorData": base64url(&data),
                "signature": base64url(&self.sign(&data, &client_data)),
                "userHandle": self.user_handle.as_deref().map(base64url),
            },
            "clientExtensionResults": {},
        });
        serde_json::from_value(answer).unwrap()
    }

    fn client_data(&self, kind: &str, challenge: &[u8]) -> Vec<u8> {
        let data = json!({
            "type": self.other_type.unwrap_or(kind),
            "challenge": base64url(self.other_challenge.as_deref().unwrap_or(challenge)),
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        });
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    const fn algorithm(&self) -> i8 {
        match self.key {
            Key::Es256(_) => -7,
            Key::Eddsa(_) => -8,
        }
    }

    fn public_key(&self) -> Value {
        let algorithm = (Value::from(3), Value::from(self.algorithm()));
        let map = match &self.key {
            Key::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let coordinate = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
                [
                    (Value::from(1), Value::from(2)),
                    algorithm,
                    (Value::from(-1), Value::from(1)),
                    (Value::from(-2), coordinate(point.x().unwrap())),
                    (Value::from(-3), coordinate(point.y().unwrap())),
                ]
                .into()
            }
            Key::Eddsa(key) => [
                (Value::from(1), Value::from(1)),
                algorithm,
                (Value::from(-1), Value::from(6)),
                (
                    Value::from(-2),
                    Value::Bytes(key.verifying_key().to_bytes().to_vec()),
                ),
            ]
            .into(),
        };
        Value::Map(map)
    }

    fn sign(&self, authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
        let message = [authenticator_data, &Sha256::digest(client_data)].concat();
        match &self.key {
            Key::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(&message);
                signature.to_der().as_bytes().to_vec()
            }
            Key::Eddsa(key) => key.sign(&message).to_bytes().to_vec(),
        }
    }
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

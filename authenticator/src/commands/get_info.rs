//! authenticatorGetInfo, `CTAP 2.3 §6.4`: what we are, in one table. What is not supported is not listed.

use crate::attestation;
use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::command::MESSAGE_LEN_MAX;
use crate::cose::Algorithm;
use crate::entity::{DESCRIPTORS_MAX, PUBLIC_KEY};
use crate::response::Response;
use wardkey_vault::CredentialId;

impl Authenticator {
    pub(crate) fn get_info(&self) -> Response {
        let aaguid = self.config.kind.aaguid();
        Response::with(Map::new([
            (0x01_u64, texts(&["U2F_V2", "FIDO_2_0"])), // versions
            (0x03, Value::Bytes(&aaguid.0)),
            (0x04, Value::Map(options())),
            (0x05, number(MESSAGE_LEN_MAX)),       // maxMsgSize
            (0x07, number(DESCRIPTORS_MAX)),       // maxCredentialCountInList
            (0x08, number(CredentialId::LEN_MAX)), // maxCredentialIdLength
            (0x09, texts(&["usb"])),               // transports
            (0x0A, algorithms()),
            (0x0E, Value::Unsigned(u64::from(self.config.firmware_version))),
            (0x16, texts(&attestation::FORMATS)), // attestationFormats
        ]))
    }
}

/// `uv` and `clientPin` are absent, not false: false would mean "supported, but not set up".
fn options() -> Map<'static> {
    Map::new([
        ("rk", Value::Bool(true)),
        ("up", Value::Bool(true)),
        ("plat", Value::Bool(false)),
    ])
}

/// PublicKeyCredentialParameters, the preferred first.
fn algorithms() -> Value<'static> {
    let parameters = |algorithm: Algorithm| {
        Value::Map(Map::new([
            ("alg", Value::integer(i64::from(algorithm.identifier()))),
            ("type", Value::Text(PUBLIC_KEY)),
        ]))
    };
    Value::Array(Algorithm::ALL.into_iter().map(parameters).collect())
}

fn texts(texts: &[&'static str]) -> Value<'static> {
    Value::Array(texts.iter().map(|text| Value::Text(text)).collect())
}

fn number(n: usize) -> Value<'static> {
    Value::Unsigned(u64::try_from(n).expect("no address space exceeds 64 bits"))
}

#[cfg(test)]
mod tests;

//! What can be said of an answer so that two keys can be compared: members, types, lengths, numbers, texts. Bytes that
//! are random are named in the order in which they first occur; so it can be said which credential signed, and that a
//! secret is the same as before.

use std::collections::BTreeMap;
use std::fmt;

use ciborium::Value;
use p256::ecdsa::signature::Verifier;

use crate::auth_data::{self, AuthData, Flags};

/// What can be said of an answer, by where it is in the answer.
pub type Facts = BTreeMap<String, String>;

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The status of the command, or of the key agreement before it where that failed.
    pub status: u8,
    /// What can be said of the answer.
    pub facts: Facts,
}

/// The names of bytes that mean nothing.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<&'static str, Vec<Vec<u8>>>);

impl Names {
    /// The number of these bytes among all of their kind.
    pub(super) fn number(&mut self, kind: &'static str, bytes: &[u8]) -> usize {
        let known = self.0.entry(kind).or_default();
        known.iter().position(|known| known == bytes).unwrap_or_else(|| {
            known.push(bytes.to_vec());
            known.len() - 1
        })
    }

    pub(super) fn name(&mut self, kind: &'static str, bytes: &[u8]) -> String {
        format!("{kind} {}", self.number(kind, bytes))
    }
}

/// Says all that a value is, except for the content of byte strings.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever occurs in no answer is told as it is"
)]
pub(super) fn describe(facts: &mut Facts, path: &str, value: &Value) {
    match value {
        Value::Map(members) => {
            facts.insert(path.to_owned(), "map".to_owned());
            for (key, member) in members {
                describe(facts, &join(path, &key_name(key)), member);
            }
        }
        Value::Array(items) => {
            facts.insert(path.to_owned(), format!("array of {}", items.len()));
            for (index, item) in items.iter().enumerate() {
                describe(facts, &join(path, &index.to_string()), item);
            }
        }
        Value::Bytes(bytes) => note(facts, path, format!("{} bytes", bytes.len())),
        Value::Integer(integer) => note(facts, path, i128::from(*integer)),
        Value::Text(text) => note(facts, path, format!("{text:?}")),
        Value::Bool(value) => note(facts, path, value),
        other => note(facts, path, format!("{other:?}")),
    }
}

pub(super) fn note(facts: &mut Facts, path: &str, fact: impl fmt::Display) {
    facts.insert(path.to_owned(), fact.to_string());
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn key_name(key: &Value) -> String {
    if let Value::Text(text) = key {
        text.clone()
    } else if let Value::Integer(integer) = key {
        format!("{:02X}", i128::from(*integer))
    } else {
        format!("{key:?}")
    }
}

/// Says what is in authenticator data; `last_count` is the signature counter before.
pub(super) fn describe_auth_data(
    facts: &mut Facts,
    names: &mut Names,
    last_count: &mut u32,
    raw: &[u8],
) -> Option<AuthData> {
    let data = match auth_data::parse(raw.to_vec()) {
        Ok(data) => data,
        Err(error) => {
            note(facts, "authData", error);
            return None;
        }
    };
    note(
        facts,
        "authData.rpIdHash",
        names.name("rpIdHash", &data.rp_id_hash),
    );
    note(facts, "authData.flags", format!("{:02x}", data.flags.0));
    let count = if data.sign_count > *last_count {
        "grows"
    } else {
        "stays"
    };
    note(facts, "authData.signCount", count);
    *last_count = data.sign_count.max(*last_count);
    if let Some(attested) = &data.attested {
        let id = names.name("credential", &attested.credential_id);
        note(facts, "authData.credentialId", id);
        describe(facts, "authData.publicKey", &attested.public_key);
        let key = names.name("publicKey", &attested.public_key_cose);
        note(facts, "authData.publicKey", key);
    }
    if let Some(extensions) = &data.extensions {
        describe(facts, "authData.extensions", extensions);
    }
    let should_have = data.flags.contains(Flags::EXTENSIONS);
    note(
        facts,
        "authData.extensions",
        if should_have { "present" } else { "absent" },
    );
    Some(data)
}

/// Whether `signature` over `message` is by the key in this COSE key.
pub(super) fn verifies(cose_key: &Value, message: &[u8], signature: &[u8]) -> bool {
    let member = |key: i64| {
        let members = cose_key.as_map().into_iter().flatten();
        let found = members.clone().find(|(name, _)| *name == Value::from(key));
        found.map(|(_, value)| value.clone())
    };
    let bytes = |key| {
        member(key)
            .and_then(|value| value.into_bytes().ok())
            .unwrap_or_default()
    };
    match member(3).and_then(|algorithm| i64::try_from(algorithm.into_integer().ok()?).ok()) {
        Some(-7) => {
            let point = [vec![4], bytes(-2), bytes(-3)].concat();
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point);
            let signature = p256::ecdsa::DerSignature::from_bytes(signature);
            key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
        }
        Some(-8) => {
            let point = <[u8; 32]>::try_from(bytes(-2)).unwrap_or_default();
            let key = ed25519_dalek::VerifyingKey::from_bytes(&point);
            let signature = ed25519_dalek::Signature::from_slice(signature);
            key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;

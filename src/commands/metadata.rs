//! `wardkey metadata`: the statement by which relying parties and test tools know the key, `FIDO Metadata Statement 3.1.1`,
//! as JSON. What it says comes from the authenticator; what is added here is how it looks.

use std::io::Write;

use base64ct::{Base64, Encoding};
use serde_json::{Value as Json, json};
use wardkey_authenticator::cbor::{Key, Map, Value};
use wardkey_authenticator::{Modality, Verifier};

use super::access::{Access, misunderstood};
use super::attestation::no_key;
use crate::cli::{AttestationBy, Metadata, Model, VerifyBy};
use crate::error::Failure;
use crate::key;

const ICON: &[u8] = include_bytes!("metadata/icon.png");

/// Prints the statement.
pub(crate) fn metadata(
    access: impl FnOnce() -> Result<Access, Failure>,
    options: &Metadata,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let root = attestation_root(access, &options.model)?;
    let mut statement = statement(options, &root)?;
    let icon = format!("data:image/png;base64,{}", Base64::encode_string(ICON));
    statement.insert("icon".to_owned(), json!(icon));
    let text = serde_json::to_string_pretty(&statement).expect("text keys only") + "\n";
    super::print(out, &text)
}

/// What verifies the attestation, where it is not the passkey itself: then this installation's own authority.
fn attestation_root(
    access: impl FnOnce() -> Result<Access, Failure>,
    model: &Model,
) -> Result<Vec<u8>, Failure> {
    if model.attestation == AttestationBy::Itself && !model.enterprise {
        return Ok(Vec::new());
    }
    let mut access = access()?;
    let root = access.attestation_root()?.ok_or_else(|| no_key(&access.path))?;
    Base64::decode_vec(&root).map_err(|_| misunderstood())
}

/// The statement of a key that was never used.
fn statement(options: &Metadata, root: &[u8]) -> Result<serde_json::Map<String, Json>, Failure> {
    let mut authenticator = key::authenticator(key::temporary_vault()?, key::config(&options.model))?;
    authenticator.set_verifier(options.verify.map(|means| Verifier {
        modality: match means {
            VerifyBy::Fingerprint => Modality::Fingerprint,
            VerifyBy::Password => Modality::Password,
            VerifyBy::Pin => Modality::Pin,
        },
        ready: true,
    }));
    authenticator
        .metadata_statement(root, members)
        .ok_or_else(misunderstood)
}

/// The members as JSON has them; `None` when JSON has nothing like one.
fn members(map: &Map<'_>) -> Option<serde_json::Map<String, Json>> {
    map.entries()
        .iter()
        .map(|(key, value)| match key {
            Key::Text(name) => Some(((*name).to_owned(), json(value)?)),
            Key::Unsigned(_) | Key::Negative(_) | Key::Bytes(_) => None,
        })
        .collect()
}

fn json(value: &Value<'_>) -> Option<Json> {
    Some(match value {
        Value::Unsigned(number) => json!(number),
        Value::Negative(number) => json!(-1 - i64::try_from(*number).ok()?),
        Value::Bytes(bytes) => json!(Base64::encode_string(bytes)),
        Value::Text(text) => json!(text),
        Value::Array(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Map(map) => Json::Object(members(map)?),
        Value::Bool(flag) => json!(flag),
        Value::Null | Value::Undefined => return None,
    })
}

#[cfg(test)]
mod tests;

//! `authenticatorGetInfo` in a statement, and whether it is what the key says.

use ciborium::Value as Cbor;
use serde_json::{Map, Value};

use super::Statement;
use crate::case::{Outcome, Stop, ensure, ensure_eq, present};
use crate::info_rules::MEMBERS;
use crate::parameters::numbered;

/// Differ from key to key and from day to day.
const VOLATILE: [&str; 4] = [
    "remainingDiscoverableCredentials",
    "uvCountSinceLastPinEntry",
    "encIdentifier",
    "encCredStoreState",
];

/// The statement has an `authenticatorGetInfo` of the right form.
pub(crate) fn is_well_formed(statement: &Statement) -> Outcome {
    let info = members(statement)?;
    for name in info.keys() {
        ensure!(
            MEMBERS.iter().any(|(_, known)| known == name),
            "authenticatorGetInfo has {name}"
        );
    }
    let versions = texts(info, "versions")?;
    let has = |version| versions.contains(&version);
    ensure!(has("FIDO_2_0") && has("FIDO_2_1"), "versions are {versions:?}");
    let dashless = statement.text("aaguid")?.replace('-', "").to_lowercase();
    let aaguid = info.get("aaguid").and_then(Value::as_str).map(str::to_lowercase);
    ensure_eq!(aaguid, Some(dashless), "the aaguid in authenticatorGetInfo");
    for name in ["extensions", "transports", "attestationFormats"] {
        if info.contains_key(name) {
            texts(info, name)?;
        }
    }
    if let Some(options) = info.get("options") {
        let options = present(options.as_object(), "options, a dictionary,")?;
        for (name, value) in options {
            ensure!(value.is_boolean(), "option {name} is not a boolean");
        }
    }
    Ok(())
}

fn members(statement: &Statement) -> Result<&Map<String, Value>, Stop> {
    let info = statement.required("authenticatorGetInfo")?;
    present(info.as_object(), "authenticatorGetInfo, a dictionary,")
}

/// Texts, at least one, all different.
fn texts<'s>(info: &'s Map<String, Value>, name: &str) -> Result<Vec<&'s str>, Stop> {
    let items = present(info.get(name).and_then(Value::as_array), name)?;
    let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    let texts = present(texts, &format!("{name}, a sequence of texts,"))?;
    ensure!(!texts.is_empty(), "{name} is empty");
    for (number, text) in texts.iter().enumerate() {
        let repeated = texts.iter().take(number).any(|earlier| earlier == text);
        ensure!(!repeated, "{name} has {text} twice");
    }
    Ok(texts)
}

/// What the statement says about a new key is what the key says.
pub(crate) fn matches(statement: &Statement, answer: &Cbor) -> Outcome {
    let stated = members(statement)?;
    for (key, name) in MEMBERS {
        if VOLATILE.contains(&name) {
            ensure!(
                !stated.contains_key(name),
                "{name} is stated, and is never the same"
            );
            continue;
        }
        let said = numbered(answer, key).map(to_json).transpose()?;
        ensure_eq!(stated.get(name), said.as_ref(), "{name} in the statement");
    }
    Ok(())
}

/// Bytes are hexadecimal, as in statements.
fn to_json(value: &Cbor) -> Result<Value, Stop> {
    let json = match value {
        Cbor::Integer(number) => i64::try_from(i128::from(*number)).ok().map(Value::from),
        Cbor::Bytes(bytes) => Some(Value::from(hex(bytes))),
        Cbor::Text(text) => Some(Value::from(text.as_str())),
        Cbor::Bool(boolean) => Some(Value::from(*boolean)),
        Cbor::Array(items) => Some(Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?)),
        Cbor::Map(members) => {
            let mut json = Map::new();
            for (name, value) in members {
                let name = present(name.as_text(), "the name of a member")?;
                json.insert(name.to_owned(), to_json(value)?);
            }
            Some(Value::Object(json))
        }
        Cbor::Float(_) | Cbor::Null | Cbor::Tag(..) => None,
        _ => None,
    };
    present(json, "a value that JSON has")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cbor_is_compared_as_json() {
        let cbor = Cbor::Map(vec![
            (Cbor::from("alg"), Cbor::from(-7)),
            (Cbor::from("x"), Cbor::from(vec![1, 0xAB])),
        ]);
        assert_eq!(to_json(&cbor).unwrap(), json!({ "alg": -7, "x": "01ab" }));
    }
}

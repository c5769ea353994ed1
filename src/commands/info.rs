//! `wardkey info`: what the key is and where it keeps itself.

use std::io::Write;
use std::path::Path;

use redb::backends::InMemoryBackend;
use serde_json::json;
use wardkey_authenticator::cbor::{Value, decode};
use wardkey_authenticator::{Authenticator, KeyKind, Outcome};
use wardkey_vault::{RootKey, Vault};

use super::access::{Access, misunderstood};
use super::show;
use crate::control::{Answer, Request};
use crate::error::Failure;
use crate::{host, key};

/// authenticatorGetInfo and two members of its answer, CTAP 2.3 §6.4.
const GET_INFO: u8 = 0x04;
const VERSIONS: u64 = 0x01;
const AAGUID: u64 = 0x03;

/// Prints the facts.
pub(crate) fn info(given: Option<&Path>, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut access = Access::open(given)?;
    let running = access.is_running();
    let info = match access.request(&Request::Info)? {
        Some(Answer::Info(info)) => Some(info),
        Some(_) => return Err(misunderstood()),
        None => None,
    };
    let passkeys = info.as_ref().map_or(0, |info| info.passkeys);
    let runner = info.filter(|_| running);
    let model = model()?;
    let kind = match key::config().kind {
        KeyKind::Synced => "synced",
        KeyKind::DeviceBound => "device-bound",
    };
    let version = env!("CARGO_PKG_VERSION");
    let text = if json {
        json!({
            "version": version,
            "state": access.path.display().to_string(),
            "running": runner.map(|info| json!({ "process": info.process, "version": info.version })),
            "passkeys": passkeys,
            "kind": kind,
            "aaguid": model.aaguid,
            "speaks": model.versions,
        })
        .to_string()
            + "\n"
    } else {
        let runner = runner.map_or("no".to_owned(), |info| {
            format!("yes, process {}, version {}", info.process, info.version)
        });
        let rows = [
            ["Version", version],
            ["State folder", &access.path.display().to_string()],
            ["Running", &runner],
            ["Passkeys", &passkeys.to_string()],
            ["Kind", kind],
            ["AAGUID", &model.aaguid],
            ["Speaks", &model.versions.join(", ")],
        ];
        show::table(&rows.map(|row| row.map(str::to_owned)))
    };
    super::print(out, &text)
}

struct Model {
    versions: Vec<String>,
    aaguid: String,
}

/// What the key says of itself to any host. A key with an empty vault says the same.
fn model() -> Result<Model, Failure> {
    let mut rng = host::rng();
    let vault = Vault::open(InMemoryBackend::new(), &RootKey::random(&mut rng), &mut rng)
        .map_err(|error| Failure::new(error, "make room in memory"))?;
    let now = host::now();
    let mut authenticator = Authenticator::new(vault, key::config(), Box::new(rng), now)
        .map_err(|error| Failure::new(error, "make room in memory"))?;
    let Outcome::Done(answer) = authenticator.handle_cbor(now, &[GET_INFO]) else {
        return Err(misunderstood());
    };
    read_model(&answer).ok_or_else(misunderstood)
}

fn read_model(answer: &[u8]) -> Option<Model> {
    let (0, answer) = answer.split_first()? else {
        return None;
    };
    let Ok(Value::Map(map)) = decode(answer) else {
        return None;
    };
    let (Some(Value::Array(versions)), Some(Value::Bytes(aaguid))) = (map.get(VERSIONS), map.get(AAGUID))
    else {
        return None;
    };
    let text = |value: &Value<'_>| {
        if let Value::Text(text) = value {
            Some((*text).to_owned())
        } else {
            None
        }
    };
    let versions = versions.iter().map(text).collect::<Option<_>>()?;
    Some(Model {
        versions,
        aaguid: show::uuid(aaguid),
    })
}

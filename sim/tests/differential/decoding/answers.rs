//! Answers of our key: what ctap-types, as a platform, reads in them.

use cbor_smol::cbor_deserialize;
use ciborium::Value;
use ctap_types::ctap2::{
    client_pin, credential_management, get_assertion, get_info, large_blobs, make_credential,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wardkey_sim::auth_data;
use wardkey_sim::fido_client::{from_bytes, to_bytes};

use super::{differences, written_again};
use crate::accepted::{Accepted, Then};
use crate::compare::{Difference, Found};

/// How ctap-types reads a successful answer, where that is not what is written.
pub(super) fn compare(request: &[u8], body: &[u8]) -> Vec<Difference> {
    let written = from_bytes(body).expect("our key answers in CBOR");
    let read = match request.first() {
        Some(0x01) => read::<make_credential::Response>(&written, &[1, 2]),
        Some(0x02 | 0x08) => read::<get_assertion::Response>(&written, &[1, 2, 3]),
        Some(0x04) => read::<get_info::Response>(&written, &[1, 3]),
        Some(0x06) => read::<client_pin::Response>(&written, &[]),
        Some(0x0A | 0x41) => read::<credential_management::Response>(&written, &[]),
        Some(0x0C) => read::<large_blobs::Response>(&written, &[]),
        _ => Value::Null,
    };
    let mut found = differences(&written, &read);
    let outputs = match request.first() {
        Some(0x01) => compare_outputs::<make_credential::ExtensionsOutput>(&written),
        Some(0x02 | 0x08) => compare_outputs::<get_assertion::ExtensionsOutput>(&written),
        _ => Vec::new(),
    };
    found.extend(outputs);
    found
}

/// Reads a map. Members, and items in them, that cannot be read beside the `required` members alone are left out.
fn read<T: DeserializeOwned + Serialize>(map: &Value, required: &[u8]) -> Value {
    if let Some(read) = decode::<T>(map) {
        return read;
    }
    let members = map.as_map().cloned().unwrap_or_default();
    let (mut kept, optional): (Vec<_>, Vec<_>) = members
        .into_iter()
        .partition(|(key, _)| required.iter().any(|required| *key == Value::from(*required)));
    let needed = kept.clone();
    let is_readable = |key: &Value, value: Value| {
        let alone = [&needed[..], &[(key.clone(), value)]].concat();
        decode::<T>(&Value::Map(alone)).is_some()
    };
    for (key, value) in optional {
        if is_readable(&key, value.clone()) {
            kept.push((key, value));
        } else if let Value::Array(mut items) = value {
            items.retain(|item| is_readable(&key, Value::Array(vec![item.clone()])));
            kept.push((key, Value::Array(items)));
        }
    }
    decode::<T>(&Value::Map(kept)).unwrap_or(Value::Null)
}

fn decode<T: DeserializeOwned + Serialize>(value: &Value) -> Option<Value> {
    let bytes = to_bytes(value);
    let read: Option<T> = cbor_deserialize(&bytes).ok();
    read.map(|read| written_again(&read))
}

/// The outputs of extensions in the authenticator data, which ctap-types itself does not take apart.
fn compare_outputs<T: DeserializeOwned + Serialize>(written: &Value) -> Vec<Difference> {
    let members = written.as_map().into_iter().flatten();
    let raw = members
        .clone()
        .find(|(key, _)| *key == Value::from(2))
        .map(|(_, raw)| raw);
    let raw = raw
        .and_then(Value::as_bytes)
        .expect("there is authenticator data");
    let data = auth_data::parse(raw.clone()).expect("our key's authenticator data");
    let Some(outputs) = data.extensions else {
        return Vec::new();
    };
    differences(&outputs, &decode::<T>(&outputs).unwrap_or(Value::Null))
}

pub(crate) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "does not read ES384 in algorithms",
        clause: "CTAP 2.3 §6.4 algorithms",
        why: "Any COSE algorithm may be there. Platforms pass over those that they do not know.",
        then: Then::GoOn,
        is_it: |found| is_of_info(found) && found.path().starts_with("10.{alg: -35,"),
    },
    Accepted {
        reference: "cannot read an extension that it does not know",
        clause: "CTAP 2.3 §6.4 extensions, §12.9",
        why: "Any identifier may be there. pinComplexityPolicy is new in CTAP 2.3.",
        then: Then::GoOn,
        is_it: |found| is_of_info(found) && found.is_at("2.pinComplexityPolicy"),
    },
    Accepted {
        reference: "does not read the option perCredMgmtRO",
        clause: "CTAP 2.3 §6.4 perCredMgmtRO",
        why: "It is new in CTAP 2.2, and tells whether the permission pcmr can be had.",
        then: Then::GoOn,
        is_it: |found| is_of_info(found) && found.is_at("4.perCredMgmtRO"),
    },
    Accepted {
        reference: "takes encIdentifier and encCredStoreState for texts",
        clause: "CTAP 2.3 §6.4 encIdentifier, encCredStoreState",
        why: "They are byte strings.",
        then: Then::GoOn,
        is_it: |found| is_of_info(found) && (found.is_at("25") || found.is_at("30")),
    },
];

fn is_of_info(found: &Found) -> bool {
    found.sent.first() == Some(&0x04) && found.only_ours_has_it()
}

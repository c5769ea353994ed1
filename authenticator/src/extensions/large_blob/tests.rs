use redb::backends::InMemoryBackend;
use wardkey_vault::CredentialId;

use super::*;
use crate::KeyKind;
use crate::cbor::Map;
use crate::command::MESSAGE_LEN_MAX;
use crate::config::Algorithms;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::testing::{Answer, Key, Members, algorithm, descriptors, map, option, resident};

/// The outputs beside authenticator data.
fn outputs(answer: &Answer) -> Map<'_> {
    let members = answer.members();
    match members.get(8_u64) {
        Some(Value::Map(outputs)) => match outputs.get("largeBlob") {
            Some(Value::Map(outputs)) => outputs.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn write(key: &mut Key, id: &[u8], data: &[u8]) -> bool {
    let input = map([
        ("write", Value::Bytes(data)),
        ("originalSize", Value::Unsigned(1)),
    ]);
    let request = Members::get_assertion()
        .with(3, descriptors([id]))
        .with(4, map([("largeBlob", input)]));
    let answer = key.cbor(&request.encode(0x02));
    outputs(&answer).get("written") == Some(&Value::Bool(true))
}

#[test]
fn the_longest_answer_fits_into_a_message() {
    let config = Config {
        algorithms: Algorithms::WithMlDsa,
        large_blobs: LargeBlobs::Extension,
        ..Key::config(KeyKind::Synced)
    };
    let mut key = Key::configured(config, InMemoryBackend::new(), 1);
    let name = "n".repeat(1000);
    let user = map([
        ("id", Value::Bytes(&[1; 64])),
        ("name", Value::Text(&name)),
        ("displayName", Value::Text(&name)),
    ]);
    let extensions = map([
        ("hmac-secret", Value::Bool(true)),
        ("credBlob", Value::Bytes(&[2; 64])),
        ("thirdPartyPayment", Value::Bool(true)),
        ("largeBlob", map([("support", Value::Text("required"))])),
    ]);
    let registration = key.register(
        &resident()
            .with(3, user)
            .with(4, Value::Array(vec![algorithm(-49)]))
            .with(6, extensions),
    );
    assert!(write(&mut key, &registration.id, &[3; LEN_MAX]));
    assert!(!write(&mut key, &registration.id, &[4; LEN_MAX + 1]));

    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let secret = key.agree(Protocol::Two).hmac_secret(&[5; 64]);
    let everything = map([
        ("hmac-secret", secret.value()),
        ("credBlob", Value::Bool(true)),
        ("thirdPartyPayment", Value::Bool(true)),
        ("largeBlob", map([("read", Value::Bool(true))])),
    ]);
    let request = Members::get_assertion()
        .with(4, everything)
        .with(5, option("uv", true));
    let answer = key.cbor_and(&request.encode(0x02), Gesture::Verified);
    assert_eq!(outputs(&answer).get("blob"), Some(&Value::Bytes(&[3; LEN_MAX])));
    assert!(answer.members().get(4_u64).is_some());
    assert_eq!(answer.outputs().unwrap().entries().len(), 3);
    // Nothing keeps the other kinds of ids from becoming as long as an id may be.
    let longest = answer.bytes.len() + CredentialId::LEN_MAX - registration.id.len();
    assert!(longest <= MESSAGE_LEN_MAX, "{longest}");
}

use sha2::{Digest, Sha256};
use wardkey_vault::CredentialId;

use super::*;
use crate::cbor::{self, Value};
use crate::command::MESSAGE_LEN_MAX;
use crate::config::{Aaguid, Algorithms, KeyKind};
use crate::gesture::Modality;
use crate::pin::built_in::Verifier;
use crate::testing::{
    Answer, CLIENT_DATA_HASH, Key, Members, RP_ID, algorithm, bytes_in, descriptors, map, option, resident,
    user, verifies,
};

fn answer_to(request: &Members<'_>) -> Answer {
    Key::new(KeyKind::Synced).cbor(&request.encode(0x01))
}

fn base() -> Members<'static> {
    Members::make_credential()
}

mod faults;
mod verification;

// Attestation and authenticator data

/// A key with every algorithm there is.
fn key_with_ml_dsa() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.authenticator.config.algorithms = Algorithms::WithMlDsa;
    key
}

fn wanting(identifiers: &[i64]) -> Members<'static> {
    base().with(
        4,
        Value::Array(identifiers.iter().copied().map(algorithm).collect()),
    )
}

#[test]
fn every_algorithm_is_attested_by_the_new_key_under_the_name_that_was_asked_for() {
    for identifier in [-7, -8, -9, -19, -35, -48, -49, -51] {
        for kept in [false, true] {
            let request = wanting(&[identifier]).with(7, option("rk", kept));
            let answer = key_with_ml_dsa().cbor(&request.encode(0x01));
            assert!(
                answer.bytes.len() <= MESSAGE_LEN_MAX,
                "{identifier}: {}",
                answer.bytes.len()
            );
            let auth_data = answer.bytes_of(2);
            let public_key = auth_data[55 + usize::from(auth_data[54])..].to_vec();
            let members = answer.members();
            assert_eq!(members.get(1_u64), Some(&Value::Text("packed")));
            let Some(Value::Map(statement)) = members.get(3_u64) else {
                panic!()
            };
            assert_eq!(statement.entries().len(), 2, "no x5c");
            assert_eq!(statement.get("alg"), Some(&Value::integer(identifier)));
            assert_eq!(named_in(&public_key), identifier);
            let message = [&auth_data[..], &CLIENT_DATA_HASH].concat();
            assert!(verifies(&public_key, &message, &bytes_in_text(statement, "sig")));
        }
    }
}

/// The `alg` of a COSE_Key.
fn named_in(cose_key: &[u8]) -> i64 {
    let Ok(Value::Map(key)) = cbor::decode(cose_key) else {
        panic!()
    };
    let Some(&Value::Negative(n)) = key.get(3_u64) else {
        panic!()
    };
    -1 - i64::try_from(n).unwrap()
}

fn bytes_in_text(map: &Map<'_>, name: &str) -> Vec<u8> {
    let Some(Value::Bytes(bytes)) = map.get(name) else {
        panic!()
    };
    bytes.to_vec()
}

#[test]
fn ml_dsa_is_made_only_where_it_is_switched_on() {
    let mut key = Key::new(KeyKind::Synced);
    let answer = key.cbor(&wanting(&[-48, -49]).encode(0x01));
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_ALGORITHM);
    let made = |key: &mut Key, identifiers: &[i64]| named_in(&key.register(&wanting(identifiers)).public_key);
    assert_eq!(made(&mut key, &[-49, -257, -35, -7]), -35);
    assert_eq!(made(&mut key_with_ml_dsa(), &[-49, -257, -35, -7]), -49);
}

#[test]
fn authenticator_data_names_site_model_and_credential() {
    for (kind, aaguid, flags) in [
        (KeyKind::Synced, Aaguid::SYNCED, 0x49),
        (KeyKind::DeviceBound, Aaguid::DEVICE_BOUND, 0x41),
    ] {
        let registration = Key::new(kind).register(&base());
        assert_eq!(registration.auth_data[..32], Sha256::digest(RP_ID)[..]);
        assert_eq!(registration.aaguid, aaguid.0);
        assert_eq!(registration.flags, flags);
        assert!(registration.id.len() >= 16);
    }
}

#[test]
fn a_synced_credential_never_counts_and_a_device_bound_one_always_does() {
    let mut synced = Key::new(KeyKind::Synced);
    assert_eq!([(); 2].map(|()| synced.register(&base()).signature_count), [0, 0]);
    let mut bound = Key::new(KeyKind::DeviceBound);
    assert_eq!([(); 2].map(|()| bound.register(&base()).signature_count), [1, 2]);
}

#[test]
fn attestation_none_is_given_only_if_nothing_else_is_wanted() {
    let wish = |formats: &[&'static str]| Value::Array(formats.iter().map(|f| Value::Text(f)).collect());
    for (preference, format) in [
        (wish(&["none"]), "none"),
        (wish(&[]), "packed"),
        (wish(&["packed"]), "packed"),
        (wish(&["tpm"]), "packed"),
        (wish(&["tpm", "none"]), "packed"),
        (wish(&["none", "packed"]), "packed"),
        (Value::Array(vec![Value::Unsigned(1)]), "packed"),
        (Value::Unsigned(1), "packed"),
    ] {
        assert_eq!(
            Key::new(KeyKind::Synced)
                .register(&base().with(11, preference))
                .format,
            format
        );
    }
    let answer = answer_to(&base().with(11, wish(&["none"])));
    assert_eq!(answer.members().get(3_u64), Some(&Value::Map(Map::default())));
}

#[test]
fn the_answer_has_no_member_that_nobody_asked_for() {
    let answer = answer_to(&base().with(
        6,
        map([("credProtect", Value::Unsigned(2)), ("unknown", Value::Null)]),
    ));
    let keys: Vec<_> = answer.members().entries().iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [1_u64, 2, 3].map(Into::into));
}

#[test]
fn the_same_randomness_gives_the_same_answer() {
    let answer = |seed| Key::seeded(KeyKind::Synced, seed).cbor(&resident().encode(0x01));
    assert_eq!(answer(1), answer(1));
    assert_ne!(answer(1), answer(2));
}

// Status codes, two faults each: the earlier step wins

#[test]
fn of_two_faults_the_earlier_step_answers() {
    use StatusCode as S;
    let unsupported = || Value::Array(vec![algorithm(-257)]);
    let proof = |members: Members<'static>| {
        members
            .with(8, Value::Bytes(&[1; 16]))
            .with(9, Value::Unsigned(3))
    };
    let too_many = || descriptors([&[9; 40][..]; 21]);
    for (faults, request, status) in [
        (
            "type, blink",
            base().with(7, Value::Null).with(8, Value::Bytes(&[])),
            S::CBOR_UNEXPECTED_TYPE,
        ),
        (
            "blink, algorithm",
            base().with(8, Value::Bytes(&[])).with(4, unsupported()),
            S::PIN_NOT_SET,
        ),
        (
            "proof, algorithm",
            proof(base().with(4, unsupported())),
            S::INVALID_PARAMETER,
        ),
        (
            "algorithm, option",
            base().with(4, unsupported()).with(7, option("up", false)),
            S::UNSUPPORTED_ALGORITHM,
        ),
        (
            "option, enterprise",
            base().with(7, option("up", false)).with(10, Value::Unsigned(1)),
            S::INVALID_OPTION,
        ),
        (
            "enterprise, list",
            base().with(10, Value::Unsigned(1)).with(5, too_many()),
            S::INVALID_PARAMETER,
        ),
    ] {
        assert_eq!(answer_to(&request).status(), status, "{faults}");
    }
}

#[test]
fn bytes_that_are_no_canonical_map_are_refused() {
    let mut key = Key::new(KeyKind::Synced);
    for (request, status) in [
        (&[0x01][..], StatusCode::MISSING_PARAMETER),
        (&[0x01, 0xA0], StatusCode::MISSING_PARAMETER),
        (&[0x01, 0x01], StatusCode::CBOR_UNEXPECTED_TYPE),
        (&[0x01, 0xA1], StatusCode::INVALID_CBOR),
        (&[0x01, 0xA0, 0x00], StatusCode::INVALID_CBOR),
        (&[0x01, 0xBF, 0xFF], StatusCode::INVALID_CBOR),
        (&[0x01, 0xA1, 0x02, 0x61, 0xFF], StatusCode::INVALID_CBOR),
    ] {
        assert_eq!(key.cbor(request).status(), status, "{request:02x?}");
    }
}

#[test]
fn a_name_that_is_not_utf8_is_invalid_cbor() {
    let mut request = base().encode(0x01);
    let at = request.windows(3).position(|window| window == b"Ali").unwrap();
    request[at] = 0xFF;
    assert_eq!(
        Key::new(KeyKind::Synced).cbor(&request).status(),
        StatusCode::INVALID_CBOR
    );
}

// The question and the gesture

#[test]
fn the_question_names_site_and_account() {
    assert_eq!(
        answer_to(&base()).prompt,
        Some(Prompt {
            rp_id: Some("example.org".to_owned()),
            rp_name: Some("Example".to_owned()),
            user_name: Some("ali@example.org".to_owned()),
            user_display_name: Some("Ali".to_owned()),
            ..Prompt::bare(Purpose::Register)
        })
    );
}

#[test]
fn nothing_hides_in_the_question() {
    let rp = map([
        ("id", Value::Text("evil.org\u{202E}gro.elgoog")),
        ("name", Value::Text("a\nb")),
    ]);
    let prompt = answer_to(&base().with(2, rp)).prompt.unwrap();
    assert_eq!(prompt.rp_id.as_deref(), Some("evil.org\u{FFFD}gro.elgoog"));
    assert_eq!(prompt.rp_name.as_deref(), Some("a\u{FFFD}b"));
}

#[test]
fn without_approval_nothing_is_made() {
    for (gesture, status) in [
        (Gesture::Declined, StatusCode::OPERATION_DENIED),
        (Gesture::TimedOut, StatusCode::OPERATION_DENIED),
        (Gesture::Cancelled, StatusCode::KEEPALIVE_CANCEL),
    ] {
        for request in [resident(), base().with(8, Value::Bytes(&[]))] {
            let mut key = Key::new(KeyKind::Synced);
            let answer = key.cbor_and(&request.encode(0x01), gesture.clone());
            assert_eq!(answer.bytes, [status.byte()]);
            assert!(key.authenticator.vault().is_empty());
        }
    }
}

// Keeping

#[test]
fn a_resident_credential_is_stored_with_all_that_was_said() {
    let mut key = Key::new(KeyKind::Synced);
    let registration = key.register(&resident().with(4, Value::Array(vec![algorithm(-8)])));
    let id = CredentialId::new(&registration.id).unwrap();
    let passkey = key.authenticator.vault().load(&id).unwrap().unwrap();
    assert_eq!(
        (passkey.rp_id.as_str(), passkey.rp_name.as_deref()),
        (RP_ID, Some("Example"))
    );
    assert_eq!(
        (passkey.user_id.as_slice(), passkey.user_name.as_deref()),
        (&b"ali"[..], Some("ali@example.org"))
    );
    assert_eq!(
        (passkey.user_display_name.as_deref(), passkey.algorithm),
        (Some("Ali"), -8)
    );
    assert_eq!(passkey.created_unix_ms, 1_800_000_005_000);
}

#[test]
fn only_a_resident_credential_is_stored() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&base());
    key.register(&base().with(7, option("rk", false)));
    assert_eq!(key.authenticator.vault().len(), 0);
    key.register(&resident());
    assert_eq!(key.authenticator.vault().len(), 1);
}

#[test]
fn the_same_account_replaces_its_credential() {
    let mut key = Key::new(KeyKind::Synced);
    let (first, second) = (key.register(&resident()), key.register(&resident()));
    assert_ne!(first.id, second.id);
    assert_ne!(first.public_key, second.public_key);
    assert_eq!(key.authenticator.vault().len(), 1);
    key.register(&resident().with(3, user(b"zoe")));
    assert_eq!(key.authenticator.vault().len(), 2);
}

#[test]
fn no_two_credentials_have_the_same_id() {
    let mut key = Key::new(KeyKind::Synced);
    let mut ids: Vec<_> = (0..10)
        .flat_map(|_| [key.register(&base()).id, key.register(&resident()).id])
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[test]
fn a_full_key_still_replaces_the_credential_of_an_account() {
    let mut key = Key::new(KeyKind::Synced);
    key.authenticator.credentials_max = 1;
    key.register(&resident());
    let answer = key.cbor(&resident().with(3, user(b"zoe")).encode(0x01));
    assert_eq!(answer.bytes, [StatusCode::KEY_STORE_FULL.byte()]);
    key.register(&base().with(3, user(b"zoe")));
    key.register(&resident());
    assert_eq!(key.authenticator.vault().len(), 1);
}

// Excluded credentials

#[test]
fn an_excluded_credential_is_told_whatever_the_user_does() {
    for request in [base(), resident()] {
        let mut key = Key::new(KeyKind::Synced);
        let id = key.register(&request).id;
        let again = base().with(5, descriptors([&[9; 40][..], &id])).encode(0x01);
        for (gesture, status) in [
            (Gesture::Approved, StatusCode::CREDENTIAL_EXCLUDED),
            (Gesture::Declined, StatusCode::CREDENTIAL_EXCLUDED),
            (Gesture::TimedOut, StatusCode::CREDENTIAL_EXCLUDED),
            (Gesture::Cancelled, StatusCode::KEEPALIVE_CANCEL),
        ] {
            let answer = key.cbor_and(&again, gesture);
            assert_eq!(answer.bytes, [status.byte()]);
            assert_eq!(answer.prompt.unwrap().purpose, Purpose::AlreadyRegistered);
        }
    }
}

#[test]
fn an_excluded_credential_counts_only_for_its_site_and_type() {
    for request in [base(), resident()] {
        let mut key = Key::new(KeyKind::Synced);
        let id = key.register(&request).id;
        let elsewhere = base()
            .with(2, map([("id", Value::Text("example.com"))]))
            .with(5, descriptors([&id[..]]));
        assert_eq!(key.cbor(&elsewhere.encode(0x01)).status(), StatusCode::OK);
        let other_type = map([("type", Value::Text("x")), ("id", Value::Bytes(&id))]);
        let other_type = base().with(5, Value::Array(vec![other_type]));
        assert_eq!(key.cbor(&other_type.encode(0x01)).status(), StatusCode::OK);
    }
}

#[test]
fn a_list_too_long_is_refused_before_anybody_is_verified() {
    let mut key = Key::new(KeyKind::Synced);
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let request = base()
        .with(5, descriptors([&[9; 40][..]; 21]))
        .with(7, option("uv", true));
    let answer = key.cbor(&request.encode(0x01));
    assert_eq!(
        (answer.prompt, answer.bytes),
        (None, vec![StatusCode::LIMIT_EXCEEDED.byte()])
    );
}

#[test]
fn another_key_s_credential_is_not_excluded() {
    let id = Key::seeded(KeyKind::Synced, 2).register(&base()).id;
    assert_eq!(
        answer_to(&base().with(5, descriptors([&id[..]]))).status(),
        StatusCode::OK
    );
}

// Requests that only make a key blink

#[test]
fn an_empty_proof_asks_for_a_touch_and_registers_nothing() {
    let mut key = Key::new(KeyKind::Synced);
    let answer = key.cbor(
        &resident()
            .with(8, Value::Bytes(&[]))
            .with(9, Value::Unsigned(1))
            .encode(0x01),
    );
    assert_eq!(answer.prompt, Some(Prompt::bare(Purpose::Identify)));
    assert_eq!(answer.status(), StatusCode::PIN_NOT_SET);
    assert!(key.authenticator.vault().is_empty());
}

#[test]
fn a_dummy_request_does_not_look_like_a_registration_and_leaves_nothing() {
    let empty = ClientDataHash::of(b"").0;
    let of_libfido2 = |members: Members<'static>| {
        members.with(2, map([("id", Value::Text("localhost"))])).with(
            3,
            map([("id", Value::Bytes(&[1])), ("name", Value::Text("dummy"))]),
        )
    };
    for request in [
        resident().with(2, map([("id", Value::Text(".dummy"))])),
        resident().with(2, map([("id", Value::Text("make.me.blink"))])),
        of_libfido2(resident()).with(1, Value::Bytes(&empty)),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        let answer = key.cbor(&request.encode(0x01));
        assert_eq!(answer.prompt, Some(Prompt::bare(Purpose::Identify)));
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(key.authenticator.vault().is_empty());
    }
    let developer = answer_to(&of_libfido2(resident()));
    assert_eq!(developer.prompt.unwrap().purpose, Purpose::Register);
}

#[test]
fn members_are_in_canonical_order() {
    let answer = answer_to(&base());
    assert_eq!(cbor::encode(&Value::Map(answer.members())), answer.bytes[1..]);
    let auth_data = bytes_in(&answer.members(), 2);
    assert!(cbor::decode(&auth_data[55 + usize::from(auth_data[54])..]).is_ok());
}

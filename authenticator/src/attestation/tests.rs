use wardkey_vault::Document;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::command::MESSAGE_LEN_MAX;
use crate::config::{Algorithms, Enterprise, KeyKind};
use crate::testing::{Answer, CLIENT_DATA_HASH, Key, Members, RP_ID, algorithm, verifies_p256};

const SERIAL: &str = "1.3.6.1.4.1.45724.1.1.2";
const AAGUID: &str = "1.3.6.1.4.1.45724.1.1.4";
const RESET: [u8; 1] = [0x07];
const ENABLE_ENTERPRISE_ATTESTATION: [u8; 4] = [0x0D, 0xA1, 0x01, 0x01];

fn base() -> Members<'static> {
    Members::make_credential()
}

fn root_of(key: &mut Key) -> Vec<u8> {
    key.authenticator.attestation_root().unwrap()
}

fn certifying_key() -> Key {
    let mut key = Key::new(KeyKind::DeviceBound);
    key.authenticator.config.attestation = Attestation::Authority;
    key
}

/// A key that supports enterprise attestation for a site that is named nowhere but here.
fn enterprise_key(rp_ids: &[&str]) -> Key {
    let mut key = Key::new(KeyKind::DeviceBound);
    key.authenticator.config.enterprise = Some(Enterprise {
        rp_ids: rp_ids.iter().map(|&id| id.to_owned()).collect(),
    });
    key
}

fn enable(key: &mut Key) {
    assert_eq!(key.cbor(&ENABLE_ENTERPRISE_ATTESTATION).status(), StatusCode::OK);
}

fn register(key: &mut Key, request: &Members<'_>) -> Answer {
    let answer = key.cbor(&request.encode(0x01));
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

fn asking_for_enterprise(kind: u64) -> Members<'static> {
    base().with(0x0A, Value::Unsigned(kind))
}

/// The certificate of a packed statement whose signature is by its key; `None` when it has no certificate.
fn certificate_in(answer: &Answer) -> Option<Vec<u8>> {
    let members = answer.members();
    assert_eq!(members.get(1_u64), Some(&Value::Text("packed")));
    let Some(Value::Map(statement)) = members.get(3_u64) else {
        panic!()
    };
    let [Value::Bytes(certificate)] = array_in(statement.get("x5c")?) else {
        panic!("not exactly one certificate")
    };
    assert_eq!(statement.entries().len(), 3);
    assert_eq!(statement.get("alg"), Some(&Value::integer(-7)));
    let Some(Value::Bytes(signature)) = statement.get("sig") else {
        panic!()
    };
    let message = [&answer.bytes_of(2)[..], &CLIENT_DATA_HASH].concat();
    assert!(verifies_p256(&point_in(certificate), &message, signature));
    Some(certificate.to_vec())
}

fn array_in<'s, 'a>(value: &'s Value<'a>) -> &'s [Value<'a>] {
    parameters::array(value).unwrap()
}

fn point_in(certificate: &[u8]) -> Vec<u8> {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    certificate.public_key().subject_public_key.data.to_vec()
}

/// Whether `certificate` is one that the authority has issued.
fn is_issued_by(certificate: &[u8], root: &[u8]) -> bool {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    let (_, issuer) = X509Certificate::from_der(root).unwrap();
    let message = parsed.tbs_certificate.as_ref();
    parsed.issuer().as_raw() == issuer.subject().as_raw()
        && verifies_p256(&point_in(root), message, &parsed.signature_value.data)
}

/// The last 16 bytes of a FIDO extension.
fn extension_in(certificate: &[u8], id: &str) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let mut extensions = certificate.extensions().iter();
    let extension = extensions.find(|extension| extension.oid.to_id_string() == id)?;
    Some(extension.value[extension.value.len() - 16..].to_vec())
}

// The authority

#[test]
fn a_certified_statement_leads_to_the_authority_and_names_the_model() {
    for identifier in [-7, -8, -35] {
        let mut key = certifying_key();
        let request = base().with(4, Value::Array(vec![algorithm(identifier)]));
        let answer = register(&mut key, &request);
        let certificate = certificate_in(&answer).unwrap();
        assert!(is_issued_by(&certificate, &root_of(&mut key)));
        let aaguid = answer.bytes_of(2)[37..53].to_vec();
        assert_eq!(extension_in(&certificate, AAGUID), Some(aaguid));
        assert_eq!(extension_in(&certificate, SERIAL), None);
        assert_eq!(answer.members().get(4_u64), None);
    }
}

#[test]
fn every_registration_has_an_attestation_key_of_its_own() {
    let mut key = certifying_key();
    let [first, second] = [(); 2].map(|()| certificate_in(&register(&mut key, &base())).unwrap());
    assert_ne!(point_in(&first), point_in(&second));
}

#[test]
fn without_an_authority_a_passkey_attests_itself_and_none_is_made() {
    let mut key = Key::new(KeyKind::DeviceBound);
    assert_eq!(certificate_in(&register(&mut key, &base())), None);
    let vault = &key.authenticator.vault;
    assert!(vault.document(Document::Attestation).unwrap().is_none());
}

#[test]
fn a_client_that_wants_no_attestation_gets_none_from_an_authority_either() {
    let mut key = certifying_key();
    let answer = register(
        &mut key,
        &base().with(0x0B, Value::Array(vec![Value::Text("none")])),
    );
    assert_eq!(answer.members().get(1_u64), Some(&Value::Text("none")));
    assert_eq!(answer.members().get(3_u64), Some(&Value::Map(Map::default())));
}

#[test]
fn an_authority_outlives_a_reset_and_is_one_for_each_installation() {
    let mut key = certifying_key();
    let root = root_of(&mut key);
    assert_eq!(key.cbor(&RESET).status(), StatusCode::OK);
    assert_eq!(root_of(&mut key), root);
    let certificate = certificate_in(&register(&mut key, &base())).unwrap();
    assert!(is_issued_by(&certificate, &root));
    let mut other = Key::seeded(KeyKind::DeviceBound, 2);
    assert_ne!(root_of(&mut other), root);
}

#[test]
fn the_longest_answer_fits_into_a_message() {
    let mut key = enterprise_key(&[]);
    enable(&mut key);
    key.authenticator.config.algorithms = Algorithms::WithMlDsa;
    let answer = register(
        &mut key,
        &asking_for_enterprise(PLATFORM_MANAGED).with(4, Value::Array(vec![algorithm(-49)])),
    );
    assert!(certificate_in(&answer).is_some());
    assert!((2000..=MESSAGE_LEN_MAX).contains(&answer.bytes.len()));
}

// Enterprise attestation, CTAP 2.3 §6.1.2 step 9

#[test]
fn ep_says_whether_enterprise_attestation_is_supported_and_switched_on() {
    let option = |key: &mut Key| {
        let answer = key.cbor(&[0x04]);
        let members = answer.members();
        let Some(Value::Map(options)) = members.get(0x04_u64) else {
            panic!()
        };
        options.get("ep").cloned().map(|ep| ep == Value::Bool(true))
    };
    assert_eq!(option(&mut Key::new(KeyKind::DeviceBound)), None);
    let mut key = enterprise_key(&[]);
    assert_eq!(option(&mut key), Some(false));
    enable(&mut key);
    enable(&mut key);
    assert_eq!(option(&mut key), Some(true));
    assert_eq!(key.cbor(&RESET).status(), StatusCode::OK);
    assert_eq!(option(&mut key), Some(false));
}

#[test]
fn what_is_not_supported_cannot_be_switched_on() {
    let mut key = Key::new(KeyKind::DeviceBound);
    let answer = key.cbor(&ENABLE_ENTERPRISE_ATTESTATION);
    assert_eq!(answer.bytes, [StatusCode::INVALID_SUBCOMMAND.byte()]);
    let commands = |key: &mut Key| {
        let answer = key.cbor(&[0x04]);
        array_in(answer.members().get(0x1F_u64).unwrap()).len()
    };
    assert_eq!((commands(&mut key), commands(&mut enterprise_key(&[]))), (3, 4));
}

#[test]
fn before_it_is_switched_on_every_kind_is_refused() {
    for mut key in [Key::new(KeyKind::DeviceBound), enterprise_key(&[RP_ID])] {
        for kind in [0, 1, 2, 3] {
            let answer = key.cbor(&asking_for_enterprise(kind).encode(0x01));
            assert_eq!(answer.status(), StatusCode::INVALID_PARAMETER, "{kind}");
        }
    }
}

#[test]
fn a_kind_that_there_is_not_is_refused() {
    let mut key = enterprise_key(&[RP_ID]);
    enable(&mut key);
    for kind in [0, 3, u64::MAX] {
        let answer = key.cbor(&asking_for_enterprise(kind).encode(0x01));
        assert_eq!(answer.status(), StatusCode::INVALID_OPTION, "{kind}");
    }
}

#[test]
fn who_may_ask_learns_which_key_it_is() {
    for (kind, rp_ids) in [
        (VENDOR_FACILITATED, &["other.example", RP_ID][..]),
        (PLATFORM_MANAGED, &[]),
    ] {
        let mut key = enterprise_key(rp_ids);
        enable(&mut key);
        let answer = register(&mut key, &asking_for_enterprise(kind));
        assert_eq!(answer.members().get(4_u64), Some(&Value::Bool(true)));
        let certificate = certificate_in(&answer).unwrap();
        assert!(is_issued_by(&certificate, &root_of(&mut key)));
        assert_eq!(
            extension_in(&certificate, AAGUID),
            Some(answer.bytes_of(2)[37..53].to_vec())
        );
        assert!(extension_in(&certificate, SERIAL).is_some());
    }
}

#[test]
fn a_site_that_is_not_on_the_list_gets_what_it_would_have_got() {
    for (attestation, is_certified) in [(Attestation::OfItself, false), (Attestation::Authority, true)] {
        let mut key = enterprise_key(&["other.example"]);
        key.authenticator.config.attestation = attestation;
        enable(&mut key);
        let answer = register(&mut key, &asking_for_enterprise(VENDOR_FACILITATED));
        assert_eq!(answer.members().get(4_u64), None);
        let certificate = certificate_in(&answer);
        assert_eq!(certificate.is_some(), is_certified);
        assert_eq!(
            certificate.and_then(|certificate| extension_in(&certificate, SERIAL)),
            None
        );
    }
}

#[test]
fn who_does_not_ask_learns_nothing() {
    let mut key = enterprise_key(&[RP_ID]);
    enable(&mut key);
    let answer = register(&mut key, &base());
    assert_eq!(
        (answer.members().get(4_u64), certificate_in(&answer)),
        (None, None)
    );
}

#[test]
fn the_serial_number_is_the_keys_own_and_outlives_a_reset() {
    let serial = |key: &mut Key| {
        enable(key);
        let answer = register(key, &asking_for_enterprise(PLATFORM_MANAGED));
        extension_in(&certificate_in(&answer).unwrap(), SERIAL).unwrap()
    };
    let mut key = enterprise_key(&[]);
    let first = serial(&mut key);
    assert_eq!(serial(&mut key), first);
    assert_eq!(key.cbor(&RESET).status(), StatusCode::OK);
    assert_eq!(serial(&mut key), first);
    let mut other = Key::seeded(KeyKind::DeviceBound, 2);
    other.authenticator.config.enterprise = Some(Enterprise::default());
    assert_ne!(serial(&mut other), first);
}

#[test]
fn to_ask_for_enterprise_attestation_is_more_than_to_wish_for_none() {
    let mut key = enterprise_key(&[]);
    enable(&mut key);
    let none = Value::Array(vec![Value::Text("none")]);
    let answer = register(
        &mut key,
        &asking_for_enterprise(PLATFORM_MANAGED).with(0x0B, none),
    );
    assert!(certificate_in(&answer).is_some());
    assert_eq!(answer.members().get(4_u64), Some(&Value::Bool(true)));
}

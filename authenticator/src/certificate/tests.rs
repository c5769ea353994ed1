use p256::ecdsa::SigningKey;
use x509_parser::oid_registry::asn1_rs::{FromDer, OctetString as Octets, Tag, oid};
use x509_parser::prelude::{ParsedExtension, X509Certificate, X509Version};

use super::*;
use crate::testing::{SeededRng, verifies_p256};

const MODEL: Aaguid = Aaguid::DEVICE_BOUND;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32].into()).unwrap()
}

/// What an independent parser makes of a certificate; nothing may follow it.
fn parsed(certificate: &[u8]) -> X509Certificate<'_> {
    let (rest, parsed) = X509Certificate::from_der(certificate).unwrap();
    assert!(rest.is_empty());
    parsed
}

/// Whether the certificate is for `key` and signed by `signer`, with ECDSA and SHA-256.
fn assert_certifies(certificate: &X509Certificate<'_>, key: &SigningKey, signer: &SigningKey) {
    let point = |key: &SigningKey| key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
    assert_eq!(certificate.public_key().subject_public_key.data[..], point(key));
    let ecdsa_with_sha256 = oid!(1.2.840.10045.4.3.2);
    assert_eq!(certificate.signature_algorithm.algorithm, ecdsa_with_sha256);
    assert_eq!(certificate.signature.algorithm, ecdsa_with_sha256);
    let (message, signature) = (
        certificate.tbs_certificate.as_ref(),
        &certificate.signature_value.data,
    );
    assert!(verifies_p256(&point(signer), message, signature));
    assert!(!verifies_p256(&point(&self::key(99)), message, signature));
}

/// The attributes of a name: object identifier, kind of string, text.
fn attributes(name: &x509_parser::x509::X509Name<'_>) -> Vec<(String, Tag, String)> {
    name.iter_attributes()
        .map(|attribute| {
            let value = attribute.attr_value();
            (
                attribute.attr_type().to_id_string(),
                value.tag(),
                attribute.as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn every_certificate_is_of_version_3_and_does_not_expire() {
    let mut rng = SeededRng::new(1);
    for certificate in [
        u2f(&mut rng, &key(1)),
        authority(&mut rng, &key(1)),
        attestation(&mut rng, &key(1), key(2).verifying_key(), MODEL, None),
    ] {
        let certificate = parsed(&certificate);
        assert_eq!(certificate.version(), X509Version::V3);
        assert_eq!(
            certificate.validity().not_before.to_string(),
            "Jan  1 00:00:00 2026 +00:00"
        );
        assert_eq!(
            certificate.validity().not_after.to_string(),
            "Dec 31 23:59:59 9999 +00:00"
        );
    }
}

#[test]
fn serial_numbers_are_random_and_positive() {
    let mut rng = SeededRng::new(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let certificate = u2f(&mut rng, &key(1));
        let serial = parsed(&certificate).raw_serial().to_vec();
        assert!(
            (17..=18).contains(&serial.len()) && serial[0] < 0x80,
            "{serial:02x?}"
        );
        assert!(seen.insert(serial));
    }
}

#[test]
fn a_u2f_certificate_says_nothing_but_whose_key_it_is() {
    let certificate = u2f(&mut SeededRng::new(1), &key(1));
    let certificate = parsed(&certificate);
    assert_certifies(&certificate, &key(1), &key(1));
    assert_eq!(certificate.subject().to_string(), "CN=wardkey U2F");
    assert_eq!(certificate.issuer(), certificate.subject());
    let [constraints] = certificate.extensions() else {
        panic!()
    };
    assert!(!constraints.critical);
    assert!(matches!(constraints.parsed_extension(), ParsedExtension::BasicConstraints(c) if !c.ca));
}

#[test]
fn an_authority_certifies_itself_and_may_certify_keys_only() {
    let certificate = authority(&mut SeededRng::new(1), &key(1));
    let certificate = parsed(&certificate);
    assert_certifies(&certificate, &key(1), &key(1));
    assert_eq!(certificate.issuer(), certificate.subject());
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign());
    assert_eq!(usage.value.flags.count_ones(), 1);
}

#[test]
fn two_authorities_have_two_names() {
    let subject = |number| {
        let certificate = authority(&mut SeededRng::new(1), &key(number));
        parsed(&certificate).subject().to_string()
    };
    assert_eq!(subject(1), subject(1));
    assert_ne!(subject(1), subject(2));
}

/// `WebAuthn L3 §8.2.1`.
#[test]
fn an_attestation_certificate_is_as_packed_attestation_wants_it() {
    let (mut rng, root, leaf) = (SeededRng::new(1), key(1), key(2));
    let certificate = attestation(&mut rng, &root, leaf.verifying_key(), MODEL, None);
    let certificate = parsed(&certificate);
    assert_certifies(&certificate, &leaf, &root);
    let attribute = |id: &str, tag, text: &str| (id.to_owned(), tag, text.to_owned());
    assert_eq!(
        attributes(certificate.subject()),
        [
            attribute("2.5.4.6", Tag::PrintableString, "ZZ"),
            attribute("2.5.4.10", Tag::Utf8String, "wardkey"),
            attribute("2.5.4.11", Tag::Utf8String, "Authenticator Attestation"),
            attribute("2.5.4.3", Tag::Utf8String, "wardkey"),
        ]
    );
    assert!(!certificate.basic_constraints().unwrap().unwrap().value.ca);
    assert_eq!(
        fido_extension(&certificate, "1.3.6.1.4.1.45724.1.1.4"),
        Some(MODEL.0.to_vec())
    );
    assert_eq!(fido_extension(&certificate, "1.3.6.1.4.1.45724.1.1.2"), None);
    assert_eq!(certificate.extensions().len(), 3);
}

/// `WebAuthn L3 §8.2.2`.
#[test]
fn an_enterprise_certificate_names_the_key_besides() {
    let certificate = attestation(
        &mut SeededRng::new(1),
        &key(1),
        key(2).verifying_key(),
        MODEL,
        Some([7; 16]),
    );
    let certificate = parsed(&certificate);
    assert_eq!(
        fido_extension(&certificate, "1.3.6.1.4.1.45724.1.1.4"),
        Some(MODEL.0.to_vec())
    );
    assert_eq!(
        fido_extension(&certificate, "1.3.6.1.4.1.45724.1.1.2"),
        Some(vec![7; 16])
    );
}

#[test]
fn an_attestation_certificate_leads_to_its_authority() {
    let mut rng = SeededRng::new(1);
    let root = authority(&mut rng, &key(1));
    let leaf = attestation(&mut rng, &key(1), key(2).verifying_key(), MODEL, None);
    let (root, leaf) = (parsed(&root), parsed(&leaf));
    assert_eq!(leaf.issuer().as_raw(), root.subject().as_raw());
    let key_of_root = root.iter_extensions().find_map(|extension| {
        if let ParsedExtension::SubjectKeyIdentifier(id) = extension.parsed_extension() {
            Some(id.0)
        } else {
            None
        }
    });
    let key_of_issuer = leaf.iter_extensions().find_map(|extension| {
        if let ParsedExtension::AuthorityKeyIdentifier(id) = extension.parsed_extension() {
            id.key_identifier.as_ref().map(|id| id.0)
        } else {
            None
        }
    });
    assert_eq!(key_of_root.map(<[u8]>::len), Some(20));
    assert_eq!(key_of_issuer, key_of_root);
}

/// The octets of an extension that is not critical.
fn fido_extension(certificate: &X509Certificate<'_>, id: &str) -> Option<Vec<u8>> {
    let extension = certificate
        .extensions()
        .iter()
        .find(|extension| extension.oid.to_id_string() == id)?;
    assert!(!extension.critical);
    let (rest, octets) = Octets::from_der(extension.value).unwrap();
    assert!(rest.is_empty());
    Some(octets.as_ref().to_vec())
}

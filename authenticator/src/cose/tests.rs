use super::*;

fn encoded(algorithm: Algorithm, value: KeyValue) -> Vec<u8> {
    PublicKey { algorithm, value }.encode()
}

#[test]
fn a_p256_key_has_its_five_members_in_order() {
    let key = || KeyValue::P256 {
        x: [0xAA; 32],
        y: [0xBB; 32],
    };
    for (algorithm, identifier) in [(Algorithm::Es256, 0x26), (Algorithm::Esp256, 0x28)] {
        let mut expected = vec![0xA5, 0x01, 0x02, 0x03, identifier, 0x20, 0x01, 0x21, 0x58, 0x20];
        expected.extend([0xAA; 32]);
        expected.extend([0x22, 0x58, 0x20]);
        expected.extend([0xBB; 32]);
        assert_eq!(encoded(algorithm, key()), expected);
    }
}

#[test]
fn a_p384_key_has_its_five_members_in_order() {
    let key = || KeyValue::P384 {
        x: [0xAA; 48],
        y: [0xBB; 48],
    };
    for (algorithm, identifier) in [(Algorithm::Es384, 0x22), (Algorithm::Esp384, 0x32)] {
        let mut expected = vec![
            0xA5, 0x01, 0x02, 0x03, 0x38, identifier, 0x20, 0x02, 0x21, 0x58, 0x30,
        ];
        expected.extend([0xAA; 48]);
        expected.extend([0x22, 0x58, 0x30]);
        expected.extend([0xBB; 48]);
        assert_eq!(encoded(algorithm, key()), expected);
    }
}

#[test]
fn an_ed25519_key_has_its_four_members_in_order() {
    for (algorithm, identifier) in [(Algorithm::EdDsa, 0x27), (Algorithm::Ed25519, 0x32)] {
        let mut expected = vec![0xA4, 0x01, 0x01, 0x03, identifier, 0x20, 0x06, 0x21, 0x58, 0x20];
        expected.extend([0xCC; 32]);
        assert_eq!(encoded(algorithm, KeyValue::Ed25519([0xCC; 32])), expected);
    }
}

#[test]
fn an_ml_dsa_key_has_its_three_members_in_order() {
    for (algorithm, identifier, length) in [
        (Algorithm::MlDsa44, 0x2F, 1312_u16),
        (Algorithm::MlDsa65, 0x30, 1952),
    ] {
        let key = vec![0xDD; usize::from(length)];
        let mut expected = vec![0xA3, 0x01, 0x07, 0x03, 0x38, identifier, 0x20, 0x59];
        expected.extend(length.to_be_bytes());
        expected.extend(&key);
        assert_eq!(encoded(algorithm, KeyValue::MlDsa(key)), expected);
    }
}

#[test]
fn every_algorithm_has_an_identifier_of_its_own_and_no_other_number_is_known() {
    let known = [-7, -8, -9, -19, -35, -48, -49, -51];
    for identifier in -300..300 {
        let algorithm = Algorithm::from_identifier(identifier);
        assert_eq!(
            algorithm.map(Algorithm::identifier),
            known.contains(&identifier).then_some(identifier)
        );
    }
    assert_eq!(Algorithm::ALL.len(), known.len());
}

#[test]
fn of_the_names_of_one_scheme_getinfo_has_one() {
    for algorithm in Algorithm::ALL {
        let advertised = Algorithm::ALL
            .into_iter()
            .filter(|other| other.scheme() == algorithm.scheme() && other.is_advertised());
        assert_eq!(advertised.count(), 1, "{algorithm:?}");
    }
}

use super::*;
use crate::testing::SeededRng;

fn authority() -> Authority {
    Authority::generate(&mut SeededRng::new(1))
}

#[test]
fn an_authority_comes_back_from_its_document() {
    let new = authority();
    let read = Authority::decode(&new.encode()).unwrap();
    assert_eq!(read.key.secret.expose_secret(), new.key.secret.expose_secret());
    assert_eq!((read.certificate, read.serial), (new.certificate, new.serial));
}

#[test]
fn what_is_not_an_authority_is_refused() {
    let document = authority().encode();
    assert!(Authority::decode(&[]).is_none());
    assert!(Authority::decode(&document[..document.len() - 1]).is_none());
    let Ok(Value::Map(members)) = cbor::decode(&document) else {
        panic!()
    };
    for (key, _) in members.entries() {
        let others = members.entries().iter().filter(|(other, _)| other != key);
        let without = Map::new(others.cloned());
        assert!(
            Authority::decode(&cbor::encode(&Value::Map(without))).is_none(),
            "{key:?}"
        );
    }
}

#[test]
fn a_document_whose_key_is_none_attests_nothing() {
    let mut authority = authority();
    authority.key.secret = SecretBytes::from_slice(&[0; 32]);
    let statement = authority.attest(
        &mut SeededRng::new(2),
        Aaguid::SYNCED,
        Disclosure::Model,
        b"message",
    );
    assert!(matches!(statement, Err(Error::Tampered)));
}

//! The reference authenticator and our client understand each other.

use ciborium::Value;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};

use super::*;
use crate::fido_client::{FidoClient, GetAssertion, MakeCredential, RelyingParty, User};

fn registration(rk: bool) -> MakeCredential {
    MakeCredential {
        client_data_hash: [7; 32],
        rp: RelyingParty {
            id: "a.example".into(),
            name: None,
        },
        user: User {
            id: vec![1, 2],
            name: Some("n".into()),
            display_name: None,
        },
        algorithms: vec![-7],
        rk: Some(rk),
        ..MakeCredential::default()
    }
}

fn verifying_key(cose: &Value) -> VerifyingKey {
    let member = |key: i64| {
        let members = cose.as_map().unwrap().iter();
        members
            .clone()
            .find(|(name, _)| *name == Value::from(key))
            .unwrap()
            .1
            .as_bytes()
            .unwrap()
            .clone()
    };
    let point = [vec![4], member(-2), member(-3)].concat();
    VerifyingKey::from_sec1_bytes(&point).unwrap()
}

#[test]
fn a_registration_and_a_login_verify() {
    with_reference(|reference| {
        let mut client = FidoClient::new(reference);
        assert_eq!(client.get_info().unwrap().option("rk"), Some(true));
        for rk in [false, true] {
            let attestation = client.make_credential(&registration(rk)).unwrap();
            let credential = attestation.auth_data.attested.unwrap();
            let allow_list = if rk {
                vec![]
            } else {
                vec![credential.credential_id]
            };
            let request = GetAssertion {
                rp_id: "a.example".into(),
                client_data_hash: [8; 32],
                allow_list,
                ..GetAssertion::default()
            };
            let assertion = client.get_assertion(&request).unwrap();
            let signed = [assertion.auth_data.raw.as_slice(), &[8; 32]].concat();
            let signature = DerSignature::try_from(assertion.signature.as_slice()).unwrap();
            verifying_key(&credential.public_key)
                .verify(&signed, &signature)
                .unwrap();
        }
    });
}

#[test]
fn u2f_is_answered() {
    with_reference(|reference| {
        let mut client = FidoClient::new(reference);
        assert_eq!(client.u2f_version().unwrap(), b"U2F_V2");
    });
}

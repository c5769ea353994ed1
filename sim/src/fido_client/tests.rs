//! Against scripted answers.

use std::collections::VecDeque;

use ciborium::{Value, cbor};
use sha2::Digest;

use super::*;

/// Keeps requests and gives answers in turn.
#[derive(Default)]
struct ScriptedKey {
    requests: Vec<Vec<u8>>,
    answers: VecDeque<Vec<u8>>,
}

impl ScriptedKey {
    fn answer(&mut self, request: &[u8]) -> Vec<u8> {
        self.requests.push(request.to_vec());
        self.answers.pop_front().unwrap()
    }
}

impl MessagePipe for ScriptedKey {
    fn cbor(
        &mut self,
        request: &[u8],
        _: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, hid_client::Error> {
        Ok(self.answer(request))
    }

    fn msg(&mut self, apdu: &[u8]) -> Result<Vec<u8>, hid_client::Error> {
        Ok(self.answer(apdu))
    }
}

fn client(answers: impl IntoIterator<Item = Vec<u8>>) -> FidoClient<ScriptedKey> {
    FidoClient::new(ScriptedKey {
        answers: answers.into_iter().collect(),
        requests: Vec::new(),
    })
}

fn ok(value: &Value) -> Vec<u8> {
    [vec![0], to_bytes(value)].concat()
}

fn request() -> MakeCredential {
    MakeCredential {
        client_data_hash: [7; 32],
        rp: RelyingParty {
            id: "a.example".into(),
            name: Some("A".into()),
        },
        user: User {
            id: vec![1],
            name: Some("n".into()),
            display_name: Some("d".into()),
        },
        algorithms: vec![-7, -8],
        ..MakeCredential::default()
    }
}

fn auth_data(flags: u8) -> Vec<u8> {
    [[3; 32].as_slice(), &[flags, 0, 0, 0, 5]].concat()
}

fn bytes(bytes: &[u8]) -> Value {
    Value::from(bytes)
}

#[test]
fn a_registration_is_asked_for_in_canonical_order() {
    let mut client = client([vec![0x27]]);
    let request = MakeCredential {
        rk: Some(true),
        exclude_list: vec![vec![9]],
        ..request()
    };
    assert!(matches!(
        client.make_credential(&request),
        Err(Error::Status(Status::OPERATION_DENIED))
    ));
    let mut expected = vec![0x01, 0xA6, 0x01, 0x58, 0x20];
    expected.extend([7; 32]);
    expected.extend(b"\x02\xA2\x62id\x69a.example\x64name\x61A");
    expected.extend(b"\x03\xA3\x62id\x41\x01\x64name\x61n\x6BdisplayName\x61d");
    expected.extend(b"\x04\x82\xA2\x63alg\x26\x64type\x6Apublic-key\xA2\x63alg\x27\x64type\x6Apublic-key");
    expected.extend(b"\x05\x81\xA2\x62id\x41\x09\x64type\x6Apublic-key");
    expected.extend(b"\x07\xA1\x62rk\xF5");
    assert_eq!(client.pipe_mut().requests, [expected]);
}

#[test]
fn an_assertion_is_asked_for_with_what_is_given_only() {
    let request = GetAssertion {
        rp_id: "a".into(),
        client_data_hash: [7; 32],
        ..GetAssertion::default()
    };
    assert_eq!(request.to_bytes()[..6], [0xA2, 0x01, 0x61, b'a', 0x02, 0x58]);
    let request = GetAssertion {
        up: Some(false),
        ..request
    };
    assert!(
        request
            .to_bytes()
            .ends_with(&[0x05, 0xA1, 0x62, b'u', b'p', 0xF4])
    );
}

#[test]
fn keys_are_ordered_by_type_then_length_then_bytes() {
    let value = cbor!({ "b" => 1, "aa" => 2, -1 => 3, 24 => 4, 5 => { "z" => 1, "y" => 2 } }).unwrap();
    let ordered = cbor!({ 5 => { "y" => 2, "z" => 1 }, 24 => 4, -1 => 3, "b" => 1, "aa" => 2 }).unwrap();
    assert_eq!(canonical(value), ordered);
}

#[test]
fn a_registration_is_read_and_its_object_is_canonical() {
    let data = [auth_data(0x41), vec![0xAA; 16], vec![0, 1, 9], vec![0xA0]].concat();
    let statement = cbor!({ "alg" => -7, "sig" => bytes(&[1, 2]) }).unwrap();
    let answer = cbor!({ 1 => "packed", 2 => bytes(&data), 3 => statement, 4 => false }).unwrap();
    let attestation = client([ok(&answer)]).make_credential(&request()).unwrap();
    assert_eq!(attestation.format, "packed");
    assert_eq!(
        attestation.auth_data.attested.as_ref().unwrap().credential_id,
        [9]
    );
    assert_eq!(attestation.more, [(Value::from(4), Value::from(false))]);
    let object = cbor!({ "fmt" => "packed", "attStmt" => statement, "authData" => bytes(&data) }).unwrap();
    assert_eq!(attestation.object(), to_bytes(&object));
}

#[test]
fn an_assertion_is_read() {
    let answer = cbor!({
        1 => { "id" => bytes(&[9]), "type" => "public-key" },
        2 => bytes(&auth_data(0x01)),
        3 => bytes(&[4, 4]),
        4 => { "id" => bytes(&[1]) },
        5 => 3,
    });
    let assertion = client([ok(&answer.unwrap())])
        .get_assertion(&GetAssertion::default())
        .unwrap();
    assert_eq!(assertion.credential_id, Some(vec![9]));
    assert_eq!(
        (assertion.auth_data.sign_count, assertion.signature),
        (5, vec![4, 4])
    );
    assert_eq!(
        assertion.user,
        Some(User {
            id: vec![1],
            ..User::default()
        })
    );
    assert_eq!(assertion.number_of_credentials, Some(3));
}

#[test]
fn a_missing_or_wrong_member_is_named() {
    let missing = cbor!({ 2 => bytes(&auth_data(1)) }).unwrap();
    let wrong = cbor!({ 2 => bytes(&auth_data(1)), 3 => "text" }).unwrap();
    for answer in [missing, wrong] {
        let error = client([ok(&answer)]).get_next_assertion().unwrap_err();
        assert!(matches!(error, Error::Member("signature")));
    }
}

#[test]
fn getinfo_is_read_and_kept_whole() {
    let answer = cbor!({
        1 => ["FIDO_2_0"],
        3 => bytes(&[0xAA; 16]),
        4 => { "rk" => true, "up" => true },
        10 => [{ "alg" => -7, "type" => "public-key" }],
        99 => "unknown",
    });
    let answer = answer.unwrap();
    let info = client([ok(&answer)]).get_info().unwrap();
    assert_eq!((info.option("rk"), info.option("uv")), (Some(true), None));
    assert_eq!(
        (info.message_len_max, info.algorithms.as_slice()),
        (1024, [-7].as_slice())
    );
    assert_eq!(info.raw, answer);
}

#[test]
fn an_answer_that_is_not_one_cbor_item_is_an_error() {
    for answer in [vec![0], vec![0, 0xA1], vec![0, 0xA0, 0xA0], vec![0, 0x01]] {
        assert!(matches!(client([answer]).get_info(), Err(Error::NotCbor)));
    }
    assert!(matches!(client([vec![]]).get_info(), Err(Error::Empty)));
}

#[test]
fn a_u2f_registration_is_polled_until_the_touch() {
    let mut answer = vec![0x05];
    answer.extend([4; 65]);
    answer.extend([2, 8, 8]);
    answer.extend([0x30, 0x82, 0x00, 0x01, 0xCC]);
    answer.extend([0x30, 0x00, 0x90, 0x00]);
    let mut client = client([vec![0x69, 0x85], answer]);
    let registration = client.u2f_register(&[1; 32], &[2; 32], 5).unwrap();
    assert_eq!(registration.key_handle, [8, 8]);
    assert_eq!(registration.certificate, [0x30, 0x82, 0x00, 0x01, 0xCC]);
    assert_eq!(registration.signature, [0x30, 0x00]);
    let requests = &client.pipe_mut().requests;
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0][..8], [0, 1, 3, 0, 0, 0, 64, 1]);
    assert_eq!(requests[0].len(), 7 + 64 + 2);
}

#[test]
fn check_only_is_asked_once_and_tells_the_status_word() {
    let mut client = client([vec![0x69, 0x85]]);
    let request = U2fAuthentication {
        challenge: &[1; 32],
        application: &[2; 32],
        key_handle: &[8, 8],
    };
    let error = client
        .u2f_authenticate(U2fControl::CheckOnly, &request, 5)
        .unwrap_err();
    assert!(matches!(
        error,
        Error::StatusWord(StatusWord::CONDITIONS_NOT_SATISFIED)
    ));
    assert_eq!(client.pipe_mut().requests[0][2], 0x07);
}

#[test]
fn a_u2f_signature_is_read() {
    let mut client = client([vec![1, 0, 0, 1, 0, 0x30, 0x00, 0x90, 0x00]]);
    let request = U2fAuthentication {
        challenge: &[1; 32],
        application: &[2; 32],
        key_handle: &[8],
    };
    let signature = client
        .u2f_authenticate(U2fControl::EnforcePresence, &request, 1)
        .unwrap();
    assert_eq!(
        signature,
        U2fSignature {
            user_presence: 1,
            counter: 256,
            signature: vec![0x30, 0x00]
        }
    );
}

#[test]
fn cut_u2f_answers_are_errors() {
    for answer in [vec![], vec![0x90], vec![0x90, 0x00], vec![0x05, 0x90, 0x00]] {
        assert!(client([answer]).u2f_register(&[1; 32], &[2; 32], 1).is_err());
    }
}

/// A token that authenticates with `[1; 32]`.
fn token() -> PinUvAuthToken {
    PinUvAuthToken::from_parts(PinProtocol::One, vec![1; 32])
}

#[test]
fn what_a_request_is_authorised_for_is_what_the_specification_names() {
    let authenticated = |parameters: &[u8], key: u8| {
        let mut members = from_bytes(parameters).unwrap().into_map().unwrap();
        members.retain(|(candidate, _)| *candidate == Value::from(key));
        members.pop().unwrap().1
    };
    let expected = |message: &[u8]| Value::from(token().authenticate(message));

    let metadata = CredentialManagement::GetCredsMetadata.to_bytes(Some(&token()));
    assert_eq!(authenticated(&metadata, 4), expected(&[0x01]));
    let credentials = CredentialManagement::EnumerateCredentialsBegin([9; 32]).to_bytes(Some(&token()));
    let message = [&[0x04, 0xA1, 0x01, 0x58, 32], [9; 32].as_slice()].concat();
    assert_eq!(authenticated(&credentials, 4), expected(&message));

    let toggle = Configuration::ToggleAlwaysUv.to_bytes(Some(&token()));
    let message = [[0xFF; 32].as_slice(), &[0x0D, 0x02]].concat();
    assert_eq!(authenticated(&toggle, 4), expected(&message));
    let length = Configuration::SetMinPinLength(MinPinLength {
        new_min_pin_length: Some(6),
        ..MinPinLength::default()
    });
    let message = [[0xFF; 32].as_slice(), &[0x0D, 0x03, 0xA1, 0x01, 0x06]].concat();
    assert_eq!(
        authenticated(&length.to_bytes(Some(&token())), 4),
        expected(&message)
    );

    let fragment = LargeBlobs::set(&[7; 3], 0x0102, 300).authorized_by(&token());
    let mut message = vec![0xFF; 32];
    message.extend([0x0C, 0x00, 0x02, 0x01, 0x00, 0x00]);
    message.extend(sha2::Sha256::digest([7; 3]));
    assert_eq!(authenticated(&fragment.to_bytes(), 5), expected(&message));
    assert_eq!(fragment.length, None);

    let registration = request().authorized_by(&token());
    assert_eq!(authenticated(&registration.to_bytes(), 8), expected(&[7; 32]));
    assert_eq!(authenticated(&registration.to_bytes(), 9), Value::from(1));
}

#[test]
fn large_blobs_are_written_and_read_in_fragments() {
    let serialized = serialize_large_blobs(&[0x80]);
    assert_eq!(
        serialized,
        b"\x80\x76\xbe\x8b\x52\x8d\x00\x75\xf7\xaa\xe9\x8d\x6f\xa5\x7a\x6d\x3c"
    );
    let config = |bytes: &[u8]| ok(&Value::Map(vec![(Value::from(1), Value::from(bytes))]));
    let mut reading = client([config(&serialized[..10]), config(&serialized[10..])]);
    assert_eq!(reading.read_large_blobs(10).unwrap(), serialized);
    let read: Vec<Vec<u8>> = [0, 10]
        .map(|offset| LargeBlobs::get(offset, 10).to_bytes())
        .into();
    let requests = &reading.pipe_mut().requests;
    assert_eq!(
        requests
            .iter()
            .map(|request| request[1..].to_vec())
            .collect::<Vec<_>>(),
        read
    );

    let mut writing = client([vec![0], vec![0]]);
    writing.write_large_blobs(None, &serialized, 10).unwrap();
    let written = [
        LargeBlobs::set(&serialized[..10], 0, 17),
        LargeBlobs::set(&serialized[10..], 10, 17),
    ];
    let requests = &writing.pipe_mut().requests;
    assert_eq!(
        requests
            .iter()
            .map(|request| request[1..].to_vec())
            .collect::<Vec<_>>(),
        written.map(|fragment| fragment.to_bytes())
    );
}

#[test]
fn tokens_are_decrypted_with_the_secret_they_were_asked_with() {
    let mut rng = Counting(0);
    let private_key = p256::SecretKey::from_slice(&[5; 32]).unwrap();
    let key = private_key.public_key().to_sec1_bytes();
    let key = Value::Map(vec![
        (Value::from(-2), bytes(&key[1..33])),
        (Value::from(-3), bytes(&key[33..])),
    ]);
    for protocol in PinProtocol::ALL {
        let secret = protocol.encapsulate(&key, &mut rng).unwrap();
        let answer = ClientPinAnswer {
            pin_uv_auth_token: Some(secret.encrypt(&[1; 32], &mut rng)),
            ..ClientPinAnswer::default()
        };
        let token = answer.token(&secret).unwrap();
        assert_eq!(token, PinUvAuthToken::from_parts(protocol, vec![1; 32]));
        assert!(ClientPinAnswer::default().token(&secret).is_err());
    }
}

/// Counts.
struct Counting(u8);

impl rand_core::TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("only bytes are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("only bytes are asked for")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Self::Error> {
        for byte in destination {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

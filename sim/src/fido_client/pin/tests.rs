//! Against the test vectors of the prf extension, WebAuthn L3 §16, which are the numbers of hmac-secret.

use std::convert::Infallible;

use hmac::{Hmac, KeyInit, Mac};
use rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::fido_client::{hmac_secret_input, hmac_secret_output};

const PLATFORM_PRIVATE_KEY: &str = "0971bc7fb1be48270adcd3d9a5fc15d5fb0f335b3071ff36a54c007fa6c76514";
const AUTHENTICATOR_X: &str = "a30522c2de402b561965c3cf949a1cab020c6f6ea36fcf7e911ac1a0f1515300";
const AUTHENTICATOR_Y: &str = "9961a929abdb2f42e6566771887d41484d889e735e3248518a53112d2b915f00";
const CRED_RANDOM: &str = "437e065e723a98b2f08f39d8baf7c53ecb3c363c5e5104bdaaf5d5ca2e028154";
const SALT_1: &str = "527413ebb48293772df30f031c5ac4650c7de14bf9498671ae163447b6a772b3";
const SALT_2: &str = "d68ac03329a10ee5e0ec834492bb9a96a0e547baf563bf78ccbe8789b22e776b";
const OUTPUT_1: &str = "3c33e07d202c3b029cc21f1722767021bf27d595933b3d2b6a1b9d5dddc77fae";
const OUTPUT_2: &str = "a62a8773b19cda90d7ed4ef72a80a804320dbd3997e2f663805ad1fd3293d50b";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
    bytes.map(|byte| u8::try_from(byte).unwrap()).collect()
}

/// Gives the bytes it was made of.
struct Scripted(Vec<u8>);

impl TryRng for Scripted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("only bytes are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("only bytes are asked for")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(destination.len());
        destination.copy_from_slice(&std::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}

fn authenticator_key() -> Value {
    let members = [
        (1, Value::from(2)),
        (3, Value::from(-25)),
        (-1, Value::from(1)),
        (-2, Value::from(hex(AUTHENTICATOR_X))),
        (-3, Value::from(hex(AUTHENTICATOR_Y))),
    ];
    Value::Map(members.map(|(key, value)| (Value::from(key), value)).into())
}

fn secret(protocol: PinProtocol) -> SharedSecret {
    protocol
        .encapsulate(&authenticator_key(), &mut Scripted(hex(PLATFORM_PRIVATE_KEY)))
        .unwrap()
}

/// What each party computes on its own; the vectors agree with one another.
#[test]
fn the_outputs_are_hmacs_of_the_salts() {
    for (salt, output) in [(SALT_1, OUTPUT_1), (SALT_2, OUTPUT_2)] {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&hex(CRED_RANDOM)).unwrap();
        hmac.update(&hex(salt));
        assert_eq!(hmac.finalize().into_bytes().to_vec(), hex(output));
    }
}

#[test]
fn both_protocols_derive_the_keys_of_the_vectors() {
    let one = secret(PinProtocol::One);
    let shared = "23e5ed7157c25892b77732fb9c8a107e3518800db2af4142f9f4adfacb771d39";
    assert_eq!(
        (one.keys.hmac.to_vec(), one.keys.aes.to_vec()),
        (hex(shared), hex(shared))
    );
    let two = secret(PinProtocol::Two);
    let shared = "0c63083de8170101d38bcf8bd72309568ddb4550867e23404b35d85712f7c20d\
                  8bc911ee23c06034cbc14290b9669bec07739053c5a416e313ef905c79955876";
    assert_eq!([two.keys.hmac, two.keys.aes].concat(), hex(shared));
}

/// Protocol, salts, what the platform sends, what the authenticator answers, the secrets in the answer.
type Exchange = (PinProtocol, Vec<u8>, &'static str, &'static str, Vec<[u8; 32]>);

fn exchanges() -> [Exchange; 3] {
    let output = |text| <[u8; 32]>::try_from(hex(text)).unwrap();
    [
        (
            PinProtocol::One,
            hex(SALT_1),
            "ab8c878bb05d04700f077ed91845ec9c503c925cb12b327ddbeb4243c397f913",
            "15d4e4f3f04109b492b575c1b38c28585b6719cf8d61304215108d939f37ccfb",
            vec![output(OUTPUT_1)],
        ),
        (
            PinProtocol::Two,
            hex(SALT_1),
            "23dde5e3462daf36559b85c4ac5f9656aa9bfd81c1dc2bf8533c8b9f38828547\
             86b4f500e25b4e3d81f7fc7c74236229",
            "3bfaa48f7952330d63e35ff8cd5bca48d2a12823828915749287256ab146272f\
             9fb437bf65691243c3f504bd7ea6d5e6",
            vec![output(OUTPUT_1)],
        ),
        (
            PinProtocol::Two,
            [hex(SALT_1), hex(SALT_2)].concat(),
            "d9f4236403e0fe843a8e4e5be764d120904c198ad6e77b089876a3391961f183\
             b0008b4ca66b91cd72aa35b6151ff981f6e5649f3c040e6615ad7dd8ae96ef23\
             b229a5c97c3f0dcd8605eee166ce163a",
            "90ee52f739043bc17b3488a74306d7801debb5b61f18662c648a25b5b5678ede\
             482cdaff99a537a44f064fcb10ce6e04dfd27619dc96a0daff8507e499296b1e\
             ecf0981f7c8518b277a7a3018f5ec6fb",
            vec![output(OUTPUT_1), output(OUTPUT_2)],
        ),
    ]
}

#[test]
fn salts_are_encrypted_and_secrets_decrypted_as_in_the_vectors() {
    for (protocol, salts, salt_enc, output_enc, outputs) in exchanges() {
        let secret = secret(protocol);
        let iv = hex(salt_enc)[..16].to_vec();
        let input = hmac_secret_input(&secret, &salts, &mut Scripted(iv));
        let member = |key: u8| {
            let members = input.as_map().unwrap();
            members
                .iter()
                .find(|(candidate, _)| *candidate == Value::from(key))
                .map(|(_, value)| value.clone())
        };
        assert_eq!(member(1).as_ref(), Some(secret.platform_key()));
        assert_eq!(member(2), Some(Value::from(hex(salt_enc))));
        assert_eq!(member(3), Some(Value::from(secret.authenticate(&hex(salt_enc)))));
        let number = (protocol == PinProtocol::Two).then(|| Value::from(2));
        assert_eq!(member(4), number);

        let output = Value::from(hex(output_enc));
        assert_eq!(hmac_secret_output(&secret, &output).unwrap(), outputs);
    }
}

#[test]
fn protocol_one_cuts_what_protocol_two_authenticates_with() {
    let token = |protocol| PinUvAuthToken::from_parts(protocol, vec![7; 32]);
    let [one, two] = PinProtocol::ALL.map(|protocol| token(protocol).authenticate(b"message"));
    assert_eq!((one.len(), two.len()), (16, 32));
    assert_eq!(one, two[..16]);
}

#[test]
fn a_key_that_is_no_point_of_the_curve_is_refused() {
    let mut off_the_curve = authenticator_key();
    let members = off_the_curve.as_map_mut().unwrap();
    members.pop();
    members.push((Value::from(-3), Value::from(vec![1; 32])));
    for key in [off_the_curve, Value::Map(Vec::new()), Value::Null] {
        let agreed = PinProtocol::One.encapsulate(&key, &mut Scripted(hex(PLATFORM_PRIVATE_KEY)));
        assert!(matches!(agreed, Err(Error::Member("keyAgreement"))));
    }
}

#[test]
fn what_is_not_whole_blocks_is_not_decrypted() {
    for protocol in PinProtocol::ALL {
        assert_eq!(secret(protocol).decrypt(&[0; 33]), None);
    }
    assert_eq!(secret(PinProtocol::Two).decrypt(&[0; 15]), None);
}

#[test]
fn an_output_has_one_or_two_secrets() {
    let secret = secret(PinProtocol::One);
    for (length, fits) in [
        (0, false),
        (16, false),
        (32, true),
        (48, false),
        (64, true),
        (96, false),
    ] {
        let output = hmac_secret_output(&secret, &Value::from(vec![0; length]));
        assert_eq!(output.is_ok(), fits, "{length}");
    }
}

#[test]
fn pins_are_padded_to_64_bytes() {
    assert_eq!(pad(b"1234"), [b"1234".as_slice(), &[0; 60]].concat());
    assert_eq!(
        (pad(&[1; 63]).len(), pad(&[1; 64]).len(), pad(&[1; 65]).len()),
        (64, 64, 128)
    );
    assert_eq!(hash(b"1234").len(), 16);
}

use StatusCode as S;
use wardkey_vault::{CredentialId, Profile};

use super::*;
use crate::cbor::{self, Map};
use crate::entity::RpId;
use crate::exchange;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::key_agreement::KeyAgreement;
use crate::testing::disk::Disk;
use crate::testing::platform::{Agreement, CoseKey, GA, HmacSecret, MC, PIN};
use crate::testing::prf_vectors as vectors;
use crate::testing::{
    Answer, Key, Members, RP_ID, SeededRng, VectorRng, descriptors, hex, map, option, resident, user,
};
use crate::{KeyKind, StatusCode};

const SALT_1: [u8; 32] = [0x51; 32];
const SALT_2: [u8; 32] = [0x52; 32];

fn salts() -> [Vec<u8>; 2] {
    [SALT_1.to_vec(), [SALT_1, SALT_2].concat()]
}

fn with_hmac_secret() -> Value<'static> {
    map([("hmac-secret", Value::Bool(true))])
}

fn output(answer: &Answer, name: &str) -> Vec<u8> {
    let outputs = answer.outputs().unwrap();
    match outputs.get(name) {
        Some(Value::Bytes(output)) => output.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Registers, with both extensions, and gives the id and the secret.
fn register(key: &mut Key, request: Members<'_>, protocol: Protocol, salts: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let agreement = key.agree(protocol);
    let input = agreement.hmac_secret(salts);
    let request = request.with(
        6,
        map([
            ("hmac-secret", Value::Bool(true)),
            ("hmac-secret-mc", input.value()),
        ]),
    );
    let answer = key.cbor(&request.encode(0x01));
    assert_eq!(answer.status(), S::OK);
    let outputs = answer.outputs().unwrap();
    assert_eq!(outputs.entries().len(), 2);
    assert_eq!(outputs.get("hmac-secret"), Some(&Value::Bool(true)));
    let auth_data = answer.bytes_of(2);
    let id = auth_data[55..55 + usize::from(auth_data[54])].to_vec();
    (id, agreement.decrypt(&output(&answer, "hmac-secret-mc")))
}

/// The secret at login, with user verification by token or without.
fn log_in(key: &mut Key, id: &[u8], protocol: Protocol, salts: &[u8], verified: bool) -> Vec<u8> {
    let token = verified.then(|| key.token_under(protocol, GA, None));
    let agreement = key.agree(protocol);
    let input = agreement.hmac_secret(salts);
    let request = Members::get_assertion()
        .with(3, descriptors([id]))
        .with(4, map([("hmac-secret", input.value())]));
    let request = token.map_or_else(
        || request.encode(0x02),
        |token| token.get_assertion(request.clone()),
    );
    let answer = key.cbor(&request);
    assert_eq!(answer.flags() & 0x04 != 0, verified);
    assert_eq!(answer.outputs().unwrap().entries().len(), 1);
    agreement.decrypt(&output(&answer, "hmac-secret"))
}

// The secrets

#[test]
fn the_outputs_are_those_of_the_vectors() {
    for verified in [false, true] {
        for (protocol, salt_enc, output_enc, outputs) in [
            (
                Protocol::One,
                vectors::one::ONE_SALT,
                vectors::one::ONE_OUTPUT,
                &[vectors::OUTPUT_1][..],
            ),
            (
                Protocol::Two,
                vectors::two::ONE_SALT,
                vectors::two::ONE_OUTPUT,
                &[vectors::OUTPUT_1],
            ),
            (
                Protocol::Two,
                vectors::two::TWO_SALTS,
                vectors::two::TWO_OUTPUTS,
                &[vectors::OUTPUT_1, vectors::OUTPUT_2],
            ),
        ] {
            let mut key = Key::new(KeyKind::Synced);
            let id = CredentialId::new(&key.register(&resident()).id).unwrap();
            // With user verification the first half counts, without it the second.
            let mut passkey = key.authenticator.vault().load(&id).unwrap().unwrap();
            let (mine, other) = (hex(vectors::CRED_RANDOM), vec![0; 32]);
            let both = if verified { [mine, other] } else { [other, mine] }.concat();
            passkey.cred_random = Secret::from_slice(&both);
            let vault = key.authenticator.vault_mut();
            assert!(vault.update(&mut SeededRng::new(6), &passkey, None).unwrap());
            let token = verified.then(|| {
                key.set_pin(PIN);
                key.token(GA, None)
            });
            key.authenticator.key_agreement = KeyAgreement::in_test(&vectors::authenticator_key());
            let agreement = key.agree_as(protocol, &vectors::platform_key());
            let input = HmacSecret {
                salt_auth: Some(agreement.mac(&hex(salt_enc))),
                salt_enc: Some(hex(salt_enc)),
                ..agreement.hmac_secret(&[])
            };
            let request = Members::get_assertion().with(4, map([("hmac-secret", input.value())]));
            let request = token.map_or_else(
                || request.encode(0x02),
                |token| token.get_assertion(request.clone()),
            );
            // The key's initialization vector, where the protocol has one.
            key.authenticator.rng = Box::new(VectorRng::new(&hex(output_enc)[..16]));
            let answer = key.cbor(&request);
            assert_eq!(output(&answer, "hmac-secret"), hex(output_enc), "{protocol:?}");
            assert_eq!(agreement.decrypt(&hex(output_enc)), hex(&outputs.concat()));
        }
    }
}

/// F-03 prf_equal_on_all_devices: a passkey that came into another key with a backup gives the same secrets, with user
/// verification and without. Mutation: CredRandom left out of the payload of a passkey.
#[test]
fn prf_equal_on_all_devices() {
    const PASSPHRASE: &str = "sel tag mun dor";
    let [mut here, mut there] = [1, 2].map(|seed| Key::seeded(KeyKind::Synced, seed));
    let (id, _) = register(&mut here, resident(), Protocol::Two, &SALT_1);
    let rng = &mut SeededRng::new(7);
    let cost = wardkey_vault::KdfCost::FLOOR;
    let leaving = exchange::leaving(here.authenticator.vault()).unwrap();
    let backup = wardkey_vault::export(&leaving.passkeys, PASSPHRASE, cost, 1, rng).unwrap();
    let passkeys = wardkey_vault::open_backup(&backup.bytes, PASSPHRASE).unwrap();
    let vault = there.authenticator.vault_mut();
    assert_eq!(vault.add(rng, &passkeys, |_| None).unwrap(), 1);
    let [of_here, of_there] = [&mut here, &mut there].map(|key| {
        key.set_pin(PIN);
        [false, true].map(|verified| log_in(key, &id, Protocol::Two, &SALT_1, verified))
    });
    assert_eq!(of_here, of_there);
    assert_ne!(of_here[0], of_here[1]);
}

/// F-06: and so does one that came through the exchange format. Mutation: `hmacCredentials` not read; its two secrets swapped
/// when they are read.
#[test]
fn hmac_secret_is_equal_after_an_exchange() {
    let [mut here, mut there] = [1, 2].map(|seed| Key::seeded(KeyKind::Synced, seed));
    let (id, _) = register(&mut here, resident(), Protocol::Two, &SALT_1);
    let rng = &mut SeededRng::new(7);
    let leaving = exchange::leaving(here.authenticator.vault()).unwrap();
    let written = exchange::write(&leaving.passkeys, 1, rng).unwrap();
    let found = exchange::read(&written.json, 1).ok().unwrap();
    let vault = there.authenticator.vault_mut();
    assert_eq!(vault.add(rng, &found.passkeys, |_| None).unwrap(), 1);
    let [of_here, of_there] = [&mut here, &mut there].map(|key| {
        key.set_pin(PIN);
        [false, true].map(|verified| log_in(key, &id, Protocol::Two, &SALT_1, verified))
    });
    assert_eq!(of_here, of_there);
    assert_ne!(of_here[0], of_here[1]);
}

#[test]
fn registration_and_login_give_the_same_secret() {
    for request in [Members::make_credential(), resident()] {
        for protocol in Protocol::ALL {
            for salts in salts() {
                let mut key = Key::new(KeyKind::Synced);
                let (id, secret) = register(&mut key, request.clone(), protocol, &salts);
                assert_eq!(secret.len(), salts.len());
                for login in Protocol::ALL {
                    assert_eq!(log_in(&mut key, &id, login, &salts, false), secret);
                }
            }
        }
    }
}

#[test]
fn with_user_verification_another_secret_comes_out() {
    for request in [Members::make_credential(), resident()] {
        let mut key = Key::new(KeyKind::Synced);
        let (id, without) = register(&mut key, request.clone(), Protocol::Two, &SALT_1);
        key.set_pin(PIN);
        let with = log_in(&mut key, &id, Protocol::Two, &SALT_1, true);
        assert_ne!(with, without);
        assert_eq!(log_in(&mut key, &id, Protocol::One, &SALT_1, true), with);
        assert_eq!(log_in(&mut key, &id, Protocol::Two, &SALT_1, false), without);
    }
}

#[test]
fn registration_with_user_verification_gives_the_secret_of_login_with_it() {
    for request in [Members::make_credential(), resident()] {
        let mut key = Key::new(KeyKind::Synced);
        key.set_pin(PIN);
        let token = key.token(MC, None);
        let agreement = key.agree(Protocol::Two);
        let input = agreement.hmac_secret(&SALT_1);
        let extensions = map([
            ("hmac-secret", Value::Bool(true)),
            ("hmac-secret-mc", input.value()),
        ]);
        let answer = key.cbor(&token.make_credential(request.with(6, extensions)));
        let secret = agreement.decrypt(&output(&answer, "hmac-secret-mc"));
        let auth_data = answer.bytes_of(2);
        let id = &auth_data[55..55 + usize::from(auth_data[54])];
        assert_eq!(log_in(&mut key, id, Protocol::One, &SALT_1, true), secret);
        assert_ne!(log_in(&mut key, id, Protocol::One, &SALT_1, false), secret);
    }
}

#[test]
fn salts_and_credentials_have_secrets_of_their_own() {
    let mut key = Key::new(KeyKind::Synced);
    let both = [SALT_1, SALT_2].concat();
    let (stored, _) = register(&mut key, resident(), Protocol::Two, &SALT_1);
    let (wrapped, _) = register(&mut key, Members::make_credential(), Protocol::Two, &SALT_1);
    let mut secrets = Vec::new();
    for id in [&stored, &wrapped] {
        let secret = log_in(&mut key, id, Protocol::Two, &both, false);
        assert_eq!(log_in(&mut key, id, Protocol::Two, &SALT_1, false), secret[..32]);
        assert_eq!(log_in(&mut key, id, Protocol::Two, &SALT_2, false), secret[32..]);
        secrets.extend(secret.chunks(32).map(<[u8]>::to_vec));
    }
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 4);
}

#[test]
fn a_secret_is_for_ever() {
    for request in [Members::make_credential(), resident()] {
        let disk = Disk::default();
        let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
        let (id, secret) = register(&mut key, request, Protocol::Two, &SALT_1);
        let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
        assert_eq!(log_in(&mut key, &id, Protocol::One, &SALT_1, false), secret);
    }
}

#[test]
fn a_credential_made_without_the_extension_has_secrets_too() {
    let mut key = Key::new(KeyKind::Synced);
    for request in [Members::make_credential(), resident()] {
        let id = key.register(&request).id;
        let secret = log_in(&mut key, &id, Protocol::Two, &SALT_1, false);
        assert_eq!(log_in(&mut key, &id, Protocol::Two, &SALT_1, false), secret);
    }
}

#[test]
fn a_credential_of_the_first_format_gives_no_secret() {
    let mut key = Key::new(KeyKind::Synced);
    let payload = [&[0x01, 0xFF, 0xFF, 0xFF, 0xF9][..], &[0x5A; 32]].concat();
    let rp = RpId(RP_ID.to_owned()).hash();
    let vault = key.authenticator.vault_mut();
    let id = vault
        .wrap(&mut SeededRng::new(4), &rp, Profile::Synced, &payload)
        .unwrap();
    let agreement = key.agree(Protocol::Two);
    let input = agreement.hmac_secret(&SALT_1);
    let request = Members::get_assertion()
        .with(3, descriptors([id.as_bytes()]))
        .with(4, map([("hmac-secret", input.value())]));
    let answer = key.cbor(&request.encode(0x02));
    assert_eq!((answer.status(), answer.outputs()), (S::OK, None));
}

#[test]
fn each_further_assertion_has_the_secret_of_its_credential() {
    let mut key = Key::new(KeyKind::Synced);
    let ids = [&b"one"[..], b"two", b"three"]
        .map(|id| register(&mut key, resident().with(3, user(id)), Protocol::Two, &SALT_1).0);
    let agreement = key.agree(Protocol::Two);
    let input = agreement.hmac_secret(&SALT_1);
    let request = Members::get_assertion().with(4, map([("hmac-secret", input.value())]));
    let answers = [
        key.cbor(&request.encode(0x02)),
        key.cbor(&[0x08]),
        key.cbor(&[0x08]),
    ];
    for (answer, id) in answers.iter().zip(ids.iter().rev()) {
        let secret = agreement.decrypt(&output(answer, "hmac-secret"));
        assert_eq!(secret, log_in(&mut key, id, Protocol::Two, &SALT_1, false));
    }
}

// What is asked for and what is not

#[test]
fn only_what_is_asked_for_is_put_out() {
    for (extensions, expected) in [
        (map([]), None),
        (map([("hmac-secret", Value::Bool(false))]), None),
        (
            with_hmac_secret(),
            Some(map([("hmac-secret", Value::Bool(true))])),
        ),
    ] {
        for request in [Members::make_credential(), resident()] {
            let request = request.with(6, extensions.clone());
            let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x01));
            assert_eq!(answer.outputs().map(Value::Map), expected);
        }
    }
    let mut key = Key::new(KeyKind::Synced);
    let request = resident().with(6, with_hmac_secret());
    key.register(&request);
    let answer = key.cbor(&Members::get_assertion().encode(0x02));
    assert_eq!(answer.outputs(), None);
}

#[test]
fn presence_is_required_also_of_who_is_verified() {
    let mut key = Key::new(KeyKind::Synced);
    register(&mut key, resident(), Protocol::Two, &SALT_1);
    let agreement = key.agree(Protocol::Two);
    let input = agreement.hmac_secret(&SALT_1);
    let request = |options| {
        Members::get_assertion()
            .with(4, map([("hmac-secret", input.value())]))
            .with(5, options)
    };
    let silent = request(option("up", false)).encode(0x02);
    assert_eq!(key.cbor(&silent).bytes, [S::UNSUPPORTED_OPTION.byte()]);
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let verified = request(map([("up", Value::Bool(false)), ("uv", Value::Bool(true))]));
    let answer = key.cbor_and(&verified.encode(0x02), Gesture::Verified);
    assert_eq!(answer.status(), S::UNSUPPORTED_OPTION);
}

// Faults

type Damage = fn(&Agreement, HmacSecret) -> HmacSecret;

const FAULTS: [(&str, Damage, StatusCode); 16] = [
    ("nothing wrong", |_, input| input, S::OK),
    (
        "no key",
        |_, input| HmacSecret {
            key_agreement: None,
            ..input
        },
        S::MISSING_PARAMETER,
    ),
    (
        "no salts",
        |_, input| HmacSecret {
            salt_enc: None,
            ..input
        },
        S::MISSING_PARAMETER,
    ),
    (
        "no MAC",
        |_, input| HmacSecret {
            salt_auth: None,
            ..input
        },
        S::MISSING_PARAMETER,
    ),
    (
        "protocol 0",
        |_, input| HmacSecret {
            protocol: Some(0),
            ..input
        },
        S::INVALID_PARAMETER,
    ),
    (
        "protocol 3",
        |_, input| HmacSecret {
            protocol: Some(3),
            ..input
        },
        S::INVALID_PARAMETER,
    ),
    (
        "the other protocol",
        |_, input| HmacSecret {
            protocol: input.protocol.map(|protocol| 3 - protocol),
            ..input
        },
        S::PIN_AUTH_INVALID,
    ),
    (
        "no such point",
        |agreement, input| off_the_curve(agreement, input),
        S::INVALID_PARAMETER,
    ),
    ("a wrong MAC", |_, input| wrong_mac(input), S::PIN_AUTH_INVALID),
    (
        "a short MAC",
        |_, input| HmacSecret {
            salt_auth: input.salt_auth.map(|mac| mac[1..].to_vec()),
            ..input
        },
        S::PIN_AUTH_INVALID,
    ),
    (
        "no salt",
        |agreement, _| agreement.hmac_secret(&[]),
        S::INVALID_PARAMETER,
    ),
    (
        "half a salt",
        |agreement, _| agreement.hmac_secret(&[1; 16]),
        S::INVALID_PARAMETER,
    ),
    (
        "a salt and a half",
        |agreement, _| agreement.hmac_secret(&[1; 48]),
        S::INVALID_PARAMETER,
    ),
    (
        "three salts",
        |agreement, _| agreement.hmac_secret(&[1; 96]),
        S::INVALID_PARAMETER,
    ),
    // Two at a time.
    (
        "no such point, a wrong MAC",
        |agreement, input| wrong_mac(off_the_curve(agreement, input)),
        S::INVALID_PARAMETER,
    ),
    (
        "a wrong MAC, half a salt",
        |agreement, _| wrong_mac(agreement.hmac_secret(&[1; 16])),
        S::PIN_AUTH_INVALID,
    ),
];

fn off_the_curve(agreement: &Agreement, input: HmacSecret) -> HmacSecret {
    HmacSecret {
        key_agreement: Some(CoseKey {
            y: agreement.key.x.clone(),
            ..agreement.key.clone()
        }),
        ..input
    }
}

fn wrong_mac(input: HmacSecret) -> HmacSecret {
    HmacSecret {
        salt_auth: input.salt_auth.map(|mac| vec![0; mac.len()]),
        ..input
    }
}

#[test]
fn every_fault_has_its_code_at_login_and_at_registration_and_nobody_is_asked() {
    for (name, damage, status) in FAULTS {
        for protocol in Protocol::ALL {
            let mut key = Key::new(KeyKind::Synced);
            key.register(&resident());
            let agreement = key.agree(protocol);
            let input = damage(&agreement, agreement.hmac_secret(&SALT_1));
            let at_login = Members::get_assertion().with(4, map([("hmac-secret", input.value())]));
            let at_registration = Members::make_credential().with(
                6,
                map([
                    ("hmac-secret", Value::Bool(true)),
                    ("hmac-secret-mc", input.value()),
                ]),
            );
            for request in [at_login.encode(0x02), at_registration.encode(0x01)] {
                let answer = key.cbor(&request);
                assert_eq!(answer.status(), status, "{name}");
                assert_eq!(answer.prompt.is_some(), status == S::OK, "{name}");
            }
        }
    }
}

#[test]
fn without_a_protocol_it_is_the_first() {
    for protocol in Protocol::ALL {
        let mut key = Key::new(KeyKind::Synced);
        key.register(&resident());
        let input = HmacSecret {
            protocol: None,
            ..key.agree(protocol).hmac_secret(&SALT_1)
        };
        let request = Members::get_assertion().with(4, map([("hmac-secret", input.value())]));
        let status = match protocol {
            Protocol::One => S::OK,
            Protocol::Two => S::PIN_AUTH_INVALID,
        };
        assert_eq!(key.cbor(&request.encode(0x02)).status(), status);
    }
}

#[test]
fn inputs_have_their_types() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    let input = key.agree(Protocol::Two).hmac_secret(&SALT_1);
    let Value::Map(members) = input.value() else {
        panic!()
    };
    let mut wrong: Vec<Value<'_>> = vec![Value::Bool(true), Value::Null, Value::Array(vec![])];
    wrong.extend((1..=4_u64).map(|member| {
        let mut members = members.clone();
        members.insert(member, Value::Bool(true));
        Value::Map(members)
    }));
    for input in wrong {
        let name = cbor::encode(&input);
        let at_login = Members::get_assertion().with(4, map([("hmac-secret", input.clone())]));
        assert_eq!(
            key.cbor(&at_login.encode(0x02)).status(),
            S::CBOR_UNEXPECTED_TYPE,
            "{name:02x?}"
        );
        let both = map([("hmac-secret", Value::Bool(true)), ("hmac-secret-mc", input)]);
        let at_registration = Members::make_credential().with(6, both);
        assert_eq!(
            key.cbor(&at_registration.encode(0x01)).status(),
            S::CBOR_UNEXPECTED_TYPE,
            "{name:02x?}"
        );
    }
    for input in [Value::Unsigned(1), Value::Map(Map::default()), Value::Null] {
        let request = Members::make_credential().with(6, map([("hmac-secret", input)]));
        assert_eq!(key.cbor(&request.encode(0x01)).status(), S::CBOR_UNEXPECTED_TYPE);
    }
}

#[test]
fn at_registration_the_secret_is_only_for_who_asks_for_hmac_secret_too() {
    for hmac_secret in [None, Some(false)] {
        let mut key = Key::new(KeyKind::Synced);
        let input = key.agree(Protocol::Two).hmac_secret(&SALT_1);
        let mut extensions = Map::new([("hmac-secret-mc", input.value())]);
        if let Some(wanted) = hmac_secret {
            extensions.insert("hmac-secret", Value::Bool(wanted));
        }
        let request = resident().with(6, Value::Map(extensions));
        let answer = key.cbor(&request.encode(0x01));
        assert_eq!(
            (answer.prompt, answer.bytes),
            (None, vec![S::MISSING_PARAMETER.byte()])
        );
        assert!(key.authenticator.vault().is_empty());
    }
}

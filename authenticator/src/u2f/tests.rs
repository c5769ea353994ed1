use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::cbor::Value;
use crate::config::KeyKind;
use crate::gesture::{Gesture, Purpose};
use crate::status::StatusCode;
use crate::testing::{
    Answer, CLIENT_DATA_HASH, Key, Members, RP_ID, algorithm, descriptors, map, option, verifies_p256,
};

const CHALLENGE: [u8; 32] = [0xC4; 32];

fn application() -> [u8; 32] {
    Sha256::digest(RP_ID).into()
}

/// An APDU with extended lengths.
fn apdu(instruction: u8, parameter_1: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&[0, instruction, parameter_1, 0, 0][..], &length, data, &[0, 0]].concat()
}

fn register_for(application: [u8; 32]) -> Vec<u8> {
    apdu(0x01, 0, &[CHALLENGE, application].concat())
}

fn authenticate(control: u8, application: &[u8; 32], handle: &[u8]) -> Vec<u8> {
    let length = u8::try_from(handle.len()).unwrap();
    apdu(
        0x02,
        control,
        &[&CHALLENGE[..], application, &[length], handle].concat(),
    )
}

fn status(answer: &Answer) -> [u8; 2] {
    *answer.bytes.last_chunk().unwrap()
}

struct Registered {
    point: Vec<u8>,
    handle: Vec<u8>,
    certificate: Vec<u8>,
    signature: Vec<u8>,
}

fn registered(answer: &Answer) -> Registered {
    assert_eq!(status(answer), [0x90, 0x00]);
    let data = &answer.bytes[..answer.bytes.len() - 2];
    assert_eq!(data[0], 0x05);
    let (point, rest) = data[1..].split_at(65);
    let (handle, rest) = rest[1..].split_at(usize::from(rest[0]));
    assert_eq!(rest[..2], [0x30, 0x82]);
    let certificate_length = 4 + usize::from(u16::from_be_bytes(rest[2..4].try_into().unwrap()));
    let (certificate, signature) = rest.split_at(certificate_length);
    Registered {
        point: point.to_vec(),
        handle: handle.to_vec(),
        certificate: certificate.to_vec(),
        signature: signature.to_vec(),
    }
}

fn key_and_registration() -> (Key, Registered) {
    let mut key = Key::new(KeyKind::Synced);
    let answer = key.msg(&register_for(application()));
    let registration = registered(&answer);
    (key, registration)
}

// Instructions and lengths

#[test]
fn the_version_is_u2f_v2_in_every_form_of_apdu() {
    let mut key = Key::new(KeyKind::Synced);
    for request in [
        &[0, 3, 0, 0][..],
        &[0, 3, 0, 0, 0],
        &[0, 3, 0, 0, 0, 0, 0],
        &[0, 3, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(key.msg(request).bytes, b"U2F_V2\x90\x00");
    }
    assert_eq!(key.msg(&apdu(3, 0, &[1])).bytes, [0x67, 0x00]);
}

#[test]
fn each_fault_has_its_status_word() {
    let mut key = Key::new(KeyKind::Synced);
    let short_handle = [&CHALLENGE[..], &application(), &[3, 1, 2]].concat();
    let long_handle = [&CHALLENGE[..], &application(), &[1, 1, 2]].concat();
    for (fault, request, status) in [
        ("nothing", vec![], [0x67, 0x00]),
        ("half a header", vec![0, 1], [0x67, 0x00]),
        ("another class", vec![0x80, 3, 0, 0], [0x6E, 0x00]),
        ("an unknown instruction", apdu(0x40, 0, &[]), [0x6D, 0x00]),
        ("register without data", apdu(1, 0, &[]), [0x67, 0x00]),
        ("register with 63 bytes", apdu(1, 0, &[0; 63]), [0x67, 0x00]),
        ("register with 65 bytes", apdu(1, 0, &[0; 65]), [0x67, 0x00]),
        ("authenticate without data", apdu(2, 3, &[]), [0x67, 0x00]),
        ("authenticate without handle", apdu(2, 3, &[0; 64]), [0x67, 0x00]),
        (
            "a handle that is too short",
            apdu(2, 3, &short_handle),
            [0x67, 0x00],
        ),
        (
            "a handle that is too long",
            apdu(2, 3, &long_handle),
            [0x67, 0x00],
        ),
        (
            "an empty handle",
            authenticate(3, &application(), &[]),
            [0x6A, 0x80],
        ),
        (
            "an unknown handle",
            authenticate(3, &application(), &[9; 75]),
            [0x6A, 0x80],
        ),
        (
            "an unknown control byte",
            authenticate(0, &application(), &[9; 75]),
            [0x6A, 0x86],
        ),
    ] {
        let answer = key.msg(&request);
        assert_eq!((answer.prompt, answer.bytes), (None, status.to_vec()), "{fault}");
    }
}

// Registration

#[test]
fn a_registration_is_signed_by_the_key_in_its_certificate() {
    let (_, registration) = key_and_registration();
    let Registered {
        point,
        handle,
        certificate,
        signature,
    } = registration;
    let message = [&[0][..], &application(), &CHALLENGE, &handle, &point].concat();
    assert!(verifies_p256(&point, &message, &signature));
    assert!(certificate.windows(65).any(|window| window == point));
}

#[test]
fn a_certificate_is_for_the_new_key_and_signed_by_it() {
    let Registered {
        point, certificate, ..
    } = key_and_registration().1;
    let (rest, certificate) = X509Certificate::from_der(&certificate).unwrap();
    assert!(rest.is_empty());
    assert_eq!(certificate.public_key().subject_public_key.data, point);
    let (message, signature) = (
        certificate.tbs_certificate.as_ref(),
        &certificate.signature_value.data,
    );
    assert!(verifies_p256(&point, message, signature));
}

#[test]
fn two_registrations_have_nothing_in_common_and_nothing_is_stored() {
    let (mut key, first) = key_and_registration();
    let second = registered(&key.msg(&register_for(application())));
    assert_ne!(first.point, second.point);
    assert_ne!(first.handle, second.handle);
    let serial = |certificate| {
        X509Certificate::from_der(certificate)
            .unwrap()
            .1
            .raw_serial()
            .to_vec()
    };
    assert_ne!(serial(&first.certificate), serial(&second.certificate));
    assert!(key.authenticator.vault().is_empty());
}

#[test]
fn the_user_is_asked_once_for_each_operation() {
    let (mut key, registration) = key_and_registration();
    let prompt = key.msg(&register_for(application())).prompt.unwrap();
    assert_eq!(prompt, Prompt::bare(Purpose::Register));
    let sign = authenticate(0x03, &application(), &registration.handle);
    assert_eq!(key.msg(&sign).prompt, Some(Prompt::bare(Purpose::SignIn)));
    assert_eq!(key.msg(&sign).prompt, Some(Prompt::bare(Purpose::SignIn)));
}

#[test]
fn bogus_registrations_only_identify_the_key() {
    for application in [[0xFF; 32], [0x41; 32]] {
        let answer = Key::new(KeyKind::Synced).msg(&register_for(application));
        assert_eq!(answer.prompt, Some(Prompt::bare(Purpose::Identify)));
        registered(&answer);
    }
}

#[test]
fn without_approval_the_host_is_told_to_ask_again() {
    let (mut key, registration) = key_and_registration();
    for gesture in [Gesture::Declined, Gesture::TimedOut, Gesture::Cancelled] {
        for request in [
            register_for(application()),
            authenticate(0x03, &application(), &registration.handle),
        ] {
            assert_eq!(key.msg_and(&request, gesture.clone()).bytes, [0x69, 0x85]);
        }
    }
}

// Authentication

#[test]
fn an_authentication_is_signed_with_presence_and_counter() {
    let (mut key, registration) = key_and_registration();
    let counts = [(0x03, 1), (0x03, 1), (0x08, 0), (0x03, 1)].map(|(control, presence)| {
        let answer = key.msg(&authenticate(control, &application(), &registration.handle));
        assert_eq!(answer.prompt.is_some(), presence == 1);
        assert_eq!(status(&answer), [0x90, 0x00]);
        let data = &answer.bytes[..answer.bytes.len() - 2];
        assert_eq!(data[0], presence);
        let message = [&application()[..], &data[..5], &CHALLENGE].concat();
        assert!(verifies_p256(&registration.point, &message, &data[5..]));
        u32::from_be_bytes(data[1..5].try_into().unwrap())
    });
    assert_eq!(counts, [1, 2, 3, 4]);
}

#[test]
fn check_only_never_asks_and_never_signs() {
    let (mut key, registration) = key_and_registration();
    let known = key.msg(&authenticate(0x07, &application(), &registration.handle));
    assert_eq!((known.prompt, known.bytes), (None, vec![0x69, 0x85]));
    let elsewhere = key.msg(&authenticate(0x07, &[9; 32], &registration.handle));
    assert_eq!((elsewhere.prompt, elsewhere.bytes), (None, vec![0x6A, 0x80]));
}

#[test]
fn a_handle_is_good_for_its_application_and_key_only() {
    let (mut key, registration) = key_and_registration();
    for control in [0x03, 0x07, 0x08] {
        let elsewhere = authenticate(control, &[9; 32], &registration.handle);
        assert_eq!(key.msg(&elsewhere).bytes, [0x6A, 0x80]);
        let here = authenticate(control, &application(), &registration.handle);
        assert_eq!(Key::seeded(KeyKind::Synced, 2).msg(&here).bytes, [0x6A, 0x80]);
    }
}

#[test]
fn a_reset_ends_every_handle() {
    let (mut key, registration) = key_and_registration();
    key.cbor(&[0x07]);
    let sign = authenticate(0x03, &application(), &registration.handle);
    assert_eq!(key.msg(&sign).bytes, [0x6A, 0x80]);
}

// With CTAP2

#[test]
fn a_u2f_key_signs_in_and_is_excluded_over_ctap2_and_stays_unsynced() {
    let (mut key, registration) = key_and_registration();
    let sign_in = Members::get_assertion().with(3, descriptors([&registration.handle[..]]));
    let answer = key.cbor(&sign_in.encode(0x02));
    let auth_data = answer.bytes_of(2);
    assert_eq!(auth_data[32..], [0x01, 0, 0, 0, 1]);
    let message = [&auth_data[..], &CLIENT_DATA_HASH].concat();
    assert!(verifies_p256(&registration.point, &message, &answer.bytes_of(3)));
    assert_eq!(answer.members().get(4_u64), None);
    let again = Members::make_credential().with(5, descriptors([&registration.handle[..]]));
    assert_eq!(
        key.cbor(&again.encode(0x01)).status(),
        StatusCode::CREDENTIAL_EXCLUDED
    );
}

#[test]
fn a_ctap2_credential_signs_over_u2f_if_it_is_device_bound_and_ecdsa() {
    for (kind, identifier, usable) in [
        (KeyKind::DeviceBound, -7, true),
        (KeyKind::DeviceBound, -8, false),
        (KeyKind::Synced, -7, false),
        (KeyKind::Synced, -8, false),
    ] {
        for kept in [false, true] {
            let mut key = Key::new(kind);
            let parameters = Value::Array(vec![algorithm(identifier)]);
            let id = key
                .register(
                    &Members::make_credential()
                        .with(4, parameters)
                        .with(7, option("rk", kept)),
                )
                .id;
            let answer = key.msg(&authenticate(0x03, &application(), &id));
            assert_eq!(status(&answer) == [0x90, 0x00], usable);
        }
    }
}

#[test]
fn a_credential_that_demands_user_verification_does_not_exist_for_u2f() {
    for (level, usable) in [(1, true), (2, true), (3, false)] {
        for kept in [false, true] {
            let mut key = Key::new(KeyKind::DeviceBound);
            let request = Members::make_credential()
                .with(6, map([("credProtect", Value::Unsigned(level))]))
                .with(7, option("rk", kept));
            let id = key.register(&request).id;
            for (control, found) in [(0x03, [0x90, 0x00]), (0x07, [0x69, 0x85]), (0x08, [0x90, 0x00])] {
                let answer = key.msg(&authenticate(control, &application(), &id));
                let expected = if usable { found } else { [0x6A, 0x80] };
                assert_eq!(status(&answer), expected, "{level} {kept} {control:02x}");
            }
        }
    }
}

#[test]
fn a_key_that_always_verifies_neither_registers_nor_signs() {
    let (mut key, Registered { handle, .. }) = key_and_registration();
    assert_eq!(key.cbor(&[0x0D, 0xA1, 0x01, 0x02]).status(), StatusCode::OK);
    let mut requests = vec![register_for(application())];
    requests.extend([0x03, 0x07, 0x08].map(|control| authenticate(control, &application(), &handle)));
    for request in &requests {
        let answer = key.msg(request);
        assert_eq!((answer.prompt, answer.bytes), (None, vec![0x69, 0x86]));
    }
    assert_eq!(status(&key.msg(&[0, 3, 0, 0])), [0x90, 0x00]);
    assert_eq!(key.cbor(&[0x0D, 0xA1, 0x01, 0x02]).status(), StatusCode::OK);
    for request in &requests {
        assert_ne!(status(&key.msg(request)), [0x69, 0x86]);
    }
}

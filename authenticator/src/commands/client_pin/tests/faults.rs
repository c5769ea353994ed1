//! One fault at a time, and two at a time, in the order of the steps.

use super::*;

/// A key in one of the states that matter to clientPIN.
#[derive(Debug, Clone, Copy)]
enum State {
    NoPin,
    Pin,
    /// Three wrong PINs in a row.
    PinAuthBlocked,
    /// Eight in all.
    PinBlocked,
}

impl State {
    fn key(self) -> Key {
        let rows = match self {
            Self::NoPin => return Key::new(KeyKind::Synced),
            Self::Pin => 0,
            Self::PinAuthBlocked => 1,
            Self::PinBlocked => 3,
        };
        let mut key = key_with_pin();
        for _ in 0..rows {
            key.authenticator.power_cycle(key.now);
            for _ in 0..3 {
                let _ = key.pin_token(Protocol::Two, "4321");
            }
        }
        key
    }
}

/// Something wrong with a request.
type Damage = fn(&Agreement, ClientPin) -> ClientPin;

const NOTHING: Damage = |_, request| request;
const NO_PROTOCOL: Damage = |_, request| ClientPin {
    protocol: None,
    ..request
};
const NO_KEY: Damage = |_, request| ClientPin {
    key_agreement: None,
    ..request
};
const NO_PARAM: Damage = |_, request| ClientPin {
    param: None,
    ..request
};
const NO_NEW_PIN: Damage = |_, request| ClientPin {
    new_pin: None,
    ..request
};
const NO_PIN_HASH: Damage = |_, request| ClientPin {
    pin_hash: None,
    ..request
};
const NO_PERMISSIONS: Damage = |_, request| ClientPin {
    permissions: None,
    ..request
};
const PROTOCOL_3: Damage = |_, request| ClientPin {
    protocol: Some(3),
    ..request
};
const OFF_THE_CURVE: Damage = |agreement, request| ClientPin {
    key_agreement: Some(CoseKey {
        y: agreement.key.x.clone(),
        ..agreement.key.clone()
    }),
    ..request
};
const BAD_PARAM: Damage = |_, request| ClientPin {
    param: request.param.map(|mut param| {
        param[0] ^= 1;
        param
    }),
    ..request
};
/// A new PIN that is authentic, and no whole number of blocks.
const BROKEN_NEW_PIN: Damage = |agreement, request| {
    let new_pin = vec![0; 65];
    let hash = request.pin_hash.clone().unwrap_or_default();
    ClientPin {
        param: Some(agreement.mac(&[&new_pin[..], &hash].concat())),
        new_pin: Some(new_pin),
        ..request
    }
};
/// A new PIN that is authentic and not padded to 64 bytes.
const UNPADDED_NEW_PIN: Damage = |agreement, request| {
    let new_pin = agreement.encrypt(&padded(PIN.as_bytes())[..48]);
    let hash = request.pin_hash.clone().unwrap_or_default();
    ClientPin {
        param: Some(agreement.mac(&[&new_pin[..], &hash].concat())),
        new_pin: Some(new_pin),
        ..request
    }
};
const WRONG_PIN: Damage = |agreement, request| {
    let wrong = agreement.pin_token("4321").pin_hash;
    let new_pin = request.new_pin.clone().unwrap_or_default();
    let hash = wrong.clone().unwrap_or_default();
    ClientPin {
        param: request
            .param
            .is_some()
            .then(|| agreement.mac(&[&new_pin[..], &hash].concat())),
        pin_hash: wrong,
        ..request
    }
};
const WITH_PERMISSIONS: Damage = |_, request| ClientPin {
    permissions: Some(GA),
    ..request
};
const WITH_RP_ID: Damage = |_, request| ClientPin {
    rp_id: Some(RP_ID),
    ..request
};
const PERMISSIONS_0: Damage = |_, request| ClientPin {
    permissions: Some(0),
    ..request
};
const UNAUTHORIZED: Damage = |_, request| ClientPin {
    permissions: Some(BE),
    ..request
};

/// What is wrong, the state of the key, the damage to the request, and what it is answered.
type Fault = (&'static str, State, &'static [Damage], StatusCode);

/// Sends `request`, damaged in these ways, to a key in that state, under each protocol.
fn check(request: fn(&Agreement) -> ClientPin, faults: &[Fault]) {
    for (name, state, damages, status) in faults {
        for protocol in Protocol::ALL {
            let mut key = state.key();
            let agreement = key.agree(protocol);
            let damaged = damages
                .iter()
                .fold(request(&agreement), |request, damage| damage(&agreement, request));
            let answer = key.cbor(&damaged.encode());
            assert_eq!(
                (answer.prompt.as_ref(), answer.status()),
                (None, *status),
                "{name}"
            );
            assert!(answer.bytes.len() == 1 || *status == S::OK, "{name}");
        }
    }
}

const SET_PIN: &[Fault] = &[
    ("nothing wrong", State::NoPin, &[NOTHING], S::OK),
    ("no protocol", State::NoPin, &[NO_PROTOCOL], S::MISSING_PARAMETER),
    ("no key", State::NoPin, &[NO_KEY], S::MISSING_PARAMETER),
    ("no new PIN", State::NoPin, &[NO_NEW_PIN], S::MISSING_PARAMETER),
    ("no param", State::NoPin, &[NO_PARAM], S::MISSING_PARAMETER),
    ("protocol 3", State::NoPin, &[PROTOCOL_3], S::INVALID_PARAMETER),
    ("a PIN", State::Pin, &[], S::PIN_AUTH_INVALID),
    (
        "no such point",
        State::NoPin,
        &[OFF_THE_CURVE],
        S::INVALID_PARAMETER,
    ),
    ("bad param", State::NoPin, &[BAD_PARAM], S::PIN_AUTH_INVALID),
    ("broken PIN", State::NoPin, &[BROKEN_NEW_PIN], S::PIN_AUTH_INVALID),
    (
        "48 bytes",
        State::NoPin,
        &[UNPADDED_NEW_PIN],
        S::INVALID_PARAMETER,
    ),
    // Two at a time.
    (
        "no key, protocol 3",
        State::NoPin,
        &[NO_KEY, PROTOCOL_3],
        S::MISSING_PARAMETER,
    ),
    ("no key, a PIN", State::Pin, &[NO_KEY], S::MISSING_PARAMETER),
    (
        "protocol 3, a PIN",
        State::Pin,
        &[PROTOCOL_3],
        S::INVALID_PARAMETER,
    ),
    (
        "a PIN, no such point",
        State::Pin,
        &[OFF_THE_CURVE],
        S::PIN_AUTH_INVALID,
    ),
    ("a PIN, blocked", State::PinBlocked, &[], S::PIN_AUTH_INVALID),
    (
        "no such point, bad param",
        State::NoPin,
        &[OFF_THE_CURVE, BAD_PARAM],
        S::INVALID_PARAMETER,
    ),
    (
        "bad param, 48 bytes",
        State::NoPin,
        &[UNPADDED_NEW_PIN, BAD_PARAM],
        S::PIN_AUTH_INVALID,
    ),
];

#[test]
fn of_set_pin() {
    check(|agreement| agreement.set_pin(PIN), SET_PIN);
}

const CHANGE_PIN: &[Fault] = &[
    ("nothing wrong", State::Pin, &[NOTHING], S::OK),
    ("no protocol", State::Pin, &[NO_PROTOCOL], S::MISSING_PARAMETER),
    ("no key", State::Pin, &[NO_KEY], S::MISSING_PARAMETER),
    ("no PIN hash", State::Pin, &[NO_PIN_HASH], S::MISSING_PARAMETER),
    ("no new PIN", State::Pin, &[NO_NEW_PIN], S::MISSING_PARAMETER),
    ("no param", State::Pin, &[NO_PARAM], S::MISSING_PARAMETER),
    ("protocol 3", State::Pin, &[PROTOCOL_3], S::INVALID_PARAMETER),
    ("no PIN", State::NoPin, &[], S::PIN_NOT_SET),
    ("a row of three", State::PinAuthBlocked, &[], S::PIN_AUTH_BLOCKED),
    ("eight in all", State::PinBlocked, &[], S::PIN_BLOCKED),
    (
        "no such point",
        State::Pin,
        &[OFF_THE_CURVE],
        S::INVALID_PARAMETER,
    ),
    ("bad param", State::Pin, &[BAD_PARAM], S::PIN_AUTH_INVALID),
    ("wrong PIN", State::Pin, &[WRONG_PIN], S::PIN_INVALID),
    ("broken PIN", State::Pin, &[BROKEN_NEW_PIN], S::PIN_AUTH_INVALID),
    ("48 bytes", State::Pin, &[UNPADDED_NEW_PIN], S::INVALID_PARAMETER),
    // Two at a time.
    (
        "no key, protocol 3",
        State::Pin,
        &[NO_KEY, PROTOCOL_3],
        S::MISSING_PARAMETER,
    ),
    ("no key, no PIN", State::NoPin, &[NO_KEY], S::MISSING_PARAMETER),
    (
        "protocol 3, no PIN",
        State::NoPin,
        &[PROTOCOL_3],
        S::INVALID_PARAMETER,
    ),
    (
        "protocol 3, blocked",
        State::PinBlocked,
        &[PROTOCOL_3],
        S::INVALID_PARAMETER,
    ),
    (
        "no PIN, no such point",
        State::NoPin,
        &[OFF_THE_CURVE],
        S::PIN_NOT_SET,
    ),
    (
        "blocked, no such point",
        State::PinBlocked,
        &[OFF_THE_CURVE],
        S::PIN_BLOCKED,
    ),
    (
        "row, bad param",
        State::PinAuthBlocked,
        &[BAD_PARAM],
        S::PIN_AUTH_BLOCKED,
    ),
    (
        "no such point, bad param",
        State::Pin,
        &[OFF_THE_CURVE, BAD_PARAM],
        S::INVALID_PARAMETER,
    ),
    (
        "bad param, wrong PIN",
        State::Pin,
        &[WRONG_PIN, BAD_PARAM],
        S::PIN_AUTH_INVALID,
    ),
    (
        "wrong PIN, 48 bytes",
        State::Pin,
        &[UNPADDED_NEW_PIN, WRONG_PIN],
        S::PIN_INVALID,
    ),
];

#[test]
fn of_change_pin() {
    check(|agreement| agreement.change_pin(PIN, "56789"), CHANGE_PIN);
}

const GET_PIN_TOKEN: &[Fault] = &[
    ("nothing wrong", State::Pin, &[NOTHING], S::OK),
    ("no protocol", State::Pin, &[NO_PROTOCOL], S::MISSING_PARAMETER),
    ("no key", State::Pin, &[NO_KEY], S::MISSING_PARAMETER),
    ("no PIN hash", State::Pin, &[NO_PIN_HASH], S::MISSING_PARAMETER),
    ("protocol 3", State::Pin, &[PROTOCOL_3], S::INVALID_PARAMETER),
    (
        "permissions",
        State::Pin,
        &[WITH_PERMISSIONS],
        S::INVALID_PARAMETER,
    ),
    (
        "no permissions",
        State::Pin,
        &[PERMISSIONS_0],
        S::INVALID_PARAMETER,
    ),
    ("a site", State::Pin, &[WITH_RP_ID], S::INVALID_PARAMETER),
    ("no PIN", State::NoPin, &[], S::PIN_NOT_SET),
    ("a row of three", State::PinAuthBlocked, &[], S::PIN_AUTH_BLOCKED),
    ("eight in all", State::PinBlocked, &[], S::PIN_BLOCKED),
    (
        "no such point",
        State::Pin,
        &[OFF_THE_CURVE],
        S::INVALID_PARAMETER,
    ),
    ("wrong PIN", State::Pin, &[WRONG_PIN], S::PIN_INVALID),
    // Two at a time.
    (
        "no key, permissions",
        State::Pin,
        &[NO_KEY, WITH_PERMISSIONS],
        S::MISSING_PARAMETER,
    ),
    (
        "permissions, no PIN",
        State::NoPin,
        &[WITH_PERMISSIONS],
        S::INVALID_PARAMETER,
    ),
    (
        "a site, blocked",
        State::PinBlocked,
        &[WITH_RP_ID],
        S::INVALID_PARAMETER,
    ),
    (
        "no PIN, no such point",
        State::NoPin,
        &[OFF_THE_CURVE],
        S::PIN_NOT_SET,
    ),
    (
        "blocked, no such point",
        State::PinBlocked,
        &[OFF_THE_CURVE],
        S::PIN_BLOCKED,
    ),
    (
        "no such point, wrong PIN",
        State::Pin,
        &[WRONG_PIN, OFF_THE_CURVE],
        S::INVALID_PARAMETER,
    ),
];

#[test]
fn of_get_pin_token() {
    check(|agreement| agreement.pin_token(PIN), GET_PIN_TOKEN);
}

const GET_TOKEN_USING_PIN: &[Fault] = &[
    ("nothing wrong", State::Pin, &[NOTHING], S::OK),
    ("with a site", State::Pin, &[WITH_RP_ID], S::OK),
    ("no protocol", State::Pin, &[NO_PROTOCOL], S::MISSING_PARAMETER),
    ("no key", State::Pin, &[NO_KEY], S::MISSING_PARAMETER),
    ("no PIN hash", State::Pin, &[NO_PIN_HASH], S::MISSING_PARAMETER),
    (
        "no permissions",
        State::Pin,
        &[NO_PERMISSIONS],
        S::MISSING_PARAMETER,
    ),
    ("protocol 3", State::Pin, &[PROTOCOL_3], S::INVALID_PARAMETER),
    (
        "permissions of 0",
        State::Pin,
        &[PERMISSIONS_0],
        S::INVALID_PARAMETER,
    ),
    (
        "unauthorized",
        State::Pin,
        &[UNAUTHORIZED],
        S::UNAUTHORIZED_PERMISSION,
    ),
    ("no PIN", State::NoPin, &[], S::PIN_NOT_SET),
    ("a row of three", State::PinAuthBlocked, &[], S::PIN_AUTH_BLOCKED),
    ("eight in all", State::PinBlocked, &[], S::PIN_BLOCKED),
    (
        "no such point",
        State::Pin,
        &[OFF_THE_CURVE],
        S::INVALID_PARAMETER,
    ),
    ("wrong PIN", State::Pin, &[WRONG_PIN], S::PIN_INVALID),
    // Two at a time.
    (
        "no key, permissions of 0",
        State::Pin,
        &[NO_KEY, PERMISSIONS_0],
        S::MISSING_PARAMETER,
    ),
    (
        "protocol 3, unauthorized",
        State::Pin,
        &[PROTOCOL_3, UNAUTHORIZED],
        S::INVALID_PARAMETER,
    ),
    (
        "permissions of 0, no PIN",
        State::NoPin,
        &[PERMISSIONS_0],
        S::INVALID_PARAMETER,
    ),
    (
        "unauthorized, no PIN",
        State::NoPin,
        &[UNAUTHORIZED],
        S::UNAUTHORIZED_PERMISSION,
    ),
    (
        "unauthorized, blocked",
        State::PinBlocked,
        &[UNAUTHORIZED],
        S::UNAUTHORIZED_PERMISSION,
    ),
    (
        "no PIN, no such point",
        State::NoPin,
        &[OFF_THE_CURVE],
        S::PIN_NOT_SET,
    ),
    (
        "row, no such point",
        State::PinAuthBlocked,
        &[OFF_THE_CURVE],
        S::PIN_AUTH_BLOCKED,
    ),
    (
        "no such point, wrong PIN",
        State::Pin,
        &[WRONG_PIN, OFF_THE_CURVE],
        S::INVALID_PARAMETER,
    ),
];

#[test]
fn of_get_token_using_pin() {
    check(|agreement| agreement.token(PIN, GA), GET_TOKEN_USING_PIN);
}

/// The states of built-in user verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Uv {
    Absent,
    NotSetUp,
    Ready,
    Blocked,
    BlockedNotSetUp,
}

impl Uv {
    fn key(self) -> Key {
        let mut key = key_with_fingerprint();
        while [Self::Blocked, Self::BlockedNotSetUp].contains(&self) && key.uv_retries() > 0 {
            let attempts = key.uv_retries().min(3).try_into().unwrap();
            let _ = key.token_by_uv(GA, vec![Gesture::NotVerified; attempts]);
        }
        let verifier = |ready| {
            Some(Verifier {
                modality: Modality::Fingerprint,
                ready,
            })
        };
        key.authenticator.set_verifier(match self {
            Self::Absent => None,
            Self::NotSetUp | Self::BlockedNotSetUp => verifier(false),
            Self::Ready | Self::Blocked => verifier(true),
        });
        key
    }
}

const GET_TOKEN_USING_UV: &[(&str, Uv, &[Damage], StatusCode)] = &[
    ("no verification", Uv::Absent, &[], S::INVALID_SUBCOMMAND),
    ("no protocol", Uv::Ready, &[NO_PROTOCOL], S::MISSING_PARAMETER),
    ("no key", Uv::Ready, &[NO_KEY], S::MISSING_PARAMETER),
    (
        "no permissions",
        Uv::Ready,
        &[NO_PERMISSIONS],
        S::MISSING_PARAMETER,
    ),
    ("protocol 3", Uv::Ready, &[PROTOCOL_3], S::INVALID_PARAMETER),
    (
        "permissions of 0",
        Uv::Ready,
        &[PERMISSIONS_0],
        S::INVALID_PARAMETER,
    ),
    (
        "unauthorized",
        Uv::Ready,
        &[UNAUTHORIZED],
        S::UNAUTHORIZED_PERMISSION,
    ),
    ("not set up", Uv::NotSetUp, &[], S::NOT_ALLOWED),
    ("blocked", Uv::Blocked, &[], S::UV_BLOCKED),
    ("no such point", Uv::Ready, &[OFF_THE_CURVE], S::INVALID_PARAMETER),
    // Two at a time.
    (
        "no verification, no key",
        Uv::Absent,
        &[NO_KEY],
        S::INVALID_SUBCOMMAND,
    ),
    (
        "protocol 3, unauthorized",
        Uv::Ready,
        &[PROTOCOL_3, UNAUTHORIZED],
        S::INVALID_PARAMETER,
    ),
    (
        "unauthorized, not set up",
        Uv::NotSetUp,
        &[UNAUTHORIZED],
        S::UNAUTHORIZED_PERMISSION,
    ),
    ("not set up, blocked", Uv::BlockedNotSetUp, &[], S::NOT_ALLOWED),
    (
        "not set up, no such point",
        Uv::NotSetUp,
        &[OFF_THE_CURVE],
        S::NOT_ALLOWED,
    ),
    (
        "blocked, no such point",
        Uv::Blocked,
        &[OFF_THE_CURVE],
        S::UV_BLOCKED,
    ),
];

#[test]
fn of_get_token_using_uv() {
    for (name, uv, damages, status) in GET_TOKEN_USING_UV {
        let mut key = uv.key();
        let agreement = key.agree(Protocol::Two);
        let request = damages.iter().fold(agreement.token_by_uv(GA), |request, damage| {
            damage(&agreement, request)
        });
        let answer = key.cbor(&request.encode());
        assert_eq!(
            (answer.prompt, answer.bytes),
            (None, vec![status.byte()]),
            "{name}"
        );
    }
}

#[test]
fn of_the_other_subcommands() {
    let with_protocol = |protocol| ClientPin {
        protocol,
        ..ClientPin::bare(0x02)
    };
    for (name, request, status) in [
        ("no subcommand", ClientPin::default(), S::MISSING_PARAMETER),
        ("subcommand 0", ClientPin::bare(0x00), S::INVALID_SUBCOMMAND),
        ("subcommand 8", ClientPin::bare(0x08), S::INVALID_SUBCOMMAND),
        ("subcommand 10", ClientPin::bare(0x0A), S::INVALID_SUBCOMMAND),
        (
            "subcommand 2^32 + 1",
            ClientPin::bare((1 << 32) + 1),
            S::INVALID_SUBCOMMAND,
        ),
        ("getPINRetries", ClientPin::bare(0x01), S::OK),
        ("getUVRetries", ClientPin::bare(0x07), S::INVALID_SUBCOMMAND),
        ("getKeyAgreement", with_protocol(Some(1)), S::OK),
        (
            "getKeyAgreement, no protocol",
            with_protocol(None),
            S::MISSING_PARAMETER,
        ),
        (
            "getKeyAgreement, protocol 0",
            with_protocol(Some(0)),
            S::INVALID_PARAMETER,
        ),
        (
            "getKeyAgreement, protocol 3",
            with_protocol(Some(3)),
            S::INVALID_PARAMETER,
        ),
    ] {
        let answer = Key::new(KeyKind::Synced).cbor(&request.encode());
        assert_eq!(answer.status(), status, "{name}");
    }
}

#[test]
fn every_parameter_has_its_type() {
    for key in [1, 2, 3, 4, 5, 6, 9, 10] {
        let request = ClientPin::bare(0x01);
        let members = request.members().with(key, Value::Bool(true));
        let answer = Key::new(KeyKind::Synced).cbor(&members.encode(0x06));
        assert_eq!(answer.status(), S::CBOR_UNEXPECTED_TYPE, "{key}");
    }
    let request = ClientPin::bare(0x01);
    let unknown = request.members().with(0x0B, Value::Bool(true));
    assert_eq!(
        Key::new(KeyKind::Synced).cbor(&unknown.encode(0x06)).status(),
        S::OK
    );
}

#[test]
fn a_key_that_is_no_point_of_p_256_is_refused() {
    let mut key = Key::new(KeyKind::Synced);
    let agreement = key.agree(Protocol::Two);
    let good = || agreement.key.clone();
    let with = |name: &'static str, key_agreement: CoseKey| (name, key_agreement);
    for (name, key_agreement) in [
        with("another type of key", CoseKey { kty: 1, ..good() }),
        with("another curve", CoseKey { crv: 2, ..good() }),
        with(
            "a short x",
            CoseKey {
                x: good().x[1..].to_vec(),
                ..good()
            },
        ),
        with(
            "a long y",
            CoseKey {
                y: [&good().y[..], &[0]].concat(),
                ..good()
            },
        ),
        with("no x", CoseKey { x: vec![], ..good() }),
        with(
            "zeros",
            CoseKey {
                x: vec![0; 32],
                y: vec![0; 32],
                ..good()
            },
        ),
        with(
            "x beyond the field",
            CoseKey {
                x: vec![0xFF; 32],
                ..good()
            },
        ),
        with(
            "y of another point",
            CoseKey {
                y: good().x,
                ..good()
            },
        ),
    ] {
        let request = ClientPin {
            key_agreement: Some(key_agreement),
            ..agreement.set_pin(PIN)
        };
        assert_eq!(
            key.cbor(&request.encode()).status(),
            S::INVALID_PARAMETER,
            "{name}"
        );
    }
    assert_eq!(key.cbor(&agreement.set_pin(PIN).encode()).status(), S::OK);
}

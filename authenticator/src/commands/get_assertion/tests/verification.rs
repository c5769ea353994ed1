//! Whatever protects the key, whatever a request proves and wants: what `CTAP 2.3 §6.2.2` makes of it.

use StatusCode as S;

use super::*;
use crate::gesture::Demand;
use crate::testing::platform::{LBW, MC, Proof, Protection, agree_to};

/// A request, as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Case {
    protection: Protection,
    proof: Proof,
    up: bool,
    uv: bool,
}

/// What is to come of it: the answer, the flags UP and UV, and what was asked.
#[derive(Debug, PartialEq, Eq)]
struct Course {
    status: StatusCode,
    flags: u8,
    asked: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Touch,
    Verification,
}

const UP: u8 = 0x01;
const UV: u8 = 0x04;

fn kind(prompt: &Prompt) -> Kind {
    match prompt.demand {
        Demand::Presence => Kind::Touch,
        Demand::Verification { .. } => Kind::Verification,
        Demand::VaultPin => panic!("{prompt:?}"),
    }
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        Protection::all().flat_map(|protection| {
            let proofs = Proof::ALL
                .into_iter()
                .filter(move |proof| proof.is_possible(protection));
            proofs.flat_map(move |proof| {
                [(false, false), (false, true), (true, false), (true, true)].map(|(up, uv)| Self {
                    protection,
                    proof,
                    up,
                    uv,
                })
            })
        })
    }

    /// The steps of the text, in their order.
    fn expected(self) -> Course {
        let Self {
            protection,
            proof,
            up,
            uv,
        } = self;
        let refused = |status| Course {
            status,
            flags: 0,
            asked: vec![],
        };
        let done = |flags, asked: &[Kind]| Course {
            status: S::OK,
            flags,
            asked: asked.to_vec(),
        };
        // Step 1.
        if proof == Proof::Empty {
            let status = if protection.pin {
                S::PIN_INVALID
            } else {
                S::PIN_NOT_SET
            };
            return Course {
                asked: vec![Kind::Touch],
                ..refused(status)
            };
        }
        // Step 4.
        let has_proof = proof != Proof::Absent;
        let mut uv = uv && !has_proof;
        if uv && !protection.fingerprint {
            return refused(S::INVALID_OPTION);
        }
        // Step 5.
        if protection.always_uv && up {
            if !protection.protects() {
                return refused(S::PUAT_REQUIRED);
            }
            uv |= !has_proof && protection.fingerprint;
            if !has_proof && !uv {
                return refused(S::PUAT_REQUIRED);
            }
        }
        // Steps 6, 8 and 9.
        let touched = |flags| match up {
            true => done(flags | UP, &[Kind::Touch]),
            false => done(flags, &[]),
        };
        if !protection.protects() {
            return touched(0);
        }
        match (proof, uv) {
            (Proof::Garbage, _) => refused(S::PIN_AUTH_INVALID),
            (Proof::ByPin, _) => touched(UV),
            (Proof::ByFinger, _) => done(if up { UP | UV } else { UV }, &[]),
            (Proof::Absent | Proof::Empty, true) => done(UP | UV, &[Kind::Verification]),
            (Proof::Absent | Proof::Empty, false) => touched(0),
        }
    }

    fn run(self) -> Course {
        let mut key = Key::new(KeyKind::Synced);
        key.register(&resident());
        self.protection.set(&mut key);
        let options = map([("up", Value::Bool(self.up)), ("uv", Value::Bool(self.uv))]);
        let request = base().with(5, options);
        let request = self.proof.encode(&mut key, request, [6, 7], 0x02);
        let (prompts, answer) = key.cbor_with(&request, agree_to);
        let status = answer.status();
        Course {
            status,
            flags: if status == S::OK {
                answer.flags() & (UP | UV)
            } else {
                0
            },
            asked: prompts.iter().map(kind).collect(),
        }
    }
}

#[test]
fn every_case_takes_the_course_of_the_text() {
    for case in Case::all() {
        assert_eq!(case.run(), case.expected(), "{case:?}");
    }
}

#[test]
fn names_are_told_to_who_was_verified_however() {
    for proof in Proof::ALL {
        for uv in [false, true] {
            let protection = Protection {
                pin: true,
                fingerprint: true,
                always_uv: false,
            };
            let mut key = Key::new(KeyKind::Synced);
            let id = key.register(&resident()).id;
            protection.set(&mut key);
            for request in [base(), base().with(3, descriptors([&id[..]]))] {
                let request = request.with(5, option("uv", uv));
                let request = proof.encode(&mut key, request, [6, 7], 0x02);
                let (_, answer) = key.cbor_with(&request, agree_to);
                if answer.status() == S::OK {
                    let verified = answer.flags() & UV != 0;
                    let only_id = map([("id", Value::Bytes(b"ali"))]);
                    let expected = if verified { user(b"ali") } else { only_id };
                    assert_eq!(answer.members().get(4_u64), Some(&expected));
                }
            }
        }
    }
}

// Tokens

fn key_with_pin() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    key.set_pin(PIN);
    key
}

#[test]
fn a_token_signs_in_once_and_looks_around_as_often_as_it_likes() {
    for then in [0x01, 0x02] {
        let mut key = key_with_pin();
        let ticket = key.token(MC | GA, None);
        let silent = ticket.get_assertion(base().with(5, option("up", false)));
        for _ in 0..3 {
            let answer = key.cbor(&silent);
            assert_eq!((answer.status(), answer.flags() & (UP | UV)), (S::OK, UV));
        }
        let request = match then {
            0x01 => ticket.make_credential(Members::make_credential()),
            _ => ticket.get_assertion(base()),
        };
        assert_eq!(key.cbor(&request).status(), S::OK);
        assert_eq!(key.cbor(&request).bytes, [S::PIN_AUTH_INVALID.byte()]);
        assert_eq!(key.cbor(&silent).bytes, [S::PIN_AUTH_INVALID.byte()]);
    }
}

#[test]
fn what_the_user_refuses_does_not_spend_the_token() {
    let mut key = key_with_pin();
    let ticket = key.token(GA, None);
    let request = ticket.get_assertion(base());
    for (gesture, status) in [
        (Gesture::Declined, S::OPERATION_DENIED),
        (Gesture::TimedOut, S::OPERATION_DENIED),
        (Gesture::Cancelled, S::KEEPALIVE_CANCEL),
        (Gesture::Approved, S::OK),
    ] {
        assert_eq!(key.cbor_and(&request, gesture).status(), status);
    }
}

#[test]
fn silent_use_leaves_the_presence_that_came_with_a_token() {
    let mut key = key_with_pin();
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let ticket = key.token_by_uv(GA, [Gesture::Verified]).unwrap();
    let silent = ticket.get_assertion(base().with(5, option("up", false)));
    assert_eq!(key.cbor(&silent).flags() & (UP | UV), UV);
    let (prompts, answer) = key.cbor_after(&ticket.get_assertion(base()), []);
    assert_eq!((prompts.len(), answer.flags() & (UP | UV)), (0, UP | UV));
}

#[test]
fn a_proof_is_of_this_client_data_with_this_permission_for_this_site() {
    for (name, permissions, rp_id, request, status) in [
        ("right", GA, None, base(), S::OK),
        ("for this site", GA, Some(RP_ID), base(), S::OK),
        (
            "for another site",
            GA,
            Some("example.com"),
            base(),
            S::PIN_AUTH_INVALID,
        ),
        (
            "other client data",
            GA,
            None,
            base().with(2, Value::Bytes(&[0xCC; 32])),
            S::PIN_AUTH_INVALID,
        ),
        ("for registrations", MC | LBW, None, base(), S::PIN_AUTH_INVALID),
    ] {
        let mut key = key_with_pin();
        let ticket = key.token(permissions, rp_id);
        let request = ticket.get_assertion(request);
        assert_eq!(key.cbor(&request).status(), status, "{name}");
    }
}

#[test]
fn a_proof_is_looked_at_before_the_credentials_and_after_the_options() {
    let mut key = key_with_pin();
    let garbage = |request| Proof::Garbage.encode(&mut Key::new(KeyKind::Synced), request, [6, 7], 0x02);
    let nobody = base().with(1, Value::Text("example.com"));
    assert_eq!(key.cbor(&garbage(nobody)).status(), S::PIN_AUTH_INVALID);
    let rk = base().with(5, option("rk", true));
    assert_eq!(key.cbor(&garbage(rk)).status(), S::UNSUPPORTED_OPTION);
    let bad_extension = base().with(4, map([("largeBlobKey", Value::Bool(false))]));
    assert_eq!(key.cbor(&garbage(bad_extension)).status(), S::PIN_AUTH_INVALID);
    let bad_extension = base()
        .with(1, Value::Text("example.com"))
        .with(4, map([("largeBlobKey", Value::Bool(false))]));
    assert_eq!(key.cbor(&bad_extension.encode(0x02)).status(), S::NO_CREDENTIALS);
}

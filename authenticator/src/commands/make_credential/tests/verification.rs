//! Whatever protects the key, whatever a request proves and wants: what `CTAP 2.3 §6.1.2` makes of it.

use StatusCode as S;

use super::*;
use crate::gesture::Demand;
use crate::pin::protocol::Protocol;
use crate::testing::platform::{GA, LBW, MC, PIN, Proof, Protection, agree_to};

/// A request, as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Case {
    protection: Protection,
    proof: Proof,
    rk: bool,
    uv: bool,
}

/// What is to come of it: the answer, whether authenticator data says that the user was verified, and what was asked.
#[derive(Debug, PartialEq, Eq)]
struct Course {
    status: StatusCode,
    verified: bool,
    asked: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Touch,
    Verification,
}

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
                [(false, false), (false, true), (true, false), (true, true)].map(|(rk, uv)| Self {
                    protection,
                    proof,
                    rk,
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
            rk,
            uv,
        } = self;
        let refused = |status| Course {
            status,
            verified: false,
            asked: vec![],
        };
        let done = |verified, asked: &[Kind]| Course {
            status: S::OK,
            verified,
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
        // Step 5.
        let has_proof = proof != Proof::Absent;
        let mut uv = uv && !has_proof;
        if uv && !protection.fingerprint {
            return refused(S::INVALID_OPTION);
        }
        if protection.always_uv {
            // Step 6.
            if !protection.protects() {
                return refused(S::PUAT_REQUIRED);
            }
            uv |= !has_proof && protection.fingerprint;
            if !has_proof && !uv {
                return refused(S::PUAT_REQUIRED);
            }
        } else if protection.protects() && !uv && !has_proof && rk {
            // Step 7.
            return refused(if protection.pin {
                S::PUAT_REQUIRED
            } else {
                S::OPERATION_DENIED
            });
        }
        // Step 11.
        if !protection.protects() {
            return done(false, &[Kind::Touch]);
        }
        match (proof, uv) {
            (Proof::Garbage, _) => refused(S::PIN_AUTH_INVALID),
            (Proof::ByPin, _) => done(true, &[Kind::Touch]),
            (Proof::ByFinger, _) => done(true, &[]),
            (Proof::Absent | Proof::Empty, true) => done(true, &[Kind::Verification]),
            (Proof::Absent | Proof::Empty, false) => done(false, &[Kind::Touch]),
        }
    }

    fn run(self) -> Course {
        let mut key = Key::new(KeyKind::Synced);
        self.protection.set(&mut key);
        let options = map([("rk", Value::Bool(self.rk)), ("uv", Value::Bool(self.uv))]);
        let request = base().with(7, options);
        let request = self.proof.encode(&mut key, request, [8, 9], 0x01);
        let (prompts, answer) = key.cbor_with(&request, agree_to);
        let status = answer.status();
        let stored = usize::from(self.rk && status == S::OK);
        assert_eq!(key.authenticator.vault().len(), stored, "{self:?}");
        if status == S::OK {
            assert_eq!(answer.flags() & 0x01, 0x01, "{self:?}");
        }
        Course {
            status,
            verified: status == S::OK && answer.flags() & 0x04 != 0,
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

// Tokens

fn key_with_pin() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    key
}

#[test]
fn a_token_registers_once() {
    let mut key = key_with_pin();
    for protocol in Protocol::ALL {
        let ticket = key.token_under(protocol, MC | GA, None);
        let request = ticket.make_credential(resident());
        assert_eq!(key.cbor(&request).status(), S::OK);
        assert_eq!(key.cbor(&request).bytes, [S::PIN_AUTH_INVALID.byte()]);
        let login = ticket.get_assertion(Members::get_assertion());
        assert_eq!(key.cbor(&login).bytes, [S::PIN_AUTH_INVALID.byte()]);
    }
}

#[test]
fn a_registration_without_proof_spends_the_token_of_whoever_has_one() {
    let mut key = key_with_pin();
    let ticket = key.token(MC | GA, None);
    key.register(&base());
    let request = ticket.make_credential(base());
    assert_eq!(key.cbor(&request).status(), S::PIN_AUTH_INVALID);
}

#[test]
fn what_the_user_refuses_does_not_spend_the_token() {
    let mut key = key_with_pin();
    let ticket = key.token(MC, None);
    let request = ticket.make_credential(base());
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
fn a_proof_is_of_this_client_data_with_this_permission_for_this_site() {
    let elsewhere = || base().with(2, map([("id", Value::Text("example.com"))]));
    let other_data = || base().with(1, Value::Bytes(&[0xCC; 32]));
    for (name, permissions, rp_id, request, status) in [
        ("right", MC, None, base(), S::OK),
        ("for this site", MC, Some(RP_ID), base(), S::OK),
        (
            "for another site",
            MC,
            Some(RP_ID),
            elsewhere(),
            S::PIN_AUTH_INVALID,
        ),
        ("other client data", MC, None, other_data(), S::PIN_AUTH_INVALID),
        ("for logins", GA | LBW, None, base(), S::PIN_AUTH_INVALID),
    ] {
        let mut key = key_with_pin();
        let ticket = key.token(permissions, rp_id);
        let request = ticket.make_credential(request);
        assert_eq!(key.cbor(&request).status(), status, "{name}");
    }
}

#[test]
fn the_first_registration_binds_a_token_to_its_site() {
    let mut key = key_with_pin();
    let ticket = key.token(MC, None);
    let elsewhere = base().with(2, map([("id", Value::Text("example.com"))]));
    let first = ticket.make_credential(base());
    assert_eq!(
        key.cbor_and(&first, Gesture::Declined).status(),
        S::OPERATION_DENIED
    );
    let second = ticket.make_credential(elsewhere);
    assert_eq!(key.cbor(&second).status(), S::PIN_AUTH_INVALID);
    assert_eq!(key.cbor(&first).status(), S::OK);
}

#[test]
fn a_proof_is_looked_at_before_the_exclude_list_and_after_the_options() {
    let mut key = key_with_pin();
    let id = key.register(&base()).id;
    let excluded = || base().with(5, descriptors([&id[..]]));
    let garbage = |request| Proof::Garbage.encode(&mut Key::new(KeyKind::Synced), request, [8, 9], 0x01);
    assert_eq!(key.cbor(&garbage(excluded())).status(), S::PIN_AUTH_INVALID);
    let no_presence = base().with(7, option("up", false));
    assert_eq!(key.cbor(&garbage(no_presence)).status(), S::INVALID_OPTION);
    let enterprise = base().with(10, Value::Unsigned(1));
    assert_eq!(key.cbor(&garbage(enterprise)).status(), S::INVALID_PARAMETER);
    let bad_extension = base().with(6, map([("largeBlobKey", Value::Bool(false))]));
    assert_eq!(key.cbor(&garbage(bad_extension)).status(), S::PIN_AUTH_INVALID);
}

#[test]
fn an_excluded_credential_needs_no_touch_from_who_was_just_verified() {
    for (proof, prompts) in [(Proof::ByFinger, 0), (Proof::ByPin, 1), (Proof::Absent, 1)] {
        let mut key = Key::new(KeyKind::Synced);
        let id = key.register(&base()).id;
        let protection = Protection {
            pin: true,
            fingerprint: true,
            always_uv: false,
        };
        protection.set(&mut key);
        let request = base().with(5, descriptors([&id[..]]));
        let request = proof.encode(&mut key, request, [8, 9], 0x01);
        let (asked, answer) = key.cbor_with(&request, agree_to);
        assert_eq!(answer.bytes, [S::CREDENTIAL_EXCLUDED.byte()]);
        assert_eq!(asked.len(), prompts, "{proof:?}");
    }
}

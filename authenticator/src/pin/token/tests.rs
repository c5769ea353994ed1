use super::*;
use crate::gesture::Evidence;
use crate::testing::SeededRng;

const SITE: RpIdHash = RpIdHash([1; 32]);
const OTHER_SITE: RpIdHash = RpIdHash([2; 32]);
const MESSAGE: &[u8] = b"message";
const START: Instant = Instant::from_millis(7_000);

fn after(seconds: u64) -> Instant {
    START + Duration::from_secs(seconds)
}

fn just_before(seconds: u64) -> Instant {
    START + (Duration::from_secs(seconds) - Duration::from_millis(1))
}

/// A token for everything, and what its holder proves with it.
fn issue(token: &mut Token, protocol: Protocol, grant: Grant) -> Proof {
    let secret = token.issue(START, &mut SeededRng::new(3), protocol, grant);
    Proof {
        protocol,
        param: protocol.authenticate(secret, &[MESSAGE]),
    }
}

fn grant(bits: u64) -> Grant {
    Grant {
        permissions: Permissions::from_bits(bits),
        rp: None,
        present: None,
    }
}

fn present(bits: u64) -> Grant {
    Grant {
        present: Evidence::in_test(true, false).present,
        ..grant(bits)
    }
}

fn is_authorized(token: &mut Token, now: Instant, proof: &Proof, permission: Permission) -> bool {
    match token.authorize(now, proof, &[MESSAGE], permission) {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status, StatusCode::PIN_AUTH_INVALID);
            false
        }
    }
}

#[test]
fn a_token_authorizes_what_it_was_issued_for_and_nothing_else() {
    for permission in Permission::ALL {
        for granted in Permission::ALL {
            let mut token = Token::default();
            let proof = issue(&mut token, Protocol::Two, grant(granted.bit()));
            assert_eq!(
                is_authorized(&mut token, START, &proof, permission),
                permission == granted
            );
        }
    }
}

#[test]
fn a_proof_is_of_its_message_and_under_its_protocol() {
    let mut token = Token::default();
    for (issued, claimed) in [(Protocol::One, Protocol::Two), (Protocol::Two, Protocol::One)] {
        let proof = issue(&mut token, issued, grant(0x7F));
        let permission = Permission::MakeCredential;
        assert!(is_authorized(&mut token, START, &proof, permission));
        assert!(token.authorize(START, &proof, &[b"massage"], permission).is_err());
        let in_use = token.0.as_ref().unwrap();
        // The very secret of the token, in the form of the other protocol.
        let converted = Proof {
            protocol: claimed,
            param: claimed.authenticate(&in_use.secret, &[MESSAGE]),
        };
        assert!(!is_authorized(&mut token, START, &converted, permission));
        let mixed = Proof {
            protocol: claimed,
            param: proof.param.clone(),
        };
        assert!(!is_authorized(&mut token, START, &mixed, permission));
    }
}

#[test]
fn without_a_token_nothing_is_authorized() {
    let mut token = Token::default();
    let zeros = Secret::from_slice(&[0; 32]).unwrap();
    for protocol in Protocol::ALL {
        let proof = Proof {
            protocol,
            param: protocol.authenticate(&zeros, &[MESSAGE]),
        };
        assert!(!is_authorized(
            &mut token,
            START,
            &proof,
            Permission::GetAssertion
        ));
    }
    let proof = issue(&mut token, Protocol::Two, grant(0x7F));
    token.stop();
    assert!(!is_authorized(
        &mut token,
        START,
        &proof,
        Permission::GetAssertion
    ));
}

#[test]
fn a_new_token_ends_the_one_before() {
    let mut token = Token::default();
    let mut rng = SeededRng::new(8);
    let mut issue = |protocol| {
        let secret = token.issue(START, &mut rng, protocol, grant(0x7F));
        let param = protocol.authenticate(secret, &[MESSAGE]);
        Proof { protocol, param }
    };
    let proofs = [Protocol::Two, Protocol::Two, Protocol::One].map(&mut issue);
    let authorized = proofs.map(|proof| is_authorized(&mut token, START, &proof, Permission::GetAssertion));
    assert_eq!(authorized, [false, false, true]);
}

#[test]
fn a_token_that_nobody_uses_is_dead_after_30_seconds() {
    let mut token = Token::default();
    let proof = issue(&mut token, Protocol::Two, grant(0x7F));
    assert!(token.is_in_use(just_before(30)));
    assert!(!token.is_in_use(after(30)));
    assert!(!is_authorized(
        &mut token,
        after(30),
        &proof,
        Permission::GetAssertion
    ));
}

#[test]
fn a_token_that_was_used_lives_600_seconds() {
    let mut token = Token::default();
    let proof = issue(&mut token, Protocol::Two, grant(0x7F));
    for seconds in [29, 31, 300, 599] {
        assert!(is_authorized(
            &mut token,
            after(seconds),
            &proof,
            Permission::GetAssertion
        ));
    }
    assert!(token.is_in_use(just_before(600)));
    assert!(!is_authorized(
        &mut token,
        after(600),
        &proof,
        Permission::GetAssertion
    ));
}

#[test]
fn a_wrong_proof_is_no_use() {
    let mut token = Token::default();
    let proof = issue(&mut token, Protocol::Two, grant(0x7F));
    let wrong = Proof {
        param: vec![0; 32],
        ..proof
    };
    assert!(!is_authorized(
        &mut token,
        after(1),
        &wrong,
        Permission::GetAssertion
    ));
    assert!(!token.is_in_use(after(30)));
}

#[test]
fn presence_that_came_with_a_token_counts_for_30_seconds() {
    let mut token = Token::default();
    let proof = issue(&mut token, Protocol::Two, present(0x7F));
    assert!(is_authorized(&mut token, START, &proof, Permission::GetAssertion));
    assert!(token.is_present(just_before(30)));
    assert!(!token.is_present(after(30)));
    assert!(token.take_presence(after(30)).is_none());
    assert!(is_authorized(
        &mut token,
        after(31),
        &proof,
        Permission::GetAssertion
    ));
}

#[test]
fn presence_is_taken_once() {
    let mut token = Token::default();
    issue(&mut token, Protocol::Two, present(0x7F));
    assert!(token.take_presence(START).is_some());
    assert!(!token.is_present(START));
    assert!(token.take_presence(START).is_none());
    issue(&mut token, Protocol::Two, grant(0x7F));
    assert!(!token.is_present(START));
}

#[test]
fn a_token_is_bound_to_one_relying_party_for_its_life() {
    for rp in [Some(SITE), None] {
        let mut token = Token::default();
        let proof = issue(&mut token, Protocol::Two, Grant { rp, ..grant(0x7F) });
        let mut bind = |site| {
            let in_use = token.authorize(START, &proof, &[MESSAGE], Permission::MakeCredential);
            in_use.unwrap().bind(&site).map(|_| ())
        };
        assert_eq!(
            [SITE, OTHER_SITE, SITE].map(&mut bind),
            [Ok(()), Err(StatusCode::PIN_AUTH_INVALID), Ok(())]
        );
        assert_eq!(token.0.as_ref().unwrap().rp(), Some(&SITE));
    }
}

#[test]
fn a_spent_token_writes_large_blobs_and_nothing_else() {
    let mut token = Token::default();
    let proof = issue(&mut token, Protocol::Two, present(0x7F));
    token.spend();
    for permission in Permission::ALL {
        assert_eq!(
            is_authorized(&mut token, START, &proof, permission),
            permission == Permission::LargeBlobWrite
        );
    }
    assert!(!token.is_present(START));
    let in_use = token.authorize(START, &proof, &[MESSAGE], Permission::LargeBlobWrite);
    assert!(
        in_use.unwrap().bind(&SITE).is_err(),
        "nobody is verified any more"
    );
}

#[test]
fn permissions_are_single_bits_and_others_mean_nothing() {
    for (permission, bit) in Permission::ALL.into_iter().zip([1, 2, 4, 8, 16, 32, 64]) {
        assert_eq!(permission.bit(), bit);
        assert!(Permissions::from_bits(bit).is_only(permission));
        assert!(Permissions::from_bits(bit | 0x80).is_only(permission));
        assert!(!Permissions::from_bits(bit | 0x80).is_only(Permission::ALL[usize::from(bit == 1)]));
    }
    let all = Permissions::from_bits(u64::MAX);
    assert!(
        Permission::ALL
            .into_iter()
            .all(|permission| all.contains(permission))
    );
    assert_eq!(Permissions::from_bits(!0x7F), Permissions::default());
    assert!(Permissions::OF_PIN_TOKEN.contains(Permission::MakeCredential));
    assert_eq!(Permissions::OF_PIN_TOKEN, Permissions::from_bits(0x03));
}

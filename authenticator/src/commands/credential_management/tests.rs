use core::time::Duration;

use StatusCode as S;

use super::*;
use crate::KeyKind;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, CM, GA, LBW, MC, PCMR, PIN, Ticket};
use crate::testing::{
    Answer, Key, Members, RP_ID, Registration, SeededRng, descriptors, map, option, resident, user,
};

mod faults;

const METADATA: u8 = 0x01;
const RPS_BEGIN: u8 = 0x02;
const RPS_NEXT: [u8; 4] = [0x0A, 0xA1, 0x01, 0x03];
const CREDENTIALS_BEGIN: u8 = 0x04;
const CREDENTIALS_NEXT: [u8; 4] = [0x0A, 0xA1, 0x01, 0x05];
const DELETE: u8 = 0x06;
const UPDATE: u8 = 0x07;

/// A discoverable credential for `user_id` at the site.
fn at<'a>(rp_id: &'a str, user_id: &'a [u8]) -> Members<'a> {
    let rp = map([("id", Value::Text(rp_id)), ("name", Value::Text("A site"))]);
    resident().with(2, rp).with(3, user(user_id))
}

/// A key with three sites, of which the first has three credentials, and a PIN.
fn filled_key() -> (Key, [Registration; 5]) {
    let mut key = Key::new(KeyKind::Synced);
    let registrations = [
        (RP_ID, &b"one"[..]),
        (RP_ID, b"two"),
        ("b.example", b"one"),
        (RP_ID, b"three"),
        ("c.example", b"one"),
    ]
    .map(|(rp_id, user_id)| key.register(&at(rp_id, user_id)));
    key.set_pin(PIN);
    (key, registrations)
}

fn rp_parameters(hash: &RpIdHash) -> Value<'_> {
    Value::Map(Map::new([(1_u64, Value::Bytes(&hash.0))]))
}

fn list(ticket: &Ticket, rp_id: &str) -> Vec<u8> {
    let hash = RpIdHash::of(rp_id);
    ticket.manage_credentials(CREDENTIALS_BEGIN, Some(rp_parameters(&hash)))
}

fn credential_parameters<'a>(id: &'a [u8], user: Option<Value<'a>>) -> Value<'a> {
    let descriptor = map([("type", Value::Text("public-key")), ("id", Value::Bytes(id))]);
    let mut members = Map::new([(2_u64, descriptor)]);
    if let Some(user) = user {
        members.insert(3_u64, user);
    }
    Value::Map(members)
}

fn delete(ticket: &Ticket, id: &[u8]) -> Vec<u8> {
    ticket.manage_credentials(DELETE, Some(credential_parameters(id, None)))
}

fn update(ticket: &Ticket, id: &[u8], user: Value<'_>) -> Vec<u8> {
    ticket.manage_credentials(UPDATE, Some(credential_parameters(id, Some(user))))
}

fn id_in(answer: &Answer) -> Vec<u8> {
    let members = answer.members();
    let Some(Value::Map(descriptor)) = members.get(7_u64) else {
        panic!("{answer:02x?}")
    };
    let Some(Value::Bytes(id)) = descriptor.get("id") else {
        panic!()
    };
    assert_eq!(descriptor.get("type"), Some(&Value::Text("public-key")));
    id.to_vec()
}

fn rp_id_in(answer: &Answer) -> String {
    let members = answer.members();
    let Some(Value::Map(rp)) = members.get(3_u64) else {
        panic!("{answer:02x?}")
    };
    let Some(Value::Text(id)) = rp.get("id") else {
        panic!()
    };
    assert_eq!(members.get(4_u64), Some(&Value::Bytes(&RpIdHash::of(id).0)));
    (*id).to_owned()
}

/// Walks a list to its end, which says NOT_ALLOWED.
fn walk(key: &mut Key, begin: &[u8], next: &[u8]) -> Vec<Answer> {
    let mut answers = vec![key.cbor(begin)];
    while answers.last().unwrap().status() == S::OK {
        answers.push(key.cbor(next));
    }
    assert_eq!(answers.pop().unwrap().bytes, [S::NOT_ALLOWED.byte()]);
    answers
}

// Reading

#[test]
fn metadata_counts_what_is_stored_and_what_fits() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&at(RP_ID, b"one"));
    key.register(&Members::make_credential());
    key.set_pin(PIN);
    let ticket = key.token(CM | MC, None);
    let answer = key.cbor(&ticket.manage_credentials(METADATA, None));
    let expected = Map::new([(1_u64, Value::Unsigned(1)), (2, Value::Unsigned(199_999))]);
    assert_eq!(answer.members(), expected);
}

#[test]
fn an_empty_key_has_metadata_and_nothing_to_list() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let ticket = key.token(CM, None);
    let answer = key.cbor(&ticket.manage_credentials(METADATA, None));
    let expected = Map::new([(1_u64, Value::Unsigned(0)), (2, Value::Unsigned(200_000))]);
    assert_eq!(answer.members(), expected);
    for request in [
        ticket.manage_credentials(RPS_BEGIN, None),
        list(&ticket, RP_ID),
        delete(&ticket, &[7; 32]),
        update(&ticket, &[7; 32], user(b"one")),
    ] {
        assert_eq!(key.cbor(&request).bytes, [S::NO_CREDENTIALS.byte()]);
    }
}

#[test]
fn every_relying_party_is_told_once() {
    let (mut key, _) = filled_key();
    let ticket = key.token(CM, None);
    let answers = walk(&mut key, &ticket.manage_credentials(RPS_BEGIN, None), &RPS_NEXT);
    let mut ids: Vec<_> = answers.iter().map(rp_id_in).collect();
    ids.sort();
    assert_eq!(ids, ["b.example", "c.example", RP_ID]);
    for (at, answer) in answers.iter().enumerate() {
        let total = (at == 0).then_some(Value::Unsigned(3));
        assert_eq!(answer.members().get(5_u64), total.as_ref());
        assert_eq!(answer.members().entries().len(), if at == 0 { 3 } else { 2 });
        let members = answer.members();
        let Some(Value::Map(rp)) = members.get(3_u64) else {
            panic!()
        };
        assert_eq!(rp.get("name"), Some(&Value::Text("A site")));
    }
}

#[test]
fn a_relying_party_without_a_name_has_none() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident().with(2, map([("id", Value::Text(RP_ID))])));
    key.set_pin(PIN);
    let ticket = key.token(CM, None);
    let answer = key.cbor(&ticket.manage_credentials(RPS_BEGIN, None));
    let rp = map([("id", Value::Text(RP_ID))]);
    assert_eq!(answer.members().get(3_u64), Some(&rp));
}

#[test]
fn every_credential_of_a_relying_party_is_told_newest_first() {
    let (mut key, [one, two, _, three, _]) = filled_key();
    let ticket = key.token(CM, None);
    let answers = walk(&mut key, &list(&ticket, RP_ID), &CREDENTIALS_NEXT);
    assert_eq!(answers.len(), 3);
    for (at, (answer, registration)) in answers.iter().zip([three, two, one]).enumerate() {
        assert_eq!(id_in(answer), registration.id);
        let members = answer.members();
        let public_key = cbor::encode(members.get(8_u64).unwrap());
        assert_eq!(public_key, registration.public_key);
        let total = (at == 0).then_some(Value::Unsigned(3));
        assert_eq!(members.get(9_u64), total.as_ref());
        assert_eq!(members.get(10_u64), Some(&Value::Unsigned(1)));
        assert_eq!(members.get(11_u64), None);
        assert_eq!(members.get(12_u64), Some(&Value::Bool(false)));
        assert_eq!(members.entries().len(), if at == 0 { 6 } else { 5 });
    }
    assert_eq!(answers[2].members().get(6_u64), Some(&user(b"one")));
}

#[test]
fn what_extensions_have_left_is_told() {
    for level in [1, 2, 3] {
        let mut key = Key::new(KeyKind::Synced);
        let extensions = map([
            ("credProtect", Value::Unsigned(level)),
            ("largeBlobKey", Value::Bool(true)),
            ("thirdPartyPayment", Value::Bool(true)),
        ]);
        let answer = key.cbor(&at(RP_ID, b"one").with(6, extensions).encode(0x01));
        let large_blob_key = answer.bytes_of(5);
        key.set_pin(PIN);
        let ticket = key.token(CM, None);
        let answer = key.cbor(&list(&ticket, RP_ID));
        let members = answer.members();
        assert_eq!(members.get(10_u64), Some(&Value::Unsigned(level)));
        assert_eq!(members.get(11_u64), Some(&Value::Bytes(&large_blob_key)));
        assert_eq!(members.get(12_u64), Some(&Value::Bool(true)));
    }
}

#[test]
fn only_discoverable_credentials_are_listed() {
    let mut key = Key::new(KeyKind::DeviceBound);
    key.register(&Members::make_credential());
    let u2f = [&[0, 1, 0, 0, 64][..], &[7; 64]].concat();
    assert!(key.msg(&u2f).bytes.ends_with(&[0x90, 0x00]));
    key.set_pin(PIN);
    let ticket = key.token(CM, None);
    let answer = key.cbor(&ticket.manage_credentials(RPS_BEGIN, None));
    assert_eq!(answer.status(), S::NO_CREDENTIALS);
}

#[test]
fn members_are_in_canonical_order() {
    let (mut key, _) = filled_key();
    let ticket = key.token(CM, None);
    for request in [
        ticket.manage_credentials(METADATA, None),
        ticket.manage_credentials(RPS_BEGIN, None),
        list(&ticket, RP_ID),
    ] {
        let answer = key.cbor(&request);
        assert_eq!(cbor::encode(&Value::Map(answer.members())), answer.bytes[1..]);
    }
}

#[test]
fn a_thousand_credentials_are_listed_while_some_are_deleted() {
    let mut key = Key::new(KeyKind::Synced);
    let template = CredentialId::new(&key.register(&at("site-0.example", b"0")).id).unwrap();
    for number in 1..1000_u32 {
        let vault = key.authenticator.vault_mut();
        let mut passkey = vault.load(&template).unwrap().unwrap();
        passkey.id = CredentialId::new(&number.to_be_bytes()).unwrap();
        passkey.rp_id = format!("site-{}.example", number % 10);
        passkey.user_id = number.to_string().into_bytes();
        vault
            .store(&mut SeededRng::new(number.into()), passkey, None)
            .unwrap();
    }
    key.set_pin(PIN);
    let ticket = key.token(CM, None);
    let begin = ticket.manage_credentials(RPS_BEGIN, None);
    let sites: Vec<_> = walk(&mut key, &begin, &RPS_NEXT).iter().map(rp_id_in).collect();
    assert_eq!(sites.len(), 10);
    let mut found = 0;
    for site in &sites {
        let first = key.cbor(&list(&ticket, site));
        assert_eq!(first.members().get(9_u64), Some(&Value::Unsigned(100)));
        // The owner deletes, at the computer, the two that would be next, and one that is already told.
        let rp = RpIdHash::of(site);
        let ids = key.authenticator.vault().find_by_rp(&rp, CredProtect::Required);
        for id in &ids[..3] {
            let vault = key.authenticator.vault_mut();
            assert!(vault.delete(&mut SeededRng::new(8), id, None).unwrap());
        }
        let mut told = vec![id_in(&first)];
        loop {
            let answer = key.cbor(&CREDENTIALS_NEXT);
            if answer.status() != S::OK {
                break assert_eq!(answer.status(), S::NOT_ALLOWED);
            }
            told.push(id_in(&answer));
        }
        let expected = ids[..1].iter().chain(&ids[3..]);
        assert!(
            told.iter()
                .map(Vec::as_slice)
                .eq(expected.map(CredentialId::as_bytes))
        );
        found += told.len();
    }
    assert_eq!(found, 980);
}

#[test]
fn a_relying_party_whose_credentials_are_gone_is_passed_over() {
    let (mut key, registrations) = filled_key();
    let ticket = key.token(CM, None);
    let first = rp_id_in(&key.cbor(&ticket.manage_credentials(RPS_BEGIN, None)));
    for registration in registrations {
        let id = CredentialId::new(&registration.id).unwrap();
        key.authenticator
            .vault_mut()
            .delete(&mut SeededRng::new(8), &id, None)
            .unwrap();
    }
    assert_eq!(key.cbor(&RPS_NEXT).status(), S::NOT_ALLOWED, "{first}");
}

// Walking on

fn begin(key: &mut Key, permissions: u64, subcommand: u8) -> Ticket {
    let ticket = key.token(permissions, None);
    let request = match subcommand {
        RPS_BEGIN => ticket.manage_credentials(RPS_BEGIN, None),
        _ => list(&ticket, RP_ID),
    };
    assert_eq!(key.cbor(&request).status(), S::OK);
    ticket
}

#[test]
fn a_walk_needs_a_beginning_of_its_kind() {
    let (mut key, _) = filled_key();
    for next in [RPS_NEXT, CREDENTIALS_NEXT] {
        assert_eq!(key.cbor(&next).bytes, [S::NOT_ALLOWED.byte()]);
    }
    for (subcommand, other) in [(RPS_BEGIN, CREDENTIALS_NEXT), (CREDENTIALS_BEGIN, RPS_NEXT)] {
        begin(&mut key, CM, subcommand);
        assert_eq!(key.cbor(&other).status(), S::NOT_ALLOWED);
        for next in [RPS_NEXT, CREDENTIALS_NEXT] {
            assert_eq!(key.cbor(&next).status(), S::NOT_ALLOWED, "it is over");
        }
    }
}

#[test]
fn a_walk_waits_30_seconds_for_its_next_step() {
    for (permissions, subcommand, next) in [
        (CM, RPS_BEGIN, RPS_NEXT),
        (CM, CREDENTIALS_BEGIN, CREDENTIALS_NEXT),
        (PCMR, RPS_BEGIN, RPS_NEXT),
        (PCMR, CREDENTIALS_BEGIN, CREDENTIALS_NEXT),
    ] {
        let (mut key, _) = filled_key();
        begin(&mut key, permissions, subcommand);
        key.wait(Duration::from_secs(30));
        assert_eq!(key.cbor(&next).status(), S::OK);
        key.wait(Duration::from_millis(30_001));
        assert_eq!(key.cbor(&next).status(), S::NOT_ALLOWED);
        assert_eq!(key.cbor(&next).status(), S::NOT_ALLOWED);
    }
}

#[test]
fn a_walk_ends_with_its_token_unless_that_is_the_persistent_one() {
    for (permissions, status) in [(CM, S::NOT_ALLOWED), (PCMR, S::OK)] {
        for (subcommand, next) in [(RPS_BEGIN, RPS_NEXT), (CREDENTIALS_BEGIN, CREDENTIALS_NEXT)] {
            let (mut key, _) = filled_key();
            let ticket = key.token(permissions, None);
            let request = match subcommand {
                RPS_BEGIN => ticket.manage_credentials(RPS_BEGIN, None),
                _ => list(&ticket, RP_ID),
            };
            for _ in 0..20 {
                assert_eq!(key.cbor(&request).status(), S::OK);
                key.wait(Duration::from_secs(29));
            }
            // 580 seconds after the token was issued.
            assert_eq!(key.cbor(&request).status(), S::OK);
            assert_eq!(key.cbor(&next).status(), S::OK);
            key.wait(Duration::from_secs(20));
            assert_eq!(key.cbor(&next).status(), status);
        }
    }
}

#[test]
fn only_get_info_and_u2f_leave_a_walk_alone() {
    let make_credential = Members::make_credential().encode(0x01);
    let get_assertion = Members::get_assertion().encode(0x02);
    let retries = [0x06, 0xA1, 0x02, 0x01];
    let read_blobs = [0x0C, 0xA2, 0x01, 0x00, 0x03, 0x00];
    let refused = [0x0A, 0xA1, 0x01, 0x01];
    for (subcommand, next) in [(RPS_BEGIN, RPS_NEXT), (CREDENTIALS_BEGIN, CREDENTIALS_NEXT)] {
        for (request, status) in [
            (&[0x04][..], S::OK),
            (&[0x07], S::NOT_ALLOWED),
            (&[0x08], S::NOT_ALLOWED),
            (&[0x0B], S::NOT_ALLOWED),
            (&make_credential, S::NOT_ALLOWED),
            (&get_assertion, S::NOT_ALLOWED),
            (&retries, S::NOT_ALLOWED),
            (&read_blobs, S::NOT_ALLOWED),
            (&refused, S::NOT_ALLOWED),
            (&[0x0D, 0xA1, 0x01, 0x02], S::NOT_ALLOWED),
        ] {
            let (mut key, _) = filled_key();
            begin(&mut key, CM, subcommand);
            key.cbor_and(request, Gesture::Declined);
            assert_eq!(key.cbor(&next).status(), status, "{request:02x?}");
        }
        let (mut key, _) = filled_key();
        begin(&mut key, CM, subcommand);
        key.msg(&[0, 3, 0, 0]);
        assert_eq!(key.cbor(&next).status(), S::OK);
        key.authenticator.power_cycle(key.now);
        assert_eq!(key.cbor(&next).status(), S::NOT_ALLOWED);
    }
}

// Who may

#[test]
fn each_subcommand_wants_its_permission() {
    let (mut key, [one, ..]) = filled_key();
    for (permissions, reads, writes) in [
        (CM, S::OK, S::OK),
        (PCMR, S::OK, S::PIN_AUTH_INVALID),
        (MC | GA | LBW | ACFG, S::PIN_AUTH_INVALID, S::PIN_AUTH_INVALID),
    ] {
        for protocol in Protocol::ALL {
            let ticket = key.token_under(protocol, permissions, None);
            for request in [
                ticket.manage_credentials(METADATA, None),
                ticket.manage_credentials(RPS_BEGIN, None),
                list(&ticket, RP_ID),
            ] {
                assert_eq!(key.cbor(&request).status(), reads, "{permissions:02x}");
            }
            let request = update(&ticket, &one.id, user(b"one"));
            assert_eq!(key.cbor(&request).status(), writes, "{permissions:02x}");
        }
    }
    let ticket = key.token(PCMR, None);
    assert_eq!(key.cbor(&delete(&ticket, &one.id)).status(), S::PIN_AUTH_INVALID);
    assert_eq!(key.authenticator.vault().len(), 5);
}

#[test]
fn a_token_for_one_site_reads_and_changes_that_site_only() {
    let (mut key, [one, _, elsewhere, ..]) = filled_key();
    let ticket = key.token(CM, Some(RP_ID));
    for (request, status) in [
        (ticket.manage_credentials(METADATA, None), S::PIN_AUTH_INVALID),
        (ticket.manage_credentials(RPS_BEGIN, None), S::PIN_AUTH_INVALID),
        (list(&ticket, "b.example"), S::PIN_AUTH_INVALID),
        (delete(&ticket, &elsewhere.id), S::PIN_AUTH_INVALID),
        (update(&ticket, &elsewhere.id, user(b"one")), S::PIN_AUTH_INVALID),
        (delete(&ticket, &[7; 32]), S::PIN_AUTH_INVALID),
        (update(&ticket, &[7; 32], user(b"one")), S::PIN_AUTH_INVALID),
        (delete(&ticket, &[7; 300]), S::PIN_AUTH_INVALID),
        (list(&ticket, RP_ID), S::OK),
        (update(&ticket, &one.id, user(b"one")), S::OK),
        (delete(&ticket, &one.id), S::OK),
        (delete(&ticket, &one.id), S::PIN_AUTH_INVALID),
    ] {
        assert_eq!(key.cbor(&request).status(), status);
    }
    assert_eq!(key.authenticator.vault().len(), 4);
}

#[test]
fn a_token_that_became_one_site_s_by_use_reads_no_more() {
    let (mut key, _) = filled_key();
    let ticket = key.token(GA | CM, None);
    let metadata = ticket.manage_credentials(METADATA, None);
    assert_eq!(key.cbor(&metadata).status(), S::OK);
    let silent = Members::get_assertion().with(5, option("up", false));
    assert_eq!(key.cbor(&ticket.get_assertion(silent)).status(), S::OK);
    assert_eq!(key.cbor(&metadata).status(), S::PIN_AUTH_INVALID);
}

#[test]
fn managing_does_not_use_the_token_up() {
    let (mut key, [one, two, ..]) = filled_key();
    let ticket = key.token(CM, None);
    for id in [&one.id, &two.id] {
        assert_eq!(
            key.cbor(&update(&ticket, id, user(b"x"))).status(),
            S::INVALID_PARAMETER
        );
        assert_eq!(key.cbor(&delete(&ticket, id)).status(), S::OK);
    }
    assert_eq!(
        key.cbor(&ticket.manage_credentials(METADATA, None)).status(),
        S::OK
    );
}

#[test]
fn a_token_by_user_verification_manages_without_a_pin() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&at(RP_ID, b"one"));
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
    let ticket = key.token_by_uv(CM, [Gesture::Verified]).unwrap();
    assert_eq!(key.cbor(&list(&ticket, RP_ID)).status(), S::OK);
}

// Changing

#[test]
fn a_deleted_credential_does_not_sign_and_is_not_listed() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    let [one, two] = [&b"one"[..], b"two"].map(|id| key.register(&at(RP_ID, id)).id);
    key.set_pin(PIN);
    let ticket = key.token(CM, None);
    let answer = key.cbor(&delete(&ticket, &one));
    assert_eq!((answer.prompt, answer.bytes), (None, vec![S::OK.byte()]));
    assert_eq!(key.cbor(&delete(&ticket, &one)).status(), S::NO_CREDENTIALS);
    let mut reopened = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    for key in [&mut key, &mut reopened] {
        let request = Members::get_assertion().with(3, descriptors([&one[..]]));
        assert_eq!(key.cbor(&request.encode(0x02)).status(), S::NO_CREDENTIALS);
        let ticket = key.token(CM, None);
        let answers = walk(key, &list(&ticket, RP_ID), &CREDENTIALS_NEXT);
        assert_eq!(
            answers.iter().map(id_in).collect::<Vec<_>>(),
            core::slice::from_ref(&two)
        );
    }
}

#[test]
fn a_credential_that_is_not_stored_cannot_be_changed() {
    let mut key = Key::new(KeyKind::Synced);
    let wrapped = key.register(&Members::make_credential()).id;
    key.set_pin(PIN);
    let ticket = key.token(CM, None);
    for id in [&wrapped[..], &[], &[7], &[7; 255], &[7; 256], &[7; 1024]] {
        assert_eq!(key.cbor(&delete(&ticket, id)).status(), S::NO_CREDENTIALS);
        let request = update(&ticket, id, user(b"ali"));
        assert_eq!(key.cbor(&request).status(), S::NO_CREDENTIALS);
    }
    let other_type = map([("type", Value::Text("x")), ("id", Value::Bytes(&wrapped))]);
    let parameters = Value::Map(Map::new([(2_u64, other_type)]));
    let request = ticket.manage_credentials(DELETE, Some(parameters));
    assert_eq!(key.cbor(&request).status(), S::NO_CREDENTIALS);
}

#[test]
fn names_are_replaced_and_those_that_are_empty_or_absent_removed() {
    let id = |name| [("id", Value::Bytes(b"one")), name];
    for (update_with, expected) in [
        (
            map([
                ("id", Value::Bytes(b"one")),
                ("name", Value::Text("n")),
                ("displayName", Value::Text("d")),
            ]),
            map([
                ("id", Value::Bytes(b"one")),
                ("name", Value::Text("n")),
                ("displayName", Value::Text("d")),
            ]),
        ),
        (
            map(id(("name", Value::Text("n")))),
            map(id(("name", Value::Text("n")))),
        ),
        (
            map(id(("displayName", Value::Text("d")))),
            map(id(("displayName", Value::Text("d")))),
        ),
        (
            map([("id", Value::Bytes(b"one"))]),
            map([("id", Value::Bytes(b"one"))]),
        ),
        (
            map([
                ("id", Value::Bytes(b"one")),
                ("name", Value::Text("")),
                ("displayName", Value::Text("")),
            ]),
            map([("id", Value::Bytes(b"one"))]),
        ),
    ] {
        let disk = Disk::default();
        let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
        let one = key.register(&at(RP_ID, b"one")).id;
        let two = key.register(&at(RP_ID, b"two")).id;
        key.set_pin(PIN);
        let ticket = key.token(CM, None);
        let answer = key.cbor(&update(&ticket, &one, update_with));
        assert_eq!(answer.bytes, [S::OK.byte()]);
        let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
        let ticket = key.token(GA | CM, None);
        let answers = walk(&mut key, &list(&ticket, RP_ID), &CREDENTIALS_NEXT);
        // Its place in the list is still that of its making.
        assert_eq!(answers.iter().map(id_in).collect::<Vec<_>>(), [two, one.clone()]);
        assert_eq!(answers[1].members().get(6_u64), Some(&expected));
        let ticket = key.token(GA, None);
        let request = Members::get_assertion().with(3, descriptors([&one[..]]));
        let answer = key.cbor(&ticket.get_assertion(request));
        assert_eq!(answer.members().get(4_u64), Some(&expected));
    }
}

#[test]
fn an_update_is_for_the_account_that_the_credential_is_of() {
    let (mut key, [one, ..]) = filled_key();
    let ticket = key.token(CM, None);
    let request = update(&ticket, &one.id, user(b"two"));
    assert_eq!(key.cbor(&request).bytes, [S::INVALID_PARAMETER.byte()]);
    let answers = walk(&mut key, &list(&ticket, RP_ID), &CREDENTIALS_NEXT);
    assert_eq!(answers[2].members().get(6_u64), Some(&user(b"one")));
}

//! Where the prompt can offer accounts, the user chooses one; where not, the client gets them all.

use StatusCode as S;

use super::*;
use crate::testing::platform::{Proof, Protection, agree_to};

fn names(prompt: &Prompt) -> Vec<Option<&str>> {
    prompt
        .accounts
        .iter()
        .map(|account| account.user_name.as_deref())
        .collect()
}

fn account<'a>(id: &'a [u8], name: &'a str) -> Members<'a> {
    let user = map([("id", Value::Bytes(id)), ("name", Value::Text(name))]);
    resident().with(3, user)
}

fn key_with_accounts(count: u8) -> (Key, Vec<Registration>) {
    let mut key = Key::new(KeyKind::DeviceBound);
    let registrations = (0..count)
        .map(|number| {
            let name = format!("user {number}");
            key.register(&account(&[number + 1], &name))
        })
        .collect();
    key.authenticator.set_account_choice(true);
    (key, registrations)
}

#[test]
fn the_prompt_offers_the_accounts_newest_first() {
    let (mut key, _) = key_with_accounts(3);
    let prompt = key.cbor(&base().encode(0x02)).prompt.unwrap();
    assert_eq!(prompt.purpose, Purpose::SignIn);
    assert_eq!(names(&prompt), [Some("user 2"), Some("user 1"), Some("user 0")]);
    assert_eq!((prompt.user_name, prompt.user_display_name), (None, None));
}

#[test]
fn the_chosen_account_signs_and_no_other_follows() {
    let (mut key, registrations) = key_with_accounts(3);
    for (choice, registration) in registrations.iter().rev().enumerate() {
        let answer = key.cbor_and(&base().encode(0x02), Gesture::ApprovedAccount(choice));
        assert_signed_by(registration, &answer);
        assert_eq!(answer.members().get(5_u64), None);
        assert_eq!(answer.members().get(6_u64), Some(&Value::Bool(true)));
        assert_eq!(next(&mut key).status(), S::NOT_ALLOWED);
    }
}

#[test]
fn who_agrees_without_choosing_leaves_the_choice_to_the_client() {
    for gesture in [Gesture::Approved, Gesture::Verified, Gesture::ApprovedAccount(3)] {
        let (mut key, _) = key_with_accounts(3);
        let answer = key.cbor_and(&base().encode(0x02), gesture);
        assert_eq!(answer.members().get(5_u64), Some(&Value::Unsigned(3)));
        assert_eq!(answer.members().get(6_u64), None);
        assert_eq!(next(&mut key).status(), S::OK);
    }
}

#[test]
fn there_is_nothing_to_choose_of_one_or_of_too_many_or_of_a_list() {
    for (count, offered) in [(1, 0), (2, 2), (16, 16), (17, 0)] {
        let (mut key, registrations) = key_with_accounts(count);
        let answer = key.cbor(&base().encode(0x02));
        assert_eq!(answer.prompt.unwrap().accounts.len(), offered, "{count}");
        let ids = registrations.iter().map(|registration| &registration.id[..]);
        let listed = base().with(3, descriptors(ids));
        let answer = key.cbor_and(&listed.encode(0x02), Gesture::ApprovedAccount(0));
        assert!(answer.prompt.as_ref().unwrap().accounts.is_empty());
        assert_eq!((answer.status(), answer.members().get(6_u64)), (S::OK, None));
    }
}

#[test]
fn a_prompt_that_cannot_offer_accounts_is_not_asked_to() {
    let (mut key, _) = key_with_accounts(3);
    key.authenticator.set_account_choice(false);
    let answer = key.cbor(&base().encode(0x02));
    assert!(answer.prompt.as_ref().unwrap().accounts.is_empty());
    assert_eq!(answer.members().get(5_u64), Some(&Value::Unsigned(3)));
}

#[test]
fn without_presence_nobody_is_asked_to_choose() {
    let (mut key, _) = key_with_accounts(3);
    let answer = key.cbor(&base().with(5, option("up", false)).encode(0x02));
    assert_eq!(answer.prompt, None);
    assert_eq!(answer.members().get(5_u64), Some(&Value::Unsigned(3)));
}

#[test]
fn whoever_is_verified_chooses_afterwards() {
    let protection = Protection {
        pin: true,
        fingerprint: true,
        always_uv: false,
    };
    for (proof, uv, prompts) in [
        // Presence came with the token, so nothing is left to ask but this.
        (Proof::ByFinger, false, vec![Purpose::ChooseAccount]),
        (Proof::ByPin, false, vec![Purpose::SignIn]),
        (Proof::Absent, true, vec![Purpose::SignIn, Purpose::ChooseAccount]),
    ] {
        let (mut key, registrations) = key_with_accounts(3);
        protection.set(&mut key);
        let request = base().with(5, option("uv", uv));
        let request = proof.encode(&mut key, request, [6, 7], 0x02);
        let (asked, answer) = key.cbor_with(&request, |prompt| match prompt.accounts.len() {
            0 => agree_to(prompt),
            _ => Gesture::ApprovedAccount(2),
        });
        let purposes: Vec<_> = asked.iter().map(|prompt| prompt.purpose).collect();
        assert_eq!(purposes, prompts);
        assert_eq!(credential_in(&answer), registrations[0].id);
        assert_eq!(answer.flags() & 0x05, 0x05);
        let told = map([("id", Value::Bytes(&[1])), ("name", Value::Text("user 0"))]);
        assert_eq!(answer.members().get(4_u64), Some(&told));
    }
}

#[test]
fn who_does_not_want_any_of_them_denies() {
    for (gesture, status) in [
        (Gesture::Declined, S::OPERATION_DENIED),
        (Gesture::TimedOut, S::OPERATION_DENIED),
        (Gesture::Cancelled, S::KEEPALIVE_CANCEL),
    ] {
        let (mut key, _) = key_with_accounts(3);
        key.authenticator.set_verifier(Some(Verifier {
            modality: Modality::Fingerprint,
            ready: true,
        }));
        let request = base().with(5, option("uv", true)).encode(0x02);
        let (_, answer) = key.cbor_after(&request, [Gesture::Verified, gesture]);
        assert_eq!(answer.bytes, [status.byte()]);
        assert_eq!(next(&mut key).status(), S::NOT_ALLOWED);
    }
}

#[test]
fn hidden_accounts_are_not_offered() {
    let mut key = Key::new(KeyKind::Synced);
    for (number, level) in [(1_u8, 1), (2, 3), (3, 2), (4, 1)] {
        let name = format!("user {number}");
        let extensions = map([("credProtect", Value::Unsigned(level))]);
        key.register(&account(&[number], &name).with(6, extensions));
    }
    key.authenticator.set_account_choice(true);
    let prompt = key.cbor(&base().encode(0x02)).prompt.unwrap();
    assert_eq!(names(&prompt), [Some("user 4"), Some("user 1")]);
}

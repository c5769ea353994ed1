//! The sentences, word for word, and names that try to be more than names.

use super::super::testing::{accounts, sign_in, sign_in_verified};
use super::*;

fn sentence(question: &Question) -> String {
    Text::for_question(question).sentence
}

#[test]
fn a_question_names_the_site_the_account_and_what_happens() {
    let base = sign_in();
    assert_eq!(sentence(&base), "Sign in to example.com as alice?");
    let register = Question {
        purpose: Purpose::Register,
        ..base.clone()
    };
    assert_eq!(
        sentence(&register),
        "Register a passkey for example.com as alice?"
    );
    let known = Question {
        purpose: Purpose::AlreadyRegistered,
        ..base.clone()
    };
    assert_eq!(
        sentence(&known),
        "There is already a passkey for example.com on this key. Tell the site?"
    );
    let identify = Question {
        purpose: Purpose::Identify,
        ..base.clone()
    };
    assert_eq!(
        sentence(&identify),
        "A program wants to know which key you mean. Is it this one?"
    );
    let reset = Question {
        purpose: Purpose::Reset,
        ..base
    };
    assert_eq!(
        sentence(&reset),
        "Erase every passkey on this key? What is only here is lost. If it syncs, it stops: your other devices keep what \
         they have."
    );
}

#[test]
fn an_unlocked_key_a_choice_and_a_second_reset_have_their_words() {
    let of = |purpose, rp_id: Option<&str>| {
        sentence(&Question {
            purpose,
            rp_id: rp_id.map(str::to_owned),
            ..sign_in()
        })
    };
    let site = Some("example.com");
    assert_eq!(
        of(Purpose::Verify, site),
        "Let a program use this key for example.com?"
    );
    assert_eq!(
        of(Purpose::Verify, None),
        "Let a program use and manage this key for a while?"
    );
    assert_eq!(
        of(Purpose::ChooseAccount, site),
        "With which account do you want to sign in to example.com?"
    );
    assert_eq!(
        of(Purpose::ChooseAccount, None),
        "With which account do you want to sign in?"
    );
    assert_eq!(
        of(Purpose::ConfirmReset, None),
        "Really erase every passkey on this key? This is the last question."
    );
}

#[test]
fn a_demand_for_verification_says_what_is_wanted_and_how_often_one_may_try() {
    let base = sign_in_verified(Modality::Fingerprint);
    assert_eq!(
        sentence(&base),
        "Sign in to example.com as alice? To agree, put your finger on the reader. 3 attempts are left."
    );
    let last = Question {
        note: Some("The PIN was wrong."),
        demand: Demand::Verification {
            modality: Modality::Pin,
            attempts_left: 1,
        },
        ..base.clone()
    };
    assert_eq!(
        sentence(&last),
        "The PIN was wrong. Sign in to example.com as alice? To agree, enter the PIN of this key. \
         1 attempt is left."
    );
    assert_eq!(
        sentence(&sign_in_verified(Modality::Password)),
        "Sign in to example.com as alice? To agree, enter the password of your account on this computer. \
         3 attempts are left."
    );
}

#[test]
fn where_there_is_a_choice_no_account_is_named_in_the_sentence() {
    let question = Question {
        accounts: accounts(2),
        ..sign_in()
    };
    assert_eq!(sentence(&question), "Sign in to example.com?");
}

#[test]
fn accounts_in_a_list_are_named_as_in_a_sentence() {
    let name = |user_name: Option<&str>, user_display_name: Option<&str>| {
        account_name(&Account {
            user_name: user_name.map(str::to_owned),
            user_display_name: user_display_name.map(str::to_owned),
        })
    };
    assert_eq!(name(Some("alice"), Some("Alice Doe")), "alice");
    assert_eq!(name(Some("\n"), Some("Alice\u{202E}")), "“Alice\u{FFFD}”");
    assert_eq!(name(None, None), "an account without a name");
}

#[test]
fn a_site_without_a_name_is_said_to_have_none() {
    let base = Question {
        rp_id: None,
        user_name: None,
        ..sign_in()
    };
    assert_eq!(sentence(&base), "Sign in to a site that does not give its name?");
    let register = Question {
        purpose: Purpose::Register,
        ..base
    };
    assert_eq!(
        sentence(&register),
        "Register this key with a site that does not give its name?"
    );
}

#[test]
fn an_ssh_key_is_called_one() {
    let base = Question {
        rp_id: Some("ssh:github".to_owned()),
        ..sign_in()
    };
    assert_eq!(sentence(&base), "Use the SSH key named ssh:github?");
    let register = Question {
        purpose: Purpose::Register,
        ..base
    };
    assert_eq!(
        sentence(&register),
        "Make an SSH key named ssh:github on this key?"
    );
}

#[test]
fn the_display_name_is_used_when_there_is_no_other() {
    let question = Question {
        user_name: None,
        user_display_name: Some("Alice Doe".to_owned()),
        ..sign_in()
    };
    assert_eq!(sentence(&question), "Sign in to example.com as “Alice Doe”?");
}

#[test]
fn a_name_cannot_continue_the_sentence() {
    let question = Question {
        user_name: Some("alice? Yes” to “bank.com as bob".to_owned()),
        ..sign_in()
    };
    assert_eq!(
        sentence(&question),
        "Sign in to example.com as “alice? Yes' to 'bank.com as bob”?"
    );
}

#[test]
fn characters_that_act_are_made_visible() {
    let question = Question {
        rp_id: Some("a\u{202E}moc.knab\u{1b}[2J".to_owned()),
        user_name: Some("x\r\n\ty\0\u{200B}".to_owned()),
        ..sign_in()
    };
    assert_eq!(
        sentence(&question),
        "Sign in to “a\u{FFFD}moc.knab\u{FFFD}[2J” as “x y\u{FFFD}\u{FFFD}”?"
    );
}

#[test]
fn of_a_long_site_the_end_is_shown_and_of_a_long_account_the_start() {
    let question = Question {
        rp_id: Some(format!("{}.evil.example", "paypal.com.".repeat(30))),
        user_name: Some("a".repeat(300)),
        ..sign_in()
    };
    let sentence = sentence(&question);
    assert!(sentence.contains(".evil.example as aaaa"), "{sentence}");
    assert!(sentence.contains("to …"), "{sentence}");
    assert!(sentence.chars().count() < 150, "{sentence}");
}

#[test]
fn markup_is_escaped_or_replaced() {
    let hostile = "<a href=\"x\">&'";
    assert_eq!(escape_markup(hostile), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    assert_eq!(without_markup(hostile), "‹a href=\"x\"›＆'");
}

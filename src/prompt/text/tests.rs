//! The sentences, word for word, and names that try to be more than names.

use super::super::testing::sign_in;
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
        "Erase every passkey on this key? This cannot be undone."
    );
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

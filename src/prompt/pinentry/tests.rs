//! A pinentry that is a shell script.

use std::fs;

use tempfile::TempDir;

use super::super::Modality;
use super::super::testing::{
    A_WHILE, SOON, accounts, answers, decided, pin, reason, sign_in, sign_in_verified, wait_for, write_script,
};
use super::assuan::LINE_BYTES_MAX;
use super::*;

/// A pinentry that notes what it is told, and does `asked` when it is asked.
fn pinentry(asked: &str) -> (TempDir, Pinentry) {
    let folder = tempfile::tempdir().unwrap();
    let body = format!(
        "here=$(dirname \"$0\")\necho $$ > \"$here/pid\"\necho 'OK Pleased to meet you'\n\
         while read -r command rest; do\n\
         printf '%s %s\\n' \"$command\" \"$rest\" >> \"$here/heard\"\n\
         case $command in CONFIRM|GETPIN) {asked};; *) echo OK;; esac\ndone"
    );
    write_script(folder.path(), "pinentry", &body);
    let search_path =
        std::env::join_paths([folder.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let asker = Pinentry::new(Environment {
        search_path: Some(search_path),
        has_display: true,
    });
    (folder, asker)
}

#[test]
fn ok_approves() {
    let (_folder, asker) = pinentry("echo '# a comment'; echo 'S BUTTON_INFO close'; echo OK");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert_eq!(decided(&received), Decision::Approved);
}

#[test]
fn cancelled_and_not_confirmed_decline() {
    for error in [
        "83886179 Operation cancelled <Pinentry>",
        "83886194 Not confirmed <Pinentry>",
        "99",
    ] {
        let (_folder, asker) = pinentry(&format!("echo 'ERR {error}'"));
        let (answer, received) = answers();
        let _shown = asker.ask(&sign_in(), answer);
        assert_eq!(decided(&received), Decision::Declined, "{error}");
    }
}

#[test]
fn other_errors_mean_that_nobody_was_asked() {
    let (_folder, asker) = pinentry("echo 'ERR 83886340 No display <Pinentry>'");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert_eq!(
        reason(&received),
        "pinentry shows nothing: 83886340 No display <Pinentry>"
    );
}

#[test]
fn an_end_or_a_strange_answer_means_that_nobody_was_asked() {
    for (confirm, said) in [
        ("exit 0", "pinentry ended without an answer"),
        ("echo yes", "pinentry does not speak its protocol"),
        ("head -c 100000 /dev/zero", "pinentry does not speak its protocol"),
        ("yes '# a comment'", "pinentry does not speak its protocol"),
    ] {
        let (_folder, asker) = pinentry(confirm);
        let (answer, received) = answers();
        let _shown = asker.ask(&sign_in(), answer);
        assert_eq!(reason(&received), said);
    }
}

#[test]
fn it_is_told_the_sentence_without_markup_or_line_ends() {
    let (folder, asker) = pinentry("echo OK");
    let question = Question {
        user_name: Some("<b>a</b>\n%0ACONFIRM".to_owned()),
        ..sign_in()
    };
    let (answer, received) = answers();
    let _shown = asker.ask(&question, answer);
    received.recv_timeout(SOON).unwrap();
    let heard = fs::read_to_string(folder.path().join("heard")).unwrap();
    let expected = "SETTITLE wardkey: Sign in\n\
        SETDESC Sign in to example.com as “‹b›a‹/b› %250ACONFIRM”?\n\
        SETOK Approve\nSETCANCEL Deny\nSETTIMEOUT 35\nCONFIRM \n";
    assert_eq!(heard, expected);
}

#[test]
fn taking_away_ends_the_dialog() {
    let (folder, asker) = pinentry("exec sleep 600");
    let (answer, received) = answers();
    let shown = asker.ask(&sign_in(), answer);
    let heard = folder.path().join("heard");
    wait_for(|| fs::read_to_string(&heard).is_ok_and(|heard| heard.contains("CONFIRM")));
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    drop(shown);
    wait_for(|| !PathBuf::from(format!("/proc/{}", pid.trim())).exists());
    assert!(received.recv_timeout(A_WHILE).is_err());
}

#[test]
fn without_a_display_or_a_program_nobody_can_be_asked() {
    let asker = Pinentry::new(Environment {
        has_display: false,
        ..Environment::default()
    });
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert!(reason(&received).starts_with("there is no display"));
    let asker = Pinentry::new(Environment {
        has_display: true,
        search_path: Some("/nonexistent".into()),
    });
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert_eq!(reason(&received), "pinentry is not installed");
}

#[test]
fn no_command_is_longer_than_a_line_may_be() {
    let wide = "\u{1F511}".repeat(300);
    let question = Question {
        rp_id: Some(wide.clone()),
        user_name: Some(wide),
        ..sign_in()
    };
    for command in Script::for_question(&question).settings {
        assert!(command.len() <= LINE_BYTES_MAX, "{}", command.len());
    }
}

fn asked(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("heard")).unwrap()
}

#[test]
fn a_pin_is_what_was_typed() {
    let (folder, asker) = pinentry("echo 'S PASSWORD_FROM_CACHE'; echo 'D 12%2534 %c3%a9'; echo OK");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in_verified(Modality::Pin), answer);
    assert_eq!(pin(&received), "12%34 é");
    let expected = "SETTITLE wardkey: Sign in\n\
        SETDESC Sign in to example.com as alice? To agree, enter the PIN of this key. 3 attempts are left.\n\
        SETOK Approve\nSETCANCEL Deny\nSETPROMPT PIN:\nSETTIMEOUT 35\nGETPIN \n";
    assert_eq!(asked(&folder), expected);
}

#[test]
fn without_a_pin_the_user_has_declined() {
    for ending in ["echo OK", "echo 'ERR 83886179 Operation cancelled <Pinentry>'"] {
        let (_folder, asker) = pinentry(ending);
        let (answer, received) = answers();
        let _shown = asker.ask(&sign_in_verified(Modality::Pin), answer);
        assert_eq!(decided(&received), Decision::Declined, "{ending}");
    }
}

#[test]
fn what_is_no_pin_is_not_passed_on() {
    let half = "1".repeat(600);
    for data in [
        "echo 'D %ff'",
        "echo 'D %f'",
        &format!("echo D {half}; echo D {half}"),
    ] {
        let (_folder, asker) = pinentry(&format!("{data}; echo OK"));
        let (answer, received) = answers();
        let _shown = asker.ask(&sign_in_verified(Modality::Pin), answer);
        assert_eq!(
            reason(&received),
            "pinentry does not speak its protocol",
            "{data}"
        );
    }
}

#[test]
fn beside_a_fingerprint_reader_it_can_only_refuse() {
    let (folder, asker) = pinentry("echo OK");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in_verified(Modality::Fingerprint), answer);
    assert_eq!(decided(&received), Decision::Declined);
    let heard = asked(&folder);
    assert!(
        heard.ends_with("SETOK Deny\nSETTIMEOUT 35\nCONFIRM --one-button\n"),
        "{heard}"
    );
}

#[test]
fn the_password_is_none_of_its_business() {
    let (folder, asker) = pinentry("echo OK");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in_verified(Modality::Password), answer);
    assert_eq!(decided(&received), Decision::Approved);
    assert!(asked(&folder).ends_with("\nCONFIRM \n"));
}

#[test]
fn it_leaves_the_choice_of_an_account_to_others() {
    let (_folder, asker) = pinentry("echo OK");
    assert!(!asker.can_choose_account());
    let (answer, received) = answers();
    let question = Question {
        accounts: accounts(2),
        ..sign_in()
    };
    let _shown = asker.ask(&question, answer);
    assert_eq!(decided(&received), Decision::Approved);
}

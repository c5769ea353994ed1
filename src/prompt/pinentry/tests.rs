//! A pinentry that is a shell script.

use std::fs;

use tempfile::TempDir;

use super::super::Answer;
use super::super::testing::{A_WHILE, SOON, answers, reason, sign_in, wait_for, write_script};
use super::*;

/// A pinentry that notes what it is told, and does `confirm` when it is asked.
fn pinentry(confirm: &str) -> (TempDir, Pinentry) {
    let folder = tempfile::tempdir().unwrap();
    let body = format!(
        "here=$(dirname \"$0\")\necho $$ > \"$here/pid\"\necho 'OK Pleased to meet you'\n\
         while read -r command rest; do\n\
         printf '%s %s\\n' \"$command\" \"$rest\" >> \"$here/heard\"\n\
         case $command in CONFIRM) {confirm};; *) echo OK;; esac\ndone"
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
    assert_eq!(
        received.recv_timeout(SOON).unwrap(),
        Answer::Decided(Decision::Approved)
    );
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
        assert_eq!(
            received.recv_timeout(SOON).unwrap(),
            Answer::Decided(Decision::Declined),
            "{error}"
        );
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
    for command in commands(&question) {
        assert!(command.len() <= LINE_BYTES_MAX, "{}", command.len());
    }
}

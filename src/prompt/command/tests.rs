//! Prompt commands that are shell scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use tempfile::TempDir;

use super::super::testing::{
    A_WHILE, accounts, answers, decided, reason, sign_in, sign_in_verified, wait_for, write_script,
};
use super::super::{Answer, Modality};
use super::*;

fn script(body: &str) -> (TempDir, PromptCommand) {
    let folder = tempfile::tempdir().unwrap();
    let program = write_script(folder.path(), "prompt", body);
    (folder, PromptCommand::new(program))
}

#[test]
fn exit_code_zero_approves() {
    let (_folder, asker) = script("exit 0");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert_eq!(decided(&received), Decision::Approved);
}

#[test]
fn exit_code_one_declines() {
    let (_folder, asker) = script("exit 1");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert_eq!(decided(&received), Decision::Declined);
}

#[test]
fn other_ends_mean_that_nobody_was_asked() {
    let (_folder, asker) = script("exit 7");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert!(reason(&received).ends_with("prompt ended with exit code 7"));

    let (_folder, asker) = script("kill -9 $$");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert!(reason(&received).ends_with("prompt was ended by signal 9"));
}

#[test]
fn a_program_that_is_not_there_is_reported() {
    let asker = PromptCommand::new(PathBuf::from("/nonexistent/prompt"));
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert!(reason(&received).starts_with("cannot run /nonexistent/prompt: "));
    assert!(asker.probe().is_err());
}

#[test]
fn a_file_that_may_not_be_run_is_not_found() {
    let (folder, asker) = script("exit 0");
    assert!(asker.probe().is_ok());
    let program = folder.path().join("prompt");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(asker.probe().is_err());
}

#[test]
fn standard_input_is_one_json_document_of_visible_text() {
    let (folder, asker) = script("cat > \"$(dirname \"$0\")/seen\"");
    let question = Question {
        rp_name: Some("two\nlines\u{1b}[2J".to_owned()),
        ..sign_in()
    };
    let (answer, received) = answers();
    let _shown = asker.ask(&question, answer);
    assert_eq!(decided(&received), Decision::Approved);
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    let expected = serde_json::json!({
        "id": 7, "purpose": "sign-in", "rp_id": "example.com", "rp_name": "two lines\u{FFFD}[2J",
        "user_name": "alice", "user_display_name": "Alice Doe", "demand": "presence", "accounts": [], "note": null,
        "seconds_left": 30,
        "title": "Sign in", "text": "Sign in to example.com as alice?",
    });
    assert_eq!(seen, expected);
}

#[test]
fn taking_away_ends_the_program_and_what_it_started() {
    let body = "here=$(dirname \"$0\")\ntrap 'echo > \"$here/asked-to-end\"; exit 0' TERM\n\
                sleep 600 & echo $! > \"$here/child.new\"; mv \"$here/child.new\" \"$here/child\"; wait";
    let (folder, asker) = script(body);
    let (answer, received) = answers();
    let shown = asker.ask(&sign_in(), answer);
    wait_for(|| folder.path().join("child").exists());
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    drop(shown);
    wait_for(|| folder.path().join("asked-to-end").exists());
    let status = PathBuf::from(format!("/proc/{}/stat", child.trim()));
    wait_for(|| fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z ")));
    assert!(
        received.recv_timeout(A_WHILE).is_err(),
        "no answer to a question that was taken away"
    );
}

#[test]
fn a_program_that_does_not_want_to_end_is_killed() {
    let body = "here=$(dirname \"$0\")\ntrap '' TERM\necho $$ > \"$here/pid.new\"; mv \"$here/pid.new\" \"$here/pid\"\n\
                while true; do sleep 1; done";
    let (folder, asker) = script(body);
    let (answer, _received) = answers();
    let shown = asker.ask(&sign_in(), answer);
    wait_for(|| folder.path().join("pid").exists());
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    drop(shown);
    wait_for(|| !PathBuf::from(format!("/proc/{}", pid.trim())).exists());
}

/// What comes of a program that is asked about `count` accounts.
fn asked_about(count: usize, body: &str, then: impl FnOnce(&Receiver<Answer>)) {
    let (_folder, asker) = script(body);
    let (answer, received) = answers();
    let question = Question {
        accounts: accounts(count),
        ..sign_in()
    };
    let _shown = asker.ask(&question, answer);
    then(&received);
}

#[test]
fn the_program_prints_the_place_of_the_account() {
    let body = "grep -q '\"accounts\":\\[{\"user_name\":\"user1\"' && echo ' 2'";
    asked_about(3, body, |received| {
        assert_eq!(decided(received), Decision::Chosen(2))
    });
    asked_about(3, "echo 0; echo 1", |received| {
        assert_eq!(decided(received), Decision::Chosen(0));
    });
    asked_about(3, "echo 2; exit 1", |received| {
        assert_eq!(decided(received), Decision::Declined);
    });
}

#[test]
fn nothing_printed_is_no_choice() {
    for body in ["exit 0", "echo", "head -c 100000 /dev/zero | tr '\\0' '\\377'"] {
        asked_about(3, body, |received| {
            assert_eq!(decided(received), Decision::Approved, "{body}");
        });
    }
    asked_about(1, "echo 0", |received| {
        assert_eq!(decided(received), Decision::Approved);
    });
}

#[test]
fn what_is_no_place_in_the_list_is_no_answer() {
    for printed in ["3", "-1", "user1", "0x1"] {
        asked_about(3, &format!("echo {printed}"), |received| {
            assert!(reason(received).ends_with("prompt printed no index of an account"));
        });
    }
}

#[test]
fn a_demand_for_verification_is_in_the_document() {
    let (folder, asker) = script("cat > \"$(dirname \"$0\")/seen\"");
    let (answer, received) = answers();
    let question = Question {
        note: Some("Try again."),
        ..sign_in_verified(Modality::Password)
    };
    let _shown = asker.ask(&question, answer);
    assert_eq!(decided(&received), Decision::Approved);
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["demand"], "verification");
    assert_eq!(seen["modality"], "password");
    assert_eq!(seen["attempts_left"], 3);
    assert_eq!(seen["note"], "Try again.");
    assert!(
        seen["text"]
            .as_str()
            .unwrap()
            .starts_with("Try again. Sign in to ")
    );
}

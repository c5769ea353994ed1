//! Prompt commands that are shell scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::testing::{A_WHILE, SOON, answers, reason, sign_in, wait_for, write_script};
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
    assert_eq!(
        received.recv_timeout(SOON).unwrap(),
        Answer::Decided(Decision::Approved)
    );
}

#[test]
fn exit_code_one_declines() {
    let (_folder, asker) = script("exit 1");
    let (answer, received) = answers();
    let _shown = asker.ask(&sign_in(), answer);
    assert_eq!(
        received.recv_timeout(SOON).unwrap(),
        Answer::Decided(Decision::Declined)
    );
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
    assert_eq!(
        received.recv_timeout(SOON).unwrap(),
        Answer::Decided(Decision::Approved)
    );
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    let expected = serde_json::json!({
        "id": 7, "purpose": "sign-in", "rp_id": "example.com", "rp_name": "two lines\u{FFFD}[2J",
        "user_name": "alice", "user_display_name": "Alice Doe", "seconds_left": 30,
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

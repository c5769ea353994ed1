//! `--prompt-command PROGRAM`: the question goes to the program's standard input as one JSON document, and its
//! exit code is the decision: 0 approves, 1 declines, everything else means that it could not ask.
//!
//! No shell is involved. The program leads a process group of its own; when the question is taken away the
//! whole group gets SIGTERM, and SIGKILL a second later. It has therefore no use of our terminal.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;

use super::child::{Program, Reach};
use super::text::{Text, visible};
use super::worker::{Withdrawal, Woken, Workers};
use super::{Answer, AnswerHandle, Asker, Decision, Question, Shown, Unavailable};
use crate::programs::find_program;

/// Asks by running a program.
#[derive(Debug)]
pub(crate) struct PromptCommand {
    program: PathBuf,
    workers: Workers,
}

impl PromptCommand {
    /// Asks by running `program`, a path or the name of something in `PATH`.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            workers: Workers::default(),
        }
    }
}

impl Asker for PromptCommand {
    fn name(&self) -> &'static str {
        "prompt-command"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let program = self.program.clone();
        let question = question.clone();
        self.workers.start(answer, move |withdrawal, answer| {
            match run(&program, &question, withdrawal) {
                Ok(Some(Answer::Decided(decision))) => answer.give(decision),
                Ok(Some(Answer::Unavailable(unavailable))) => answer.unavailable(unavailable),
                Ok(None) => answer.dismiss(),
                Err(error) => answer.unavailable(cannot_run(&program, &error)),
            }
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        let path = std::env::var_os("PATH");
        find_program(&self.program, path.as_deref())
            .map(|found| found.display().to_string())
            .ok_or_else(|| cannot_run(&self.program, &io::ErrorKind::NotFound.into()))
    }
}

/// The document on standard input. Its text is fit to be shown as it is, but not escaped for any markup.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    question: Question,
    title: &'static str,
    text: String,
}

impl Document {
    fn new(question: &Question) -> Self {
        let Text { title, sentence } = Text::for_question(question);
        let Question {
            id,
            purpose,
            rp_id,
            rp_name,
            user_name,
            user_display_name,
            seconds_left,
        } = question;
        let visible = |name: &Option<String>| name.as_deref().map(visible);
        let question = Question {
            id: *id,
            purpose: *purpose,
            rp_id: visible(rp_id),
            rp_name: visible(rp_name),
            user_name: visible(user_name),
            user_display_name: visible(user_display_name),
            seconds_left: *seconds_left,
        };
        Self {
            question,
            title,
            text: sentence,
        }
    }
}

/// Runs the program to its end; nothing when the question was taken away before.
fn run(program: &Path, question: &Question, withdrawal: &Withdrawal) -> io::Result<Option<Answer>> {
    let mut command = Command::new(program);
    command
        .stdin(document(question)?)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    let mut running = Program::start(&mut command, Reach::Group)?;
    match withdrawal.wait(running.ended())? {
        Woken::Withdrawn => Ok(None),
        Woken::Ready => Ok(Some(decision(program, running.wait()?))),
    }
}

/// The JSON document in memory: unlike a pipe, it never makes us wait for a program that does not read.
fn document(question: &Question) -> io::Result<File> {
    let mut file = File::from(memfd_create("question.json", MemfdFlags::CLOEXEC)?);
    serde_json::to_writer(&mut file, &Document::new(question))?;
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file)
}

fn decision(program: &Path, status: ExitStatus) -> Answer {
    let ended = match (status.code(), status.signal()) {
        (Some(0), _) => return Answer::Decided(Decision::Approved),
        (Some(1), _) => return Answer::Decided(Decision::Declined),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended without an exit code".to_owned(),
    };
    Answer::Unavailable(Unavailable::new(
        format!("{} {ended}", program.display()),
        "a prompt command exits with 0 to approve and with 1 to decline",
    ))
}

fn cannot_run(program: &Path, error: &io::Error) -> Unavailable {
    Unavailable::new(
        format!("cannot run {}: {error}", program.display()),
        "give --prompt-command the path of a program that may be run (chmod +x)",
    )
}

#[cfg(test)]
mod tests {
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
}

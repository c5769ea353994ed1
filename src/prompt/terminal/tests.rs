//! The other end of the terminal is held by the test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::super::testing::{
    A_WHILE, SOON, accounts, answers, decided, pin, reason, sign_in, sign_in_verified, wait_for,
};
use super::super::{Answer, Decision, Modality};
use super::*;
use crate::readiness::is_ready_within;

/// The user's end of a terminal.
struct Screen {
    user: File,
    seen: String,
}

fn screen() -> (Screen, PathBuf) {
    let user: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let path = PathBuf::from(ptsname(&user, Vec::new()).unwrap().into_string().unwrap());
    (
        Screen {
            user: File::from(user),
            seen: String::new(),
        },
        path,
    )
}

fn terminal_and_screen() -> (Terminal, Screen) {
    let (screen, path) = screen();
    (Terminal::at(&path, Foreground::Assumed), screen)
}

impl Screen {
    fn types(&mut self, text: &str) {
        self.user.write_all(text.as_bytes()).unwrap();
    }

    fn shows(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(
                is_ready_within(self.user.as_fd(), SOON).unwrap(),
                "not shown: {text}: {}",
                self.seen
            );
            let mut bytes = [0; 512];
            let count = self.user.read(&mut bytes).unwrap();
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }
}

fn decision_after(typed: &str) -> Decision {
    decision_about(&sign_in(), "Sign in to example.com as alice? [y/N] ", typed)
}

fn decision_about(question: &Question, shown: &str, typed: &str) -> Decision {
    let (terminal, mut screen) = terminal_and_screen();
    let (answer, received) = answers();
    let _shown = terminal.ask(question, answer);
    screen.shows(shown);
    screen.types(typed);
    decided(&received)
}

#[test]
fn only_yes_approves() {
    assert_eq!(decision_after("y\n"), Decision::Approved);
    assert_eq!(decision_after(" YES \n"), Decision::Approved);
    assert_eq!(decision_after("n\n"), Decision::Declined);
    assert_eq!(decision_after("\n"), Decision::Declined);
    assert_eq!(decision_after("\u{4}"), Decision::Declined, "the end of input");
}

#[test]
fn unclear_answers_are_asked_again_and_then_declined() {
    assert_eq!(decision_after("what\ny\n"), Decision::Approved);
    assert_eq!(decision_after("a\nb\nc\n"), Decision::Declined);
}

#[test]
fn what_was_typed_before_the_question_does_not_answer_it() {
    let (terminal, mut screen) = terminal_and_screen();
    // Opened once before, so that the terminal keeps what is typed.
    let _kept_open = terminal.open().unwrap();
    screen.types("y\n");
    screen.shows("y");
    let (answer, received) = answers();
    let _shown = terminal.ask(&sign_in(), answer);
    screen.shows("[y/N] ");
    assert!(received.recv_timeout(A_WHILE).is_err());
    screen.types("n\n");
    assert_eq!(decided(&received), Decision::Declined);
}

#[test]
fn taking_away_says_so_and_the_next_question_follows() {
    let (terminal, mut screen) = terminal_and_screen();
    let (answer, received) = answers();
    let shown = terminal.ask(&sign_in(), answer);
    screen.shows("[y/N] ");
    screen.types("y");
    drop(shown);
    let (next_answer, next_received) = answers();
    let _next = terminal.ask(
        &Question {
            user_name: Some("bob".to_owned()),
            ..sign_in()
        },
        next_answer,
    );
    screen.shows("No answer is needed any more.");
    screen.shows("as bob? [y/N] ");
    screen.types("\n");
    assert_eq!(decided(&next_received), Decision::Declined);
    assert!(received.try_recv().is_err());
}

#[test]
fn host_text_cannot_control_the_terminal() {
    let (terminal, mut screen) = terminal_and_screen();
    let question = Question {
        user_name: Some("\u{1b}]0;x\u{7}\u{9b}2J\u{8}".to_owned()),
        ..sign_in()
    };
    let (answer, _received) = answers();
    let _shown = terminal.ask(&question, answer);
    screen.shows("[y/N] ");
    assert!(
        !screen
            .seen
            .chars()
            .any(|seen| seen.is_control() && !"\r\n".contains(seen)),
        "{:?}",
        screen.seen
    );
}

#[test]
fn a_terminal_that_ends_is_reported() {
    let (terminal, mut screen) = terminal_and_screen();
    let (answer, received) = answers();
    let _shown = terminal.ask(&sign_in(), answer);
    screen.shows("[y/N] ");
    drop(screen);
    // The kernel reports a hang-up as the end of input or as an error; neither approves.
    match received.recv_timeout(SOON).unwrap() {
        Answer::Pin(_) => panic!("a PIN"),
        Answer::Decided(decision) => assert_eq!(decision, Decision::Declined),
        Answer::Unavailable(unavailable) => assert!(unavailable.to_string().starts_with("the terminal ")),
    }
}

#[test]
fn no_terminal_and_another_program_s_terminal_are_not_used() {
    let nowhere = Terminal::at(Path::new("/nonexistent/tty"), Foreground::Checked);
    let (answer, received) = answers();
    let _shown = nowhere.ask(&sign_in(), answer);
    assert!(reason(&received).starts_with("there is no terminal: "));

    let (_screen, path) = screen();
    let foreign = Terminal::at(&path, Foreground::Checked);
    let (answer, received) = answers();
    let _shown = foreign.ask(&sign_in(), answer);
    assert_eq!(reason(&received), "the terminal is used by another program");
}

/// This test binary once more, in a session whose controlling terminal is ours.
#[test]
fn the_controlling_terminal_is_used_when_in_its_foreground() {
    let (mut screen, path) = screen();
    let opened = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let terminal = opened();
    let mut settings = tcgetattr(&terminal).unwrap();
    settings.local_modes.remove(rustix::termios::LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Now, &settings).unwrap();
    let result = tempfile::NamedTempFile::new().unwrap();
    let mut inside = Command::new("setsid")
        .args(["--ctty", "--wait"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--ignored",
            "prompt::terminal::tests::asks_in_its_controlling_terminal",
        ])
        .env("WARDKEY_TEST_RESULT", result.path())
        .stdin(terminal)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("setsid of util-linux is installed");
    screen.shows("as alice? [y/N] ");
    screen.types("y\n");
    screen.shows("Approved.");
    assert!(inside.wait().unwrap().success());
    assert_eq!(fs::read_to_string(result.path()).unwrap(), "Approved");
}

#[test]
#[ignore = "run by the test above, in a session of its own"]
fn asks_in_its_controlling_terminal() {
    let (answer, received) = answers();
    let _shown = Terminal::controlling().ask(&sign_in(), answer);
    let decision = decided(&received);
    fs::write(
        std::env::var_os("WARDKEY_TEST_RESULT").unwrap(),
        format!("{decision:?}"),
    )
    .unwrap();
}

fn choice_after(count: usize, typed: &str) -> Decision {
    let question = Question {
        accounts: accounts(count),
        ..sign_in()
    };
    decision_about(&question, "or n to refuse: ", typed)
}

#[test]
fn the_number_of_an_account_chooses_it() {
    assert_eq!(choice_after(3, "1\n"), Decision::Chosen(0));
    assert_eq!(choice_after(3, " 3 \n"), Decision::Chosen(2));
    assert_eq!(choice_after(3, "n\n"), Decision::Declined);
    assert_eq!(choice_after(3, "\n"), Decision::Declined);
    assert_eq!(choice_after(3, "0\n4\n2\n"), Decision::Chosen(1));
    assert_eq!(choice_after(3, "0\ny\n-1\n"), Decision::Declined);
    assert_eq!(choice_after(30, "21\n20\n"), Decision::Chosen(19));
}

#[test]
fn the_accounts_are_listed_with_their_numbers() {
    let (terminal, mut screen) = terminal_and_screen();
    let (answer, _received) = answers();
    let question = Question {
        accounts: accounts(22),
        ..sign_in()
    };
    let _shown = terminal.ask(&question, answer);
    screen.shows("A number from 1 to 20, or n to refuse: ");
    assert!(
        screen
            .seen
            .contains("Sign in to example.com?\r\n   1  user1\r\n   2  user2\r\n")
    );
    assert!(
        screen
            .seen
            .contains("  20  user20\r\n      and 2 that were not used for longer\r\n")
    );
}

#[test]
fn beside_a_fingerprint_reader_one_can_only_refuse() {
    let decision = |typed| decision_about(&sign_in_verified(Modality::Fingerprint), "[n refuses] ", typed);
    assert_eq!(decision("n\n"), Decision::Declined);
    assert_eq!(decision("y\nyes\ny\n"), Decision::Declined);
}

const ASKS_FOR_PIN: &str = "enter the PIN of this key. 3 attempts are left.\r\nPIN (Enter alone refuses): ";

fn echoes(screen: &Screen) -> bool {
    let settings = tcgetattr(&screen.user).unwrap();
    settings.local_modes.contains(rustix::termios::LocalModes::ECHO)
}

#[test]
fn a_pin_is_not_shown_while_it_is_typed() {
    let (terminal, mut screen) = terminal_and_screen();
    // Opened once before, so that the terminal keeps its settings.
    let _kept_open = terminal.open().unwrap();
    let (answer, received) = answers();
    let _shown = terminal.ask(&sign_in_verified(Modality::Pin), answer);
    screen.shows(ASKS_FOR_PIN);
    wait_for(|| !echoes(&screen));
    screen.types(" p1n é \n");
    assert_eq!(pin(&received), " p1n é ");
    assert!(echoes(&screen));
    screen.shows("refuses): \r\n");
    assert!(!screen.seen.contains("p1n"), "{}", screen.seen);
}

#[test]
fn no_pin_declines() {
    let decision = |typed| decision_about(&sign_in_verified(Modality::Pin), ASKS_FOR_PIN, typed);
    assert_eq!(decision("\n"), Decision::Declined);
    assert_eq!(decision("\u{4}"), Decision::Declined, "the end of input");
}

#[test]
fn a_pin_that_is_not_text_is_asked_for_again() {
    let (terminal, mut screen) = terminal_and_screen();
    let (answer, received) = answers();
    let _shown = terminal.ask(&sign_in_verified(Modality::Pin), answer);
    screen.shows(ASKS_FOR_PIN);
    screen.user.write_all(b"\xff\n").unwrap();
    screen.shows("This is not text. PIN: ");
    screen.types("1234\n");
    assert_eq!(pin(&received), "1234");
}

#[test]
fn taking_away_shows_again_what_is_typed_before_it_returns() {
    let (terminal, mut screen) = terminal_and_screen();
    let _kept_open = terminal.open().unwrap();
    let (answer, received) = answers();
    let shown = terminal.ask(&sign_in_verified(Modality::Pin), answer);
    screen.shows(ASKS_FOR_PIN);
    wait_for(|| !echoes(&screen));
    drop(shown);
    assert!(echoes(&screen));
    screen.shows("No answer is needed any more.");
    assert!(received.recv_timeout(A_WHILE).is_err());
}

//! What the tests of all ways share: a question, and a place where its answer arrives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{
    Account, Answer, AnswerHandle, Asker, Decision, Demand, Modality, Purpose, Question, Shown, Unavailable,
};

/// How long a test waits for something that should come at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long a test waits to see that nothing comes.
pub(crate) const A_WHILE: Duration = Duration::from_millis(300);

pub(crate) fn sign_in() -> Question {
    Question {
        id: 7,
        purpose: Purpose::SignIn,
        rp_id: Some("example.com".to_owned()),
        rp_name: Some("Example".to_owned()),
        user_name: Some("alice".to_owned()),
        user_display_name: Some("Alice Doe".to_owned()),
        demand: Demand::Presence,
        accounts: Vec::new(),
        note: None,
        seconds_left: 30,
    }
}

/// The same, and the user has to show who it is; three attempts are left.
pub(crate) fn sign_in_verified(modality: Modality) -> Question {
    Question {
        demand: Demand::Verification {
            modality,
            attempts_left: 3,
        },
        ..sign_in()
    }
}

/// `user1`, `user2`, and so on.
pub(super) fn accounts(count: usize) -> Vec<Account> {
    let account = |number| Account {
        user_name: Some(format!("user{number}")),
        user_display_name: None,
    };
    (1..=count).map(account).collect()
}

/// A handle, and where what it is given arrives.
pub(crate) fn answers() -> (AnswerHandle, Receiver<Answer>) {
    let (sender, receiver) = channel();
    let handle = AnswerHandle::new(move |answer| sender.send(answer).expect("the test still listens"));
    (handle, receiver)
}

/// The decision of an answer that has to have one.
pub(crate) fn decision(answer: Answer) -> Decision {
    match answer {
        Answer::Decided(decision) => decision,
        Answer::Pin(_) => panic!("a PIN"),
        Answer::Unavailable(unavailable) => panic!("{unavailable}"),
    }
}

/// The decision that comes soon.
pub(super) fn decided(answers: &Receiver<Answer>) -> Decision {
    decision(answers.recv_timeout(SOON).expect("an answer"))
}

/// The PIN that comes soon.
pub(super) fn pin(answers: &Receiver<Answer>) -> String {
    match answers.recv_timeout(SOON).expect("an answer") {
        Answer::Pin(pin) => pin.into_secret().to_string(),
        Answer::Decided(decision) => panic!("decided {decision:?}"),
        Answer::Unavailable(unavailable) => panic!("{unavailable}"),
    }
}

/// The reason of an answer that has to be `Unavailable`.
pub(super) fn reason(answers: &Receiver<Answer>) -> String {
    match answers.recv_timeout(SOON).expect("an answer") {
        Answer::Unavailable(unavailable) => unavailable.to_string(),
        Answer::Decided(decision) => panic!("decided {decision:?}"),
        Answer::Pin(_) => panic!("a PIN"),
    }
}

/// A way to ask that leaves it to the test what the user does.
struct Observed(Sender<Seen>);

/// What the user sees.
pub(crate) enum Seen {
    Question(Question, AnswerHandle),
    /// The question of this note was taken away.
    Gone(Option<&'static str>),
}

/// Such a way, and what is seen.
pub(crate) fn observed() -> (Arc<dyn Asker>, Receiver<Seen>) {
    let (sender, seen) = channel();
    (Arc::new(Observed(sender)), seen)
}

/// The question that is seen next, and the way to answer it.
pub(crate) fn seen_question(seen: &Receiver<Seen>) -> (Question, AnswerHandle) {
    match seen.recv_timeout(SOON).expect("a question") {
        Seen::Question(question, answer) => (question, answer),
        Seen::Gone(note) => panic!("taken away: {note:?}"),
    }
}

/// Waits until the question of this note is taken away.
pub(super) fn sees_it_gone(seen: &Receiver<Seen>, note: Option<&'static str>) {
    match seen.recv_timeout(SOON).expect("it is taken away") {
        Seen::Question(question, _) => panic!("asked: {question:?}"),
        Seen::Gone(gone) => assert_eq!(gone, note),
    }
}

impl Asker for Observed {
    fn name(&self) -> &'static str {
        "observed"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        self.0.send(Seen::Question(question.clone(), answer)).unwrap();
        Box::new(ObservedShown {
            seen: self.0.clone(),
            note: question.note,
        })
    }

    fn can_choose_account(&self) -> bool {
        false
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Ok("the test".to_owned())
    }
}

struct ObservedShown {
    seen: Sender<Seen>,
    note: Option<&'static str>,
}

impl Shown for ObservedShown {}

impl Drop for ObservedShown {
    fn drop(&mut self) {
        let _test_is_over = self.seen.send(Seen::Gone(self.note));
    }
}

/// Writes a shell script that may be run.
pub(crate) fn write_script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    // Written by another process: a writer of ours that a parallel test's child inherits would make the
    // kernel refuse to run it (ETXTBSY).
    let written = Command::new("sh")
        .args([
            "-c",
            "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 700 \"$1\"",
            "sh",
        ])
        .arg(&path)
        .arg(body)
        .status()
        .unwrap();
    assert!(written.success());
    path
}

/// Waits until `holds`, for a test's patience.
#[expect(clippy::disallowed_methods, reason = "tests wait for other programs")]
pub(crate) fn wait_for(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SOON, "waited too long");
        sleep(Duration::from_millis(10));
    }
}

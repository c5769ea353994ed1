//! A polkit that does what the test says, on a message bus of the test's own.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};

use zbus::{Connection, Message, OwnedVariant};

use super::super::super::testing::{
    A_WHILE, SOON, Seen, answers, decided, observed, reason, seen_question, sees_it_gone, sign_in_verified,
};
use super::*;
use crate::bus::testing::{TestBus, refuse, reply};

const SERVICE: &str = "org.freedesktop.PolicyKit1";
const FAILED: &str = "org.freedesktop.PolicyKit1.Error.Failed";

type Authorization = (bool, bool, HashMap<&'static str, &'static str>);

fn authorization(is_authorized: bool, is_challenge: bool) -> Authorization {
    (is_authorized, is_challenge, HashMap::new())
}

/// The user is asked for the password.
fn challenge() -> Authorization {
    authorization(false, true)
}

/// A call that has to be answered by the test: the user is at the password dialogue.
struct Dialogue {
    connection: Connection,
    call: Message,
    subject: String,
}

impl Dialogue {
    fn ends(self, with: Authorization) {
        reply(&self.connection, &self.call, &(with,));
    }
}

/// What polkit hears.
enum Heard {
    Dialogue(Dialogue),
    Cancel(String),
}

/// A polkit whose policy is `quietly`.
struct Polkit {
    heard: Receiver<Heard>,
    _connection: Connection,
}

impl Polkit {
    fn start(bus: &TestBus, quietly: Result<Authorization, &'static str>) -> Self {
        let (sender, heard) = channel();
        let connection = bus.serve(SERVICE, move |connection, call| {
            let header = call.header();
            let member = header.member().unwrap().as_str();
            if member == "CancelCheckAuthorization" {
                reply(connection, call, &());
                sender
                    .send(Heard::Cancel(call.body().deserialize().unwrap()))
                    .ok();
                return;
            }
            assert_eq!(member, "CheckAuthorization");
            type Subject = (String, HashMap<String, OwnedVariant>);
            type Arguments = (Subject, String, HashMap<String, String>, u32, String);
            let ((kind, subject), action, details, flags, _): Arguments = call.body().deserialize().unwrap();
            assert_eq!(
                (kind.as_str(), action.as_str()),
                ("system-bus-name", "org.wardkey.verify")
            );
            assert!(details.is_empty(), "polkit refuses details from users");
            match (flags, &quietly) {
                (0, Ok(authorization)) => reply(connection, call, &(authorization,)),
                (0, Err(error)) => refuse(connection, call, FAILED, error),
                (1, _) => {
                    let subject = subject.get("name").unwrap().try_clone().unwrap();
                    let dialogue = Dialogue {
                        connection: connection.clone(),
                        call: call.clone(),
                        subject: subject.try_into().unwrap(),
                    };
                    sender.send(Heard::Dialogue(dialogue)).ok();
                }
                other => panic!("unexpected flags: {other:?}"),
            }
        });
        Self {
            heard,
            _connection: connection,
        }
    }

    fn asks(&self) -> Dialogue {
        match self.heard.recv_timeout(SOON).unwrap() {
            Heard::Dialogue(dialogue) => dialogue,
            Heard::Cancel(id) => panic!("cancelled {id}"),
        }
    }

    fn is_cancelled(&self) {
        match self.heard.recv_timeout(SOON).unwrap() {
            Heard::Dialogue(_) => panic!("asked again"),
            Heard::Cancel(id) => assert_eq!(id, "verify"),
        }
    }
}

/// An attempt whose question is on show.
struct Begun {
    bus: TestBus,
    polkit: Polkit,
    seen: Receiver<Seen>,
    asked: AnswerHandle,
    answers: Receiver<Answer>,
    shown: Box<dyn Shown>,
}

fn begun() -> Begun {
    let bus = TestBus::start();
    let polkit = Polkit::start(&bus, Ok(challenge()));
    let (asker, seen) = observed();
    let (answer, answers) = answers();
    let question = sign_in_verified(Modality::Password);
    let shown = Password::on(bus.bus(), asker).verify(&question, answer);
    let (asked, handle) = seen_question(&seen);
    assert_eq!(asked, question);
    Begun {
        bus,
        polkit,
        seen,
        asked: handle,
        answers,
        shown,
    }
}

/// What comes of it when the user approves and the dialogue ends so.
fn after_dialogue(ends: Authorization, then: impl FnOnce(&Receiver<Answer>)) {
    let Begun {
        bus: _bus,
        polkit,
        seen,
        asked,
        answers,
        shown: _shown,
    } = begun();
    asked.give(Decision::Approved);
    sees_it_gone(&seen, None);
    polkit.asks().ends(ends);
    then(&answers);
}

#[test]
fn the_right_password_verifies() {
    after_dialogue(authorization(true, false), |answers| {
        assert_eq!(decided(answers), Decision::Verified);
    });
}

#[test]
fn a_wrong_password_is_one_failed_attempt() {
    after_dialogue(authorization(false, false), |answers| {
        assert_eq!(decided(answers), Decision::NotVerified);
    });
}

#[test]
fn closing_the_dialogue_declines() {
    let dismissed = (false, false, HashMap::from([("polkit.dismissed", "true")]));
    after_dialogue(dismissed, |answers| {
        assert_eq!(decided(answers), Decision::Declined)
    });
}

#[test]
fn without_an_agent_nobody_can_be_verified() {
    after_dialogue(challenge(), |answers| {
        assert!(reason(answers).contains("there is no polkit agent"));
    });
}

#[test]
fn it_is_this_connection_whose_user_is_asked() {
    let Begun {
        bus: _bus,
        polkit,
        asked,
        shown: _shown,
        ..
    } = begun();
    asked.give(Decision::Approved);
    let dialogue = polkit.asks();
    assert_eq!(
        dialogue.subject,
        dialogue.call.header().sender().unwrap().as_str()
    );
}

#[test]
fn who_refuses_is_not_asked_for_the_password() {
    let Begun {
        bus: _bus,
        polkit,
        asked,
        answers,
        shown: _shown,
        ..
    } = begun();
    asked.give(Decision::Declined);
    assert_eq!(decided(&answers), Decision::Declined);
    assert!(polkit.heard.recv_timeout(A_WHILE).is_err());
}

#[test]
fn taking_away_cancels_the_dialogue() {
    let Begun {
        bus: _bus,
        polkit,
        asked,
        answers,
        shown,
        ..
    } = begun();
    asked.give(Decision::Approved);
    let _dialogue = polkit.asks();
    drop(shown);
    polkit.is_cancelled();
    assert!(answers.recv_timeout(A_WHILE).is_err());
}

#[test]
fn taking_away_the_question_needs_no_dialogue() {
    let Begun {
        bus: _bus,
        polkit,
        seen,
        asked: _asked,
        answers,
        shown,
    } = begun();
    drop(shown);
    sees_it_gone(&seen, None);
    assert!(answers.recv_timeout(A_WHILE).is_err());
    assert!(polkit.heard.try_recv().is_err());
}

#[test]
fn a_question_that_cannot_be_asked_is_reported() {
    let Begun {
        bus: _bus,
        polkit: _polkit,
        asked,
        answers,
        shown: _shown,
        ..
    } = begun();
    asked.unavailable(Unavailable::new("no screen", ""));
    assert_eq!(reason(&answers), "no screen");
}

/// What polkit says when it is not to ask the user: is it authorized, and could it be?
type Policy = Result<(bool, bool), &'static str>;

const USELESS: [(Policy, &str); 4] = [
    (
        Ok((true, false)),
        "polkit grants org.wardkey.verify without asking for the password",
    ),
    (Ok((false, false)), "polkit does not allow org.wardkey.verify"),
    (
        Err("Action org.wardkey.verify is not registered"),
        "polkit does not know the action org.wardkey.verify",
    ),
    (
        Err("broken"),
        "polkit does not work: org.freedesktop.PolicyKit1.Error.Failed: broken",
    ),
];

#[test]
fn a_policy_that_does_not_ask_for_the_password_verifies_nobody() {
    for (policy, said) in USELESS {
        let bus = TestBus::start();
        let policy = policy.map(|(is_authorized, is_challenge)| authorization(is_authorized, is_challenge));
        let polkit = Polkit::start(&bus, policy);
        let (asker, seen) = observed();
        let password = Password::on(bus.bus(), asker);
        assert_eq!(password.probe().unwrap_err().to_string(), said);
        let (answer, answers) = answers();
        let _shown = password.verify(&sign_in_verified(Modality::Password), answer);
        assert_eq!(reason(&answers), said);
        assert!(seen.try_recv().is_err() && polkit.heard.try_recv().is_err());
    }
}

#[test]
fn probing_tells_whether_the_password_would_be_asked_for() {
    let bus = TestBus::start();
    let missing = Password::on(bus.bus(), observed().0).probe().unwrap_err();
    assert_eq!(missing.to_string(), "polkit is not installed");
    let _polkit = Polkit::start(&bus, Ok(challenge()));
    let found = Password::on(bus.bus(), observed().0).probe().unwrap();
    assert_eq!(found, "polkit asks for the password");
}

#[test]
fn the_mend_of_an_unknown_action_names_the_file() {
    let bus = TestBus::start();
    let _polkit = Polkit::start(&bus, Err("Action org.wardkey.verify is not registered"));
    let unknown = Password::on(bus.bus(), observed().0).probe().unwrap_err();
    assert_eq!(
        unknown.hint(),
        "wardkey doctor --print-policy | sudo tee /usr/share/polkit-1/actions/org.wardkey.policy"
    );
}

#[test]
fn the_policy_asks_for_the_users_own_password_each_time() {
    assert_eq!(POLICY.matches(">auth_self<").count(), 3);
    assert!(!POLICY.contains("keep") && !POLICY.contains("admin") && !POLICY.contains(">yes<"));
    assert!(POLICY.contains("<action id=\"org.wardkey.verify\">"));
}

//! An fprintd that does what the test says, on a message bus of the test's own.

use std::sync::mpsc::{Receiver, Sender, channel};

use zbus::{Connection, Message, ObjectPath, Variant};

use super::super::super::testing::{
    A_WHILE, SOON, Seen, answers, decided, observed, reason, seen_question, sees_it_gone, sign_in_verified,
};
use super::*;
use crate::bus::testing::{TestBus, refuse, reply};

const SERVICE: &str = "net.reactivated.Fprint";
const DEVICE: &str = "net.reactivated.Fprint.Device";
const PATH: &str = "/net/reactivated/Fprint/Device/0";

/// What the computer has.
#[derive(Clone, Copy)]
struct Hardware {
    /// The method that fails, and with which error.
    failing: Option<(&'static str, &'static str)>,
    fingers: &'static [&'static str],
}

const READY: Hardware = Hardware {
    failing: None,
    fingers: &["right-index-finger", "left-thumb"],
};

/// fprintd, and the calls that do something.
struct Fprintd {
    connection: Connection,
    calls: Receiver<String>,
}

impl Fprintd {
    fn start(bus: &TestBus, hardware: Hardware) -> Self {
        let (sender, calls) = channel();
        let connection = bus.serve(SERVICE, move |connection, call| {
            serve(connection, call, hardware, &sender);
        });
        Self { connection, calls }
    }

    fn hears(&self, expected: &str) {
        assert_eq!(self.calls.recv_timeout(SOON).unwrap(), expected);
    }

    fn says(&self, status: &str, is_done: bool) {
        status_from(&self.connection, None, status, is_done);
    }

    /// The reader is given back.
    fn is_released(&self) {
        self.hears("VerifyStop");
        self.hears("Release");
    }
}

fn status_from(connection: &Connection, to: Option<&str>, status: &str, is_done: bool) {
    let body = (status, is_done);
    zbus::block_on(connection.emit_signal(to, PATH, DEVICE, "VerifyStatus", &body)).unwrap();
}

fn serve(connection: &Connection, call: &Message, hardware: Hardware, calls: &Sender<String>) {
    let header = call.header();
    let member = header.member().unwrap().as_str();
    if let Some((_, error)) = hardware.failing.filter(|(failing, _)| *failing == member) {
        return refuse(connection, call, error, "on purpose");
    }
    match member {
        "GetDefaultDevice" => reply(connection, call, &ObjectPath::try_from(PATH).unwrap()),
        "Get" => reply(connection, call, &Variant::from("Reader\u{1b} 3")),
        "ListEnrolledFingers" => {
            assert_eq!(call.body().deserialize::<String>().unwrap(), "");
            reply(connection, call, &hardware.fingers);
        }
        "Claim" | "VerifyStart" => {
            let argument: String = call.body().deserialize().unwrap();
            reply(connection, call, &());
            calls.send(format!("{member} {argument}")).ok();
        }
        "VerifyStop" | "Release" => {
            reply(connection, call, &());
            calls.send(member.to_owned()).ok();
        }
        other => panic!("unexpected call: {other}"),
    }
}

/// An attempt under way: the question is on show, and the reader waits.
struct Begun {
    bus: TestBus,
    fprintd: Fprintd,
    seen: Receiver<Seen>,
    notice: Option<AnswerHandle>,
    answers: Receiver<Answer>,
    shown: Box<dyn Shown>,
}

fn begun() -> Begun {
    let bus = TestBus::start();
    let fprintd = Fprintd::start(&bus, READY);
    let (asker, seen) = observed();
    let (answer, answers) = answers();
    let question = sign_in_verified(Modality::Fingerprint);
    let shown = Fingerprint::on(bus.bus(), asker).verify(&question, answer);
    fprintd.hears("Claim ");
    let (asked, notice) = seen_question(&seen);
    assert_eq!(asked, question);
    fprintd.hears("VerifyStart any");
    Begun {
        bus,
        fprintd,
        seen,
        notice: Some(notice),
        answers,
        shown,
    }
}

#[test]
fn a_finger_that_matches_verifies() {
    let Begun {
        fprintd,
        answers,
        seen,
        ..
    } = &begun();
    fprintd.says("verify-match", true);
    assert_eq!(decided(answers), Decision::Verified);
    sees_it_gone(seen, None);
    fprintd.is_released();
}

#[test]
fn another_finger_is_one_failed_attempt() {
    let Begun { fprintd, answers, .. } = &begun();
    fprintd.says("verify-no-match", true);
    assert_eq!(decided(answers), Decision::NotVerified);
    fprintd.is_released();
}

#[test]
fn a_finger_that_was_not_read_well_is_asked_for_again_and_costs_no_attempt() {
    let Begun {
        fprintd,
        answers,
        seen,
        ..
    } = &begun();
    let mut before = None;
    for (status, note) in [
        ("verify-retry-scan", "The finger was not read well: try again."),
        ("verify-swipe-too-short", "The swipe was too short: try again."),
        (
            "verify-finger-not-centered",
            "The finger was not in the middle: try again.",
        ),
        ("verify-remove-and-retry", "Lift the finger, then try again."),
        ("verify-something-new", "The finger was not read: try again."),
    ] {
        fprintd.says(status, false);
        // Said again, it is on show already.
        fprintd.says(status, false);
        let (asked, notice) = seen_question(seen);
        assert_eq!(asked.note, Some(note));
        notice.dismiss();
        sees_it_gone(seen, before);
        before = Some(note);
    }
    assert!(answers.recv_timeout(A_WHILE).is_err());
    fprintd.says("verify-match", true);
    assert_eq!(decided(answers), Decision::Verified);
}

#[test]
fn refusing_the_question_declines_and_gives_the_reader_back() {
    let Begun {
        bus: _bus,
        fprintd,
        answers,
        notice,
        shown: _shown,
        ..
    } = begun();
    notice.unwrap().give(Decision::Declined);
    assert_eq!(decided(&answers), Decision::Declined);
    fprintd.is_released();
}

#[test]
fn a_yes_without_a_finger_verifies_nobody() {
    let Begun {
        bus: _bus,
        fprintd,
        answers,
        notice,
        shown: _shown,
        ..
    } = begun();
    notice.unwrap().give(Decision::Approved);
    assert!(answers.recv_timeout(A_WHILE).is_err());
    fprintd.says("verify-match", true);
    assert_eq!(decided(&answers), Decision::Verified);
}

#[test]
fn taking_away_stops_the_reader_and_the_question() {
    let Begun {
        bus: _bus,
        fprintd,
        answers,
        seen,
        notice: _notice,
        shown,
    } = begun();
    drop(shown);
    sees_it_gone(&seen, None);
    fprintd.is_released();
    assert!(answers.recv_timeout(A_WHILE).is_err());
}

#[test]
fn another_program_cannot_say_that_a_finger_matched() {
    let Begun {
        bus,
        fprintd,
        answers,
        ..
    } = &begun();
    status_from(&bus.connect(), None, "verify-match", true);
    assert!(answers.recv_timeout(A_WHILE).is_err());
    fprintd.says("verify-no-match", true);
    assert_eq!(decided(answers), Decision::NotVerified);
}

#[test]
fn a_reader_that_breaks_verifies_nobody() {
    for (status, said) in [
        ("verify-disconnected", "the fingerprint reader was unplugged"),
        ("verify-unknown-error", "the fingerprint reader failed"),
    ] {
        let Begun { fprintd, answers, .. } = &begun();
        fprintd.says(status, true);
        assert_eq!(reason(answers), said);
        fprintd.is_released();
    }
    let Begun {
        bus: _bus,
        fprintd,
        answers,
        notice: _notice,
        shown: _shown,
        ..
    } = begun();
    zbus::block_on(fprintd.connection.close()).unwrap();
    assert_eq!(reason(&answers), "fprintd has ended");
}

#[test]
fn without_a_question_on_show_no_finger_counts() {
    let Begun {
        bus: _bus,
        fprintd,
        answers,
        notice,
        shown: _shown,
        ..
    } = begun();
    notice.unwrap().unavailable(Unavailable::new("no screen", ""));
    assert_eq!(reason(&answers), "no screen");
    fprintd.is_released();
}

#[test]
fn what_does_not_work_is_told() {
    for (failing, error, said) in [
        (
            "GetDefaultDevice",
            "net.reactivated.Fprint.Error.NoSuchDevice",
            "there is no fingerprint reader",
        ),
        (
            "Claim",
            "net.reactivated.Fprint.Error.AlreadyInUse",
            "another program uses the fingerprint reader",
        ),
        (
            "Claim",
            "net.reactivated.Fprint.Error.PermissionDenied",
            "this session may not use the fingerprint reader",
        ),
        (
            "VerifyStart",
            "net.reactivated.Fprint.Error.NoEnrolledPrints",
            "no finger is enrolled",
        ),
        (
            "VerifyStart",
            "net.reactivated.Fprint.Error.Internal",
            "fprintd does not work: net.reactivated.Fprint.Error.Internal: on purpose",
        ),
    ] {
        let bus = TestBus::start();
        let hardware = Hardware {
            failing: Some((failing, error)),
            ..READY
        };
        let fprintd = Fprintd::start(&bus, hardware);
        let (asker, _seen) = observed();
        let (answer, answers) = answers();
        let _shown =
            Fingerprint::on(bus.bus(), asker).verify(&sign_in_verified(Modality::Fingerprint), answer);
        assert_eq!(reason(&answers), said);
        if failing == "VerifyStart" {
            fprintd.hears("Claim ");
            fprintd.is_released();
        }
    }
}

fn probed(hardware: Hardware) -> Result<String, String> {
    let bus = TestBus::start();
    let _fprintd = Fprintd::start(&bus, hardware);
    let probed = Fingerprint::on(bus.bus(), observed().0).probe();
    probed.map_err(|unavailable| unavailable.to_string())
}

#[test]
fn probing_names_the_reader_and_counts_the_fingers() {
    assert_eq!(probed(READY).unwrap(), "Reader\u{FFFD} 3, 2 fingers are enrolled");
    let one = Hardware {
        fingers: &["left-thumb"],
        ..READY
    };
    assert_eq!(probed(one).unwrap(), "Reader\u{FFFD} 3, 1 finger is enrolled");
}

#[test]
fn probing_tells_what_is_missing() {
    let none = Hardware {
        fingers: &[],
        ..READY
    };
    assert_eq!(probed(none).unwrap_err(), "no finger is enrolled");
    let refused = Hardware {
        failing: Some((
            "ListEnrolledFingers",
            "net.reactivated.Fprint.Error.NoEnrolledPrints",
        )),
        ..READY
    };
    assert_eq!(probed(refused).unwrap_err(), "no finger is enrolled");
    let bus = TestBus::start();
    let (asker, _seen) = observed();
    let missing = Fingerprint::on(bus.bus(), asker).probe().unwrap_err();
    assert_eq!(missing.to_string(), "fprintd is not installed");
    let nowhere = Bus::At("unix:path=/nonexistent/bus".to_owned());
    let missing = Fingerprint::on(nowhere, observed().0).probe().unwrap_err();
    assert!(missing.to_string().starts_with("there is no system bus: "));
}

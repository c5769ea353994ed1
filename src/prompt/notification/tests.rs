//! A notification daemon that does what the test says, on a message bus of the test's own.

use std::sync::mpsc::{Receiver, channel};

use zbus::{Connection, Message, OwnedVariant};

use super::super::testing::{A_WHILE, SOON, accounts, answers, decided, reason, sign_in, sign_in_verified};
use super::super::{Answer, Modality};
use super::*;
use crate::bus::testing::{TestBus, reply};

const INTERFACE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const ID: u32 = 41;

/// What the daemon was asked to do.
#[derive(Debug, PartialEq)]
enum Heard {
    Notify {
        from: String,
        body: String,
        summary: String,
        actions: Vec<String>,
        urgency: u8,
        expires_ms: i32,
    },
    Close(u32),
}

/// A notification daemon.
struct Daemon {
    connection: Connection,
    heard: Receiver<Heard>,
}

impl Daemon {
    fn start(bus: &TestBus, capabilities: &[&'static str]) -> Self {
        let (sender, heard) = channel();
        let capabilities = capabilities.to_vec();
        let connection = bus.serve(INTERFACE, move |connection, call| {
            if let Some(heard) = serve(connection, call, &capabilities) {
                sender.send(heard).ok();
            }
        });
        Self { connection, heard }
    }

    fn hears(&self) -> Heard {
        self.heard.recv_timeout(SOON).unwrap()
    }

    fn presses(&self, id: u32, action: &str) {
        signal(&self.connection, None, "ActionInvoked", &(id, action));
    }

    fn closes(&self, id: u32, reason: u32) {
        signal(&self.connection, None, "NotificationClosed", &(id, reason));
    }
}

fn signal<B>(connection: &Connection, to: Option<&str>, name: &str, body: &B)
where
    B: serde::Serialize + zbus::DynamicType,
{
    zbus::block_on(connection.emit_signal(to, PATH, INTERFACE, name, body)).unwrap();
}

fn serve(connection: &Connection, call: &Message, capabilities: &[&str]) -> Option<Heard> {
    let header = call.header();
    match header.member().unwrap().as_str() {
        "GetCapabilities" => {
            reply(connection, call, &capabilities);
            None
        }
        "GetServerInformation" => {
            reply(connection, call, &("Test\u{1b}", "nobody", "3", "1.2"));
            None
        }
        "Notify" => {
            type Arguments = (
                String,
                u32,
                String,
                String,
                String,
                Vec<String>,
                std::collections::HashMap<String, OwnedVariant>,
                i32,
            );
            let (_, _, _, summary, body, actions, hints, expires_ms): Arguments =
                call.body().deserialize().unwrap();
            let urgency = u8::try_from(hints.get("urgency").unwrap().clone()).unwrap();
            reply(connection, call, &ID);
            let from = header.sender().unwrap().to_string();
            Some(Heard::Notify {
                from,
                summary,
                body,
                actions,
                urgency,
                expires_ms,
            })
        }
        "CloseNotification" => {
            let id = call.body().deserialize().unwrap();
            reply(connection, call, &());
            Some(Heard::Close(id))
        }
        other => panic!("unexpected call: {other}"),
    }
}

fn asker(bus: &TestBus) -> Notification {
    Notification::on(bus.bus())
}

const BUTTONS: [&str; 2] = ["body", "actions"];

/// A question on the screen.
struct Asked {
    bus: TestBus,
    daemon: Daemon,
    client: String,
    answers: Receiver<Answer>,
    shown: Box<dyn Shown>,
}

fn asked() -> Asked {
    asked_about(&sign_in())
}

fn asked_about(question: &Question) -> Asked {
    let bus = TestBus::start();
    let daemon = Daemon::start(&bus, &BUTTONS);
    let (answer, answers) = answers();
    let shown = asker(&bus).ask(question, answer);
    let Heard::Notify { from: client, .. } = daemon.hears() else {
        panic!("closed before it was shown")
    };
    Asked {
        bus,
        daemon,
        client,
        answers,
        shown,
    }
}

#[test]
fn a_notification_names_what_happens_and_has_two_buttons() {
    let bus = TestBus::start();
    let daemon = Daemon::start(&bus, &BUTTONS);
    let (answer, _answers) = answers();
    let _shown = asker(&bus).ask(&sign_in(), answer);
    let Heard::Notify {
        summary,
        body,
        actions,
        urgency,
        expires_ms,
        ..
    } = daemon.hears()
    else {
        panic!("closed before it was shown");
    };
    assert_eq!(summary, "Sign in");
    assert_eq!(body, "Sign in to example.com as alice?");
    assert_eq!(
        actions,
        ["approve", "Approve", "deny", "Deny"],
        "no action for a click on the notification"
    );
    assert_eq!(urgency, 2);
    assert_eq!(expires_ms, 35_000);
}

#[test]
fn markup_of_the_host_is_escaped_where_markup_works() {
    let bus = TestBus::start();
    let daemon = Daemon::start(&bus, &["actions", "body-markup"]);
    let question = Question {
        user_name: Some("<a href='x'>Alice & Bob</a>".to_owned()),
        ..sign_in()
    };
    let (answer, _answers) = answers();
    let _shown = asker(&bus).ask(&question, answer);
    let Heard::Notify { body, .. } = daemon.hears() else {
        panic!("closed before it was shown")
    };
    assert_eq!(
        body,
        "Sign in to example.com as “&lt;a href=&#39;x&#39;&gt;Alice &amp; Bob&lt;/a&gt;”?"
    );
}

#[test]
fn the_buttons_decide() {
    let Asked { daemon, answers, .. } = &asked();
    daemon.presses(ID, "approve");
    assert_eq!(decided(answers), Decision::Approved);
    let Asked { daemon, answers, .. } = &asked();
    daemon.presses(ID, "deny");
    assert_eq!(decided(answers), Decision::Declined);
}

#[test]
fn closing_it_declines() {
    let Asked { daemon, answers, .. } = &asked();
    daemon.closes(ID, 2);
    assert_eq!(decided(answers), Decision::Declined);
}

#[test]
fn clicking_on_it_and_other_notifications_decide_nothing() {
    let Asked { daemon, answers, .. } = &asked();
    daemon.presses(ID, "default");
    daemon.presses(ID, "");
    daemon.presses(ID + 1, "approve");
    daemon.closes(ID + 1, 2);
    signal(
        &daemon.connection,
        None,
        "ActionInvoked",
        &("not", "what", "it", "should", "be"),
    );
    assert!(answers.recv_timeout(A_WHILE).is_err());
    daemon.presses(ID, "deny");
    assert_eq!(decided(answers), Decision::Declined);
}

#[test]
fn another_program_cannot_approve() {
    let Asked {
        bus,
        daemon,
        client,
        answers,
        shown: _shown,
    } = &asked();
    let forger = bus.connect();
    signal(&forger, Some(client), "ActionInvoked", &(ID, "approve"));
    signal(&forger, None, "ActionInvoked", &(ID, "approve"));
    assert!(answers.recv_timeout(A_WHILE).is_err());
    daemon.presses(ID, "deny");
    assert_eq!(decided(answers), Decision::Declined);
}

#[test]
fn taking_away_closes_the_notification() {
    let Asked {
        bus: _bus,
        daemon,
        answers,
        shown,
        ..
    } = asked();
    drop(shown);
    assert_eq!(daemon.hears(), Heard::Close(ID));
    assert!(answers.recv_timeout(A_WHILE).is_err());
}

#[test]
fn a_notification_that_goes_away_by_itself_did_not_ask() {
    let Asked { daemon, answers, .. } = &asked();
    daemon.closes(ID, 1);
    assert_eq!(reason(answers), "the notification went away unanswered");
}

#[test]
fn a_daemon_that_ends_did_not_ask() {
    let Asked {
        bus: _bus,
        daemon,
        answers,
        shown: _shown,
        ..
    } = asked();
    let Daemon {
        connection,
        heard: _heard,
    } = daemon;
    zbus::block_on(connection.close()).unwrap();
    assert_eq!(reason(&answers), "the notification daemon has ended");
}

#[test]
fn a_daemon_without_buttons_cannot_ask() {
    let bus = TestBus::start();
    let _daemon = Daemon::start(&bus, &["body", "body-markup"]);
    let (answer, answers) = answers();
    let _shown = asker(&bus).ask(&sign_in(), answer);
    assert_eq!(reason(&answers), "the notification daemon shows no buttons");
    assert!(asker(&bus).probe().is_err());
}

#[test]
fn without_a_daemon_or_a_bus_nobody_can_be_asked() {
    let bus = TestBus::start();
    let (answer, received) = answers();
    let _shown = asker(&bus).ask(&sign_in(), answer);
    assert!(reason(&received).starts_with("no notification daemon answers: "));
    let (answer, received) = answers();
    let _shown = Notification::on(Bus::At("unix:path=/nonexistent/bus".to_owned())).ask(&sign_in(), answer);
    assert!(reason(&received).starts_with("there is no session bus: "));
}

#[test]
fn probing_names_the_daemon() {
    let bus = TestBus::start();
    let _daemon = Daemon::start(&bus, &BUTTONS);
    assert_eq!(asker(&bus).probe().unwrap(), "Test\u{FFFD} 3");
}

#[test]
fn a_bus_that_does_not_answer_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let asker = Notification::on(Bus::At(format!("unix:path={}", socket.display())));
    assert_eq!(
        asker.probe_within(A_WHILE).unwrap_err().to_string(),
        "the session bus does not answer"
    );
    let (answer, answers) = answers();
    drop(asker.ask(&sign_in(), answer));
    assert!(answers.recv_timeout(A_WHILE).is_err());
}

fn asked_about_accounts(count: usize) -> Asked {
    asked_about(&Question {
        accounts: accounts(count),
        ..sign_in()
    })
}

#[test]
fn the_button_of_an_account_chooses_it() {
    let Asked { daemon, answers, .. } = &asked_about_accounts(2);
    daemon.presses(ID, "approve");
    daemon.presses(ID, "account-2");
    daemon.presses(ID, "account-1");
    assert_eq!(decided(answers), Decision::Chosen(1));
}

#[test]
fn other_accounts_are_on_the_next_pages_and_the_first_comes_again() {
    let Asked { daemon, answers, .. } = &asked_about_accounts(3);
    for account in ["user2", "user3", "user1"] {
        daemon.presses(ID, "next");
        assert_eq!(daemon.hears(), Heard::Close(ID));
        let Heard::Notify { body, actions, .. } = daemon.hears() else {
            panic!("closed twice")
        };
        assert!(body.ends_with(&format!(": {account}.")), "{body}");
        assert_eq!(actions[1], account);
        // A daemon may report late that the page before was closed.
        daemon.closes(ID - 1, 2);
    }
    daemon.presses(ID, "account-1");
    daemon.presses(ID, "account-0");
    assert_eq!(decided(answers), Decision::Chosen(0));
}

#[test]
fn beside_a_fingerprint_reader_it_can_only_refuse() {
    let Asked { daemon, answers, .. } = &asked_about(&sign_in_verified(Modality::Fingerprint));
    daemon.presses(ID, "approve");
    assert!(answers.recv_timeout(A_WHILE).is_err());
    daemon.presses(ID, "deny");
    assert_eq!(decided(answers), Decision::Declined);
}

#[test]
fn it_cannot_take_a_pin() {
    let bus = TestBus::start();
    let (answer, received) = answers();
    let _shown = asker(&bus).ask(&sign_in_verified(Modality::Pin), answer);
    assert_eq!(reason(&received), "a PIN cannot be entered in a notification");
}

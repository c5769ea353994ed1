//! A logind that does what the test says, on a message bus of the test's own.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::geteuid;
use zbus::{Connection, Fd, Message, ObjectPath, Variant};

use super::*;
use crate::bus::testing::{TestBus, refuse, reply};
use crate::prompt::testing::{A_WHILE, SOON};
use crate::readiness::is_ready_within;
use crate::wake::Mailbox;

const SERVICE: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNKNOWN_OBJECT: &str = "org.freedesktop.DBus.Error.UnknownObject";

const OURS: &str = "/org/freedesktop/login1/session/_32";
const THEIRS: &str = "/org/freedesktop/login1/session/_33";
const ENDED: &str = "/org/freedesktop/login1/session/_34";

const BOTH: [LockEvent; 2] = [LockEvent::Suspend, LockEvent::Session];

/// How the computer is found.
#[derive(Clone, Copy, Default)]
struct Computer {
    falls_asleep: bool,
    refuses_delay: bool,
    /// Sessions whose screen is locked.
    locked: &'static [&'static str],
}

/// logind, and what it was asked for.
struct FakeLogind {
    connection: Connection,
    calls: Receiver<Call>,
}

enum Call {
    Inhibit(Delay),
    ListSessions,
}

/// An inhibitor that was given.
struct Delay {
    other_end: OwnedFd,
    /// To this program.
    to: String,
}

impl FakeLogind {
    fn start(bus: &TestBus, computer: Computer) -> Self {
        let (sender, calls) = channel();
        let connection = bus.serve(SERVICE, move |connection, call| {
            serve(connection, call, computer, &sender);
        });
        Self { connection, calls }
    }

    fn is_asked_to_delay(&self) -> Delay {
        match self.calls.recv_timeout(SOON).expect("a call") {
            Call::Inhibit(delay) => delay,
            Call::ListSessions => panic!("asked for sessions"),
        }
    }

    fn is_asked_for_sessions(&self) {
        match self.calls.recv_timeout(SOON).expect("a call") {
            Call::ListSessions => {}
            Call::Inhibit(_) => panic!("asked to delay sleep"),
        }
    }

    fn says(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) {
        says(&self.connection, path, interface, member, body);
    }

    fn falls_asleep(&self, falls_asleep: bool) {
        self.says(PATH, MANAGER, "PrepareForSleep", &falls_asleep);
    }

    fn locks(&self, session: &str) {
        self.says(session, SESSION, "Lock", &());
    }

    fn property_changes(&self, session: &str, property: &str, value: bool) {
        let changed = HashMap::from([(property, Variant::from(value))]);
        let invalidated = Vec::<&str>::new();
        self.says(
            session,
            PROPERTIES,
            "PropertiesChanged",
            &(SESSION, changed, invalidated),
        );
    }
}

fn says(
    connection: &Connection,
    path: &str,
    interface: &str,
    member: &str,
    body: &(impl serde::Serialize + zbus::DynamicType),
) {
    let to_everybody = None::<&str>;
    zbus::block_on(connection.emit_signal(to_everybody, path, interface, member, body)).unwrap();
}

fn serve(connection: &Connection, call: &Message, computer: Computer, calls: &Sender<Call>) {
    let header = call.header();
    let path = header.path().unwrap().as_str();
    let uid = geteuid().as_raw();
    let another_uid = uid + 1;
    match header.member().unwrap().as_str() {
        "Inhibit" if computer.refuses_delay => {
            refuse(
                connection,
                call,
                "org.freedesktop.DBus.Error.AccessDenied",
                "on purpose",
            );
        }
        "Inhibit" => {
            let (what, who, why, mode): (String, String, String, String) = call.body().deserialize().unwrap();
            assert_eq!(
                (what.as_str(), who.as_str(), mode.as_str()),
                ("sleep", "wardkey", "delay")
            );
            assert!(!why.is_empty());
            let (other_end, inhibitor) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            reply(connection, call, &Fd::from(inhibitor));
            let to = header.sender().unwrap().to_string();
            calls.send(Call::Inhibit(Delay { other_end, to })).ok();
        }
        "ListSessions" => {
            let session = |id: &'static str, uid: u32, path: &'static str| {
                (id, uid, "name", "seat0", ObjectPath::try_from(path).unwrap())
            };
            let sessions = [
                session("3", another_uid, THEIRS),
                session("4", uid, ENDED),
                session("2", uid, OURS),
            ];
            reply(connection, call, &sessions.as_slice());
            calls.send(Call::ListSessions).ok();
        }
        "Get" => {
            let (_, property): (String, String) = call.body().deserialize().unwrap();
            let user = |uid: u32| {
                Variant::from((
                    uid,
                    ObjectPath::try_from("/org/freedesktop/login1/user/self").unwrap(),
                ))
            };
            match (path, property.as_str()) {
                (PATH, "PreparingForSleep") => reply(connection, call, &Variant::from(computer.falls_asleep)),
                (ENDED, _) => refuse(connection, call, UNKNOWN_OBJECT, "it has ended"),
                (_, "LockedHint") => reply(connection, call, &Variant::from(computer.locked.contains(&path))),
                (OURS, "User") => reply(connection, call, &user(uid)),
                (THEIRS, "User") => reply(connection, call, &user(another_uid)),
                other => panic!("unexpected property: {other:?}"),
            }
        }
        other => panic!("unexpected call: {other}"),
    }
}

fn watch(bus: Bus, events: &[LockEvent]) -> Mailbox {
    let (mailbox, waker) = Mailbox::new().unwrap();
    start(bus, events.to_vec(), waker).unwrap();
    mailbox
}

fn next(mailbox: &Mailbox) -> Wakeup {
    loop {
        mailbox.answer_bell();
        if let Some(message) = mailbox.take() {
            return message;
        }
        let is_rung = is_ready_within(mailbox.as_fd(), SOON).unwrap();
        assert!(is_rung, "nothing comes");
    }
}

/// Nothing comes, while logind is looked for some times more.
fn is_silent(mailbox: &Mailbox) {
    mailbox.answer_bell();
    assert!(mailbox.take().is_none());
    assert!(!is_ready_within(mailbox.as_fd(), A_WHILE * 3).unwrap());
}

fn ordered(mailbox: &Mailbox) -> LockOrder {
    match next(mailbox) {
        Wakeup::Lock(order) => order,
        Wakeup::Problem(text) => panic!("{text}"),
        Wakeup::Answer(..) | Wakeup::Tried(_) | Wakeup::Order(_) | Wakeup::Exchange(..) => {
            panic!("another message")
        }
    }
}

fn told(mailbox: &Mailbox) -> String {
    match next(mailbox) {
        Wakeup::Problem(text) => text,
        Wakeup::Lock(LockOrder { reason, .. }) => panic!("{reason}"),
        Wakeup::Answer(..) | Wakeup::Tried(_) | Wakeup::Order(_) | Wakeup::Exchange(..) => {
            panic!("another message")
        }
    }
}

/// A logind that is listened to.
struct Begun {
    bus: TestBus,
    logind: FakeLogind,
    delay: Delay,
    mailbox: Mailbox,
}

fn begun() -> Begun {
    let bus = TestBus::start();
    let logind = FakeLogind::start(&bus, Computer::default());
    let mailbox = watch(bus.bus(), &BOTH);
    let delay = logind.is_asked_to_delay();
    logind.is_asked_for_sessions();
    Begun {
        bus,
        logind,
        delay,
        mailbox,
    }
}

fn is_delayed(delay: &Delay) -> bool {
    !is_ready_within(delay.other_end.as_fd(), A_WHILE).unwrap()
}

#[track_caller]
fn is_let_go(delay: &Delay) {
    assert!(
        is_ready_within(delay.other_end.as_fd(), SOON).unwrap(),
        "sleep is still delayed"
    );
}

/// The next thing that is told is the sleep that follows now: nothing before it counted.
fn nothing_counted(logind: &FakeLogind, mailbox: &Mailbox) {
    logind.falls_asleep(true);
    assert_eq!(ordered(mailbox).reason, LockReason::Suspend);
}

#[test]
fn the_computer_sleeps_when_the_vault_was_locked_and_not_before() {
    let Begun {
        logind,
        delay,
        mailbox,
        ..
    } = &begun();
    logind.falls_asleep(true);
    let order = ordered(mailbox);
    assert_eq!(order.reason, LockReason::Suspend);
    assert!(is_delayed(delay));
    drop(order);
    is_let_go(delay);
}

#[test]
fn the_next_sleep_is_delayed_as_well() {
    let Begun { logind, mailbox, .. } = &begun();
    for _ in 0..2 {
        logind.falls_asleep(true);
        drop(ordered(mailbox));
        logind.falls_asleep(false);
        let delay = logind.is_asked_to_delay();
        assert!(is_delayed(&delay));
    }
}

#[test]
fn sleep_is_not_delayed_when_nobody_is_there_to_lock() {
    let Begun {
        bus: _bus,
        logind,
        delay,
        mailbox,
    } = begun();
    drop(mailbox);
    logind.falls_asleep(true);
    is_let_go(&delay);
}

#[test]
fn a_session_of_the_user_is_locked() {
    let Begun { logind, mailbox, .. } = &begun();
    logind.locks(OURS);
    let order = ordered(mailbox);
    assert_eq!(order.reason, LockReason::SessionLocked);
    assert!(order.sleep_delay.is_none());
}

#[test]
fn a_screen_of_the_user_is_locked() {
    let Begun { logind, mailbox, .. } = &begun();
    logind.property_changes(OURS, "LockedHint", true);
    assert_eq!(ordered(mailbox).reason, LockReason::SessionLocked);
}

#[test]
fn sessions_of_others_and_sessions_that_have_ended_do_not_count() {
    let Begun { logind, mailbox, .. } = &begun();
    for session in [THEIRS, ENDED] {
        logind.locks(session);
        logind.property_changes(session, "LockedHint", true);
    }
    nothing_counted(logind, mailbox);
}

#[test]
fn a_screen_that_is_unlocked_and_other_changes_do_not_count() {
    let Begun { logind, mailbox, .. } = &begun();
    logind.property_changes(OURS, "LockedHint", false);
    logind.property_changes(OURS, "IdleHint", true);
    logind.says(OURS, SESSION, "Unlock", &());
    logind.falls_asleep(false);
    nothing_counted(logind, mailbox);
}

#[test]
fn another_program_on_the_bus_is_not_believed() {
    let Begun {
        bus,
        logind,
        delay,
        mailbox,
    } = &begun();
    let impostor = bus.connect();
    says(&impostor, OURS, SESSION, "Lock", &());
    let to_us_alone = Some(delay.to.as_str());
    let said = impostor.emit_signal(to_us_alone, OURS, SESSION, "Lock", &());
    zbus::block_on(said).unwrap();
    // The bus delivers in order, so that this call comes back after what was said before.
    let pinged = impostor.call_method(
        Some(SERVICE),
        PATH,
        Some(PROPERTIES),
        "Get",
        &(MANAGER, "PreparingForSleep"),
    );
    zbus::block_on(pinged).unwrap();
    nothing_counted(logind, mailbox);
}

#[test]
fn what_happened_before_it_was_listened_to_counts() {
    let bus = TestBus::start();
    let computer = Computer {
        falls_asleep: true,
        locked: &[OURS],
        ..Computer::default()
    };
    let _logind = FakeLogind::start(&bus, computer);
    let mailbox = watch(bus.bus(), &BOTH);
    assert_eq!(ordered(&mailbox).reason, LockReason::Suspend);
    assert_eq!(ordered(&mailbox).reason, LockReason::SessionLocked);
}

#[test]
fn a_locked_screen_of_another_does_not_count_then() {
    let bus = TestBus::start();
    let computer = Computer {
        locked: &[THEIRS],
        ..Computer::default()
    };
    let logind = FakeLogind::start(&bus, computer);
    let mailbox = watch(bus.bus(), &BOTH);
    let _delay = logind.is_asked_to_delay();
    logind.is_asked_for_sessions();
    nothing_counted(&logind, &mailbox);
}

#[test]
fn what_shall_not_lock_does_not() {
    let bus = TestBus::start();
    let logind = FakeLogind::start(&bus, Computer::default());
    let mailbox = watch(bus.bus(), &[LockEvent::Session]);
    logind.is_asked_for_sessions();
    logind.falls_asleep(true);
    logind.falls_asleep(false);
    logind.locks(OURS);
    assert_eq!(ordered(&mailbox).reason, LockReason::SessionLocked);

    let mailbox = watch(bus.bus(), &[LockEvent::Suspend]);
    let _delay = logind.is_asked_to_delay();
    logind.locks(OURS);
    logind.property_changes(OURS, "LockedHint", true);
    nothing_counted(&logind, &mailbox);
}

#[test]
fn a_computer_that_does_not_wait_still_tells() {
    let bus = TestBus::start();
    let computer = Computer {
        refuses_delay: true,
        ..Computer::default()
    };
    let logind = FakeLogind::start(&bus, computer);
    let mailbox = watch(bus.bus(), &BOTH);
    let told = told(&mailbox);
    assert!(
        told.starts_with("the computer may sleep before the vault is locked: "),
        "{told}"
    );
    logind.is_asked_for_sessions();
    logind.falls_asleep(true);
    let order = ordered(&mailbox);
    assert_eq!(order.reason, LockReason::Suspend);
    assert!(order.sleep_delay.is_none());
}

#[test]
fn a_logind_that_starts_again_is_listened_to_again() {
    let Begun {
        bus,
        logind,
        delay,
        mailbox,
    } = begun();
    zbus::block_on(logind.connection.close()).unwrap();
    is_let_go(&delay);
    // In between there may be a moment in which there is none, which is told.
    let logind = FakeLogind::start(&bus, Computer::default());
    let delay = logind.is_asked_to_delay();
    assert!(is_delayed(&delay));
    logind.is_asked_for_sessions();
    logind.locks(OURS);
    let mut message = next(&mailbox);
    if matches!(message, Wakeup::Problem(_)) {
        message = next(&mailbox);
    }
    assert!(matches!(
        message,
        Wakeup::Lock(LockOrder {
            reason: LockReason::SessionLocked,
            ..
        })
    ));
}

#[test]
fn a_computer_without_logind_tells_so() {
    let bus = TestBus::start();
    let mailbox = watch(bus.bus(), &BOTH);
    let told = told(&mailbox);
    let expected =
        "the vault does not lock when the computer sleeps or the session is locked: logind does not run";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn a_missing_logind_is_told_once_and_found_when_it_comes() {
    let Begun {
        mut bus,
        logind,
        delay,
        mailbox,
    } = begun();
    // Until it waits for what comes next.
    logind.locks(OURS);
    drop(ordered(&mailbox));
    zbus::block_on(logind.connection.close()).unwrap();
    is_let_go(&delay);
    let first = told(&mailbox);
    assert!(
        first.contains(": logind does not run; trying again. hint: "),
        "{first}"
    );
    is_silent(&mailbox);

    bus.stop();
    let second = told(&mailbox);
    assert!(second.contains("there is no system bus: "), "{second}");
    is_silent(&mailbox);

    bus.start_again();
    let logind = FakeLogind::start(&bus, Computer::default());
    let _delay = logind.is_asked_to_delay();
    logind.is_asked_for_sessions();
    nothing_counted(&logind, &mailbox);
}

#[test]
fn a_bus_that_starts_again_is_listened_to_again() {
    let Begun {
        mut bus,
        logind,
        delay,
        mailbox,
    } = begun();
    // Until it waits for what comes next.
    logind.locks(OURS);
    drop(ordered(&mailbox));
    bus.stop();
    is_let_go(&delay);
    drop(logind);
    let told = told(&mailbox);
    assert!(told.contains("there is no system bus: "), "{told}");
    bus.start_again();
    let logind = FakeLogind::start(&bus, Computer::default());
    let _delay = logind.is_asked_to_delay();
    logind.is_asked_for_sessions();
    nothing_counted(&logind, &mailbox);
}

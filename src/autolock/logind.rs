//! The D-Bus side: `org.freedesktop.login1` on the system bus, of which only the administrator's program can be the
//! owner. It tells before the computer sleeps, and when a session is locked.
//!
//! A key that runs as a service of the user is in no session itself, so each session of the user counts. A screen locker
//! that tells logind nothing is not noticed.

use std::collections::HashMap;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as _;
use rustix::process::geteuid;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use crate::bus::{Bus, CALL_PATIENCE, all_signals_of, end_of, error_name};
use crate::prompt::Unavailable;

const SERVICE: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The body of PropertiesChanged: interface, properties with a new value, properties without.
type Changed = (String, HashMap<String, OwnedVariant>, Vec<String>);

/// logind.
pub(super) struct Logind {
    connection: Connection,
    /// Its name on the bus that no other program can have.
    service: String,
    signals: MessageStream,
    end: MessageStream,
}

/// Keeps the computer awake, for some seconds at most, so that it does not sleep with the vault open. Dropping it lets the
/// computer sleep.
pub(crate) struct SleepDelay {
    _inhibitor: OwnedFd,
}

/// What logind tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    FallsAsleep,
    WokeUp,
    /// A session was locked, or its screen is locked now. It may be anybody's.
    Locked(OwnedObjectPath),
    /// It has ended, or the bus has.
    Gone,
}

/// One session of ListSessions: id, user id, user name, seat, path.
type Listed = (String, u32, String, String, OwnedObjectPath);

impl Logind {
    /// The signals are subscribed to before anything else is asked, so that none is missed.
    pub(super) async fn connect(bus: &Bus) -> Result<Self, Unavailable> {
        let connection = bus.connect(CALL_PATIENCE).await.map_err(no_bus)?;
        // The first call starts logind where the bus can do that, and tells its name.
        let reply = get(&connection, SERVICE, PATH, MANAGER, "PreparingForSleep").await;
        let reply = reply.map_err(failed)?;
        let service = reply.header().sender().map(ToString::to_string);
        let service = service.ok_or_else(|| failed(zbus::Error::InvalidReply))?;
        let signals = all_signals_of(&connection, &service).await.map_err(failed)?;
        let end = end_of(&connection, &service).await.map_err(failed)?;
        Ok(Self {
            connection,
            service,
            signals,
            end,
        })
    }

    /// Whether the computer is about to sleep: who comes late was not told.
    pub(super) async fn falls_asleep(&self) -> Result<bool, Unavailable> {
        self.property(PATH, MANAGER, "PreparingForSleep")
            .await
            .map_err(failed)
    }

    /// From now on, the computer sleeps only after what this gives was dropped.
    pub(super) async fn delay_sleep(&self) -> Result<SleepDelay, Unavailable> {
        let request = (
            "sleep",
            "wardkey",
            "The vault is locked before the computer sleeps",
            "delay",
        );
        let service = Some(self.service.as_str());
        let call = self
            .connection
            .call_method(service, PATH, Some(MANAGER), "Inhibit", &request);
        let reply = call.await.map_err(failed)?;
        let inhibitor: zbus::OwnedFd = reply.body().deserialize().map_err(failed)?;
        Ok(SleepDelay {
            _inhibitor: inhibitor.into(),
        })
    }

    /// Whether a session of the user is locked already.
    pub(super) async fn is_locked(&self) -> Result<bool, Unavailable> {
        let service = Some(self.service.as_str());
        let call = self
            .connection
            .call_method(service, PATH, Some(MANAGER), "ListSessions", &());
        let reply = call.await.map_err(failed)?;
        let sessions: Vec<Listed> = reply.body().deserialize().map_err(failed)?;
        for (_, uid, _, _, path) in sessions {
            // A session that cannot be asked has ended.
            if is_this_user(uid) && self.property(&path, SESSION, "LockedHint").await.unwrap_or(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this session is the user's. One that cannot be asked has ended.
    pub(super) async fn is_ours(&self, session: &OwnedObjectPath) -> bool {
        let user = self.property(session, SESSION, "User").await;
        user.is_ok_and(|(uid, _): (u32, OwnedObjectPath)| is_this_user(uid))
    }

    /// Waits for something that matters.
    pub(super) async fn next_event(&mut self) -> Event {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        while let Poll::Ready(signal) = Pin::new(&mut self.signals).poll_next(context) {
            let Some(Ok(signal)) = signal else {
                return Poll::Ready(Event::Gone);
            };
            if let Some(event) = meaning(&signal) {
                return Poll::Ready(event);
            }
        }
        match Pin::new(&mut self.end).poll_next(context) {
            Poll::Ready(_) => Poll::Ready(Event::Gone),
            Poll::Pending => Poll::Pending,
        }
    }

    async fn property<T>(&self, path: &str, interface: &str, name: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedVariant>,
        zbus::Error: From<T::Error>,
    {
        let reply = get(&self.connection, &self.service, path, interface, name).await?;
        let value: OwnedVariant = reply.body().deserialize()?;
        Ok(T::try_from(value)?)
    }
}

async fn get(
    connection: &Connection,
    service: &str,
    path: &str,
    interface: &str,
    name: &str,
) -> zbus::Result<Message> {
    let request = (interface, name);
    connection
        .call_method(Some(service), path, Some(PROPERTIES), "Get", &request)
        .await
}

fn is_this_user(uid: u32) -> bool {
    uid == geteuid().as_raw()
}

/// Most signals are of no interest.
fn meaning(signal: &Message) -> Option<Event> {
    let header = signal.header();
    match (header.interface()?.as_str(), header.member()?.as_str()) {
        (MANAGER, "PrepareForSleep") => {
            let falls_asleep: bool = signal.body().deserialize().ok()?;
            Some(if falls_asleep {
                Event::FallsAsleep
            } else {
                Event::WokeUp
            })
        }
        (SESSION, "Lock") => Some(Event::Locked(header.path()?.to_owned().into())),
        (PROPERTIES, "PropertiesChanged") => {
            let (interface, changed, _): Changed = signal.body().deserialize().ok()?;
            let locked = changed.get("LockedHint").cloned().map(bool::try_from);
            let is_locked = interface == SESSION && matches!(locked, Some(Ok(true)));
            is_locked.then_some(())?;
            Some(Event::Locked(header.path()?.to_owned().into()))
        }
        _ => None,
    }
}

fn failed(error: zbus::Error) -> Unavailable {
    if matches!(error, zbus::Error::InputOutput(_)) {
        return no_bus(error);
    }
    if error_name(&error).as_deref() == Some("org.freedesktop.DBus.Error.ServiceUnknown") {
        return Unavailable::new(
            "logind does not run",
            "use a system with systemd-logind or elogind",
        );
    }
    Unavailable::new(
        format!("logind does not work: {error}"),
        "look at `systemctl status systemd-logind`",
    )
}

fn no_bus(error: zbus::Error) -> Unavailable {
    Unavailable::new(
        format!("there is no system bus: {error}"),
        "start the D-Bus system bus",
    )
}

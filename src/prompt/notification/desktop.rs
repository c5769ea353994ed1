//! The D-Bus side: what is called, and which signals count.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as _;
use zbus::{Connection, Message, MessageStream, Variant};

use super::super::Unavailable;
use super::super::text::{escape_markup, visible};
use super::page::Page;
use crate::bus::{Bus, CALL_PATIENCE, end_of, signals_of};

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Our own time-out comes first; the daemon's is for the case that we are gone.
const GRACE_SECONDS: u32 = 5;

const HINT: &str = "start wardkey in a desktop session with a notification daemon";

/// A notification daemon that has buttons.
pub(super) struct Desktop {
    connection: Connection,
    /// The daemon's name on the bus that no other program can have.
    daemon: String,
    has_markup: bool,
}

/// A notification on the screen.
pub(super) struct Visible {
    id: u32,
    signals: MessageStream,
    /// Of the daemon.
    end: MessageStream,
}

/// What happened to a notification.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The button with this key was pressed.
    Pressed(String),
    ClosedByUser,
    /// The user cannot see it any more, and did not do that.
    Gone(&'static str),
}

impl Desktop {
    pub(super) async fn connect(bus: &Bus) -> Result<Self, Unavailable> {
        let connection = bus.connect(CALL_PATIENCE).await;
        let connection = connection
            .map_err(|error| Unavailable::new(format!("there is no session bus: {error}"), HINT))?;
        let reply = call(&connection, SERVICE, "GetCapabilities", &()).await?;
        let capabilities: Vec<String> = reply.body().deserialize().map_err(failed)?;
        let has = |capability: &str| capabilities.iter().any(|one| one == capability);
        if !has("actions") {
            return Err(Unavailable::new(
                "the notification daemon shows no buttons",
                "use --prompt pinentry or --prompt terminal",
            ));
        }
        let daemon = reply.header().sender().map(ToString::to_string);
        let daemon =
            daemon.ok_or_else(|| Unavailable::new("the session bus does not say who answers", HINT))?;
        Ok(Self {
            connection,
            daemon,
            has_markup: has("body-markup"),
        })
    }

    /// The program that shows notifications, and its version.
    pub(super) async fn name(&self) -> Result<String, Unavailable> {
        let reply = call(&self.connection, &self.daemon, "GetServerInformation", &()).await?;
        let (name, _vendor, version, _specification): (String, String, String, String) =
            reply.body().deserialize().map_err(failed)?;
        Ok(visible(&format!("{name} {version}")))
    }

    /// Shows the question. The signals are subscribed to before, so that no answer is too early.
    pub(super) async fn show(&self, page: &Page, seconds_left: u32) -> Result<Visible, Unavailable> {
        let signals = signals_of(&self.connection, &self.daemon, PATH, SERVICE).await;
        let signals = signals.map_err(failed)?;
        let end = end_of(&self.connection, &self.daemon).await.map_err(failed)?;
        let body = if self.has_markup {
            escape_markup(&page.text.sentence)
        } else {
            page.text.sentence.clone()
        };
        let icon = "dialog-password";
        let actions: Vec<String> = page
            .buttons
            .iter()
            .flat_map(|button| [button.key(), button.label.clone()])
            .collect();
        // Urgent notifications stay on the screen until they are answered; ours is of no use later.
        let hints: HashMap<&str, Variant<'_>> = HashMap::from([
            ("urgency", Variant::from(2_u8)),
            ("transient", Variant::from(true)),
        ]);
        let seconds = seconds_left.saturating_add(GRACE_SECONDS);
        let expires_ms = i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX);
        let replaces = 0_u32;
        let notification = (
            "wardkey",
            replaces,
            icon,
            page.text.title,
            body.as_str(),
            actions.as_slice(),
            hints,
            expires_ms,
        );
        let reply = call(&self.connection, &self.daemon, "Notify", &notification).await?;
        let id = reply.body().deserialize().map_err(failed)?;
        Ok(Visible { id, signals, end })
    }

    /// Takes it off the screen; where that fails it is gone already.
    pub(super) async fn close(&self, visible: &Visible) {
        let _gone = call(&self.connection, &self.daemon, "CloseNotification", &visible.id).await;
    }
}

async fn call<B>(
    connection: &Connection,
    destination: &str,
    method: &str,
    body: &B,
) -> Result<Message, Unavailable>
where
    B: serde::Serialize + zbus::DynamicType,
{
    connection
        .call_method(Some(destination), PATH, Some(SERVICE), method, body)
        .await
        .map_err(failed)
}

fn failed(error: zbus::Error) -> Unavailable {
    Unavailable::new(format!("no notification daemon answers: {error}"), HINT)
}

impl Visible {
    /// Waits for something that matters to this notification.
    pub(super) async fn next_event(&mut self) -> Event {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        while let Poll::Ready(signal) = Pin::new(&mut self.signals).poll_next(context) {
            let Some(Ok(signal)) = signal else {
                return Poll::Ready(Event::Gone("the session bus has ended"));
            };
            if let Some(event) = self.meaning(&signal) {
                return Poll::Ready(event);
            }
        }
        match Pin::new(&mut self.end).poll_next(context) {
            Poll::Ready(_) => Poll::Ready(Event::Gone("the notification daemon has ended")),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Signals about other notifications, and those that mean nothing to us, are passed over.
    fn meaning(&self, signal: &Message) -> Option<Event> {
        let header = signal.header();
        match header.member()?.as_str() {
            "ActionInvoked" => {
                let (id, action): (u32, String) = signal.body().deserialize().ok()?;
                (id == self.id).then_some(Event::Pressed(action))
            }
            "NotificationClosed" => {
                let (id, reason): (u32, u32) = signal.body().deserialize().ok()?;
                (id == self.id).then(|| closed_because(reason))
            }
            _ => None,
        }
    }
}

/// The reasons of the signal `NotificationClosed`.
fn closed_because(reason: u32) -> Event {
    match reason {
        1 => Event::Gone("the notification went away unanswered"),
        2 => Event::ClosedByUser,
        _ => Event::Gone("the notification was closed by another program"),
    }
}

//! The D-Bus side: `net.reactivated.Fprint` on the system bus, of which only the administrator's program can be the
//! owner. One reader is used, the default one, and any enrolled finger of the user as whom this process runs.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as _;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use super::super::super::Unavailable;
use super::super::super::text::visible;
use crate::bus::{Bus, CALL_PATIENCE, end_of, error_name, signals_of};

const SERVICE: &str = "net.reactivated.Fprint";
const MANAGER_PATH: &str = "/net/reactivated/Fprint/Manager";
const MANAGER: &str = "net.reactivated.Fprint.Manager";
const DEVICE: &str = "net.reactivated.Fprint.Device";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// What fprintd takes for the user who calls.
const CALLER: &str = "";
const ANY_FINGER: &str = "any";

/// A fingerprint reader.
pub(super) struct Reader {
    connection: Connection,
    /// fprintd's name on the bus that no other program can have.
    service: String,
    device: OwnedObjectPath,
}

/// A reader that waits for a finger.
pub(super) struct Scan {
    statuses: MessageStream,
    /// Of fprintd.
    end: MessageStream,
}

/// What the reader says.
pub(super) enum Outcome {
    Match,
    NoMatch,
    /// The finger was not read well; what the user is told about it.
    Again(&'static str),
    Broken(Unavailable),
}

impl Reader {
    pub(super) async fn find(bus: &Bus) -> Result<Self, Unavailable> {
        let connection = bus.connect(CALL_PATIENCE).await.map_err(|error| {
            Unavailable::new(
                format!("there is no system bus: {error}"),
                "start the D-Bus system bus, or choose another way with --verify",
            )
        })?;
        let reply = connection
            .call_method(
                Some(SERVICE),
                MANAGER_PATH,
                Some(MANAGER),
                "GetDefaultDevice",
                &(),
            )
            .await
            .map_err(failed)?;
        let device = reply.body().deserialize().map_err(failed)?;
        let service = reply.header().sender().map(ToString::to_string);
        let service = service.ok_or_else(|| failed(zbus::Error::InvalidReply))?;
        Ok(Self {
            connection,
            service,
            device,
        })
    }

    /// The reader's name, and how many fingers of the user it would know.
    pub(super) async fn describe(&self) -> Result<String, Unavailable> {
        let reply = self.call("ListEnrolledFingers", &CALLER).await.map_err(failed)?;
        let fingers: Vec<String> = reply.body().deserialize().map_err(failed)?;
        let enrolled = match fingers.len() {
            0 => return Err(no_finger()),
            1 => "1 finger is enrolled".to_owned(),
            count => format!("{count} fingers are enrolled"),
        };
        let name = self.name().await.map_err(failed)?;
        Ok(format!("{}, {enrolled}", visible(&name)))
    }

    async fn name(&self) -> zbus::Result<String> {
        let path = &self.device;
        let service = Some(self.service.as_str());
        let reply = self
            .connection
            .call_method(service, path, Some(PROPERTIES), "Get", &(DEVICE, "name"))
            .await?;
        let name: OwnedVariant = reply.body().deserialize()?;
        String::try_from(name)
    }

    /// Takes the reader, to the exclusion of every other program, until it is released.
    pub(super) async fn claim(&self) -> Result<(), Unavailable> {
        self.call("Claim", &CALLER).await.map_err(failed)?;
        Ok(())
    }

    /// Waits for a finger from now on. The signals are subscribed to before, so that none is too early.
    pub(super) async fn start_scan(&self) -> Result<Scan, Unavailable> {
        let statuses = signals_of(&self.connection, &self.service, &self.device, DEVICE).await;
        let statuses = statuses.map_err(failed)?;
        let end = end_of(&self.connection, &self.service).await.map_err(failed)?;
        self.call("VerifyStart", &ANY_FINGER).await.map_err(failed)?;
        Ok(Scan { statuses, end })
    }

    /// Stops the scan, if there is one, and gives the reader back.
    pub(super) async fn release(self) {
        // A reader that cannot be given back goes back when the connection ends, as it does now.
        let _not_scanning = self.call("VerifyStop", &()).await;
        let _not_claimed = self.call("Release", &()).await;
        let _closed = self.connection.close().await;
    }

    async fn call<B>(&self, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let service = Some(self.service.as_str());
        self.connection
            .call_method(service, &self.device, Some(DEVICE), method, body)
            .await
    }
}

impl Scan {
    pub(super) fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        while let Poll::Ready(signal) = Pin::new(&mut self.statuses).poll_next(context) {
            let Some(Ok(signal)) = signal else {
                return Poll::Ready(Outcome::Broken(gone("the system bus has ended")));
            };
            if let Some(outcome) = outcome(&signal) {
                return Poll::Ready(outcome);
            }
        }
        match Pin::new(&mut self.end).poll_next(context) {
            Poll::Ready(_) => Poll::Ready(Outcome::Broken(gone("fprintd has ended"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What a signal of the device means; nothing where it tells only which finger is wanted.
fn outcome(signal: &Message) -> Option<Outcome> {
    if signal.header().member()?.as_str() != "VerifyStatus" {
        return None;
    }
    let (status, is_done): (String, bool) = signal.body().deserialize().ok()?;
    Some(match status.as_str() {
        "verify-match" => Outcome::Match,
        "verify-no-match" => Outcome::NoMatch,
        "verify-retry-scan" => Outcome::Again("The finger was not read well: try again."),
        "verify-swipe-too-short" => Outcome::Again("The swipe was too short: try again."),
        "verify-finger-not-centered" => Outcome::Again("The finger was not in the middle: try again."),
        "verify-remove-and-retry" => Outcome::Again("Lift the finger, then try again."),
        "verify-too-fast" => Outcome::Again("The finger was too fast: try again."),
        "verify-disconnected" => Outcome::Broken(gone("the fingerprint reader was unplugged")),
        _ if !is_done => Outcome::Again("The finger was not read: try again."),
        _ => Outcome::Broken(gone("the fingerprint reader failed")),
    })
}

fn gone(reason: &str) -> Unavailable {
    Unavailable::new(reason, "try again, or choose another way with --verify")
}

fn no_finger() -> Unavailable {
    Unavailable::new(
        "no finger is enrolled",
        "enrol one in the settings of the desktop, or with `fprintd-enroll`",
    )
}

fn failed(error: zbus::Error) -> Unavailable {
    match error_name(&error).as_deref() {
        Some("net.reactivated.Fprint.Error.NoSuchDevice") => Unavailable::new(
            "there is no fingerprint reader",
            "plug one in that libfprint supports, or choose another way with --verify",
        ),
        Some("net.reactivated.Fprint.Error.NoEnrolledPrints") => no_finger(),
        Some("net.reactivated.Fprint.Error.AlreadyInUse") => Unavailable::new(
            "another program uses the fingerprint reader",
            "try again when it has finished",
        ),
        Some("net.reactivated.Fprint.Error.PermissionDenied") => Unavailable::new(
            "this session may not use the fingerprint reader",
            "start wardkey in the session of the person at the computer",
        ),
        Some("org.freedesktop.DBus.Error.ServiceUnknown") => {
            Unavailable::new("fprintd is not installed", "install it (the package is fprintd)")
        }
        _ => gone(&format!("fprintd does not work: {error}")),
    }
}

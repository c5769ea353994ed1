//! What everything that goes over D-Bus needs: the bus, the signals of one program on it, and word of its end.

use std::time::Duration;

use zbus::DBusError as _;
use zbus::connection::Builder;
use zbus::{Connection, MatchRule, MessageStream, message};

/// How long a program may take to answer a call. The bus may have to start it first.
pub(crate) const CALL_PATIENCE: Duration = Duration::from_secs(5);

/// A message bus.
#[derive(Debug, Clone)]
pub(crate) enum Bus {
    /// The one of this login session.
    Session,
    /// The one of this computer.
    System,
    /// The one that a test has started.
    #[cfg(test)]
    At(String),
}

impl Bus {
    /// Connects. Calls fail after `call_patience`.
    pub(crate) async fn connect(&self, call_patience: Duration) -> zbus::Result<Connection> {
        let builder = match self {
            Self::Session => Builder::session(),
            Self::System => Builder::system(),
            #[cfg(test)]
            Self::At(address) => Builder::address(address.as_str()),
        };
        builder.method_timeout(call_patience).build().await
    }
}

/// The signals of one interface that come from the program with the unique name `sender`.
pub(crate) async fn signals_of(
    connection: &Connection,
    sender: &str,
    path: &str,
    interface: &str,
) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(sender)
        .path(path)
        .interface(interface)
        .build()?;
    MessageStream::for_match_rule(rule, connection, None).await
}

/// All signals that come from the program with the unique name `sender`.
pub(crate) async fn all_signals_of(connection: &Connection, sender: &str) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(sender)
        .build()?;
    MessageStream::for_match_rule(rule, connection, None).await
}

/// Has something to say when the program with the unique name `name` has left the bus: such a name changes its owner
/// only once.
pub(crate) async fn end_of(connection: &Connection, name: &str) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(0, name)
        .build()?;
    MessageStream::for_match_rule(rule, connection, None).await
}

/// The name of the error that a call was answered with.
pub(crate) fn error_name(error: &zbus::Error) -> Option<String> {
    if let zbus::Error::MethodError(name, ..) = error {
        Some(name.to_string())
    } else if let zbus::Error::FDO(error) = error {
        Some(error.name().to_string())
    } else {
        None
    }
}

#[cfg(test)]
pub(crate) mod testing;

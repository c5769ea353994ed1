//! A message bus of the test's own, and programs on it that answer as the test says.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::thread;

use futures_core::Stream as _;
use tempfile::TempDir;
use zbus::connection::Builder;
use zbus::{Connection, Message, MessageStream, message};

use super::Bus;

/// A message bus without any services.
pub(crate) struct TestBus {
    daemon: Child,
    address: String,
    folder: TempDir,
}

impl TestBus {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let socket = folder.path().join("bus");
        let rules = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><policy context='default'>\
             <allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>\
             </policy></busconfig>",
            socket.display()
        );
        fs::write(&config, rules).unwrap();
        let (daemon, address) = start_daemon(&config);
        Self {
            daemon,
            address,
            folder,
        }
    }

    /// Ends the bus, so that everybody on it is disconnected.
    pub(crate) fn stop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    /// Starts it again, at the same address.
    pub(crate) fn start_again(&mut self) {
        let (daemon, address) = start_daemon(&self.folder.path().join("bus.conf"));
        assert!(address.starts_with(self.path()), "{address}");
        self.daemon = daemon;
    }

    /// The address, without the bus's own id, which is another after each start.
    fn path(&self) -> &str {
        self.address.split(',').next().unwrap()
    }

    /// What the code under test connects to.
    pub(crate) fn bus(&self) -> Bus {
        Bus::At(self.path().to_owned())
    }

    pub(crate) fn connect(&self) -> Connection {
        zbus::block_on(Builder::address(self.path()).build()).unwrap()
    }

    /// A program that owns `name` and gives each call to `answer`, on a thread of its own.
    pub(crate) fn serve(
        &self,
        name: &'static str,
        mut answer: impl FnMut(&Connection, &Message) + Send + 'static,
    ) -> Connection {
        let connection = self.connect();
        let mut calls = MessageStream::from(&connection);
        zbus::block_on(connection.request_name(name)).unwrap();
        let serving = connection.clone();
        thread::spawn(move || {
            while let Some(Ok(call)) = zbus::block_on(next(&mut calls)) {
                if call.header().message_type() == message::Type::MethodCall {
                    answer(&serving, &call);
                }
            }
        });
        connection
    }
}

impl Drop for TestBus {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_daemon(config: &Path) -> (Child, String) {
    let mut daemon = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", config.display()))
        .args(["--nofork", "--print-address"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dbus-daemon is installed (Debian package dbus-daemon)");
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    (daemon, address.trim().to_owned())
}

async fn next(stream: &mut MessageStream) -> Option<zbus::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// Answers `call` with `body`.
pub(crate) fn reply<B>(connection: &Connection, call: &Message, body: &B)
where
    B: serde::Serialize + zbus::DynamicType,
{
    zbus::block_on(connection.reply(&call.header(), body)).unwrap();
}

/// Answers `call` with an error.
pub(crate) fn refuse(connection: &Connection, call: &Message, error: &str, text: &str) {
    zbus::block_on(connection.reply_error(&call.header(), error, &text)).unwrap();
}

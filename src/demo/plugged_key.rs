//! A whole key in a thread, plugged into the built-in USB host: the two exchange the bytes of USB/IP on a socket pair,
//! as the daemon and the kernel do.
//!
//! In: a state folder. Out: a FIDO client that speaks to the key, and what the key asked its user. Nobody is asked:
//! every question is approved at once.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wardkey_authenticator::{Device, Event, Gesture, HostKind, Prompt};
use wardkey_sim::fido_client::FidoClient;
use wardkey_sim::hid_client::HidClient;
use wardkey_sim::usb_host::{Start, UsbConnection};
use wardkey_transport::ctaphid::Port;
use wardkey_transport::usbip::Identity;

use crate::cli::Model;
use crate::error::Failure;
use crate::membership::unattended::Computer;
use crate::state::State;
use crate::unlock::open_with_pin;
use crate::{host, key, membership};

/// Of a vault that is thrown away.
const VAULT_PIN: &str = "a demo has no secrets";
const ENUMERATION_TIMEOUT: Duration = Duration::from_secs(5);
/// The key's thread looks up at least so often when no deadline is nearer.
const IDLE: Duration = Duration::from_secs(1);

/// A client over CTAPHID, over USB/IP.
pub(crate) type Client = FidoClient<HidClient<UsbConnection<UnixStream>>>;

/// A key that is powered but not plugged in.
pub(crate) struct Key {
    device: Device,
    /// Keeps the state folder to this key.
    lock: Box<dyn Send>,
}

/// A key that is plugged in.
pub(crate) struct PluggedKey {
    connection: UsbConnection<UnixStream>,
    thread: JoinHandle<()>,
    questions: Receiver<Prompt>,
}

/// A key that is in use.
pub(crate) struct KeyInUse {
    pub(crate) client: Client,
    questions: Receiver<Prompt>,
    thread: JoinHandle<()>,
}

impl Key {
    /// Makes a vault on the computer, and powers up a key that has it open.
    pub(crate) fn make(computer: &Computer<'_>) -> Result<Self, Failure> {
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&computer.vault_pin_file)
            .and_then(|mut file| file.write_all(VAULT_PIN.as_bytes()))
            .map_err(|error| fault("the file with the Vault PIN", &error))?;
        Self::with_vault(computer.make_vault()?)
    }

    /// Opens the vault of a state folder, and powers up a key.
    pub(crate) fn power_up(folder: &Path) -> Result<Self, Failure> {
        Self::with_vault(membership::state(Some(folder))?)
    }

    fn with_vault(State { locked, held }: State) -> Result<Self, Failure> {
        let vault = open_with_pin(locked, &held, VAULT_PIN)?;
        Ok(Self {
            device: key::device(vault, key::config(&Model::default()))?,
            lock: Box::new(held),
        })
    }

    /// Plugs the key into a USB host, which enumerates it.
    pub(crate) fn plug_in(self, identity: Identity) -> Result<PluggedKey, Failure> {
        let (host_end, key_end) = UnixStream::pair().map_err(|error| fault("a socket pair", &error))?;
        let (sender, questions) = channel();
        let thread = thread::Builder::new()
            .name("key".to_owned())
            .spawn(move || self.run(&identity, key_end, &sender))
            .map_err(|error| fault("a thread", &error))?;
        let connection = UsbConnection::open(host_end, Start::Attached, ENUMERATION_TIMEOUT)
            .map_err(|error| fault("the USB enumeration", &error))?;
        Ok(PluggedKey {
            connection,
            thread,
            questions,
        })
    }

    /// Serves the host until it closes the socket.
    fn run(self, identity: &Identity, mut socket: UnixStream, questions: &Sender<Prompt>) {
        let Self { mut device, lock } = self;
        let port = device.attach(host::now(), &HostKind::Kernel(identity.clone()));
        let mut buffer = [0; 4096];
        while exchange(&mut device, port, &mut socket, questions, &mut buffer).is_some() {}
        drop(device);
        drop(lock);
    }
}

/// One turn: what the key wants done, then what the host has sent. `None` when the connection is over.
fn exchange(
    device: &mut Device,
    port: Port,
    socket: &mut UnixStream,
    questions: &Sender<Prompt>,
    buffer: &mut [u8],
) -> Option<()> {
    let now = host::now();
    while let Some(event) = device.poll_event() {
        if let Event::Ask { id, prompt, .. } = event {
            // The story may have ended already; the key does not care.
            let _ = questions.send(prompt);
            device.handle_gesture(now, id, Gesture::Approved);
        }
    }
    socket.write_all(device.output(port)).ok()?;
    device.consume_output(now, port, device.output(port).len());

    let wait = device
        .poll_timeout()
        .map_or(IDLE, |at| at.saturating_duration_since(now));
    socket
        .set_read_timeout(Some(wait.clamp(Duration::from_millis(1), IDLE)))
        .ok()?;
    match socket.read(buffer) {
        Ok(0) => return None,
        Ok(len) => device.handle_bytes(host::now(), port, buffer.get(..len)?).ok()?,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ) => {}
        Err(_) => return None,
    }
    let now = host::now();
    if device.poll_timeout().is_some_and(|at| at <= now) {
        device.handle_timeout(now);
    }
    Some(())
}

impl PluggedKey {
    /// What the enumeration found.
    pub(crate) fn usb(&self) -> &wardkey_sim::usb_host::Device {
        self.connection.device()
    }

    /// Opens a CTAPHID channel.
    pub(crate) fn open(self) -> Result<KeyInUse, Failure> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(|error| fault("the random generator", &error))?;
        let Self {
            connection,
            thread,
            questions,
        } = self;
        let channel =
            HidClient::open(connection, nonce).map_err(|error| fault("the CTAPHID channel", &error))?;
        Ok(KeyInUse {
            client: FidoClient::new(channel),
            questions,
            thread,
        })
    }
}

impl KeyInUse {
    /// What the key has asked its user since the last call.
    pub(crate) fn asked(&self) -> Option<Prompt> {
        self.questions.try_iter().last()
    }

    /// Pulls the key out, and waits until it has let go of its state folder.
    pub(crate) fn unplug(self) -> Result<(), Failure> {
        drop(self.client);
        self.thread
            .join()
            .map_err(|_| fault("the key", &"its thread ended early"))
    }
}

/// Something that cannot fail has failed.
pub(crate) fn fault(what: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::new(
        format!("{what} failed: {error}"),
        "this is a fault in wardkey: please report it, with what the demo printed",
    )
}

//! Who is measured: how each is started, and how its client is opened.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use wardkey_sim::fido_client::FidoClient;
use wardkey_sim::hid_client::{ChannelId, HidClient, Patience};
use wardkey_sim::reference::usbip;
use wardkey_sim::report::TimedStream;
use wardkey_sim::usb_host::{Start, UsbConnection, list_devices};

use crate::failure::Failure;
use crate::operations;
use crate::process::{Process, this_program};

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

type Stream = Box<dyn TimedStream>;
/// A client of a key in another process.
pub(crate) type Client = FidoClient<HidClient<UsbConnection<Stream>>>;

/// A process that is measured, and the host that it is attached to.
pub(crate) struct Running {
    host: UsbConnection<Stream>,
    process: Process,
}

/// A process that is measured, and a client of it.
pub(crate) struct Opened {
    // Dropped in this order: unplug, then end the process.
    pub(crate) client: Client,
    pub(crate) process: Process,
}

/// Enumerates a device that needs no import.
pub(crate) fn attached(process: Process, stream: Stream) -> Result<Running, Failure> {
    let host = UsbConnection::open(stream, Start::Attached, OPEN_TIMEOUT)?;
    Ok(Running { host, process })
}

/// Imports the first device of a service and enumerates it.
pub(crate) fn imported(process: Process, address: SocketAddr) -> Result<Running, Failure> {
    let devices = list_devices(&mut connect(address)?, OPEN_TIMEOUT)?;
    let first = devices.into_iter().next();
    let none = || Failure::new("the service has no device", "see what it prints");
    let bus_id = first.ok_or_else(none)?.bus_id;
    let host = UsbConnection::open(connect(address)?, Start::Import { bus_id }, OPEN_TIMEOUT)?;
    Ok(Running { host, process })
}

fn connect(address: SocketAddr) -> Result<Stream, Failure> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Opens a channel to an authenticator and stores `stored` credentials.
pub(crate) fn seeded(running: Running, stored: u32) -> Result<Opened, Failure> {
    let mut opened = authenticator(running)?;
    operations::seed(&mut opened.client, stored)?;
    Ok(opened)
}

/// Opens a channel to an authenticator.
pub(crate) fn authenticator(running: Running) -> Result<Opened, Failure> {
    let Running { host, process } = running;
    let mut client = HidClient::open(host, *b"measured")?;
    client.set_patience(Patience {
        whole_answer: Duration::from_secs(5),
        ..Patience::default()
    });
    Ok(Opened {
        client: FidoClient::new(client),
        process,
    })
}

/// An echo knows no channels: any is as good.
fn echo(running: Running) -> Opened {
    let Running { host, process } = running;
    Opened {
        client: FidoClient::new(HidClient::on_channel(host, ChannelId(1))),
        process,
    }
}

/// The bare echo over a socket pair.
pub(crate) fn echo_on_socketpair() -> Result<Opened, Failure> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = this_program("echo-stdin")?;
    let process = Process::start(command.stdin(OwnedFd::from(theirs)))?;
    // The command holds the other end; the echo could not hang up.
    drop(command);
    attached(process, Box::new(ours)).map(echo)
}

/// The bare echo over TCP.
pub(crate) fn echo_on_tcp() -> Result<Opened, Failure> {
    let mut process = Process::start(&mut this_program("echo-tcp")?)?;
    let address = process.next_line(|line| line.parse().ok())?;
    attached(process, connect(address)?).map(echo)
}

/// The reference authenticator on usbip-device. It has no list of devices worth reading.
pub(crate) fn reference() -> Result<Opened, Failure> {
    let mut command = this_program("reference")?;
    let mut process = Process::start(command.stderr(Stdio::null()))?;
    let address = process.next_line(|line| line.parse().ok())?;
    let start = Start::Import {
        bus_id: usbip::BUS_ID.to_owned(),
    };
    let host = UsbConnection::open(connect(address)?, start, OPEN_TIMEOUT)?;
    seeded(Running { host, process }, 1)
}

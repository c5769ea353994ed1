//! Who is measured, and in which order.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use wardkey_sim::fido_client::FidoClient;
use wardkey_sim::hid_client::{ChannelId, HidClient, Patience};
use wardkey_sim::reference::{usbip, with_reference};
use wardkey_sim::report::TimedStream;
use wardkey_sim::usb_host::{Start, UsbConnection, list_devices};

use crate::daemon;
use crate::failure::Failure;
use crate::machine::Usage;
use crate::operations::{self, Operation};
use crate::process::{Process, this_program};
use crate::samples::Samples;

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle process is watched.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// What to measure.
pub(crate) struct Plan<'a> {
    pub(crate) wardkey: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) many: u32,
    pub(crate) quick: bool,
}

/// One cell of the table.
pub(crate) struct Cell {
    pub(crate) subject: &'static str,
    pub(crate) operation: Operation,
    pub(crate) stored: u32,
    pub(crate) result: Result<Samples, Failure>,
}

/// What a process used while nobody asked it anything.
pub(crate) struct Idle {
    pub(crate) subject: &'static str,
    pub(crate) usage: Usage,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) cells: Vec<Cell>,
    pub(crate) idle: Vec<Idle>,
}

pub(crate) const WARDKEY_PAIR: &str = "wardkey, socketpair";
pub(crate) const WARDKEY_TCP: &str = "wardkey, TCP";
pub(crate) const ECHO_PAIR: &str = "bare echo, socketpair";
pub(crate) const ECHO_TCP: &str = "bare echo, TCP";
pub(crate) const REFERENCE_TCP: &str = "usbip-device + reference, TCP";
pub(crate) const REFERENCE_DIRECT: &str = "reference, no transport";

/// The columns of the table.
pub(crate) const SUBJECTS: [&str; 6] = [
    WARDKEY_PAIR,
    WARDKEY_TCP,
    ECHO_PAIR,
    ECHO_TCP,
    REFERENCE_TCP,
    REFERENCE_DIRECT,
];

type Stream = Box<dyn TimedStream>;
type Client = FidoClient<HidClient<UsbConnection<Stream>>>;

/// A process that is measured, and our connection to it.
pub(crate) struct Running {
    connection: UsbConnection<Stream>,
    process: Process,
}

impl Running {
    /// Makes a client of the connection.
    fn into_client(
        self,
        open: impl FnOnce(UsbConnection<Stream>) -> Result<Client, Failure>,
    ) -> Result<(Client, Process), Failure> {
        let Self { connection, process } = self;
        Ok((open(connection)?, process))
    }
}

/// Enumerates a device that needs no import.
pub(crate) fn attached(process: Process, stream: Stream) -> Result<Running, Failure> {
    let connection = UsbConnection::open(stream, Start::Attached, OPEN_TIMEOUT)?;
    Ok(Running { connection, process })
}

/// Imports the first device of a service and enumerates it.
pub(crate) fn imported(process: Process, address: SocketAddr) -> Result<Running, Failure> {
    let devices = list_devices(&mut connect(address)?, OPEN_TIMEOUT)?;
    let first = devices.into_iter().next();
    let bus_id = first
        .ok_or_else(|| Failure::new("the service has no device", "see what it prints"))?
        .bus_id;
    let connection = UsbConnection::open(connect(address)?, Start::Import { bus_id }, OPEN_TIMEOUT)?;
    Ok(Running { connection, process })
}

fn connect(address: SocketAddr) -> Result<Stream, Failure> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Measures everything. What fails is told in its cells.
pub(crate) fn measure(plan: &Plan<'_>) -> Table {
    let mut table = Table::default();
    measure_wardkey(plan, &mut table);
    measure_echo(plan, &mut table, ECHO_PAIR, echo_on_socketpair);
    measure_echo(plan, &mut table, ECHO_TCP, echo_on_tcp);
    measure_reference(plan, &mut table);
    measure_reference_directly(plan, &mut table);
    table
}

impl Table {
    /// The first failure of wardkey itself or of the echo, which have to work.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        let beside = [REFERENCE_TCP, REFERENCE_DIRECT];
        let mut ours = self.cells.iter().filter(|cell| !beside.contains(&cell.subject));
        ours.find_map(|cell| cell.result.as_ref().err())
    }

    /// Measures `operations` one after the other on what `start` gives.
    fn measure(
        &mut self,
        plan: &Plan<'_>,
        column: Column,
        operations: &[Operation],
        start: impl FnOnce() -> Result<(Client, Process), Failure>,
    ) {
        let Column { subject, stored } = column;
        eprintln!("{subject}, {stored} stored");
        let mut started = start();
        for &operation in operations {
            let result = match &mut started {
                Ok((client, _)) => measure_one(plan, client, operation),
                Err(failure) => Err(failure.clone()),
            };
            self.cells.push(Cell {
                subject,
                operation,
                stored,
                result,
            });
        }
        if let Ok((_, process)) = &started
            && operations.contains(&Operation::GetInfo)
        {
            self.idle.push(Idle {
                subject,
                usage: Usage::during(process.id(), IDLE),
            });
        }
    }
}

/// A column of the table and how much is stored.
#[derive(Debug, Clone, Copy)]
struct Column {
    subject: &'static str,
    stored: u32,
}

/// How to start wardkey on a state folder.
struct Way {
    subject: &'static str,
    start: fn(&Path, &Path) -> Result<Running, Failure>,
}

fn measure_wardkey(plan: &Plan<'_>, table: &mut Table) {
    let ways = [
        Way {
            subject: WARDKEY_PAIR,
            start: daemon::up,
        },
        Way {
            subject: WARDKEY_TCP,
            start: daemon::serve,
        },
    ];
    let everything = [&Operation::PINGS[..], &[Operation::GetInfo], &Operation::COMMANDS].concat();
    for (index, Way { subject, start }) in ways.into_iter().enumerate() {
        for (stored, operations) in [(1, everything.as_slice()), (plan.many, &Operation::COMMANDS)] {
            let folder = plan.folder.join(format!("{index}-{stored}"));
            table.measure(plan, Column { subject, stored }, operations, || {
                let running = start(plan.wardkey, &folder)?;
                running.into_client(|connection| {
                    let mut client = FidoClient::new(HidClient::open(connection, *b"wardkey1")?);
                    operations::seed(&mut client, stored)?;
                    Ok(client)
                })
            });
        }
    }
}

fn measure_one(plan: &Plan<'_>, client: &mut Client, operation: Operation) -> Result<Samples, Failure> {
    let count = operation.samples(plan.quick);
    match operation {
        Operation::Ping(length) => operations::ping(client.pipe_mut(), length, count),
        Operation::GetInfo
        | Operation::AssertAllowed
        | Operation::AssertDiscovered
        | Operation::MakeNonResident
        | Operation::MakeResident => operations::command(client, operation, count),
    }
}

fn echo_on_socketpair() -> Result<Running, Failure> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = this_program("echo-stdin")?;
    let process = Process::start(command.stdin(OwnedFd::from(theirs)))?;
    drop(command);
    attached(process, Box::new(ours))
}

fn echo_on_tcp() -> Result<Running, Failure> {
    let mut process = Process::start(&mut this_program("echo-tcp")?)?;
    let address = process.first_line(|line| line.parse().ok())?;
    attached(process, connect(address)?)
}

fn measure_echo(
    plan: &Plan<'_>,
    table: &mut Table,
    subject: &'static str,
    start: fn() -> Result<Running, Failure>,
) {
    table.measure(plan, Column { subject, stored: 1 }, &Operation::PINGS, || {
        // An echo allocates no channels.
        start()?
            .into_client(|connection| Ok(FidoClient::new(HidClient::on_channel(connection, ChannelId(1)))))
    });
}

/// Every operation with a process of its own: it does not survive all of them.
fn measure_reference(plan: &Plan<'_>, table: &mut Table) {
    for operation in Operation::PINGS
        .into_iter()
        .chain([Operation::GetInfo])
        .chain(Operation::COMMANDS)
    {
        table.measure(
            plan,
            Column {
                subject: REFERENCE_TCP,
                stored: 1,
            },
            &[operation],
            start_reference,
        );
    }
}

fn start_reference() -> Result<(Client, Process), Failure> {
    let mut command = this_program("reference")?;
    let mut process = Process::start(command.stderr(Stdio::null()))?;
    let address = process.first_line(|line| line.parse().ok())?;
    let start = Start::Import {
        bus_id: usbip::BUS_ID.to_owned(),
    };
    let connection = UsbConnection::open(connect(address)?, start, OPEN_TIMEOUT)?;
    let running = Running { connection, process };
    running.into_client(|connection| {
        let mut client = HidClient::open(connection, *b"referenc")?;
        client.set_patience(Patience {
            whole_answer: Duration::from_secs(5),
            ..Patience::default()
        });
        let mut client = FidoClient::new(client);
        operations::seed(&mut client, 1)?;
        Ok(client)
    })
}

fn measure_reference_directly(plan: &Plan<'_>, table: &mut Table) {
    let subject = REFERENCE_DIRECT;
    eprintln!("{subject}");
    with_reference(|reference| {
        let mut client = FidoClient::new(reference);
        let seeded = operations::seed(&mut client, 1);
        for operation in [Operation::GetInfo].into_iter().chain(Operation::COMMANDS) {
            let count = operation.samples(plan.quick);
            let result = seeded
                .clone()
                .and_then(|()| operations::command(&mut client, operation, count));
            table.cells.push(Cell {
                subject,
                operation,
                stored: 1,
                result,
            });
        }
    });
}

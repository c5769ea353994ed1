//! Who is measured, and in which order.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use wardkey_sim::fido_client::FidoClient;
use wardkey_sim::hid_client::{ChannelId, HidClient, Patience};
use wardkey_sim::reference::{usbip, with_reference};
use wardkey_sim::report::TimedStream;
use wardkey_sim::usb_host::{Start, UsbConnection, list_devices};

use crate::daemon;
use crate::failure::Failure;
use crate::helper::Helper;
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
    // Dropped in this order: unplug, then end the process.
    connection: UsbConnection<Stream>,
    process: Process,
    _helper: Option<Helper>,
}

/// Enumerates a device that needs no import.
pub(crate) fn attached(process: Process, stream: Stream, helper: Option<Helper>) -> Result<Running, Failure> {
    let connection = UsbConnection::open(stream, Start::Attached, OPEN_TIMEOUT)?;
    Ok(Running {
        connection,
        process,
        _helper: helper,
    })
}

/// Imports the first device of a service and enumerates it.
pub(crate) fn imported(process: Process, address: SocketAddr) -> Result<Running, Failure> {
    let devices = list_devices(&mut connect(address)?, OPEN_TIMEOUT)?;
    let first = devices.into_iter().next();
    let bus_id = first
        .ok_or_else(|| Failure::new("the service has no device", "see what it prints"))?
        .bus_id;
    let connection = UsbConnection::open(connect(address)?, Start::Import { bus_id }, OPEN_TIMEOUT)?;
    Ok(Running {
        connection,
        process,
        _helper: None,
    })
}

fn connect(address: SocketAddr) -> Result<Stream, Failure> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Measures everything. That wardkey fails is an error; what is beside it may fail, which is then told in its cells.
pub(crate) fn measure(plan: &Plan<'_>) -> Result<Table, Failure> {
    let mut table = Table::default();
    measure_wardkey(plan, &mut table)?;
    measure_echo(plan, &mut table, ECHO_PAIR, echo_on_socketpair)?;
    measure_echo(plan, &mut table, ECHO_TCP, echo_on_tcp)?;
    measure_reference(plan, &mut table);
    measure_reference_directly(plan, &mut table);
    Ok(table)
}

/// How to start wardkey on a state folder.
struct Way {
    subject: &'static str,
    start: fn(&Path, &Path) -> Result<Running, Failure>,
}

fn measure_wardkey(plan: &Plan<'_>, table: &mut Table) -> Result<(), Failure> {
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
    for (index, Way { subject, start }) in ways.iter().enumerate() {
        eprintln!("{subject}, 1 credential");
        let Running {
            connection,
            process,
            _helper,
        } = start(plan.wardkey, &plan.folder.join(format!("one-{index}")))?;
        let mut client = FidoClient::new(HidClient::open(connection, *b"wardkey1")?);
        operations::seed(&mut client, 1)?;
        for operation in Operation::PINGS
            .into_iter()
            .chain([Operation::GetInfo])
            .chain(Operation::COMMANDS)
        {
            table
                .cells
                .push(measure_one(plan, &mut client, operation, subject, 1));
        }
        table.idle.push(Idle {
            subject,
            usage: Usage::during(process.id(), IDLE),
        });
    }
    let folder = plan.folder.join("many");
    for (index, Way { subject, start }) in ways.iter().enumerate() {
        eprintln!("{subject}, {} credentials", plan.many);
        let Running {
            connection,
            process: _process,
            _helper,
        } = start(plan.wardkey, &folder)?;
        let mut client = FidoClient::new(HidClient::open(connection, *b"wardkey2")?);
        if index == 0 {
            operations::seed(&mut client, plan.many)?;
        }
        for operation in Operation::COMMANDS {
            table
                .cells
                .push(measure_one(plan, &mut client, operation, subject, plan.many));
        }
    }
    let failed = table.cells.iter().find_map(|cell| cell.result.as_ref().err());
    failed.map_or(Ok(()), |failure| Err(failure.clone()))
}

fn measure_one(
    plan: &Plan<'_>,
    client: &mut Client,
    operation: Operation,
    subject: &'static str,
    stored: u32,
) -> Cell {
    let count = operation.samples(plan.quick);
    let result = match operation {
        Operation::Ping(length) => operations::ping(client.pipe_mut(), length, count),
        Operation::GetInfo
        | Operation::AssertAllowed
        | Operation::AssertDiscovered
        | Operation::MakeNonResident
        | Operation::MakeResident => operations::command(client, operation, count),
    };
    Cell {
        subject,
        operation,
        stored,
        result,
    }
}

fn echo_on_socketpair() -> Result<Running, Failure> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = this_program("echo-stdin")?;
    let process = Process::start(command.stdin(std::os::fd::OwnedFd::from(theirs)))?;
    drop(command);
    attached(process, Box::new(ours), None)
}

fn echo_on_tcp() -> Result<Running, Failure> {
    let mut process = Process::start(&mut this_program("echo-tcp")?)?;
    let address = process.first_line(|line| line.parse().ok())?;
    attached(process, connect(address)?, None)
}

fn measure_echo(
    plan: &Plan<'_>,
    table: &mut Table,
    subject: &'static str,
    start: fn() -> Result<Running, Failure>,
) -> Result<(), Failure> {
    eprintln!("{subject}");
    let Running {
        connection,
        process: _process,
        _helper,
    } = start()?;
    // An echo allocates no channels.
    let client = HidClient::on_channel(connection, ChannelId(1));
    let mut client = FidoClient::new(client);
    for operation in Operation::PINGS {
        table
            .cells
            .push(measure_one(plan, &mut client, operation, subject, 1));
    }
    Ok(())
}

/// Every operation with a process of its own: it does not survive all of them.
fn measure_reference(plan: &Plan<'_>, table: &mut Table) {
    let subject = REFERENCE_TCP;
    for operation in Operation::PINGS
        .into_iter()
        .chain([Operation::GetInfo])
        .chain(Operation::COMMANDS)
    {
        eprintln!("{subject}, {}", operation.name());
        let cell = match start_reference() {
            Ok((mut client, process)) => {
                let cell = measure_one(plan, &mut client, operation, subject, 1);
                if operation == Operation::GetInfo {
                    table.idle.push(Idle {
                        subject,
                        usage: Usage::during(process.id(), IDLE),
                    });
                }
                cell
            }
            Err(failure) => Cell {
                subject,
                operation,
                stored: 1,
                result: Err(failure),
            },
        };
        table.cells.push(cell);
    }
}

fn start_reference() -> Result<(Client, Process), Failure> {
    let mut command = this_program("reference")?;
    let mut process = Process::start(command.stderr(std::process::Stdio::null()))?;
    let address = process.first_line(|line| line.parse().ok())?;
    let start = Start::Import {
        bus_id: usbip::BUS_ID.to_owned(),
    };
    let connection = UsbConnection::open(connect(address)?, start, OPEN_TIMEOUT)?;
    let mut client = HidClient::open(connection, *b"referenc")?;
    client.set_patience(Patience {
        whole_answer: Duration::from_secs(5),
        ..Patience::default()
    });
    let mut client = FidoClient::new(client);
    operations::seed(&mut client, 1)?;
    Ok((client, process))
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

//! In which order what is measured. A computer is not equally fast all the time: who is compared takes turns, so that
//! whatever happens happens to all.

use std::ops::RangeFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wardkey_sim::clock;
use wardkey_sim::fido_client::FidoClient;
use wardkey_sim::reference::with_reference;

use crate::commands::Commands;
use crate::daemon::{self, VAULT_PIN, Vault};
use crate::failure::Failure;
use crate::machine::Usage;
use crate::operations::{self, Operation};
use crate::samples::Samples;
use crate::subjects::{self, Client, Opened};
use crate::table::{Cell, Ended, Idle, Start, Subject, Table};
use crate::unlocking;

const ROUNDS: usize = 5;
/// How long an idle process is watched.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// What to measure.
pub(crate) struct Plan<'a> {
    pub(crate) wardkey: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) some: u32,
    pub(crate) many: u32,
    pub(crate) quick: bool,
}

/// Measures everything. What fails is told in its cells.
pub(crate) fn measure(plan: &Plan<'_>) -> Table {
    let vaults = [1, plan.some, plan.many].map(|stored| (stored, fill(plan, stored)));
    let mut table = Table {
        unlocking: unlocking::measure(plan, &vaults),
        cells: Vec::new(),
        idle: Vec::new(),
        starts: Vec::new(),
    };
    let mut turns = open(plan, &mut table);
    for operation in Operation::ALL {
        eprintln!("{}", operation.name());
        measure_in_turns(plan, &mut table, operation, &mut turns);
    }
    watch_idle(&mut table, &turns);
    // What polls without a pause must not run beside the others.
    drop(turns);
    measure_reference(plan, &mut table);
    measure_reference_directly(plan, &mut table);
    table
}

/// Somebody who takes turns.
struct Turn {
    subject: Subject,
    stored: u32,
    operations: &'static [Operation],
    opened: Result<Opened, Failure>,
    users: RangeFrom<u32>,
}

impl Turn {
    fn new(
        subject: Subject,
        stored: u32,
        operations: &'static [Operation],
        opened: Result<Opened, Failure>,
    ) -> Self {
        eprintln!("{}, {stored} stored", subject.name());
        Self {
            subject,
            stored,
            operations,
            opened,
            users: 1..,
        }
    }

    /// Measures a round; after a failure there are no more.
    fn measure(&mut self, operation: Operation, count: usize) -> Result<Samples, Failure> {
        let Opened { client, .. } = self.opened.as_mut().map_err(|failure| failure.clone())?;
        let samples = measure_round(client, operation, count, &mut self.users, self.stored);
        if let Err(failure) = &samples {
            self.opened = Err(failure.clone());
        }
        samples
    }
}

fn measure_round(
    client: &mut Client,
    operation: Operation,
    count: usize,
    users: &mut RangeFrom<u32>,
    stored: u32,
) -> Result<Samples, Failure> {
    match operation {
        Operation::Ping(length) => operations::ping(client.pipe_mut(), length, count),
        Operation::GetInfo
        | Operation::AssertAllowed
        | Operation::AssertDiscovered
        | Operation::AssertHmacSecret
        | Operation::MakeNonResident
        | Operation::MakeResident
        | Operation::Token(_)
        | Operation::List => operations::command(client, operation, count, users, stored),
    }
}

fn open(plan: &Plan<'_>, table: &mut Table) -> Vec<Turn> {
    let mut turns = Vec::new();
    for stored in [1, plan.many] {
        turns.extend(wardkey(plan, stored, table));
    }
    turns.extend([
        Turn::new(
            Subject::EchoPair,
            1,
            &Operation::PINGS,
            subjects::echo_on_socketpair(),
        ),
        Turn::new(Subject::EchoTcp, 1, &Operation::PINGS, subjects::echo_on_tcp()),
    ]);
    turns
}

/// Two keys with the same credentials, on a socket pair and behind TCP.
fn wardkey(plan: &Plan<'_>, stored: u32, table: &mut Table) -> [Turn; 2] {
    let [pair, tcp] = [Subject::WardkeyPair, Subject::WardkeyTcp];
    let folder = |subject: Subject| plan.folder.join(format!("{subject:?}-{stored}"));
    let copy = |subject| daemon::copy_state(&filled(plan, stored), &folder(subject));
    let opened_pair = copy(pair).and_then(|()| start_twice(plan, &folder(pair), stored, table));
    let opened_tcp = copy(tcp)
        .and_then(|()| daemon::serve(plan.wardkey, &folder(tcp)))
        .and_then(subjects::authenticator);
    let operations = if stored == 1 {
        &Operation::ON_ONE[..]
    } else {
        &Operation::ON_MANY
    };
    [
        Turn::new(pair, stored, operations, opened_pair),
        Turn::new(tcp, stored, operations, opened_tcp),
    ]
}

/// Where there are so many credentials.
fn filled(plan: &Plan<'_>, stored: u32) -> PathBuf {
    plan.folder.join(format!("vault-{stored}"))
}

/// Makes a state folder with so many credentials.
fn fill(plan: &Plan<'_>, stored: u32) -> Result<PathBuf, Failure> {
    eprintln!("storing {stored}");
    let folder = filled(plan, stored);
    daemon::init(plan.wardkey, &folder)?;
    let running = daemon::up(plan.wardkey, &folder, Vault::Open)?;
    let Opened { client, process } = subjects::seeded(running, stored)?;
    drop(client);
    process.end()?;
    Ok(folder)
}

/// Starts a key on a state folder, kills it, and starts it again.
fn start_twice(plan: &Plan<'_>, folder: &Path, stored: u32, table: &mut Table) -> Result<Opened, Failure> {
    let mut start = |ended| {
        let began = clock::now();
        let running = daemon::up(plan.wardkey, folder, Vault::Locked)?;
        table.starts.push(Start {
            stored,
            ended,
            duration: began.elapsed(),
        });
        Commands::connect(folder)?.unlock(VAULT_PIN)?;
        subjects::authenticator(running)
    };
    // The owner of a process that goes kills it.
    drop(start(Ended::Asked)?);
    start(Ended::Killed)
}

fn measure_in_turns(plan: &Plan<'_>, table: &mut Table, operation: Operation, turns: &mut [Turn]) {
    let mut turns: Vec<_> = turns
        .iter_mut()
        .filter(|turn| turn.operations.contains(&operation))
        .collect();
    let mut results: Vec<Result<Samples, Failure>> = turns.iter().map(|_| Ok(Samples::default())).collect();
    let count = operation.samples(plan.quick) / ROUNDS;
    for _ in 0..ROUNDS {
        for (turn, result) in turns.iter_mut().zip(&mut results) {
            match (turn.measure(operation, count), &mut *result) {
                (Ok(round), Ok(samples)) => samples.add(round),
                (Err(failure), result @ Ok(_)) => *result = Err(failure),
                (_, Err(_)) => {}
            }
        }
    }
    for (turn, result) in turns.into_iter().zip(results) {
        table.cells.push(Cell {
            subject: turn.subject,
            operation,
            stored: turn.stored,
            result,
        });
    }
}

fn watch_idle(table: &mut Table, turns: &[Turn]) {
    for turn in turns
        .iter()
        .filter(|turn| turn.operations.contains(&Operation::GetInfo))
    {
        if let Ok(opened) = &turn.opened {
            let usage = Usage::during(opened.process.id(), IDLE);
            table.idle.push(Idle {
                subject: turn.subject,
                usage,
            });
        }
    }
}

/// Every operation with a process of its own: it does not survive whatever it is sent.
fn measure_reference(plan: &Plan<'_>, table: &mut Table) {
    for operation in Operation::ON_ONE {
        let subject = Subject::ReferenceTcp;
        let mut turns = [Turn::new(subject, 1, &Operation::ON_ONE, subjects::reference())];
        measure_in_turns(plan, table, operation, &mut turns);
        if operation == Operation::GetInfo {
            watch_idle(table, &turns);
        }
    }
}

/// The reference authenticator in this process: what it takes without any transport.
fn measure_reference_directly(plan: &Plan<'_>, table: &mut Table) {
    let subject = Subject::ReferenceDirect;
    eprintln!("{}", subject.name());
    with_reference(|reference| {
        let mut client = FidoClient::new(reference);
        let seeded = operations::seed(&mut client, 1);
        let mut users = 1..;
        let commands = Operation::ON_ONE.into_iter();
        for operation in commands.filter(|operation| !Operation::PINGS.contains(operation)) {
            let count = operation.samples(plan.quick);
            let mut measure = || operations::command(&mut client, operation, count, &mut users, 1);
            let result = seeded.clone().and_then(|()| measure());
            table.cells.push(Cell {
                subject,
                operation,
                stored: 1,
                result,
            });
        }
    });
}

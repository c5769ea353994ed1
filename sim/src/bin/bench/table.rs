//! What was measured.

use std::time::Duration;

use crate::failure::Failure;
use crate::machine::Usage;
use crate::operations::Operation;
use crate::samples::Samples;
use crate::unlocking::Unlocking;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    WardkeyPair,
    WardkeyTcp,
    EchoPair,
    EchoTcp,
    ReferenceTcp,
    ReferenceDirect,
}

impl Subject {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 6] = [
        Self::WardkeyPair,
        Self::WardkeyTcp,
        Self::EchoPair,
        Self::EchoTcp,
        Self::ReferenceTcp,
        Self::ReferenceDirect,
    ];

    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WardkeyPair => "wardkey, socketpair",
            Self::WardkeyTcp => "wardkey, TCP",
            Self::EchoPair => "bare echo, socketpair",
            Self::EchoTcp => "bare echo, TCP",
            Self::ReferenceTcp => "usbip-device + reference, TCP",
            Self::ReferenceDirect => "reference, no transport",
        }
    }

    /// Whether it has to work for the measurement to count.
    const fn must_work(self) -> bool {
        match self {
            Self::WardkeyPair | Self::WardkeyTcp | Self::EchoPair | Self::EchoTcp => true,
            Self::ReferenceTcp | Self::ReferenceDirect => false,
        }
    }
}

/// One cell of the table.
pub(crate) struct Cell {
    pub(crate) subject: Subject,
    pub(crate) operation: Operation,
    pub(crate) stored: u32,
    pub(crate) result: Result<Samples, Failure>,
}

/// What a process used while nobody asked it anything.
pub(crate) struct Idle {
    pub(crate) subject: Subject,
    pub(crate) usage: Usage,
}

/// What it took to start a key with its vault locked, until the host had enumerated it.
pub(crate) struct Start {
    pub(crate) stored: u32,
    pub(crate) ended: Ended,
    pub(crate) duration: Duration,
}

/// How the key had ended before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Asked,
    Killed,
}

/// All that was measured.
pub(crate) struct Table {
    pub(crate) unlocking: Result<Unlocking, Failure>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) starts: Vec<Start>,
}

impl Table {
    /// The first failure of somebody who has to work.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        let must_work = self.cells.iter().filter(|cell| cell.subject.must_work());
        let mut failures = must_work.filter_map(|cell| cell.result.as_ref().err());
        self.unlocking.as_ref().err().or_else(|| failures.next())
    }

    /// The rows: the operations in their order, each with few and with many credentials stored.
    pub(crate) fn rows(&self) -> Vec<(Operation, u32)> {
        let mut rows = Vec::new();
        for operation in Operation::ALL {
            for cell in self.cells.iter().filter(|cell| cell.operation == operation) {
                if !rows.contains(&(operation, cell.stored)) {
                    rows.push((operation, cell.stored));
                }
            }
        }
        rows
    }

    /// How many times as long an operation takes with many credentials stored as with one, at its median.
    pub(crate) fn growth(&self, operation: Operation) -> Option<(u32, f64)> {
        let of_pair = self
            .cells
            .iter()
            .filter(|cell| cell.subject == Subject::WardkeyPair);
        let mut medians = of_pair
            .filter(|cell| cell.operation == operation)
            .filter_map(|cell| {
                let samples = cell.result.as_ref().ok()?;
                Some((cell.stored, samples.percentile_ms(50)))
            });
        let (_, one) = medians.find(|(stored, _)| *stored == 1)?;
        let (stored, many) = medians.find(|(stored, _)| *stored != 1)?;
        Some((stored, many / one))
    }

    /// The cell of a row and a column.
    pub(crate) fn cell(&self, subject: Subject, operation: Operation, stored: u32) -> Option<&Cell> {
        let wanted = (subject, operation, stored);
        self.cells
            .iter()
            .find(|cell| (cell.subject, cell.operation, cell.stored) == wanted)
    }
}

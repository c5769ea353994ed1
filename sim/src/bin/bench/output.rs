//! The table, for people and for programs.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::machine::Machine;
use crate::operations::Operation;
use crate::schedule::IDLE;
use crate::table::{Cell, Ended, Idle, Start, Subject, Table};
use crate::unlocking::{Measured, Memory, Unlocking};

const NOTES: &str = "
The client is the same everywhere: one report at a time, as Linux sends them. wardkey answers a registration when the
credential is on the disk; the reference authenticator keeps everything in memory, and `usbip-device` is polled without
a pause, as fast as it can be. Its column has one stored credential only: its file system takes minutes to fill.
";

/// A Markdown table: a row per operation, a column per subject, p50 / p99 in milliseconds.
pub(crate) fn markdown(machine: &Machine, table: &Table) -> String {
    let Machine {
        date,
        processor,
        cores,
        kernel,
        file_system,
    } = machine;
    let mut text = format!(
        "Measured on {date}: {processor}, {cores} cores, {kernel}, credentials on {file_system}. \
         Times in milliseconds, p50 / p99.\n\n"
    );
    text += &row(
        "operation, credentials stored",
        Subject::ALL.map(|subject| subject.name().to_owned()),
    );
    text += &row("---", Subject::ALL.map(|_| "---:".to_owned()));
    for (operation, stored) in table.rows() {
        let show = |subject| {
            table
                .cell(subject, operation, stored)
                .map_or("–".to_owned(), show)
        };
        text += &row(&row_name(operation, stored), Subject::ALL.map(show));
    }
    text += NOTES;
    text += &format!("\nIdle for {} s with a host attached:\n\n", IDLE.as_secs());
    for Idle { subject, usage } in &table.idle {
        let ms = usage.processor.as_secs_f64() * 1e3;
        text += &format!(
            "- {}: {ms:.1} ms of processor time, run {} times\n",
            subject.name(),
            usage.runs
        );
    }
    text += "\nStarted with the vault locked, until the host had enumerated the key:\n\n";
    for start in &table.starts {
        text += &format!("- {}\n", show_start(start));
    }
    text += &match &table.unlocking {
        Ok(unlocking) => show_unlocking(unlocking),
        Err(failure) => format!("\nUnlocking: {}\n", failure.what()),
    };
    text += "\nWith many credentials stored, beside one, at the median on the socket pair:\n\n";
    for operation in Operation::ON_MANY {
        if let Some((stored, factor)) = table.growth(operation) {
            let name = operation.name();
            text += &format!("- {name}: with {} {factor:.2} times as long\n", thousands(stored));
        }
    }
    for Cell {
        subject,
        operation,
        result,
        ..
    } in &table.cells
    {
        if let Err(failure) = result {
            text += &format!("- {}, {}: {}\n", subject.name(), operation.name(), failure.what());
        }
    }
    text
}

fn show_start(start: &Start) -> String {
    let Start {
        stored,
        ended,
        duration,
    } = start;
    let ended = match ended {
        Ended::Asked => "after it had ended",
        Ended::Killed => "after it was killed",
    };
    format!(
        "{} stored, {ended}: {:.0} ms",
        thousands(*stored),
        duration.as_secs_f64() * 1e3
    )
}

fn show_unlocking(unlocking: &Unlocking) -> String {
    let Unlocking { argon2id, vaults } = unlocking;
    let alone = argon2id.percentile_ms(50);
    let mut text = format!(
        "\nFrom the Vault PIN to the answer to the first assertion. Argon2id alone takes {alone:.0} ms (least {:.0}):\n\n",
        argon2id.percentile_ms(0)
    );
    for Measured {
        stored,
        times,
        memory,
    } in vaults
    {
        let Memory {
            before,
            open,
            locked_again,
        } = memory;
        text += &format!(
            "- {} stored: {:.1} ms more (least {:.1}); memory {:.1} MB before, {:.1} MB open, {:.1} MB locked again\n",
            thousands(*stored),
            times.percentile_ms(50) - alone,
            times.percentile_ms(0) - argon2id.percentile_ms(0),
            mega(*before),
            mega(*open),
            mega(*locked_again)
        );
    }
    text
}

fn mega(bytes: u64) -> f64 {
    let kilobytes = u32::try_from(bytes / 1000).unwrap_or(u32::MAX);
    f64::from(kilobytes) / 1000.0
}

fn row_name(operation: Operation, stored: u32) -> String {
    if Operation::ON_MANY.contains(&operation) {
        format!("{}, {}", operation.name(), thousands(stored))
    } else {
        operation.name()
    }
}

fn row(head: &str, cells: [String; Subject::ALL.len()]) -> String {
    format!("| {head} | {} |\n", cells.join(" | "))
}

fn show(cell: &Cell) -> String {
    match &cell.result {
        Ok(samples) => format!(
            "{:.3} / {:.3}",
            samples.percentile_ms(50),
            samples.percentile_ms(99)
        ),
        Err(_) => "fails".to_owned(),
    }
}

pub(crate) fn thousands(number: u32) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}

/// The same with the number of samples.
pub(crate) fn json(machine: &Machine, table: &Table) -> Value {
    let Machine {
        date,
        processor,
        cores,
        kernel,
        file_system,
    } = machine;
    let cells = table.cells.iter().map(|cell| {
        let mut object = json!({
            "subject": cell.subject.name(),
            "operation": cell.operation.name(),
            "stored": cell.stored,
        });
        match &cell.result {
            Ok(samples) => {
                object["samples"] = json!(samples.count());
                object["p50_ms"] = json!(samples.percentile_ms(50));
                object["p99_ms"] = json!(samples.percentile_ms(99));
            }
            Err(failure) => object["failure"] = json!(failure.what()),
        }
        object
    });
    let idle = table.idle.iter().map(|idle| {
        json!({
            "subject": idle.subject.name(),
            "seconds": IDLE.as_secs(),
            "processor_ms": idle.usage.processor.as_secs_f64() * 1e3,
            "runs": idle.usage.runs,
        })
    });
    let starts = table.starts.iter().map(|start| {
        json!({
            "stored": start.stored,
            "after": format!("{:?}", start.ended),
            "ms": start.duration.as_secs_f64() * 1e3,
        })
    });
    json!({
        "date": date,
        "machine": { "processor": processor, "cores": cores, "kernel": kernel, "file_system": file_system },
        "measurements": cells.collect::<Vec<_>>(),
        "idle": idle.collect::<Vec<_>>(),
        "starts": starts.collect::<Vec<_>>(),
        "unlocking": unlocking_json(&table.unlocking),
    })
}

fn unlocking_json(unlocking: &Result<Unlocking, Failure>) -> Value {
    let Unlocking { argon2id, vaults } = match unlocking {
        Ok(unlocking) => unlocking,
        Err(failure) => return json!({ "failure": failure.what() }),
    };
    let vaults = vaults.iter().map(|vault| {
        json!({
            "stored": vault.stored,
            "samples": vault.times.count(),
            "p0_ms": vault.times.percentile_ms(0),
            "p50_ms": vault.times.percentile_ms(50),
            "resident_bytes": {
                "before": vault.memory.before,
                "open": vault.memory.open,
                "locked_again": vault.memory.locked_again,
            },
        })
    });
    json!({
        "argon2id": { "p0_ms": argon2id.percentile_ms(0), "p50_ms": argon2id.percentile_ms(50) },
        "vaults": vaults.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            [1, 999, 1000, 10_050].map(thousands),
            ["1", "999", "1,000", "10,050"]
        );
    }
}

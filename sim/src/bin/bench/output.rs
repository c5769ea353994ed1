//! The table, for people and for programs.

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::operations::Operation;
use crate::subjects::{Cell, IDLE, SUBJECTS, Table};

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
    text += &row("operation, credentials stored", SUBJECTS.map(str::to_owned));
    text += &row("---", SUBJECTS.map(|_| "---:".to_owned()));
    for (operation, stored) in rows(table) {
        let name = match operation {
            Operation::Ping(_) | Operation::GetInfo => operation.name(),
            Operation::AssertAllowed
            | Operation::AssertDiscovered
            | Operation::MakeNonResident
            | Operation::MakeResident => format!("{}, {}", operation.name(), thousands(stored)),
        };
        let cell = |subject| {
            let mut cells = table.cells.iter();
            cells.find(|cell| (cell.subject, cell.operation, cell.stored) == (subject, operation, stored))
        };
        text += &row(
            &name,
            SUBJECTS.map(|subject| cell(subject).map_or("–".to_owned(), show)),
        );
    }
    text += &format!("\nIdle for {} s with a host attached:\n\n", IDLE.as_secs());
    for idle in &table.idle {
        let ms = idle.usage.processor.as_secs_f64() * 1e3;
        text += &format!(
            "- {}: {ms:.1} ms of processor time, run {} times\n",
            idle.subject, idle.usage.runs
        );
    }
    for Cell {
        subject,
        operation,
        result,
        ..
    } in &table.cells
    {
        if let Err(failure) = result {
            text += &format!("- {subject}, {}: {}\n", operation.name(), failure.what());
        }
    }
    text
}

fn row(head: &str, cells: [String; SUBJECTS.len()]) -> String {
    format!("| {head} | {} |\n", cells.join(" | "))
}

/// The rows in the order in which they were measured first.
fn rows(table: &Table) -> Vec<(Operation, u32)> {
    let mut rows = Vec::new();
    for cell in &table.cells {
        let row = (cell.operation, cell.stored);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
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

fn thousands(number: u32) -> String {
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
            "subject": cell.subject,
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
            "subject": idle.subject,
            "seconds": IDLE.as_secs(),
            "processor_ms": idle.usage.processor.as_secs_f64() * 1e3,
            "runs": idle.usage.runs,
        })
    });
    json!({
        "date": date,
        "machine": { "processor": processor, "cores": cores, "kernel": kernel, "file_system": file_system },
        "measurements": cells.collect::<Vec<_>>(),
        "idle": idle.collect::<Vec<_>>(),
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

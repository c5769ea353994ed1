//! `wardkey sync check`: tries out a store.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::show;
use crate::cli::sync::StoreOptions;
use crate::error::Failure;
use crate::membership::account;
use crate::remote::{Finding, Patience, Step, probe};

/// Prints what the store can do.
pub(crate) fn check_store(options: &StoreOptions, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let account = account(options)?;
    let finding = probe(&account, Patience::default())?;
    let store = account.address().to_string();
    let text = if json {
        as_json(&store, &finding)
    } else {
        as_text(&store, &finding)
    };
    super::print(out, &text)
}

fn as_json(store: &str, finding: &Finding) -> String {
    let capabilities = finding.capabilities;
    let took = |(step, took): &(Step, Duration)| -> Value {
        json!({ "operation": word(*step), "ms": took.as_secs_f64() * 1000.0 })
    };
    let facts = json!({
        "store": store,
        "exclusive_create": capabilities.exclusive_create,
        "conditional_read": capabilities.conditional_read,
        "read_after_write": capabilities.read_after_write,
        "list_after_write": capabilities.list_after_write,
        "operations": finding.took.iter().map(took).collect::<Vec<_>>(),
    });
    facts.to_string() + "\n"
}

fn as_text(store: &str, finding: &Finding) -> String {
    let capabilities = finding.capabilities;
    let rows = [
        ["Store", store],
        [
            "Reads at once what was written",
            yes(capabilities.read_after_write),
        ],
        [
            "Lists at once what was written",
            yes(capabilities.list_after_write),
        ],
        [
            "Keeps what is there from being replaced",
            yes(capabilities.exclusive_create),
        ],
        [
            "Sends nothing where nothing has changed",
            yes(capabilities.conditional_read),
        ],
    ];
    let facts = show::table(&rows.map(|row| row.map(str::to_owned)));
    let took: Vec<_> = finding
        .took
        .iter()
        .map(|(step, took)| {
            [
                word(*step).to_owned(),
                format!("{:.1} ms", took.as_secs_f64() * 1000.0),
            ]
        })
        .collect();
    format!("{facts}\n{}", show::table(&took))
}

fn yes(can: bool) -> &'static str {
    if can { "yes" } else { "no" }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::List => "list",
        Step::Create => "create",
        Step::CreateAgain => "create again",
        Step::Get => "get",
        Step::PollUnchanged => "poll, unchanged",
        Step::Put => "put",
        Step::PollChanged => "poll, changed",
        Step::Remove => "remove",
    }
}

//! The tables.

use std::time::Duration;

use super::counting::Traffic;
use super::{Change, Join, Made, Measured};
use crate::machine::Machine;
use crate::output::thousands;
use crate::samples::Samples;

/// Markdown.
pub(crate) fn markdown(machine: &Machine, measured: &Measured) -> String {
    let Machine {
        date,
        processor,
        cores,
        kernel,
        file_system,
    } = machine;
    let Measured {
        store,
        alone,
        joins,
        changes,
        seen,
    } = measured;
    let mut text = format!(
        "Measured on {date}: {processor}, {cores} cores, {kernel}. The store is {store}, one node on the same computer, \
         its files and the vaults on {file_system}. Bytes go both ways, with HTTP's heads.\n\n\
         The store alone, with the same client, in milliseconds (p50):\n\n"
    );
    for (operation, times) in alone {
        text += &format!("- {operation}: {:.1}\n", times.percentile_ms(50));
    }
    text += "\nA new device, from being let in until it has everything:\n\n\
             | passkeys | written before | time | requests | bytes |\n| ---: | ---: | ---: | ---: | ---: |\n";
    for join in joins {
        text += &show_join(join);
    }
    text += "\nOne passkey more, all devices running, until they are at rest again. By the design that is an object and a \
             hint, and a list and a read for each other device:\n\n\
             | devices | on all after | writes | lists | reads | by the design | bytes | an idle poll: requests | bytes | \
             the last one let in: requests | bytes |\n\
             | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for change in changes {
        text += &show_change(change);
    }
    text += "\nUntil a passkey is on another device, p50 / greatest:\n\n";
    for (quiet, times) in seen {
        text += &show_seen(*quiet, times);
    }
    text
}

fn show_join(join: &Join) -> String {
    let Join {
        passkeys,
        made,
        times,
        traffic,
        stored_bytes,
    } = join;
    let made = match made {
        Made::AtOnce => "at once",
        Made::OneByOne => "one by one",
    };
    format!(
        "| {}, {made} | {} | {:.2} s | {} | {} |\n",
        thousands(*passkeys),
        kilobytes(*stored_bytes),
        times.percentile_ms(50) / 1e3,
        traffic.requests(),
        kilobytes(traffic.bytes)
    )
}

fn show_change(change: &Change) -> String {
    let Change {
        devices,
        duration,
        traffic:
            Traffic {
                writes,
                lists,
                reads,
                bytes,
                ..
            },
        idle,
        joining,
    } = change;
    let (polls, others) = (idle.polls.max(1), devices - 1);
    format!(
        "| {devices} | {:.1} s | {writes} | {lists} | {reads} | 2, {others}, {others} | {} | {} | {} B | {} | {} |\n",
        duration.as_secs_f64(),
        kilobytes(*bytes),
        idle.requests() / polls,
        idle.bytes / polls,
        joining.traffic.requests(),
        kilobytes(joining.traffic.bytes)
    )
}

fn show_seen(quiet: Duration, times: &Samples) -> String {
    format!(
        "- {} to {} s after the one before: {:.2} / {:.2} s ({} times)\n",
        quiet.as_secs(),
        quiet.as_secs() + 1,
        times.percentile_ms(50) / 1e3,
        times.percentile_ms(100) / 1e3,
        times.count()
    )
}

/// Rounded, as a table shows them.
fn kilobytes(bytes: u64) -> String {
    let kilobytes = (bytes + 500) / 1000;
    format!("{} kB", thousands(u32::try_from(kilobytes).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded() {
        assert_eq!([499, 500, 1_234_567].map(kilobytes), ["0 kB", "1 kB", "1,235 kB"]);
    }
}

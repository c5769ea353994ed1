//! The cases can fail: against keys that answer every CTAP2 command in the same way, none passes that is about an answer.

use std::time::Duration;

use wardkey_conformance::drivers::in_process::InProcessDriver;
use wardkey_conformance::{Broken, Configuration, Driver, Key, RULES, SCRIPTS, Summary, User, run};
use wardkey_sim::report::Report;

/// A key that answers every CTAP2 command with this byte and nothing else.
struct Saboteur {
    key: Box<dyn Key>,
    answer: u8,
    skipped: u16,
}

/// The first byte of a frame that starts a CTAP2 message, behind the channel.
const CBOR: u8 = 0x90;

impl Key for Saboteur {
    fn send(&mut self, report: &Report) -> Result<(), Broken> {
        self.key.send(report)
    }

    fn receive(&mut self, within: Duration) -> Result<Option<Report>, Broken> {
        loop {
            let Some(Report(mut bytes)) = self.key.receive(within)? else {
                return Ok(None);
            };
            if bytes[4] == CBOR {
                // The rest of the true answer follows in frames of 59 bytes.
                let length = u16::from_be_bytes([bytes[5], bytes[6]]);
                self.skipped = length.saturating_sub(57).div_ceil(59);
                bytes[5..].fill(0);
                bytes[6] = 1;
                bytes[7] = self.answer;
                return Ok(Some(Report(bytes)));
            }
            if bytes[4] & 0x80 == 0 && self.skipped > 0 {
                self.skipped -= 1;
                continue;
            }
            return Ok(Some(Report(bytes)));
        }
    }

    fn power_cycle(&mut self) -> Result<(), Broken> {
        self.skipped = 0;
        self.key.power_cycle()
    }

    fn user(&mut self, user: User) -> Result<(), Broken> {
        self.key.user(user)
    }

    fn wait(&mut self, duration: Duration) -> Result<(), Broken> {
        self.key.wait(duration)
    }

    fn has_virtual_time(&self) -> bool {
        self.key.has_virtual_time()
    }

    fn metadata(&mut self) -> Result<String, Broken> {
        self.key.metadata()
    }
}

struct SaboteurDriver(u8);

impl Driver for SaboteurDriver {
    fn name(&self) -> &'static str {
        "saboteur"
    }

    fn new_key(&self, configuration: Configuration, name: &str) -> Result<Box<dyn Key>, Broken> {
        Ok(Box::new(Saboteur {
            key: InProcessDriver.new_key(configuration, name)?,
            answer: self.0,
            skipped: 0,
        }))
    }
}

/// The cases that pass against a key that answers with this byte, but for those that are not about CTAP2 answers.
fn passing(answer: u8) -> Vec<String> {
    let driver = SaboteurDriver(answer);
    let entries = [SCRIPTS, RULES]
        .into_iter()
        .flat_map(|scripts| run(scripts, &[&driver], ""));
    let passed = entries
        .filter(|entry| entry.summary() == Summary::Passed)
        .map(|entry| entry.id);
    let about_other_things = [
        "hid-1/",
        "wardkey-hid/",
        "Metadata-Stmt-1/",
        "wardkey-algorithms/u2f",
    ];
    passed
        .filter(|id| !about_other_things.iter().any(|prefix| id.starts_with(prefix)))
        .collect()
}

#[test]
fn nothing_passes_where_every_command_fails() {
    const OTHER: u8 = 0x7F;
    assert_eq!(passing(OTHER), Vec::<String>::new());
}

#[test]
fn only_what_has_an_empty_answer_passes_where_every_command_succeeds() {
    assert_eq!(passing(0), ["wardkey-reset/in-time", "wardkey-reset/selection"]);
}

//! Follows a guest through its console: `@@ began NAME`, `@@ passed NAME`, `@@ failed NAME`, everything else is its
//! talk. A guest that says nothing for longer than its current step may take is ended. One that goes away without a word
//! has passed a step that cuts the power, and failed any other.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::ChildStdout;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::machine::{Accelerator, Machine};
use super::plan::GuestStep;
use crate::clock;
use crate::failure::{Failure, about};
use crate::output::say;

/// From power-on to the first step, with QEMU translating on a busy machine.
const BOOT_MAX: Duration = Duration::from_secs(240);
/// The guest ends its steps itself; this much later it is taken to be stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// Printed when the guest does not come up.
const LAST_WORDS: usize = 30;

/// How a step ended.
pub(crate) struct Finished {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) duration: Duration,
}

/// What a line of the console says.
enum Line<'a> {
    Began(&'a str),
    Passed(&'a str),
    Failed(&'a str),
    Talk(&'a str),
}

/// Boots and reports each step as it goes; gives the steps that came to an end.
pub(crate) fn follow(
    machine: &Machine,
    accelerator: Accelerator,
    plan: &[GuestStep],
) -> Result<Vec<Finished>, Failure> {
    let how = match accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Software => "software emulation",
    };
    say!("\n== virtual machine: booting, with {how}");
    let mut guest = machine.boot(accelerator)?;
    let output = guest
        .stdout
        .take()
        .ok_or_else(|| Failure::new("QEMU has no console"))?;
    let log = machine.share.join("results/console.log");
    let log_file = File::options().create(true).append(true).open(&log);
    let lines = read_in_background(output, log_file.map_err(about(&log))?);
    let mut follower = Follower::new(plan);
    loop {
        match lines.recv_timeout(follower.patience()) {
            Ok(line) => follower.hear(&line),
            Err(RecvTimeoutError::Disconnected) => {
                follower.guest_went_away();
                break;
            }
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    let _gone = guest.kill().and_then(|()| guest.wait());
    Ok(follower.results())
}

/// The channel closes when the guest has powered off.
fn read_in_background(output: ChildStdout, mut log: File) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            // The log is a convenience: a full disk shows elsewhere.
            let _written = writeln!(log, "{line}");
            if sender.send(line).is_err() {
                return;
            }
            bytes.clear();
        }
    });
    receiver
}

struct Follower<'a> {
    plan: &'a [GuestStep],
    booted: Instant,
    current: Option<(&'a GuestStep, Instant)>,
    finished: Vec<Finished>,
    talk: Vec<String>,
}

impl<'a> Follower<'a> {
    fn new(plan: &'a [GuestStep]) -> Self {
        Self {
            plan,
            booted: clock::now(),
            current: None,
            finished: Vec::new(),
            talk: Vec::new(),
        }
    }

    /// How long the guest may still be silent.
    fn patience(&self) -> Duration {
        match self.current {
            Some((step, began)) => {
                (Duration::from_secs(step.seconds) + STUCK_AFTER).saturating_sub(began.elapsed())
            }
            None if self.finished.is_empty() => BOOT_MAX.saturating_sub(self.booted.elapsed()),
            None => STUCK_AFTER,
        }
    }

    fn hear(&mut self, line: &str) {
        match parse(line) {
            Line::Began(name) => self.began(name),
            Line::Passed(name) => self.ended(name, true),
            Line::Failed(name) => self.ended(name, false),
            Line::Talk(text) => self.talk.push(text.to_owned()),
        }
    }

    fn began(&mut self, name: &str) {
        if self.current.is_none() && self.finished.is_empty() {
            say!(
                "-- virtual machine: the guest is up ({})",
                clock::in_words(self.booted.elapsed())
            );
        }
        let step = self.plan.iter().find(|step| step.name == name);
        self.current = step.map(|step| (step, clock::now()));
    }

    fn ended(&mut self, name: &str, passed: bool) {
        let duration = match self.current.take() {
            Some((_, began)) => began.elapsed(),
            None => Duration::ZERO,
        };
        let word = if passed { "passed" } else { "FAILED" };
        say!(
            "-- virtual machine: {name}: {word} ({})",
            clock::in_words(duration)
        );
        self.finished.push(Finished {
            name: name.to_owned(),
            passed,
            duration,
        });
    }

    fn guest_went_away(&mut self) {
        if let Some((step, _)) = self.current.filter(|(step, _)| step.cuts_power) {
            self.ended(&step.name, true);
        }
    }

    fn results(self) -> Vec<Finished> {
        if let Some((step, _)) = self.current {
            say!("-- the guest went away or got stuck in {}", step.name);
        } else if self.finished.is_empty() {
            say!("-- the guest did not come up; its last words:");
            for line in self.talk.iter().skip(self.talk.len().saturating_sub(LAST_WORDS)) {
                say!("     {line}");
            }
        }
        self.finished
    }
}

fn parse(line: &str) -> Line<'_> {
    // The firmware and the kernel may leave something in front of a line.
    let Some((_, message)) = line.split_once("@@ ") else {
        return Line::Talk(line);
    };
    match message.split_once(' ') {
        Some(("began", name)) => Line::Began(name),
        Some(("passed", name)) => Line::Passed(name),
        Some(("failed", name)) => Line::Failed(name),
        _ => Line::Talk(line),
    }
}

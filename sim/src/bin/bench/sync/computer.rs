//! A computer that has the vault, or gets it: a state folder, and the programs that run on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use wardkey_sim::clock;

use super::counting::{Traffic, Way};
use super::garage;
use crate::daemon::{self, Vault};
use crate::failure::Failure;
use crate::process::Process;
use crate::samples::Samples;
use crate::subjects::{self, Opened};

/// What a new device took, from being let in until it has everything.
pub(crate) struct Joining {
    pub(crate) duration: Duration,
    pub(crate) traffic: Traffic,
}

/// A store, and the program to measure.
pub(super) struct Place<'a> {
    pub(super) wardkey: &'a Path,
    pub(super) way: &'a Way,
    /// Of this vault, in the store.
    pub(super) url: String,
    /// For the state folders.
    pub(super) folder: PathBuf,
}

/// See above.
pub(super) struct Computer<'a> {
    place: &'a Place<'a>,
    state: PathBuf,
    name: String,
}

impl<'a> Computer<'a> {
    fn new(place: &'a Place<'a>, number: usize) -> Self {
        let name = format!("device-{number}");
        let state = place.folder.join(&name);
        Self { place, state, name }
    }

    /// One with a vault that nobody exchanges yet.
    pub(super) fn first(place: &'a Place<'a>) -> Result<Self, Failure> {
        let computer = Self::new(place, 1);
        daemon::init(place.wardkey, &computer.state)?;
        Ok(computer)
    }

    /// `wardkey sync setup`.
    pub(super) fn exchange_from_now_on(&self) -> Result<(), Failure> {
        let mut command = self.command(&["sync", "setup", &self.place.url, "--device-name", &self.name]);
        Process::start(opened(&mut command, &self.state))?.finish()
    }

    /// The key, with its vault open.
    pub(super) fn key(&self) -> Result<Opened, Failure> {
        subjects::authenticator(daemon::up(self.place.wardkey, &self.state, Vault::Open)?)
    }

    /// `wardkey device add` on another computer, and `device approve` on this one, on which no key runs.
    pub(super) fn let_in(&self, number: usize) -> Result<(Self, Joining), Failure> {
        let new = Self::new(self.place, number);
        daemon::new_state(&new.state)?;
        let mut command = new.command(&["device", "add", &self.place.url, "--device-name", &new.name]);
        let mut adding = Process::start(opened(&mut command, &new.state))?;
        let code = adding.next_line(|line| text(line, "code"))?;
        let mut command = self.command(&["device", "approve", &code]);
        let approving = Process::start(opened(&mut command, &self.state))?;
        adding.next_line(|line| text(line, "device").filter(|device| device == "let-in"))?;
        let (start, earlier) = (clock::now(), self.place.way.traffic());
        adding.finish()?;
        let joining = Joining {
            duration: start.elapsed(),
            traffic: self.place.way.traffic() - earlier,
        };
        approving.finish()?;
        Ok((new, joining))
    }

    /// `wardkey sync check`: what the store's operations take alone, with the same client.
    pub(super) fn try_store(&self, rounds: usize) -> Result<BTreeMap<String, Samples>, Failure> {
        let mut all: BTreeMap<String, Samples> = BTreeMap::new();
        for _ in 0..rounds {
            let mut command = self.command(&["sync", "check", &self.place.url]);
            let mut checking = Process::start(command.stderr(Stdio::null()))?;
            let found = checking.next_line(|line| serde_json::from_str::<Value>(line).ok())?;
            let operations = found["operations"].as_array().into_iter().flatten();
            let took =
                operations.filter_map(|took| Some((took["operation"].as_str()?, took["ms"].as_f64()?)));
            for (operation, ms) in took {
                let time = Duration::from_secs_f64(ms / 1e3);
                all.entry(operation.to_owned()).or_default().push(time);
            }
            checking.finish()?;
        }
        Ok(all)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = daemon::on_state(self.place.wardkey, &self.state);
        command
            .arg("--json")
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", garage::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", garage::SECRET_KEY)
            .stdin(Stdio::null());
        command
    }
}

/// With the Vault PIN, and without what is only said to a person.
fn opened<'a>(command: &'a mut Command, state: &Path) -> &'a mut Command {
    command
        .arg("--vault-pin-file")
        .arg(daemon::pin_file(state))
        .stderr(Stdio::null())
}

/// What a line of JSON says under a key.
fn text(line: &str, key: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get(key)?.as_str().map(str::to_owned)
}

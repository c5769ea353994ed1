//! The faults have stopped: the store is honest, all devices are there, and put back what it has lost. Then all show the
//! same.

use std::collections::BTreeMap;
use std::time::Duration;

use wardkey_vault::{DeviceId, State, Trust};

use super::World;
use super::device::{Failure, Open, must};
use super::name_of;
use crate::scenario::SeededRng;

/// So often everybody exchanges before it is said that they do not come to an end.
const ROUNDS: usize = 24;

impl World {
    /// Everybody exchanges until nobody has anything to say.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        self.store.reform();
        self.tell(0, "and all others are told that the store works from now on");
        let mut chance = SeededRng::new(3);
        let mut quiet = 0;
        for round in 0..ROUNDS {
            self.step += 1;
            // The rest is mostly the same.
            self.tells_requests &= round < 4;
            let before = self.places.len();
            for at in 0..self.devices.len() {
                self.settle_one(at, &mut chance)?;
            }
            let joined = self.join()?;
            quiet = if joined || before != self.places.len() || !self.is_quiet() {
                0
            } else {
                quiet + 1
            };
            if quiet == 2 {
                return self.compare();
            }
        }
        if self.may_fork || self.reads_beyond_an_end() || self.waits_for_what_nobody_has() {
            self.may_fork = true;
            return Ok(());
        }
        let states = (0..self.devices.len()).map(|at| format!("{} {:?}", name_of(at), self.state(at)));
        Err(Failure(format!(
            "they do not come to an end: {}",
            states.collect::<Vec<_>>().join(", ")
        )))
    }

    fn settle_one(&mut self, at: usize, chance: &mut SeededRng) -> Result<(), Failure> {
        let state = self.state(at).cloned();
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(());
        };
        match state {
            Some(State::RolledBack) => {
                if let Some(open) = device.open.as_deref_mut() {
                    open.machine.heal();
                    open.heals = true;
                }
            }
            Some(_) => {}
            None => device.unlock()?,
        }
        if let Some(device) = self.devices.get_mut(at) {
            device.now += Duration::from_secs(1000);
        }
        self.sync(at, chance)?;
        self.look(at)
    }

    fn is_quiet(&self) -> bool {
        let is_quiet = |at: usize| match self.state(at) {
            None => self.devices.get(at).is_none_or(|device| device.is_out),
            Some(State::Removed) => true,
            Some(State::Fresh) => {
                let open = self.devices.get(at).and_then(|device| device.open.as_deref());
                open.is_some_and(|open| open.vault.waiting() == 0)
            }
            Some(_) => false,
        };
        self.newcomers.is_empty() && (0..self.devices.len()).all(is_quiet)
    }

    /// Whether somebody has read more of a removed device than is accepted of it; that stays where it was read, and the states
    /// of snapshots differ: vault/SYNC.md §8.
    fn reads_beyond_an_end(&self) -> bool {
        let open = self.devices.iter().filter_map(|device| device.open.as_deref());
        open.into_iter().any(|Open { vault, .. }| {
            let mut former = vault.trust().into_iter().flat_map(Trust::former_members);
            former.any(|(id, last)| vault.log_head(id).seq() > last.seq())
        })
    }

    /// Whether somebody waits for an object that the store lost after it had said that it keeps it, and whose author was put
    /// back to a copy from before: vault/SYNC.md §8.
    fn waits_for_what_nobody_has(&self) -> bool {
        let missing = |at| match self.state(at) {
            Some(State::Gap(author, seq)) => Some((*author, *seq)),
            _ => None,
        };
        let open = || self.devices.iter().filter_map(|device| device.open.as_deref());
        let nobody_has = |(author, seq)| open().all(|open| open.vault.log_head(author).seq() < seq);
        (0..self.devices.len()).filter_map(missing).any(nobody_has)
    }

    /// All that are members show the same.
    fn compare(&self) -> Result<(), Failure> {
        let mut first: Option<(usize, BTreeMap<_, _>, BTreeMap<_, _>)> = None;
        for (at, device) in self.devices.iter().enumerate() {
            let Some(open) = device.open.as_deref() else {
                continue;
            };
            if open.machine.status().state == State::Removed {
                continue;
            }
            let trust = must(open.vault.trust().ok_or(()), "a trust log")?;
            let heads: BTreeMap<_, _> = self
                .ids
                .iter()
                .map(|id| (*id, open.vault.log_head(*id)))
                .collect();
            let shown = device.shown()?;
            let Some((other, other_heads, other_shown)) = &first else {
                first = Some((at, heads, shown));
                continue;
            };
            // What was read before its author was removed stays where it was read: vault/SYNC.md §8.
            let differ = self.ids.iter().filter(|id| heads.get(id) != other_heads.get(id));
            let (former, members): (Vec<&DeviceId>, Vec<&DeviceId>) =
                differ.partition(|id| trust.former(**id).is_some());
            if !members.is_empty() {
                let (one, other) = (name_of(*other), name_of(at));
                return Err(Failure(format!(
                    "{one} and {other} have not read the same, and say that all is well"
                )));
            }
            if former.is_empty() && shown != *other_shown {
                return Err(Failure(format!(
                    "{} and {} show different passkeys",
                    name_of(*other),
                    name_of(at)
                )));
            }
        }
        Ok(())
    }
}

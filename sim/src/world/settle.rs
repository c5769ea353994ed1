//! The faults have stopped: the store is honest, all devices are there, and put back what it has lost. Then all show the
//! same.

use std::collections::BTreeMap;
use std::time::Duration;

use wardkey_vault::{DeviceId, State};

use super::World;
use super::device::Failure;
use super::members::Wanted;
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
        while !self.comes_to_an_end(&mut chance)? {
            if self.may_fork || self.two_trusts {
                return Ok(());
            }
            if !(self.remove_who_lost_something(&mut chance)? || self.replace_lost_slots(&mut chance)?) {
                let states =
                    (0..self.devices.len()).map(|at| format!("{} {:?}", name_of(at), self.state(at)));
                return Err(Failure(format!(
                    "they do not come to an end: {}",
                    states.collect::<Vec<_>>().join(", ")
                )));
            }
        }
        self.compare()
    }

    fn comes_to_an_end(&mut self, chance: &mut SeededRng) -> Result<bool, Failure> {
        let mut quiet = 0;
        for round in 0..ROUNDS {
            self.step += 1;
            // The rest is mostly the same.
            self.tells_requests &= round < 4;
            let before = self.places.len();
            for at in 0..self.devices.len() {
                self.settle_one(at, chance)?;
            }
            let joined = self.join()?;
            quiet = if joined || before != self.places.len() || !self.is_quiet() {
                0
            } else {
                quiet + 1
            };
            if quiet == 2 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An object that the store lost after it had said that it keeps it, and whose author was put back to a copy from before, is
    /// waited for: vault/SYNC.md §8. As it says there, another device removes the author. Whether there is such a thing.
    fn remove_who_lost_something(&mut self, chance: &mut SeededRng) -> Result<bool, Failure> {
        let Some((author, seq)) = self.waited_for() else {
            return Ok(false);
        };
        let may_remove = |at: &usize| {
            let device = self.devices.get(*at);
            let trust = device.and_then(|device| device.open.as_deref()?.vault.trust());
            let is_other = device.is_some_and(|device| device.id != author);
            is_other
                && trust.is_some_and(|trust| trust.member(author).is_some())
                && !self.state(*at).is_some_and(State::is_red)
        };
        let Some(at) = (0..self.devices.len()).find(may_remove) else {
            return Ok(false);
        };
        self.proposals.remove(&at);
        self.tell(at, &format!("removes the device whose number {seq} nobody has"));
        self.propose(at, Wanted::Revoke(author), chance)?;
        Ok(true)
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

    /// A slot that the store lost after it had said that it keeps it is with nobody any more: a new root key brings others.
    /// Whether there is such a thing.
    fn replace_lost_slots(&mut self, chance: &mut SeededRng) -> Result<bool, Failure> {
        let lacks_slots = |at: &usize| {
            let open = self.devices.get(*at).and_then(|device| device.open.as_deref());
            let status = open.map(|open| open.machine.status());
            status.is_some_and(|status| {
                let mut missing = status.missing.iter();
                status.state == State::RolledBack && missing.all(|name| name.contains("/k/"))
            })
        };
        let Some(at) = (0..self.devices.len()).find(lacks_slots) else {
            return Ok(false);
        };
        self.proposals.remove(&at);
        self.tell(at, "replaces the root key, because nobody has a slot any more");
        self.propose(at, Wanted::Rotate, chance)?;
        Ok(true)
    }

    /// An object of a device that somebody waits for, and nobody has.
    fn waited_for(&self) -> Option<(DeviceId, u32)> {
        let missing = |at| match self.state(at) {
            Some(State::Gap(author, seq)) => Some((*author, *seq)),
            _ => None,
        };
        let open = || self.devices.iter().filter_map(|device| device.open.as_deref());
        let nobody_has =
            |(author, seq): &(_, u32)| open().all(|open| open.vault.log_head(*author).seq() < *seq);
        (0..self.devices.len()).filter_map(missing).find(nobody_has)
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
            if heads != *other_heads {
                let (one, other) = (name_of(*other), name_of(at));
                return Err(Failure(format!(
                    "{one} and {other} have not read the same, and say that all is well"
                )));
            }
            if shown != *other_shown {
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

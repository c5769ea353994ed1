//! The dialogue with the store in a running key: it is there while the vault is open and exchanged.

use std::sync::Arc;
use std::time::Duration;

use wardkey_transport::time::Instant;
use wardkey_vault::{State, Vault};

use super::driver::{Arrived, Driver, Number, Turn};
use crate::error::Failure;
use crate::state::Held;
use crate::wake::{Waker, Wakeup};

/// See above.
pub(crate) struct Exchange {
    waker: Waker,
    driver: Option<Driver>,
    /// What arrives for an earlier one is dropped.
    number: Number,
    rest_until: Option<Instant>,
    /// What was told about it last.
    told: Option<State>,
    /// When a host used the key last.
    used: Option<Instant>,
}

/// What the event loop has to know.
pub(crate) enum News {
    /// Something is not as it was; the person may want to know.
    State(State, Option<String>),
    /// The vault was changed on another device in a way that needs the Vault PIN.
    Lock,
    /// It does not go on before the vault is opened again.
    Stopped(Failure),
}

impl Exchange {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            waker,
            driver: None,
            number: 0,
            rest_until: None,
            told: None,
            used: None,
        }
    }

    /// The vault was opened.
    pub(crate) fn opened(&mut self, vault: &Vault) -> Result<(), Failure> {
        self.closed();
        let (waker, number) = (self.waker.clone(), self.number);
        let tell = move |arrived| waker.send(Wakeup::Exchange(number, arrived));
        self.driver = Driver::of(vault, Arc::new(tell))?;
        Ok(())
    }

    /// The vault is closed, or going to be.
    pub(crate) fn closed(&mut self) {
        self.driver = None;
        self.number += 1;
        self.rest_until = None;
        self.told = None;
    }

    /// While the vault is exchanged.
    pub(crate) fn driver_mut(&mut self) -> Option<&mut Driver> {
        self.driver.as_mut()
    }

    /// When [`Self::turn`] is to be called though nothing happened.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.rest_until.filter(|_| self.driver.is_some())
    }

    /// Does what can be done now. `last_use` is when a host used the key last.
    pub(crate) fn turn(&mut self, vault: &mut Vault, held: &Held, last_use: Instant) -> Option<News> {
        let driver = self.driver.as_mut()?;
        if self.used.replace(last_use) != Some(last_use) {
            driver.in_use();
        }
        if !vault.syncs() {
            // The key was reset.
            self.closed();
            return None;
        }
        match driver.turn(vault, held) {
            Ok(Turn::Rest(until)) => self.rest_until = instant(until),
            Ok(Turn::NeedsPin) => {
                self.closed();
                return Some(News::Lock);
            }
            Err(failure) => return Some(self.stopped(failure)),
        }
        let driver = self.driver.as_ref()?;
        let state = &driver.status().state;
        if *state == State::Unknown || self.told.as_ref() == Some(state) {
            return None;
        }
        let was_told = self.told.replace(state.clone());
        // That all is well at the beginning is nothing to tell.
        let news = was_told.is_some() || *state != State::Fresh;
        let trouble = driver.trouble().map(ToString::to_string);
        news.then(|| News::State(state.clone(), trouble))
    }

    /// Something came of what was begun.
    pub(crate) fn arrived(&mut self, number: Number, arrived: Arrived, vault: &mut Vault) -> Option<News> {
        let driver = self.driver.as_mut().filter(|_| number == self.number)?;
        let failure = driver.arrived(vault, arrived).err()?;
        Some(self.stopped(failure))
    }

    fn stopped(&mut self, failure: Failure) -> News {
        self.closed();
        News::Stopped(failure)
    }
}

fn instant(since_boot: Duration) -> Option<Instant> {
    u64::try_from(since_boot.as_millis())
        .ok()
        .map(Instant::from_millis)
}

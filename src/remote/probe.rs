//! Finds out what a store can do, by doing it with objects of its own, which it removes at the end.

use std::time::Duration;

use rand_core::Rng as _;

use super::account::Account;
use super::address::Address;
use super::limits::Patience;
use super::request::{Created, Polled};
use super::tag::Tag;
use super::trouble::{Kind, Trouble};
use super::waiting::WaitingStore;
use crate::host;

/// Where a probe works.
const FOLDER: &str = "probe/";

/// What a store has been seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// An object that is there is not replaced by a `Create`.
    pub(crate) exclusive_create: bool,
    /// An object is sent only if it has changed.
    pub(crate) conditional_read: bool,
    /// What was written is read.
    pub(crate) read_after_write: bool,
    /// What was written is listed.
    pub(crate) list_after_write: bool,
}

impl Capabilities {
    /// What is tried where nothing is known.
    pub(crate) const HOPED_FOR: Self = Self {
        exclusive_create: true,
        conditional_read: true,
        read_after_write: true,
        list_after_write: true,
    };
}

/// Something that was done with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    List,
    Create,
    CreateAgain,
    Get,
    PollUnchanged,
    Put,
    PollChanged,
    Remove,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) capabilities: Capabilities,
    /// How long each thing took.
    pub(crate) took: Vec<(Step, Duration)>,
}

/// Tries out a store.
pub(crate) fn probe(account: &Account, patience: Patience) -> Result<Finding, Trouble> {
    let mut probe = Probe {
        store: WaitingStore::open(account, Capabilities::HOPED_FOR, patience)?,
        name: format!("{FOLDER}{:016x}", host::rng().next_u64()),
        is_folder: matches!(account.address(), Address::Folder(_)),
        took: Vec::new(),
    };
    probe.list()?;
    let tried = probe.try_everything();
    // Also when something failed on the way, which is then what there is to say.
    let removed = probe.remove();
    let capabilities = tried?;
    removed?;
    Ok(Finding {
        capabilities,
        took: probe.took,
    })
}

struct Probe {
    store: WaitingStore,
    name: String,
    /// Where a look costs nothing, whatever the object holds.
    is_folder: bool,
    took: Vec<(Step, Duration)>,
}

impl Probe {
    fn try_everything(&mut self) -> Result<Capabilities, Trouble> {
        let exclusive_create = self.create_twice()?;
        let read_after_write = self.get()?.as_deref() == Some(FIRST);
        let list_after_write = self.list()?.contains(&self.name);
        let conditional_read = self.poll_twice()?;
        Ok(Capabilities {
            exclusive_create,
            conditional_read,
            read_after_write,
            list_after_write,
        })
    }

    /// Whether the second time is noticed. Afterwards the object holds what the first was told.
    fn create_twice(&mut self) -> Result<bool, Trouble> {
        match self.create(Step::Create, FIRST) {
            Ok(Created::New) => {}
            Ok(Created::AlreadyThere) => return Err(Trouble::wrong("the store knows a name that is new")),
            // Some services refuse what they do not know.
            Err(trouble) if trouble.kind() == Kind::Wrong => {
                self.put(FIRST)?;
                return Ok(false);
            }
            Err(trouble) => return Err(trouble),
        }
        if self.create(Step::CreateAgain, SECOND)? == Created::AlreadyThere {
            return Ok(self.get()?.as_deref() != Some(SECOND));
        }
        self.put(FIRST)?;
        Ok(false)
    }

    fn poll_twice(&mut self) -> Result<bool, Trouble> {
        let Polled::Changed { tag, .. } = self.poll(Step::PollChanged, None)? else {
            return Ok(false);
        };
        let is_noticed = self.poll(Step::PollUnchanged, Some(&tag))? == Polled::Unchanged;
        self.put(SECOND)?;
        let polled = self.poll(Step::PollChanged, Some(&tag))?;
        let is_change_noticed = matches!(polled, Polled::Changed { bytes, .. } if bytes == SECOND);
        let is_cheap = self.is_folder || tag.as_entity().is_some();
        Ok(is_cheap && is_noticed && is_change_noticed)
    }

    fn list(&mut self) -> Result<Vec<String>, Trouble> {
        let listed = self.timed(Step::List, |store, _| store.list(FOLDER))?;
        Ok(listed.into_iter().map(|listed| listed.name).collect())
    }

    fn create(&mut self, step: Step, bytes: &[u8]) -> Result<Created, Trouble> {
        self.timed(step, |store, name| store.create(name, bytes))
    }

    fn get(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        self.timed(Step::Get, |store, name| store.get(name, OBJECT_LEN_MAX))
    }

    fn poll(&mut self, step: Step, tag: Option<&Tag>) -> Result<Polled, Trouble> {
        self.timed(step, |store, name| store.poll(name, tag))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.timed(Step::Put, |store, name| store.put(name, bytes))
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.timed(Step::Remove, WaitingStore::remove)
    }

    fn timed<T>(
        &mut self,
        step: Step,
        call: impl FnOnce(&WaitingStore, &str) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let began = host::stopwatch();
        let result = call(&self.store, &self.name);
        self.took.push((step, host::stopwatch().saturating_sub(began)));
        result
    }
}

/// What a probe writes. Of one length, so that a version by length alone is found out.
const FIRST: &[u8] = b"wardkey probe 1\n";
const SECOND: &[u8] = b"wardkey probe 2\n";
const OBJECT_LEN_MAX: u64 = 1 << 10;

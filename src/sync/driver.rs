//! Drives the machine of the vault: does what it wishes, and gives it what comes of that.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use wardkey_vault::{
    Change, KeyStoreError, Machine, Proposed, Signature, SignedHash, State, Status, Vault, Wish,
};

use super::broken;
use super::courier::Courier;
use super::storage::Storage;
use crate::error::Failure;
use crate::host;
use crate::remote::{self, Ticket, Trouble};
use crate::state::{Held, since_boot};

/// Tells drivers apart: what comes for one that is gone is dropped.
pub(crate) type Number = u64;

/// What came of something that was begun.
pub(crate) enum Arrived {
    /// The store answered.
    Store(Ticket, Result<remote::Answer, Trouble>),
    /// The device's keys signed, or did not.
    Signed(Result<Signature, KeyStoreError>),
}

/// What there is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing before this time since the computer was started, or before something arrives.
    Rest(Duration),
    /// The dialogue cannot go on before the vault was locked and unlocked again.
    NeedsPin,
}

/// How far it is, for a person.
pub(crate) struct Progress<'a> {
    pub(crate) status: &'a Status,
}

/// See above.
pub(crate) struct Driver {
    machine: Machine,
    courier: Courier,
    tell: Arc<dyn Fn(Arrived) + Send + Sync>,
}

impl Driver {
    /// For an open vault; `None` where it is not exchanged. What arrives is told.
    pub(crate) fn of(
        vault: &Vault,
        tell: Arc<dyn Fn(Arrived) + Send + Sync>,
    ) -> Result<Option<Self>, Failure> {
        let Some(storage) = Storage::of(vault)? else {
            return Ok(None);
        };
        let Some(trust) = vault.trust().filter(|_| vault.syncs()) else {
            return Ok(None);
        };
        let told = Arc::clone(&tell);
        let courier = Courier::new(
            &storage,
            Arc::new(move |ticket, answer| told(Arrived::Store(ticket, answer))),
        )?;
        Ok(Some(Self {
            machine: Machine::new(trust.vault()),
            courier,
            tell,
        }))
    }

    /// How it goes.
    pub(crate) fn status(&self) -> &Status {
        self.machine.status()
    }

    /// Why the store did not answer, in words.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        self.courier.trouble()
    }

    /// Whether nothing is under way.
    pub(crate) fn rests(&self) -> bool {
        self.machine.rests()
    }

    /// Begins as soon as possible.
    pub(crate) fn now(&mut self) {
        self.machine.now();
    }

    /// Puts back what the store has no more, as far as that is known.
    pub(crate) fn heal(&mut self) {
        self.machine.heal();
    }

    /// Puts back whatever the store turns out not to have.
    pub(crate) fn heal_all(&mut self) {
        self.machine.heal_all();
    }

    /// Somebody uses the vault, and may want what another device just made.
    pub(crate) fn in_use(&mut self) {
        self.machine.in_use();
    }

    /// Makes a change of who can open the vault, at the store first. The device's keys that belong to it are durable already.
    pub(crate) fn propose(&mut self, change: Change) {
        self.machine.propose(change);
    }

    /// What became of the change; `None` as long as that is not known.
    pub(crate) fn proposed(&self) -> Option<Proposed> {
        self.machine.proposed()
    }

    /// Does what there is to do.
    pub(crate) fn turn(&mut self, vault: &mut Vault, held: &Held) -> Result<Turn, Failure> {
        let time = (since_boot(), host::unix_now_ms());
        let wish = self.machine.wish(vault, time, &mut host::rng());
        match wish.map_err(broken)? {
            Wish::Request(request) => {
                self.courier.send(request);
                Ok(Turn::Rest(Duration::MAX))
            }
            Wish::Sign => {
                self.sign(vault, held)?;
                Ok(Turn::Rest(Duration::MAX))
            }
            Wish::Rest(_) if self.machine.status().state == State::NeedsPin => Ok(Turn::NeedsPin),
            Wish::Rest(until) => Ok(Turn::Rest(until)),
        }
    }

    /// A chip takes its time.
    fn sign(&self, vault: &Vault, held: &Held) -> Result<(), Failure> {
        let (Some(auth), Some(trust)) = (vault.key_auth(), vault.trust()) else {
            return Ok(());
        };
        let Some(hash) = self.machine.to_sign().map(SignedHash::copy) else {
            return Ok(());
        };
        let mut keys = held.device_keys(trust.pin_generation())?;
        let tell = Arc::clone(&self.tell);
        let work = move || tell(Arrived::Signed(keys.sign(&auth, &hash)));
        let thread = thread::Builder::new().name("sign".to_owned()).spawn(work);
        thread.map(drop).map_err(|error| {
            Failure::new(
                format!("no thread could be started: {error}"),
                "close other programs, and start wardkey again",
            )
        })
    }

    /// Something arrived.
    pub(crate) fn arrived(&mut self, vault: &mut Vault, arrived: Arrived) -> Result<(), Failure> {
        let now = since_boot();
        match arrived {
            Arrived::Signed(signature) => self.machine.signed(vault, signature, now),
            Arrived::Store(ticket, answer) => match self.courier.arrived(ticket, answer) {
                Some(answer) => self.machine.answer(vault, answer, now, &mut host::rng()),
                None => Ok(()),
            },
        }
        .map_err(broken)
    }
}

/// Exchanges until there is nothing more to do, or nothing more can be done now. `show` is told how far it is.
pub(crate) fn to_the_end(
    vault: &mut Vault,
    held: &Held,
    prepare: impl FnOnce(&mut Driver),
    show: &mut dyn FnMut(&Progress<'_>),
) -> Result<Driver, Failure> {
    let (sender, arrivals) = mpsc::channel();
    let tell = move |arrived| {
        // Whoever listened has ended.
        let _ = sender.send(arrived);
    };
    let Some(mut driver) = Driver::of(vault, Arc::new(tell))? else {
        return Err(Failure::new(
            "this vault is not exchanged with other devices",
            "set it up: wardkey sync setup URL",
        ));
    };
    prepare(&mut driver);
    driver.now();
    loop {
        let turn = driver.turn(vault, held)?;
        show(&Progress {
            status: driver.status(),
        });
        match turn {
            Turn::NeedsPin => return Ok(driver),
            Turn::Rest(_) if driver.rests() => return Ok(driver),
            Turn::Rest(until) if until != Duration::MAX => {}
            Turn::Rest(_) => match arrivals.recv() {
                Ok(arrived) => driver.arrived(vault, arrived)?,
                Err(_) => return Ok(driver),
            },
        }
    }
}

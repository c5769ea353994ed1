//! The dialogue with the store: one request after the other, each from what is known then. It waits for nothing and
//! knows no clock: whoever drives it asks for the next wish, does it, and gives the answer.
//!
//! A round is: list what the store has; compare with what it had; read what is new of the trust log, then of the devices'
//! logs; write what this device has to say, unless something is wrong with the store. Between rounds one small object, the
//! hint, is looked at: it changes whenever somebody wrote.
//!
//! ```text
//! pace.rs        when something is done
//! reading.rs     what is asked for
//! heard.rs       what comes of an answer
//! writing.rs     what is written
//! compacting.rs  what snapshots have to do with it
//! ```

mod compacting;
mod heard;
mod pace;
mod places;
mod reading;
mod writing;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rand_core::CryptoRng;

use self::compacting::{SUMS_UP_AFTER, Snapshots};
use self::pace::{Answers, POLL_SOON};
use self::places::hole_in;
use self::writing::Proposal;
pub use self::writing::Proposed;
use super::exchange::{Compare, NoAnswer, Outstanding, Request};
use super::layout::{Layout, Listing, StoreName};
use super::snapshot::SnapshotKey;
use super::status::{State, Status};
use crate::frame::ObjectHash;
use crate::keys::{DeviceId, VaultId};
use crate::signature::{Signature, SignedHash};
use crate::vault::{Piece, ToSign, Vault};
use crate::{Error, KeyStoreError};

/// How many objects are asked for in one request.
pub const GET_AT_ONCE: usize = 16;

/// What is to be done for the machine.
pub enum Wish {
    /// Ask the store.
    Request(Request),
    /// Sign [`Machine::to_sign`] with the device's key store, and give the result to [`Machine::signed`].
    Sign,
    /// Nothing before this time, unless the vault changes or somebody calls [`Machine::now`].
    Rest(Duration),
}

/// Something that is being signed.
enum Said {
    Object(ToSign),
    Piece(Piece),
}

/// An object that waits, and for which one.
struct SetAside {
    name: StoreName,
    bytes: Vec<u8>,
    missing: (DeviceId, u32),
}

/// One round.
#[derive(Default)]
struct Round {
    listing: Option<Listing>,
    /// Read, and not looked at.
    arrived: VecDeque<(StoreName, Vec<u8>)>,
    /// Looked at, and not to be taken before something else is.
    set_aside: Vec<SetAside>,
    /// Of these nothing more is read in this round.
    finished: BTreeSet<StoreName>,
    /// Entries of the trust log that were read, and whose slots the store does not have: only with a later one, which needs
    /// others, can they be taken.
    skipped: Vec<Vec<u8>>,
    trust_is_read: bool,
    membership_is_there: bool,
    snapshots: Snapshots,
    answers: Answers,
    wrote: bool,
    /// Nothing was listed, since that was just done.
    only_speaks: bool,
    found: Option<State>,
}

impl Round {
    /// What is kept there cannot be taken.
    fn damaged(&mut self, layout: &Layout, name: StoreName) {
        self.found.get_or_insert(State::Damaged(layout.name(name)));
        self.finished.insert(name);
    }
}

/// See the text above.
pub struct Machine {
    layout: Layout,
    round: Option<Round>,
    outstanding: Option<Outstanding>,
    to_sign: Option<Said>,
    /// To be asked for before anything else.
    compare: Option<Compare>,
    needed: Option<(Vec<Vec<u8>>, Vec<ObjectHash>)>,
    status: Status,
    heal: VecDeque<String>,
    heals_all: bool,
    proposal: Option<Proposal>,
    proposed: Option<Proposed>,
    hint: Option<[u8; 16]>,
    tag: Option<String>,
    poll_after: Duration,
    next: Duration,
    next_list: Duration,
    failures: u32,
    wanted: bool,
    /// Somebody asked for it, who wants it to be done in the end.
    asked: bool,
    /// When an answer that is owed is due.
    answer_at: Option<Duration>,
    sums_up_after: u64,
    /// The snapshots whose state was compared with this device's, as far as that could be, …
    judged: BTreeSet<SnapshotKey>,
    /// … and those with another one.
    differ: BTreeSet<SnapshotKey>,
}

impl Machine {
    /// For a vault; at first it lists.
    pub fn new(vault: VaultId) -> Self {
        Self {
            layout: Layout::new(vault),
            round: None,
            outstanding: None,
            to_sign: None,
            compare: None,
            needed: None,
            status: Status {
                state: State::Unknown,
                missing: Vec::new(),
                is_compared: true,
                fresh_unix_ms: None,
                read: 0,
                to_read: 0,
                written: 0,
            },
            heal: VecDeque::new(),
            heals_all: false,
            proposal: None,
            proposed: None,
            hint: None,
            tag: None,
            poll_after: POLL_SOON,
            next: Duration::ZERO,
            next_list: Duration::ZERO,
            failures: 0,
            wanted: true,
            asked: false,
            answer_at: None,
            sums_up_after: SUMS_UP_AFTER,
            judged: BTreeSet::new(),
            differ: BTreeSet::new(),
        }
    }

    /// How it goes.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Begins a round as soon as that is possible.
    pub fn now(&mut self) {
        self.wanted = true;
        self.asked = true;
    }

    /// Whether nothing is under way and nothing was asked for.
    pub fn rests(&self) -> bool {
        self.round.is_none() && self.outstanding.is_none() && !self.wanted
    }

    /// Puts what the store has no more back into it, byte for byte, as far as this device has it.
    pub fn heal(&mut self) {
        self.heal = self.status.missing.iter().cloned().collect();
        self.wanted = true;
    }

    /// Puts back whatever the next round finds missing.
    pub fn heal_all(&mut self) {
        self.heals_all = true;
        self.wanted = true;
    }

    /// What is to be signed.
    pub fn to_sign(&self) -> Option<&SignedHash> {
        self.to_sign.as_ref().map(|said| match said {
            Said::Object(said) => said.hash(),
            Said::Piece(piece) => piece.hash(),
        })
    }

    /// What is to be done next. `now` is a time that never goes back, `unix_ms` what the clock says.
    pub fn wish(
        &mut self,
        vault: &mut Vault,
        (now, unix_ms): (Duration, u64),
        rng: &mut dyn CryptoRng,
    ) -> Result<Wish, Error> {
        vault.set_time(unix_ms);
        if self.outstanding.is_some() {
            return Ok(Wish::Rest(Duration::MAX));
        }
        if self.round.is_none()
            && let Some(wish) = self.begin(vault, now)
        {
            return Ok(wish);
        }
        match self.step(vault, unix_ms, rng)? {
            Some(wish) => Ok(wish),
            None => {
                self.finish(vault, (now, unix_ms), rng)?;
                Ok(Wish::Rest(if self.wanted { now } else { self.rest() }))
            }
        }
    }

    fn ask(&mut self, outstanding: Outstanding, request: Request) -> Wish {
        self.outstanding = Some(outstanding);
        Wish::Request(request)
    }

    /// The next step of the round; `None` when it is over.
    fn step(
        &mut self,
        vault: &mut Vault,
        unix_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Wish>, Error> {
        loop {
            let Some(round) = &mut self.round else {
                return Ok(None);
            };
            if round.listing.is_none() {
                let under = self.layout.root().to_owned();
                return Ok(Some(self.ask(Outstanding::List, Request::List { under })));
            }
            if let Some(wish) = self.compared(vault)? {
                return Ok(Some(wish));
            }
            if let Some(wish) = self.read_trust(vault).or_else(|| self.read_snapshots(vault)) {
                return Ok(Some(wish));
            }
            self.compare_listing(vault)?;
            if let Some(wish) = self.put_back(vault)? {
                return Ok(Some(wish));
            }
            if let Some(wish) = self.propose_first(vault)? {
                return Ok(Some(wish));
            }
            if let Some(wish) = self.take_snapshot(vault, rng)? {
                return Ok(Some(wish));
            }
            if self.take_arrived(vault, rng)? {
                continue;
            }
            if let Some(wish) = self.read_logs(vault) {
                return Ok(Some(wish));
            }
            if self.judge(vault)? {
                continue;
            }
            return if self.may_write() {
                self.write(vault, unix_ms, rng)
            } else {
                Ok(None)
            };
        }
    }

    fn may_write(&self) -> bool {
        self.status.missing.is_empty() && self.may_propose()
    }

    /// Slots that nobody has any more may be missing: a new root key brings others.
    fn may_propose(&self) -> bool {
        let may_not =
            |round: &Round| round.snapshots.one_waits() || round.found.as_ref().is_some_and(State::is_red);
        let is_slot = |name: &String| matches!(self.layout.parse(name), Some(StoreName::Membership(_)));
        self.status.missing.iter().all(is_slot) && !self.round.as_ref().is_some_and(may_not)
    }

    /// What the device's key store made of [`Self::to_sign`]. Without a signature it is tried again later.
    pub fn signed(
        &mut self,
        vault: &mut Vault,
        signature: Result<Signature, KeyStoreError>,
        now: Duration,
    ) -> Result<(), Error> {
        self.outstanding = None;
        match (self.to_sign.take(), signature) {
            (Some(Said::Object(said)), Ok(signature)) => vault.keep_object(said, &signature),
            (Some(Said::Piece(piece)), Ok(signature)) => self.piece_signed(vault, piece, &signature),
            _ => {
                self.give_up(NoAnswer::Refused, now);
                Ok(())
            }
        }
    }

    /// The end of a round.
    fn finish(
        &mut self,
        vault: &mut Vault,
        (now, unix_ms): (Duration, u64),
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        let Some(round) = self.round.take() else {
            return Ok(());
        };
        vault.flush()?;
        vault.look_through_trash(rng, unix_ms)?;
        self.failures = 0;
        let gap = round
            .set_aside
            .first()
            .map(|aside| State::Gap(aside.missing.0, aside.missing.1));
        let hole = round.listing.as_ref().and_then(|listing| hole_in(listing, vault));
        let less = (!self.status.missing.is_empty()).then_some(State::RolledBack);
        let (red, found) = match round.found {
            Some(found) if found.is_red() => (Some(found), None),
            found => (None, found),
        };
        // As long as it is so, not only in the round that read of it.
        let needs_pin = vault.needs_pin().then_some(State::NeedsPin);
        let state = less.or(red).or(needs_pin).or(found).or(gap).or(hole);
        self.status.state = state.unwrap_or(State::Fresh);
        // Where it is not known whether something is missing, nothing counts as backed up.
        vault.set_red(rng, self.status.state.is_red() || !self.status.is_compared)?;
        if self.status.state == State::Fresh {
            self.status.fresh_unix_ms = Some(unix_ms);
        }
        self.rest_after(vault, round.only_speaks, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! The dialogue with the store: one request after the other, each from what is known then. It waits for nothing and
//! knows no clock: whoever drives it asks for the next wish, does it, and gives the answer.
//!
//! A round is: list what the store has; compare with what it had; read what is new of the trust log, then of the devices'
//! logs; write what this device has to say, unless something is wrong with the store. Between rounds one small object, the
//! hint, is looked at: it changes whenever somebody wrote. What comes of an answer is in `heard.rs`, what snapshots have to
//! do with it in `compacting.rs`.

mod compacting;
mod heard;
mod places;

use std::collections::{BTreeSet, VecDeque};
use std::slice;
use std::time::Duration;

use rand_core::CryptoRng;

use self::compacting::{SUMS_UP_AFTER, Snapshots};
use self::places::{fork_at, hole_in, kept};
use super::exchange::{Compare, NoAnswer, Outstanding, Request};
use super::layout::{Layout, Listing, StoreName};
use super::snapshot::SnapshotKey;
use super::status::{State, Status};
use crate::frame::ObjectHash;
use crate::keys::{DeviceId, VaultId};
use crate::membership::{Change, Name};
use crate::object::NotNext;
use crate::signature::{Signature, SignedHash};
use crate::vault::{NotTaken, Piece, ToSign, Vault};
use crate::{Error, KeyStoreError, Trust};

/// How many objects are asked for in one request.
pub const GET_AT_ONCE: usize = 16;
/// How many entries others may add to the trust log while an answer is on its way.
const RIVALS: u32 = 16;
/// How soon the hint is looked at again after something happened, …
const POLL_SOON: Duration = Duration::from_secs(1);
/// … and while somebody uses the vault.
const POLL_IN_USE: Duration = Duration::from_millis(500);
/// How seldom, when nothing happens.
const POLL_SELDOM: Duration = Duration::from_secs(60);
/// The hint is not signed: whether something is new is found out without it now and then.
const LIST_AT_LEAST: Duration = Duration::from_secs(600);
/// Others hear within so long that something was read, where nobody waits for that.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
/// Where somebody waits, so many devices answer at once. Of two one is not the one that waits.
const ANSWER_AT_ONCE: usize = 2;
/// How soon it is tried again after a failure, …
const RETRY_SOON: Duration = Duration::from_secs(5);
/// … and how seldom after many.
const RETRY_SELDOM: Duration = Duration::from_secs(900);

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

/// When others hear that something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Answers {
    /// With the next change, or when it is time.
    #[default]
    Later,
    /// In this round, when they look the next time.
    Quietly,
    /// In this round, and they are told to look.
    AtOnce,
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

/// What became of a change of the membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed {
    /// The store has it, and so has the vault.
    Accepted,
    /// Another device was first with another change; nothing was changed.
    Beaten,
}

/// A change of the membership that is to be made: at the store first, where only one can be the next.
struct Proposal {
    objects: Vec<(ObjectHash, Vec<u8>)>,
    /// They are kept here, too.
    are_kept: bool,
    written: usize,
    entry: Vec<u8>,
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

    /// Makes a change of the membership as soon as that is possible; [`Self::proposed`] says what became of it. The device's
    /// keys that belong to it are kept by the caller, and are durable already.
    pub fn propose(&mut self, change: Change) {
        let objects = change.before.into_iter().filter_map(|(name, bytes)| match name {
            Name::Object(hash) => Some((hash, bytes)),
            Name::Entry(_) | Name::DeviceKeys(_) => None,
        });
        let (_, entry) = change.commit;
        self.proposal = Some(Proposal {
            objects: objects.collect(),
            are_kept: false,
            written: 0,
            entry,
        });
        self.proposed = None;
        self.wanted = true;
    }

    /// What became of the change; `None` as long as that is not known.
    pub fn proposed(&self) -> Option<Proposed> {
        self.proposed
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

    /// Begins a round, or says what else is to be done.
    fn begin(&mut self, vault: &Vault, now: Duration) -> Option<Wish> {
        let answers = self.answers(vault, now);
        let has_to_say = vault.waiting() > 0 || (vault.owes_an_answer() && answers != Answers::Later);
        let speaks = has_to_say && self.may_speak();
        if !(self.wanted || speaks || now >= self.next) {
            return Some(Wish::Rest(self.rest()));
        }
        if self.wanted || now >= self.next_list || self.failures > 0 || self.status.state != State::Fresh {
            self.wanted = false;
            self.asked = false;
            self.round = Some(Round {
                answers,
                ..Round::default()
            });
            return None;
        }
        if speaks {
            // What the store has was compared a moment ago, and what is written is written under a new name.
            self.round = Some(Round {
                listing: Some(Listing::default()),
                trust_is_read: true,
                only_speaks: true,
                snapshots: Snapshots::passed_over(),
                answers,
                ..Round::default()
            });
            return None;
        }
        let name = self.layout.name(StoreName::Hint);
        let tag = self.tag.clone();
        Some(self.ask(Outstanding::Hint, Request::Poll { name, tag }))
    }

    /// Whether a change may be written without looking first at what the store has.
    fn may_speak(&self) -> bool {
        self.failures == 0 && !self.status.state.is_red()
    }

    /// When others hear of what was read. They wait for it where there is no recovery kit: what another device has read is
    /// what makes a passkey outlive its author.
    fn answers(&self, vault: &Vault, now: Duration) -> Answers {
        let mut waited_for = vault
            .trust()
            .into_iter()
            .filter(|trust| trust.recovery().is_none());
        let answers = |trust: &Trust| {
            trust
                .members()
                .take(ANSWER_AT_ONCE)
                .any(|id| id == vault.device_id())
        };
        if self.asked || waited_for.any(answers) {
            Answers::AtOnce
        } else if self.answer_at.is_some_and(|at| at <= now) {
            Answers::Quietly
        } else {
            Answers::Later
        }
    }

    /// When there is something to do next.
    fn rest(&self) -> Duration {
        let answer = self.answer_at.filter(|_| self.may_speak());
        answer.map_or(self.next, |at| at.min(self.next))
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
        let may_not =
            |round: &Round| round.snapshots.one_waits() || round.found.as_ref().is_some_and(State::is_red);
        self.status.missing.is_empty() && !self.round.as_ref().is_some_and(may_not)
    }

    /// Heals, where that was asked for.
    fn put_back(&mut self, vault: &Vault) -> Result<Option<Wish>, Error> {
        while let Some(name) = self.heal.pop_front() {
            let Some(place) = self.layout.parse(&name) else {
                continue;
            };
            if let Some(bytes) = kept(vault, place)? {
                self.status.missing.retain(|missing| *missing != name);
                return Ok(Some(self.ask(Outstanding::Put, Request::Put { name, bytes })));
            }
            self.renew(vault, place);
        }
        Ok(None)
    }

    fn read_trust(&mut self, vault: &Vault) -> Option<Wish> {
        if let Some((entries, hashes)) = self.needed.take() {
            let names = hashes
                .iter()
                .map(|hash| self.layout.name(StoreName::Membership(*hash)));
            let request = Request::Get {
                names: names.collect(),
            };
            return Some(self.ask(Outstanding::Needed(entries, hashes), request));
        }
        let round = self.round.as_mut()?;
        if round.trust_is_read {
            return None;
        }
        let skipped = u32::try_from(round.skipped.len()).ok()?;
        let next = vault.trust()?.remembered().seq + skipped + 1;
        if !round.listing.as_ref()?.has(StoreName::Trust(next)) {
            round.trust_is_read = true;
            if skipped > 0 {
                // What it needs comes later, or is being withheld.
                let name = self.layout.name(StoreName::Trust(next - 1));
                round.found.get_or_insert(State::Damaged(name));
            }
            return None;
        }
        let names = vec![self.layout.name(StoreName::Trust(next))];
        Some(self.ask(Outstanding::Entry(next), Request::Get { names }))
    }

    /// Looks at one object that was read; `false` when there is none.
    fn take_arrived(&mut self, vault: &mut Vault, rng: &mut dyn CryptoRng) -> Result<bool, Error> {
        let Some(round) = &mut self.round else {
            return Ok(false);
        };
        let Some((name, bytes)) = round.arrived.pop_front() else {
            return Ok(false);
        };
        let reason = match vault.take_object(rng, &bytes) {
            Ok(_) => {
                self.status.read += 1;
                let again = round.set_aside.drain(..);
                round.arrived.extend(again.map(|aside| (aside.name, aside.bytes)));
                return Ok(true);
            }
            Err(NotTaken::Vault(error)) => return Err(error),
            Err(reason) => reason,
        };
        match reason {
            // The store gives something else than is kept there; that it is genuine is of no use.
            NotTaken::NotNext(NotNext::Known | NotNext::Older) => round.damaged(&self.layout, name),
            NotTaken::Waits(device, seq) => round.set_aside.push(SetAside {
                name,
                bytes,
                missing: (device, seq),
            }),
            NotTaken::WaitsForTrust | NotTaken::NotNext(NotNext::Gap) => {
                if let StoreName::Log { device, seq, .. } = name {
                    let missing = (device, seq);
                    round.set_aside.push(SetAside { name, bytes, missing });
                }
            }
            NotTaken::NotNext(NotNext::Fork) => {
                round.found = Some(fork_at(name));
                round.finished.insert(name);
            }
            NotTaken::Forked(device, seq) => {
                round.found = Some(State::Forked(device, seq));
                round.finished.insert(name);
            }
            NotTaken::Refused(_) | NotTaken::NoSync | NotTaken::Vault(_) => round.damaged(&self.layout, name),
        }
        Ok(true)
    }

    /// Asks for what is listed and was not read.
    fn read_logs(&mut self, vault: &Vault) -> Option<Wish> {
        let pause = self.pause(vault);
        let round = self.round.as_mut()?;
        let listing = round.listing.as_ref()?;
        let aside: BTreeSet<StoreName> = round.set_aside.iter().map(|aside| aside.name).collect();
        let mut names = Vec::new();
        let mut to_read = 0;
        for device in listing.logs.keys() {
            // Whoever may not write may fill the store, and nothing else.
            let Some(end) = vault.listens_to(*device) else {
                continue;
            };
            let mut new = listing.after(*device, vault.log_head(*device).seq());
            new.retain(|name| matches!(name, StoreName::Log { seq, .. } if *seq <= end));
            to_read += new.len();
            if let Some(pause) = &pause {
                let end = pause.head(*device).seq();
                new.retain(|name| matches!(name, StoreName::Log { seq, .. } if *seq <= end));
            }
            let end = new.iter().position(|name| round.finished.contains(name));
            let new = new.iter().take(end.unwrap_or(new.len()));
            names.extend(new.filter(|name| !aside.contains(*name)));
        }
        names.truncate(GET_AT_ONCE);
        self.status.to_read = self.status.read + to_read;
        if names.is_empty() {
            return None;
        }
        let request = Request::Get {
            names: names.iter().map(|name| self.layout.name(*name)).collect(),
        };
        Some(self.ask(Outstanding::Logs(names), request))
    }

    /// Writes what is not in the store yet.
    fn write(
        &mut self,
        vault: &mut Vault,
        unix_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Wish>, Error> {
        if let Some(wish) = self.write_trust(vault)? {
            return Ok(Some(wish));
        }
        if let Some(wish) = self.make_proposal(vault)? {
            return Ok(Some(wish));
        }
        if self.lags_behind_itself(vault) {
            return Ok(None);
        }
        // Until the vault is unlocked anew there is no key to seal or to sign with.
        if !vault.needs_pin()
            && let Some(wish) = self.write_log(vault, unix_ms, rng)?
        {
            return Ok(Some(wish));
        }
        let Some(round) = &mut self.round else {
            return Ok(None);
        };
        if std::mem::take(&mut round.wrote) {
            let mut hint = [0; 16];
            rng.fill_bytes(&mut hint);
            self.hint = Some(hint);
            let name = self.layout.name(StoreName::Hint);
            let bytes = hint.to_vec();
            return Ok(Some(self.ask(Outstanding::Tell, Request::Put { name, bytes })));
        }
        self.remove(vault, unix_ms)
    }

    /// Writes what this device has to say: the log, and a snapshot where one is due.
    fn write_log(
        &mut self,
        vault: &mut Vault,
        unix_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Wish>, Error> {
        if let Some((head, bytes)) = vault.object_to_publish()? {
            let name = self.layout.name(StoreName::log(vault.device_id(), head));
            return Ok(Some(
                self.ask(Outstanding::PublishObject, Request::Create { name, bytes }),
            ));
        }
        vault.owe_acknowledgement(rng)?;
        let answers = self
            .round
            .as_ref()
            .is_some_and(|round| round.answers != Answers::Later);
        if let Some(to_sign) = vault.next_object(rng, unix_ms, answers)? {
            self.to_sign = Some(Said::Object(to_sign));
            self.outstanding = Some(Outstanding::Signature);
            return Ok(Some(Wish::Sign));
        }
        self.make_snapshot(vault, unix_ms, rng)
    }

    /// Whether the store has objects of this device that it does not remember, and cannot take yet: it has to before it says
    /// something else in their place.
    fn lags_behind_itself(&self, vault: &Vault) -> bool {
        let listing = self.round.as_ref().and_then(|round| round.listing.as_ref());
        let device = vault.device_id();
        listing.is_some_and(|listing| listing.last(device) > vault.log_head(device).seq())
    }

    /// What an entry names is there before the entry is.
    fn write_trust(&mut self, vault: &Vault) -> Result<Option<Wish>, Error> {
        let (Some(round), Some(trust)) = (&mut self.round, vault.trust()) else {
            return Ok(None);
        };
        let Some(listing) = &mut round.listing else {
            return Ok(None);
        };
        let published = vault.published_trust();
        if published >= trust.remembered().seq {
            return Ok(None);
        }
        if !round.membership_is_there {
            for hash in trust.objects_in_force() {
                if listing.membership.insert(hash) {
                    let place = StoreName::Membership(hash);
                    // The slot of another device is not here. It was in the store once.
                    let Some(bytes) = vault.membership_object(hash)? else {
                        round.damaged(&self.layout, place);
                        return Ok(None);
                    };
                    let name = self.layout.name(place);
                    let request = Request::Create { name, bytes };
                    return Ok(Some(self.ask(Outstanding::Membership(hash), request)));
                }
            }
            round.membership_is_there = true;
        }
        let seq = published + 1;
        let name = self.layout.name(StoreName::Trust(seq));
        let bytes = vault.trust_entry(seq)?.ok_or(Error::Tampered)?;
        Ok(Some(self.ask(
            Outstanding::PublishEntry(seq),
            Request::Create { name, bytes },
        )))
    }

    /// Makes the change that was proposed before more is read: what it accepts of a log ends where that was read then.
    fn propose_first(&mut self, vault: &mut Vault) -> Result<Option<Wish>, Error> {
        let seq = vault.trust().map_or(0, |trust| trust.remembered().seq);
        if vault.published_trust() < seq || !self.may_write() {
            return Ok(None);
        }
        self.make_proposal(vault)
    }

    /// Makes the change that was proposed, one write after the other.
    fn make_proposal(&mut self, vault: &mut Vault) -> Result<Option<Wish>, Error> {
        let Some(proposal) = &mut self.proposal else {
            return Ok(None);
        };
        let last = vault.trust().map_or(0, |trust| trust.remembered().seq);
        let next = last + 1;
        for seq in last.saturating_sub(RIVALS)..=last {
            // The answer that said so was lost.
            if vault.trust_entry(seq)?.as_ref() == Some(&proposal.entry) {
                self.end_of_proposal(Proposed::Accepted);
                return Ok(None);
            }
        }
        if vault.needed_by(slice::from_ref(&proposal.entry))?.is_err() {
            self.end_of_proposal(Proposed::Beaten);
            return Ok(None);
        }
        if !proposal.are_kept {
            vault.keep_membership_objects(&proposal.objects)?;
            proposal.are_kept = true;
        }
        if let Some((hash, bytes)) = proposal.objects.get(proposal.written) {
            proposal.written += 1;
            let hash = *hash;
            let name = self.layout.name(StoreName::Membership(hash));
            let bytes = bytes.clone();
            return Ok(Some(
                self.ask(Outstanding::Membership(hash), Request::Create { name, bytes }),
            ));
        }
        let name = self.layout.name(StoreName::Trust(next));
        let bytes = proposal.entry.clone();
        Ok(Some(
            self.ask(Outstanding::Propose, Request::Create { name, bytes }),
        ))
    }

    fn end_of_proposal(&mut self, proposed: Proposed) {
        self.proposal = None;
        self.proposed = Some(proposed);
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

    /// Asks for what is to be compared.
    fn compared(&mut self, vault: &Vault) -> Result<Option<Wish>, Error> {
        let Some(compare) = self.compare.take() else {
            return Ok(None);
        };
        let name = match compare {
            Compare::Entry(seq) => StoreName::Trust(seq),
            Compare::Membership(hash) => StoreName::Membership(hash),
            Compare::Proposal => {
                StoreName::Trust(vault.trust().map_or(0, |trust| trust.remembered().seq) + 1)
            }
            Compare::Object => match vault.object_to_publish()? {
                Some((head, _)) => StoreName::log(vault.device_id(), head),
                None => return Ok(None),
            },
        };
        let names = vec![self.layout.name(name)];
        Ok(Some(
            self.ask(Outstanding::Compare(compare), Request::Get { names }),
        ))
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
        vault.set_red(rng, self.status.state.is_red())?;
        if self.status.state == State::Fresh {
            self.status.fresh_unix_ms = Some(unix_ms);
        }
        let due = self.answer_at.filter(|at| *at > now);
        let owed = vault.owes_an_answer();
        self.answer_at = owed.then(|| due.unwrap_or(now + ANSWER_WITHIN));
        self.next = now + self.poll_after;
        if !round.only_speaks {
            self.next_list = now + LIST_AT_LEAST;
        }
        Ok(())
    }

    /// Somebody uses the vault: the hint is looked at soon, and often.
    pub fn in_use(&mut self) {
        if self.failures == 0 {
            let looked = self.next.saturating_sub(self.poll_after);
            self.poll_after = POLL_IN_USE;
            self.next = looked + POLL_IN_USE;
        }
    }

    fn poll_later(&mut self, now: Duration) {
        self.poll_after = (self.poll_after * 3 / 2).min(POLL_SELDOM);
        self.next = now + self.poll_after;
    }

    /// It is tried again later, from the start.
    fn give_up(&mut self, reason: NoAnswer, now: Duration) {
        self.round = None;
        self.compare = None;
        self.needed = None;
        self.heal.clear();
        if let Some(proposal) = &mut self.proposal {
            // Whether the last of its objects was written is not known.
            proposal.written = 0;
        }
        if !self.status.state.is_red() {
            self.status.state = State::Offline(reason);
        }
        let wait = RETRY_SOON * 2_u32.saturating_pow(self.failures.min(16));
        self.failures += 1;
        self.next = now + wait.min(RETRY_SELDOM);
    }
}

#[cfg(test)]
mod tests;

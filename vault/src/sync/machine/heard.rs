//! What comes of what the store says.

use std::mem;
use std::time::Duration;

use rand_core::CryptoRng;

use super::Machine;
use super::pace::{Answers, POLL_SOON};
use super::writing::{Proposal, Proposed};
use crate::Error;
use crate::frame::ObjectHash;
use crate::sync::exchange::{Answer, Compare, NoAnswer, Outstanding};
use crate::sync::layout::{Listing, StoreName};
use crate::sync::status::State;
use crate::vault::{Extended, NotTaken, Vault};

impl Machine {
    /// What the store said.
    pub fn answer(
        &mut self,
        vault: &mut Vault,
        answer: Result<Answer, NoAnswer>,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        let Some(outstanding) = self.outstanding.take() else {
            return Ok(());
        };
        match answer {
            Ok(answer) => self.heard(vault, outstanding, answer, now, rng),
            Err(_) if matches!(outstanding, Outstanding::Remove) => {
                if let Some(round) = &mut self.round {
                    round.snapshots.removes_no_more();
                }
                Ok(())
            }
            Err(reason) => {
                self.give_up(reason, now);
                Ok(())
            }
        }
    }

    fn heard(
        &mut self,
        vault: &mut Vault,
        outstanding: Outstanding,
        answer: Answer,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        match (outstanding, answer) {
            (Outstanding::Hint, Answer::Unchanged) => self.poll_later(now),
            (Outstanding::Hint, Answer::Polled(hint, tag)) => self.look_at_hint(hint.as_deref(), tag, now),
            (Outstanding::List, Answer::Listed(names)) => self.listed(&names),
            (Outstanding::Entry(seq), Answer::Got(mut got)) => {
                match got.pop().flatten() {
                    Some(entry) => self.look_at_entry(vault, seq, entry, rng)?,
                    None => self.end_of_trust(None),
                };
            }
            (Outstanding::Needed(entries, hashes), Answer::Got(got)) => {
                let found = hashes.into_iter().zip(got);
                let objects = found.filter_map(|(hash, bytes)| {
                    let bytes = bytes.filter(|bytes| ObjectHash::of(bytes) == hash)?;
                    Some((hash, bytes))
                });
                let objects = objects.collect();
                self.extend(vault, entries, objects, rng)?;
            }
            (Outstanding::Logs(names), Answer::Got(got)) => self.arrived(names, got),
            (Outstanding::Roots(names), Answer::Got(got)) => self.look_at_roots(vault, names, got)?,
            (Outstanding::Parts, Answer::Got(got)) => self.parts_arrived(got),
            (Outstanding::PublishPiece, Answer::Kept) => self.piece_published(vault, true)?,
            (Outstanding::PublishPiece, Answer::AlreadyThere) => self.piece_published(vault, false)?,
            (Outstanding::Membership(_), Answer::Kept) => self.wrote(),
            (Outstanding::Membership(hash), Answer::AlreadyThere) => {
                self.compare = Some(Compare::Membership(hash));
            }
            (Outstanding::PublishEntry(seq), Answer::Kept) => {
                vault.set_published_trust(rng, seq)?;
                self.wrote();
            }
            (Outstanding::PublishEntry(seq), Answer::AlreadyThere) => {
                self.compare = Some(Compare::Entry(seq))
            }
            (Outstanding::PublishObject, Answer::Kept) => self.confirm(vault, rng)?,
            (Outstanding::PublishObject, Answer::AlreadyThere) => self.compare = Some(Compare::Object),
            // A store that replaces what is there has kept what came last.
            (Outstanding::Propose, Answer::Kept | Answer::AlreadyThere) => {
                self.compare = Some(Compare::Proposal);
            }
            (Outstanding::Compare(compare), Answer::Got(mut got)) => {
                self.look_at_rival(vault, compare, got.pop().flatten(), now, rng)?;
            }
            (Outstanding::Tell | Outstanding::Put, Answer::Kept) | (Outstanding::Remove, Answer::Removed) => {
            }
            _ => self.give_up(NoAnswer::Nonsense, now),
        }
        Ok(())
    }

    fn look_at_hint(&mut self, hint: Option<&[u8]>, tag: Option<String>, now: Duration) {
        self.tag = tag;
        let is_mine = self.hint.as_ref().is_some_and(|mine| hint == Some(mine));
        if is_mine {
            self.poll_later(now);
        } else {
            self.poll_after = POLL_SOON;
            self.wanted = true;
        }
    }

    fn arrived(&mut self, names: Vec<StoreName>, got: Vec<Option<Vec<u8>>>) {
        let Some(round) = &mut self.round else { return };
        for (name, bytes) in names.into_iter().zip(got) {
            match bytes {
                Some(bytes) => round.arrived.push_back((name, bytes)),
                None => {
                    round.finished.insert(name);
                }
            }
        }
    }

    /// What was there already where this device wanted to write.
    fn look_at_rival(
        &mut self,
        vault: &mut Vault,
        compare: Compare,
        found: Option<Vec<u8>>,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        match compare {
            Compare::Entry(seq) if found == vault.trust_entry(seq)? => {
                vault.set_published_trust(rng, seq)?;
            }
            Compare::Membership(hash) => {
                if found.is_some_and(|found| ObjectHash::of(&found) == hash) {
                    self.wrote();
                } else {
                    // An entry that names it would name nothing.
                    self.give_up(NoAnswer::Nonsense, now);
                }
            }
            Compare::Entry(_) => {
                if let Some(round) = &mut self.round {
                    round.found = Some(State::OtherTrust);
                }
            }
            Compare::Proposal if found.as_ref() == self.proposal.as_ref().map(|proposal| &proposal.entry) => {
                self.accepted(vault, rng)?;
            }
            Compare::Proposal => {
                let is_entry = |entry| vault.needed_by(&[entry]).map(|needed| needed.is_ok());
                if found.map_or(Ok(false), is_entry)? {
                    self.end_of_proposal(Proposed::Beaten);
                    self.round = None;
                    self.wanted = true;
                } else {
                    // Nobody's: whether this device's is there is not known yet.
                    self.give_up(NoAnswer::Nonsense, now);
                }
            }
            Compare::Object if found == vault.object_to_publish()?.map(|(_, bytes)| bytes) => {
                self.confirm(vault, rng)?;
            }
            Compare::Object => {
                // This device was restored from a copy: what it wrote in its other life comes first. Where it is not that,
                // or not its turn, what was signed under this number stays what this device has to say.
                if let Some(Err(NotTaken::Vault(error))) = found.map(|found| vault.take_object(rng, &found)) {
                    return Err(error);
                }
                self.give_up(NoAnswer::Nonsense, now);
            }
        }
        Ok(())
    }

    pub(super) fn wrote(&mut self) {
        self.status.written += 1;
        if let Some(round) = &mut self.round {
            round.wrote = true;
        }
    }

    /// The store has the change of the membership that was proposed.
    fn accepted(&mut self, vault: &mut Vault, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        let Some(Proposal { objects, entry, .. }) = self.proposal.take() else {
            return Ok(());
        };
        self.wrote();
        self.extend(vault, vec![entry], objects, rng)?;
        self.end_of_proposal(Proposed::Accepted);
        Ok(())
    }

    /// The store has this device's object.
    fn confirm(&mut self, vault: &mut Vault, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        self.status.written += 1;
        if let Some(round) = &mut self.round {
            // Nobody is woken up by an answer for which nobody waits.
            round.wrote |= vault.waiting() > 0 || round.answers == Answers::AtOnce;
        }
        match vault.published(rng) {
            Ok(()) => Ok(()),
            Err(NotTaken::Vault(error)) => Err(error),
            // What this device made is refused by itself: nothing can be said any more.
            Err(_) => Err(Error::Tampered),
        }
    }

    fn listed(&mut self, names: &[String]) {
        self.status.read = 0;
        if let Some(round) = &mut self.round {
            round.listing = Some(Listing::read(&self.layout, names.iter().map(String::as_str)));
        }
    }

    /// Finds out what an entry of the trust log needs.
    fn look_at_entry(
        &mut self,
        vault: &mut Vault,
        seq: u32,
        entry: Vec<u8>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        let skipped = self.round.as_mut().map(|round| mem::take(&mut round.skipped));
        let mut entries = skipped.unwrap_or_default();
        entries.push(entry);
        match vault.needed_by(&entries)? {
            Ok(hashes) if hashes.is_empty() => self.extend(vault, entries, Vec::new(), rng),
            Ok(hashes) => {
                self.needed = Some((entries, hashes));
                Ok(())
            }
            Err(_) => {
                let name = self.layout.name(StoreName::Trust(seq));
                self.end_of_trust(Some(State::Damaged(name)));
                Ok(())
            }
        }
    }

    /// Takes entries of the trust log that the store has.
    fn extend(
        &mut self,
        vault: &mut Vault,
        entries: Vec<Vec<u8>>,
        objects: Vec<(ObjectHash, Vec<u8>)>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        let seq = |vault: &Vault| vault.trust().map_or(0, |trust| trust.remembered().seq);
        let before = seq(vault);
        let extended = vault.extend_trust(&entries, objects)?;
        if vault.published_trust() == before && seq(vault) > before {
            vault.set_published_trust(rng, seq(vault))?;
        }
        match extended {
            Extended::Goes => {}
            Extended::NeedsPin => self.end_of_trust(Some(State::NeedsPin)),
            Extended::Removed => self.end_of_trust(Some(State::Removed)),
            Extended::Incomplete => {
                if let Some(round) = &mut self.round {
                    round.skipped = entries;
                }
            }
        }
        Ok(())
    }

    fn end_of_trust(&mut self, found: Option<State>) {
        if let Some(round) = &mut self.round {
            round.trust_is_read = true;
            if let Some(found) = found {
                round.found.get_or_insert(found);
            }
        }
    }
}

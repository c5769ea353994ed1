//! What a round writes: a change of the membership that is proposed, entries of the trust log, what this device has to say,
//! and the hint.

use std::slice;

use rand_core::CryptoRng;

use super::pace::Answers;
use super::{Machine, Round, Said, Wish};
use crate::Error;
use crate::frame::ObjectHash;
use crate::membership::{Change, Name};
use crate::sync::exchange::{Outstanding, Request};
use crate::sync::layout::StoreName;
use crate::vault::Vault;

/// How many entries others may add to the trust log while an answer is on its way.
const RIVALS: u32 = 16;

/// What became of a change of the membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed {
    /// The store has it, and so has the vault.
    Accepted,
    /// Another device was first with another change; nothing was changed.
    Beaten,
}

/// A change of the membership that is to be made: at the store first, where only one can be the next.
pub(super) struct Proposal {
    pub(super) objects: Vec<(ObjectHash, Vec<u8>)>,
    /// They are kept here, too.
    pub(super) are_kept: bool,
    pub(super) written: usize,
    pub(super) entry: Vec<u8>,
}

impl Machine {
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

    /// Writes what is not in the store yet.
    pub(super) fn write(
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

    /// Whether the store has objects of this device that it does not remember, and cannot take yet, or others have read such
    /// ones: it has to before it says something else in their place.
    fn lags_behind_itself(&self, vault: &Vault) -> bool {
        let device = vault.device_id();
        let lags = |round: &Round| {
            let listing = round.listing.as_ref();
            listing.is_some_and(|listing| listing.last(device) > vault.log_head(device).seq())
                || round.set_aside.iter().any(|aside| aside.missing.0 == device)
        };
        self.round.as_ref().is_some_and(lags)
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
    pub(super) fn propose_first(&mut self, vault: &mut Vault) -> Result<Option<Wish>, Error> {
        let seq = vault.trust().map_or(0, |trust| trust.remembered().seq);
        if vault.published_trust() < seq || !self.may_propose() {
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

    pub(super) fn end_of_proposal(&mut self, proposed: Proposed) {
        self.proposal = None;
        self.proposed = Some(proposed);
    }
}

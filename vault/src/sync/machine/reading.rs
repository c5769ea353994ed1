//! What a round reads: the trust log, the logs of the devices; and what is there already where this device wants to write.

use std::collections::BTreeSet;

use rand_core::CryptoRng;

use super::places::{fork_at, kept};
use super::{GET_AT_ONCE, Machine, SetAside, Wish};
use crate::Error;
use crate::object::NotNext;
use crate::sync::exchange::{Compare, Outstanding, Request};
use crate::sync::layout::StoreName;
use crate::sync::status::State;
use crate::vault::{NotTaken, Vault};

impl Machine {
    /// Heals, where that was asked for.
    pub(super) fn put_back(&mut self, vault: &Vault) -> Result<Option<Wish>, Error> {
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

    pub(super) fn read_trust(&mut self, vault: &Vault) -> Option<Wish> {
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
    pub(super) fn take_arrived(&mut self, vault: &mut Vault, rng: &mut dyn CryptoRng) -> Result<bool, Error> {
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
            NotTaken::OtherTrust => {
                round.found = Some(State::OtherTrust);
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
    pub(super) fn read_logs(&mut self, vault: &Vault) -> Option<Wish> {
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

    /// Asks for what is to be compared.
    pub(super) fn compared(&mut self, vault: &Vault) -> Result<Option<Wish>, Error> {
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
}

//! What must not happen, looked for after every step.

use std::collections::{BTreeMap, BTreeSet};

use wardkey_vault::{
    Authentic, CredentialId, DeviceId, ObjectHash, Passkey, Request, SealedKind, State, Status, Vault,
};

use super::device::{Device, Failure, Open, learn_times, must, seen};
use super::model::{Object, Operation, Says, Shown, amount_to};
use super::store::Store;
use super::{World, hex, name_of};

/// An object that a member signed.
pub(super) struct Known {
    pub(super) object: Object,
    /// Of each other log the last number that its author had read.
    had_read: BTreeMap<DeviceId, u32>,
    previous: ObjectHash,
    epoch: u32,
    /// How much its author had said before and in it.
    end: usize,
}

/// Whether a list lacks something that was read: an object of a log, whatever life it is from, which no snapshot in the list
/// covers and no device removed.
pub(super) fn shows_less(
    vault: &Vault,
    ids: &[DeviceId],
    names: &[String],
    store: &Store,
    covers: &BTreeMap<String, BTreeMap<DeviceId, u32>>,
) -> bool {
    let there = names.iter().chain(&store.given_up);
    let there = there.filter_map(|name| name.split_once("/d/")?.1.split_once('/'));
    let there = there.filter_map(|(device, name)| Some((device, name.split_once('-')?.1)));
    let there: BTreeSet<(&str, &str)> = there.collect();
    let is_covered = |id: &DeviceId, seq: u32| {
        let of_snapshots = names.iter().filter_map(|name| covers.get(name)?.get(id));
        of_snapshots.into_iter().any(|end| seq <= *end)
    };
    ids.iter().any(|id| {
        let device = hex(&id.0);
        (1..=vault.log_head(*id).seq()).any(|seq| {
            !there.contains(&(device.as_str(), format!("{seq:08x}.obj").as_str())) && !is_covered(id, seq)
        })
    })
}

impl World {
    /// A device is about to give an object to the store.
    pub(super) fn note_object(&mut self, at: usize, id: DeviceId, request: &Request) -> Result<(), Failure> {
        let Request::Create { name, bytes } = request else {
            return Ok(());
        };
        if name.contains("/s/") {
            self.note_snapshot(at, name);
        }
        if !name.contains("/d/") {
            return Ok(());
        }
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(());
        };
        let trust = device.open.as_deref().and_then(|open| open.vault.trust());
        let trust = must(trust.ok_or(()), "a trust log")?;
        let read = must(
            Authentic::read_log(bytes, SealedKind::Log, trust),
            "an object of this device",
        )?;
        let (hash, header) = (read.hash(), read.header());
        if self.objects.contains_key(&hash) {
            return Ok(());
        }
        let position = header.position;
        let signed = must(device.kept.signed.as_ref().ok_or(()), "something that was signed")?;
        let known = Known {
            object: Object {
                author: id,
                seq: position.seq,
                operations: signed.operations.clone(),
            },
            had_read: signed.had_read.clone(),
            previous: position.previous,
            epoch: header.epoch,
            end: signed.end,
        };
        let was_put_back = device.was_put_back;
        self.objects.insert(hash, known);
        let place = (id, position.incarnation, position.seq);
        if self.places.insert(place, hash).is_some() {
            // It could have known only from the store.
            let could_know = self.store.all_names().contains(name.as_str()) && !self.store.hides(at, name);
            if !was_put_back || (could_know && self.store.faults.is_empty()) {
                return Err(Failure(format!(
                    "{} signs number {} twice",
                    name_of(at),
                    position.seq
                )));
            }
            self.may_fork = true;
        }
        Ok(())
    }

    /// A snapshot covers at most what its author has read.
    fn note_snapshot(&mut self, at: usize, name: &str) {
        let Some(open) = self.devices.get(at).and_then(|device| device.open.as_deref()) else {
            return;
        };
        let heads = self.ids.iter().map(|id| (*id, open.vault.log_head(*id).seq()));
        let heads = heads.collect();
        self.covers.entry(name.to_owned()).or_insert(heads);
    }

    /// A device has nothing to do now.
    pub(super) fn check_rest(&mut self, at: usize) -> Result<(), Failure> {
        let Some(open) = self
            .devices
            .get_mut(at)
            .and_then(|device| device.open.as_deref_mut())
        else {
            return Ok(());
        };
        let less = std::mem::take(&mut open.shown_less) && !std::mem::take(&mut open.heals);
        let Status {
            state, is_compared, ..
        } = open.machine.status();
        // Before the vault is unlocked anew nothing is said of the store.
        let says_nothing = matches!(state, State::Offline(_) | State::NeedsPin) || !is_compared;
        if less && !state.is_red() && !says_nothing {
            return Err(Failure(format!(
                "the store shows less, and {} says: {state:?}",
                name_of(at)
            )));
        }
        Ok(())
    }

    /// All objects that a device has read, the newest of each log first.
    fn read_by(&self, vault: &Vault) -> Result<Vec<&Known>, Failure> {
        let mut read = Vec::new();
        for id in &self.ids {
            let head = vault.log_head(*id);
            let mut next = (head.seq() > 0).then(|| head.hash());
            while let Some(hash) = next.take() {
                let known = self.objects.get(&hash).filter(|known| known.object.author == *id);
                let known =
                    known.ok_or_else(|| Failure("an object is believed that nobody signed".to_owned()))?;
                if known.object.seq > 1 {
                    next = Some(known.previous);
                }
                read.push(known);
            }
        }
        Ok(read)
    }

    /// What the model says of a device, if it said `said`.
    fn expected(
        &self,
        device: &Device,
        open: &Open,
        said: &[Operation],
    ) -> Result<BTreeMap<CredentialId, Shown>, Failure> {
        let (mut passkeys, deleted) = self.amount_to(device, open, said)?;
        passkeys.retain(|id, _| !deleted.contains(id));
        Ok(passkeys)
    }

    /// What all that a device has read and `said` amounts to, and what of it is deleted.
    fn amount_to(
        &self,
        device: &Device,
        open: &Open,
        said: &[Operation],
    ) -> Result<(BTreeMap<CredentialId, Shown>, BTreeSet<CredentialId>), Failure> {
        let read = self.read_by(&open.vault)?;
        let waiting = device.waiting(said);
        Ok(amount_to(
            read.into_iter().map(|known| &known.object).chain([&waiting]),
        ))
    }

    /// After a power cut: what was being done is there, or not, in whole.
    pub(super) fn resolve_doubt(&mut self, at: usize) -> Result<(), Failure> {
        let Some(device) = self.devices.get_mut(at) else {
            return Ok(());
        };
        let mut doubt = std::mem::take(&mut device.in_doubt);
        let Some(open) = self.devices.get(at).and_then(|device| device.open.as_deref()) else {
            return Ok(());
        };
        let (mut said, shown) = match self.devices.get(at) {
            Some(device) => (device.kept.said.clone(), device.shown()?),
            None => return Ok(()),
        };
        if doubt.is_empty() || self.fits(at, open, &said, &shown)? {
            return Ok(());
        }
        learn_times(&mut doubt, &open.vault);
        learn_creation(&mut doubt, &shown);
        said.extend(doubt);
        if let Some(device) = self.devices.get_mut(at) {
            device.kept.said = said;
        }
        Ok(())
    }

    /// Whether a device shows what it has to if it said `said`, and has told as much as its log says.
    fn fits(
        &self,
        at: usize,
        open: &Open,
        said: &[Operation],
        shown: &BTreeMap<CredentialId, Shown>,
    ) -> Result<bool, Failure> {
        let device = must(self.devices.get(at).ok_or(()), "a device")?;
        Ok(self.has_told(at, open, said.len())? && self.expected(device, open, said)? == *shown)
    }

    /// Whether what does not wait any more is in the device's own log.
    fn has_told(&self, at: usize, open: &Open, said: usize) -> Result<bool, Failure> {
        let device = must(self.devices.get(at).ok_or(()), "a device")?;
        let told = said.checked_sub(usize::try_from(open.vault.waiting()).unwrap_or(usize::MAX));
        let Some(told) = told else { return Ok(false) };
        let head = open.vault.log_head(device.id);
        let end = self.objects.get(&head.hash()).map_or(0, |known| known.end);
        // In another life it read what it had written, and says again what it has to say.
        Ok(told == end || (device.was_put_back && (told == 0 || device.kept.marks.contains(&told))))
    }

    /// After a step of a device.
    pub(super) fn look(&mut self, at: usize) -> Result<(), Failure> {
        let Some(device) = self.devices.get(at) else {
            return Ok(());
        };
        let Some(open) = device.open.as_deref() else {
            return Ok(());
        };
        let shown = device.shown()?;
        let told = self.has_told(at, open, device.kept.said.len())?;
        if !told {
            return Err(Failure(format!(
                "{} has told another number of changes than its log has",
                name_of(at)
            )));
        }
        let expected = self.expected(device, open, &device.kept.said)?;
        if expected != shown {
            return Err(Failure(difference(at, &expected, &shown)));
        }
        self.check_backed_up(at, device, open, &shown)?;
        self.check_logs(at, device, open)?;
        let heads = self
            .ids
            .iter()
            .map(|id| (*id, open.vault.log_head(*id).seq()))
            .collect();
        let mut line = format!("{} {:?}", open.vault.waiting(), open.machine.status().state);
        for (id, shown) in &shown {
            line += &format!(" {}={:?}", hex(id.as_bytes()), shown.names);
        }
        sha2::Digest::update(&mut self.trace, line.as_bytes());
        let former = open
            .vault
            .trust()
            .into_iter()
            .flat_map(wardkey_vault::Trust::former_members);
        let former = former.map(|(id, _)| id).collect();
        if let Some(device) = self.devices.get_mut(at) {
            device.heads = heads;
            device.knew_former = former;
        }
        Ok(())
    }

    /// Nothing counts as backed up while something is wrong with the store, or while it waits to be told.
    fn check_backed_up(
        &self,
        at: usize,
        device: &Device,
        open: &Open,
        shown: &BTreeMap<CredentialId, Shown>,
    ) -> Result<(), Failure> {
        for id in shown.keys() {
            if !must(open.vault.is_backed_up(id), "whether it is backed up")? {
                continue;
            }
            if open.machine.status().state.is_red() {
                return Err(Failure(format!(
                    "{} says that it is backed up while red",
                    name_of(at)
                )));
            }
            let about = |operation: &Operation| operation.says.as_ref().is_some_and(|(other, _)| other == id);
            if device.waiting(&device.kept.said).operations.iter().any(about) {
                return Err(Failure(format!(
                    "{} says that what waits is backed up",
                    name_of(at)
                )));
            }
        }
        Ok(())
    }

    /// No log is read beyond where it ends, goes back, or is read by somebody who may not.
    fn check_logs(&self, at: usize, device: &Device, open: &Open) -> Result<(), Failure> {
        let name = name_of(at);
        let trust = must(open.vault.trust().ok_or(()), "a trust log")?;
        for (id, before) in &device.heads {
            let now = open.vault.log_head(*id).seq();
            if now < *before {
                return Err(Failure(format!("{name} forgot what it had read")));
            }
            let end = trust.former(*id).map(|(_, last)| last.seq());
            let beyond = end.is_some_and(|end| now > end.max(*before));
            if device.knew_former.contains(id) && beyond && !self.is_vouched_for(*id, now) {
                return Err(Failure(format!(
                    "{name} reads what a removed device wrote after its end"
                )));
            }
        }
        let last = self.removed.get(&device.id);
        let read = self.read_by(&open.vault)?;
        let is_of_later = |known: &&Known| last.is_some_and(|last| known.epoch >= *last);
        if read.iter().any(is_of_later) && !self.two_trusts {
            return Err(Failure(format!(
                "{name} was removed, and reads what was sealed afterwards"
            )));
        }
        Ok(())
    }

    /// Whether another device had read this much of a log.
    fn is_vouched_for(&self, id: DeviceId, seq: u32) -> bool {
        let others = self.objects.values().filter(|known| known.object.author != id);
        let mut had_read = others.filter_map(|known| known.had_read.get(&id));
        had_read.any(|read| *read >= seq)
    }

    /// What is in the trash was deleted, and is what it was.
    pub(super) fn check_trashed(&self, at: usize, passkey: &Passkey) -> Result<(), Failure> {
        let device = self.devices.get(at);
        let Some((device, open)) = device.and_then(|device| Some((device, device.open.as_deref()?))) else {
            return Ok(());
        };
        let (passkeys, deleted) = self.amount_to(device, open, &device.kept.said)?;
        if deleted.contains(&passkey.id) && passkeys.get(&passkey.id) == Some(&seen(passkey)) {
            return Ok(());
        }
        Err(Failure(format!(
            "{} has something in the trash that was not deleted, or was not so",
            name_of(at)
        )))
    }
}

/// The vault chose when what was in doubt was made.
fn learn_creation(doubt: &mut [Operation], shown: &BTreeMap<CredentialId, Shown>) {
    let says = doubt.iter_mut().filter_map(|operation| operation.says.as_mut());
    for (id, says) in says {
        if let (Says::Stored(stored), Some(shown)) = (says, shown.get(id)) {
            stored.core.created_unix_ms = shown.core.created_unix_ms;
        }
    }
}

fn difference(
    at: usize,
    expected: &BTreeMap<CredentialId, Shown>,
    shown: &BTreeMap<CredentialId, Shown>,
) -> String {
    let mut text = format!("{} does not show what it has to:", name_of(at));
    let ids: BTreeSet<_> = expected.keys().chain(shown.keys()).collect();
    for id in ids {
        if expected.get(id) != shown.get(id) {
            let names = |of: &BTreeMap<CredentialId, Shown>| {
                of.get(id).map(|shown| {
                    let Shown { core, names, blob } = shown;
                    (
                        core.created_unix_ms,
                        names.clone(),
                        blob.as_ref().map(|(data, size)| (data.len(), *size)),
                    )
                })
            };
            text += &format!(
                "\n       {}: shown {:?}, expected {:?}",
                hex(id.as_bytes()),
                names(shown),
                names(expected)
            );
        }
    }
    text
}

//! What the operations of all devices amount to, whatever the order in which they arrive. `SYNC.md` §2 has the rules.
//!
//! An operation beats those that its author had seen. Of those that did not see each other the clocks decide, and then
//! the names of the devices: for this alone is a clock believed. A deletion beats everything that had not seen it.

mod join;

use zeroize::Zeroizing;

use super::operation::Operation;
use super::versions::{Reach, Versions};
use crate::cbor::{Reader, Writer};
use crate::keys::DeviceId;
use crate::{CredentialId, LargeBlob, Passkey, payload};

/// Names one operation. The order is that in which those are beaten that did not see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// The author's clock: 48 bits of milliseconds since the Unix epoch, 16 of a counter.
    pub(crate) time: u64,
    pub(crate) device: DeviceId,
    /// The author's object that has it, …
    pub(crate) seq: u32,
    /// … and where in it.
    pub(crate) index: u32,
}

impl Stamp {
    pub(crate) fn unix_ms(&self) -> u64 {
        self.time >> 16
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.array(4).unsigned(self.time).bytes(&self.device.0);
        out.unsigned(u64::from(self.seq)).unsigned(u64::from(self.index));
    }

    fn decode(input: &mut Reader<'_>) -> Option<Self> {
        if input.array()? != 4 {
            return None;
        }
        Some(Self {
            time: input.unsigned()?,
            device: DeviceId(input.bytes()?.try_into().ok()?),
            seq: u32::try_from(input.unsigned()?).ok()?,
            index: u32::try_from(input.unsigned()?).ok()?,
        })
    }
}

/// What the author of an operation had seen.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) author: DeviceId,
    pub(crate) versions: &'a Versions,
    /// Where that was less.
    pub(crate) but: &'a Reach,
}

impl Seen<'_> {
    /// Operations of one device are applied in their order, so its own are all seen.
    fn covers(self, stamp: &Stamp) -> bool {
        let read = || (self.but.of(stamp.device)).unwrap_or_else(|| self.versions.head(stamp.device).seq());
        stamp.device == self.author || stamp.seq <= read()
    }
}

/// What a passkey is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) rp_name: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) user_display_name: Option<String>,
}

impl Names {
    pub(crate) fn of(passkey: &Passkey) -> Self {
        Self {
            rp_name: passkey.rp_name.clone(),
            user_name: passkey.user_name.clone(),
            user_display_name: passkey.user_display_name.clone(),
        }
    }

    fn give_to(self, passkey: &mut Passkey) {
        passkey.rp_name = self.rp_name;
        passkey.user_name = self.user_name;
        passkey.user_display_name = self.user_display_name;
    }

    fn all(&self) -> [Option<&String>; 3] {
        [
            self.rp_name.as_ref(),
            self.user_name.as_ref(),
            self.user_display_name.as_ref(),
        ]
    }

    pub(crate) fn len(&self) -> usize {
        self.all().into_iter().flatten().map(String::len).sum()
    }

    /// Three items: a text, or 0 where there is none.
    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        for name in self.all() {
            match name {
                Some(name) => out.text(name),
                None => out.unsigned(0),
            };
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
        let mut name = || {
            if input.0.first() == Some(&0) {
                return input.unsigned().map(|_| None);
            }
            input.text().map(|text| Some(text.to_owned()))
        };
        Some(Self {
            rp_name: name()?,
            user_name: name()?,
            user_display_name: name()?,
        })
    }
}

/// Whether a passkey is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Stored,
    Deleted,
}

/// Values that were written and not seen by the author of another one; the last of them is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Register<T>(Vec<(Stamp, T)>);

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Register<T> {
    fn write(&mut self, seen: Seen<'_>, stamp: Stamp, value: T) {
        self.0.retain(|(written, _)| !seen.covers(written));
        let at = self.0.partition_point(|(written, _)| *written < stamp);
        self.0.insert(at, (stamp, value));
    }

    fn in_force(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }

    fn encode(&self, out: &mut Writer<'_>, mut write: impl FnMut(&mut Writer<'_>, &T)) {
        out.array(u64::try_from(self.0.len()).expect("a length fits in 64 bits"));
        for (stamp, value) in &self.0 {
            stamp.encode(out.array(2));
            write(out, value);
        }
    }

    fn decode(input: &mut Reader<'_>, mut read: impl FnMut(&mut Reader<'_>) -> Option<T>) -> Option<Self> {
        let mut values: Vec<(Stamp, T)> = Vec::new();
        for _ in 0..input.array()? {
            if input.array()? != 2 {
                return None;
            }
            let stamp = Stamp::decode(input)?;
            if values.last().is_some_and(|(last, _)| *last >= stamp) {
                return None;
            }
            values.push((stamp, read(input)?));
        }
        Some(Self(values))
    }
}

/// All that is known of one passkey.
#[derive(Default)]
pub(crate) struct Merged {
    /// What never changes, in the form in which it was stored first; `None` before it arrived, and after it was thrown
    /// away.
    core: Option<(Stamp, Passkey)>,
    life: Register<Life>,
    names: Register<Names>,
    large_blob: Register<Option<LargeBlob>>,
    /// On how many days it was looked through the trash of this device, and this was there.
    days_in_trash: u8,
}

/// So many days what was deleted stays in the trash.
const TRASH_DAYS: u8 = 30;

/// Two devices stored different passkeys under one id: no honest device does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contradiction;

impl Merged {
    /// Adds what `operation` says, which is about this passkey. Operations of one device have to come in their order, and
    /// each after those that its author had seen.
    pub(crate) fn apply(
        &mut self,
        operation: &Operation,
        stamp: Stamp,
        seen: Seen<'_>,
    ) -> Result<(), Contradiction> {
        match operation {
            Operation::Store(passkey) => {
                self.live(seen, stamp, Life::Stored);
                self.names.write(seen, stamp, Names::of(passkey));
                self.large_blob.write(seen, stamp, passkey.large_blob.clone());
                return self.take_core(passkey, stamp);
            }
            Operation::Rename(_, names) => self.names.write(seen, stamp, names.clone()),
            Operation::WriteLargeBlob(_, blob) => self.large_blob.write(seen, stamp, blob.clone()),
            Operation::Delete(_) => self.live(seen, stamp, Life::Deleted),
            Operation::ShareWrappingKey(_) | Operation::NameDevice(_) => {}
        }
        Ok(())
    }

    fn live(&mut self, seen: Seen<'_>, stamp: Stamp, life: Life) {
        self.life.write(seen, stamp, life);
        self.leave_trash();
    }

    /// What is not deleted any more begins anew, should it be deleted again.
    fn leave_trash(&mut self) {
        if !self.is_deleted() {
            self.days_in_trash = 0;
        }
    }

    /// Of two that contradict each other the one with the lesser stamp stays, whichever came first.
    fn take_core(&mut self, passkey: &Passkey, stamp: Stamp) -> Result<(), Contradiction> {
        let same = match &self.core {
            None => {
                self.core = Some((stamp, copy(passkey)));
                return Ok(());
            }
            Some((_, core)) => same_core(core, passkey),
        };
        if self.core.as_ref().is_some_and(|(first, _)| stamp < *first) {
            self.core = Some((stamp, copy(passkey)));
        }
        if same { Ok(()) } else { Err(Contradiction) }
    }

    /// When it was deleted by the clock of whoever did; `None` where it is not.
    pub(crate) fn deleted_unix_ms(&self) -> Option<u64> {
        let deletions = self.life.0.iter().filter(|(_, life)| *life == Life::Deleted);
        deletions.map(|(stamp, _)| stamp.unix_ms()).max()
    }

    /// Whether it was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.life.0.iter().any(|(_, life)| *life == Life::Deleted)
    }

    /// The passkey as it was stored first; `None` where there is nothing of it.
    pub(crate) fn core(&self) -> Option<&Passkey> {
        self.core.as_ref().map(|(_, core)| core)
    }

    /// The operation that stored it first.
    pub(crate) fn stored(&self) -> Option<Stamp> {
        self.core.as_ref().map(|(stamp, _)| *stamp)
    }

    /// The passkey as it is to be used; `None` where it was deleted.
    pub(crate) fn visible(&self) -> Option<Passkey> {
        if self.is_deleted() {
            return None;
        }
        self.content()
    }

    /// The passkey, deleted or not; `None` where there is nothing of it.
    pub(crate) fn content(&self) -> Option<Passkey> {
        let (_, core) = self.core.as_ref()?;
        let mut passkey = copy(core);
        if let Some(names) = self.names.in_force() {
            names.clone().give_to(&mut passkey);
        }
        passkey.large_blob = self.large_blob.in_force().cloned().flatten();
        // What two devices wrote may be too much together, where each was not.
        if !payload::fits(&passkey) {
            passkey.large_blob = None;
        }
        if !payload::fits(&passkey) {
            Names::of(core).give_to(&mut passkey);
        }
        Some(passkey)
    }

    /// Another day in the trash; `false` where this is not there. On the last one the private key is thrown away, with all that
    /// never changes. The rest stays, so that whoever takes it back elsewhere takes the same back for all.
    pub(crate) fn stay_in_trash(&mut self) -> bool {
        if !self.is_deleted() || self.core.is_none() {
            return false;
        }
        self.days_in_trash += 1;
        if self.days_in_trash > TRASH_DAYS {
            self.core = None;
        }
        true
    }

    /// For how many days more it is in the trash, at least.
    pub(crate) fn days_left(&self) -> u8 {
        TRASH_DAYS.saturating_sub(self.days_in_trash)
    }

    /// As this device keeps it, in a buffer that is never moved. `SYNC.md` §3.
    pub(crate) fn encode_row(&self, id: &CredentialId) -> Option<Zeroizing<Vec<u8>>> {
        self.encode_with(id, Some(self.days_in_trash))
    }

    /// As others may have it. `SYNC.md` §6.
    pub(crate) fn encode(&self, id: &CredentialId) -> Option<Zeroizing<Vec<u8>>> {
        self.encode_with(id, None)
    }

    fn encode_with(&self, id: &CredentialId, days_in_trash: Option<u8>) -> Option<Zeroizing<Vec<u8>>> {
        const OVERHEAD: usize = 2048;
        const EACH: usize = 64;
        let core = match &self.core {
            Some((_, core)) => payload::encode(core).ok()?,
            None => Zeroizing::default(),
        };
        let names: usize = self.names.0.iter().map(|(_, names)| EACH + names.len()).sum();
        let blobs = self.large_blob.0.iter();
        let blobs: usize = blobs
            .map(|(_, blob)| EACH + blob.as_ref().map_or(0, |blob| blob.data.len()))
            .sum();
        let len = OVERHEAD + core.len() + names + blobs + EACH * self.life.0.len();
        let mut encoded = Zeroizing::new(Vec::with_capacity(2 * len));
        let mut out = Writer(&mut encoded);
        out.array(if days_in_trash.is_some() { 7 } else { 6 });
        out.bytes(id.as_bytes()).bytes(&core);
        match &self.core {
            Some((stamp, _)) => stamp.encode(&mut out),
            None => {
                out.unsigned(0);
            }
        }
        self.encode_life(&mut out);
        self.names
            .encode(&mut out, |out, names| names.encode(out.array(3)));
        self.large_blob.encode(&mut out, |out, blob| match blob {
            None => {
                out.array(0);
            }
            Some(LargeBlob { data, original_size }) => {
                out.array(2).unsigned(*original_size).bytes(data);
            }
        });
        if let Some(days) = days_in_trash {
            out.unsigned(u64::from(days));
        }
        Some(encoded)
    }

    fn encode_life(&self, out: &mut Writer<'_>) {
        self.life.encode(out, |out, life| {
            out.unsigned(u64::from(*life == Life::Stored));
        });
    }

    /// `None` for everything that [`Self::encode_row`] does not make.
    pub(crate) fn decode_row(bytes: &[u8]) -> Option<(CredentialId, Self)> {
        let mut input = Reader(bytes);
        input.array().filter(|count| *count == 7)?;
        let (id, mut merged) = Self::read(&mut input)?;
        merged.days_in_trash = u8::try_from(input.unsigned()?).ok()?;
        input.end().map(|()| (id, merged))
    }

    /// `None` for everything that [`Self::encode`] does not make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(CredentialId, Self)> {
        let mut input = Reader(bytes);
        input.array().filter(|count| *count == 6)?;
        let decoded = Self::read(&mut input)?;
        input.end().map(|()| decoded)
    }

    fn read(input: &mut Reader<'_>) -> Option<(CredentialId, Self)> {
        let id = CredentialId::new(input.bytes()?)?;
        let core = match input.bytes()? {
            [] => {
                input.unsigned().filter(|none| *none == 0)?;
                None
            }
            core => {
                let core = payload::decode(core).filter(|core| core.id == id)?;
                Some((Stamp::decode(input)?, core))
            }
        };
        let merged = Self {
            core,
            life: Register::decode(input, |input| match input.unsigned()? {
                0 => Some(Life::Deleted),
                1 => Some(Life::Stored),
                _ => None,
            })?,
            names: Register::decode(input, |input| {
                input.array().filter(|count| *count == 3)?;
                Names::decode(input)
            })?,
            large_blob: Register::decode(input, read_large_blob)?,
            days_in_trash: 0,
        };
        Some((id, merged))
    }

    /// Another one, equal to this.
    pub(crate) fn copy(&self) -> Self {
        Self {
            core: self.core.as_ref().map(|(stamp, core)| (*stamp, copy(core))),
            life: self.life.clone(),
            names: self.names.clone(),
            large_blob: self.large_blob.clone(),
            days_in_trash: self.days_in_trash,
        }
    }
}

#[expect(clippy::option_option, reason = "the outer is whether it could be read")]
fn read_large_blob(input: &mut Reader<'_>) -> Option<Option<LargeBlob>> {
    match input.array()? {
        0 => Some(None),
        2 => {
            let original_size = input.unsigned()?;
            let data = input.bytes()?.to_vec();
            Some(Some(LargeBlob { data, original_size }))
        }
        _ => None,
    }
}

/// Another one, equal to `passkey`.
pub(crate) fn copy(passkey: &Passkey) -> Passkey {
    let encoded = payload::encode(passkey).expect("it was encoded before");
    payload::decode(&encoded).expect("what is encoded is decoded")
}

/// Whether all that never changes is the same.
fn same_core(one: &Passkey, other: &Passkey) -> bool {
    let core = |passkey: &Passkey| {
        let mut core = copy(passkey);
        core.rp_name = None;
        core.user_name = None;
        core.user_display_name = None;
        core.large_blob = None;
        payload::encode(&core).expect("it is shorter than before")
    };
    core(one) == core(other)
}

#[cfg(test)]
mod tests;

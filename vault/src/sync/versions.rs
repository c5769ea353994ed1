//! How far the log of each device was read: what is known, and so what came before what.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::cbor::{Reader, Writer};
use crate::frame::ObjectHash;
use crate::keys::DeviceId;
use crate::object::LogHead;

/// More devices than a person has.
const DEVICES_MAX: u64 = 1024;

/// The last object of each device's log that was read; devices of which nothing was read are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Versions(BTreeMap<DeviceId, LogHead>);

impl Versions {
    pub(crate) fn head(&self, device: DeviceId) -> LogHead {
        self.0.get(&device).copied().unwrap_or(LogHead::START)
    }

    pub(crate) fn set(&mut self, device: DeviceId, head: LogHead) {
        self.0.insert(device, head);
    }

    pub(crate) fn without(&self, device: DeviceId) -> Self {
        let mut others = self.clone();
        others.0.remove(&device);
        others
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (DeviceId, LogHead)> {
        self.0.iter().map(|(device, head)| (*device, *head))
    }

    /// The numbers alone.
    pub(crate) fn reach(&self) -> Reach {
        Reach(self.iter().map(|(device, head)| (device, head.seq())).collect())
    }

    /// Where `reach` is less far than this.
    pub(crate) fn beyond(&self, reach: &Reach) -> Reach {
        let read = self
            .iter()
            .map(|(device, head)| (device, reach.of(device).unwrap_or(0), head.seq()));
        Reach(
            read.filter_map(|(device, read, head)| (read < head).then_some((device, read)))
                .collect(),
        )
    }

    /// Whether all that `other` goes to was read.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(device, head)| head.seq() <= self.head(device).seq())
    }

    /// Of each device whichever goes further.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        for (device, head) in other.iter() {
            if head.seq() > joined.head(device).seq() {
                joined.set(device, head);
            }
        }
        joined
    }

    /// What is here and not in `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let new = self
            .iter()
            .filter(|(device, head)| earlier.head(*device) != *head);
        Self(new.collect())
    }

    /// With what came since; `None` where that would take something back.
    pub(crate) fn with(&self, news: &Self) -> Option<Self> {
        let mut next = self.clone();
        for (device, head) in news.iter() {
            let before = next.head(device);
            if head.seq() <= before.seq() || head.incarnation() < before.incarnation() {
                return None;
            }
            next.set(device, head);
        }
        Some(next)
    }

    /// Stands for all of it in the header of an object.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut encoded = Vec::new();
        self.encode(&mut Writer(&mut encoded));
        Sha256::digest(encoded).into()
    }

    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.array(u64::try_from(self.0.len()).expect("a length fits in 64 bits"));
        for (device, head) in self.iter() {
            out.array(4);
            out.bytes(&device.0);
            out.unsigned(u64::from(head.incarnation()));
            out.unsigned(u64::from(head.seq()));
            out.bytes(&head.hash().0);
        }
    }

    /// `None` for everything that [`Self::encode`] does not make.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
        let count = input.array().filter(|count| *count <= DEVICES_MAX)?;
        let mut versions = BTreeMap::new();
        for _ in 0..count {
            if input.array()? != 4 {
                return None;
            }
            let device = DeviceId(input.bytes()?.try_into().ok()?);
            let incarnation = u32::try_from(input.unsigned()?).ok()?;
            let seq = u32::try_from(input.unsigned()?).ok().filter(|seq| *seq > 0)?;
            let hash = ObjectHash(input.bytes()?.try_into().ok()?);
            if versions.last_key_value().is_some_and(|(last, _)| *last >= device) {
                return None;
            }
            versions.insert(device, LogHead::new(incarnation, seq, hash));
        }
        Some(Self(versions))
    }
}

/// How far an author had read the logs of other devices, in numbers of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reach(BTreeMap<DeviceId, u32>);

impl Reach {
    /// `None` where nothing is said of this device.
    pub(crate) fn of(&self, device: DeviceId) -> Option<u32> {
        self.0.get(&device).copied()
    }

    /// Whether each of them is less far than `versions`.
    pub(crate) fn is_short_of(&self, versions: &Versions) -> bool {
        self.0
            .iter()
            .all(|(device, read)| *read < versions.head(*device).seq())
    }

    /// How many bytes it takes, at most.
    pub(crate) fn encoded_len(&self) -> usize {
        const EACH: usize = 32;
        EACH * (self.0.len() + 1)
    }

    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.array(u64::try_from(self.0.len()).expect("a length fits in 64 bits"));
        for (device, read) in &self.0 {
            out.array(2).bytes(&device.0).unsigned(u64::from(*read));
        }
    }

    /// `None` for everything that [`Self::encode`] does not make.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
        let count = input.array().filter(|count| *count <= DEVICES_MAX)?;
        let mut reach = BTreeMap::new();
        for _ in 0..count {
            if input.array()? != 2 {
                return None;
            }
            let device = DeviceId(input.bytes()?.try_into().ok()?);
            if reach.last_key_value().is_some_and(|(last, _)| *last >= device) {
                return None;
            }
            reach.insert(device, u32::try_from(input.unsigned()?).ok()?);
        }
        Some(Self(reach))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(of: &[(u8, u32)]) -> Versions {
        let mut versions = Versions::default();
        for (device, seq) in of {
            let hash = ObjectHash([u8::try_from(*seq).unwrap(); 32]);
            versions.set(DeviceId([*device; 16]), LogHead::new(0, *seq, hash));
        }
        versions
    }

    fn encoded(versions: &Versions) -> Vec<u8> {
        let mut bytes = Vec::new();
        versions.encode(&mut Writer(&mut bytes));
        bytes
    }

    #[test]
    fn what_came_since_leads_from_one_to_the_other() {
        let (before, after) = (versions(&[(1, 3), (2, 9)]), versions(&[(1, 4), (2, 9), (7, 1)]));
        let news = after.since(&before);
        assert_eq!(news, versions(&[(1, 4), (7, 1)]));
        assert_eq!(before.with(&news), Some(after.clone()));
        assert_ne!(before.hash(), after.hash());
    }

    #[test]
    fn nothing_is_taken_back() {
        let before = versions(&[(1, 3)]);
        assert_eq!(before.with(&versions(&[(1, 2)])), None);
        assert_eq!(before.with(&versions(&[(1, 3)])), None);
    }

    #[test]
    fn only_the_one_encoding_is_read() {
        let known = versions(&[(1, 3), (2, 9)]);
        let bytes = encoded(&known);
        assert_eq!(Versions::decode(&mut Reader(&bytes)), Some(known));
        let (first, second) = (encoded(&versions(&[(1, 3)])), encoded(&versions(&[(2, 9)])));
        let two = |a: &[u8], b: &[u8]| [&[0x82], &a[1..], &b[1..]].concat();
        assert!(Versions::decode(&mut Reader(&two(&first, &second))).is_some());
        assert_eq!(Versions::decode(&mut Reader(&two(&second, &first))), None);
        assert_eq!(Versions::decode(&mut Reader(&two(&first, &first))), None);
        for len in 0..bytes.len() {
            assert_eq!(Versions::decode(&mut Reader(&bytes[..len])), None);
        }
    }
}

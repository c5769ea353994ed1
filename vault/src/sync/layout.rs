//! What a store has, and under which names. `SYNC.md` §4. A name is written once and never changed, but for the hint.
//!
//! ```text
//! pkv1/<vault>/t/<number>.obj                   an entry of the trust log
//! pkv1/<vault>/k/<hash>.obj                     a slot, or the root keys of earlier epochs
//! pkv1/<vault>/d/<device>/<life>-<number>.obj   an object of a device's log
//! pkv1/<vault>/s/<device>/<number>-<hash>.obj   the root of a snapshot
//! pkv1/<vault>/s/<device>/<hash>.obj            a part of a snapshot
//! pkv1/<vault>/hint                             16 random bytes, others after each change
//! ```
//! Numbers have 8 hexadecimal digits, everything else as many as it has bytes, twice. What is called otherwise is not
//! looked at: folders that are synchronized by other programs have copies with names of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::frame::ObjectHash;
use crate::keys::{DeviceId, VaultId};
use crate::object::LogHead;
use crate::sync::snapshot::SnapshotKey;

/// Makes the names of one vault.
pub(super) struct Layout {
    root: String,
}

/// What something in a store is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StoreName {
    Trust(u32),
    Membership(ObjectHash),
    Log {
        device: DeviceId,
        seq: u32,
        incarnation: u32,
    },
    Snapshot(SnapshotKey),
    SnapshotPart {
        device: DeviceId,
        hash: ObjectHash,
    },
    Hint,
}

impl StoreName {
    pub(super) fn log(device: DeviceId, head: LogHead) -> Self {
        Self::Log {
            device,
            seq: head.seq(),
            incarnation: head.incarnation(),
        }
    }
}

impl Layout {
    pub(super) fn new(vault: VaultId) -> Self {
        Self {
            root: format!("pkv1/{}/", hex(&vault.0)),
        }
    }

    /// Everything of the vault is under this.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn name(&self, name: StoreName) -> String {
        let root = &self.root;
        match name {
            StoreName::Trust(seq) => format!("{root}t/{seq:08x}.obj"),
            StoreName::Membership(hash) => format!("{root}k/{}.obj", hex(&hash.0)),
            StoreName::Log {
                device,
                seq,
                incarnation,
            } => format!("{root}d/{}/{incarnation:08x}-{seq:08x}.obj", hex(&device.0)),
            StoreName::Snapshot(SnapshotKey { author, number, hash }) => {
                format!("{root}s/{}/{number:08x}-{}.obj", hex(&author.0), hex(&hash.0))
            }
            StoreName::SnapshotPart { device, hash } => {
                format!("{root}s/{}/{}.obj", hex(&device.0), hex(&hash.0))
            }
            StoreName::Hint => format!("{root}hint"),
        }
    }

    /// `None` for what [`Self::name`] does not make.
    pub(super) fn parse(&self, name: &str) -> Option<StoreName> {
        let rest = name.strip_prefix(&self.root)?;
        if rest == "hint" {
            return Some(StoreName::Hint);
        }
        let (folder, rest) = rest.strip_suffix(".obj")?.split_once('/')?;
        let parsed = match folder {
            "t" => StoreName::Trust(number(rest)?),
            "k" => StoreName::Membership(ObjectHash(unhex(rest)?)),
            "d" => {
                let (device, place) = rest.split_once('/')?;
                let (incarnation, seq) = place.split_once('-')?;
                StoreName::Log {
                    device: DeviceId(unhex(device)?),
                    seq: number(seq)?,
                    incarnation: number(incarnation)?,
                }
            }
            "s" => {
                let (device, piece) = rest.split_once('/')?;
                let device = DeviceId(unhex(device)?);
                match piece.split_once('-') {
                    Some((place, hash)) => StoreName::Snapshot(SnapshotKey {
                        author: device,
                        number: number(place)?,
                        hash: ObjectHash(unhex(hash)?),
                    }),
                    None => StoreName::SnapshotPart {
                        device,
                        hash: ObjectHash(unhex(piece)?),
                    },
                }
            }
            _ => return None,
        };
        Some(parsed)
    }
}

/// Where a store keeps what says who belongs to a vault: what a device needs that joins it.
pub struct MembershipPlaces(Layout);

impl MembershipPlaces {
    /// Of this vault.
    pub fn of(vault: VaultId) -> Self {
        Self(Layout::new(vault))
    }

    /// The entry of the trust log with this number; the first is 1.
    pub fn entry(&self, number: u32) -> String {
        self.0.name(StoreName::Trust(number))
    }

    /// Below this are the logs of the devices.
    pub fn logs(&self) -> String {
        format!("{}d/", self.0.root())
    }

    /// The newest snapshot of each device, of all that the store has; more than one where that device was put back to a
    /// copy and two of its lives counted the same.
    pub fn newest_snapshots<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<(DeviceId, String)> {
        let listing = Listing::read(&self.0, names);
        let all = || listing.snapshots.iter();
        let newest: BTreeMap<_, _> = all().map(|key| (key.author, key.number)).collect();
        let is_newest = |key: &&SnapshotKey| newest.get(&key.author) == Some(&key.number);
        let name = |key: &SnapshotKey| (key.author, self.0.name(StoreName::Snapshot(*key)));
        all().filter(is_newest).map(name).collect()
    }

    /// Below this are the snapshots of the devices.
    pub fn snapshots(&self) -> String {
        format!("{}s/", self.0.root())
    }

    /// The vault whose trust log begins with what has this name.
    pub fn vault_of_first_entry(name: &str) -> Option<VaultId> {
        let vault = name.strip_prefix("pkv1/")?.strip_suffix("/t/00000001.obj")?;
        let vault = VaultId(unhex(vault)?);
        (Self::of(vault).entry(1) == name).then_some(vault)
    }

    /// The last object of the log of each device, of all that the store has.
    pub fn last_of_logs<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<(DeviceId, String)> {
        let listing = Listing::read(&self.0, names);
        let last = |(device, log): (&DeviceId, &BTreeSet<(u32, u32)>)| {
            let (seq, incarnation) = *log.last()?;
            let name = StoreName::Log {
                device: *device,
                seq,
                incarnation,
            };
            Some((*device, self.0.name(name)))
        };
        listing.logs.iter().filter_map(last).collect()
    }

    /// What is kept under a hash.
    pub fn object(&self, hash: ObjectHash) -> String {
        self.0.name(StoreName::Membership(hash))
    }
}

/// What a store said it has.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) trust: BTreeSet<u32>,
    pub(super) membership: BTreeSet<ObjectHash>,
    /// By device and number; more than one life where something went wrong.
    pub(super) logs: BTreeMap<DeviceId, BTreeSet<(u32, u32)>>,
    pub(super) snapshots: BTreeSet<SnapshotKey>,
    pub(super) parts: BTreeSet<(DeviceId, ObjectHash)>,
}

impl Listing {
    pub(super) fn read<'a>(layout: &Layout, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut listing = Self::default();
        for name in names {
            if let Some(name) = layout.parse(name) {
                listing.add(name);
            }
        }
        listing
    }

    pub(super) fn add(&mut self, name: StoreName) {
        match name {
            StoreName::Trust(seq) => {
                self.trust.insert(seq);
            }
            StoreName::Membership(hash) => {
                self.membership.insert(hash);
            }
            StoreName::Log {
                device,
                seq,
                incarnation,
            } => {
                self.logs.entry(device).or_default().insert((seq, incarnation));
            }
            StoreName::Snapshot(key) => {
                self.snapshots.insert(key);
            }
            StoreName::SnapshotPart { device, hash } => {
                self.parts.insert((device, hash));
            }
            StoreName::Hint => {}
        }
    }

    pub(super) fn has(&self, name: StoreName) -> bool {
        match name {
            StoreName::Trust(seq) => self.trust.contains(&seq),
            StoreName::Membership(hash) => self.membership.contains(&hash),
            StoreName::Log {
                device,
                seq,
                incarnation,
            } => self
                .logs
                .get(&device)
                .is_some_and(|log| log.contains(&(seq, incarnation))),
            StoreName::Snapshot(key) => self.snapshots.contains(&key),
            StoreName::SnapshotPart { device, hash } => self.parts.contains(&(device, hash)),
            StoreName::Hint => false,
        }
    }

    /// What is listed of a device's log after `seq`, in its order, without a gap.
    pub(super) fn after(&self, device: DeviceId, seq: u32) -> Vec<StoreName> {
        let mut names = Vec::new();
        let mut last = seq;
        let Some(log) = self.logs.get(&device) else {
            return names;
        };
        for (seq, incarnation) in log.range((seq + 1, 0)..) {
            if *seq > last + 1 {
                break;
            }
            last = *seq;
            names.push(StoreName::Log {
                device,
                seq: *seq,
                incarnation: *incarnation,
            });
        }
        names
    }

    /// How far a device's log goes on after `seq` without a gap.
    pub(super) fn end_of(&self, device: DeviceId, seq: u32) -> u32 {
        match self.after(device, seq).last() {
            Some(StoreName::Log { seq, .. }) => *seq,
            _ => seq,
        }
    }

    /// The last object of a device's log that is listed.
    pub(super) fn last(&self, device: DeviceId) -> u32 {
        let last = self.logs.get(&device).and_then(BTreeSet::last);
        last.map_or(0, |(seq, _)| *seq)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().copied().all(is_digit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn number(text: &str) -> Option<u32> {
    unhex::<4>(text).map(u32::from_be_bytes)
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([0xd1; 16]);

    fn layout() -> Layout {
        Layout::new(VaultId([0xab; 32]))
    }

    fn log(seq: u32, incarnation: u32) -> StoreName {
        StoreName::Log {
            device: DEVICE,
            seq,
            incarnation,
        }
    }

    #[test]
    fn every_name_is_read_back() {
        let names = [
            StoreName::Trust(0x1f),
            StoreName::Membership(ObjectHash([7; 32])),
            log(3, 0x1234_5678),
            StoreName::Snapshot(SnapshotKey {
                author: DEVICE,
                number: 0x2a,
                hash: ObjectHash([8; 32]),
            }),
            StoreName::SnapshotPart {
                device: DEVICE,
                hash: ObjectHash([9; 32]),
            },
            StoreName::Hint,
        ];
        for name in names {
            assert_eq!(layout().parse(&layout().name(name)), Some(name));
        }
        assert_eq!(
            layout().name(log(2, 1)).strip_prefix(layout().root()),
            Some("d/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/00000001-00000002.obj")
        );
    }

    /// The name of a root whose number is written so.
    fn of_root(number: &str) -> String {
        format!(
            "s/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/{number}-{}.obj",
            "09".repeat(32)
        )
    }

    #[test]
    fn copies_of_other_programs_and_everything_else_is_not_looked_at() {
        let root = layout().root().to_owned();
        for name in [
            "t/0000001.obj",
            "t/0000000A.obj",
            "t/00000001 (1).obj",
            "t/00000001.sync-conflict-20261125-101010-ABCDEFG.obj",
            "t/.00000001.obj.tmp",
            "t/00000001",
            "k/00.obj",
            "d/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/00000001.obj",
            "d/../00000001-00000002.obj",
            "s/00000001.obj",
            "s/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/00000001.obj",
            "s/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/00000001-0909.obj",
            &of_root("0000001"),
            &of_root("00000001-00000001"),
            &of_root("0000000A"),
            "s/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/00000001 (1).obj",
            "s/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/0000000000000001.obj",
            "x/00000001.obj",
            "",
        ] {
            assert_eq!(layout().parse(&format!("{root}{name}")), None, "{name}");
        }
        assert_eq!(layout().parse("t/00000001.obj"), None);
    }

    /// Two lives of a device may have counted the same.
    #[test]
    fn all_roots_with_the_greatest_number_are_the_newest() {
        let root = |number, fill| {
            layout().name(StoreName::Snapshot(SnapshotKey {
                author: DEVICE,
                number,
                hash: ObjectHash([fill; 32]),
            }))
        };
        let names = [root(1, 9), root(2, 1), root(2, 2)];
        let places = MembershipPlaces(layout());
        let newest = places.newest_snapshots(names.iter().map(String::as_str));
        let [_, first, second] = names;
        assert_eq!(newest, [(DEVICE, first), (DEVICE, second)]);
    }

    #[test]
    fn a_log_goes_on_until_something_is_missing() {
        let names: Vec<_> = [log(2, 0), log(3, 0), log(3, 1), log(5, 1)]
            .map(|name| layout().name(name))
            .into();
        let listing = Listing::read(&layout(), names.iter().map(String::as_str));
        assert_eq!(listing.after(DEVICE, 1), [log(2, 0), log(3, 0), log(3, 1)]);
        assert_eq!(listing.after(DEVICE, 0), []);
        assert_eq!(listing.last(DEVICE), 5);
    }
}

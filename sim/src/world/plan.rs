//! From a seed: what kind of world it is, and everything that happens in it. The steps are data, each with a seed of its own for
//! what chance does meanwhile; so a story that went wrong can be made shorter by leaving out steps.

use std::collections::BTreeMap;

use super::store::Fault;
use crate::scenario::Draw;

/// What somebody does, or what happens to a device or the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Register,
    Rename,
    WriteBlob,
    Delete,
    TakeBack,
    Name,
    /// So many requests and answers.
    Work(u32),
    /// Looks at the store, and goes on until there is nothing to do.
    Sync,
    Later(u32),
    Clock(i64),
    Lock,
    Unlock,
    PowerCut,
    Copy,
    PutBack,
    Add,
    Join,
    Revoke,
    ChangePin,
    Rotate,
    Heal,
    Freeze,
    Part,
    Unite,
    Remove,
}

impl Act {
    /// Whether it happens to the store.
    pub(super) fn is_of_store(self) -> bool {
        matches!(self, Self::Freeze | Self::Part | Self::Unite | Self::Remove)
    }

    /// Whether it writes to the device's disk with nothing else at stake.
    pub(super) fn may_lose_power(self) -> bool {
        match self {
            Self::Register
            | Self::Rename
            | Self::WriteBlob
            | Self::Delete
            | Self::TakeBack
            | Self::Name
            | Self::Work(_)
            | Self::Sync
            | Self::Heal => true,
            Self::Later(_)
            | Self::Clock(_)
            | Self::Lock
            | Self::Unlock
            | Self::PowerCut
            | Self::Copy
            | Self::PutBack
            | Self::Add
            | Self::Join
            | Self::Revoke
            | Self::ChangePin
            | Self::Rotate
            | Self::Freeze
            | Self::Part
            | Self::Unite
            | Self::Remove => false,
        }
    }
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// To one of the devices.
    pub(super) device: u32,
    pub(super) act: Act,
    /// The power goes after so many writes.
    pub(super) fuse: Option<u32>,
    pub(super) seed: u64,
}

/// See above.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// How many devices there are at first, …
    pub(super) devices: u32,
    /// … and at most.
    pub(super) devices_max: u32,
    pub(super) has_kit: bool,
    pub(super) keeps_first: bool,
    pub(super) faults: BTreeMap<Fault, u32>,
    /// By how much the clocks are wrong at first.
    pub(super) clocks_ms: Vec<i64>,
    pub(super) steps: Vec<Step>,
}

const FIFTY_YEARS_MS: i64 = 50 * 365 * 86_400_000;

/// A clock that is right, a little wrong, or not to be believed.
fn clock_ms(draw: &mut Draw<'_>) -> i64 {
    let part = i64::from(draw.below(2001)) - 1000;
    match draw.below(4) {
        0 => 0,
        1 => part * 10,
        2 => part * 90_000_000 / 1000,
        _ => part * (FIFTY_YEARS_MS / 1000),
    }
}

impl Plan {
    /// The world of this seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut draw = Draw::from_seed(seed);
        let draw = &mut draw;
        let devices_max = 2 + draw.below(4);
        let mut faults = BTreeMap::new();
        if !draw.once_in(5) {
            for fault in Fault::ALL {
                if draw.once_in(4) {
                    faults.insert(fault, draw.pick(&[6, 15, 40, 100]));
                }
            }
        }
        let keeps_first = !draw.once_in(8);
        let mut weights = weights(draw, keeps_first);
        if seed >= FIRST_OF_ONE_MIND {
            dwell(&mut Draw::from_seed(!seed), &mut weights);
        }
        let count = 30 + draw.below(90);
        Self {
            devices: 1 + draw.below(devices_max),
            devices_max,
            has_kit: draw.once_in(2),
            keeps_first,
            faults,
            clocks_ms: (0..devices_max).map(|_| clock_ms(draw)).collect(),
            steps: (0..count).map(|_| step(draw, &weights)).collect(),
        }
    }
}

/// How often each act occurs in this world: some never, so that others meet more often.
fn weights(draw: &mut Draw<'_>, keeps_first: bool) -> Vec<(Act, u32)> {
    let always = [
        (Act::Register, 12),
        (Act::Rename, 8),
        (Act::Delete, 4),
        (Act::Work(0), 20),
        (Act::Sync, 14),
        (Act::Later(0), 4),
    ];
    let sometimes = [
        (Act::WriteBlob, 4),
        (Act::TakeBack, 6),
        (Act::Name, 1),
        (Act::Clock(0), 2),
        (Act::Lock, 2),
        (Act::Unlock, 3),
        (Act::PowerCut, 3),
        (Act::Copy, 2),
        (Act::PutBack, 2),
        (Act::Heal, 3),
        (Act::Freeze, 2),
        (Act::Part, 2),
        (Act::Unite, 2),
        (Act::Remove, 1),
    ];
    let membership = [
        (Act::Add, 3),
        (Act::Join, 4),
        (Act::Revoke, 2),
        (Act::ChangePin, 2),
        (Act::Rotate, 2),
    ];
    let mut weights: Vec<_> = always.into();
    weights.extend(sometimes.into_iter().filter(|_| draw.once_in(2)));
    // Where two may write one entry of the trust log, the rule that decides is not asked yet: vault/SYNC.md §8.
    weights.extend(membership.into_iter().filter(|_| keeps_first && draw.once_in(2)));
    weights
}

/// Worlds from this seed on dwell on a few acts. Those before are as they were when some of them found something.
const FIRST_OF_ONE_MIND: u64 = 2000;

/// Some acts occur much more often in this world, and meet each other.
fn dwell(draw: &mut Draw<'_>, weights: &mut [(Act, u32)]) {
    for _ in 0..draw.below(4) {
        let count = u32::try_from(weights.len()).unwrap_or(1);
        let chosen = usize::try_from(draw.below(count)).unwrap_or(0);
        if let Some((_, weight)) = weights.get_mut(chosen) {
            *weight *= 8;
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only these have an argument")]
fn step(draw: &mut Draw<'_>, weights: &[(Act, u32)]) -> Step {
    let mut left = draw.below(weights.iter().map(|(_, weight)| weight).sum());
    let chosen = weights.iter().find(|(_, weight)| {
        let found = left < *weight;
        left = left.saturating_sub(*weight);
        found
    });
    let act = match chosen.map_or(Act::Sync, |(act, _)| *act) {
        Act::Work(_) => Act::Work(1 + draw.below(12)),
        Act::Later(_) => {
            let seconds = draw.pick(&[2, 60, 900, 86_400, 31 * 86_400]);
            Act::Later(seconds)
        }
        Act::Clock(_) => Act::Clock(clock_ms(draw)),
        act => act,
    };
    Step {
        device: draw.below(64),
        act,
        fuse: draw.maybe(12, |draw| draw.below(30)),
        seed: u64::from(draw.below(u32::MAX)) << 32 | u64::from(draw.below(u32::MAX)),
    }
}

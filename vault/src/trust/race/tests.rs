//! "Mutation" says which defence was taken out to see the test fail.

use proptest::prelude::*;
use std::sync::OnceLock;

use super::*;
use crate::object::LogHead;
use crate::testing::TestRng;
use crate::testing::home::{DEVICE, Home, NEXT_PIN, Step, kit, new_pin, steps};
use crate::testing::house::{House, Newcomer, SECOND, THIRD};
use crate::{Change, Here, KeyAuth, RightPin, SoftwareKeys, Unlocked, recover};
use rand_core::CryptoRng;

const FOURTH: DeviceId = DeviceId([0xd4; 16]);

type Make<'a> = &'a dyn Fn(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change;

fn rotates(unlocked: &Unlocked, here: &mut Here<'_>, pin: RightPin, rng: &mut dyn CryptoRng) -> Change {
    unlocked.rotate(here, pin, None, rng).unwrap()
}

fn renews_kit(unlocked: &Unlocked, here: &mut Here<'_>, pin: RightPin, rng: &mut dyn CryptoRng) -> Change {
    unlocked.renew_kit(here, pin, &kit(2), rng).unwrap()
}

fn adds_fourth(unlocked: &Unlocked, here: &mut Here<'_>, pin: RightPin, rng: &mut dyn CryptoRng) -> Change {
    let new = Newcomer::new(FOURTH).new;
    unlocked.add_device(here, pin, &new, rng).unwrap()
}

fn removes(device: DeviceId) -> impl Fn(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change {
    move |unlocked, here, pin, rng| {
        let last = LogHead::START;
        unlocked.revoke(here, pin, (device, last), None, rng).unwrap()
    }
}

/// Vaults that went different ways from the same beginning, with all entries that they have.
struct Found {
    vault: VaultId,
    entries: Vec<Vec<u8>>,
}

impl Found {
    fn of(ways: &[&House]) -> Self {
        let all = ways.iter().flat_map(|house| house.store.entries());
        let all: BTreeSet<Vec<u8>> = all.map(<[u8]>::to_vec).collect();
        Self {
            vault: ways[0].trust().vault(),
            entries: all.into_iter().collect(),
        }
    }

    fn choose(&self, pinned: Option<Remembered>) -> Result<Chosen, NotSettled> {
        Trust::choose(self.vault, self.entries.iter().map(Vec::as_slice), pinned)
    }
}

fn went(house: &House, by: DeviceId, make: Make<'_>) -> House {
    house.clone().changed(by, make)
}

#[test]
fn without_a_race_all_entries_are_in_force() {
    let house = went(&House::of_three(), SECOND, &rotates);
    let chosen = Found::of(&[&house]).choose(None).unwrap();
    assert_eq!(chosen.trust, house.trust());
    assert_eq!(chosen.entries.len(), house.store.entries().len());
    assert!(chosen.passed_over.is_empty());
}

/// R-07 race without conditional creation. Two devices write an entry with the same number; every device comes to the same
/// end, the loser writes its own again after that. Mutation: the rank not compared in `pick`; the hash not compared.
#[test]
fn race_without_conditional_creation() {
    let house = House::of_three();
    let cases: [(Make<'_>, Make<'_>); 3] = [
        (&removes(THIRD), &rotates),
        (&removes(THIRD), &adds_fourth),
        (&rotates, &adds_fourth),
    ];
    for (stronger, weaker) in cases {
        // Whichever hash is the lesser one.
        for (one, two) in [(DEVICE, SECOND), (SECOND, DEVICE)] {
            let (winner, loser) = (went(&house, one, stronger), went(&house, two, weaker));
            let chosen = Found::of(&[&winner, &loser]).choose(None).unwrap();
            assert_eq!(chosen.trust, winner.trust());
            let passed_over = BTreeSet::from([loser.trust().remembered().head]);
            assert_eq!(chosen.passed_over, passed_over);
            // What was done after that stands against the loser, too.
            let longer = went(&winner, two, &renews_kit);
            let chosen = Found::of(&[&longer, &loser]).choose(None).unwrap();
            assert_eq!(chosen.trust, longer.trust());
        }
    }
    // Of two of the same kind the one with the lesser hash.
    let kinds: [Make<'_>; 3] = [&rotates, &renews_kit, &removes(THIRD)];
    for make in kinds {
        let ways = [DEVICE, SECOND].map(|by| went(&house, by, make));
        let chosen = Found::of(&[&ways[0], &ways[1]]).choose(None).unwrap();
        let least = ways.iter().map(|house| house.trust().remembered().head).min();
        assert_eq!(Some(chosen.trust.remembered().head), least);
    }
}

/// R-07, the other half: where a store never keeps two entries of one number, the second one is not even looked at.
#[test]
fn what_is_pinned_stays_in_force() {
    let house = House::of_three();
    let (first, second) = (
        went(&house, SECOND, &adds_fourth),
        went(&house, DEVICE, &removes(THIRD)),
    );
    let found = Found::of(&[&first, &second]);
    assert_eq!(found.choose(None).unwrap().trust, second.trust());
    let pinned = first.trust().remembered();
    assert_eq!(found.choose(Some(pinned)).unwrap().trust, first.trust());
    let gone = Found::of(&[&second]).choose(Some(pinned));
    assert_eq!(gone, Err(NotSettled::Trust(NotTrusted::RolledBack)));
    let earlier = house.trust().remembered();
    assert_eq!(found.choose(Some(earlier)), found.choose(None));
}

/// K-08 revoked device and hostile store. The store shows the removal of a device beside an entry of that device which adds an
/// accomplice: at the same number, after another entry of its own, or before the removal was written. Nobody
/// takes the accomplice in; where the user chose the removal, that is in force. Mutation: `contends` answers `false`; it compares
/// the first entries only.
#[test]
fn revoked_device_and_hostile_store() {
    let house = House::of_three();
    let removed = went(&house, DEVICE, &removes(THIRD));
    let removed_later = went(&went(&house, DEVICE, &renews_kit), SECOND, &removes(THIRD));
    let adds = went(&house, THIRD, &adds_fourth);
    let adds_later = went(&went(&house, THIRD, &rotates), THIRD, &adds_fourth);
    let strikes_back = went(&went(&house, THIRD, &removes(DEVICE)), THIRD, &adds_fourth);
    for ours in [&removed, &removed_later] {
        for theirs in [&adds, &adds_later, &strikes_back] {
            let found = Found::of(&[ours, theirs]);
            let Err(NotSettled::Frozen(contenders)) = found.choose(None) else {
                panic!("it was settled without the user");
            };
            assert_eq!(contenders.len(), 2);
            // The user chooses, on a device that stays.
            let chosen: Vec<_> = contenders
                .iter()
                .map(|entry| found.choose(Some(*entry)).unwrap().trust)
                .collect();
            assert!(chosen.contains(&ours.trust()) && chosen.contains(&theirs.trust()));
            let pinned = ours.trust().remembered();
            assert!(found.choose(Some(pinned)).unwrap().trust.member(FOURTH).is_none());
        }
        // After it was removed nothing that it signs is an entry at all.
        let after = Found::of(&[&went(ours, SECOND, &renews_kit), ours]);
        assert!(after.choose(None).unwrap().passed_over.is_empty());
    }
    // It does not help to have the removal lose: the store lets its own entry be the lesser one.
    let two = [
        went(&house, DEVICE, &removes(THIRD)),
        went(&house, THIRD, &removes(SECOND)),
    ];
    assert!(matches!(
        Found::of(&[&two[0], &two[1]]).choose(None),
        Err(NotSettled::Frozen(_))
    ));
}

/// The vault was taken over with its kit on a device that was never there, which has these keys.
fn taken_over(house: &House, seed: u64) -> House {
    let rng = &mut TestRng(seed << 41);
    let auth = KeyAuth::random(rng);
    let mut here = Here {
        device: FOURTH,
        store: &mut SoftwareKeys::generate(&auth, rng),
        time: 9,
    };
    let object = |hash| house.store.object(hash);
    let kits = (&kit(1), &BTreeMap::new());
    let new = (&new_pin(NEXT_PIN), &kit(2));
    let change = recover(&house.trust(), kits, &object, (&mut here, &auth), new, rng).unwrap();
    let mut house = house.clone();
    for step in steps(change) {
        house.apply(FOURTH, step);
    }
    house
}

/// K-08 for a kit that somebody found: a recovery is not in force beside anything else, and of two neither. Mutation: `recovers`
/// not looked at in `contends`.
#[test]
fn a_recovery_contends_with_everything() {
    let house = House::of_three();
    let taken = taken_over(&house, 1);
    let removed = went(&house, DEVICE, &removes(THIRD));
    let others = [
        went(&house, DEVICE, &renews_kit),
        removed.clone(),
        taken_over(&house, 2),
    ];
    for other in &others {
        let found = Found::of(&[&taken, other]);
        assert!(matches!(found.choose(None), Err(NotSettled::Frozen(_))));
        for chosen in [&taken, other] {
            let pinned = chosen.trust().remembered();
            assert_eq!(found.choose(Some(pinned)).unwrap().trust, chosen.trust());
        }
    }
    // One that came later is one like any other entry.
    let later = taken_over(&removed, 1);
    let chosen = Found::of(&[&removed, &later]).choose(None).unwrap();
    assert_eq!(chosen.trust, later.trust());
}

#[test]
fn another_vault_and_what_is_no_entry_are_not_looked_at() {
    let house = House::of_three();
    let mut found = Found::of(&[&house]);
    let expected = found.choose(None);
    found.entries.push(Vec::new());
    found.entries.push(b"conflicted copy".to_vec());
    let other = steps(Home::creation(2));
    for step in other {
        if let Step::Put(_, bytes) = step {
            found.entries.push(bytes);
        }
    }
    let mut cut = found.entries[1].clone();
    cut.pop();
    found.entries.push(cut);
    assert_eq!(found.choose(None), expected);
    let nothing = Trust::choose(found.vault, [], None);
    assert!(matches!(
        nothing,
        Err(NotSettled::Trust(NotTrusted::Entry { seq: 1, .. }))
    ));
}

/// A vault with races, and one that is frozen.
fn found() -> &'static [Found; 2] {
    static FOUND: OnceLock<[Found; 2]> = OnceLock::new();
    FOUND.get_or_init(|| {
        let house = House::of_three();
        let (one, two) = (went(&house, DEVICE, &renews_kit), went(&house, SECOND, &rotates));
        let (three, four) = (
            went(&two, THIRD, &adds_fourth),
            went(&two, DEVICE, &removes(SECOND)),
        );
        let raced = Found::of(&[&one, &went(&one, SECOND, &rotates), &three]);
        let frozen = Found::of(&[&one, &went(&two, SECOND, &rotates), &four]);
        [raced, frozen]
    })
}

#[test]
fn the_vaults_of_the_next_test_are_one_with_a_race_and_one_that_is_frozen() {
    let [raced, frozen] = found();
    assert!(!raced.choose(None).unwrap().passed_over.is_empty());
    assert!(matches!(frozen.choose(None), Err(NotSettled::Frozen(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// In whatever order entries come, once or more often, the end is the same. Mutation: the first that comes wins in `pick`.
    #[test]
    fn any_order_of_delivery_gives_the_same(order in any::<[prop::sample::Index; 24]>(), raced: bool) {
        let [raced_one, frozen] = found();
        let found = if raced { raced_one } else { frozen };
        let mut shuffled: Vec<&[u8]> = order.iter().map(|at| at.get(&found.entries).as_slice()).collect();
        // And those that were not drawn.
        shuffled.extend(found.entries.iter().map(Vec::as_slice));
        prop_assert_eq!(Trust::choose(found.vault, shuffled, None), found.choose(None));
    }

    /// The reader of entries takes what it is given apart and never panics: true entries with changed bytes.
    #[test]
    fn changed_entries_do_no_harm(at: prop::sample::Index, byte: prop::sample::Index, value: u8, len: prop::sample::Index) {
        let [found, _] = found();
        let entry = at.get(&found.entries);
        let mut changed = entry.clone();
        *byte.get_mut(&mut changed) = value;
        changed.truncate(len.index(entry.len()) + 1);
        if changed != *entry {
            let chosen = Trust::choose(found.vault, [changed.as_slice()], None);
            prop_assert!(chosen.is_err());
            let with = found.entries.iter().map(Vec::as_slice).chain([changed.as_slice()]);
            prop_assert_eq!(Trust::choose(found.vault, with, None), found.choose(None));
        }
    }
}

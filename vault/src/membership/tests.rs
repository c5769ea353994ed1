//! "Mutation" says which defence was taken out to see the test fail.

mod devices;

use super::*;
use crate::cbor::Writer;
use crate::testing::TestRng;
use crate::testing::home::{DEVICE, Home, NEXT_PIN, PIN, Step, kit, new_pin, steps};
use crate::{NotTrusted, SoftwareKeys};

type Make = fn(&Unlocked, &mut Here<'_>, RightPin, &mut dyn CryptoRng) -> Change;

fn change_pin(unlocked: &Unlocked, here: &mut Here<'_>, pin: RightPin, rng: &mut dyn CryptoRng) -> Change {
    unlocked.change_pin(here, pin, &new_pin(NEXT_PIN), rng).unwrap()
}

fn rotate(unlocked: &Unlocked, here: &mut Here<'_>, pin: RightPin, rng: &mut dyn CryptoRng) -> Change {
    unlocked.rotate(here, pin, None, rng).unwrap()
}

fn rotate_with_pin(
    unlocked: &Unlocked,
    here: &mut Here<'_>,
    pin: RightPin,
    rng: &mut dyn CryptoRng,
) -> Change {
    unlocked.rotate(here, pin, Some(&new_pin(NEXT_PIN)), rng).unwrap()
}

fn renew_kit(unlocked: &Unlocked, here: &mut Here<'_>, pin: RightPin, rng: &mut dyn CryptoRng) -> Change {
    unlocked.renew_kit(here, pin, &kit(2), rng).unwrap()
}

/// Recovery on another device, with the files of this one.
fn recovery(home: &Home, with: &RecoveryKit) -> Result<Change, NotChanged> {
    let rng = &mut TestRng(1 << 41);
    let auth = KeyAuth::random(rng);
    let mut keys = SoftwareKeys::generate(&auth, rng);
    let mut here = Here {
        device: DEVICE,
        store: &mut keys,
        time: 4,
    };
    let object = |hash| home.object(hash);
    recover(
        &home.trust(),
        (with, &BTreeMap::new()),
        &object,
        (&mut here, &auth),
        (&new_pin(NEXT_PIN), &kit(2)),
        rng,
    )
}

fn root(unlocked: &Unlocked, epoch: u32) -> Option<[u8; 32]> {
    unlocked.roots.get(&epoch).map(|root| *root.expose_secret())
}

#[test]
fn a_new_vault_opens_with_its_pin_alone() {
    let home = Home::new();
    let unlocked = home.open(PIN).unwrap();
    assert_eq!(
        (unlocked.trust().epoch(), unlocked.trust().pin_generation()),
        (1, 1)
    );
    assert!(unlocked.key(1).is_some() && unlocked.key(2).is_none());
    assert_eq!(home.open(NEXT_PIN).err(), Some(NotOpened::WrongPin));
}

#[test]
fn a_vault_needs_no_kit() {
    let rng = &mut TestRng(1);
    let auth = KeyAuth::random(rng);
    let mut keys = SoftwareKeys::generate(&auth, rng);
    let mut here = Here {
        device: DEVICE,
        store: &mut keys,
        time: 1,
    };
    let mut home = Home::default();
    let created = create(&mut here, &auth, &new_pin(PIN), None, rng).unwrap();
    for step in steps(created.change) {
        home.apply(step);
    }
    assert!(home.open(PIN).is_ok());
    assert_eq!(
        recovery(&home, &kit(1)).err(),
        Some(NotChanged::Keys(NotOpened::WrongKit))
    );
}

#[test]
fn after_another_pin_the_old_one_opens_nothing_and_the_root_key_is_the_same() {
    let home = Home::new();
    let before = root(&home.open(PIN).unwrap(), 1);
    let home = home.changed(PIN, change_pin);
    assert_eq!(home.open(PIN).err(), Some(NotOpened::WrongPin));
    assert_eq!(root(&home.open(NEXT_PIN).unwrap(), 1), before);
}

#[test]
fn after_a_rotation_there_is_another_root_key_and_the_old_ones_are_kept() {
    let home = Home::new();
    let first = root(&home.open(PIN).unwrap(), 1);
    let home = home.changed(PIN, rotate).changed(PIN, rotate_with_pin);
    let unlocked = home.open(NEXT_PIN).unwrap();
    assert_eq!(unlocked.trust().epoch(), 3);
    assert_eq!(root(&unlocked, 1), first);
    let roots: BTreeSet<_> = (1..=3).map(|epoch| root(&unlocked, epoch)).collect();
    assert_eq!(roots.len(), 3);
}

#[test]
fn a_kit_recovers_the_vault_on_a_clean_machine() {
    let mut home = Home::new().changed(PIN, rotate);
    let (first, second) = {
        let unlocked = home.open(PIN).unwrap();
        (root(&unlocked, 1), root(&unlocked, 2))
    };
    home.0.retain(|name, _| !matches!(name, Name::DeviceKeys(_)));
    for step in steps(recovery(&home, &kit(1)).unwrap()) {
        home.apply(step);
    }
    let unlocked = home.open(NEXT_PIN).unwrap();
    assert_eq!((root(&unlocked, 1), root(&unlocked, 2)), (first, second));
    assert_eq!(unlocked.trust().epoch(), 3);
    // The kit was used up: the vault has another root key, and another kit.
    assert_eq!(
        recovery(&home, &kit(1)).err(),
        Some(NotChanged::Keys(NotOpened::WrongKit))
    );
    assert!(recovery(&home, &kit(2)).is_ok());
}

/// K-09 recovery kit of another vault. Mutation: no comparison of the kit's keys with the trust log's in `recover`
/// (then the error is another one), and none of the slot's hash with the list (then a slot that was brought along opens).
#[test]
fn kit_of_another_vault() {
    let (home, kits) = (Home::new(), [kit(2), kit(3)]);
    for kit in &kits {
        assert_eq!(
            recovery(&home, kit).err(),
            Some(NotChanged::Keys(NotOpened::WrongKit))
        );
    }
    // Another vault of the same kit: its slot is not listed here.
    let mut other = Home::default();
    for step in steps(Home::creation(2)) {
        other.apply(step);
    }
    let foreign = other.object(other.trust().recovery_slot().unwrap()).unwrap();
    let mut home = home;
    let slot = home.trust().recovery_slot().unwrap();
    home.0.insert(Name::Object(slot), foreign);
    assert_eq!(
        recovery(&home, &kit(1)).err(),
        Some(NotChanged::Keys(NotOpened::Slot(Refused::Misplaced)))
    );
}

#[test]
fn after_another_kit_the_old_one_recovers_nothing() {
    let home = Home::new().changed(PIN, renew_kit);
    assert_eq!(
        recovery(&home, &kit(1)).err(),
        Some(NotChanged::Keys(NotOpened::WrongKit))
    );
    assert!(recovery(&home, &kit(2)).is_ok());
    assert!(home.open(PIN).is_ok());
}

/// K-11 crash. After every prefix of the writes of every change, the vault is in the old state or in the new one:
/// exactly one of the two PINs opens it, one of the two kits recovers it, and no root key is lost. Mutation: the commit
/// written first, or what is removed removed before the commit.
#[test]
fn crash_at_each_step() {
    let changes: [(Make, &str, u64); 4] = [
        (change_pin, NEXT_PIN, 1),
        (rotate, PIN, 1),
        (rotate_with_pin, NEXT_PIN, 1),
        (renew_kit, PIN, 2),
    ];
    for (make, pin_after, kit_after) in changes {
        let home = Home::new().changed(PIN, rotate);
        let steps = steps(home.change(PIN, make));
        assert_safe_at_each_step(home, steps, pin_after, kit_after);
    }
    let home = Home::new().changed(PIN, rotate);
    let steps = steps(recovery(&home, &kit(1)).unwrap());
    assert_safe_at_each_step(home, steps, NEXT_PIN, 2);
}

fn assert_safe_at_each_step(mut home: Home, steps: Vec<Step>, pin_after: &str, kit_after: u64) {
    let before = home.trust();
    let old: Vec<_> = (1..=2)
        .map(|epoch| root(&home.open(PIN).unwrap(), epoch))
        .collect();
    let count = steps.len();
    let mut committed = false;
    for step in steps {
        committed |= matches!(step, Step::Put(Name::Entry(_), _));
        home.apply(step);
        let (pin, kit_number) = if committed {
            (pin_after, kit_after)
        } else {
            (PIN, 1)
        };
        assert_eq!(home.trust() != before, committed);
        let unlocked = home.open(pin).unwrap();
        let kept: Vec<_> = (1..=2).map(|epoch| root(&unlocked, epoch)).collect();
        assert_eq!(kept, old);
        assert!(recovery(&home, &kit(kit_number)).is_ok());
        for other in [PIN, NEXT_PIN].into_iter().filter(|other| *other != pin) {
            assert_eq!(home.open(other).err(), Some(NotOpened::WrongPin));
        }
    }
    assert!(committed && count > 2);
}

/// K-11 for a vault that is being made: there is none before the last write. Mutation: the commit written first.
#[test]
fn crash_while_a_vault_is_made() {
    let mut home = Home::default();
    let steps = steps(Home::creation(1));
    let last = steps.len() - 1;
    for (at, step) in steps.into_iter().enumerate() {
        home.apply(step);
        let epoch = home.try_trust().map(|trust| trust.epoch());
        match at {
            at if at == last => assert_eq!(epoch, Ok(1)),
            _ => assert!(matches!(epoch, Err(NotTrusted::Entry { .. }) | Ok(0))),
        }
    }
    assert!(home.open(PIN).is_ok());
}

#[test]
fn damage_to_anything_kept_is_noticed() {
    let home = Home::new().changed(PIN, rotate);
    let used =
        |name: &Name| !matches!(name, Name::Object(hash) if Some(*hash) == home.trust().recovery_slot());
    for name in home.0.keys().filter(|name| used(name)) {
        let len = home.0[name].len();
        for at in [0, 11, 20, len / 2, len - 1] {
            let mut damaged = home.clone();
            damaged.0.get_mut(name).unwrap()[at] ^= 0x10;
            let opens = damaged.try_trust().is_ok()
                && SoftwareKeys::from_bytes(&damaged.0[&Name::DeviceKeys(1)]).is_some()
                && damaged.open(PIN).is_ok();
            assert!(!opens, "{name:?}, byte {at}");
        }
    }
}

#[test]
fn earlier_keys_are_each_there_once_in_order() {
    let encoded = |epochs: &[u32]| {
        let mut payload = Vec::new();
        let mut out = Writer(&mut payload);
        out.map(1).unsigned(1).array(epochs.len().try_into().unwrap());
        for epoch in epochs {
            out.array(2).unsigned(u64::from(*epoch)).bytes(&[7; 32]);
        }
        payload
    };
    assert_eq!(decode_earlier(&encoded(&[1, 2])).unwrap().len(), 2);
    for wrong in [&[2, 1][..], &[1, 1]] {
        assert!(decode_earlier(&encoded(wrong)).is_none());
    }
    assert!(decode_earlier(&[&encoded(&[1])[..], &[0]].concat()).is_none());
    let roots = decode_earlier(&encoded(&[1, 2, 300])).unwrap();
    assert_eq!(encode_earlier(&roots).as_slice(), encoded(&[1, 2, 300]));
}

//! More than one device.

use std::collections::BTreeSet;

use super::*;
use crate::keys::VaultId;
use crate::object::seal;
use crate::slot::open_slot_with;
use crate::testing::home::Step;
use crate::testing::house::{House, Newcomer, SECOND, THIRD};
use crate::trust::Transcript;
use crate::{KeyStore, NotJoined};

const LAST: LogHead = LogHead::START;

fn add(house: House, by: DeviceId, newcomer: &Newcomer) -> House {
    house.changed(by, |unlocked, here, pin, rng| {
        unlocked.add_device(here, pin, &newcomer.new, rng).unwrap()
    })
}

fn revoke(house: House, by: DeviceId, device: DeviceId) -> House {
    house.changed(by, |unlocked, here, pin, rng| {
        unlocked.revoke(here, pin, (device, LAST), None, rng).unwrap()
    })
}

/// Recovery on a device that was never there.
fn recovered(house: &House, accepted: &BTreeMap<DeviceId, LogHead>) -> Result<Change, NotChanged> {
    let rng = &mut TestRng(1 << 41);
    let auth = KeyAuth::random(rng);
    let mut keys = SoftwareKeys::generate(&auth, rng);
    let mut here = Here {
        device: DeviceId([0xd4; 16]),
        store: &mut keys,
        time: 9,
    };
    let object = |hash| house.store.object(hash);
    let kits = (&kit(1), accepted);
    let new = (&new_pin(NEXT_PIN), &kit(2));
    recover(&house.trust(), kits, &object, (&mut here, &auth), new, rng)
}

fn roots(unlocked: &Unlocked) -> Vec<Option<[u8; 32]>> {
    (1..=unlocked.trust().epoch())
        .map(|epoch| root(unlocked, epoch))
        .collect()
}

#[test]
fn every_device_opens_the_vault_with_the_same_pin_and_finds_the_same_root_keys() {
    let house = House::of_three().changed(SECOND, rotate).changed(DEVICE, rotate);
    let expected = roots(&house.open(DEVICE, PIN).unwrap());
    assert_eq!(expected.len(), 3);
    for device in [SECOND, THIRD] {
        assert_eq!(roots(&house.open(device, PIN).unwrap()), expected);
        assert_eq!(house.open(device, NEXT_PIN).err(), Some(NotOpened::WrongPin));
    }
    assert_eq!(
        house.trust().transcript(THIRD),
        Some(Newcomer::new(THIRD).new.transcript)
    );
}

#[test]
fn a_device_joins_what_was_rotated_and_got_another_pin_since_it_was_added() {
    let mut newcomer = Newcomer::new(SECOND);
    let house = add(House::new().changed(DEVICE, rotate), DEVICE, &newcomer);
    let invitation = newcomer.invitation(&house.trust());
    let house = house.changed(DEVICE, rotate_with_pin);
    assert_eq!(
        newcomer.join(&invitation, &house.store, PIN).err(),
        Some(NotJoined::Keys(NotOpened::WrongPin))
    );
    let joined = newcomer.join(&invitation, &house.store, NEXT_PIN).unwrap();
    assert_eq!(joined.device_keys.0, 2);
    assert_eq!(
        roots(&joined.unlocked),
        roots(&house.open(DEVICE, NEXT_PIN).unwrap())
    );
}

#[test]
fn another_device_catches_up_with_another_pin_by_both() {
    let house = House::of_three().changed(DEVICE, change_pin);
    let catch_up = |house: &House, earlier, pin| {
        let mut keys = SoftwareKeys::from_bytes(&house.keys[&(SECOND, 1)]).unwrap();
        let mut here = Here {
            device: SECOND,
            store: &mut keys,
            time: 5,
        };
        let (earlier, pin) = (VaultPin::typed(earlier).unwrap(), VaultPin::typed(pin).unwrap());
        let earlier = EarlierPin {
            generation: 1,
            pin: &earlier,
        };
        let guess = (&pin, Counted::for_test());
        let object = |hash| house.store.object(hash);
        Unlocked::catch_up(
            house.trust(),
            &mut here,
            earlier,
            guess,
            &object,
            &mut TestRng(8 << 50),
        )
    };
    for (earlier, pin) in [(NEXT_PIN, NEXT_PIN), (PIN, PIN), (NEXT_PIN, PIN)] {
        assert_eq!(catch_up(&house, earlier, pin).err(), Some(NotOpened::WrongPin));
    }
    // The PIN may have changed more than once meanwhile.
    let third = "a third passphrase";
    let mut house = House {
        pin: NEXT_PIN,
        ..house
    }
    .changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.rotate(here, pin, Some(&new_pin(third)), rng).unwrap()
    });
    let caught_up = catch_up(&house, PIN, third).unwrap();
    let (generation, keys) = caught_up.device_keys;
    house.keys.insert((SECOND, generation), keys);
    assert_eq!(
        roots(&house.open(SECOND, third).unwrap()),
        roots(&caught_up.guess.unlocked)
    );
}

#[test]
fn an_open_vault_follows_other_devices_without_its_pin() {
    let before = House::of_three();
    let mut unlocked = before.open(SECOND, PIN).unwrap();
    let mut keys = before.keys(SECOND);
    let mut follow = |house: &House| {
        let mut here = Here {
            device: SECOND,
            store: &mut keys,
            time: 5,
        };
        let object = |hash| house.store.object(hash);
        unlocked
            .follow(house.trust(), &mut here, &object)
            .map(|()| roots(&unlocked))
    };
    let rotated = before.clone().changed(THIRD, rotate);
    assert_eq!(follow(&rotated), Ok(roots(&rotated.open(DEVICE, PIN).unwrap())));
    let smaller = revoke(rotated, DEVICE, THIRD);
    assert_eq!(follow(&smaller), Ok(roots(&smaller.open(DEVICE, PIN).unwrap())));
    assert_eq!(
        follow(&smaller.clone().changed(DEVICE, change_pin)),
        Err(NotOpened::WrongPin)
    );
    assert_eq!(
        follow(&revoke(smaller, DEVICE, SECOND)),
        Err(NotOpened::Slot(Refused::NotAMember))
    );
}

#[test]
fn a_device_is_not_added_twice_and_not_revoked_by_itself_or_when_it_is_none() {
    let house = House::of_three();
    let try_change =
        |house: &House, by, make: &dyn Fn(&Unlocked, &mut Here<'_>, RightPin) -> Option<NotChanged>| {
            let (unlocked, pin) = house.open_with_evidence(by, PIN).unwrap();
            let mut here = Here {
                device: by,
                store: &mut house.keys(by),
                time: 5,
            };
            make(&unlocked, &mut here, pin)
        };
    let again = |unlocked: &Unlocked, here: &mut Here<'_>, pin| {
        let new = Newcomer::new(THIRD).new;
        unlocked.add_device(here, pin, &new, &mut TestRng(3)).err()
    };
    let without = |device| {
        move |unlocked: &Unlocked, here: &mut Here<'_>, pin| {
            unlocked
                .revoke(here, pin, (device, LAST), None, &mut TestRng(3))
                .err()
        }
    };
    let misplaced = Some(NotChanged::Refused(Refused::Misplaced));
    assert_eq!(try_change(&house, DEVICE, &again), misplaced);
    assert_eq!(try_change(&house, DEVICE, &without(DEVICE)), misplaced);
    let nobody = Some(NotChanged::Refused(Refused::NotAMember));
    assert_eq!(try_change(&house, DEVICE, &without(DeviceId([9; 16]))), nobody);
    let house = revoke(house, DEVICE, THIRD);
    assert_eq!(try_change(&house, SECOND, &again), misplaced);
    assert_eq!(try_change(&house, SECOND, &without(THIRD)), nobody);
}

// --- joining ----------------------------------------------------------------------------------------------------------

#[test]
fn a_device_joins_no_vault_that_says_something_else_than_its_invitation() {
    let mut newcomer = Newcomer::new(SECOND);
    let house = add(House::new(), DEVICE, &newcomer);
    let invitation = newcomer.invitation(&house.trust());
    let other_vault = Invitation {
        vault: VaultId([9; 32]),
        ..invitation
    };
    // Somebody else was in the middle: the other device heard another conversation.
    let other_conversation = Invitation {
        transcript: Transcript([9; 32]),
        ..invitation
    };
    let refused = |newcomer: &mut Newcomer, invitation, house: &House| {
        newcomer.join(&invitation, &house.store, PIN).err()
    };
    assert_eq!(
        refused(&mut newcomer, other_vault, &house),
        Some(NotJoined::OtherVault)
    );
    assert_eq!(
        refused(&mut newcomer, other_conversation, &house),
        Some(NotJoined::NotAdded)
    );
    // The store shows less than there was, or something else.
    assert_eq!(
        refused(&mut newcomer, invitation, &House::new()),
        Some(NotJoined::Trust(NotTrusted::RolledBack))
    );
    assert_eq!(
        refused(&mut newcomer, invitation, &House::new().changed(DEVICE, rotate)),
        Some(NotJoined::Trust(NotTrusted::Forked))
    );
    // Another device was added in its place.
    let other = Newcomer::new(THIRD);
    let house = add(House::new(), DEVICE, &other);
    let invitation = newcomer.invitation(&house.trust());
    assert_eq!(
        refused(&mut newcomer, invitation, &house),
        Some(NotJoined::NotAdded)
    );
}

/// A whole vault made by whoever was in the middle of the pairing and got past it: without the Vault PIN he cannot make a
/// slot that opens with it. Mutation: the commitment not compared and the tag not checked in the PIN layer.
#[test]
fn a_false_vault_does_not_open_with_the_users_pin() {
    let mut newcomer = Newcomer::new(SECOND);
    let theirs = House {
        pin: NEXT_PIN,
        ..House::new().changed(DEVICE, change_pin)
    };
    let house = add(theirs, DEVICE, &newcomer);
    let invitation = newcomer.invitation(&house.trust());
    assert_eq!(
        newcomer.join(&invitation, &house.store, PIN).err(),
        Some(NotJoined::Keys(NotOpened::WrongPin))
    );
}

// --- attacks ----------------------------------------------------------------------------------------------------------

/// What an object of this kind is closed to, if it is a slot.
fn recipient_in(slot: &[u8]) -> [u8; 32] {
    // The last 32 bytes of the header.
    let header_len = usize::try_from(u32::from_be_bytes(slot[8..12].try_into().unwrap())).unwrap();
    slot[12 + header_len - 32..12 + header_len].try_into().unwrap()
}

/// K-01 slot substitution, where there are several devices. The store gives a device a slot with another root key: one that
/// it made and signed with keys of its own, one that a member made but no entry lists, and the slot of another device.
/// Mutation: the hash not compared with the list in `InForce::read`.
#[test]
fn slot_substitution_among_devices() {
    let house = House::of_three();
    let slot_of = |house: &House, device| house.trust().device_slot(device).unwrap();
    let listed = slot_of(&house, SECOND);
    let false_slot = |store: &mut dyn KeyStore, auth: &KeyAuth| {
        let mut here = Here {
            device: DEVICE,
            store,
            time: 5,
        };
        let root = Secret::random(&mut TestRng(5));
        let kdf = house.trust().kdf().unwrap();
        let keys = Keys {
            epoch: 1,
            root: &root,
            pin_generation: 1,
            kdf,
            pin: &kdf.stretch(&VaultPin::typed(PIN).unwrap()).unwrap(),
        };
        let mut writing = Writing::new(&house.trust(), &mut here, auth);
        let public = house.trust().member(SECOND).unwrap().clone();
        let target = Target::Device(SECOND);
        writing.slot(target, &public, &keys, &mut TestRng(6)).unwrap();
        writing.before.remove(0).1
    };
    let mut stranger = Newcomer::new(DeviceId([0xe5; 16]));
    let of_stranger = false_slot(&mut stranger.keys, &stranger.auth);
    let of_member = false_slot(&mut house.keys(DEVICE), &house.open(DEVICE, PIN).unwrap().auth);
    let of_third = house.store.object(slot_of(&house, THIRD)).unwrap();
    for slot in [of_stranger, of_member, of_third] {
        let mut house = house.clone();
        house.store.0.insert(Name::Object(listed), slot);
        let refused = house.open(SECOND, PIN).err();
        assert!(matches!(refused, Some(NotOpened::Slot(_))), "{refused:?}");
    }
}

/// K-02 key substitution in every place where a key is read: each public key in each entry is replaced by one of the
/// attacker, who runs the store and signs with keys of his own. Mutation: the signature not checked in `Frame::verify`.
#[test]
fn key_substitution() {
    let house = House::of_three().changed(THIRD, renew_kit);
    let theirs = Newcomer::new(DeviceId([0xe5; 16]));
    let encoded = |public: &PublicKeys| {
        let mut bytes = Vec::new();
        public.encode(&mut Writer(&mut bytes));
        bytes
    };
    let theirs = encoded(theirs.keys.public());
    let keys = [DEVICE, SECOND, THIRD].map(|device| house.keys(device).public().clone());
    let kits = [kit(1), kit(2)].map(|kit| kit.public());
    let mut places = 0;
    for name in house.store.0.keys().filter(|name| matches!(name, Name::Entry(_))) {
        for public in keys.iter().chain(&kits).map(encoded) {
            let mut store = house.store.clone();
            let entry = store.0.get_mut(name).unwrap();
            let found = entry.windows(public.len()).position(|window| window == public);
            let Some(at) = found else { continue };
            entry[at..at + public.len()].copy_from_slice(&theirs);
            places += 1;
            assert!(store.try_trust().is_err(), "{name:?}");
        }
    }
    assert_eq!(places, 5);
}

/// K-03 rotation reads nothing from the store that is not signed and listed. Whatever the store gave, a new slot is closed
/// to a key that the trust log has, and the old root keys are those that it lists. Mutation: no comparison of the hash in
/// `all_roots` (then root keys that another member chose are taken for the old ones).
#[test]
fn rotation_reads_nothing_from_the_store() {
    let house = House::of_three().changed(DEVICE, rotate);
    let listed = house.trust().earlier_keys().unwrap();
    // What a member who may not be trusted made, for a rotation that was never committed.
    let (_, unlisted) = {
        let mut here = Here {
            device: THIRD,
            store: &mut house.keys(THIRD),
            time: 5,
        };
        let unlocked = house.open(THIRD, PIN).unwrap();
        let mut writing = Writing::new(&house.trust(), &mut here, &unlocked.auth);
        let false_roots = BTreeMap::from([(1, Secret::random(&mut TestRng(5)))]);
        let root = unlocked.root().unwrap();
        writing
            .earlier_keys(2, root, &false_roots, &mut TestRng(6))
            .unwrap();
        writing.before.remove(0)
    };
    let mut hostile = house.clone();
    hostile.store.0.insert(Name::Object(listed), unlisted);
    assert_eq!(
        hostile.open(SECOND, PIN).err(),
        Some(NotOpened::Slot(Refused::Misplaced))
    );

    let recipients: BTreeSet<_> = house
        .trust()
        .recipients()
        .iter()
        .map(|(_, public)| recipient_hash(&public.recipient))
        .collect();
    let before = house.change(SECOND, rotate).before;
    let slots = before.iter().filter(|(_, object)| object[4] == 4);
    let closed_to: BTreeSet<_> = slots.map(|(_, slot)| recipient_in(slot)).collect();
    assert_eq!(closed_to, recipients);
}

/// An object of the log of `device`, sealed with the newest root key that it has.
fn log_object(house: &House, device: DeviceId, (incarnation, seq): (u32, u32), trust_seq: u32) -> Vec<u8> {
    let unlocked = house.open(device, PIN).unwrap();
    let position = Position {
        author: device,
        incarnation,
        seq,
        previous: ObjectHash([u8::try_from(seq).unwrap(); 32]),
        time: 7,
        trust_seq,
        trust_head: house.trust().remembered().head,
        seen: [0; 32],
    };
    let key = unlocked.key(unlocked.trust().epoch()).unwrap();
    let payload = Zeroizing::new(b"an operation".to_vec());
    let object = seal(&key, SealedKind::Log, position, payload, &mut TestRng(4)).unwrap();
    let signature = house.keys(device).sign(&unlocked.auth, object.to_sign()).unwrap();
    object.signed(&signature)
}

/// K-07 revoked device. What is written after it is closed to it; its entries and its log objects are refused, also when
/// they claim to be from before, but for those up to the last that the entry names. Mutations: no new root key in
/// `Unlocked::revoke`; the device left among the members by `Trust::remove`; `seq`, or the incarnation, not
/// compared in `Trust::log_author`.
#[test]
fn revoked_device() {
    let house = House::of_three();
    let last = LogHead::new(1, 4, ObjectHash([4; 32]));
    let after = house.clone().changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.revoke(here, pin, (THIRD, last), None, rng).unwrap()
    });
    assert_eq!(after.trust().former(THIRD).map(|(_, last)| last), Some(last));
    assert_eq!(after.trust().members().collect::<Vec<_>>(), [DEVICE, SECOND]);

    // Its keys and the PIN open nothing that is in force, and its old root key nothing that is new.
    assert!(after.open(THIRD, PIN).is_err());
    let old = house.open(THIRD, PIN).unwrap();
    let mut store = after.keys(THIRD);
    for name in after.trust().slots().into_values() {
        let slot = after.store.object(name).unwrap();
        let opened = open_slot_with(&slot, &after.trust(), THIRD, (&mut store, &old.auth), &old.pin);
        assert!(opened.is_err());
    }
    let trust_seq = after.trust().remembered().seq;
    let new = log_object(&after, SECOND, (0, 1), trust_seq);
    let new = Authentic::read_log(&new, SealedKind::Log, &after.trust()).unwrap();
    for epoch in 1..=2 {
        let root = old.root().unwrap();
        let key = VaultKey::of_epoch(root, after.trust().vault(), epoch);
        assert!(new.open(&key).is_err());
    }

    // Its log, up to its end and no further.
    let read = |at, trust_seq| {
        let object = log_object(&house, THIRD, at, trust_seq);
        Authentic::read_log(&object, SealedKind::Log, &after.trust())
            .map(|object| object.header().position.seq)
    };
    let added = house.trust().added_at(THIRD).unwrap();
    for seq in 1..=4 {
        assert_eq!(read((1, seq), added), Ok(seq));
    }
    for at in [(1, 5), (0, 5), (2, 4), (1, 0)] {
        for claimed in [added, trust_seq] {
            assert_eq!(read(at, claimed), Err(Refused::NotAMember), "{at:?}");
        }
    }
    // A vault that was never told does accept them.
    let object = log_object(&house, THIRD, (1, 5), added);
    assert!(Authentic::read_log(&object, SealedKind::Log, &house.trust()).is_ok());

    // An entry of its own after the end, and one that claims to come before.
    let theirs = house.change(THIRD, rotate).commit.1;
    assert_eq!(house.trust().follow(&theirs).err(), None);
    assert_eq!(after.trust().follow(&theirs).err(), Some(Refused::Misplaced));
    let later = {
        let mut here = Here {
            device: THIRD,
            store: &mut house.keys(THIRD),
            time: 5,
        };
        let mut writing = Writing::new(&after.trust(), &mut here, &old.auth);
        let body = Body::SetRecovery {
            recovery: kit(2).public(),
            slot: ObjectHash([1; 32]),
        };
        let entry = writing.entry(2, &body);
        writing.sign(entry).unwrap()
    };
    assert_eq!(after.trust().follow(&later).err(), Some(Refused::NotAMember));
}

/// Mutation: `added` not compared in `Trust::log_author`.
#[test]
fn a_device_wrote_nothing_before_it_was_added() {
    let house = House::of_three();
    let added = house.trust().added_at(THIRD).unwrap();
    let read = |trust_seq| {
        let object = log_object(&house, THIRD, (0, 1), trust_seq);
        Authentic::read_log(&object, SealedKind::Log, &house.trust()).map(|_| ())
    };
    assert_eq!(read(added), Ok(()));
    assert_eq!(read(added - 1), Err(Refused::NotAMember));
}

/// K-09, where there are several devices: recovering makes a new root key, the old kit and the old devices open nothing any
/// more, each of them sees why, and what was read of their logs stays accepted. Mutation: the members kept in
/// `Trust::remove_everybody`, or what is accepted dropped there.
#[test]
fn recovery_is_seen_by_all_devices() {
    let mut house = House::of_three();
    let mut unlocked = house.open(SECOND, PIN).unwrap();
    let accepted = BTreeMap::from([(SECOND, LogHead::new(0, 3, ObjectHash([3; 32])))]);
    let object = log_object(&house, SECOND, (0, 3), house.trust().remembered().seq);
    let nobody = BTreeMap::from([(DeviceId([9; 16]), LogHead::START)]);
    assert_eq!(
        recovered(&house, &nobody).err(),
        Some(NotChanged::Refused(Refused::NotAMember))
    );
    let before = house.clone();
    for step in steps(recovered(&house, &accepted).unwrap()) {
        house.apply(DeviceId([0xd4; 16]), step);
    }
    let trust = house.trust();
    assert_eq!(trust.epoch(), before.trust().epoch() + 1);
    assert_eq!(trust.members().collect::<Vec<_>>(), [DeviceId([0xd4; 16])]);
    for device in [DEVICE, SECOND, THIRD] {
        let last = accepted.get(&device).copied().unwrap_or(LogHead::START);
        assert_eq!(trust.former(device).map(|(_, last)| last), Some(last));
    }
    assert_eq!(
        recovered(&house, &BTreeMap::new()).err(),
        Some(NotChanged::Keys(NotOpened::WrongKit))
    );
    let mut here = Here {
        device: SECOND,
        store: &mut before.keys(SECOND),
        time: 5,
    };
    assert!(
        unlocked
            .follow(trust.clone(), &mut here, &|hash| house.store.object(hash))
            .is_err()
    );
    assert!(Authentic::read_log(&object, SealedKind::Log, &trust).is_ok());
    let more = log_object(&before, SECOND, (0, 4), before.trust().remembered().seq);
    assert!(Authentic::read_log(&more, SealedKind::Log, &trust).is_err());
}

// --- crashes ----------------------------------------------------------------------------------------------------------

/// Opens the vault on a device that may have to catch up.
fn opens(house: &House, device: DeviceId) -> bool {
    let trust = house.trust();
    if trust.pin_generation() == 1 {
        return house.open(device, PIN).is_ok();
    }
    if house.keys.contains_key(&(device, 2)) && house.open(device, NEXT_PIN).is_ok() {
        return true;
    }
    let mut keys = SoftwareKeys::from_bytes(&house.keys[&(device, 1)]).unwrap();
    let mut here = Here {
        device,
        store: &mut keys,
        time: 5,
    };
    let (earlier, pin) = (VaultPin::typed(PIN).unwrap(), VaultPin::typed(NEXT_PIN).unwrap());
    let earlier = EarlierPin {
        generation: 1,
        pin: &earlier,
    };
    let object = |hash| house.store.object(hash);
    let guess = (&pin, Counted::for_test());
    Unlocked::catch_up(trust, &mut here, earlier, guess, &object, &mut TestRng(5)).is_ok()
}

/// K-11 crash, for changes by one of three devices: after every prefix of the writes each member of the old or of the new
/// vault opens it, and the kit recovers it. Mutations: the commit written first; what is removed removed before it.
#[test]
fn crash_at_each_step_among_devices() {
    let newcomer = Newcomer::new(DeviceId([0xe5; 16]));
    let house = House::of_three();
    let add = house.change(SECOND, |unlocked, here, pin, rng| {
        unlocked.add_device(here, pin, &newcomer.new, rng).unwrap()
    });
    let without = |pin: Option<NewPin>| {
        house.change(SECOND, |unlocked, here, right, rng| {
            unlocked
                .revoke(here, right, (THIRD, LAST), pin.as_ref(), rng)
                .unwrap()
        })
    };
    let all = BTreeSet::from([DEVICE, SECOND, THIRD]);
    let with_new = all.iter().copied().chain([newcomer.new.device]).collect();
    let remaining = BTreeSet::from([DEVICE, SECOND]);
    let taken_over = BTreeSet::from([DeviceId([0xd4; 16])]);
    let changes = [
        (SECOND, add, with_new),
        (SECOND, without(None), remaining.clone()),
        (SECOND, without(Some(new_pin(NEXT_PIN))), remaining),
        (
            DeviceId([0xd4; 16]),
            recovered(&house, &BTreeMap::new()).unwrap(),
            taken_over,
        ),
    ];
    for (by, change, after) in changes {
        let mut house = house.clone();
        let mut committed = false;
        for step in steps(change) {
            committed |= matches!(step, Step::Put(Name::Entry(_), _));
            house.apply(by, step);
            let members = if committed { &after } else { &all };
            assert_eq!(&house.trust().members().collect::<BTreeSet<_>>(), members);
            for device in members.iter().filter(|device| **device != newcomer.new.device) {
                assert!(opens(&house, *device), "{device:?}");
            }
            let kit_in_force = if committed && by != SECOND { kit(2) } else { kit(1) };
            let slot = house.trust().recovery_slot().unwrap();
            let slot = house.store.object(slot).unwrap();
            assert!(open_kit_slot(&slot, &house.trust(), &kit_in_force).is_ok());
        }
        assert!(committed);
    }
}

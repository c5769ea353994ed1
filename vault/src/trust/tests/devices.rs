//! What the log says of more than one device.

use super::*;
use crate::testing::house::{House, SECOND, THIRD};
use crate::trust::entry::DEVICES_FORMAT;

const LAST: LogHead = LogHead::START;

fn as_format_2(head: Head) -> Head {
    Head {
        min_format: DEVICES_FORMAT,
        ..head
    }
}

fn follow_2(trust: &Trust, by: DeviceId, body: &Body, epoch: u32) -> Result<Trust, Refused> {
    let head = Head {
        actor: by,
        ..as_format_2(head_after(trust, epoch))
    };
    trust.follow(&signed(by, head.entry(body)))
}

fn add(device: DeviceId) -> Body {
    Body::AddDevice {
        device,
        public: keys_of(device).public().clone(),
        slot: ObjectHash([8; 32]),
        transcript: Transcript([9; 32]),
    }
}

fn two() -> Trust {
    follow_2(&trust(), DEVICE, &add(OTHER), 1).unwrap()
}

fn keys_for(devices: &[DeviceId], epoch: u32) -> NewKeys {
    let devices = devices.iter().map(|device| Target::Device(*device));
    let targets = devices.chain([Target::RecoveryKit]);
    NewKeys {
        slots: targets.map(|target| (target, ObjectHash([4; 32]))).collect(),
        ..keys(epoch, 1)
    }
}

fn revoke(device: DeviceId, remaining: &[DeviceId], epoch: u32) -> Body {
    Body::Revoke {
        device,
        last: LAST,
        keys: keys_for(remaining, epoch),
    }
}

fn recover(device: DeviceId, accepted: BTreeMap<DeviceId, LogHead>) -> Body {
    Body::Recover {
        device,
        public: keys_of(device).public().clone(),
        recovery: kit(2).public(),
        keys: NewKeys {
            pin_generation: 2,
            kdf: kdf(KdfCost::DESKTOP, 2),
            ..keys_for(&[device], 2)
        },
        accepted,
        snapshots: BTreeSet::new(),
    }
}

fn follow_recovery(trust: &Trust, device: DeviceId, body: &Body, format: u32) -> Result<Trust, Refused> {
    let head = Head {
        actor: device,
        min_format: format,
        ..head_after(trust, 2)
    };
    let entry = head.entry(body);
    let signature = kit(1).sign(entry.to_sign());
    trust.follow(&entry.signed(&signature))
}

#[test]
fn what_these_entries_say_is_read_back() {
    let accepted = BTreeMap::from([(DEVICE, LAST), (OTHER, LogHead::new(2, 700, ObjectHash([5; 32])))]);
    for body in [
        add(OTHER),
        revoke(OTHER, &[DEVICE], 2),
        recover(OTHER, BTreeMap::new()),
        recover(OTHER, accepted),
    ] {
        let encoded = body.encode();
        assert_eq!(Body::decode(&[encoded.as_slice(), &[0]].concat()), None);
        for len in 0..encoded.len() {
            assert_eq!(Body::decode(&encoded[..len]), None);
        }
        assert_eq!(Body::decode(&encoded), Some(body));
    }
}

/// Nothing accepted has one form.
#[test]
fn the_end_of_a_log_without_objects_has_neither_hash_nor_incarnation() {
    for (incarnation, hash) in [(1, ObjectHash::NONE), (0, ObjectHash([1; 32]))] {
        let body = Body::Revoke {
            device: OTHER,
            last: LogHead::new(incarnation, 0, hash),
            keys: keys(2, 1),
        };
        assert_eq!(Body::decode(&body.encode()), None);
    }
}

/// Mutation: `Body::format` not asked in `follow`, or it answers 1 for all of them.
#[test]
fn several_devices_need_the_second_format_and_it_does_not_go_back() {
    let trust = trust();
    let entry = signed(DEVICE, head_after(&trust, 1).entry(&add(OTHER)));
    assert_eq!(trust.follow(&entry).err(), Some(Refused::Misplaced));
    let two = two();
    let keys = Body::Keys(keys_for(&[DEVICE, OTHER], 2));
    let entry = signed(DEVICE, head_after(&two, 2).entry(&keys));
    assert_eq!(two.follow(&entry).err(), Some(Refused::Misplaced));
    assert!(follow_2(&two, DEVICE, &keys, 2).is_ok());
    let accepted = BTreeMap::from([(DEVICE, LAST)]);
    for (format, accepted, refused) in [
        (1, BTreeMap::new(), None),
        (1, accepted.clone(), Some(Refused::Misplaced)),
        (2, accepted, None),
    ] {
        let body = recover(OTHER, accepted);
        assert_eq!(follow_recovery(&trust, OTHER, &body, format).err(), refused);
    }
}

#[test]
fn what_a_vault_of_one_device_writes_stays_in_the_first_format() {
    let formats = |house: &House| -> Vec<u32> {
        let entries = house.store.entries().into_iter();
        entries
            .map(|entry| {
                let frame = crate::frame::Frame::parse(entry, crate::frame::Kind::Trust).unwrap();
                Head::decode(frame.header).unwrap().min_format
            })
            .collect()
    };
    let rotated = |house: House| {
        house.changed(DEVICE, |unlocked, here, pin, rng| {
            unlocked.rotate(here, pin, None, rng).unwrap()
        })
    };
    let house = rotated(House::new());
    assert_eq!(formats(&house), [1, 1, 1]);
    assert_eq!(formats(&rotated(house.with(DEVICE, SECOND))), [1, 1, 1, 2, 2]);
}

/// Mutation: no comparison with those that are known in `insert`; only with the members.
#[test]
fn no_name_is_used_twice() {
    let two = two();
    assert_eq!(two.member(OTHER), Some(keys_of(OTHER).public()));
    assert_eq!(two.added_at(OTHER), Some(3));
    for device in [DEVICE, OTHER] {
        let again = follow_2(&two, DEVICE, &add(device), 1);
        assert_eq!(again.err(), Some(Refused::Misplaced));
    }
    let one = follow_2(&two, DEVICE, &revoke(OTHER, &[DEVICE], 2), 2).unwrap();
    assert_eq!(
        follow_2(&one, DEVICE, &add(OTHER), 2).err(),
        Some(Refused::Misplaced)
    );
    assert_eq!(
        follow_recovery(&two, OTHER, &recover(OTHER, BTreeMap::new()), 2).err(),
        Some(Refused::Misplaced)
    );
    // Programs that know one device only do this.
    let recovered = follow_recovery(&trust(), DEVICE, &recover(DEVICE, BTreeMap::new()), 1).unwrap();
    assert_eq!(
        (recovered.added_at(DEVICE), recovered.former(DEVICE)),
        (Some(3), None)
    );
}

/// Mutation: each condition of `Body::Revoke` in `take`, one at a time.
#[test]
fn a_member_is_removed_by_another_one_with_a_new_root_key_for_exactly_the_others() {
    let two = two();
    let refused = |by, device, remaining: &[DeviceId], epoch| {
        follow_2(&two, by, &revoke(device, remaining, epoch), epoch).err()
    };
    assert_eq!(refused(DEVICE, OTHER, &[DEVICE], 2), None);
    assert_eq!(refused(OTHER, DEVICE, &[OTHER], 2), None);
    assert_eq!(refused(DEVICE, DEVICE, &[OTHER], 2), Some(Refused::Misplaced));
    assert_eq!(
        refused(DEVICE, OTHER, &[DEVICE, OTHER], 2),
        Some(Refused::Misplaced)
    );
    assert_eq!(refused(DEVICE, OTHER, &[], 2), Some(Refused::Misplaced));
    assert_eq!(refused(DEVICE, OTHER, &[DEVICE], 1), Some(Refused::Misplaced));
    assert_eq!(refused(DEVICE, OTHER, &[DEVICE], 3), Some(Refused::Misplaced));
    let nobody = refused(DEVICE, THIRD, &[DEVICE, OTHER], 2);
    assert_eq!(nobody, Some(Refused::NotAMember));
    let stranger = follow_2(&two, THIRD, &revoke(OTHER, &[DEVICE], 2), 2);
    assert_eq!(stranger.err(), Some(Refused::NotAMember));
}

/// Mutation: the number of slots not bounded in `take_slot`.
#[test]
fn there_are_never_more_devices_than_an_entry_with_new_keys_can_list() {
    let mut trust = trust();
    let public = keys_of(OTHER).public().clone();
    let device = |at: usize| {
        let mut id = [0xee; 16];
        id[..8].copy_from_slice(&at.to_be_bytes());
        DeviceId(id)
    };
    for at in 0..300 {
        let body = Body::AddDevice {
            device: device(at),
            public: public.clone(),
            slot: ObjectHash([8; 32]),
            transcript: Transcript([9; 32]),
        };
        match follow_2(&trust, DEVICE, &body, 1) {
            Ok(next) => trust = next,
            Err(refused) => {
                assert_eq!(refused, Refused::Misplaced);
                break;
            }
        }
    }
    let devices: Vec<_> = trust.members().collect();
    assert_eq!(devices.len(), 255);
    let rotated = follow_2(&trust, DEVICE, &Body::Keys(keys_for(&devices, 2)), 2);
    assert_eq!(rotated.map(|trust| trust.epoch()), Ok(2));
}

//! The names and numbers of the tests are those of the threat table in `DESIGN.md`. "Mutation" says which defence was
//! taken out to see the test fail.

mod devices;

use super::rules::check_format;
use super::*;
use crate::frame::Unsigned;
use crate::kdf::KdfCost;
use crate::object::EXCHANGE_FORMAT;
use crate::testing::TestRng;
use crate::testing::home::{DEVICE, Home, PIN, kit, new_pin};
use crate::{KeyAuth, KeyStore, Name, SoftwareKeys};

const OTHER: DeviceId = DeviceId([0xb2; 16]);

fn auth() -> KeyAuth {
    KeyAuth::random(&mut TestRng(5 << 32))
}

fn keys_of(device: DeviceId) -> SoftwareKeys {
    SoftwareKeys::generate(&auth(), &mut TestRng(u64::from(device.0[0]) << 40))
}

fn signed(by: DeviceId, unsigned: Unsigned) -> Vec<u8> {
    let signature = keys_of(by).sign(&auth(), unsigned.to_sign()).unwrap();
    unsigned.signed(&signature)
}

fn genesis_body() -> Body {
    Body::Genesis {
        random: [7; 16],
        device: DEVICE,
        public: keys_of(DEVICE).public().clone(),
        recovery: Some(kit(1).public()),
    }
}

fn genesis_head(body: &Body) -> Head {
    Head {
        vault: vault_id(&body.encode()),
        seq: 1,
        previous: ObjectHash::NONE,
        epoch: 0,
        actor: DEVICE,
        time: 1,
        min_format: 1,
    }
}

fn genesis() -> Vec<u8> {
    let body = genesis_body();
    signed(DEVICE, genesis_head(&body).entry(&body))
}

fn head_after(trust: &Trust, epoch: u32) -> Head {
    Head {
        vault: trust.vault(),
        seq: trust.seq + 1,
        previous: trust.head,
        epoch,
        actor: DEVICE,
        time: 2,
        min_format: 1,
    }
}

fn kdf(cost: KdfCost, salt: u64) -> KdfParameters {
    KdfParameters::new(cost, &mut TestRng(salt))
}

fn keys(epoch: u32, pin_generation: u32) -> NewKeys {
    let slot = |at: u8| ObjectHash([at; 32]);
    NewKeys {
        epoch,
        pin_generation,
        kdf: kdf(KdfCost::DESKTOP, u64::from(pin_generation)),
        slots: BTreeMap::from([(Target::RecoveryKit, slot(1)), (Target::Device(DEVICE), slot(2))]),
        earlier: (epoch > 1).then(|| slot(3)),
    }
}

fn follow(trust: &Trust, by: DeviceId, body: &Body, epoch: u32) -> Result<Trust, Refused> {
    trust.follow(&signed(by, head_after(trust, epoch).entry(body)))
}

/// A vault in epoch 1, with the first PIN.
fn trust() -> Trust {
    follow(
        &Trust::begin(&genesis()).unwrap(),
        DEVICE,
        &Body::Keys(keys(1, 1)),
        1,
    )
    .unwrap()
}

#[test]
fn the_name_of_a_vault_is_the_hash_of_how_it_began() {
    let trust = Trust::begin(&genesis()).unwrap();
    let expected = Sha256::new()
        .chain_update(b"pkv1/vault-id\0")
        .chain_update(genesis_body().encode())
        .finalize();
    assert_eq!(trust.vault().0, expected.as_slice());
    assert_eq!(trust.members().collect::<Vec<_>>(), [DEVICE]);
    assert_eq!(trust.epoch(), 0);
}

#[test]
fn a_beginning_with_another_name_place_or_signature_is_refused() {
    let body = genesis_body();
    let head = genesis_head(&body);
    let other_name = Head {
        vault: VaultId([0; 32]),
        ..head
    };
    let other_seq = Head { seq: 2, ..head };
    let other_epoch = Head { epoch: 1, ..head };
    let other_actor = Head { actor: OTHER, ..head };
    let previous = Head {
        previous: ObjectHash([1; 32]),
        ..head
    };
    for head in [other_name, other_seq, other_epoch, other_actor, previous] {
        assert_eq!(
            Trust::begin(&signed(DEVICE, head.entry(&body))).err(),
            Some(Refused::Misplaced)
        );
    }
    assert_eq!(
        Trust::begin(&signed(OTHER, head.entry(&body))).err(),
        Some(Refused::Signature)
    );
    let keys = Body::Keys(keys(1, 1));
    assert_eq!(
        Trust::begin(&signed(DEVICE, head.entry(&keys))).err(),
        Some(Refused::Malformed)
    );
}

/// I-11 injected entries. Mutation: the signature not checked in `Frame::verify`; `recover` signed by a member instead of
/// the kit, or the members kept after it.
#[test]
fn injected_entries_without_a_members_signature() {
    let trust = trust();
    let body = Body::Keys(keys(1, 2));
    assert_eq!(follow(&trust, OTHER, &body, 1).err(), Some(Refused::Signature));
    let stranger = Head {
        actor: OTHER,
        ..head_after(&trust, 1)
    };
    assert_eq!(
        trust.follow(&signed(OTHER, stranger.entry(&body))).err(),
        Some(Refused::NotAMember)
    );
    // A stranger's device, said to be recovered, without the kit's signature.
    let recover = Body::Recover {
        device: OTHER,
        public: keys_of(OTHER).public().clone(),
        recovery: kit(2).public(),
        keys: NewKeys {
            slots: BTreeMap::from([
                (Target::RecoveryKit, ObjectHash([1; 32])),
                (Target::Device(OTHER), ObjectHash([2; 32])),
            ]),
            ..keys(2, 2)
        },
        accepted: BTreeMap::new(),
        snapshots: BTreeSet::new(),
    };
    let entry = Head {
        actor: OTHER,
        epoch: 2,
        ..head_after(&trust, 2)
    }
    .entry(&recover);
    for signature in [
        keys_of(OTHER).sign(&auth(), entry.to_sign()).unwrap(),
        keys_of(DEVICE).sign(&auth(), entry.to_sign()).unwrap(),
        kit(2).sign(entry.to_sign()),
    ] {
        let entry = Head {
            actor: OTHER,
            ..head_after(&trust, 2)
        }
        .entry(&recover);
        assert_eq!(
            trust.follow(&entry.signed(&signature)).err(),
            Some(Refused::Signature)
        );
    }
    let signature = kit(1).sign(entry.to_sign());
    let recovered = trust.follow(&entry.signed(&signature)).unwrap();
    assert_eq!(recovered.members().collect::<Vec<_>>(), [OTHER]);
    assert_eq!(recovered.recovery(), Some(&kit(2).public()));
    // The device that was there before is no member any more.
    assert_eq!(
        follow(&recovered, DEVICE, &Body::Keys(keys(3, 2)), 3).err(),
        Some(Refused::NotAMember)
    );
}

/// I-08 drop, duplicate, reorder, for the trust log. Mutation: no comparison of `seq` and `previous` in `follow`.
#[test]
fn entries_are_not_dropped_duplicated_or_reordered() {
    let trust = trust();
    let one = signed(DEVICE, head_after(&trust, 1).entry(&Body::Keys(keys(1, 2))));
    let after_one = trust.follow(&one).unwrap();
    let two = signed(DEVICE, head_after(&after_one, 2).entry(&Body::Keys(keys(2, 2))));
    assert!(after_one.follow(&two).is_ok());
    assert_eq!(trust.follow(&two).err(), Some(Refused::Misplaced));
    assert_eq!(after_one.follow(&one).err(), Some(Refused::Misplaced));
    // Another entry in the place of one, and then two.
    let other = signed(DEVICE, head_after(&trust, 2).entry(&Body::Keys(keys(2, 1))));
    let after_other = trust.follow(&other).unwrap();
    assert_eq!(after_other.follow(&two).err(), Some(Refused::Misplaced));
    assert_eq!(after_one.follow(&genesis()).err(), Some(Refused::Misplaced));
}

/// Mutation: each comparison of `Trust::take_keys`, one at a time.
#[test]
fn epochs_and_pins_go_forward_by_one_and_never_get_weaker() {
    let trust = trust();
    let refused = |keys: NewKeys| {
        let epoch = keys.epoch;
        follow(&trust, DEVICE, &Body::Keys(keys), epoch).err()
    };
    for (epoch, pin_generation) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        assert_eq!(refused(keys(epoch, pin_generation)), None);
    }
    for (epoch, pin_generation) in [(0, 1), (3, 1), (1, 0), (1, 3), (2, 3)] {
        assert_eq!(
            refused(keys(epoch, pin_generation)),
            Some(Refused::Misplaced),
            "{epoch} {pin_generation}"
        );
    }
    // C-07, in the trust log.
    let weaker = NewKeys {
        kdf: kdf(KdfCost::FLOOR, 9),
        ..keys(1, 2)
    };
    assert_eq!(refused(weaker), Some(Refused::Misplaced));
    let other_salt_of_the_same_pin = NewKeys {
        kdf: kdf(KdfCost::DESKTOP, 9),
        ..keys(2, 1)
    };
    assert_eq!(refused(other_salt_of_the_same_pin), Some(Refused::Misplaced));
    let without_the_old_keys = NewKeys {
        earlier: None,
        ..keys(2, 1)
    };
    assert_eq!(refused(without_the_old_keys), Some(Refused::Misplaced));
    let strange_old_keys = NewKeys {
        earlier: Some(ObjectHash([9; 32])),
        ..keys(1, 2)
    };
    assert_eq!(refused(strange_old_keys), Some(Refused::Misplaced));
    assert_eq!(
        follow(&trust, DEVICE, &Body::Keys(keys(2, 1)), 1).err(),
        Some(Refused::Misplaced)
    );
}

/// Mutation: no comparison of the slots with the recipients in `take_keys`.
#[test]
fn nobody_is_left_without_a_slot_and_nobody_else_gets_one() {
    let trust = trust();
    let with = |change: fn(&mut BTreeMap<Target, ObjectHash>)| {
        let mut keys = keys(2, 1);
        change(&mut keys.slots);
        follow(&trust, DEVICE, &Body::Keys(keys), 2).err()
    };
    for refused in [
        with(BTreeMap::clear),
        with(|slots| {
            slots.remove(&Target::RecoveryKit);
        }),
        with(|slots| {
            slots.remove(&Target::Device(DEVICE));
        }),
        with(|slots| {
            slots.insert(Target::Device(OTHER), ObjectHash([4; 32]));
        }),
    ] {
        assert_eq!(refused, Some(Refused::Misplaced));
    }
}

/// I-09, for the trust log: formats never go back. Mutation: `check_format` compares with 1 alone.
#[test]
fn formats_never_go_back() {
    assert_eq!(check_format(EXCHANGE_FORMAT, 0), Ok(()));
    assert_eq!(check_format(0, 0), Err(Refused::Misplaced));
    assert_eq!(check_format(EXCHANGE_FORMAT + 1, 0), Err(Refused::NewerFormat));
    assert_eq!(
        check_format(EXCHANGE_FORMAT, EXCHANGE_FORMAT + 1),
        Err(Refused::Misplaced)
    );
    let newer = Head {
        min_format: EXCHANGE_FORMAT + 1,
        ..head_after(&trust(), 2)
    };
    let entry = signed(DEVICE, newer.entry(&Body::Keys(keys(2, 1))));
    assert_eq!(trust().follow(&entry).err(), Some(Refused::NewerFormat));
}

/// Mutation: each of the two comparisons with what is remembered.
#[test]
fn a_log_that_shows_less_or_something_else_than_before_is_not_believed() {
    let rotated = |home: Home| {
        home.changed(PIN, |unlocked, here, pin, rng| {
            unlocked.rotate(here, pin, None, rng).unwrap()
        })
    };
    let with_pin = |home: Home| {
        home.changed(PIN, |unlocked, here, pin, rng| {
            unlocked.change_pin(here, pin, &new_pin(PIN), rng).unwrap()
        })
    };
    let home = rotated(Home::new());
    let known = home.trust().remembered();
    let read = |home: &Home| Trust::read(home.entries(), Some(known)).map(|trust| trust.remembered());
    assert_eq!(read(&home), Ok(known));
    assert!(read(&rotated(home.clone())).is_ok());
    for kept in 1..known.seq {
        let mut rolled_back = home.clone();
        rolled_back
            .0
            .retain(|name, _| !matches!(name, Name::Entry(seq) if *seq > kept));
        assert_eq!(read(&rolled_back), Err(NotTrusted::RolledBack));
    }
    let forked = with_pin(Home::new());
    assert_eq!(read(&forked), Err(NotTrusted::Forked));
    assert_eq!(read(&rotated(forked)), Err(NotTrusted::Forked));
    assert!(matches!(
        Trust::read([], Some(known)),
        Err(NotTrusted::Entry { seq: 1, .. })
    ));
}

/// I-06 and I-12, for the trust log. Mutation: `PublicPoint::verify` says yes.
#[test]
fn every_changed_byte_and_every_other_length_is_noticed() {
    let trust = trust();
    let entry = signed(DEVICE, head_after(&trust, 2).entry(&Body::Keys(keys(2, 1))));
    assert!(trust.follow(&entry).is_ok());
    for at in 0..entry.len() {
        let mut changed = entry.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(trust.follow(&changed).is_err(), "byte {at}");
        assert!(trust.follow(&entry[..at]).is_err(), "{at} bytes");
    }
    assert!(trust.follow(&[entry.as_slice(), &[0]].concat()).is_err());
    let genesis = genesis();
    for at in (0..genesis.len()).step_by(13) {
        let mut changed = genesis.clone();
        changed[at] ^= 1;
        assert!(Trust::begin(&changed).is_err(), "byte {at} of the beginning");
    }
}

#[test]
fn what_an_entry_says_is_read_back() {
    let recover = Body::Recover {
        device: OTHER,
        public: keys_of(OTHER).public().clone(),
        recovery: kit(2).public(),
        keys: keys(2, 2),
        accepted: BTreeMap::new(),
        snapshots: BTreeSet::new(),
    };
    let set_recovery = Body::SetRecovery {
        recovery: kit(2).public(),
        slot: ObjectHash([9; 32]),
    };
    let without_kit = Body::Genesis {
        random: [7; 16],
        device: DEVICE,
        public: keys_of(DEVICE).public().clone(),
        recovery: None,
    };
    for body in [
        genesis_body(),
        without_kit,
        Body::Keys(keys(1, 1)),
        set_recovery,
        recover,
    ] {
        let encoded = body.encode();
        assert_eq!(Body::decode(&[encoded.as_slice(), &[0]].concat()), None);
        assert_eq!(Body::decode(&encoded), Some(body));
    }
}

proptest::proptest! {
    /// I-12, by chance.
    #[test]
    fn arbitrary_entries_do_no_harm(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        proptest::prop_assert!(Trust::begin(&bytes).is_err());
        proptest::prop_assert!(Body::decode(&bytes).is_none());
    }
}

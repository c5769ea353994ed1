//! The names and numbers of the tests are those of the threat table in `DESIGN.md`. "Mutation" says which defence was
//! taken out to see the test fail.

use super::*;
use crate::testing::{Disk, TestRng, passkey, root_key};
use crate::{CredProtect, LargeBlob, RpIdHash, Secret, Vault, format_example};

const PASSPHRASE: &str = "five words are enough here";

fn vault(seed: u64, rng: &mut TestRng) -> Vault {
    Vault::open(Disk::default(), &root_key(u8::try_from(seed).unwrap()), rng).unwrap()
}

fn cost() -> KdfCost {
    KdfCost::new(64 << 10, 3, 4).unwrap()
}

fn export_from(vault: &Vault) -> Backup {
    let passkeys = all(vault);
    export(&passkeys, PASSPHRASE, cost(), 1_700_000_000_000, &mut TestRng(9)).unwrap()
}

/// Every passkey of a vault, the oldest first.
fn all(vault: &Vault) -> Vec<Passkey> {
    let entries = vault.entries();
    let passkeys = entries
        .iter()
        .map(|entry| vault.load(&entry.id).unwrap().unwrap());
    passkeys.collect()
}

/// A passkey with everything that one can have.
fn full_passkey(rng: &mut TestRng, rp_id: &str, user: &str) -> Passkey {
    Passkey {
        algorithm: -8,
        cred_protect: CredProtect::Required,
        cred_random: Some(Secret::random(rng)),
        cred_blob: Some(vec![1, 2, 3]),
        large_blob_key: Some(Secret::random(rng)),
        large_blob: Some(LargeBlob {
            data: vec![9; 700],
            original_size: 2000,
        }),
        third_party_payment: true,
        user_display_name: Some("Ann".to_owned()),
        ..passkey(rng, rp_id, user)
    }
}

fn with_passkeys(rng: &mut TestRng) -> Vault {
    let mut vault = vault(1, rng);
    for user in ["ann", "ben", "cleo"] {
        let passkey = full_passkey(rng, "example.org", user);
        vault.store(rng, passkey, None).unwrap();
    }
    let other = passkey(rng, "example.com", "ann");
    vault.store(rng, other, None).unwrap();
    vault
}

#[test]
fn every_passkey_comes_back_with_everything_in_it() {
    let rng = &mut TestRng(0);
    let source = with_passkeys(rng);
    let backup = export_from(&source);
    assert_eq!((backup.passkeys, backup.left_out.len()), (4, 0));
    let passkeys = open_backup(&backup.bytes, PASSPHRASE).unwrap();
    for passkey in &passkeys {
        let original = source.load(&passkey.id).unwrap().unwrap();
        assert_eq!(
            payload::encode(passkey).unwrap(),
            payload::encode(&original).unwrap()
        );
    }

    let mut target = vault(2, rng);
    assert_eq!(target.add(rng, &passkeys, |_| None).unwrap(), 4);
    assert_eq!(target.entries(), source.entries());
    assert_eq!(target.relying_parties(), 2);
}

#[test]
fn what_was_added_is_there_after_reopening() {
    let rng = &mut TestRng(0);
    let passkeys = open_backup(&export_from(&with_passkeys(rng)).bytes, PASSPHRASE).unwrap();
    let disk = Disk::default();
    let mut target = Vault::open(disk.clone(), &root_key(2), rng).unwrap();
    let before = target.store_state();
    target.add(rng, &passkeys, |_| None).unwrap();
    assert_ne!(target.store_state(), before);
    let entries = target.entries();
    drop(target);
    assert_eq!(Vault::open(disk, &root_key(2), rng).unwrap().entries(), entries);
}

#[test]
fn nothing_that_is_there_is_replaced_and_a_second_time_adds_nothing() {
    let rng = &mut TestRng(0);
    let passkeys = open_backup(&export_from(&with_passkeys(rng)).bytes, PASSPHRASE).unwrap();
    let mut target = vault(2, rng);
    let newer = passkey(rng, "example.org", "ann");
    let newer_id = newer.id.clone();
    target.store(rng, newer, None).unwrap();
    assert_eq!(target.add(rng, &passkeys, |_| None).unwrap(), 3);
    assert!(target.load(&newer_id).unwrap().is_some());
    let state = target.store_state();
    assert_eq!(target.add(rng, &passkeys, |_| None).unwrap(), 0);
    assert_eq!((target.len(), target.store_state()), (4, state));
}

#[test]
fn the_same_account_twice_in_what_is_added_is_taken_once() {
    let rng = &mut TestRng(0);
    let twice = [
        passkey(rng, "example.org", "ann"),
        passkey(rng, "example.org", "ann"),
    ];
    let mut target = vault(2, rng);
    assert_eq!(target.add(rng, &twice, |_| None).unwrap(), 1);
    assert!(target.load(&twice[0].id).unwrap().is_some());
}

/// The transaction of adding is one: a power cut leaves all or nothing.
#[test]
fn a_power_cut_while_adding_leaves_all_or_nothing() {
    let rng = &mut TestRng(0);
    let passkeys = open_backup(&export_from(&with_passkeys(rng)).bytes, PASSPHRASE).unwrap();
    let (mut none, mut all) = (0, 0);
    for writes in 0.. {
        let disk = Disk::default();
        let mut target = Vault::open(disk.clone(), &root_key(2), rng).unwrap();
        disk.cut_power_after(writes);
        let added = target.add(rng, &passkeys, |_| None);
        drop(target);
        for keep in [false, true] {
            let left = Vault::open(disk.after_power_cut(|| keep), &root_key(2), rng).unwrap();
            match left.len() {
                0 => none += 1,
                4 => all += 1,
                other => panic!("{other} after {writes} writes"),
            }
            assert!(added.is_err() || left.len() == 4);
        }
        if added.is_ok() {
            break;
        }
    }
    assert!(none > 0 && all > 0);
}

/// I-10 rpid_binding. A passkey serves the relying party that is sealed with it, before and after a backup: under the
/// name of another it is not found. What asks for it by id sees the true name. Mutation: `Index::insert` files passkeys
/// under the hash of the user's name.
#[test]
fn rpid_binding() {
    let rng = &mut TestRng(0);
    let passkeys = open_backup(&export_from(&with_passkeys(rng)).bytes, PASSPHRASE).unwrap();
    let mut target = vault(2, rng);
    target.add(rng, &passkeys, |_| None).unwrap();
    let found = |rp_id: &str| target.find_by_rp(&RpIdHash::of(rp_id), CredProtect::Required);
    for rp_id in ["example.org", "example.com"] {
        let ids = found(rp_id);
        let expected = passkeys.iter().filter(|passkey| passkey.rp_id == rp_id).count();
        assert_eq!(ids.len(), expected);
        for id in ids {
            assert_eq!(target.load(&id).unwrap().unwrap().rp_id, rp_id);
        }
    }
    for rp_id in ["example.net", "Example.org", "example.org.", "", "ann"] {
        assert!(found(rp_id).is_empty());
    }
}

/// F-02 signature counters. What counts stays where it is, and nothing that counts is taken in. Mutation: the profile
/// not looked at in `export`, or in `decode`.
#[test]
fn credentials_with_a_counter_stay_and_none_come_in() {
    let rng = &mut TestRng(0);
    let mut source = with_passkeys(rng);
    let mut bound = Vec::new();
    for profile in [Profile::DeviceBound, Profile::U2f] {
        let user = format!("{profile:?}");
        let passkey = Passkey {
            profile,
            ..passkey(rng, "example.org", &user)
        };
        bound.push(passkey.id.clone());
        source.store(rng, passkey, None).unwrap();
    }
    let backup = export_from(&source);
    assert_eq!(backup.left_out, bound);
    let passkeys = open_backup(&backup.bytes, PASSPHRASE).unwrap();
    assert_eq!(passkeys.len(), 4);
    assert!(passkeys.iter().all(|passkey| passkey.profile == Profile::Synced));

    for profile in [Profile::DeviceBound, Profile::U2f] {
        let counting = Passkey {
            profile,
            ..passkey(rng, "example.org", "dan")
        };
        let text = encode(&[payload::encode(&counting).unwrap()], 0).unwrap();
        assert!(decode(&text).is_none());
    }
}

#[test]
fn a_weak_passphrase_is_refused_with_the_reason() {
    let refused = export(&[], "493817", cost(), 0, &mut TestRng(9)).err().unwrap();
    assert!(matches!(
        refused,
        NotExported::Passphrase(PinRefused::NotAPassphrase)
    ));
    assert!(refused.to_string().contains("12 characters"), "{refused}");
}

#[test]
fn another_passphrase_and_every_changed_byte_are_refused() {
    let rng = &mut TestRng(0);
    let mut source = vault(1, rng);
    let only = passkey(rng, "example.org", "ann");
    source.store(rng, only, None).unwrap();
    let backup = export_from(&source).bytes;
    let refused = |bytes: &[u8], passphrase| open_backup(bytes, passphrase).err();
    assert_eq!(
        refused(&backup, "another passphrase"),
        Some(NotImported::WrongPassphrase)
    );
    assert_eq!(refused(&backup, ""), Some(NotImported::WrongPassphrase));
    // Changed parameters are other work for Argon2: one bit of each is enough here.
    for at in (0..backup.len()).filter(|at| *at > 48 || at % 7 == 0) {
        let mut changed = backup.clone();
        changed[at] ^= 1;
        assert!(refused(&changed, PASSPHRASE).is_some(), "byte {at}");
    }
    for len in (0..backup.len()).step_by(11) {
        assert!(refused(&backup[..len], PASSPHRASE).is_some(), "{len} bytes");
    }
    assert!(refused(&[&backup[..], &[0]].concat(), PASSPHRASE).is_some());
    assert_eq!(refused(b"PKV1", PASSPHRASE), Some(NotImported::NotABackup));
    let mut newer = backup.clone();
    newer[4] = 2;
    assert_eq!(refused(&newer, PASSPHRASE), Some(NotImported::NewerVersion));
}

/// C-07 and C-08, for a backup: the parameters are in the file. Mutation: as for `KdfCost::new`.
#[test]
fn cheap_and_hanging_parameters_are_refused_before_they_are_used() {
    let with = |memory_kib: u64, passes: u64| {
        let mut start = [MAGIC.as_slice(), &[VERSION], &[0; RANDOM_LEN]].concat();
        let mut out = Writer(&mut start);
        out.array(5)
            .unsigned(1)
            .unsigned(memory_kib)
            .unsigned(passes)
            .unsigned(4);
        out.bytes(&[0x5a; 16]);
        open_backup(&[start, vec![0; 600]].concat(), PASSPHRASE).err()
    };
    assert_eq!(with(8, 1), Some(NotImported::Kdf(KdfRefused::TooCheap)));
    assert_eq!(
        with(64 << 20, 3),
        Some(NotImported::Kdf(KdfRefused::TooExpensive))
    );
    assert_eq!(
        with(64 << 10, u64::MAX),
        Some(NotImported::Kdf(KdfRefused::TooExpensive))
    );
}

/// C-10 size_leak, for a backup, and no name in it. Mutation: in `padding.rs` neither a least size nor rounding.
#[test]
fn sizes_and_bytes_tell_little() {
    let exported = |name_len: usize| {
        let rng = &mut TestRng(0);
        let mut vault = vault(1, rng);
        let passkey = Passkey {
            user_name: Some("n".repeat(name_len)),
            ..passkey(rng, "example.org", "ann")
        };
        vault.store(rng, passkey, None).unwrap();
        export_from(&vault).bytes
    };
    for len in 1..=40 {
        assert_eq!(exported(len).len(), exported(1).len());
    }
    let bytes = exported(10);
    for name in ["example", "nnnn"] {
        assert!(!bytes.windows(name.len()).any(|window| window == name.as_bytes()));
    }
}

#[test]
fn the_backup_is_as_shown_and_opens() {
    let example = include_str!("../../EXAMPLE.md");
    assert!(example.contains(&format!("`{PASSPHRASE}`")));
    let rng = &mut TestRng(0);
    let mut source = vault(1, rng);
    let only = passkey(&mut TestRng(5), "example.org", "ann");
    source.store(rng, only, None).unwrap();
    format_example::assert_shown_in(example, "backup", &export_from(&source).bytes);
    let passkeys = open_backup(&format_example::block_in(example, "backup"), PASSPHRASE).unwrap();
    let names: Vec<_> = passkeys.iter().map(|passkey| passkey.rp_id.as_str()).collect();
    assert_eq!(names, ["example.org"]);
}

proptest::proptest! {
    #[test]
    fn arbitrary_files_do_no_harm(end in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
        proptest::prop_assert!(open_backup(&end, PASSPHRASE).is_err());
        proptest::prop_assert!(decode(&end).is_none());
    }
}

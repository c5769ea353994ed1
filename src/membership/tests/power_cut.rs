//! The power goes at each step of each command that writes several files: after it exactly the vault before or exactly
//! the vault after is there, and opens with everything that belongs to it. The database's own writes are cut apart in
//! the vault's tests.
//!
//! Mutation: `carry_out` keeps the device's keys after the change, or forgets the old ones before it; `Folder::finish_file`
//! does not sync the file; `Beginning::protect` removes the key file before the vault has its PIN, or keeps the device's keys
//! last; `Adopted` gets its name at once.

use wardkey_vault::{RightGuess, Trust};

use super::*;
use crate::state::power_cut::{self, Left};
use crate::state::{Beginning, Error};

/// What a folder shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    NoVault,
    WithoutPin {
        passkeys: usize,
    },
    WithPin {
        pin: &'static str,
        change: u32,
        passkeys: usize,
    },
}

/// What opened a vault once: stretching a PIN takes a while.
struct Lock {
    /// The trust log, the device's keys.
    made_of: (Trust, Vec<u8>),
    pin: &'static str,
    right: RightGuess,
}

#[derive(Default)]
struct Judge {
    locks: Vec<Lock>,
}

impl Judge {
    fn on(&mut self, left: &Left) -> Found {
        let folder = new_folder();
        left.put_into(folder.path());
        match State::open(Some(folder.path())) {
            Ok(None) => Found::NoVault,
            Ok(Some(State { locked, held })) => self.on_locked(left, locked, &held),
            Err(Error::WithoutPin(_)) => Found::WithoutPin {
                passkeys: Beginning::open(Some(folder.path())).unwrap().unwrap().passkeys(),
            },
            Err(error) => panic!("{error}: {:?}", left.names()),
        }
    }

    fn on_locked(&mut self, left: &Left, mut locked: wardkey_vault::Locked, held: &Held) -> Found {
        let generation = locked.trust().pin_generation();
        let keys = left.file(&format!("device-keys.{generation}"));
        let made_of = (locked.trust().clone(), keys.expect("the device's keys").to_vec());
        if !self.locks.iter().any(|lock| lock.made_of == made_of) {
            let mut opened = [PIN, NEXT].into_iter().filter_map(|pin| {
                let guess = locked.guess(since_boot()).unwrap();
                let right = guess.check_typed(&mut *held.device_keys(generation).unwrap(), pin);
                right.ok().map(|right| (pin, right))
            });
            let (pin, right) = opened.next().expect("a PIN opens it");
            assert!(opened.next().is_none(), "both PINs open it");
            self.locks.push(Lock {
                made_of: made_of.clone(),
                pin,
                right,
            });
        }
        let lock = self.locks.iter().find(|lock| lock.made_of == made_of).unwrap();
        let change = locked.trust().remembered().seq;
        let vault = locked.unlock(&lock.right, &mut host::rng());
        Found::WithPin {
            pin: lock.pin,
            change,
            passkeys: vault
                .map_err(wardkey_vault::NotUnlocked::into_reason)
                .unwrap()
                .len(),
        }
    }
}

/// Carries out what `act` does to `folder`, and looks what the power could have left of it.
fn cut_everywhere(folder: &TempDir, before: &Found, after: &Found, act: impl FnOnce()) {
    power_cut::watch(folder.path());
    act();
    let lefts = power_cut::left();
    let mut judge = Judge::default();
    let found: Vec<Found> = lefts.iter().map(|left| judge.on(left)).collect();
    for (found, left) in found.iter().zip(&lefts) {
        assert!(found == before || found == after, "{found:?}: {:?}", left.names());
    }
    assert_eq!((found.first(), found.last()), (Some(before), Some(after)));
    assert!(found.len() > 3, "there were only {} moments", found.len());
}

fn with_pin(pin: &'static str, change: u32) -> Found {
    Found::WithPin {
        pin,
        change,
        passkeys: 2,
    }
}

#[test]
fn the_power_may_go_while_a_vault_is_made() {
    let folder = new_folder();
    let after = Found::WithPin {
        pin: PIN,
        change: 2,
        passkeys: 0,
    };
    cut_everywhere(&folder, &Found::NoVault, &after, || {
        protect(&folder).unwrap();
    });
}

#[test]
fn the_power_may_go_while_a_vault_gets_its_pin() {
    let folder = unprotected();
    let before = Found::WithoutPin { passkeys: 2 };
    cut_everywhere(&folder, &before, &with_pin(PIN, 2), || {
        protect(&folder).unwrap();
    });
    assert!(!folder.path().join("root.key").exists());
}

#[test]
fn the_power_may_go_while_the_pin_changes() {
    for compromised in [false, true] {
        let folder = unprotected();
        protect(&folder).unwrap();
        let options = PinChange {
            vault_pin: from_file(&folder),
            new_vault_pin_file: Some(secret_file(&folder, "next.txt", NEXT)),
            compromised,
        };
        cut_everywhere(&folder, &with_pin(PIN, 2), &with_pin(NEXT, 3), || {
            change(&folder, &options, &mut Nobody).unwrap();
        });
    }
}

#[test]
fn the_power_may_go_while_the_kit_is_renewed_and_while_it_recovers_the_vault() {
    let folder = unprotected();
    protect_with_kit(&folder);
    let mut person = Scripted::new([Says(PIN), Says(""), FromPage, FromPage]);
    cut_everywhere(&folder, &with_pin(PIN, 2), &with_pin(PIN, 3), || {
        run(folder.path(), &mut person, |call| {
            renew_kit(call, &VaultPinSource::default())
        })
        .unwrap();
    });
    let mut person = Scripted::new(recovery(&person.kit()));
    cut_everywhere(&folder, &with_pin(PIN, 3), &with_pin(NEXT, 4), || {
        recover_with(folder.path(), None, &mut person).unwrap();
    });
}

#[test]
fn the_power_may_go_while_a_copy_is_taken_over() {
    let (folder, elsewhere) = (unprotected(), new_folder());
    let kit = protect_with_kit(&folder);
    let mut person = Scripted::new(recovery(&kit));
    cut_everywhere(&elsewhere, &Found::NoVault, &with_pin(NEXT, 3), || {
        recover_with(elsewhere.path(), Some(folder.path()), &mut person).unwrap();
    });
}

//! The power goes after each write of everything that is done to a vault with a Vault PIN. What is there then is the
//! state before or the state after, whole; after what was acknowledged, the state after. No wrong Vault PIN is forgotten
//! without a right one. Of the sectors that were not synced the disk keeps none, all, or some by chance.
//!
//! Mutation: the count in `Locked::guess`, or the state in `Vault::put_state`, becomes durable later; `apply_as` removes
//! what is old in a transaction before; the check of what is recognized, or `local-keys` in `protect`, in one after.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::*;
use crate::slot::open_kit_slot;
use crate::{CredentialId, Passkey};

const SITE: &str = "example.org";
/// Where there are credentials that the vault does not store.
const WRAPPED_SITE: &str = "example.net";
const OTHER_DEVICE: DeviceId = DeviceId([0xb2; 16]);

/// All that can be seen of a vault, with everything that may open it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    opened_by: Opener,
    kit: Option<u64>,
    device: Option<DeviceId>,
    wrong_pins: u32,
    users: Vec<Vec<u8>>,
    site_is_known: bool,
    wrapped_site_is_known: bool,
    state: Option<Vec<u8>>,
    public_state: Option<Vec<u8>>,
    signature_count: u32,
    log: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// The key that is a file beside it.
    KeyFile,
    Pin(&'static str),
}

/// What a device keeps beside the database: its keys, by device and generation of the PIN.
type Kept = BTreeMap<(DeviceId, u32), Vec<u8>>;

/// Something that is done to a vault.
struct Case {
    name: &'static str,
    /// What is there before, from [`used`].
    prepare: fn(&Disk, &mut Kept),
    /// Acknowledged when it returns. The device's keys are kept before the database changes, as a program does it.
    act: fn(&Disk, &mut Kept) -> Alive,
}

/// What goes on after something was done.
#[expect(dead_code, reason = "it is only closed")]
enum Alive {
    Open(Box<Vault>),
    Locked(Box<Locked>),
}

impl From<Vault> for Alive {
    fn from(vault: Vault) -> Self {
        Self::Open(Box::new(vault))
    }
}

impl From<Locked> for Alive {
    fn from(locked: Locked) -> Self {
        Self::Locked(Box::new(locked))
    }
}

fn rng() -> TestRng {
    TestRng(9 << 40)
}

fn root() -> crate::RootKey {
    root_key(1)
}

/// A vault without a Vault PIN: ann's passkey, a credential that is not stored, a state of the authenticator.
fn unprotected() -> Disk {
    let (disk, rng) = (Disk::default(), &mut TestRng(5));
    let mut vault = Vault::open(disk.clone(), &root(), rng).unwrap();
    vault.store(rng, of("ann"), None).unwrap();
    vault
        .wrap(rng, &rp(WRAPPED_SITE), Profile::Synced, &[1; 38])
        .unwrap();
    put_state(&mut vault, 8).unwrap();
    drop(vault);
    disk
}

/// The same with [`PIN`] and the kit 1, locked.
fn used() -> (Disk, Kept) {
    let (disk, mut kept) = (unprotected(), Kept::new());
    protect(&disk, &mut kept, History::Used);
    (disk, kept)
}

fn of(user: &str) -> Passkey {
    passkey(&mut TestRng(u64::from(user.as_bytes()[0]) << 32), SITE, user)
}

fn put_state(vault: &mut Vault, retries: u8) -> Result<(), Error> {
    vault.put_state(
        &mut rng(),
        Zeroizing::new(vec![retries; 40]),
        vec![retries],
        Some(&reset()),
    )
}

fn protect(disk: &Disk, kept: &mut Kept, history: History) -> Alive {
    let rng = &mut TestRng(6);
    let vault = Vault::open(disk.clone(), &root(), rng).unwrap();
    let auth = KeyAuth::random(rng);
    let mut store = SoftwareKeys::generate(&auth, rng);
    let mut here = Here {
        device: DEVICE,
        store: &mut store,
        time: 1,
    };
    let created = create(&mut here, &auth, &new_pin(PIN), Some(&kit(1)), rng).unwrap();
    keep(kept, DEVICE, &created.change);
    let locked = vault.protect(&created, (DEVICE, known()), history, NOW, rng);
    locked.unwrap().into()
}

fn keep(kept: &mut Kept, device: DeviceId, change: &membership::Change) {
    if let Some((generation, keys)) = change.device_keys() {
        kept.insert((device, generation), keys.to_vec());
    }
}

fn locked(disk: &Disk) -> Locked {
    Locked::open(disk.clone(), known(), NOW).unwrap()
}

fn store_of(locked: &Locked, kept: &Kept) -> SoftwareKeys {
    let keys = &kept[&(locked.device(), locked.trust().pin_generation())];
    SoftwareKeys::from_bytes(keys).unwrap()
}

fn guess(locked: &mut Locked, kept: &Kept, pin: &str) -> Result<RightGuess, NotOpened> {
    // After any number of wrong ones.
    let guess = locked.guess(NOW + Duration::from_secs(3600)).unwrap();
    guess.check_typed(&mut store_of(locked, kept), pin)
}

fn opened(disk: &Disk, kept: &Kept, pin: &str) -> Vault {
    let mut locked = locked(disk);
    let right = guess(&mut locked, kept, pin).unwrap();
    unlock(locked, &right, &mut rng()).unwrap()
}

/// Something that is done to the open vault.
fn with_open<T>(disk: &Disk, kept: &Kept, work: impl FnOnce(&mut Vault) -> Result<T, Error>) -> Alive {
    let mut vault = opened(disk, kept, PIN);
    work(&mut vault).unwrap();
    vault.into()
}

/// A change of the membership as a program makes it: the Vault PIN, the device's keys, the change.
fn change(
    disk: &Disk,
    kept: &mut Kept,
    make: fn(&Unlocked, &mut Here<'_>, RightPin) -> Result<membership::Change, NotChanged>,
) -> Alive {
    let mut locked = locked(disk);
    let RightGuess { unlocked, right_pin } = guess(&mut locked, kept, PIN).unwrap();
    locked.forget_wrong_pins(&right_pin).unwrap();
    let mut store = store_of(&locked, kept);
    let mut here = Here {
        device: DEVICE,
        store: &mut store,
        time: 2,
    };
    let change = make(&unlocked, &mut here, right_pin).unwrap();
    keep(kept, DEVICE, &change);
    locked.apply(&change).unwrap();
    locked.into()
}

fn change_pin(disk: &Disk, kept: &mut Kept) -> Alive {
    change(disk, kept, |unlocked, here, right| {
        unlocked.change_pin(here, right, &next_pin(), &mut rng())
    })
}

fn rotate(disk: &Disk, kept: &mut Kept) -> Alive {
    change(disk, kept, |unlocked, here, right| {
        unlocked.rotate(here, right, Some(&next_pin()), &mut rng())
    })
}

fn renew_kit(disk: &Disk, kept: &mut Kept) -> Alive {
    change(disk, kept, |unlocked, here, right| {
        unlocked.renew_kit(here, right, &kit(2), &mut rng())
    })
}

fn take_over(disk: &Disk, kept: &mut Kept) -> Alive {
    let mut locked = locked(disk);
    let rng = &mut rng();
    let auth = KeyAuth::random(rng);
    let mut here = Here {
        device: OTHER_DEVICE,
        store: &mut SoftwareKeys::generate(&auth, rng),
        time: 3,
    };
    let object = |hash| locked.object(hash).unwrap();
    let here = (&mut here, &auth);
    let pins = (&next_pin(), &kit(2));
    let change = recover(
        locked.trust(),
        (&kit(1), &BTreeMap::new()),
        &object,
        here,
        pins,
        rng,
    );
    let change = change.unwrap();
    keep(kept, OTHER_DEVICE, &change);
    locked.apply_as(OTHER_DEVICE, &change).unwrap();
    locked.into()
}

fn wrong_pin(disk: &Disk, kept: &mut Kept) -> Alive {
    let mut locked = locked(disk);
    let wrong = guess(&mut locked, kept, "tin ra of oln");
    assert_eq!(wrong.err(), Some(NotOpened::WrongPin));
    locked.into()
}

fn nothing(_: &Disk, _: &mut Kept) {}

fn after_wrong_pins(disk: &Disk, kept: &mut Kept) {
    wrong_pin(disk, kept);
    wrong_pin(disk, kept);
}

/// What is recognized does not have the check that it should have.
fn damage_what_is_known(disk: &Disk, _: &mut Kept) {
    let database = Database::open(disk.clone()).unwrap();
    let damage = Change {
        put_meta: vec![(Meta::KnownCheck, vec![0; 16])],
        ..Change::default()
    };
    database.apply(&damage).unwrap();
}

const OPENINGS: [Case; 5] = [
    Case {
        name: "a wrong Vault PIN",
        prepare: after_wrong_pins,
        act: wrong_pin,
    },
    Case {
        name: "the right Vault PIN",
        prepare: after_wrong_pins,
        act: |disk, kept| opened(disk, kept, PIN).into(),
    },
    Case {
        name: "the first opening after another root key",
        prepare: |disk, kept| {
            rotate(disk, kept);
        },
        act: |disk, kept| opened(disk, kept, NEXT_PIN).into(),
    },
    Case {
        name: "an opening that makes anew what is recognized",
        prepare: damage_what_is_known,
        act: |disk, kept| opened(disk, kept, PIN).into(),
    },
    Case {
        name: "locking, with an entry of the log that nobody waited for",
        prepare: nothing,
        act: |disk, kept| {
            let mut vault = opened(disk, kept, PIN);
            vault.record_later(&mut rng(), &reset()).unwrap();
            vault.flush().unwrap();
            vault.lock().ok().unwrap().into()
        },
    },
];

const MEMBERSHIP: [Case; 4] = [
    Case {
        name: "another Vault PIN",
        prepare: after_wrong_pins,
        act: change_pin,
    },
    Case {
        name: "another root key",
        prepare: nothing,
        act: rotate,
    },
    Case {
        name: "another recovery kit",
        prepare: nothing,
        act: renew_kit,
    },
    Case {
        name: "recovery",
        prepare: after_wrong_pins,
        act: take_over,
    },
];

const USES: [Case; 8] = [
    Case {
        name: "a registration",
        prepare: nothing,
        act: |disk, kept| {
            with_open(disk, kept, |vault| {
                vault.store(&mut rng(), of("bob"), Some(&reset()))
            })
        },
    },
    Case {
        name: "another passkey of the same account",
        prepare: nothing,
        act: |disk, kept| {
            let again = passkey(&mut TestRng(3), SITE, "ann");
            with_open(disk, kept, |vault| vault.store(&mut rng(), again, Some(&reset())))
        },
    },
    Case {
        name: "a registration that is not stored",
        prepare: |disk, kept| {
            // From here on the sites of such credentials are noted.
            with_open(disk, kept, |vault| vault.reset(&mut rng(), &reset()));
        },
        act: |disk, kept| {
            let site = rp(WRAPPED_SITE);
            with_open(disk, kept, |vault| {
                vault.wrap(&mut rng(), &site, Profile::Synced, &[1; 38])
            })
        },
    },
    Case {
        name: "a deletion",
        prepare: nothing,
        act: |disk, kept| {
            let ann = of("ann").id;
            with_open(disk, kept, |vault| vault.delete(&mut rng(), &ann, Some(&reset())))
        },
    },
    Case {
        name: "an imported backup",
        prepare: nothing,
        act: |disk, kept| {
            let passkeys = ["bob", "cat", "dan"].map(of);
            with_open(disk, kept, |vault| {
                vault.add(&mut rng(), &passkeys, |_| Some(reset()))
            })
        },
    },
    Case {
        name: "a login with a counter",
        prepare: nothing,
        act: |disk, kept| {
            with_open(disk, kept, |vault| {
                vault.next_signature_count(&mut rng(), Some(&reset()))
            })
        },
    },
    Case {
        name: "a wrong PIN of the key, or another one",
        prepare: nothing,
        act: |disk, kept| with_open(disk, kept, |vault| put_state(vault, 7)),
    },
    Case {
        name: "a reset",
        prepare: nothing,
        act: |disk, kept| with_open(disk, kept, |vault| vault.reset(&mut rng(), &reset())),
    },
];

/// What there was before, the device's keys, and what was done, to which writes of the disk.
struct Ran {
    start: Disk,
    kept: Kept,
    end: Disk,
    /// So many writes and syncs there were when it was acknowledged.
    acknowledged: usize,
}

fn ran(disk: &Disk, mut kept: Kept, act: impl FnOnce(&Disk, &mut Kept) -> Alive) -> Ran {
    let start = copy(disk);
    disk.record();
    let alive = act(disk, &mut kept);
    let acknowledged = disk.recorded_len();
    // It writes, too, when it is closed.
    drop(alive);
    Ran {
        start,
        kept,
        end: disk.clone(),
        acknowledged,
    }
}

fn assert_before_or_after(case: &Case) {
    let (disk, mut kept) = used();
    (case.prepare)(&disk, &mut kept);
    let ran = ran(&disk, kept, case.act);
    let mut shown = Judge::new(&ran.kept);
    let (before, after) = (shown.on(&ran.start), shown.on(&ran.end));
    let cuts = cut_everywhere(&ran, |left, acknowledged, name| {
        let found = shown.on(left);
        let name = format!("{}, {name}", case.name);
        assert!(is_between(&before, &after, &found), "{name}: {found:#?}");
        if acknowledged {
            assert_eq!(found, after, "{name}");
        }
    });
    assert!(cuts > 5, "{} took only {cuts} writes", case.name);
}

#[test]
fn a_power_cut_while_it_is_opened_leaves_the_state_before_or_the_state_after() {
    OPENINGS.iter().for_each(assert_before_or_after);
}

#[test]
fn a_power_cut_while_its_membership_changes_leaves_the_state_before_or_the_state_after() {
    MEMBERSHIP.iter().for_each(assert_before_or_after);
}

#[test]
fn a_power_cut_while_it_is_used_leaves_the_state_before_or_the_state_after() {
    USES.iter().for_each(assert_before_or_after);
}

/// Before or after; on the way a try at the Vault PIN is counted, and a right one forgotten, in steps of their own.
fn is_between(before: &Shown, after: &Shown, found: &Shown) -> bool {
    let with_wrong_pins = |shown: &Shown, wrong_pins| Shown {
        wrong_pins,
        ..shown.clone()
    };
    let counted = before.wrong_pins + 1;
    let on_the_way = [before.wrong_pins, counted, after.wrong_pins];
    found == after
        || on_the_way
            .into_iter()
            .any(|wrong| *found == with_wrong_pins(before, wrong))
}

/// Making a vault is not one step: it is made in a file beside. Giving one that is there its Vault PIN is.
#[test]
fn a_power_cut_while_a_vault_gets_its_pin_leaves_it_without_or_with() {
    let empty = Disk::default();
    drop(Vault::open(empty.clone(), &root(), &mut rng()).unwrap());
    for (disk, history) in [(unprotected(), History::Used), (empty, History::New)] {
        let ran = ran(&disk, Kept::new(), |disk, kept| protect(disk, kept, history));
        let mut shown = Judge::new(&ran.kept);
        let (before, after) = (shown.on(&ran.start), shown.on(&ran.end));
        assert_eq!(
            (before.opened_by, after.opened_by),
            (Opener::KeyFile, Opener::Pin(PIN))
        );
        assert_eq!(before.users, after.users);
        let cuts = cut_everywhere(&ran, |left, acknowledged, name| {
            let found = shown.on(left);
            assert!(
                found == after || !acknowledged && found == before,
                "{name}: {found:#?}"
            );
        });
        assert!(cuts > 5, "it took only {cuts} writes");
    }
}

/// Calls `judge` with each disk that may be left, and whether what was done was acknowledged by then; says how many writes
/// there were.
fn cut_everywhere(ran: &Ran, mut judge: impl FnMut(&Disk, bool, &str)) -> usize {
    let mut seeds = TestRng(0);
    let cuts = ran.end.recorded(&ran.start);
    for (writes, cut) in cuts.iter().enumerate() {
        for attempt in 0..4 {
            let left = cut.after_power_cut(|| match attempt {
                0 => false,
                1 => true,
                _ => rand_core::Rng::next_u32(&mut seeds).is_multiple_of(2),
            });
            let name = format!("cut after {writes} writes, {attempt}");
            judge(&left, writes >= ran.acknowledged, &name);
        }
    }
    cuts.len() - 1
}

/// Looks what is on a disk: at the same disk once, and at the same locks once.
struct Judge<'a> {
    kept: &'a Kept,
    seen: BTreeMap<[u8; 32], Shown>,
    locks: Vec<Lock>,
}

/// What opens a vault.
struct Lock {
    /// The trust log, and the slots.
    made_of: (Trust, Vec<Vec<u8>>),
    pin: &'static str,
    right: RightGuess,
    kit: u64,
}

impl<'a> Judge<'a> {
    fn new(kept: &'a Kept) -> Self {
        Self {
            kept,
            seen: BTreeMap::new(),
            locks: Vec::new(),
        }
    }

    fn on(&mut self, disk: &Disk) -> Shown {
        let name = Sha256::digest(disk.content()).into();
        if let Some(shown) = self.seen.get(&name) {
            return shown.clone();
        }
        let shown = match Locked::open(copy(disk), known(), NOW) {
            Ok(locked) => self.look_locked(disk, &locked),
            Err(Error::HasNoPin) => look_open(
                &mut Vault::open(copy(disk), &root(), &mut rng()).unwrap(),
                Opener::KeyFile,
            ),
            Err(error) => panic!("{error}"),
        };
        self.seen.insert(name, shown.clone());
        shown
    }

    fn look_locked(&mut self, disk: &Disk, locked: &Locked) -> Shown {
        let lock = self.lock_of(disk, locked);
        let mut vault = unlock(self::locked(&copy(disk)), &lock.right, &mut rng()).unwrap();
        // Of the form of those that the vault does not store.
        let foreign = CredentialId::new(&[1; 79]).unwrap();
        Shown {
            kit: Some(lock.kit),
            device: Some(locked.device()),
            wrong_pins: locked.wrong_pins(),
            site_is_known: locked.has_site(&rp(SITE)).unwrap(),
            wrapped_site_is_known: locked.may_have(&rp(WRAPPED_SITE), &foreign).unwrap(),
            public_state: locked.public_state().map(<[u8]>::to_vec),
            ..look_open(&mut vault, Opener::Pin(lock.pin))
        }
    }

    fn lock_of(&mut self, disk: &Disk, locked: &Locked) -> &Lock {
        let trust = locked.trust();
        let slots = trust.slots().into_values();
        let slots = slots.map(|slot| locked.object(slot).unwrap().expect("a slot in force is there"));
        let made_of = (trust.clone(), slots.collect());
        let at = match self.locks.iter().position(|lock| lock.made_of == made_of) {
            Some(at) => at,
            None => {
                let (pin, right) = the_pin_of(disk, self.kept);
                self.locks.push(Lock {
                    made_of,
                    pin,
                    right,
                    kit: the_kit_of(locked),
                });
                self.locks.len() - 1
            }
        };
        &self.locks[at]
    }
}

fn copy(disk: &Disk) -> Disk {
    Disk::with(disk.content())
}

/// The one PIN that opens the vault.
fn the_pin_of(disk: &Disk, kept: &Kept) -> (&'static str, RightGuess) {
    let try_pin = |pin| match guess(&mut locked(&copy(disk)), kept, pin) {
        Ok(right) => Some((pin, right)),
        Err(error) => {
            assert_eq!(error, NotOpened::WrongPin);
            None
        }
    };
    let mut opened = [PIN, NEXT_PIN].into_iter().filter_map(try_pin);
    let right = opened.next().expect("a PIN opens it");
    assert!(opened.next().is_none(), "both PINs open it");
    right
}

/// The kit that recovers the vault.
fn the_kit_of(locked: &Locked) -> u64 {
    static PUBLIC: OnceLock<[crate::PublicKeys; 2]> = OnceLock::new();
    let kits = PUBLIC.get_or_init(|| [1, 2].map(|number| kit(number).public()));
    let trust = locked.trust();
    let number = kits
        .iter()
        .zip(1..)
        .find(|(public, _)| Some(*public) == trust.recovery());
    let (_, number) = number.expect("a kit of this test");
    let slot = locked.object(trust.recovery_slot().unwrap()).unwrap().unwrap();
    assert!(open_kit_slot(&slot, trust, &kit(number)).is_ok());
    number
}

fn look_open(vault: &mut Vault, opened_by: Opener) -> Shown {
    let log = vault.log(None).unwrap().map(|entry| {
        assert!(matches!(entry.unwrap(), crate::Logged::Entry { .. }));
    });
    let log = log.count();
    let state = vault.document(Document::AuthenticatorState).unwrap();
    Shown {
        opened_by,
        kit: None,
        device: None,
        wrong_pins: 0,
        users: users(vault),
        site_is_known: false,
        wrapped_site_is_known: false,
        state: state.map(|state| state.to_vec()),
        public_state: None,
        signature_count: vault.next_signature_count(&mut rng(), None).unwrap(),
        log,
    }
}

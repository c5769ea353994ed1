//! The names and numbers of the tests are those of the threat table in `DESIGN.md`. "Mutation" says which defence was
//! taken out to see the test fail.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::*;
use crate::device_key::{PublicKeys, SoftwareKeys};
use crate::kdf::KdfCost;
use crate::keys::VaultKey;
use crate::signature::{PublicPoint, Signature, SignedHash};
use crate::testing::TestRng;
use crate::testing::home::{DEVICE, Home, NEXT_PIN, PIN, kit};
use crate::{Attempts, GuessLimit, Name, Unlocked};

fn pin_secret(home: &Home, pin: &str) -> PinSecret {
    let pin = VaultPin::typed(pin).unwrap();
    home.trust().kdf().unwrap().stretch(&pin).unwrap()
}

fn header_of(slot: &[u8]) -> SlotHeader {
    SlotHeader::decode(Frame::parse(slot, Kind::Slot).unwrap().header).unwrap()
}

/// `unsigned`, signed by the device.
fn signed(home: &Home, unsigned: Unsigned) -> Vec<u8> {
    let auth = pin_secret(home, PIN).key_auth(home.trust().vault(), DEVICE);
    let signature = home.keys().sign(&auth, unsigned.to_sign()).unwrap();
    unsigned.signed(&signature)
}

/// C-01 cloud_alone_no_oracle. Whoever has all that a store has, and even the right PIN, has nothing to try it on: the
/// body is closed to the device's keys, and everything outside is the same for every PIN. Mutation: the text of
/// `SlotHeader::slot` not put into an envelope.
#[test]
fn cloud_alone_no_oracle() {
    let home = Home::new();
    let (slot, trust) = (home.slot(), home.trust());
    let secret = pin_secret(&home, PIN);
    let header = header_of(&slot);
    let (_, commitment) = secret.slot_key(trust.vault(), DEVICE, 1, 1);
    let auth = secret.key_auth(trust.vault(), DEVICE);
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let in_the_store = |name: &Name| !matches!(name, Name::DeviceKeys(_));
    for (_, bytes) in home.0.iter().filter(|(name, _)| in_the_store(name)) {
        for made_from_pin in [secret.expose_secret(), &commitment, auth.expose_secret()] {
            assert!(!contains(bytes, made_from_pin));
        }
    }

    // The PIN layer is not reachable with other keys, and the body does not open as if it were the PIN layer.
    let rng = &mut TestRng(77);
    let other_auth = KeyAuth::random(rng);
    let mut strange = SoftwareKeys::generate(&other_auth, rng);
    let in_force = InForce::read(&slot, &trust, Target::Device(DEVICE)).unwrap();
    let seed = strange.post_quantum(&other_auth).unwrap();
    let opened = in_force.open(&seed, |inner| strange.agree(&other_auth, inner.point()));
    assert!(opened.unwrap().is_none());
    let (key, commitment) = secret.slot_key(trust.vault(), DEVICE, 1, 1);
    assert!(open_pin_layer(key, &commitment, &header.encode(), in_force.body).is_none());

    // With the same randomness and another PIN, nothing outside the envelope differs, nor any length.
    let other_slot = header.slot(
        &trust.member(DEVICE).unwrap().recipient,
        &pin_secret(&home, NEXT_PIN),
        &Secret::random(&mut TestRng(3)),
        &mut TestRng(9),
    );
    let other_slot = signed(&home, other_slot);
    let start = slot.len() - in_force.body.len() - 64;
    assert_eq!(slot.len(), other_slot.len());
    assert_eq!(slot[..start], other_slot[..start]);
    assert_ne!(slot[start..], other_slot[start..]);
}

/// C-02 slot_needs_both. Mutation: the root key as it is in the place of the PIN layer, and no commitment compared.
#[test]
fn slot_needs_both() {
    let home = Home::new();
    let (slot, trust) = (home.slot(), home.trust());
    let secret = pin_secret(&home, PIN);
    let auth = secret.key_auth(trust.vault(), DEVICE);
    let in_force = InForce::read(&slot, &trust, Target::Device(DEVICE)).unwrap();

    // All of the device's keys, and another PIN.
    let mut keys = home.keys();
    let seed = keys.post_quantum(&auth).unwrap();
    let text = in_force
        .open(&seed, |inner| keys.agree(&auth, inner.point()))
        .unwrap()
        .unwrap();
    let header = header_of(&slot).encode();
    let open = |secret: &PinSecret| {
        let (key, commitment) = secret.slot_key(trust.vault(), DEVICE, 1, 1);
        open_pin_layer(key, &commitment, &header, &text)
    };
    assert!(open(&pin_secret(&home, NEXT_PIN)).is_none());
    let root = home.try_slot(&slot, &trust, PIN).unwrap();
    assert_eq!(open(&secret).unwrap().expose_secret(), &root);
    assert!(!text.windows(32).any(|window| window == root));

    // The right PIN, and only one of the two keys.
    let rng = &mut TestRng(77);
    let other = SoftwareKeys::generate(&auth, rng);
    let mut other_agreement = SoftwareKeys::from_bytes(other.as_bytes()).unwrap();
    let without_agreement = in_force.open(&seed, |inner| other_agreement.agree(&auth, inner.point()));
    assert!(without_agreement.unwrap().is_none());
    let mut other_post_quantum = other;
    let seed = other_post_quantum.post_quantum(&auth).unwrap();
    let without_post_quantum = in_force.open(&seed, |inner| keys.agree(&auth, inner.point()));
    assert!(without_post_quantum.unwrap().is_none());
}

/// K-01 slot substitution. The store puts slots with a root key of its own there. Mutation: the hash not compared with
/// the list in `InForce::read`.
#[test]
fn slot_substitution() {
    let home = Home::new();
    let trust = home.trust();
    let header = header_of(&home.slot());
    let recipient = &trust.member(DEVICE).unwrap().recipient;
    let root = Secret::from_slice(&[0x66; 32]).unwrap();
    let own = || header.slot(recipient, &pin_secret(&home, PIN), &root, &mut TestRng(9));

    let member_signed = signed(&home, own());
    let rng = &mut TestRng(77);
    let auth = KeyAuth::random(rng);
    let stranger = SoftwareKeys::generate(&auth, rng)
        .sign(&auth, own().to_sign())
        .unwrap();
    for slot in [
        member_signed,
        own().signed(&stranger),
        own().signed(&zero_signature()),
    ] {
        assert_eq!(
            home.try_slot(&slot, &trust, PIN),
            Err(NotOpened::Slot(Refused::Misplaced))
        );
    }
}

fn zero_signature() -> Signature {
    Signature::unchecked(&[0; 64])
}

/// C-07 kdf_downgrade, in a slot. Every parameter that is edited is refused before Argon2 runs: the answer does not
/// depend on the PIN. Mutation: neither the hash nor the parameters compared in `InForce::read`,
/// and the signature not checked.
#[test]
fn kdf_downgrade_in_a_slot() {
    let home = Home::new();
    let (slot, trust) = (home.slot(), home.trust());
    let kdf = trust.kdf().unwrap().to_bytes();
    let at = slot.windows(kdf.len()).position(|window| window == kdf).unwrap();
    for byte in at..at + kdf.len() {
        for bit in 0..8 {
            let mut edited = slot.clone();
            edited[byte] ^= 1 << bit;
            for pin in [PIN, "no PIN at all"] {
                assert!(matches!(
                    home.try_slot(&edited, &trust, pin),
                    Err(NotOpened::Slot(_))
                ));
            }
        }
    }
    // Even when a member signs a cheaper function and the list names the slot, the trust log has another one.
    let cheap = SlotHeader {
        target: SlotTarget::Device {
            device: DEVICE,
            pin_generation: 1,
            kdf: KdfParameters::new(KdfCost::FLOOR, &mut TestRng(0)),
        },
        ..header_of(&slot)
    };
    let recipient = &trust.member(DEVICE).unwrap().recipient;
    let root = Secret::from_slice(&[0x66; 32]).unwrap();
    let cheap = signed(
        &home,
        cheap.slot(recipient, &pin_secret(&home, PIN), &root, &mut TestRng(9)),
    );
    assert!(home.try_slot(&cheap, &trust, PIN).is_err());
}

/// I-06 bitflip, of a slot. Mutation: the hash not compared with the list in `InForce::read`, and `PublicPoint::verify` says
/// yes.
#[test]
fn every_changed_byte_is_noticed() {
    let home = Home::new();
    let (slot, trust) = (home.slot(), home.trust());
    for at in 0..slot.len() {
        let mut changed = slot.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(
            InForce::read(&changed, &trust, Target::Device(DEVICE)).is_err(),
            "byte {at}"
        );
    }
    for len in (0..slot.len()).step_by(7) {
        assert!(InForce::read(&slot[..len], &trust, Target::Device(DEVICE)).is_err());
    }
}

#[test]
fn a_slot_opens_for_nobody_else() {
    let home = Home::new();
    let (trust, slot) = (home.trust(), home.slot());
    assert_eq!(
        open_kit_slot(&slot, &trust, &kit(1)).err(),
        Some(NotOpened::Slot(Refused::Misplaced))
    );
    let kit_slot = home.object(trust.recovery_slot().unwrap()).unwrap();
    assert_eq!(
        home.try_slot(&kit_slot, &trust, PIN),
        Err(NotOpened::Slot(Refused::Misplaced))
    );
    let root = open_kit_slot(&kit_slot, &trust, &kit(1)).unwrap();
    assert_eq!(Ok(*root.expose_secret()), home.try_slot(&slot, &trust, PIN));
}

/// Counts how often its keys were asked for with which auth value, and what was kept by then.
struct Watched<'a> {
    keys: SoftwareKeys,
    checked: &'a Cell<u32>,
}

impl KeyStore for Watched<'_> {
    fn public(&self) -> &PublicKeys {
        self.keys.public()
    }

    fn guess_limit(&self) -> GuessLimit {
        self.keys.guess_limit()
    }

    fn sign(&mut self, auth: &KeyAuth, hash: &SignedHash) -> Result<Signature, KeyStoreError> {
        self.keys.sign(auth, hash)
    }

    fn agree(&mut self, auth: &KeyAuth, point: &PublicPoint) -> Result<Secret<32>, KeyStoreError> {
        self.keys.agree(auth, point)
    }

    fn post_quantum(&mut self, auth: &KeyAuth) -> Result<Secret<32>, KeyStoreError> {
        self.checked.set(self.checked.get() + 1);
        self.keys.post_quantum(auth)
    }

    fn resealed(
        &mut self,
        auth: &KeyAuth,
        new_auth: &KeyAuth,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError> {
        self.keys.resealed(auth, new_auth, rng)
    }
}

/// C-03 pin_guess_counts_before_check. A program that is killed at any point of a wrong PIN has counted every PIN that
/// it checked, and only a right PIN takes the count back. Mutation: `Attempts::count` goes on when `keep` fails, or does
/// not call it.
#[test]
fn pin_guess_counts_before_check() {
    let home = Home::new();
    let kept = RefCell::new(None::<Vec<u8>>);
    let checked = Cell::new(0);
    let counted = || {
        kept.borrow()
            .as_deref()
            .map_or(0, |kept| u32::from_be_bytes(kept.try_into().unwrap()))
    };
    // Each start of the program tries one wrong PIN and is killed at one of three points.
    for killed_at in [0, 1, 2, 0, 1, 2, 2] {
        let mut attempts = Attempts::from_bytes(kept.borrow().as_deref(), Duration::ZERO);
        let hour = Duration::from_secs(3600);
        let token = attempts.count(hour, |bytes| {
            if killed_at == 0 {
                return Err("killed before the count was durable");
            }
            *kept.borrow_mut() = Some(bytes.to_vec());
            Ok(())
        });
        let Ok(token) = token else { continue };
        assert!(counted() > checked.get());
        if killed_at == 1 {
            continue;
        }
        let mut store = Watched {
            keys: home.keys(),
            checked: &checked,
        };
        let wrong = VaultPin::typed("no PIN at all").unwrap();
        let opened = open_device_slot(&home.slot(), &home.trust(), DEVICE, &mut store, &wrong, token);
        assert_eq!(opened.err(), Some(NotOpened::WrongPin));
        assert!(counted() >= checked.get());
    }
    assert_eq!((counted(), checked.get()), (5, 3));

    let mut attempts = Attempts::from_bytes(kept.borrow().as_deref(), Duration::ZERO);
    assert_eq!(attempts.failed(), 5);
    let token = attempts
        .count(Duration::from_secs(3600), |bytes| {
            *kept.borrow_mut() = Some(bytes.to_vec());
            Ok::<_, ()>(())
        })
        .unwrap();
    let right = VaultPin::typed(PIN).unwrap();
    let opened = open_device_slot(
        &home.slot(),
        &home.trust(),
        DEVICE,
        &mut home.keys(),
        &right,
        token,
    );
    assert_eq!(counted(), 6);
    let right_pin = opened.map(|opened| opened.right_pin).ok().unwrap();
    attempts
        .forget(&right_pin, |bytes| {
            *kept.borrow_mut() = Some(bytes.to_vec());
            Ok::<_, ()>(())
        })
        .unwrap();
    assert_eq!(counted(), 0);
}

/// A chip: counts wrong auth values itself, where no file reaches.
struct Chip {
    keys: SoftwareKeys,
    wrong: u32,
}

impl Chip {
    const LIMIT: u32 = 10;

    fn counted<T>(
        &mut self,
        used: impl FnOnce(&mut SoftwareKeys) -> Result<T, KeyStoreError>,
    ) -> Result<T, KeyStoreError> {
        if self.wrong >= Self::LIMIT {
            return Err(KeyStoreError::LockedOut);
        }
        let used = used(&mut self.keys);
        self.wrong = if used.is_ok() { 0 } else { self.wrong + 1 };
        used
    }
}

impl KeyStore for Chip {
    fn public(&self) -> &PublicKeys {
        self.keys.public()
    }

    fn guess_limit(&self) -> GuessLimit {
        GuessLimit::Hardware
    }

    fn sign(&mut self, auth: &KeyAuth, hash: &SignedHash) -> Result<Signature, KeyStoreError> {
        self.counted(|keys| keys.sign(auth, hash))
    }

    fn agree(&mut self, auth: &KeyAuth, point: &PublicPoint) -> Result<Secret<32>, KeyStoreError> {
        self.counted(|keys| keys.agree(auth, point))
    }

    fn post_quantum(&mut self, auth: &KeyAuth) -> Result<Secret<32>, KeyStoreError> {
        self.counted(|keys| keys.post_quantum(auth))
    }

    fn resealed(
        &mut self,
        auth: &KeyAuth,
        new_auth: &KeyAuth,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError> {
        self.counted(|keys| keys.resealed(auth, new_auth, rng))
    }
}

/// C-04 pin_budget_not_renewed_by_rollback, as far as a library can. With a chip, putting back the file with the count
/// gives no further guess. Without one it does, and the store says so: `GuessLimit::None`, where only a passphrase may be
/// chosen. Mutation: `SoftwareKeys::guess_limit` says `Hardware`.
#[test]
fn pin_budget_not_renewed_by_rollback() {
    let home = Home::new();
    let (slot, trust) = (home.slot(), home.trust());
    let guess = |store: &mut dyn KeyStore| {
        // The count is as it was before, every time.
        let mut attempts = Attempts::from_bytes(None, Duration::ZERO);
        let token = attempts.count(Duration::ZERO, |_| Ok::<_, ()>(())).unwrap();
        let wrong = VaultPin::typed("no PIN at all").unwrap();
        open_device_slot(&slot, &trust, DEVICE, store, &wrong, token).err()
    };
    let mut chip = Chip {
        keys: home.keys(),
        wrong: 0,
    };
    for _ in 0..Chip::LIMIT {
        assert_eq!(guess(&mut chip), Some(NotOpened::WrongPin));
    }
    let locked_out = Some(NotOpened::KeyStore(KeyStoreError::LockedOut));
    assert_eq!(guess(&mut chip), locked_out);

    let mut software = home.keys();
    for _ in 0..=Chip::LIMIT {
        assert_eq!(guess(&mut software), Some(NotOpened::WrongPin));
    }
    assert_eq!(software.guess_limit(), GuessLimit::None);
    assert!(VaultPin::chosen("493817", software.guess_limit()).is_err());
    assert!(VaultPin::chosen("493817", chip.guess_limit()).is_ok());
}

/// C-04: slots of an earlier PIN are no further chance either, not even with the keys as they were kept then. Mutation:
/// neither the hash nor the generation of the PIN compared in `InForce::read`.
#[test]
fn old_slots_give_no_guesses() {
    let old = Home::new();
    let new = old.clone().changed(PIN, |unlocked: &Unlocked, here, pin, rng| {
        unlocked
            .change_pin(here, pin, &crate::testing::home::new_pin(NEXT_PIN), rng)
            .unwrap()
    });
    assert_eq!(
        old.try_slot(&old.slot(), &new.trust(), PIN),
        Err(NotOpened::Slot(Refused::Misplaced))
    );
}

#[test]
fn an_open_vault_gives_the_key_that_its_slot_holds() {
    let home = Home::new();
    let root = Secret::from_slice(&home.try_slot(&home.slot(), &home.trust(), PIN).unwrap()).unwrap();
    let expected = VaultKey::of_epoch(&root, home.trust().vault(), 1);
    let key = home.open(PIN).unwrap().key(1).unwrap();
    assert_eq!(key.object_key(b"", b"").1, expected.object_key(b"", b"").1);
}

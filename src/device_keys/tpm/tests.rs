//! With a real TPM 2.0 in software. "Mutation" says which defence was taken out to see the test fail.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;
use tss_esapi::structures::Public;
use tss_esapi::tss2_esys::TPMA_OBJECT;
use wardkey_vault::{
    Attempts, Change, DeviceId, Here, KdfCost, Name, NewPin, NotChosen, NotOpened, ObjectHash, PinRefused,
    RecoveryKit, RightPin, Trust, Unlocked, VaultPin, create, recover,
};

use super::error::kind;
use super::testing::{Bus, LOCKOUT, OWNER, Swtpm};
use super::{DEVICE as DEVICE_FILE, *};

const DEVICE: DeviceId = DeviceId([0xa1; 16]);
const PIN: &str = "493817";
const NEXT_PIN: &str = "628405";
const WRONG_PIN: &str = "111222";
const PASSPHRASE: &str = "tin ra of olm";

fn rng() -> impl CryptoRng {
    crate::host::rng()
}

fn auth() -> KeyAuth {
    KeyAuth::random(&mut rng())
}

fn keys(chip: Chip, auth: &KeyAuth) -> TpmKeys {
    TpmKeys::generate(chip, auth, &mut rng()).unwrap()
}

fn counted(tpm: &Swtpm) -> u32 {
    tpm.counted()
}

fn choose(pin: &str, limit: GuessLimit) -> Result<NewPin, NotChosen> {
    NewPin::choose(pin, limit, KdfCost::new(64 << 10, 3, 4).unwrap(), &mut rng())
}

/// A device with its keys in a TPM, and all that it keeps on its disk, by name.
struct Home {
    chip: Chip,
    disk: BTreeMap<Name, Vec<u8>>,
}

type Make = fn(&Unlocked, &mut Here<'_>, RightPin) -> Change;

impl Home {
    /// A new vault.
    fn new(chip: Chip, pin: &str, kit: &RecoveryKit) -> Self {
        let auth = auth();
        let mut keys = keys(chip.clone(), &auth);
        let pin = choose(pin, keys.guess_limit()).unwrap();
        let created = create(&mut here(&mut keys), &auth, &pin, Some(kit), &mut rng()).unwrap();
        let mut home = Self {
            chip,
            disk: BTreeMap::new(),
        };
        home.apply(created.change);
        home
    }

    fn apply(&mut self, change: Change) {
        self.disk.extend(change.before);
        self.disk.extend([change.commit]);
        self.disk.retain(|name, _| !change.after.contains(name));
    }

    fn trust(&self) -> Trust {
        let entries = (1..).map_while(|seq| self.disk.get(&Name::Entry(seq)).map(Vec::as_slice));
        Trust::read(entries, None).unwrap()
    }

    fn object(&self, hash: ObjectHash) -> Option<Vec<u8>> {
        self.disk.get(&Name::Object(hash)).cloned()
    }

    fn keys(&self) -> TpmKeys {
        let bytes = &self.disk[&Name::DeviceKeys(self.trust().pin_generation())];
        TpmKeys::from_bytes(self.chip.clone(), bytes).unwrap()
    }

    fn open(&self, pin: &str) -> Result<(Unlocked, RightPin), NotOpened> {
        let counted =
            Attempts::from_bytes(None, Duration::ZERO).count(Duration::ZERO, |_| Ok::<_, Infallible>(()));
        Unlocked::open(
            self.trust(),
            &mut here(&mut self.keys()),
            &VaultPin::typed(pin).unwrap(),
            counted.unwrap(),
            &|hash| self.object(hash),
        )
    }

    fn change(&mut self, pin: &str, make: Make) {
        let (unlocked, right_pin) = self.open(pin).ok().unwrap();
        let change = make(&unlocked, &mut here(&mut self.keys()), right_pin);
        self.apply(change);
    }
}

fn here(keys: &mut TpmKeys) -> Here<'_> {
    Here {
        device: DEVICE,
        store: keys,
        time: 1,
    }
}

fn change_pin(unlocked: &Unlocked, here: &mut Here<'_>, right_pin: RightPin) -> Change {
    let pin = choose(NEXT_PIN, here.store.guess_limit()).unwrap();
    unlocked.change_pin(here, right_pin, &pin, &mut rng()).unwrap()
}

fn rotate(unlocked: &Unlocked, here: &mut Here<'_>, right_pin: RightPin) -> Change {
    unlocked.rotate(here, right_pin, None, &mut rng()).unwrap()
}

#[test]
fn keys_agree_and_unseal_and_come_back_from_their_bytes() {
    let (tpm, auth) = (Swtpm::new(), auth());
    let made = keys(tpm.chip(), &auth);
    let mut keys = TpmKeys::from_bytes(tpm.chip(), &made.to_bytes()).unwrap();
    assert_eq!(keys.public(), made.public());

    let seed = keys.post_quantum(&auth).unwrap();
    assert_eq!(XWingPublic::of(&seed), keys.public().recipient.post_quantum);

    let other = p256::SecretKey::from_slice(&[9; 32]).unwrap();
    let point = PublicPoint::new(p256::Sec1Point::from(other.public_key()).as_bytes()).unwrap();
    let agreed = keys.agree(&auth, &point).unwrap();
    let agreement = keys.public().recipient.agreement;
    let there = other.diffie_hellman(&p256::PublicKey::from_sec1_bytes(agreement.as_bytes()).unwrap());
    assert_eq!(
        agreed.expose_secret().as_slice(),
        there.raw_secret_bytes().as_slice()
    );
}

/// Through the kernel's resource manager. It leaves nothing in the TPM, and guesses nothing wrong.
#[test]
#[ignore = "needs a TPM of this computer, and the right to use it"]
fn the_tpm_of_this_computer_holds_keys() {
    let chip = Chip::at(Path::new(DEVICE_FILE));
    let counting = chip.counting().unwrap();
    println!("{counting}");
    let home = Home::new(chip, PASSPHRASE, &RecoveryKit::random(&mut rng()));
    assert!(home.open(PASSPHRASE).is_ok());
    assert_eq!(home.chip.counting().unwrap().counted(), counting.counted());
}

#[test]
fn bytes_that_are_no_keys_are_refused() {
    let tpm = Swtpm::new();
    let bytes = keys(tpm.chip(), &auth()).to_bytes();
    let read = |bytes: &[u8]| TpmKeys::from_bytes(tpm.chip(), bytes).is_some();
    assert!(read(&bytes));
    assert!(!read(&[bytes.as_slice(), &[0]].concat()));
    assert!((0..bytes.len()).all(|len| !read(&bytes[..len])));
    let mut next_version = bytes;
    next_version[4] += 1;
    assert!(!read(&next_version));
}

/// Signing is part of each of these: the trust log takes no entry whose signature does not verify.
#[test]
fn a_vault_lives_with_keys_in_a_tpm() {
    let tpm = Swtpm::with_lockout_password();
    let (kit, next_kit) = (RecoveryKit::random(&mut rng()), RecoveryKit::random(&mut rng()));
    let mut home = Home::new(tpm.chip(), PIN, &kit);
    assert!(home.open(PIN).is_ok());
    assert_eq!(home.open(WRONG_PIN).err(), Some(NotOpened::WrongPin));

    home.change(PIN, change_pin);
    assert_eq!(home.open(PIN).err(), Some(NotOpened::WrongPin));
    home.change(NEXT_PIN, rotate);
    let (unlocked, _) = home.open(NEXT_PIN).ok().unwrap();
    assert_eq!(
        (unlocked.trust().epoch(), unlocked.trust().pin_generation()),
        (2, 2)
    );

    // Another computer, with what a store had.
    let (other, auth) = (Swtpm::with_lockout_password(), auth());
    home.disk.retain(|name, _| !matches!(name, Name::DeviceKeys(_)));
    home.chip = other.chip();
    let mut keys = keys(other.chip(), &auth);
    let pin = choose(PIN, keys.guess_limit()).unwrap();
    let change = recover(
        &home.trust(),
        (&kit, &BTreeMap::new()),
        &|hash| home.object(hash),
        (&mut here(&mut keys), &auth),
        (&pin, &next_kit),
        &mut rng(),
    );
    home.apply(change.unwrap());
    let (unlocked, _) = home.open(PIN).ok().unwrap();
    assert!((1..=3).all(|epoch| unlocked.key(epoch).is_some()));
}

/// Mutation: objects made and used without an authorization value.
#[test]
fn a_wrong_pin_uses_none_of_the_keys_and_each_is_counted() {
    let (tpm, auth, wrong) = (Swtpm::new(), auth(), auth());
    tpm.set_limits(10, 1000).unwrap();
    let mut keys = keys(tpm.chip(), &auth);
    let point = keys.public().signing;
    assert_eq!(keys.post_quantum(&wrong).err(), Some(KeyStoreError::WrongAuth));
    assert_eq!(counted(&tpm), 1);
    assert_eq!(keys.agree(&wrong, &point).err(), Some(KeyStoreError::WrongAuth));
    assert_eq!(counted(&tpm), 2);
    assert_eq!(
        keys.resealed(&wrong, &auth, &mut rng()).err(),
        Some(KeyStoreError::WrongAuth)
    );
    assert_eq!(counted(&tpm), 3);
    assert_eq!(keys.failure, Some(TpmError::WrongAuth));
    assert!(keys.post_quantum(&auth).is_ok());
    assert_eq!(keys.failure, None);
}

/// C-04 pin_budget_not_renewed_by_rollback: old files and a switched-off computer bring no guess back. Mutation: `noDA`
/// set on the objects.
#[test]
fn pin_budget_not_renewed_by_rollback() {
    let mut tpm = Swtpm::with_lockout_password();
    let mut home = Home::new(tpm.chip(), PIN, &RecoveryKit::random(&mut rng()));
    let old_disk = home.disk.clone();
    home.change(PIN, rotate);
    for wrong in 1..=3 {
        assert_eq!(home.open(WRONG_PIN).err(), Some(NotOpened::WrongPin));
        assert_eq!(counted(&tpm), wrong);
    }
    let locked_out = Some(NotOpened::KeyStore(KeyStoreError::LockedOut));
    assert_eq!(home.open(PIN).err(), locked_out);
    home.disk = old_disk;
    assert_eq!(home.open(PIN).err(), locked_out);
    tpm.cut_power();
    home.chip = tpm.chip();
    assert_eq!(home.open(PIN).err(), locked_out);
}

/// C-05 da_reset_detected: where whoever starts another system can have the wrong guesses forgotten, the TPM is no limit,
/// and a short PIN is refused. Mutation: no look at `lockoutAuthSet`.
#[test]
fn da_reset_detected() {
    let (tpm, auth, wrong) = (Swtpm::new(), auth(), auth());
    let mut keys = keys(tpm.chip(), &auth);
    for _ in 0..3 {
        assert_eq!(keys.post_quantum(&wrong).err(), Some(KeyStoreError::WrongAuth));
    }
    assert_eq!(keys.post_quantum(&auth).err(), Some(KeyStoreError::LockedOut));
    tpm.reset_counter(b"").unwrap();
    assert!(keys.post_quantum(&auth).is_ok(), "that is all it takes");

    assert_eq!(keys.guess_limit(), GuessLimit::OperatingSystem);
    let refused = Some(NotChosen::Refused(PinRefused::NotAPassphrase));
    assert_eq!(choose(PIN, keys.guess_limit()).err(), refused);
    assert!(choose(PASSPHRASE, keys.guess_limit()).is_ok());

    // An interval of zero, or more guesses than there are PINs.
    for (allowed, interval) in [(3, 0), (1_000_000, 7200)] {
        tpm.set_limits(allowed, interval).unwrap();
        assert_eq!(keys.guess_limit(), GuessLimit::None);
    }
    tpm.set_limits(3, 1000).unwrap();
    tpm.set_password(LOCKOUT, b"", b"secret").unwrap();
    assert_eq!(keys.guess_limit(), GuessLimit::Hardware);
    assert!(choose(PIN, keys.guess_limit()).is_ok());
    assert!(tpm.reset_counter(b"").is_err());
}

/// C-06 no_offline_pin_blob_on_disk: what is kept is public keys, and objects that only the TPM opens; nothing in it tells
/// a right PIN from a wrong one. Mutation: eight bytes of the authorization value kept behind a private area.
#[test]
fn no_offline_pin_blob_on_disk() {
    let (tpm, auth, wrong) = (Swtpm::new(), auth(), auth());
    let mut keys = keys(tpm.chip(), &auth);
    let bytes = keys.to_bytes();
    let seed = keys.post_quantum(&auth).unwrap();
    for secret in [&seed, &Secret::from_slice(auth.expose_secret()).unwrap()] {
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(&secret.expose_secret()[..8]) && !holds(&secret.expose_secret()[24..]));
    }

    // Everything before the private areas is the same for every PIN, …
    let resealed = keys.resealed(&auth, &wrong, &mut rng()).unwrap();
    let public_len = 5 + 3 * PublicPoint::LEN + XWingPublic::LEN + 32;
    assert_eq!(bytes[..public_len], resealed[..public_len]);
    // … and they are not what one could make again for a PIN to try: the TPM encrypts each time with another nonce.
    let again = keys.resealed(&auth, &wrong, &mut rng()).unwrap();
    let private = |bytes: &[u8]| {
        TpmKeys::from_bytes(tpm.chip(), bytes)
            .unwrap()
            .kept
            .seed
            .for_tpm()
            .unwrap()
    };
    assert_ne!(private(&resealed), private(&again));

    // Without this TPM, right and wrong are one.
    let other = Swtpm::new();
    let mut elsewhere = TpmKeys::from_bytes(other.chip(), &bytes).unwrap();
    for auth in [&auth, &wrong] {
        assert_eq!(
            elsewhere.post_quantum(auth).err(),
            Some(KeyStoreError::Unavailable)
        );
        assert_eq!(elsewhere.failure, Some(TpmError::OtherTpm));
    }
    assert_eq!(counted(&other), 0);
}

/// Mutation: the session does not encrypt commands, or answers; it has no salt.
#[test]
fn nothing_secret_crosses_the_bus_in_clear() {
    let (tpm, first, second) = (Swtpm::new(), auth(), auth());
    let bus = Bus::to(&tpm);
    let mut keys = keys(bus.chip(), &first);
    let seed = keys.post_quantum(&first).unwrap();
    let point = keys.public().signing;
    let agreed = keys.agree(&first, &point).unwrap();
    keys.resealed(&first, &second, &mut rng()).unwrap();

    assert!(
        bus.heard(&keys.public().signing.as_bytes()[1..33]),
        "somebody listens"
    );
    for secret in [&seed, &agreed] {
        assert!(!bus.heard(&secret.expose_secret()[..8]));
    }
    for auth in [first, second] {
        assert!(!bus.heard(&auth.expose_secret()[..8]));
    }
    // Without a salt (TPM2_StartAuthSession, then TPM_RH_NULL) whoever listens makes the session's keys himself.
    assert!(!bus.heard(&[0, 0, 1, 0x76, 0x40, 0, 0, 7]));
}

/// Mutation: the storage key is not compared (then the other TPM is asked to load the keys).
#[test]
fn another_tpm_is_told_from_the_one_that_made_the_keys() {
    let (tpm, auth) = (Swtpm::new(), auth());
    let bytes = keys(tpm.chip(), &auth).to_bytes();
    let mut keys = TpmKeys::from_bytes(tpm.chip(), &bytes).unwrap();
    tpm.clear().unwrap();
    assert_eq!(keys.post_quantum(&auth).err(), Some(KeyStoreError::Unavailable));
    assert_eq!(keys.failure, Some(TpmError::OtherTpm));
}

#[test]
fn resealed_keys_have_another_auth_value_and_the_old_bytes_stay_good() {
    let (tpm, first, second) = (Swtpm::new(), auth(), auth());
    tpm.set_limits(10, 1000).unwrap();
    let mut old = keys(tpm.chip(), &first);
    let bytes = old.resealed(&first, &second, &mut rng()).unwrap();
    let mut new = TpmKeys::from_bytes(tpm.chip(), &bytes).unwrap();
    assert_eq!(new.public(), old.public());
    let seed = |keys: &mut TpmKeys, auth| keys.post_quantum(auth).map(|seed| *seed.expose_secret());
    assert_eq!(seed(&mut old, &first), seed(&mut new, &second));
    let (point, wrong) = (old.public().signing, Some(KeyStoreError::WrongAuth));
    assert_eq!(new.post_quantum(&first).err(), wrong);
    assert_eq!(new.agree(&first, &point).err(), wrong);
    assert!(new.agree(&second, &point).is_ok());
}

/// A TPM leaves zeros off at the end of authorization values, so does who computes with them.
#[test]
fn an_auth_value_may_end_with_zeros() {
    struct Zeros;

    impl TryRng for Zeros {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            out.fill(0);
            out[0] = 1;
            Ok(())
        }
    }

    impl TryCryptoRng for Zeros {}

    let (tpm, first, zeros) = (Swtpm::new(), auth(), KeyAuth::random(&mut Zeros));
    let bytes = keys(tpm.chip(), &first)
        .resealed(&first, &zeros, &mut rng())
        .unwrap();
    let mut resealed = TpmKeys::from_bytes(tpm.chip(), &bytes).unwrap();
    assert!(resealed.post_quantum(&zeros).is_ok());
    assert!(keys(tpm.chip(), &zeros).post_quantum(&zeros).is_ok());
}

#[test]
fn no_protection_can_be_taken_off() {
    let (tpm, auth) = (Swtpm::new(), auth());
    let kept = keys(tpm.chip(), &auth).kept;
    let mut conversation = Conversation::begin(&tpm.chip(), Some(&kept.storage)).unwrap();
    let objects = [
        (
            objects::signing(Some(&kept.public.signing)).unwrap(),
            &kept.signing,
        ),
        (
            objects::agreement(Some(&kept.public.recipient.agreement)).unwrap(),
            &kept.agreement,
        ),
        (objects::sealed(Some(&kept.seed_name)).unwrap(), &kept.seed),
    ];
    for (public, private) in objects {
        let attributes = public.object_attributes();
        assert!(attributes.fixed_tpm() && attributes.fixed_parent() && attributes.user_with_auth());
        assert!(!attributes.no_da());
        let unguarded = without_protection(public);
        let Err(TpmError::Refused(error)) = conversation.load(unguarded, private, &auth) else {
            panic!("the TPM loaded it");
        };
        assert_eq!(kind(error), Some(Tss2ResponseCodeKind::Integrity));
    }
}

fn without_protection(mut public: Public) -> Public {
    match &mut public {
        Public::Ecc {
            object_attributes, ..
        }
        | Public::KeyedHash {
            object_attributes, ..
        } => {
            let no_da = 1 << 10;
            *object_attributes = (TPMA_OBJECT::from(*object_attributes) | no_da).into();
        }
        Public::Rsa { .. } | Public::SymCipher { .. } => unreachable!("there are none"),
    }
    public
}

#[test]
fn a_tpm_that_cannot_be_used_says_why() {
    let auth = auth();
    let why = |chip: Chip| TpmKeys::generate(chip, &auth, &mut rng()).err().unwrap();
    assert_eq!(why(Chip::at(Path::new("/nonexistent/tpm"))), TpmError::Missing);

    let tpm = Swtpm::new();
    let mut keys = keys(tpm.chip(), &auth);
    tpm.set_password(OWNER, b"", b"of the owner").unwrap();
    assert_eq!(why(tpm.chip()), TpmError::Owned);
    assert_eq!(keys.post_quantum(&auth).err(), Some(KeyStoreError::Unavailable));
    assert!(keys.failure.unwrap().to_string().contains("the owner"));

    tpm.switch_off();
    assert_eq!(keys.post_quantum(&auth).err(), Some(KeyStoreError::Unavailable));
    assert!(matches!(keys.failure, Some(TpmError::Unreachable(_))));
    assert_eq!(keys.guess_limit(), GuessLimit::None);
}

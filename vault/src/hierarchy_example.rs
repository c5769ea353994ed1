//! `EXAMPLE.md` is what the code makes, and opens.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::format_example::{assert_shown_in, block_in};
use crate::frame::SealedKind;
use crate::object::{Authentic, Position, seal};
use crate::testing::TestRng;
use crate::testing::home::{DEVICE, Home, PIN, kit};
use crate::testing::house::{House, Newcomer, SECOND};
use crate::{
    Admission, Admitting, AskToJoin, Counted, Here, KeyStore, LogHead, Name, NewDevice, ObjectHash, Post,
    RecoveryKit, SoftwareKeys, Trust, Unlocked, UsedPairings, VaultPin,
};

const EXAMPLE: &str = include_str!("../EXAMPLE.md");

fn block(name: &str) -> Vec<u8> {
    block_in(EXAMPLE, name)
}

fn assert_shown(name: &str, made: &[u8]) {
    assert_shown_in(EXAMPLE, name, made);
}

/// What is shown, as if it were kept.
fn shown() -> Home {
    let mut home = Home::default();
    home.0.insert(Name::DeviceKeys(1), block("device-keys"));
    home.0.insert(Name::Entry(1), block("genesis"));
    home.0.insert(Name::Entry(2), block("keys"));
    for slot in ["device-slot", "kit-slot"] {
        let slot = block(slot);
        home.0.insert(Name::Object(ObjectHash::of(&slot)), slot);
    }
    home
}

#[test]
fn the_vault_is_as_shown() {
    let mut home = Home::default();
    for step in crate::testing::home::steps(Home::creation(1)) {
        home.apply(step);
    }
    let trust = home.trust();
    assert_shown("device-keys", &home.0[&Name::DeviceKeys(1)]);
    assert_shown("genesis", &home.0[&Name::Entry(1)]);
    assert_shown("device-slot", &home.slot());
    assert_shown("kit-slot", &home.object(trust.recovery_slot().unwrap()).unwrap());
    assert_shown("keys", &home.0[&Name::Entry(2)]);
    assert!(
        EXAMPLE.contains(kit(1).to_text().as_str()),
        "{}",
        kit(1).to_text().as_str()
    );
}

#[test]
fn the_vault_opens_with_what_is_shown() {
    assert!(EXAMPLE.contains(&format!("`{PIN}`")));
    let home = shown();
    let trust = Trust::read(home.entries(), None).unwrap();
    assert_shown("vault-id", &trust.vault().0);
    assert_shown("root-key", &home.try_slot(&home.slot(), &trust, PIN).unwrap());

    let text = EXAMPLE.split("Recovery kit: `").nth(1).unwrap();
    let kit = RecoveryKit::parse(text.split('`').next().unwrap()).unwrap();
    let slot = home.object(trust.recovery_slot().unwrap()).unwrap();
    let root = crate::slot::open_kit_slot(&slot, &trust, &kit).unwrap();
    assert_shown("root-key", root.expose_secret());
}

/// What two devices say to each other, and what one of them makes of the other then.
fn paired() -> (Vec<Post>, AskToJoin, NewDevice) {
    let (now, rng) = (Duration::ZERO, &mut TestRng(3 << 20));
    let trust = shown().trust();
    let mut asks = AskToJoin::begin(SECOND, Newcomer::new(SECOND).keys.public(), now, rng);
    let here = Admitting {
        vault: trust.vault(),
        device: DEVICE,
        public: trust.member(DEVICE).unwrap(),
    };
    let hello = asks.poll_post().unwrap();
    let begun = (asks.pairing(), &hello.bytes[..]);
    let mut admits = Admission::begin(&mut UsedPairings::default(), begun, here, now, rng).unwrap();
    let commitment = admits.poll_post().unwrap();
    asks.handle_message(now, &commitment.name, &commitment.bytes)
        .unwrap();
    let keys = asks.poll_post().unwrap();
    admits.handle_message(now, &keys.name, &keys.bytes).unwrap();
    let reveal = admits.poll_post().unwrap();
    asks.handle_message(now, &reveal.name, &reveal.bytes).unwrap();
    let digits = asks.digits().unwrap().to_text();
    admits.handle_digits(now, &digits).unwrap();
    let new = admits.take_let_in(now).unwrap();
    (vec![hello, commitment, keys, reveal], asks, new)
}

#[test]
fn another_device_comes_and_goes_as_shown() {
    let (said, asks, new) = paired();
    for (name, post) in ["hello", "commitment", "pairing-keys", "reveal"]
        .iter()
        .zip(&said)
    {
        assert_shown(name, &post.bytes);
    }
    for text in [
        said[0].name.clone(),
        asks.code().to_text(),
        asks.digits().unwrap().to_text(),
    ] {
        assert!(EXAMPLE.contains(&format!("`{text}`")), "{text}");
    }
    let house = House::new().changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.add_device(here, pin, &new, rng).unwrap()
    });
    assert_shown("device", &house.store.0[&Name::Entry(3)]);
    let last = LogHead::new(1, 7, ObjectHash([7; 32]));
    let house = house.changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.revoke(here, pin, (SECOND, last), None, rng).unwrap()
    });
    assert_shown("removal", &house.store.0[&Name::Entry(4)]);

    let entries = ["genesis", "keys", "device", "removal"].map(block);
    let trust = Trust::read(entries.iter().take(3).map(Vec::as_slice), None).unwrap();
    assert_eq!(trust.transcript(SECOND), Some(new.transcript));
    let trust = Trust::read(entries.iter().map(Vec::as_slice), None).unwrap();
    assert_eq!(trust.former(SECOND).map(|(_, last)| last), Some(last));
}

#[test]
fn the_entry_of_a_log_is_as_shown_and_opens() {
    let home = shown();
    let trust = home.trust();
    let mut keys = SoftwareKeys::from_bytes(&block("device-keys")).unwrap();
    let pin = VaultPin::typed(PIN).unwrap();
    let mut here = Here {
        device: DEVICE,
        store: &mut keys,
        time: 0,
    };
    let object = |hash| home.object(hash);
    let (unlocked, _) = Unlocked::open(trust.clone(), &mut here, &pin, Counted::for_test(), &object).unwrap();
    let key = unlocked.key(1).unwrap();
    let position = Position {
        author: DEVICE,
        incarnation: 1,
        seq: 1,
        previous: ObjectHash::NONE,
        time: 0x018b_cfe5_6800_0000,
        trust_seq: trust.remembered().seq,
        trust_head: trust.remembered().head,
        seen: [0; 32],
    };
    let payload = Zeroizing::new(b"the payload of an entry".to_vec());
    let unsigned = seal(&key, SealedKind::Log, position, payload, &mut TestRng(2)).unwrap();
    let auth = trust
        .kdf()
        .unwrap()
        .stretch(&pin)
        .unwrap()
        .key_auth(trust.vault(), DEVICE);
    let signature = keys.sign(&auth, unsigned.to_sign()).unwrap();
    assert_shown("log", &unsigned.signed(&signature));

    let log = block("log");
    let authentic = Authentic::read(&log, SealedKind::Log, trust.vault(), &trust).unwrap();
    assert_eq!(
        authentic.open(&key).unwrap().as_slice(),
        b"the payload of an entry"
    );
}

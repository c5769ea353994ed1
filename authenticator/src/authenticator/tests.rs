//! What holds for every request: bytes from anywhere are answered, and a broken disk never gives half an answer.

use core::time::Duration;

use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::cbor::{Map, Value};
use crate::config::KeyKind;
use crate::gesture::{EnteredPin, Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::status::StatusCode;
use crate::testing::disk::Disk;
use crate::testing::platform::{ClientPin, GA, PIN, Ticket, large_blob_write};
use crate::testing::{Key, Members, map, option, resident};

mod power_cut;

/// Requests of every kind that are sound as far as they can be without knowing the key.
fn sound_requests() -> Vec<Vec<u8>> {
    let agreement = Key::seeded(KeyKind::Synced, 9).agree(Protocol::Two);
    let salts = agreement.hmac_secret(&[5; 64]);
    let hash = [7; 32];
    let of_rp = Value::Map(Map::new([(1_u64, Value::Bytes(&hash))]));
    let of_pins = Value::Map(Map::new([(1_u64, Value::Unsigned(6)), (3, Value::Bool(true))]));
    let ticket = Ticket {
        protocol: Protocol::Two,
        secret: vec![1; 32],
    };
    let at_registration = map([
        ("credProtect", Value::Unsigned(2)),
        ("hmac-secret", Value::Bool(true)),
        ("hmac-secret-mc", salts.value()),
        ("largeBlobKey", Value::Bool(true)),
    ]);
    let at_login = map([("hmac-secret", salts.value()), ("credBlob", Value::Bool(true))]);
    let mut requests = vec![
        resident().encode(0x01),
        resident().with(6, at_registration).encode(0x01),
        resident().with(8, Value::Bytes(&[])).encode(0x01),
        Members::make_credential()
            .with(7, option("uv", true))
            .encode(0x01),
        Members::get_assertion().encode(0x02),
        Members::get_assertion().with(4, at_login).encode(0x02),
        Members::get_assertion().with(5, option("uv", true)).encode(0x02),
        ticket.get_assertion(Members::get_assertion()),
        agreement.set_pin(PIN).encode(),
        agreement.change_pin(PIN, "56789").encode(),
        agreement.pin_token(PIN).encode(),
        agreement.token(PIN, GA).encode(),
        agreement.token_by_uv(GA).encode(),
        ticket.manage_credentials(0x01, None),
        ticket.manage_credentials(0x04, Some(of_rp)),
        large_blob_write(&[0x80; 17], 0, Some(17)).encode(0x0C),
        ticket.write_large_blobs(&[0x80; 17], 0, Some(17)),
        ticket.configure(0x03, Some(of_pins)),
        [&[0, 1, 0, 0, 0, 0, 64][..], &[7; 64]].concat(),
        [&[0, 2, 3, 0, 0, 0, 66][..], &[7; 64], &[1, 9]].concat(),
    ];
    requests.extend([0x04, 0x07, 0x08, 0x0B].map(|command| vec![command]));
    requests.extend([0x01, 0x02, 0x07].map(|subcommand| ClientPin::bare(subcommand).encode()));
    requests.extend([0x03, 0x05].map(|subcommand| vec![0x0A, 0xA1, 0x01, subcommand]));
    requests.extend([0x02, 0x04].map(|subcommand| vec![0x0D, 0xA1, 0x01, subcommand]));
    requests
}

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let sound = prop::sample::select(sound_requests());
    let damaged =
        (sound.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, with)| {
            let at = at.index(bytes.len());
            bytes[at] = with;
            bytes
        });
    let arbitrary =
        (0..0x10_u8, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(command, mut bytes)| {
            bytes.insert(0, command);
            bytes
        });
    prop_oneof![sound, damaged, arbitrary]
}

fn gestures() -> impl Strategy<Value = Gesture> {
    let pin = |text: &str| Gesture::Pin(EnteredPin::new(Zeroizing::new(text.to_owned())));
    prop::sample::select(vec![
        Gesture::Approved,
        Gesture::ApprovedAccount(1),
        Gesture::Verified,
        Gesture::NotVerified,
        pin(PIN),
        pin("4321"),
        Gesture::Declined,
        Gesture::TimedOut,
        Gesture::Cancelled,
    ])
}

fn verifiers() -> impl Strategy<Value = Option<Verifier>> {
    let modalities = [Modality::Fingerprint, Modality::Password, Modality::Pin];
    prop::option::of((prop::sample::select(modalities.to_vec()), any::<bool>()))
        .prop_map(|verifier| verifier.map(|(modality, ready)| Verifier { modality, ready }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With a code that the crate knows, with a body only where it is OK, and after a bounded number of questions.
    #[test]
    fn every_request_is_answered_whatever_the_user_does(
        steps in prop::collection::vec((requests(), gestures(), 0..40_u64), 1..20),
        has_pin in any::<bool>(),
        account_choice in any::<bool>(),
        verifier in verifiers(),
    ) {
        let mut key = Key::new(KeyKind::Synced);
        if has_pin {
            key.set_pin(PIN);
        }
        key.authenticator.set_verifier(verifier);
        key.authenticator.set_account_choice(account_choice);
        for (request, gesture, seconds) in steps {
            let (prompts, answer) = key.cbor_with(&request, |_| gesture.clone());
            prop_assert!(answer.status() == StatusCode::OK || answer.bytes.len() == 1);
            prop_assert!(prompts.len() <= 4);
            prop_assert!(key.msg_and(&request, gesture).bytes.len() >= 2);
            key.wait(Duration::from_secs(seconds));
        }
    }
}

#[test]
fn over_u2f_a_broken_disk_is_6f00() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::DeviceBound, disk.clone(), 1);
    let id = key.register(&Members::make_credential()).id;
    disk.break_after(0);
    let application = crate::entity::RpId(crate::testing::RP_ID.to_owned()).hash().0;
    let data = [
        &[7; 32][..],
        &application,
        &[u8::try_from(id.len()).unwrap()],
        &id,
    ]
    .concat();
    let length = u8::try_from(data.len()).unwrap();
    let apdu = [&[0, 2, 3, 0, length][..], &data].concat();
    assert_eq!(key.msg(&apdu).bytes, [0x6F, 0x00]);
}

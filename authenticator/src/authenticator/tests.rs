//! What holds for every request: bytes from anywhere are answered, and a broken disk never gives half an answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::config::KeyKind;
use crate::status::StatusCode;
use crate::testing::{Key, Members, option};

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        Just(
            Members::make_credential()
                .with(7, option("rk", true))
                .encode(0x01)
        ),
        Just(Members::get_assertion().encode(0x02)),
        Just([&[0, 1, 0, 0, 0, 0, 64][..], &[7; 64]].concat()),
        Just([&[0, 2, 3, 0, 0, 0, 66][..], &[7; 64], &[1, 9]].concat()),
    ];
    let damaged = (valid, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, with)| {
        let at = at.index(bytes.len());
        bytes[at] = with;
        bytes
    });
    let arbitrary =
        (0..0x10_u8, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(command, mut bytes)| {
            bytes.insert(0, command);
            bytes
        });
    prop_oneof![damaged, arbitrary]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_request_is_answered(requests in prop::collection::vec(requests(), 1..20)) {
        let mut key = Key::new(KeyKind::Synced);
        for request in requests {
            let answer = key.cbor(&request);
            prop_assert!(answer.status() == StatusCode::OK || answer.bytes.len() == 1);
            prop_assert!(key.msg(&request).bytes.len() >= 2);
        }
    }
}

/// A disk that can be broken.
#[derive(Debug)]
struct Disk {
    content: InMemoryBackend,
    is_broken: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> io::Result<&InMemoryBackend> {
        if self.is_broken.load(Ordering::Relaxed) {
            Err(io::Error::other("broken"))
        } else {
            Ok(&self.content)
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.content.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.content.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?.write(offset, data)
    }
}

fn key_on_disk(kind: KeyKind) -> (Key, Arc<AtomicBool>) {
    let is_broken = Arc::new(AtomicBool::new(false));
    let disk = Disk {
        content: InMemoryBackend::new(),
        is_broken: Arc::clone(&is_broken),
    };
    (Key::on(kind, disk, 1), is_broken)
}

#[test]
fn a_credential_that_cannot_be_stored_is_not_made() {
    let (mut key, is_broken) = key_on_disk(KeyKind::Synced);
    is_broken.store(true, Ordering::Relaxed);
    let request = Members::make_credential()
        .with(7, option("rk", true))
        .encode(0x01);
    assert_eq!(key.cbor(&request).bytes, [StatusCode::OTHER.byte()]);
    assert!(key.authenticator.vault().is_empty());
}

#[test]
fn a_signature_whose_count_cannot_be_kept_is_not_given() {
    let (mut key, is_broken) = key_on_disk(KeyKind::DeviceBound);
    key.register(&Members::make_credential().with(7, option("rk", true)));
    is_broken.store(true, Ordering::Relaxed);
    assert_eq!(
        key.cbor(&Members::get_assertion().encode(0x02)).bytes,
        [StatusCode::OTHER.byte()]
    );
}

#[test]
fn a_reset_that_cannot_be_kept_is_not_reported() {
    let (mut key, is_broken) = key_on_disk(KeyKind::Synced);
    key.register(&Members::make_credential().with(7, option("rk", true)));
    is_broken.store(true, Ordering::Relaxed);
    assert_eq!(key.cbor(&[0x07]).bytes, [StatusCode::OTHER.byte()]);
}

#[test]
fn over_u2f_a_broken_disk_is_6f00() {
    let (mut key, is_broken) = key_on_disk(KeyKind::DeviceBound);
    let id = key.register(&Members::make_credential()).id;
    is_broken.store(true, Ordering::Relaxed);
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

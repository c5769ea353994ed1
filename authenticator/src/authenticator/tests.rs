//! What holds for every request: bytes from anywhere are answered, and a broken disk never gives half an answer.

use proptest::prelude::*;

use crate::config::KeyKind;
use crate::status::StatusCode;
use crate::testing::disk::Disk;
use crate::testing::{Key, Members, option};

mod power_cut;

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

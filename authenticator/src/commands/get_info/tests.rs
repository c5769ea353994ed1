use wardkey_vault::CredentialId;

use crate::config::{Aaguid, KeyKind};
use crate::testing::{Key, Members};

#[test]
fn every_byte_is_as_expected() {
    for (kind, aaguid) in [
        (KeyKind::Synced, Aaguid::SYNCED),
        (KeyKind::DeviceBound, Aaguid::DEVICE_BOUND),
    ] {
        let mut expected = vec![0x00, 0xAA];
        expected.extend(b"\x01\x82\x66U2F_V2\x68FIDO_2_0");
        expected.extend(b"\x03\x50");
        expected.extend(aaguid.0);
        expected.extend(b"\x04\xA3\x62rk\xF5\x62up\xF5\x64plat\xF4");
        expected.extend(b"\x05\x19\x1D\xB9");
        expected.extend(b"\x07\x14");
        expected.extend(b"\x08\x18\xFF");
        expected.extend(b"\x09\x81\x63usb");
        expected.extend(b"\x0A\x82");
        expected.extend(b"\xA2\x63alg\x26\x64type\x6Apublic-key");
        expected.extend(b"\xA2\x63alg\x27\x64type\x6Apublic-key");
        expected.extend(b"\x0E\x03");
        expected.extend(b"\x16\x81\x66packed");
        let answer = Key::new(kind).cbor(&[0x04]);
        assert_eq!((answer.prompt, answer.bytes), (None, expected));
    }
}

#[test]
fn aaguids_are_the_documented_ones() {
    let text = |aaguid: Aaguid| aaguid.0.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(text(Aaguid::SYNCED), "841295c29ffe407a893c2e41b27ac240");
    assert_eq!(text(Aaguid::DEVICE_BOUND), "9e326632c0984e72b4411e8a7ccdf57d");
}

#[test]
fn made_ids_are_no_longer_than_advertised() {
    let id = Key::new(KeyKind::Synced).register(&Members::make_credential()).id;
    assert!((16..=CredentialId::LEN_MAX).contains(&id.len()));
}

use wardkey_vault::CredentialId;

use crate::cbor::Value;
use crate::config::{Aaguid, Algorithms, KeyKind};
use crate::testing::{Key, Members, algorithm};

mod consistency;
mod secrets;

#[test]
fn every_byte_is_as_expected() {
    for (kind, aaguid) in [
        (KeyKind::Synced, Aaguid::SYNCED),
        (KeyKind::DeviceBound, Aaguid::DEVICE_BOUND),
    ] {
        let mut expected = vec![0x00, 0xB7];
        expected.extend(b"\x01\x84\x66U2F_V2\x68FIDO_2_0\x68FIDO_2_1\x68FIDO_2_3");
        expected.extend(b"\x02\x88\x68credBlob\x6BcredProtect\x6Bhmac-secret\x6Ehmac-secret-mc");
        expected.extend(b"\x6ClargeBlobKey\x6CminPinLength\x73pinComplexityPolicy\x71thirdPartyPayment");
        expected.extend(b"\x03\x50");
        expected.extend(aaguid.0);
        expected.extend(b"\x04\xAC\x62rk\xF5\x62up\xF5\x64plat\xF4\x68alwaysUv\xF4\x68credMgmt\xF5");
        expected.extend(b"\x69authnrCfg\xF5\x69clientPin\xF4\x6AlargeBlobs\xF5\x6DperCredMgmtRO\xF5");
        expected.extend(b"\x6EpinUvAuthToken\xF5\x6FsetMinPINLength\xF5\x70makeCredUvNotRqd\xF5");
        expected.extend(b"\x05\x19\x1D\xB9");
        expected.extend(b"\x06\x82\x02\x01");
        expected.extend(b"\x07\x14");
        expected.extend(b"\x08\x18\xFF");
        expected.extend(b"\x09\x81\x63usb");
        expected.extend(b"\x0A\x83");
        expected.extend(b"\xA2\x63alg\x26\x64type\x6Apublic-key");
        expected.extend(b"\xA2\x63alg\x27\x64type\x6Apublic-key");
        expected.extend(b"\xA2\x63alg\x38\x22\x64type\x6Apublic-key");
        expected.extend(b"\x0B\x19\x3E\x80");
        expected.extend(b"\x0C\xF4");
        expected.extend(b"\x0D\x04");
        expected.extend(b"\x0E\x03");
        expected.extend(b"\x0F\x18\x40");
        expected.extend(b"\x10\x10");
        expected.extend(b"\x14\x1A\x00\x03\x0D\x40");
        expected.extend(b"\x16\x81\x66packed");
        expected.extend(b"\x18\x18\xF4");
        expected.extend(b"\x18\x1A\x81\x63usb");
        expected.extend(b"\x18\x1B\xF4");
        expected.extend(b"\x18\x1D\x18\x3F");
        expected.extend(b"\x18\x1F\x83\x02\x03\x04");
        let answer = Key::new(kind).cbor(&[0x04]);
        assert_eq!((answer.prompt, answer.bytes), (None, expected));
    }
}

#[test]
fn ml_dsa_is_named_after_the_others_where_it_is_switched_on() {
    let mut key = Key::new(KeyKind::Synced);
    key.authenticator.config.algorithms = Algorithms::WithMlDsa;
    let expected: Vec<_> = [-7, -8, -35, -49, -48].into_iter().map(algorithm).collect();
    assert_eq!(
        key.cbor(&[0x04]).members().get(0x0A_u64),
        Some(&Value::Array(expected))
    );
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

//! The certificate that U2F wants with every registration, `RFC 5280 §4.1`: for the new key, signed by the new key. So
//! two registrations have nothing in common, and the certificate claims nothing that it could not prove.

use rand_core::CryptoRng;

use super::der::{
    BIT_STRING, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTC_TIME,
    UTF8_STRING, context, element,
};
use crate::private_key::SigningKey;

const COMMON_NAME: &[u8] = b"wardkey U2F";
const NOT_BEFORE: &[u8] = b"260101000000Z";
/// "No well-defined expiration date", `RFC 5280 §4.1.2.5`.
const NOT_AFTER: &[u8] = b"99991231235959Z";

// Object identifiers, encoded.
const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const AT_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 0x13];

/// A certificate for the P-256 key, whose public half is `point`, made by itself.
pub(super) fn self_signed(rng: &mut dyn CryptoRng, key: &SigningKey, point: &[u8; 65]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[ECDSA_WITH_SHA256])]);
    let to_be_signed = to_be_signed(&serial_number(rng), &algorithm, point);
    let signature = bit_string(&key.sign(rng, &to_be_signed));
    element(SEQUENCE, &[&to_be_signed, &algorithm, &signature])
}

fn to_be_signed(serial_number: &[u8], algorithm: &[u8], point: &[u8; 65]) -> Vec<u8> {
    let version_3 = element(context(0), &[&element(INTEGER, &[&[2]])]);
    let name = name();
    let validity = element(
        SEQUENCE,
        &[
            &element(UTC_TIME, &[NOT_BEFORE]),
            &element(GENERALIZED_TIME, &[NOT_AFTER]),
        ],
    );
    let key = subject_public_key_info(point);
    element(
        SEQUENCE,
        &[
            &version_3,
            serial_number,
            algorithm,
            &name,
            &validity,
            &name,
            &key,
            &extensions(),
        ],
    )
}

/// Random, so that no two certificates of one issuer have the same; positive, at most 20 bytes, `RFC 5280 §4.1.2.2`.
fn serial_number(rng: &mut dyn CryptoRng) -> Vec<u8> {
    const POSITIVE: u8 = 0x01;
    let mut random = [0; 16];
    rng.fill_bytes(&mut random);
    element(INTEGER, &[&[POSITIVE], &random])
}

fn name() -> Vec<u8> {
    let common_name = element(
        SEQUENCE,
        &[
            &element(OBJECT_IDENTIFIER, &[AT_COMMON_NAME]),
            &element(UTF8_STRING, &[COMMON_NAME]),
        ],
    );
    element(SEQUENCE, &[&element(SET, &[&common_name])])
}

fn subject_public_key_info(point: &[u8; 65]) -> Vec<u8> {
    let algorithm = element(
        SEQUENCE,
        &[
            &element(OBJECT_IDENTIFIER, &[EC_PUBLIC_KEY]),
            &element(OBJECT_IDENTIFIER, &[PRIME256V1]),
        ],
    );
    element(SEQUENCE, &[&algorithm, &bit_string(point)])
}

/// Not a certification authority.
fn extensions() -> Vec<u8> {
    let nothing_more = element(OCTET_STRING, &[&element(SEQUENCE, &[])]);
    let basic_constraints = element(
        SEQUENCE,
        &[&element(OBJECT_IDENTIFIER, &[BASIC_CONSTRAINTS]), &nothing_more],
    );
    element(context(3), &[&element(SEQUENCE, &[&basic_constraints])])
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    const UNUSED_BITS: u8 = 0;
    element(BIT_STRING, &[&[UNUSED_BITS], bytes])
}

//! Bytes as CBOR: whatever is accepted is written back byte for byte.
#![no_main]

use wardkey_authenticator::cbor;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(value) = cbor::decode(input) {
        assert_eq!(cbor::encode(&value), input);
    }
});

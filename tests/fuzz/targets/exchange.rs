//! A file of another program with passkeys in it: what is taken can be written, and comes back as it was taken.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wardkey_fuzz::exchange(input));

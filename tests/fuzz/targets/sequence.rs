//! A new key, and what a platform, a user and time do to it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardkey_fuzz::Sequence::new(input).run();
});

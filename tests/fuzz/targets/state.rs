//! The document in which a key keeps its state.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardkey_fuzz::start_with(input);
});

//! Reports of two hosts, time and an authenticator: 66 bytes each of what happens, when, and the report.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut key = wardkey_fuzz::Key::new();
    for ([what, wait_ms], report) in input.chunks(66).filter_map(<[u8]>::split_first_chunk) {
        key.step(*what, *wait_ms, report);
    }
    key.check_not_wedged();
});

//! One byte for the key and its user, then a request: a command byte and its parameters. Changes keep the CBOR as often as
//! not.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| {
    if let Some((what, request)) = input.split_first() {
        wardkey_fuzz::answer_to(*what, request);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = (seed % 2 == 0)
        .then(|| wardkey_fuzz::mutate(&data[..size], seed))
        .flatten();
    match mutated {
        Some(mutated) if mutated.len() <= max_size => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

//! Bytes of a USB/IP host, in both phases, in pieces of any size.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some(([phase, piece_len], bytes)) = input.split_first_chunk() else {
        return;
    };
    let mut host = wardkey_fuzz::UsbHost::new(*phase);
    for piece in bytes.chunks(usize::from(*piece_len).max(1)) {
        if host.send(piece).is_err() {
            return;
        }
        host.check();
    }
});

//! `LargeBlobs-1`: authenticatorLargeBlobs, CTAP 2.3 §6.10.2.

use ciborium::Value;
use wardkey_sim::fido_client::{
    LargeBlobs, Permissions, PinProtocol, largest_fragment, serialize_large_blobs,
};

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure, ensure_eq, present};

pub(super) const SCRIPT: Script = Script {
    name: "LargeBlobs-1",
    cases: &[
        Case::new("P-1", "has room for more than 1024 bytes", room),
        Case::new("P-2", "reads no bytes", reads_none),
        Case::new("P-3", "begins with an empty array", begins_empty),
        Case::new("P-4", "gives back what was written", gives_back),
    ],
};

const MAX_SERIALIZED_LARGE_BLOB_ARRAY: u8 = 0x0B;

fn needed(bench: &mut Bench) -> Outcome {
    bench.needs_option("largeBlobs", "the key keeps large blobs with their credentials")
}

fn room(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let info = bench.info()?;
    let room = info
        .member(MAX_SERIALIZED_LARGE_BLOB_ARRAY)
        .and_then(Value::as_integer);
    let room = i128::from(present(room, "maxSerializedLargeBlobArray")?);
    ensure!(room > 1024, "maxSerializedLargeBlobArray is {room}");
    Ok(())
}

fn reads_none(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let read = bench.client().large_blobs(&LargeBlobs::get(0, 0))?;
    ensure_eq!(read, Some(Vec::new()), "config");
    Ok(())
}

fn begins_empty(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let read = bench.client().large_blobs(&LargeBlobs::get(0, 200))?;
    ensure_eq!(read, Some(serialize_large_blobs(&[0x80])), "config");
    Ok(())
}

/// Written in fragments, before there is a PIN and after; read whole and in part.
fn gives_back(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let fragment = largest_fragment(bench.info()?.message_len_max);
    let fragment_len = usize::try_from(fragment.min(500)).unwrap_or_default();
    let first = serialize_large_blobs(&bench.rng.bytes::<700>());
    let token = bench.uv_token(Permissions::LARGE_BLOB_WRITE)?;
    bench
        .client()
        .write_large_blobs(token.as_ref(), &first, fragment_len)?;
    ensure!(
        bench.client().read_large_blobs(fragment)? == first,
        "the array is not what was written"
    );

    bench.set_pin(PinProtocol::Two)?;
    let token = bench.token(PinProtocol::Two, Permissions::LARGE_BLOB_WRITE, None)?;
    let second = serialize_large_blobs(&bench.rng.bytes::<900>());
    bench
        .client()
        .write_large_blobs(Some(&token), &second, fragment_len)?;
    ensure!(
        bench.client().read_large_blobs(300)? == second,
        "the array is not what was written"
    );
    let [offset, count] = [321_u32, 123];
    let read = bench.client().large_blobs(&LargeBlobs::get(offset, count))?;
    let expected = second.iter().skip(321).take(123).copied().collect();
    ensure_eq!(read, Some(expected), "a part of the array");
    bench.power_cycle()?;
    ensure!(
        bench.client().read_large_blobs(300)? == second,
        "the array did not survive"
    );
    Ok(())
}

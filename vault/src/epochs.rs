//! Keys by epoch, as three objects hold them: `{1: [[epoch, key], …]}`, the epochs ascending. `FORMAT.md` §4, §8, §15.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::Secret;
use crate::cbor::{Reader, Writer};
use crate::padding;

const KEYS: u64 = 1;
/// More than one key and its epoch take.
const ENTRY_LEN_MAX: usize = 48;

/// So many have room in one sealed object of the database.
pub(crate) const SEALED_MAX: usize = 256;

/// For an object of the database, of at most [`SEALED_MAX`] keys.
pub(crate) fn encode_sealed<'a>(keys: impl IntoIterator<Item = (u32, &'a Secret<32>)>) -> Zeroizing<Vec<u8>> {
    encode(keys, |len| {
        padding::padded_len(len).expect("the number of epochs is bounded")
    })
}

/// `padded_len` says how long a payload of some length becomes: the keys are secret, and the buffer is never moved.
pub(crate) fn encode<'a>(
    keys: impl IntoIterator<Item = (u32, &'a Secret<32>)>,
    padded_len: impl FnOnce(usize) -> usize,
) -> Zeroizing<Vec<u8>> {
    let keys: Vec<_> = keys.into_iter().collect();
    let capacity = padded_len(16 + keys.len() * ENTRY_LEN_MAX);
    let mut payload = Zeroizing::new(Vec::with_capacity(capacity));
    let mut out = Writer(&mut payload);
    out.map(1)
        .unsigned(KEYS)
        .array(u64::try_from(keys.len()).expect("a length fits in 64 bits"));
    for (epoch, key) in keys {
        out.array(2).unsigned(u64::from(epoch)).bytes(key.expose_secret());
    }
    payload
}

/// `None` for what is not such a map, or has more than `max` keys.
pub(crate) fn decode(payload: &[u8], max: usize) -> Option<BTreeMap<u32, Secret<32>>> {
    let keys = decode_repeated(payload, max)?;
    let ascend = keys.is_sorted_by(|(one, _), (next, _)| one < next);
    ascend.then(|| keys.into_iter().collect())
}

/// As [`decode`], for keys of several devices: those with one number ascend.
pub(crate) fn decode_repeated(payload: &[u8], max: usize) -> Option<Vec<(u32, Secret<32>)>> {
    let mut input = Reader(payload);
    if (input.map()?, input.unsigned()?) != (1, KEYS) {
        return None;
    }
    let len = usize::try_from(input.array()?).ok().filter(|len| *len <= max)?;
    let mut keys: Vec<(u32, Secret<32>)> = Vec::with_capacity(len);
    for _ in 0..len {
        if input.array()? != 2 {
            return None;
        }
        let epoch = u32::try_from(input.unsigned()?).ok()?;
        let key = Secret::from_slice(input.bytes()?)?;
        let before =
            |(last, other): &(u32, Secret<32>)| (*last, other.expose_secret()) < (epoch, key.expose_secret());
        if !keys.last().is_none_or(before) {
            return None;
        }
        keys.push((epoch, key));
    }
    input.end().map(|()| keys)
}

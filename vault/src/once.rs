//! For tests that open many vaults with few Vault PINs: what each gives is worked out once. Without the feature `testing`
//! there is none of this; with it nothing is remembered before the program asks for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{OutOfMemory, PinSecret, Secret};

/// The tests of this crate always remember.
static REMEMBERS: AtomicBool = AtomicBool::new(cfg!(test));

/// From now on this program remembers what each Vault PIN gave: only for tests whose Vault PINs protect nothing.
#[cfg(feature = "testing")]
pub fn remember_stretched_pins() {
    REMEMBERS.store(true, Ordering::Relaxed);
}

/// What `work` gives for `input`, done when it is asked for first.
pub(crate) fn once(
    input: &[&[u8]],
    work: impl FnOnce() -> Result<PinSecret, OutOfMemory>,
) -> Result<PinSecret, OutOfMemory> {
    static DONE: Mutex<BTreeMap<Vec<u8>, [u8; 32]>> = Mutex::new(BTreeMap::new());
    if !REMEMBERS.load(Ordering::Relaxed) {
        return work();
    }
    let input = input.join(&[0xff][..]);
    let done = || DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = done().get(&input).copied();
    if let Some(secret) = found.and_then(|secret| Secret::from_slice(&secret)) {
        return Ok(PinSecret::new(secret));
    }
    let secret = work()?;
    done().insert(input, *secret.expose_secret());
    Ok(secret)
}

//! Memory that looks like the flash of a hardware key: Trussed's own has room for 60 credentials only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use littlefs2::consts::{U1, U512};
use littlefs2::driver::Storage;
use littlefs2::io::{Error, Result};

const BLOCK_LEN: usize = 512;
const BLOCKS: usize = 4096;
const ERASED: u8 = 0xFF;

/// Two MiB of flash. A clone is the same flash.
#[derive(Clone)]
pub(super) struct Flash(Arc<Mutex<Vec<u8>>>);

impl Flash {
    /// Erased flash.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(vec![ERASED; BLOCK_LEN * BLOCKS])))
    }

    fn cells(&self) -> MutexGuard<'_, Vec<u8>> {
        // A panic elsewhere leaves the flash as it was, like a loss of power.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn part(cells: &mut [u8], offset: usize, length: usize) -> Result<&mut [u8]> {
    let part = cells.get_mut(offset..).and_then(|rest| rest.get_mut(..length));
    part.ok_or(Error::INVALID)
}

impl Storage for Flash {
    type CACHE_SIZE = U512;
    type LOOKAHEAD_SIZE = U1;

    const READ_SIZE: usize = 16;
    const WRITE_SIZE: usize = BLOCK_LEN;
    const BLOCK_SIZE: usize = BLOCK_LEN;
    const BLOCK_COUNT: usize = BLOCKS;

    fn read(&mut self, offset: usize, to: &mut [u8]) -> Result<usize> {
        to.copy_from_slice(part(&mut self.cells(), offset, to.len())?);
        Ok(to.len())
    }

    fn write(&mut self, offset: usize, from: &[u8]) -> Result<usize> {
        part(&mut self.cells(), offset, from.len())?.copy_from_slice(from);
        Ok(from.len())
    }

    fn erase(&mut self, offset: usize, length: usize) -> Result<usize> {
        part(&mut self.cells(), offset, length)?.fill(ERASED);
        Ok(length)
    }
}

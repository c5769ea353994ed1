//! A disk that loses power: what was not synced is there afterwards, or not, or in part.

use std::fmt::{Debug, Formatter};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_core::Rng;
use redb::StorageBackend;

use crate::scenario::SeededRng;

/// A disk writes so many bytes whole; a longer write may come apart.
const SECTOR: usize = 512;

/// A disk in memory that outlives what is opened on it. Clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    /// What was done since everything was made durable, the newest last.
    unsynced: Vec<Unsynced>,
    /// What was there before, and what was written, of all of it.
    before_and_after: Vec<u8>,
    /// Writes and syncs until the power goes.
    fuse: Option<u32>,
}

/// Bytes that were written, or a length that was set, and what was there: places in `before_and_after`.
struct Unsynced {
    at: usize,
    old: Range<usize>,
    /// `None` of a length.
    new: Option<Range<usize>>,
    old_len: usize,
}

impl Content {
    /// Notes what is at a place now, and what is going to be there.
    fn note(&mut self, at: usize, end: usize, new: Option<&[u8]>) {
        let old_len = self.bytes.len();
        let kept = &mut self.before_and_after;
        let start = kept.len();
        kept.extend_from_slice(self.bytes.get(at..end.min(old_len)).unwrap_or_default());
        let old = start..kept.len();
        let new = new.map(|new| {
            kept.extend_from_slice(new);
            old.end..kept.len()
        });
        self.unsynced.push(Unsynced {
            at,
            old,
            new,
            old_len,
        });
    }
}

impl Debug for Disk {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another disk with the same content, as a program that copies files sees it.
    pub(super) fn copy(&self) -> Self {
        Self::with(self.content().bytes.clone())
    }

    fn with(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Content {
            bytes,
            ..Content::default()
        })))
    }

    /// After this many more writes and syncs everything fails.
    pub(super) fn cut_power_after(&self, writes: u32) {
        self.content().fuse = Some(writes);
    }

    /// The power does not go after all; whether it has gone already.
    pub(super) fn disarm(&self) -> bool {
        self.content().fuse.take() == Some(0)
    }

    /// What is there after the power was cut: all that was synced, and of the rest whichever sectors chance keeps.
    pub(super) fn after_power_cut(&self, chance: &mut SeededRng) -> Self {
        let content = self.content();
        let mut bytes = content.bytes.clone();
        let kept = |range: &Range<usize>| content.before_and_after.get(range.clone()).unwrap_or_default();
        for Unsynced { at, old, old_len, .. } in content.unsynced.iter().rev() {
            put(&mut bytes, *at, kept(old));
            bytes.resize(*old_len, 0);
        }
        // None, some, most or all.
        let kept_of_four = chance.next_u32() % 5;
        for Unsynced { at, new, .. } in &content.unsynced {
            let Some(new) = new else {
                bytes.resize(*at, 0);
                continue;
            };
            for (number, sector) in kept(new).chunks(SECTOR).enumerate() {
                if chance.next_u32() % 4 < kept_of_four {
                    put(&mut bytes, at + number * SECTOR, sector);
                }
            }
        }
        Self::with(bytes)
    }

    fn step(&self) -> io::Result<MutexGuard<'_, Content>> {
        let mut content = self.content();
        match &mut content.fuse {
            Some(0) => return Err(io::Error::other("the power is off")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(content)
    }
}

/// Writes, and makes it longer where that is needed.
fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    if let Some(place) = bytes.get_mut(at..at + new.len()) {
        place.copy_from_slice(new);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.content().bytes.len()).map_err(io::Error::other)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let content = self.content();
        let found = content.bytes.get(at..at + out.len());
        out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut content = self.step()?;
        content.note(len, usize::MAX, None);
        content.bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.step()?;
        content.unsynced.clear();
        content.before_and_after.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut content = self.step()?;
        content.note(at, at + data.len(), Some(data));
        put(&mut content.bytes, at, data);
        Ok(())
    }
}

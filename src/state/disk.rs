//! The file under the vault, watched. Once the disk has failed, the database does nothing more until it is opened
//! again; on the wire that is an error like any other, so whoever runs the key has to be told.
//!
//! Nobody else has the file: the state folder's own lock is taken before it is opened.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use super::done::{Done, done};
use super::error::io_hint;
use crate::error::Failure;

/// A back end, and who watches it.
#[derive(Debug)]
pub(super) struct Disk<B> {
    backend: B,
    watch: Watch,
}

/// What became of the disk; clones watch the same one.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    path: PathBuf,
    health: Arc<Mutex<Health>>,
}

#[derive(Debug)]
enum Health {
    Sound,
    /// Failed, and nobody has been told.
    Failed {
        doing: &'static str,
        error: io::Error,
    },
    Told,
}

impl<B> Disk<B> {
    /// `backend`, which is the file that `watch` is about.
    pub(super) fn watched(backend: B, watch: &Watch) -> Self {
        Self {
            backend,
            watch: watch.clone(),
        }
    }
}

impl Watch {
    /// For the file at `path`, of which nothing bad is known.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            health: Arc::new(Mutex::new(Health::Sound)),
        }
    }

    /// The first failure, once.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let Health::Failed { doing, error } = &*health else {
            return None;
        };
        let failure = Failure::new(
            format!("cannot {doing} {}: {error}", self.path.display()),
            format!(
                "{}; then start wardkey again: until then it stores nothing and signs nothing",
                io_hint(error.kind())
            ),
        );
        *health = Health::Told;
        Some(failure)
    }

    /// Remembers the first failure, and gives the database the same one.
    fn note<T>(&self, doing: &'static str, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*health, Health::Sound) {
                let error = io::Error::new(error.kind(), error.to_string());
                *health = Health::Failed { doing, error };
            }
        }
        result
    }
}

impl<B: StorageBackend> StorageBackend for Disk<B> {
    fn len(&self) -> io::Result<u64> {
        self.watch.note("examine", self.backend.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.watch.note("read", self.backend.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch.note("enlarge", self.backend.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.watch.note("write to", self.backend.sync_data());
        done(Done::DatabaseSynced);
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watch.note("write to", self.backend.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }
}

#[cfg(test)]
mod tests;

//! A disk in memory that can break, and that shows what a power cut would leave of it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// What is read.
    bytes: Vec<u8>,
    /// What survives a power cut.
    durable: Vec<u8>,
    /// Each thing that was durable since [`Disk::record`].
    record: Option<Vec<Vec<u8>>>,
    /// How many more changes succeed; `None` while nothing is broken.
    changes_left: Option<usize>,
}

impl Disk {
    /// The next `changes` succeed, and none after them.
    pub(crate) fn break_after(&self, changes: usize) {
        self.content().changes_left = Some(changes);
    }

    /// Whether something was refused.
    pub(crate) fn is_broken(&self) -> bool {
        self.content().changes_left == Some(0)
    }

    /// Another disk, with what a power cut would leave now.
    pub(crate) fn after_power_cut(&self) -> Self {
        Self::with(self.content().durable.clone())
    }

    /// From now on remembers what a power cut would have left.
    pub(crate) fn record(&self) {
        self.content().record = Some(Vec::new());
    }

    /// Every disk that a power cut would have left since [`Self::record`].
    pub(crate) fn recorded(&self) -> Vec<Self> {
        let record = self.content().record.take();
        record.unwrap_or_default().into_iter().map(Self::with).collect()
    }

    /// What is on it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.content().bytes.clone()
    }

    /// How many have this disk open.
    pub(crate) fn users(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// A disk with this on it.
    pub(crate) fn with(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Content {
            durable: bytes.clone(),
            bytes,
            ..Content::default()
        })))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    fn change(&self) -> io::Result<MutexGuard<'_, Content>> {
        let mut content = self.content();
        match &mut content.changes_left {
            Some(0) => return Err(io::Error::other("broken")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(content)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len().try_into().unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.content().bytes[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change()?.bytes.resize(len.try_into().unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.change()?;
        content.durable = content.bytes.clone();
        let durable = content.durable.clone();
        if let Some(record) = &mut content.record {
            record.push(durable);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.change()?.bytes[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

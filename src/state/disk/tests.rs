use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::InMemoryBackend;
use wardkey_vault::{Secret, Vault};

use super::*;
use crate::host;

/// A disk that can become full, and have room again.
#[derive(Debug, Clone, Default)]
struct Backend {
    memory: Arc<InMemoryBackend>,
    is_full: Arc<AtomicBool>,
}

impl Backend {
    fn write_at_all(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write_at_all().and_then(|()| self.memory.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write_at_all().and_then(|()| self.memory.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_at_all().and_then(|()| self.memory.write(offset, data))
    }
}

fn open(backend: &Backend) -> (Vault, Watch) {
    let watch = Watch::new(PathBuf::from("/state/vault.redb"));
    let disk = Disk::watched(backend.clone(), &watch);
    let root = Secret::from_slice(&[7; 32]).unwrap();
    (Vault::open(disk, &root, &mut host::rng()).unwrap(), watch)
}

#[test]
fn a_disk_that_fails_is_told_once_with_what_to_do() {
    let backend = Backend::default();
    let (mut vault, watch) = open(&backend);
    assert_eq!(vault.next_signature_count(&mut host::rng(), None).unwrap(), 1);
    assert!(watch.take_failure().is_none());

    backend.is_full.store(true, Ordering::Relaxed);
    assert!(vault.next_signature_count(&mut host::rng(), None).is_err());
    let failure = watch.take_failure().unwrap();
    assert_eq!(
        failure.to_string(),
        "cannot write to /state/vault.redb: no storage space"
    );
    assert_eq!(
        failure.hint(),
        "make room on the disk; then start wardkey again: until then it stores nothing and signs nothing"
    );
    assert!(vault.next_signature_count(&mut host::rng(), None).is_err());
    assert!(watch.take_failure().is_none());
}

/// What the hint says: room alone does not help, a new start does.
#[test]
fn a_database_goes_on_after_it_is_opened_again() {
    let backend = Backend::default();
    let (mut vault, _) = open(&backend);
    assert_eq!(vault.next_signature_count(&mut host::rng(), None).unwrap(), 1);
    backend.is_full.store(true, Ordering::Relaxed);
    assert!(vault.next_signature_count(&mut host::rng(), None).is_err());
    backend.is_full.store(false, Ordering::Relaxed);
    assert!(vault.next_signature_count(&mut host::rng(), None).is_err());
    drop(vault);
    let (mut vault, watch) = open(&backend);
    assert!(vault.next_signature_count(&mut host::rng(), None).unwrap() >= 2);
    assert!(watch.take_failure().is_none());
}

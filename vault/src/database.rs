//! The disk: redb tables and one way to change them. `FORMAT.md` §1. Nothing here knows what the values mean.
//!
//! A change is one transaction, and durable when [`Database::apply`] returns. One that was made with
//! [`Database::apply_later`] is so no later than the next that is, or when [`Database::flush`] returns: never without
//! those before it.

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    StorageBackend, TableDefinition, TableError, WriteTransaction,
};

use crate::Error;
use crate::frame::ObjectHash;
use crate::keys::DeviceId;
use crate::known::KnownHash;
use crate::seal::RowId;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const PASSKEYS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("passkeys");
const OBJECTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("objects");
const KNOWN: TableDefinition<'_, &[u8; 16], ()> = TableDefinition::new("known");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const MERGED: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("merged");
const OUTBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outbox");
const TOLD: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("told");
const DEVICE_LOGS: TableDefinition<'_, (&[u8; 16], u32), &[u8]> = TableDefinition::new("device-logs");
const SNAPSHOTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("snapshots");
const SNAPSHOT_PARTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("snapshot-parts");

/// redb's page cache; what is read often is in the vault's own index.
const CACHE_BYTES: usize = 4 << 20;

/// A row of the table of facts about the vault itself.
#[derive(Clone, Copy)]
pub(crate) enum Meta {
    Format,
    Vault,
    Keyring,
    Counter,
    StoreState,
    AuthenticatorState,
    LargeBlobs,
    Attestation,
    LogHead,
    LocalKeys,
    Device,
    Attempts,
    PublicState,
    KnownCheck,
    Replica,
    Formed,
    ForeignKeys,
    DeviceNames,
    Storage,
}

impl Meta {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Vault => "vault",
            Self::Keyring => "keyring",
            Self::Counter => "counter",
            Self::StoreState => "store-state",
            Self::AuthenticatorState => "authenticator",
            Self::LargeBlobs => "large-blobs",
            Self::Attestation => "attestation",
            Self::LogHead => "log",
            Self::LocalKeys => "local-keys",
            Self::Device => "device",
            Self::Attempts => "attempts",
            Self::PublicState => "public-state",
            Self::KnownCheck => "known-check",
            Self::Replica => "replica",
            Self::Formed => "formed",
            Self::ForeignKeys => "foreign-keys",
            Self::DeviceNames => "device-names",
            Self::Storage => "storage",
        }
    }
}

/// What one transaction does, in this order.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) remove_all_passkeys: bool,
    pub(crate) forget_all_known: bool,
    pub(crate) remove_meta: Vec<Meta>,
    pub(crate) remove_passkeys: Vec<RowId>,
    pub(crate) remove_objects: Vec<Vec<u8>>,
    pub(crate) remove_known: Vec<KnownHash>,
    pub(crate) put_passkeys: Vec<(RowId, Vec<u8>)>,
    pub(crate) put_meta: Vec<(Meta, Vec<u8>)>,
    pub(crate) put_objects: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) put_known: Vec<KnownHash>,
    pub(crate) remove_all_log: bool,
    pub(crate) remove_log: Range<u64>,
    pub(crate) put_log: Option<(u64, Vec<u8>)>,
    pub(crate) forget_sync: bool,
    pub(crate) put_merged: Vec<(RowId, Vec<u8>)>,
    pub(crate) remove_outbox: Range<u64>,
    pub(crate) put_outbox: Vec<(u64, Vec<u8>)>,
    pub(crate) put_device_log: Option<((DeviceId, u32), Vec<u8>)>,
    pub(crate) remove_device_logs: Vec<(DeviceId, u32)>,
    pub(crate) put_told: Vec<(DeviceId, Vec<u8>)>,
    pub(crate) remove_snapshots: Vec<ObjectHash>,
    pub(crate) put_snapshot: Option<(ObjectHash, Vec<u8>)>,
    pub(crate) remove_snapshot_parts: Vec<ObjectHash>,
    pub(crate) put_snapshot_part: Option<(ObjectHash, Vec<u8>)>,
}

impl Change {
    /// Whether it changes what is known while the vault is locked.
    pub(crate) fn touches_known(&self) -> bool {
        self.forget_all_known || !(self.put_known.is_empty() && self.remove_known.is_empty())
    }

    /// What is not sealed. Tables that it does not touch are not made.
    fn apply_in_clear(&self, transaction: &WriteTransaction) -> Result<(), Error> {
        if !(self.put_objects.is_empty() && self.remove_objects.is_empty()) {
            let mut objects = transaction.open_table(OBJECTS).map_err(failed)?;
            for name in &self.remove_objects {
                objects.remove(name.as_slice()).map_err(failed)?;
            }
            for (name, object) in &self.put_objects {
                objects
                    .insert(name.as_slice(), object.as_slice())
                    .map_err(failed)?;
            }
        }
        if !(self.put_known.is_empty() && self.remove_known.is_empty()) {
            let mut known = transaction.open_table(KNOWN).map_err(failed)?;
            for hash in &self.remove_known {
                known.remove(&hash.0).map_err(failed)?;
            }
            for hash in &self.put_known {
                known.insert(&hash.0, ()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// What devices tell each other, and what it amounts to.
    fn apply_to_sync(&self, transaction: &WriteTransaction) -> Result<(), Error> {
        if self.forget_sync {
            transaction.delete_table(MERGED).map_err(failed)?;
            transaction.delete_table(OUTBOX).map_err(failed)?;
            transaction.delete_table(DEVICE_LOGS).map_err(failed)?;
            transaction.delete_table(TOLD).map_err(failed)?;
            transaction.delete_table(SNAPSHOTS).map_err(failed)?;
            transaction.delete_table(SNAPSHOT_PARTS).map_err(failed)?;
        }
        if !self.put_merged.is_empty() {
            let mut merged = transaction.open_table(MERGED).map_err(failed)?;
            for (row, sealed) in &self.put_merged {
                merged.insert(&row.0, sealed.as_slice()).map_err(failed)?;
            }
        }
        if !(self.put_outbox.is_empty() && self.remove_outbox.is_empty()) {
            let mut outbox = transaction.open_table(OUTBOX).map_err(failed)?;
            for number in self.remove_outbox.clone() {
                outbox.remove(number).map_err(failed)?;
            }
            for (number, sealed) in &self.put_outbox {
                outbox.insert(number, sealed.as_slice()).map_err(failed)?;
            }
        }
        if self.put_device_log.is_some() || !self.remove_device_logs.is_empty() {
            let mut logs = transaction.open_table(DEVICE_LOGS).map_err(failed)?;
            for (device, seq) in &self.remove_device_logs {
                logs.remove((&device.0, *seq)).map_err(failed)?;
            }
            if let Some(((device, seq), object)) = &self.put_device_log {
                logs.insert((&device.0, *seq), object.as_slice())
                    .map_err(failed)?;
            }
        }
        if !self.put_told.is_empty() {
            let mut told = transaction.open_table(TOLD).map_err(failed)?;
            for (device, sealed) in &self.put_told {
                told.insert(&device.0, sealed.as_slice()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn apply_to_snapshots(&self, transaction: &WriteTransaction) -> Result<(), Error> {
        if self.put_snapshot.is_some() || !self.remove_snapshots.is_empty() {
            let mut snapshots = transaction.open_table(SNAPSHOTS).map_err(failed)?;
            for hash in &self.remove_snapshots {
                snapshots.remove(&hash.0).map_err(failed)?;
            }
            if let Some((hash, root)) = &self.put_snapshot {
                snapshots.insert(&hash.0, root.as_slice()).map_err(failed)?;
            }
        }
        if self.put_snapshot_part.is_some() || !self.remove_snapshot_parts.is_empty() {
            let mut parts = transaction.open_table(SNAPSHOT_PARTS).map_err(failed)?;
            for hash in &self.remove_snapshot_parts {
                parts.remove(&hash.0).map_err(failed)?;
            }
            if let Some((hash, part)) = &self.put_snapshot_part {
                parts.insert(&hash.0, part.as_slice()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn apply_to_log(&self, transaction: &WriteTransaction) -> Result<(), Error> {
        if self.remove_all_log {
            transaction.delete_table(LOG).map_err(failed)?;
        }
        let Some((number, sealed)) = &self.put_log else {
            return Ok(());
        };
        let mut log = transaction.open_table(LOG).map_err(failed)?;
        for dropped in self.remove_log.clone() {
            log.remove(dropped).map_err(failed)?;
        }
        log.insert(number, sealed.as_slice()).map_err(failed)?;
        Ok(())
    }
}

/// An open database.
pub(crate) struct Database {
    /// Taken when this is dropped.
    redb: Option<redb::Database>,
    /// redb panicked: its state is not to be relied on any more.
    broken: AtomicBool,
}

impl Database {
    /// Opens what is in `backend`, or makes an empty database. Every page is checked.
    pub(crate) fn open(backend: impl StorageBackend) -> Result<Self, Error> {
        let redb = guard(|| {
            redb::Builder::new()
                .set_cache_size(CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)
                .map_err(failed)
        })?;
        Ok(Self {
            redb: Some(redb),
            broken: AtomicBool::new(false),
        })
    }

    /// Whether nothing was ever stored.
    pub(crate) fn is_new(&self) -> Result<bool, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let mut tables = transaction.list_tables().map_err(failed)?;
            Ok(tables.next().is_none())
        })
    }

    pub(crate) fn meta(&self, meta: Meta) -> Result<Option<Vec<u8>>, Error> {
        self.get(META, meta.name())
    }

    pub(crate) fn passkey(&self, row: RowId) -> Result<Option<Vec<u8>>, Error> {
        self.get(PASSKEYS, &row.0)
    }

    /// A value; `None` where there is none.
    fn get<'k, K: redb::Key + 'static>(
        &self,
        table: TableDefinition<'_, K, &'static [u8]>,
        key: impl std::borrow::Borrow<K::SelfType<'k>>,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, table)? else {
                return Ok(None);
            };
            let value = table.get(key).map_err(failed)?;
            Ok(value.map(|value| value.value().to_vec()))
        })
    }

    /// An object in clear.
    pub(crate) fn object(&self, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.get(OBJECTS, name)
    }

    /// The names of all objects in clear that begin so.
    pub(crate) fn objects_named(&self, begin: u8) -> Result<Vec<Vec<u8>>, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, OBJECTS)? else {
                return Ok(Vec::new());
            };
            let (begin, end) = ([begin], [begin + 1]);
            let rows = table.range(begin.as_slice()..end.as_slice()).map_err(failed)?;
            let names = rows.map(|row| Ok(row.map_err(failed)?.0.value().to_vec()));
            names.collect()
        })
    }

    /// Whether this is among what is known while the vault is locked.
    pub(crate) fn knows(&self, hash: &KnownHash) -> Result<bool, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, KNOWN)? else {
                return Ok(false);
            };
            Ok(table.get(&hash.0).map_err(failed)?.is_some())
        })
    }

    /// Shows all that is known while the vault is locked to `visit`.
    pub(crate) fn all_known(&self, mut visit: impl FnMut(&KnownHash)) -> Result<(), Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, KNOWN)? else {
                return Ok(());
            };
            for row in table.iter().map_err(failed)? {
                visit(&KnownHash(*row.map_err(failed)?.0.value()));
            }
            Ok(())
        })
    }

    /// Shows every passkey to `visit`, which may end it with an error.
    pub(crate) fn passkeys(
        &self,
        mut visit: impl FnMut(RowId, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let table = transaction.open_table(PASSKEYS).map_err(failed)?;
            for row in table.iter().map_err(failed)? {
                let (id, value) = row.map_err(failed)?;
                visit(RowId(*id.value()), value.value())?;
            }
            Ok(())
        })
    }

    /// An entry of the log.
    pub(crate) fn log_entry(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        self.get(LOG, number)
    }

    /// The greatest number before `number` that an entry of the log has.
    pub(crate) fn last_log_entry_before(&self, number: u64) -> Result<Option<u64>, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, LOG)? else {
                return Ok(None);
            };
            let last = table.range(..number).map_err(failed)?.next_back();
            Ok(last
                .transpose()
                .map_err(failed)?
                .map(|(number, _)| number.value()))
        })
    }

    /// What the operations of all devices amount to for one passkey.
    pub(crate) fn merged(&self, row: RowId) -> Result<Option<Vec<u8>>, Error> {
        self.get(MERGED, &row.0)
    }

    /// What a device said last of how far it had read the others.
    pub(crate) fn told(&self, device: DeviceId) -> Result<Option<Vec<u8>>, Error> {
        self.get(TOLD, &device.0)
    }

    /// Shows what each device said to `visit`, which may end it with an error.
    pub(crate) fn all_told(
        &self,
        mut visit: impl FnMut(DeviceId, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, TOLD)? else {
                return Ok(());
            };
            for row in table.iter().map_err(failed)? {
                let (device, value) = row.map_err(failed)?;
                visit(DeviceId(*device.value()), value.value())?;
            }
            Ok(())
        })
    }

    /// Shows what is merged to `visit`, which may end it with an error.
    pub(crate) fn all_merged(
        &self,
        mut visit: impl FnMut(RowId, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, MERGED)? else {
                return Ok(());
            };
            for row in table.iter().map_err(failed)? {
                let (row, value) = row.map_err(failed)?;
                visit(RowId(*row.value()), value.value())?;
            }
            Ok(())
        })
    }

    /// Shows what is to be told to the other devices to `visit`, in its order, until that says to stop.
    pub(crate) fn outbox(
        &self,
        mut visit: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, OUTBOX)? else {
                return Ok(());
            };
            for row in table.iter().map_err(failed)? {
                let (number, value) = row.map_err(failed)?;
                if visit(number.value(), value.value())?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// One operation that is to be told.
    pub(crate) fn outbox_entry(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        self.get(OUTBOX, number)
    }

    /// An object of a device's log.
    pub(crate) fn device_log(&self, device: DeviceId, seq: u32) -> Result<Option<Vec<u8>>, Error> {
        self.get(DEVICE_LOGS, (&device.0, seq))
    }

    /// The last object of a device's log.
    pub(crate) fn last_of_device_log(&self, device: DeviceId) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, DEVICE_LOGS)? else {
                return Ok(None);
            };
            let mut rows = table
                .range((&device.0, 0)..=(&device.0, u32::MAX))
                .map_err(failed)?;
            let last = rows.next_back().transpose().map_err(failed)?;
            Ok(last.map(|(_, object)| object.value().to_vec()))
        })
    }

    /// Which objects of a device's log are there, of those before a number.
    pub(crate) fn device_log_before(&self, device: DeviceId, seq: u32) -> Result<Vec<u32>, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, DEVICE_LOGS)? else {
                return Ok(Vec::new());
            };
            let rows = table.range((&device.0, 0)..(&device.0, seq)).map_err(failed)?;
            rows.map(|row| row.map(|(key, _)| key.value().1).map_err(failed))
                .collect()
        })
    }

    /// For how many passkeys something is merged.
    pub(crate) fn merged_len(&self) -> Result<u64, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let table = existing(&transaction, MERGED)?;
            table.map_or(Ok(0), |table| table.len().map_err(failed))
        })
    }

    /// Shows the roots of the snapshots that are known to `visit`, which may end it with an error.
    pub(crate) fn snapshots(&self, mut visit: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, SNAPSHOTS)? else {
                return Ok(());
            };
            for row in table.iter().map_err(failed)? {
                visit(row.map_err(failed)?.1.value())?;
            }
            Ok(())
        })
    }

    /// The root of a snapshot that is known.
    pub(crate) fn snapshot(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.get(SNAPSHOTS, &hash.0)
    }

    /// A part of a snapshot that this device made.
    pub(crate) fn snapshot_part(&self, hash: ObjectHash) -> Result<Option<Vec<u8>>, Error> {
        self.get(SNAPSHOT_PARTS, &hash.0)
    }

    /// All of these parts.
    pub(crate) fn snapshot_parts(&self) -> Result<Vec<ObjectHash>, Error> {
        self.guarded(|redb| {
            let transaction = redb.begin_read().map_err(failed)?;
            let Some(table) = existing(&transaction, SNAPSHOT_PARTS)? else {
                return Ok(Vec::new());
            };
            let rows = table.iter().map_err(failed)?;
            rows.map(|row| row.map(|(hash, _)| ObjectHash(*hash.value())).map_err(failed))
                .collect()
        })
    }

    /// Makes `change` durable, all of it or nothing, and all that was made before.
    pub(crate) fn apply(&self, change: &Change) -> Result<(), Error> {
        self.commit(change, Durability::Immediate)
    }

    /// Makes `change`, all of it or nothing; after a power cut it may be as if it had not been made.
    pub(crate) fn apply_later(&self, change: &Change) -> Result<(), Error> {
        self.commit(change, Durability::None)
    }

    /// Makes all that was changed durable.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.guarded(|redb| redb.begin_write().map_err(failed)?.commit().map_err(failed))
    }

    fn commit(&self, change: &Change, durability: Durability) -> Result<(), Error> {
        self.guarded(|redb| {
            let mut transaction = redb.begin_write().map_err(failed)?;
            transaction.set_durability(durability).map_err(failed)?;
            if change.remove_all_passkeys {
                transaction.delete_table(PASSKEYS).map_err(failed)?;
            }
            if change.forget_all_known {
                transaction.delete_table(KNOWN).map_err(failed)?;
            }
            {
                let mut passkeys = transaction.open_table(PASSKEYS).map_err(failed)?;
                for row in &change.remove_passkeys {
                    passkeys.remove(&row.0).map_err(failed)?;
                }
                for (row, sealed) in &change.put_passkeys {
                    passkeys.insert(&row.0, sealed.as_slice()).map_err(failed)?;
                }
                let mut facts = transaction.open_table(META).map_err(failed)?;
                for meta in &change.remove_meta {
                    facts.remove(meta.name()).map_err(failed)?;
                }
                for (meta, value) in &change.put_meta {
                    facts.insert(meta.name(), value.as_slice()).map_err(failed)?;
                }
            }
            change.apply_to_log(&transaction)?;
            change.apply_to_sync(&transaction)?;
            change.apply_to_snapshots(&transaction)?;
            change.apply_in_clear(&transaction)?;
            transaction.commit().map_err(failed)
        })
    }

    fn guarded<T>(&self, work: impl FnOnce(&redb::Database) -> Result<T, Error>) -> Result<T, Error> {
        let redb = self
            .redb
            .as_ref()
            .filter(|_| !self.broken.load(Ordering::Relaxed))
            .ok_or(Error::Corrupted)?;
        let result = guard(|| work(redb));
        if matches!(result, Err(Error::Corrupted)) {
            self.broken.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Closing writes, too, and makes durable what is not yet. When it fails, no more is lost than by a power cut.
        let redb = self.redb.take();
        let _ = guard(|| {
            drop(redb);
            Ok(())
        });
    }
}

/// The only place where a panic is caught. redb panics on some files that it did not write: the checksums that guard
/// its pages are no authentication. The vault must refuse such a file and not take the program down with it. What
/// was being worked on is given up by the caller (an opening database is dropped, an open one marked as broken), so
/// no half-changed state is used afterwards.
fn guard<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Corrupted))
}

/// A table; `None` where nothing was ever put into it.
fn existing<K: redb::Key + 'static, V: redb::Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, Error> {
    match transaction.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    if matches!(error, redb::Error::Corrupted(_)) {
        Error::Corrupted
    } else {
        Error::Database(Box::new(error))
    }
}

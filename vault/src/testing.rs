//! What the tests of this crate share: repeatable randomness, passkeys to store, and a disk to lose power on.

use std::convert::Infallible;
use std::fmt::{Debug, Formatter};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use redb::StorageBackend;
use sha2::{Digest, Sha256};

use crate::{CredProtect, CredentialId, Passkey, Profile, RootKey, Secret, SecretBytes};

pub(crate) mod home;
pub(crate) mod house;
pub(crate) mod party;

/// SHA-256 of a counter: the same bytes in every run.
pub(crate) struct TestRng(pub(crate) u64);

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// The root key with every byte `fill`.
pub(crate) fn root_key(fill: u8) -> RootKey {
    Secret::from_slice(&[fill; 32]).unwrap()
}

/// A passkey of `user` at `rp_id`, with a random id.
pub(crate) fn passkey(rng: &mut dyn CryptoRng, rp_id: &str, user: &str) -> Passkey {
    let mut id = [0; 32];
    rng.fill_bytes(&mut id);
    Passkey {
        id: CredentialId::new(&id).unwrap(),
        rp_id: rp_id.to_owned(),
        rp_name: Some(format!("The site {rp_id}")),
        user_id: user.as_bytes().to_vec(),
        user_name: Some(format!("{user}@{rp_id}")),
        user_display_name: None,
        algorithm: -7,
        private_key: SecretBytes::random(rng, 32),
        profile: Profile::Synced,
        created_unix_ms: 1_700_000_000_000,
        cred_protect: CredProtect::Optional,
        cred_random: None,
        cred_blob: None,
        large_blob_key: None,
        large_blob: None,
        third_party_payment: false,
    }
}

/// A disk in memory that outlives what is opened on it. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Sectors>>);

#[derive(Default)]
struct Sectors {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What a power cut cannot take away.
    synced: Vec<u8>,
    /// What was done since.
    unsynced: Vec<Unsynced>,
    /// Writes and syncs until the power goes.
    fuse: Option<usize>,
    /// How often everything was made durable.
    syncs: usize,
    /// All that was done since [`Disk::record`].
    record: Option<Vec<Done>>,
}

impl Debug for Sectors {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sectors")
            .field("len", &self.seen.len())
            .finish_non_exhaustive()
    }
}

/// Something that a disk was told.
#[derive(Clone)]
enum Done {
    Change(Unsynced),
    Sync,
}

#[derive(Clone)]
enum Unsynced {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Unsynced {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(len) => content.resize(*len, 0),
            Self::Bytes(at, bytes) => {
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..][..bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// A disk writes sectors of 512 bytes whole, but a longer write may come apart.
    fn sectors(&self) -> Vec<Self> {
        match self {
            Self::Length(_) => vec![self.clone()],
            Self::Bytes(at, bytes) => (bytes.chunks(512).enumerate())
                .map(|(n, sector)| Self::Bytes(at + n * 512, sector.to_vec()))
                .collect(),
        }
    }
}

impl Disk {
    pub(crate) fn with(content: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Sectors {
            seen: content.clone(),
            synced: content,
            ..Sectors::default()
        })))
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap().seen.clone()
    }

    /// How often everything was made durable.
    pub(crate) fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }

    /// From now on remembers what is done.
    pub(crate) fn record(&self) {
        self.0.lock().unwrap().record = Some(Vec::new());
    }

    /// How much was done since [`Self::record`].
    pub(crate) fn recorded_len(&self) -> usize {
        self.0.lock().unwrap().record.as_ref().map_or(0, Vec::len)
    }

    /// The disk as it was after each write and each sync since [`Self::record`], of which `start` is what was there then.
    pub(crate) fn recorded(&self, start: &Self) -> Vec<Self> {
        let record = self.0.lock().unwrap().record.take().unwrap_or_default();
        (0..=record.len())
            .map(|count| start.after(&record[..count]))
            .collect()
    }

    /// Another disk, which was told to do `record` after what is on this one.
    fn after(&self, record: &[Done]) -> Self {
        let disk = Self::with(self.content());
        for done in record {
            match done {
                Done::Change(change) => disk.change(change.clone()).unwrap(),
                Done::Sync => disk.sync_data().unwrap(),
            }
        }
        disk
    }

    /// After this many more writes and syncs the power goes: everything fails.
    pub(crate) fn cut_power_after(&self, writes: usize) {
        self.0.lock().unwrap().fuse = Some(writes);
    }

    /// What is there after the power was cut: all that was synced, and of the rest whichever sectors `keep` says.
    pub(crate) fn after_power_cut(&self, mut keep: impl FnMut() -> bool) -> Self {
        let sectors = self.0.lock().unwrap();
        let mut content = sectors.synced.clone();
        for sector in sectors
            .unsynced
            .iter()
            .flat_map(Unsynced::sectors)
            .filter(|_| keep())
        {
            sector.apply(&mut content);
        }
        Self::with(content)
    }

    fn step(&self) -> io::Result<MutexGuard<'_, Sectors>> {
        let mut sectors = self.0.lock().unwrap();
        if let Some(fuse) = &mut sectors.fuse {
            *fuse = fuse
                .checked_sub(1)
                .ok_or_else(|| io::Error::other("the power is off"))?;
        }
        Ok(sectors)
    }

    fn change(&self, change: Unsynced) -> io::Result<()> {
        let mut sectors = self.step()?;
        change.apply(&mut sectors.seen);
        if let Some(record) = &mut sectors.record {
            record.push(Done::Change(change.clone()));
        }
        sectors.unsynced.push(change);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len().try_into().unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let sectors = self.0.lock().unwrap();
        let found = usize::try_from(offset)
            .ok()
            .and_then(|at| sectors.seen.get(at..)?.get(..out.len()));
        out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Unsynced::Length(usize::try_from(len).map_err(io::Error::other)?))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut sectors = self.step()?;
        sectors.synced = sectors.seen.clone();
        sectors.unsynced.clear();
        sectors.syncs += 1;
        if let Some(record) = &mut sectors.record {
            record.push(Done::Sync);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Unsynced::Bytes(
            usize::try_from(offset).map_err(io::Error::other)?,
            data.to_vec(),
        ))
    }
}

//! The vault: database, keys and index as one. Each operation is a few named steps; what they mean on disk is in
//! `seal.rs` and `database.rs`. A change is durable first and in memory second, so that what is answered from memory
//! is never more than what a power cut leaves.

mod joined;
mod large_blobs;

use std::collections::BTreeSet;
use std::time::Duration;

use rand_core::CryptoRng;
use redb::StorageBackend;
use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::database::{Change, Database, Meta};
use crate::index::{Index, Unsorted};
use crate::keyring::Keyring;
use crate::keys::{DeviceId, KnownKey, VaultId, VaultKey};
use crate::known::{KnownHash, KnownSum};
use crate::local_keys::LocalKeys;
use crate::locked::{Locked, Member};
use crate::log::{Appended, LogHead};
use crate::membership::{Created, Session};
use crate::seal::{self, Place, RowId, Unopened};
use crate::sync::{Operation, Replica, copy};
use crate::{
    CredProtect, CredentialId, Document, Error, Log, LogOrigin, Passkey, Profile, Record, RootKey, RpIdHash,
    Secret, StoreState, payload, wrap,
};

mod synced;

pub(crate) use self::synced::{Extended, Making, Piece, Taking};
pub use self::synced::{NotTaken, Taken, ToSign, Trashed};

/// The format of the database that this program writes, and the newest it reads.
pub(crate) const FORMAT: u64 = 4;
/// The oldest format this program reads; it is brought up to date at once.
const FORMAT_OLDEST: u64 = 1;
/// The first format that has a log.
const FORMAT_WITH_LOG: u64 = 3;
/// The only field of the sealed signature counter.
const COUNT: u64 = 1;

/// A credential as the in-memory index knows it: enough to choose, nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names the credential.
    pub id: CredentialId,
    /// Its relying party.
    pub rp_id_hash: RpIdHash,
    /// See [`Passkey::created_unix_ms`].
    pub created_unix_ms: u64,
}

/// An open vault.
pub struct Vault {
    database: Database,
    keys: LocalKeys,
    keyring: Keyring,
    index: Index,
    signature_count: u32,
    store_state: StoreState,
    log: LogHead,
    /// `None` where the key of the database is kept by the caller, who then cannot lock it.
    member: Option<Member>,
    /// What is exchanged with other devices needs it; a member has it while the vault is open.
    session: Option<Session>,
    /// Where this device stands among others; `None` where it does not sync.
    replica: Option<Replica>,
    /// See [`Self::set_time`].
    unix_ms: u64,
}

/// What a vault had seen before it got a Vault PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Nothing: it was just made.
    New,
    /// It was used; nobody noted for which relying parties it made credentials that it does not store.
    Used,
}

impl Vault {
    /// Opens the vault in `backend` with the key of the database, or makes one where `backend` is empty. Every record is
    /// opened and checked. Such a vault has no Vault PIN until [`Self::protect`].
    ///
    /// A vault that is there is left as it was by every error. Making one is not one step: where the power may go
    /// meanwhile, make it in a file beside and rename that.
    ///
    /// When a later call fails with [`Error::Database`] or [`Error::Corrupted`], the vault must be opened again; what
    /// was being changed is then there in whole or not at all.
    pub fn open(
        backend: impl StorageBackend,
        root: &RootKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Error> {
        let database = Database::open(backend)?;
        let root = Secret::from_slice(root.expose_secret()).expect("keys are of one length");
        if database.is_new()? {
            return Self::create(database, root, rng);
        }
        check_format(&database)?;
        if database.meta(Meta::LocalKeys)?.is_some() {
            return Err(Error::NeedsPin);
        }
        let keys = LocalKeys::first(read_vault_id(&database)?, root);
        Self::read(database, keys, rng)
    }

    fn create(database: Database, root: RootKey, rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        let keys = LocalKeys::first(random_id(rng), root);
        let keyring = Keyring::new(rng);
        let signature_count = 0;
        let store_state = StoreState::random(rng);
        let log = LogHead::begin(LogOrigin::New);
        let mut put_meta = describe(&keys, &keyring, signature_count, store_state, rng);
        put_meta.push((Meta::LogHead, log.seal(&keys, rng)));
        database.apply(&Change {
            put_meta,
            ..Change::default()
        })?;
        Ok(Self {
            database,
            keys,
            keyring,
            index: Index::default(),
            signature_count,
            store_state,
            log,
            member: None,
            session: None,
            replica: None,
            unix_ms: 0,
        })
    }

    /// Opens everything with keys that fit.
    pub(crate) fn read(database: Database, keys: LocalKeys, rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        let format = check_format(&database)?;
        let keyring = read_keyring(&database, &keys)?;
        let signature_count = read_signature_count(&database, &keys)?;
        let index = read_index(&database, &keys)?;
        if format < FORMAT {
            bring_up_to_date(&database, &keys, format, rng)?;
        }
        let store_state = read_store_state(&database, &keys)?;
        let log = LogHead::open(&keys, &require(&database, Meta::LogHead)?)?;
        let replica = Replica::read(&database, &keys)?;
        Ok(Self {
            database,
            keys,
            keyring,
            index,
            signature_count,
            store_state,
            log,
            member: None,
            session: None,
            replica,
            unix_ms: 0,
        })
    }

    /// The stored credentials of a relying party whose protection is at most `cred_protect`, newest first.
    pub fn find_by_rp(&self, rp: &RpIdHash, cred_protect: CredProtect) -> Vec<CredentialId> {
        self.index.find_by_rp(rp, cred_protect).cloned().collect()
    }

    /// How many relying parties have a stored credential.
    pub fn relying_parties(&self) -> usize {
        self.index.relying_parties()
    }

    /// The relying party that follows `previous`, or the first one, in the order of their hashes.
    pub fn next_relying_party(&self, previous: Option<&RpIdHash>) -> Option<RpIdHash> {
        match previous {
            None => self.index.next_rp(&RpIdHash([0; 32])),
            Some(previous) => self.index.next_rp(&successor(previous)?),
        }
    }

    /// Whether there is a stored credential of this user handle at this relying party, which storing one more replaces.
    pub fn has_account(&self, rp: &RpIdHash, user_id: &[u8]) -> bool {
        self.index.has_account(rp, user_id)
    }

    /// Changes whenever the stored credentials do.
    pub fn store_state(&self) -> StoreState {
        self.store_state
    }

    /// The stored credential with this id, opened; `None` when there is none.
    pub fn load(&self, id: &CredentialId) -> Result<Option<Passkey>, Error> {
        let Some(row) = self.index.row(id) else {
            return Ok(None);
        };
        let sealed = self.database.passkey(row)?.ok_or(Error::Tampered)?;
        let passkey = open_passkey(&self.keys, row, &sealed)?;
        if passkey.id == *id {
            Ok(Some(passkey))
        } else {
            Err(Error::Tampered)
        }
    }

    /// Stores `passkey` durably; one with the same relying party id and user handle is replaced in the same
    /// transaction, which also writes `record` into the log. When this returns, a power cut loses nothing.
    pub fn store(
        &mut self,
        rng: &mut dyn CryptoRng,
        mut passkey: Passkey,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        passkey.created_unix_ms = passkey
            .created_unix_ms
            .max(self.index.newest_unix_ms().saturating_add(1));
        let replaced = self.index.replaced_by(&passkey);
        self.put(rng, &passkey, &replaced, record)
    }

    /// Stores `passkey` durably in the place of the one with its id, whose time of creation it keeps, and writes `record`
    /// into the log; `false`, and nothing changes, when there is none.
    pub fn update(
        &mut self,
        rng: &mut dyn CryptoRng,
        passkey: &Passkey,
        record: Option<&Record>,
    ) -> Result<bool, Error> {
        if self.index.row(&passkey.id).is_none() {
            return Ok(false);
        }
        self.put(rng, passkey, &BTreeSet::from([passkey.id.clone()]), record)?;
        Ok(true)
    }

    fn put(
        &mut self,
        rng: &mut dyn CryptoRng,
        passkey: &Passkey,
        replaced: &BTreeSet<CredentialId>,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        let (row, sealed) = self.seal_passkey(rng, passkey)?;
        let operations = self.operations_of_put(passkey, replaced)?;
        let store_state = StoreState::random(rng);
        let mut change = Change {
            remove_passkeys: replaced.iter().filter_map(|id| self.index.row(id)).collect(),
            put_passkeys: vec![(row, sealed)],
            put_meta: vec![(Meta::StoreState, seal_store_state(&self.keys, store_state, rng))],
            ..Change::default()
        };
        self.note_known(&mut change, &[passkey], replaced);
        let said = self.say(rng, &mut change, &operations, record)?;
        self.apply(rng, change, record)?;
        self.said(said);
        self.store_state = store_state;
        for id in replaced {
            self.index.remove(id);
        }
        self.index
            .insert(passkey, row)
            .expect("what was in the way is removed");
        Ok(())
    }

    /// What other devices have to be told when `passkey` is stored.
    fn operations_of_put(
        &self,
        passkey: &Passkey,
        replaced: &BTreeSet<CredentialId>,
    ) -> Result<Vec<Operation>, Error> {
        let mut operations = Vec::new();
        if self.replica.is_none() {
            return Ok(operations);
        }
        let mut is_new = true;
        for id in replaced {
            let was = self.load(id)?.ok_or(Error::Tampered)?;
            if was.id == passkey.id {
                is_new = false;
                operations.extend(synced::changes(&was, passkey));
            } else if was.profile == Profile::Synced {
                operations.push(Operation::Delete(was.id));
            }
        }
        if is_new {
            operations.push(Operation::Store(Box::new(copy(passkey))));
        }
        if passkey.profile != Profile::Synced {
            operations.retain(|operation| operation.id() != Some(&passkey.id));
        }
        Ok(operations)
    }

    /// What is recognized while the vault is locked, after a change.
    fn note_known(&self, change: &mut Change, put: &[&Passkey], removed: &BTreeSet<CredentialId>) {
        let Some(Member { known, .. }) = &self.member else {
            return;
        };
        for id in removed {
            let Some(rp) = self.index.rp(id) else { continue };
            change.remove_known.push(known.credential(&rp, id));
            let mut others = self.index.find_by_rp(&rp, CredProtect::Required);
            if others.all(|other| removed.contains(other)) {
                change.remove_known.push(known.site(&rp));
            }
        }
        for passkey in put {
            let rp = RpIdHash::of(&passkey.rp_id);
            let hashes = [known.site(&rp), known.credential(&rp, &passkey.id)];
            change.put_known.extend(hashes);
        }
    }

    fn seal_passkey(&self, rng: &mut dyn CryptoRng, passkey: &Passkey) -> Result<(RowId, Vec<u8>), Error> {
        let mut row = RowId([0; 16]);
        rng.fill_bytes(&mut row.0);
        let payload = payload::encode(passkey)?;
        let sealed = self.keys.seal(seal::fresh(rng), Place::Passkey(row), payload);
        Ok((row, sealed.ok_or(Error::TooLarge)?))
    }

    /// Makes `change` durable, with one more entry of the log where there is something to write into it.
    fn apply(
        &mut self,
        rng: &mut dyn CryptoRng,
        mut change: Change,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        let log = self.log_in(rng, &mut change, record)?;
        self.make(change, Database::apply)?;
        self.log = log;
        Ok(())
    }

    /// Makes `change`, and with it what says that all that is recognized is there.
    fn make(
        &mut self,
        mut change: Change,
        apply: fn(&Database, &Change) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(member) = &mut self.member {
            let sum = member.sum.after(&self.database, &member.known, &change)?;
            if change.touches_known() {
                let check = member.known.check(self.keys.vault(), sum);
                change.put_meta.push((Meta::KnownCheck, check.to_vec()));
            }
            apply(&self.database, &change)?;
            member.sum = sum;
            return Ok(());
        }
        apply(&self.database, &change)
    }

    /// Adds an entry of the log to `change`: where the log stands after it.
    fn log_in(
        &self,
        rng: &mut dyn CryptoRng,
        change: &mut Change,
        record: Option<&Record>,
    ) -> Result<LogHead, Error> {
        match record {
            None => Ok(self.log),
            Some(record) => append(self.log, &self.keys, change, record, rng),
        }
    }

    /// Writes `record` into the log. A power cut may take it away, with all that was written after it, until something
    /// else is made durable, or [`Self::flush`] returns, or the vault is dropped.
    pub fn record_later(&mut self, rng: &mut dyn CryptoRng, record: &Record) -> Result<(), Error> {
        let mut change = Change::default();
        let log = self.log_in(rng, &mut change, Some(record))?;
        self.database.apply_later(&change)?;
        self.log = log;
        Ok(())
    }

    /// Writes `record` into the log durably.
    pub fn record(&mut self, rng: &mut dyn CryptoRng, record: &Record) -> Result<(), Error> {
        self.apply(rng, Change::default(), Some(record))
    }

    /// Makes durable what [`Self::record_later`] wrote.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.database.flush()
    }

    /// The log, the newest entry first; where `before` is given, only the entries before that one.
    pub fn log(&self, before: Option<u64>) -> Result<Log<'_>, Error> {
        Log::read(&self.database, &self.keys, self.log, before)
    }

    /// Adds passkeys that came from elsewhere, all in one transaction, and says how many. Nothing that is there is
    /// replaced: a passkey whose id or whose account is stored already is passed over. `record` makes of the number what
    /// is written into the log, also where it is 0.
    pub fn add(
        &mut self,
        rng: &mut dyn CryptoRng,
        passkeys: &[Passkey],
        record: impl FnOnce(usize) -> Option<Record>,
    ) -> Result<usize, Error> {
        let mut added = Index::default();
        let mut put_passkeys = Vec::new();
        for passkey in passkeys {
            let is_there = !self.index.replaced_by(passkey).is_empty();
            if is_there || !added.replaced_by(passkey).is_empty() {
                continue;
            }
            let (row, sealed) = self.seal_passkey(rng, passkey)?;
            added
                .insert(passkey, row)
                .expect("neither id nor account is there");
            put_passkeys.push((row, sealed));
        }
        let record = record(added.len());
        if put_passkeys.is_empty() && record.is_none() {
            return Ok(0);
        }
        let store_state = StoreState::random(rng);
        let mut change = Change {
            put_passkeys,
            put_meta: vec![(Meta::StoreState, seal_store_state(&self.keys, store_state, rng))],
            ..Change::default()
        };
        let put: Vec<_> = passkeys
            .iter()
            .filter(|passkey| added.row(&passkey.id).is_some())
            .collect();
        self.note_known(&mut change, &put, &BTreeSet::new());
        let synced = put.iter().filter(|passkey| passkey.profile == Profile::Synced);
        let operations: Vec<_> = synced
            .map(|passkey| Operation::Store(Box::new(copy(passkey))))
            .collect();
        let said = self.say(rng, &mut change, &operations, record.as_ref())?;
        self.apply(rng, change, record.as_ref())?;
        self.said(said);
        self.store_state = store_state;
        for passkey in passkeys {
            if let Some(row) = added.row(&passkey.id) {
                self.index.insert(passkey, row);
            }
        }
        Ok(added.len())
    }

    /// Deletes a stored credential durably, and writes `record` into the log; `false`, and nothing changes, when there was
    /// none.
    pub fn delete(
        &mut self,
        rng: &mut dyn CryptoRng,
        id: &CredentialId,
        record: Option<&Record>,
    ) -> Result<bool, Error> {
        let Some(row) = self.index.row(id) else {
            return Ok(false);
        };
        let store_state = StoreState::random(rng);
        let mut change = Change {
            remove_passkeys: vec![row],
            put_meta: vec![(Meta::StoreState, seal_store_state(&self.keys, store_state, rng))],
            ..Change::default()
        };
        self.note_known(&mut change, &[], &BTreeSet::from([id.clone()]));
        let synced = self.syncs() && self.load(id)?.is_some_and(|was| was.profile == Profile::Synced);
        let operation = synced.then(|| Operation::Delete(id.clone()));
        let said = self.say(rng, &mut change, operation.as_slice(), record)?;
        self.apply(rng, change, record)?;
        self.said(said);
        self.store_state = store_state;
        self.index.remove(id);
        Ok(true)
    }

    /// Every stored credential, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.index.entries()
    }

    /// How many credentials are stored.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no credential is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes a credential id that carries `secret` sealed, bound to the relying party and the profile. That there is one
    /// for this relying party is noted durably.
    ///
    /// # Panics
    ///
    /// When `secret` is longer than 64 bytes.
    pub fn wrap(
        &mut self,
        rng: &mut dyn CryptoRng,
        rp: &RpIdHash,
        profile: Profile,
        secret: &[u8],
    ) -> Result<CredentialId, Error> {
        if let Some(Member { known, .. }) = &self.member {
            let hash = known.wrapped(rp);
            if !self.database.knows(&hash)? {
                let change = Change {
                    put_known: vec![hash],
                    ..Change::default()
                };
                self.make(change, Database::apply)?;
            }
        }
        let shared = self.shared_wrapping_key().filter(|_| profile == Profile::Synced);
        let key = shared.as_ref().unwrap_or(self.keyring.current());
        Ok(wrap::wrap(key, rng, rp, profile, secret))
    }

    /// What [`Self::wrap`] put into `id` for this relying party; `None` for every id that this vault did not make.
    pub fn unwrap(&self, rp: &RpIdHash, id: &CredentialId) -> Option<(Profile, Zeroizing<Vec<u8>>)> {
        let number = wrap::key_number(id)?;
        let own = self.keyring.find(number);
        let found = own.and_then(|key| wrap::unwrap(key, rp, id));
        found.or_else(|| self.unwrap_shared(number, rp, id))
    }

    /// The next value of the signature counter for credentials that are not synced; durable before it returns, and
    /// `record` with it.
    pub fn next_signature_count(
        &mut self,
        rng: &mut dyn CryptoRng,
        record: Option<&Record>,
    ) -> Result<u32, Error> {
        let next = self.signature_count.saturating_add(1);
        let sealed = seal_signature_count(&self.keys, next);
        let change = Change {
            put_meta: vec![(Meta::Counter, sealed)],
            ..Change::default()
        };
        self.apply(rng, change, record)?;
        self.signature_count = next;
        Ok(next)
    }

    /// The document, as [`Self::put_document`] was given it; `None` when it was never written.
    pub fn document(&self, document: Document) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Some(sealed) = self.database.meta(document.meta())? else {
            return Ok(None);
        };
        Ok(Some(self.keys.open(Place::Document(document), &sealed)?))
    }

    /// Writes a document durably, and `record` into the log. When this returns, a power cut loses nothing.
    pub fn put_document(
        &mut self,
        rng: &mut dyn CryptoRng,
        document: Document,
        content: Zeroizing<Vec<u8>>,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        let sealed = seal_document(&self.keys, document, content, rng)?;
        let change = Change {
            put_meta: vec![(document.meta(), sealed)],
            ..Change::default()
        };
        self.apply(rng, change, record)
    }

    /// Writes the state of the authenticator durably, and in the same step the part of it that is no secret: that can
    /// be read while the vault is locked. `record` goes into the log.
    pub fn put_state(
        &mut self,
        rng: &mut dyn CryptoRng,
        content: Zeroizing<Vec<u8>>,
        public: Vec<u8>,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        let state = Document::AuthenticatorState;
        let sealed = seal_document(&self.keys, state, content, rng)?;
        let public = match &self.member {
            Some(member) => member.known.authenticated(self.keys.vault(), public),
            None => public,
        };
        let change = Change {
            put_meta: vec![(state.meta(), sealed), (Meta::PublicState, public)],
            ..Change::default()
        };
        self.apply(rng, change, record)
    }

    /// The part of the state of the authenticator that can be read while the vault is locked; `None` where it was never
    /// written, and where it is not what was.
    pub fn public_state(&self) -> Result<Option<Vec<u8>>, Error> {
        let kept = self.database.meta(Meta::PublicState)?;
        Ok(match &self.member {
            Some(member) => kept.and_then(|kept| member.known.authentic(self.keys.vault(), &kept)),
            None => kept,
        })
    }

    /// Removes every credential and every document but the attestation authority, and makes every wrapped credential
    /// id unusable, in one transaction. The signature counter goes on. The log begins anew, with `record`. This device
    /// syncs no more; the others keep what they have.
    pub fn reset(&mut self, rng: &mut dyn CryptoRng, record: &Record) -> Result<(), Error> {
        let keys = self.keys.renamed(random_id(rng));
        let keyring = Keyring::new(rng);
        let store_state = StoreState::random(rng);
        let mut put_meta = describe(&keys, &keyring, self.signature_count, store_state, rng);
        let (kept, removed): (Vec<_>, Vec<_>) = Document::ALL
            .into_iter()
            .partition(|document| document.survives_reset());
        for document in kept {
            if let Some(content) = self.document(document)? {
                put_meta.push((document.meta(), seal_document(&keys, document, content, rng)?));
            }
        }
        let remove_meta = removed.into_iter().map(Document::meta).chain([
            Meta::PublicState,
            Meta::Replica,
            Meta::Formed,
            Meta::ForeignKeys,
        ]);
        let mut change = Change {
            remove_all_passkeys: true,
            forget_all_known: true,
            remove_meta: remove_meta.collect(),
            put_meta,
            remove_all_log: true,
            forget_sync: true,
            ..Change::default()
        };
        let log = append(LogHead::begin(LogOrigin::Reset), &keys, &mut change, record, rng)?;
        let sum = KnownSum::default();
        if let Some(member) = &mut self.member {
            let check = member.known.check(keys.vault(), sum);
            change.put_meta.push((Meta::KnownCheck, check.to_vec()));
            self.database.apply(&change)?;
            member.sum = sum;
        } else {
            self.database.apply(&change)?;
        }
        self.log = log;
        self.keys = keys;
        self.keyring = keyring;
        self.index = Index::default();
        self.store_state = store_state;
        self.replica = None;
        Ok(())
    }

    /// Gives a vault that has none a Vault PIN: `created` is what [`create`](crate::create) made for `member`. Everything
    /// is sealed anew, with a key that was never anywhere else, in one transaction. The log begins anew.
    pub fn protect(
        self,
        created: &Created,
        (device, known): (DeviceId, KnownKey),
        history: History,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<Locked, Error> {
        let keys = self.keys.replaced(rng);
        let log = LogHead::begin(match history {
            History::New => LogOrigin::New,
            History::Used => LogOrigin::Upgrade,
        });
        let mut change = Change {
            put_meta: describe(&keys, &self.keyring, self.signature_count, self.store_state, rng),
            remove_all_log: true,
            ..Change::default()
        };
        change.put_meta.push((Meta::LogHead, log.seal(&keys, rng)));
        for document in Document::ALL {
            if let Some(content) = self.document(document)? {
                let sealed = seal_document(&keys, document, content, rng)?;
                change.put_meta.push((document.meta(), sealed));
            }
        }
        self.database.passkeys(|row, sealed| {
            let payload = self.keys.open(Place::Passkey(row), sealed)?;
            let sealed = keys.seal(seal::fresh(rng), Place::Passkey(row), payload);
            change.put_passkeys.push((row, sealed.ok_or(Error::TooLarge)?));
            Ok(())
        })?;
        change.put_known = self.known_hashes(&known);
        if history == History::Used {
            change.put_known.push(known.any_wrapped());
        }
        let sum = KnownSum::of(&known, &change.put_known);
        change.put_meta.extend([
            (Meta::Device, device.0.to_vec()),
            (Meta::KnownCheck, known.check(keys.vault(), sum).to_vec()),
            (Meta::LocalKeys, keys.sealed(&created.key, rng)),
        ]);
        if let Some(public) = self.public_state()? {
            let public = known.authenticated(keys.vault(), public);
            change.put_meta.push((Meta::PublicState, public));
        }
        change.add_membership(&created.change);
        self.database.apply(&change)?;
        Locked::read(self.database, known, now)
    }

    /// All that is recognized while the vault is locked, but for credentials that it does not store.
    fn known_hashes(&self, known: &KnownKey) -> Vec<KnownHash> {
        let entries = self.index.entries();
        let of =
            |Entry { id, rp_id_hash, .. }: &Entry| [known.site(rp_id_hash), known.credential(rp_id_hash, id)];
        entries.iter().flat_map(of).collect()
    }

    /// What becomes of a vault that was just opened as a member: where the root key of the vault was replaced, so are the
    /// keys of the database, for what is sealed from then on; and what is recognized while it is locked is made anew
    /// where it cannot be read.
    pub(crate) fn joined(
        mut self,
        mut member: Member,
        next: Option<&VaultKey>,
        session: Session,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Error> {
        let mut change = Change::default();
        if let Some(root) = next {
            self.keyring = self.keyring.with_next(rng);
            if let Some(keys) = self.keys.with_next(rng) {
                self.keys = keys;
            }
            change.put_meta.extend([
                (Meta::Keyring, seal_keyring(&self.keys, &self.keyring, rng)),
                (Meta::LocalKeys, self.keys.sealed(root, rng)),
            ]);
        }
        if !member.is_known_whole {
            change.forget_all_known = true;
            change.put_known = self.known_hashes(&member.known);
            change.put_known.push(member.known.any_wrapped());
            member.sum = KnownSum::of(&member.known, &change.put_known);
            let check = member.known.check(self.keys.vault(), member.sum);
            change.put_meta.push((Meta::KnownCheck, check.to_vec()));
        }
        if !change.put_meta.is_empty() {
            self.database.apply(&change)?;
        }
        member.is_known_whole = true;
        self.member = Some(member);
        self.session = Some(session);
        self.recall_snapshots()?;
        Ok(self)
    }

    /// Which Vault PIN is in force; `None` where there is none, and so nothing can be locked.
    pub fn pin_generation(&self) -> Option<u32> {
        self.member.as_ref().map(|member| member.trust.pin_generation())
    }

    /// Wipes the keys from memory. A vault whose key the caller keeps comes back open.
    pub fn lock(mut self) -> Result<Locked, Box<Self>> {
        match self.member.take() {
            Some(member) => Ok(Locked::of(self.database, member)),
            None => Err(Box::new(self)),
        }
    }
}

/// The name of a database that was never there before: nothing sealed or wrapped under another name opens.
fn random_id(rng: &mut dyn CryptoRng) -> VaultId {
    let mut vault = VaultId([0; 32]);
    rng.fill_bytes(&mut vault.0);
    vault
}

/// The next greater hash.
fn successor(rp: &RpIdHash) -> Option<RpIdHash> {
    let mut next = *rp;
    for byte in next.0.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(next);
        }
    }
    None
}

/// All that a vault without passkeys has on disk.
fn describe(
    keys: &LocalKeys,
    keyring: &Keyring,
    count: u32,
    store_state: StoreState,
    rng: &mut dyn CryptoRng,
) -> Vec<(Meta, Vec<u8>)> {
    vec![
        (Meta::Format, FORMAT.to_be_bytes().to_vec()),
        (Meta::Vault, keys.vault().0.to_vec()),
        (Meta::Keyring, seal_keyring(keys, keyring, rng)),
        (Meta::Counter, seal_signature_count(keys, count)),
        (Meta::StoreState, seal_store_state(keys, store_state, rng)),
    ]
}

/// Adds one entry to the log that `change` leaves: where the log stands then.
fn append(
    log: LogHead,
    keys: &LocalKeys,
    change: &mut Change,
    record: &Record,
    rng: &mut dyn CryptoRng,
) -> Result<LogHead, Error> {
    let Appended {
        head,
        number,
        sealed,
        dropped,
    } = log.append(keys, record, rng)?;
    change.put_log = Some((number, sealed));
    change.remove_log = dropped;
    change.put_meta.push((Meta::LogHead, head.seal(keys, rng)));
    Ok(head)
}

/// A database of format 1 has no store state, one of format 1 or 2 no log; format 4 only says that older programs, which
/// would not tell other devices what they change, must not open it.
fn bring_up_to_date(
    database: &Database,
    keys: &LocalKeys,
    format: u64,
    rng: &mut dyn CryptoRng,
) -> Result<(), Error> {
    let mut put_meta = vec![(Meta::Format, FORMAT.to_be_bytes().to_vec())];
    if format < FORMAT_WITH_LOG {
        let log = LogHead::begin(LogOrigin::Upgrade);
        put_meta.push((Meta::LogHead, log.seal(keys, rng)));
    }
    if format == FORMAT_OLDEST {
        let store_state = seal_store_state(keys, StoreState::random(rng), rng);
        put_meta.push((Meta::StoreState, store_state));
    }
    database.apply(&Change {
        put_meta,
        ..Change::default()
    })
}

/// Before anything else is believed: a newer program may have changed all the rest.
pub(crate) fn check_format(database: &Database) -> Result<u64, Error> {
    let format = require(database, Meta::Format)?;
    match format.as_slice().try_into().map(u64::from_be_bytes) {
        Ok(known @ FORMAT_OLDEST..=FORMAT) => Ok(known),
        Ok(found) if found > FORMAT => Err(Error::NewerFormat {
            found,
            supported: FORMAT,
        }),
        _ => Err(Error::Tampered),
    }
}

pub(crate) fn require(database: &Database, meta: Meta) -> Result<Vec<u8>, Error> {
    database.meta(meta)?.ok_or(Error::Tampered)
}

pub(crate) fn read_vault_id(database: &Database) -> Result<VaultId, Error> {
    let id = require(database, Meta::Vault)?;
    Ok(VaultId(id.as_slice().try_into().map_err(|_| Error::Tampered)?))
}

fn seal_keyring(keys: &LocalKeys, keyring: &Keyring, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let sealed = keys.seal(seal::fresh(rng), Place::Keyring, keyring.encode());
    sealed.expect("the number of epochs is bounded")
}

fn read_keyring(database: &Database, keys: &LocalKeys) -> Result<Keyring, Error> {
    let sealed = require(database, Meta::Keyring)?;
    let payload = keys
        .open(Place::Keyring, &sealed)
        .map_err(|unopened| match unopened {
            Unopened::OtherKey => Error::WrongRootKey,
            Unopened::Damaged => Error::Tampered,
        })?;
    Keyring::decode(&payload).ok_or(Error::Tampered)
}

/// The count has its key from itself: without fresh randomness two sealed counts are equal or have two keys.
fn seal_signature_count(keys: &LocalKeys, count: u32) -> Vec<u8> {
    let mut payload = Zeroizing::new(Vec::new());
    Writer(&mut payload)
        .map(1)
        .unsigned(COUNT)
        .unsigned(u64::from(count));
    let unique = keys.current().count_unique(count);
    keys.seal(unique, Place::Counter, payload)
        .expect("a count is short")
}

fn read_signature_count(database: &Database, keys: &LocalKeys) -> Result<u32, Error> {
    let payload = keys.open(Place::Counter, &require(database, Meta::Counter)?)?;
    let mut input = Reader(&payload);
    let mut count = || match (input.map()?, input.unsigned()?) {
        (1, COUNT) => input.unsigned().filter(|_| input.end().is_some()),
        _ => None,
    };
    count()
        .and_then(|count| u32::try_from(count).ok())
        .ok_or(Error::Tampered)
}

fn seal_store_state(keys: &LocalKeys, state: StoreState, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let payload = Zeroizing::new(state.0.to_vec());
    keys.seal(seal::fresh(rng), Place::StoreState, payload)
        .expect("16 bytes are short")
}

fn read_store_state(database: &Database, keys: &LocalKeys) -> Result<StoreState, Error> {
    let payload = keys.open(Place::StoreState, &require(database, Meta::StoreState)?)?;
    let state = payload.as_slice().try_into().map_err(|_| Error::Tampered)?;
    Ok(StoreState(state))
}

fn seal_document(
    keys: &LocalKeys,
    document: Document,
    content: Zeroizing<Vec<u8>>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Error> {
    let sealed = keys.seal(seal::fresh(rng), Place::Document(document), content);
    sealed.ok_or(Error::TooLarge)
}

fn read_index(database: &Database, keys: &LocalKeys) -> Result<Index, Error> {
    let mut index = Unsorted::default();
    database.passkeys(|row, sealed| {
        index.add(&open_passkey(keys, row, sealed)?, row);
        Ok(())
    })?;
    index.sort().ok_or(Error::Tampered)
}

fn open_passkey(keys: &LocalKeys, row: RowId, sealed: &[u8]) -> Result<Passkey, Error> {
    let payload = keys.open(Place::Passkey(row), sealed)?;
    payload::decode(&payload).ok_or(Error::Tampered)
}

#[cfg(test)]
mod tests;

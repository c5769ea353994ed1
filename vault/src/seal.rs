//! One sealed object: a payload goes in, bytes for the disk come out, and back. `FORMAT.md` §2.
//!
//! ```text
//! "PKV1" type suite flags header-length ‖ header (CBOR) ‖ commitment ‖ text-length ‖ text ‖ tag
//! └──────────── prefix ───────────────┘
//! ```
//! Prefix and header are bound twice: they select the key, and they are the associated data. Objects that carry a
//! signature are in `frame.rs`.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::keys::{COMMITMENT_LEN, DeviceId, TAG_LEN, VaultId, VaultKey};
use crate::padding::Sizes;
use crate::{Document, Error};

const MAGIC: &[u8; 4] = b"PKV1";
/// HKDF-SHA256, AES-256-GCM, 32-byte commitment.
const SUITE: u8 = 0x01;
pub(crate) const PREFIX_LEN: usize = 12;
/// Headers are about 80 bytes.
const HEADER_LEN_MAX: usize = 256;
pub(crate) const RANDOM_LEN: usize = 16;

const TYPE_KEYRING: u8 = 8;
const TYPE_PASSKEY: u8 = 9;
const TYPE_COUNTER: u8 = 10;
const TYPE_STORE_STATE: u8 = 11;
const TYPE_AUTHENTICATOR_STATE: u8 = 12;
const TYPE_LARGE_BLOBS: u8 = 13;
const TYPE_ATTESTATION: u8 = 14;
const TYPE_LOCAL_KEYS: u8 = 16;
const TYPE_LOG_ENTRY: u8 = 17;
const TYPE_LOG_HEAD: u8 = 18;
const TYPE_REPLICA: u8 = 19;
const TYPE_MERGED: u8 = 20;
const TYPE_OUTBOX: u8 = 21;
const TYPE_TOLD: u8 = 22;
const TYPE_FOREIGN_KEYS: u8 = 23;
const TYPE_DEVICE_NAMES: u8 = 24;
const TYPE_STORAGE: u8 = 25;

const HEADER_VAULT: u64 = 1;
const HEADER_EPOCH: u64 = 2;
const HEADER_RANDOM: u64 = 11;
const HEADER_ROW: u64 = 13;
const HEADER_NUMBER: u64 = 14;

/// Names a row of the table of passkeys; random, says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowId(pub(crate) [u8; 16]);

/// Where a sealed object belongs; it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Keyring,
    Counter,
    StoreState,
    LocalKeys,
    Document(Document),
    Passkey(RowId),
    LogHead,
    LogEntry(u64),
    Replica,
    ForeignKeys,
    DeviceNames,
    Told(DeviceId),
    Merged(RowId),
    Outbox(u64),
}

impl Place {
    fn object_type(self) -> u8 {
        match self {
            Self::Keyring => TYPE_KEYRING,
            Self::Counter => TYPE_COUNTER,
            Self::StoreState => TYPE_STORE_STATE,
            Self::LocalKeys => TYPE_LOCAL_KEYS,
            Self::Document(Document::AuthenticatorState) => TYPE_AUTHENTICATOR_STATE,
            Self::Document(Document::LargeBlobs) => TYPE_LARGE_BLOBS,
            Self::Document(Document::Attestation) => TYPE_ATTESTATION,
            Self::Document(Document::Storage) => TYPE_STORAGE,
            Self::Passkey(_) => TYPE_PASSKEY,
            Self::LogHead => TYPE_LOG_HEAD,
            Self::LogEntry(_) => TYPE_LOG_ENTRY,
            Self::Replica => TYPE_REPLICA,
            Self::Told(_) => TYPE_TOLD,
            Self::ForeignKeys => TYPE_FOREIGN_KEYS,
            Self::DeviceNames => TYPE_DEVICE_NAMES,
            Self::Merged(_) => TYPE_MERGED,
            Self::Outbox(_) => TYPE_OUTBOX,
        }
    }

    /// Which of several objects of its type it is; nothing where there is only one.
    fn which(self) -> Option<Which> {
        match self {
            Self::Keyring
            | Self::Counter
            | Self::StoreState
            | Self::LocalKeys
            | Self::LogHead
            | Self::Replica
            | Self::ForeignKeys
            | Self::DeviceNames
            | Self::Document(_) => None,
            Self::Passkey(row) | Self::Merged(row) => Some(Which::Row(row)),
            Self::Told(device) => Some(Which::Row(RowId(device.0))),
            Self::LogEntry(number) | Self::Outbox(number) => Some(Which::Number(number)),
        }
    }

    /// What comes from other devices may be longer than what this one makes.
    fn sizes(self) -> Sizes {
        match self {
            Self::Replica | Self::DeviceNames | Self::Told(_) | Self::Merged(_) | Self::Outbox(_) => {
                Sizes::Exchanged
            }
            Self::Keyring
            | Self::Counter
            | Self::StoreState
            | Self::LocalKeys
            | Self::Document(_)
            | Self::Passkey(_)
            | Self::ForeignKeys
            | Self::LogHead
            | Self::LogEntry(_) => Sizes::Local,
        }
    }
}

/// Tells the objects of one type apart.
#[derive(Clone, Copy)]
enum Which {
    Row(RowId),
    Number(u64),
}

/// Why an object does not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It belongs here as far as can be seen, but is sealed with another key.
    OtherKey,
    /// It is damaged, or does not belong here.
    Damaged,
}

impl From<Unopened> for Error {
    fn from(_: Unopened) -> Self {
        Self::Tampered
    }
}

/// The part of a header that gives each object a key of its own: never the same for two payloads.
pub(crate) struct Unique(pub(crate) [u8; RANDOM_LEN]);

/// A new random one.
pub(crate) fn fresh(rng: &mut dyn CryptoRng) -> Unique {
    let mut random = [0; RANDOM_LEN];
    rng.fill_bytes(&mut random);
    Unique(random)
}

/// Seals `payload` for `place`; `None` when it is too long.
pub(crate) fn seal(
    key: &VaultKey,
    unique: Unique,
    place: Place,
    payload: Zeroizing<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut text = place.sizes().pad(payload)?;
    let header = write_header(key, place, &unique);
    let prefix = write_prefix(place, &header);
    let mut object = [prefix.as_slice(), &header].concat();
    let (one_time_key, commitment) = key.object_key(&prefix, &header);
    let tag = one_time_key.encrypt(&object, &mut text);
    object.extend_from_slice(&commitment);
    object.extend_from_slice(&length(text.len() + TAG_LEN));
    object.extend_from_slice(&text);
    object.extend_from_slice(&tag);
    Some(object)
}

/// The payload of `object`, after everything about it was checked.
pub(crate) fn open(key: &VaultKey, place: Place, object: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let parts = Parts::split(object, place).ok_or(Unopened::Damaged)?;
    check_header(parts.header, key, place).ok_or(Unopened::Damaged)?;
    let (one_time_key, commitment) = key.object_key(parts.prefix, parts.header);
    if !bool::from(commitment.ct_eq(parts.commitment)) {
        return Err(Unopened::OtherKey);
    }
    let mut text = Zeroizing::new(parts.text.to_vec());
    let associated = [parts.prefix, parts.header].concat();
    one_time_key
        .decrypt(&associated, &mut text, parts.tag)
        .ok_or(Unopened::Damaged)?;
    place.sizes().unpad(text).ok_or(Unopened::Damaged)
}

/// The epoch that an object claims to be of.
pub(crate) fn epoch(object: &[u8]) -> Option<u32> {
    let (_, rest) = object.split_at_checked(PREFIX_LEN)?;
    let mut input = Reader(rest);
    input.map()?;
    same(input.unsigned()?, HEADER_VAULT)?;
    input.bytes()?;
    same(input.unsigned()?, HEADER_EPOCH)?;
    u32::try_from(input.unsigned()?).ok()
}

/// A sealed object taken apart; nothing of it is believed yet.
struct Parts<'a> {
    prefix: &'a [u8],
    header: &'a [u8],
    commitment: &'a [u8; COMMITMENT_LEN],
    text: &'a [u8],
    tag: &'a [u8; TAG_LEN],
}

impl<'a> Parts<'a> {
    fn split(object: &'a [u8], place: Place) -> Option<Self> {
        let (prefix, rest) = object.split_at_checked(PREFIX_LEN)?;
        let (kind, header_len) = prefix.split_last_chunk::<4>()?;
        if kind != write_kind(place.object_type()) {
            return None;
        }
        let header_len = usize::try_from(u32::from_be_bytes(*header_len)).ok()?;
        let (header, rest) = rest
            .split_at_checked(header_len)
            .filter(|_| header_len <= HEADER_LEN_MAX)?;
        let (commitment, rest) = rest.split_first_chunk()?;
        let (sealed_len, sealed) = rest.split_first_chunk::<4>()?;
        if usize::try_from(u32::from_be_bytes(*sealed_len)) != Ok(sealed.len()) {
            return None;
        }
        let (text, tag) = sealed.split_last_chunk()?;
        (text.len() <= place.sizes().max()).then_some(Self {
            prefix,
            header,
            commitment,
            text,
            tag,
        })
    }
}

/// The prefix without the length of the header.
pub(crate) fn write_kind(object_type: u8) -> [u8; PREFIX_LEN - 4] {
    let [p, k, v, one] = *MAGIC;
    let flags = [0, 0];
    [p, k, v, one, object_type, SUITE, flags[0], flags[1]]
}

fn write_prefix(place: Place, header: &[u8]) -> Vec<u8> {
    [write_kind(place.object_type()).as_slice(), &length(header.len())].concat()
}

fn write_header(key: &VaultKey, place: Place, unique: &Unique) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LEN_MAX);
    let mut out = Writer(&mut header);
    let which = place.which();
    out.map(if which.is_some() { 4 } else { 3 });
    out.unsigned(HEADER_VAULT).bytes(&key.vault.0);
    out.unsigned(HEADER_EPOCH).unsigned(u64::from(key.epoch));
    out.unsigned(HEADER_RANDOM).bytes(&unique.0);
    match which {
        None => {}
        Some(Which::Row(RowId(row))) => {
            out.unsigned(HEADER_ROW).bytes(&row);
        }
        Some(Which::Number(number)) => {
            out.unsigned(HEADER_NUMBER).unsigned(number);
        }
    }
    header
}

/// The header is what [`write_header`] makes for this key and place.
fn check_header(header: &[u8], key: &VaultKey, place: Place) -> Option<()> {
    let mut input = Reader(header);
    let which = place.which();
    same(input.map()?, if which.is_some() { 4 } else { 3 })?;
    same(input.unsigned()?, HEADER_VAULT)?;
    same(VaultId(input.bytes()?.try_into().ok()?), key.vault)?;
    same(input.unsigned()?, HEADER_EPOCH)?;
    same(input.unsigned()?, u64::from(key.epoch))?;
    same(input.unsigned()?, HEADER_RANDOM)?;
    same(input.bytes()?.len(), RANDOM_LEN)?;
    match which {
        None => {}
        Some(Which::Row(RowId(row))) => {
            same(input.unsigned()?, HEADER_ROW)?;
            same(input.bytes()?, &row)?;
        }
        Some(Which::Number(number)) => {
            same(input.unsigned()?, HEADER_NUMBER)?;
            same(input.unsigned()?, number)?;
        }
    }
    input.end()
}

fn same<T: PartialEq>(found: T, expected: T) -> Option<()> {
    (found == expected).then_some(())
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len)
        .expect("headers and padded texts are short")
        .to_be_bytes()
}

#[cfg(test)]
mod tests;

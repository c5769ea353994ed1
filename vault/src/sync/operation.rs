//! What a device says in its log: changes of passkeys. `SYNC.md` §1.

use zeroize::Zeroizing;

use super::merge::Names;
use super::versions::{Reach, Versions};
use crate::cbor::{Reader, Writer};
use crate::keys::WrappingKey;
use crate::{CredentialId, LargeBlob, Passkey, Profile, Secret, payload};

const STORE: u64 = 1;
const RENAME: u64 = 2;
const WRITE_LARGE_BLOB: u64 = 3;
const DELETE: u64 = 4;
const SHARE_WRAPPING_KEY: u64 = 5;
const NAME_DEVICE: u64 = 6;

/// The longest name of a device, in bytes.
pub(crate) const DEVICE_NAME_LEN_MAX: usize = 64;

/// More than the heads and the credential id of any operation take.
const OVERHEAD: usize = 512;

/// One change.
pub(crate) enum Operation {
    /// A passkey was made, imported, or taken back from the trash.
    Store(Box<Passkey>),
    /// Its names were changed.
    Rename(CredentialId, Names),
    /// Its large blob was written, or taken away.
    WriteLargeBlob(CredentialId, Option<LargeBlob>),
    /// It was deleted.
    Delete(CredentialId),
    /// Credentials that are not stored were made with this key.
    ShareWrappingKey(WrappingKey),
    /// The device that says it is called so.
    NameDevice(String),
}

impl Operation {
    /// The passkey that it is about, if it is about one.
    pub(crate) fn id(&self) -> Option<&CredentialId> {
        match self {
            Self::Store(passkey) => Some(&passkey.id),
            Self::Rename(id, _) | Self::WriteLargeBlob(id, _) | Self::Delete(id) => Some(id),
            Self::ShareWrappingKey(_) | Self::NameDevice(_) => None,
        }
    }

    /// In a buffer that is never moved, since there may be a private key in it. `None` where it is too long.
    pub(crate) fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let passkey = match self {
            Self::Store(passkey) => payload::encode(passkey).ok()?,
            Self::Rename(..)
            | Self::WriteLargeBlob(..)
            | Self::Delete(_)
            | Self::ShareWrappingKey(_)
            | Self::NameDevice(_) => Zeroizing::default(),
        };
        let len = OVERHEAD + passkey.len() + self.variable_len();
        let mut encoded = Zeroizing::new(Vec::with_capacity(len));
        let mut out = Writer(&mut encoded);
        out.array(2);
        match self {
            Self::Store(_) => {
                out.unsigned(STORE).bytes(&passkey);
            }
            Self::Rename(id, names) => {
                names.encode(out.unsigned(RENAME).array(4).bytes(id.as_bytes()));
            }
            Self::WriteLargeBlob(id, blob) => {
                out.unsigned(WRITE_LARGE_BLOB)
                    .array(if blob.is_some() { 3 } else { 1 });
                out.bytes(id.as_bytes());
                if let Some(LargeBlob { data, original_size }) = blob {
                    out.unsigned(*original_size).bytes(data);
                }
            }
            Self::Delete(id) => {
                out.unsigned(DELETE).bytes(id.as_bytes());
            }
            Self::ShareWrappingKey(key) => {
                out.unsigned(SHARE_WRAPPING_KEY).array(2);
                out.unsigned(u64::from(key.epoch))
                    .bytes(key.secret().expose_secret());
            }
            Self::NameDevice(name) => {
                out.unsigned(NAME_DEVICE).text(name);
            }
        }
        Some(encoded)
    }

    fn variable_len(&self) -> usize {
        match self {
            Self::Store(_) | Self::Delete(_) | Self::ShareWrappingKey(_) | Self::NameDevice(_) => 0,
            Self::Rename(_, names) => names.len(),
            Self::WriteLargeBlob(_, blob) => blob.as_ref().map_or(0, |blob| blob.data.len()),
        }
    }

    /// `None` for everything that [`Self::encode`] does not make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader(bytes);
        let input = &mut input;
        if input.array()? != 2 {
            return None;
        }
        let operation = match input.unsigned()? {
            STORE => {
                let passkey = payload::decode(input.bytes()?)?;
                // Nothing that counts its signatures, or is bound to a device, is ever in two places.
                let may_be = passkey.profile == Profile::Synced && payload::fits(&passkey);
                Self::Store(Some(Box::new(passkey)).filter(|_| may_be)?)
            }
            RENAME if input.array()? == 4 => Self::Rename(read_id(input)?, Names::decode(input)?),
            WRITE_LARGE_BLOB => match input.array()? {
                1 => Self::WriteLargeBlob(read_id(input)?, None),
                3 => {
                    let (id, original_size) = (read_id(input)?, input.unsigned()?);
                    let data = input.bytes()?.to_vec();
                    Self::WriteLargeBlob(id, Some(LargeBlob { data, original_size }))
                }
                _ => return None,
            },
            DELETE => Self::Delete(read_id(input)?),
            SHARE_WRAPPING_KEY if input.array()? == 2 => {
                let number = u32::try_from(input.unsigned()?).ok();
                let number = number.filter(|number| *number < WrappingKey::FIRST_SHARED)?;
                Self::ShareWrappingKey(WrappingKey::new(number, Secret::from_slice(input.bytes()?)?))
            }
            NAME_DEVICE => {
                let name = input.text().filter(|name| name.len() <= DEVICE_NAME_LEN_MAX)?;
                Self::NameDevice(name.to_owned())
            }
            _ => return None,
        };
        input.end().map(|()| operation)
    }
}

fn read_id(input: &mut Reader<'_>) -> Option<CredentialId> {
    CredentialId::new(input.bytes()?)
}

/// An operation, with when it was done and how far its author had read the logs of the others then. Both may be long before
/// it is told.
pub(crate) struct Dated {
    /// As the time of a [`Stamp`](super::Stamp).
    pub(crate) time: u64,
    /// In the outbox, of all devices of which anything had been read; in an object, where it was less than the author had
    /// read when it wrote the object.
    pub(crate) reach: Reach,
    pub(crate) operation: Operation,
}

/// The same, with the operation encoded.
pub(crate) struct DatedBytes {
    pub(crate) time: u64,
    pub(crate) reach: Reach,
    pub(crate) operation: Zeroizing<Vec<u8>>,
}

impl DatedBytes {
    pub(crate) fn len(&self) -> usize {
        const HEADS: usize = 32;
        HEADS + self.reach.encoded_len() + self.operation.len()
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.array(3).unsigned(self.time);
        self.reach.encode(out);
        out.bytes(&self.operation);
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        if input.array()? != 3 {
            return None;
        }
        Some(Self {
            time: input.unsigned()?,
            reach: Reach::decode(input)?,
            operation: Zeroizing::new(input.bytes()?.to_vec()),
        })
    }

    /// In a buffer that is never moved.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut encoded = Zeroizing::new(Vec::with_capacity(2 * self.len() + 512));
        self.write(&mut Writer(&mut encoded));
        encoded
    }

    /// `None` for everything that [`Self::encode`] does not make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader(bytes);
        let dated = Self::read(&mut input)?;
        input.end().map(|()| dated)
    }
}

impl Dated {
    /// As [`DatedBytes::decode`], and the operation in it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        DatedBytes::decode(bytes).and_then(Self::of)
    }

    fn of(dated: DatedBytes) -> Option<Self> {
        Some(Self {
            time: dated.time,
            operation: Operation::decode(&dated.operation)?,
            reach: dated.reach,
        })
    }
}

/// What is sealed in an object of a device's log.
pub(crate) struct Entry {
    /// What the author read of the other devices' logs since its object before.
    pub(crate) news: Versions,
    pub(crate) operations: Vec<Dated>,
}

/// The fields of an entry.
const NEWS: u64 = 1;
const OPERATIONS: u64 = 2;

/// An entry of operations that are encoded already.
pub(crate) fn encode_entry(news: &Versions, operations: &[DatedBytes]) -> Zeroizing<Vec<u8>> {
    const HEAD: usize = 64;
    let len: usize = operations.iter().map(DatedBytes::len).sum();
    let versions = news.iter().count() * 64;
    // With room for the padding, which at most doubles.
    let mut payload = Zeroizing::new(Vec::with_capacity(2 * (len + versions + HEAD) + 1024));
    let mut out = Writer(&mut payload);
    out.map(2);
    news.encode(out.unsigned(NEWS));
    let count = u64::try_from(operations.len()).expect("a length fits in 64 bits");
    out.unsigned(OPERATIONS).array(count);
    for operation in operations {
        operation.write(&mut out);
    }
    payload
}

impl Entry {
    /// `None` for everything that [`encode_entry`] does not make.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = Reader(payload);
        let input = &mut input;
        if input.map()? != 2 || input.unsigned()? != NEWS {
            return None;
        }
        let news = Versions::decode(input)?;
        if input.unsigned()? != OPERATIONS {
            return None;
        }
        let mut operations = Vec::new();
        for _ in 0..input.array()? {
            operations.push(Dated::of(DatedBytes::read(input)?)?);
        }
        input.end().map(|()| Self { news, operations })
    }
}

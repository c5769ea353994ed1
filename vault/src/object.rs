//! Objects that a device writes into its log: what their header says, and the chain that they form. `FORMAT.md` §8.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::frame::{Frame, Kind, ObjectHash, Refused, SealedKind, Unsigned, Verified};
use crate::keys::{DeviceId, VaultId, VaultKey};
use crate::signature::PublicPoint;
use crate::trust::Trust;

/// The newest format of signed objects that this program reads.
pub const EXCHANGE_FORMAT: u32 = 2;

/// The format of the objects in a log: nothing of them has changed since the first.
const LOG_FORMAT: u32 = 1;

const FIELDS: u64 = 12;

/// Where in its author's log an object stands, and what the author knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The device that writes it.
    pub author: DeviceId,
    /// Which life of the device: it starts another one when it was restored from a copy.
    pub incarnation: u32,
    /// Counts the objects of the author from 1.
    pub seq: u32,
    /// The author's object before.
    pub previous: ObjectHash,
    /// Hybrid logical clock: 48 bits of milliseconds, 16 bits of counter.
    pub time: u64,
    /// The last entry of the trust log that the author had seen: its number, …
    pub trust_seq: u32,
    /// … and its hash.
    pub trust_head: ObjectHash,
    /// SHA-256 of which objects of the other devices the author had seen.
    pub seen: [u8; 32],
}

/// What stands before a sealed body, readable for everybody who has the object and bound to everything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The vault.
    pub vault: VaultId,
    /// The epoch of the root key.
    pub epoch: u32,
    /// Where it stands.
    pub position: Position,
    /// Makes the key of the object unique even where a restored device counts the same again.
    pub random: [u8; 16],
    /// Programs that only know older formats must not go on.
    pub min_format: u32,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let Self {
            vault,
            epoch,
            position,
            random,
            min_format,
        } = self;
        let mut header = Vec::new();
        let mut out = Writer(&mut header);
        out.map(FIELDS);
        out.unsigned(1).bytes(&vault.0);
        out.unsigned(2).unsigned(u64::from(*epoch));
        out.unsigned(3).bytes(&position.author.0);
        out.unsigned(4).unsigned(u64::from(position.incarnation));
        out.unsigned(5).unsigned(u64::from(position.seq));
        out.unsigned(6).bytes(&position.previous.0);
        out.unsigned(7).unsigned(position.time);
        out.unsigned(8).unsigned(u64::from(position.trust_seq));
        out.unsigned(9).bytes(&position.trust_head.0);
        out.unsigned(10).bytes(&position.seen);
        out.unsigned(11).bytes(random);
        out.unsigned(12).unsigned(u64::from(*min_format));
        header
    }

    fn decode(header: &[u8]) -> Option<Self> {
        let mut input = Reader(header);
        let input = &mut input;
        if input.map()? != FIELDS {
            return None;
        }
        let decoded = Self {
            vault: VaultId(bytes(input, 1)?),
            epoch: number(input, 2)?,
            position: Position {
                author: DeviceId(bytes(input, 3)?),
                incarnation: number(input, 4)?,
                seq: number(input, 5)?,
                previous: ObjectHash(bytes(input, 6)?),
                time: long_number(input, 7)?,
                trust_seq: number(input, 8)?,
                trust_head: ObjectHash(bytes(input, 9)?),
                seen: bytes(input, 10)?,
            },
            random: bytes(input, 11)?,
            min_format: number(input, 12)?,
        };
        input.end().map(|()| decoded)
    }
}

/// The next entry of a CBOR map is `key`, and a byte string of the right length.
pub(crate) fn bytes<const N: usize>(input: &mut Reader<'_>, key: u64) -> Option<[u8; N]> {
    at(input, key)?.bytes()?.try_into().ok()
}

pub(crate) fn number(input: &mut Reader<'_>, key: u64) -> Option<u32> {
    u32::try_from(long_number(input, key)?).ok()
}

pub(crate) fn long_number(input: &mut Reader<'_>, key: u64) -> Option<u64> {
    at(input, key)?.unsigned()
}

pub(crate) fn at<'i, 'a>(input: &'i mut Reader<'a>, key: u64) -> Option<&'i mut Reader<'a>> {
    (input.unsigned()? == key).then_some(input)
}

/// Who may write, at the point of the trust log up to which it was read.
pub trait Members {
    /// The key with which `device` signs; `None` when it is no member.
    fn signing_key(&self, device: DeviceId) -> Option<PublicPoint>;
}

/// Seals `payload` as an object of `kind`; `None` when it is too long.
pub fn seal(
    key: &VaultKey,
    kind: SealedKind,
    position: Position,
    payload: Zeroizing<Vec<u8>>,
    rng: &mut dyn CryptoRng,
) -> Option<Unsigned> {
    let mut random = [0; 16];
    rng.fill_bytes(&mut random);
    let header = Header {
        vault: key.vault,
        epoch: key.epoch,
        position,
        random,
        min_format: LOG_FORMAT,
    };
    let derive = |prefix: &[u8], header: &[u8]| key.object_key(prefix, header);
    Unsigned::sealed(kind, &header.encode(), derive, payload)
}

/// An object that a member of the vault wrote; not opened yet.
pub struct Authentic<'a> {
    header: Header,
    hash: ObjectHash,
    verified: Verified<'a>,
}

impl<'a> Authentic<'a> {
    /// Reads an object of `kind` of `vault`: takes it apart, looks for its author, checks the signature.
    pub fn read(
        bytes: &'a [u8],
        kind: SealedKind,
        vault: VaultId,
        members: &dyn Members,
    ) -> Result<Self, Refused> {
        Self::by(bytes, kind, vault, |position| {
            members.signing_key(position.author)
        })
    }

    /// Reads an object of `kind` of a device's log, of a member's or of what is accepted of a former member's. That the
    /// log of a former member ends as the trust log says is for whoever reads all of it to compare.
    pub fn read_log(bytes: &'a [u8], kind: SealedKind, trust: &Trust) -> Result<Self, Refused> {
        Self::read_vouched(bytes, kind, trust, |_| 0)
    }

    /// The same, and of a former member's log what stands before or under a number that a member has vouched for.
    pub(crate) fn read_vouched(
        bytes: &'a [u8],
        kind: SealedKind,
        trust: &Trust,
        vouched: impl FnOnce(DeviceId) -> u32,
    ) -> Result<Self, Refused> {
        Self::by(bytes, kind, trust.vault(), |position| {
            trust.log_author(position, vouched(position.author))
        })
    }

    /// Reads an object of `kind` that was read before, when its author may have been a member that it is not now.
    pub(crate) fn read_again(bytes: &'a [u8], kind: SealedKind, trust: &Trust) -> Result<Self, Refused> {
        Self::by(bytes, kind, trust.vault(), |position| {
            let former = || trust.former(position.author).map(|(public, _)| public);
            let public = trust.member(position.author).or_else(former)?;
            Some(public.signing)
        })
    }

    fn by(
        bytes: &'a [u8],
        kind: SealedKind,
        vault: VaultId,
        author: impl FnOnce(&Position) -> Option<PublicPoint>,
    ) -> Result<Self, Refused> {
        let frame = Frame::parse(bytes, Kind::Sealed(kind))?;
        let header = Header::decode(frame.header).ok_or(Refused::Malformed)?;
        if header.vault != vault {
            return Err(Refused::Misplaced);
        }
        let author = author(&header.position).ok_or(Refused::NotAMember)?;
        let hash = frame.hash();
        let verified = frame.verify(&author)?;
        if header.min_format > EXCHANGE_FORMAT {
            return Err(Refused::NewerFormat);
        }
        Ok(Self {
            header,
            hash,
            verified,
        })
    }

    /// What it says of itself, and its author signed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Names it.
    pub fn hash(&self) -> ObjectHash {
        self.hash
    }

    /// The payload.
    pub fn open(&self, key: &VaultKey) -> Result<Zeroizing<Vec<u8>>, Refused> {
        if key.vault != self.header.vault || key.epoch != self.header.epoch {
            return Err(Refused::Misplaced);
        }
        self.verified
            .open(|prefix, header| key.object_key(prefix, header))
    }
}

/// Where an object that was authentic once stands in its author's log, and what its author's clock said.
pub(crate) fn place_of(bytes: &[u8]) -> Option<(LogHead, u64)> {
    let frame = Frame::parse(bytes, Kind::Sealed(SealedKind::Log)).ok()?;
    let Position {
        incarnation,
        seq,
        time,
        ..
    } = Header::decode(frame.header)?.position;
    Some((LogHead::new(incarnation, seq, frame.hash()), time >> 16))
}

/// The last object of a device's log that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    incarnation: u32,
    seq: u32,
    hash: ObjectHash,
}

/// Why an object does not continue a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNext {
    /// It is the one that was read last: nothing to do.
    #[error("the object was read before")]
    Known,
    /// It comes before what was read.
    #[error("the object is older than what was read")]
    Older,
    /// One before it is missing.
    #[error("an object is missing")]
    Gap,
    /// There are two that claim the same place.
    #[error("the log has two continuations")]
    Fork,
}

impl LogHead {
    /// The head of a log of which nothing was read.
    pub const START: Self = Self {
        incarnation: 0,
        seq: 0,
        hash: ObjectHash::NONE,
    };

    pub(crate) fn new(incarnation: u32, seq: u32, hash: ObjectHash) -> Self {
        Self {
            incarnation,
            seq,
            hash,
        }
    }

    /// Which life of the device wrote it.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// How many objects the log has.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Names the last of them.
    pub fn hash(&self) -> ObjectHash {
        self.hash
    }

    /// The head after `object`, where that is the next one. A new incarnation goes on after the object that the
    /// device adopted, never at a number that was used.
    pub fn after(&self, object: &Authentic<'_>) -> Result<Self, NotNext> {
        let position = object.header().position;
        let next = Self {
            incarnation: position.incarnation,
            seq: position.seq,
            hash: object.hash(),
        };
        if next == *self {
            return Err(NotNext::Known);
        }
        if next.incarnation < self.incarnation || next.seq < self.seq {
            return Err(NotNext::Older);
        }
        match next.seq - self.seq {
            0 => Err(NotNext::Fork),
            1 if position.previous == self.hash => Ok(next),
            1 => Err(NotNext::Fork),
            _ => Err(NotNext::Gap),
        }
    }
}

#[cfg(test)]
mod tests;

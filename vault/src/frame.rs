//! The bytes of a signed object: taken apart, signature checked, opened; or put together. `FORMAT.md` §8. What the
//! header and the content mean is in `object.rs`, `slot.rs` and `trust.rs`.
//!
//! The order of reading is in the types: [`Frame`] is only taken apart, [`Verified`] is what its author signed, and
//! only that can be opened.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::keys::{COMMITMENT_LEN, OneTimeKey, SIGNATURE, TAG_LEN};
use crate::padding;
use crate::seal::{PREFIX_LEN, write_kind};
use crate::signature::{PublicPoint, Signature, SignedHash};

const HEADER_LEN_MAX: usize = 1024;
const BODY_LEN_MAX: usize = padding::EXCHANGED_SIZE_MAX;

/// What a signed object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An entry of the trust log, in clear.
    Trust,
    /// The root key; the body is encrypted to its recipient.
    Slot,
    /// The body is encrypted as a whole, and committed to.
    Sealed(SealedKind),
}

/// What a sealed object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SealedKind {
    /// An entry of a device's log.
    Log,
    /// Everything that the logs amount to: what it consists of.
    Snapshot,
    /// A part of it.
    SnapshotPart,
    /// The root keys of earlier epochs.
    EarlierKeys,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Trust => 1,
            Self::Sealed(SealedKind::Log) => 2,
            Self::Sealed(SealedKind::Snapshot) => 3,
            Self::Slot => 4,
            Self::Sealed(SealedKind::SnapshotPart) => 5,
            Self::Sealed(SealedKind::EarlierKeys) => 15,
        }
    }
}

/// SHA-256 of all bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectHash(pub [u8; 32]);

impl ObjectHash {
    /// Stands where there is no object before.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of an object.
    pub fn of(object: &[u8]) -> Self {
        Self(Sha256::digest(object).into())
    }
}

/// Why an object is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an object of this kind as this program writes it.
    #[error("an object is not what it should be")]
    Malformed,
    /// A program with a newer format wrote it.
    #[error("an object was written by a newer version")]
    NewerFormat,
    /// It belongs to another vault, epoch or place.
    #[error("an object does not belong here")]
    Misplaced,
    /// Its author is no member of the vault.
    #[error("an object's author is not a member of this vault")]
    NotAMember,
    /// Its author did not sign it.
    #[error("an object is not signed by its author")]
    Signature,
    /// It does not open. Whether the key or the content is the wrong one is not told.
    #[error("an object does not open")]
    Unopened,
}

/// An object without its signature.
pub struct Unsigned {
    bytes: Vec<u8>,
    to_sign: SignedHash,
}

impl Unsigned {
    /// For the key store of the author.
    pub fn to_sign(&self) -> &SignedHash {
        &self.to_sign
    }

    /// How long the whole object is going to be.
    pub(crate) fn signed_len(&self) -> usize {
        self.bytes.len() + Signature::LEN
    }

    /// The whole object.
    pub fn signed(mut self, signature: &Signature) -> Vec<u8> {
        self.bytes.extend_from_slice(signature.as_bytes());
        self.bytes
    }

    pub(crate) fn clear(kind: Kind, header: &[u8], body: &[u8]) -> Self {
        let start = start(kind, header);
        let to_sign = to_sign(&start, None, body);
        let bytes = [start.as_slice(), &length(body.len()), body].concat();
        Self { bytes, to_sign }
    }

    /// `None` when the payload is too long.
    pub(crate) fn sealed(
        kind: SealedKind,
        header: &[u8],
        key: impl FnOnce(&[u8], &[u8]) -> (OneTimeKey, [u8; COMMITMENT_LEN]),
        payload: Zeroizing<Vec<u8>>,
    ) -> Option<Self> {
        let mut body = padding::pad_exchanged(payload)?;
        let start = start(Kind::Sealed(kind), header);
        let (prefix, header) = start.split_at(PREFIX_LEN);
        let (key, commitment) = key(prefix, header);
        let tag = key.encrypt(&start, &mut body);
        let body = [body.as_slice(), &tag].concat();
        let to_sign = to_sign(&start, Some(&commitment), &body);
        let bytes = [start.as_slice(), &commitment, &length(body.len()), &body].concat();
        Some(Self { bytes, to_sign })
    }
}

/// A signed object taken apart; nothing of it is believed yet.
pub(crate) struct Frame<'a> {
    pub(crate) header: &'a [u8],
    start: &'a [u8],
    commitment: Option<&'a [u8; COMMITMENT_LEN]>,
    body: &'a [u8],
    signature: Signature,
    hash: ObjectHash,
}

impl<'a> Frame<'a> {
    pub(crate) fn parse(bytes: &'a [u8], kind: Kind) -> Result<Self, Refused> {
        Self::split(bytes, kind).ok_or(Refused::Malformed)
    }

    fn split(bytes: &'a [u8], kind: Kind) -> Option<Self> {
        let (prefix, rest) = bytes.split_at_checked(PREFIX_LEN)?;
        let (found, header_len) = prefix.split_last_chunk::<4>()?;
        if found != write_kind(kind.code()) {
            return None;
        }
        let header_len = usize::try_from(u32::from_be_bytes(*header_len)).ok()?;
        let (header, mut rest) = rest
            .split_at_checked(header_len)
            .filter(|_| header_len <= HEADER_LEN_MAX)?;
        let mut commitment = None;
        if matches!(kind, Kind::Sealed(_)) {
            let (found, after) = rest.split_first_chunk()?;
            (commitment, rest) = (Some(found), after);
        }
        let (body_len, rest) = rest.split_first_chunk::<4>()?;
        let (body, signature) = rest.split_last_chunk()?;
        if usize::try_from(u32::from_be_bytes(*body_len)) != Ok(body.len())
            || body.len() > BODY_LEN_MAX + TAG_LEN
        {
            return None;
        }
        Some(Self {
            header,
            start: bytes.get(..PREFIX_LEN + header_len)?,
            commitment,
            body,
            signature: Signature::unchecked(signature),
            hash: ObjectHash::of(bytes),
        })
    }

    pub(crate) fn hash(&self) -> ObjectHash {
        self.hash
    }

    /// The body of an object in clear, to find out who should have signed it. Nothing of it is to be believed before
    /// [`Self::verify`].
    pub(crate) fn unverified_body(&self) -> &'a [u8] {
        self.body
    }

    /// Before anything is done with the body.
    pub(crate) fn verify(self, author: &PublicPoint) -> Result<Verified<'a>, Refused> {
        let hash = to_sign(self.start, self.commitment, self.body);
        if author.verify(&hash, &self.signature) {
            Ok(Verified(self))
        } else {
            Err(Refused::Signature)
        }
    }
}

/// A signed object whose signature is its author's.
pub(crate) struct Verified<'a>(Frame<'a>);

impl<'a> Verified<'a> {
    pub(crate) fn body(&self) -> &'a [u8] {
        self.0.body
    }

    /// The payload of a sealed object; the commitment is compared before anything is decrypted.
    pub(crate) fn open(
        &self,
        key: impl FnOnce(&[u8], &[u8]) -> (OneTimeKey, [u8; COMMITMENT_LEN]),
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let (prefix, header) = self.0.start.split_at(PREFIX_LEN);
        let (key, commitment) = key(prefix, header);
        let found = self.0.commitment.ok_or(Refused::Malformed)?;
        if !bool::from(commitment.ct_eq(found)) {
            return Err(Refused::Unopened);
        }
        let (text, tag) = self.0.body.split_last_chunk().ok_or(Refused::Malformed)?;
        let mut text = Zeroizing::new(text.to_vec());
        key.decrypt(self.0.start, &mut text, tag)
            .ok_or(Refused::Unopened)?;
        padding::unpad_exchanged(text).ok_or(Refused::Unopened)
    }
}

/// Prefix and header: what the signature and the key depend on.
fn start(kind: Kind, header: &[u8]) -> Vec<u8> {
    [write_kind(kind.code()).as_slice(), &length(header.len()), header].concat()
}

fn to_sign(start: &[u8], commitment: Option<&[u8; COMMITMENT_LEN]>, body: &[u8]) -> SignedHash {
    let hash = Sha256::new()
        .chain_update(SIGNATURE)
        .chain_update(start)
        .chain_update(commitment.map_or(&[][..], |commitment| commitment))
        .chain_update(Sha256::digest(body))
        .finalize();
    SignedHash::new(hash.into())
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len)
        .expect("headers and bodies are short")
        .to_be_bytes()
}

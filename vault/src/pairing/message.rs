//! What the two devices say, as bytes. Each message says its version, its pairing and its step.

use sha2::{Digest, Sha256};

use super::{NotPaired, PAIRING_MESSAGE_LEN_MAX, PairingId, Step};
use crate::cbor::{Reader, Writer};
use crate::device_key::PublicKeys;
use crate::frame::ObjectHash;
use crate::keys::{DeviceId, PAIRING_CODE, PAIRING_COMMITMENT, VaultId};
use crate::object::{at, bytes, number};
use crate::trust::Remembered;

const VERSION: u64 = 1;

pub(super) type Nonce = [u8; 32];

/// What the new device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewKeys {
    pub(super) device: DeviceId,
    pub(super) public: PublicKeys,
    pub(super) nonce: Nonce,
}

/// What the device of the vault says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reveal {
    pub(super) vault: VaultId,
    pub(super) device: DeviceId,
    pub(super) public: PublicKeys,
    pub(super) nonce: Nonce,
}

impl Step {
    fn code(self) -> u64 {
        match self {
            Self::Hello => 1,
            Self::Commitment => 2,
            Self::Keys => 3,
            Self::Reveal => 4,
            Self::Welcome => 5,
            Self::Void => 6,
        }
    }
}

/// A message without content: hello, void.
pub(super) fn plain(pairing: PairingId, step: Step) -> Vec<u8> {
    write(pairing, step, 0, |_| {})
}

pub(super) fn read_plain(pairing: PairingId, step: Step, message: &[u8]) -> Result<(), NotPaired> {
    read(pairing, step, 0, message, |_| Some(()))
}

pub(super) fn commitment(pairing: PairingId, commitment: &[u8; 32]) -> Vec<u8> {
    write(pairing, Step::Commitment, 1, |out| {
        out.unsigned(4).bytes(commitment);
    })
}

pub(super) fn read_commitment(pairing: PairingId, message: &[u8]) -> Result<[u8; 32], NotPaired> {
    read(pairing, Step::Commitment, 1, message, |input| bytes(input, 4))
}

pub(super) fn welcome(pairing: PairingId, head: Remembered) -> Vec<u8> {
    write(pairing, Step::Welcome, 2, |out| {
        out.unsigned(4).unsigned(u64::from(head.seq));
        out.unsigned(5).bytes(&head.head.0);
    })
}

pub(super) fn read_welcome(pairing: PairingId, message: &[u8]) -> Result<Remembered, NotPaired> {
    read(pairing, Step::Welcome, 2, message, |input| {
        Some(Remembered {
            seq: number(input, 4)?,
            head: ObjectHash(bytes(input, 5)?),
        })
    })
}

impl NewKeys {
    pub(super) fn encode(&self, pairing: PairingId) -> Vec<u8> {
        write(pairing, Step::Keys, 3, |out| {
            out.unsigned(4).bytes(&self.device.0);
            self.public.encode(out.unsigned(5));
            out.unsigned(6).bytes(&self.nonce);
        })
    }

    pub(super) fn decode(pairing: PairingId, message: &[u8]) -> Result<Self, NotPaired> {
        read(pairing, Step::Keys, 3, message, |input| {
            Some(Self {
                device: DeviceId(bytes(input, 4)?),
                public: PublicKeys::decode(at(input, 5)?)?,
                nonce: bytes(input, 6)?,
            })
        })
    }
}

impl Reveal {
    pub(super) fn encode(&self, pairing: PairingId) -> Vec<u8> {
        write(pairing, Step::Reveal, 4, |out| {
            out.unsigned(4).bytes(&self.vault.0);
            out.unsigned(5).bytes(&self.device.0);
            self.public.encode(out.unsigned(6));
            out.unsigned(7).bytes(&self.nonce);
        })
    }

    pub(super) fn decode(pairing: PairingId, message: &[u8]) -> Result<Self, NotPaired> {
        read(pairing, Step::Reveal, 4, message, |input| {
            Some(Self {
                vault: VaultId(bytes(input, 4)?),
                device: DeviceId(bytes(input, 5)?),
                public: PublicKeys::decode(at(input, 6)?)?,
                nonce: bytes(input, 7)?,
            })
        })
    }
}

/// What commits its author to what he reveals later: the hash of that message, which has a nonce in it.
pub(super) fn commitment_to(reveal: &[u8]) -> [u8; 32] {
    hash(PAIRING_COMMITMENT, reveal)
}

/// What the code of the new device says of its message with its keys.
pub(super) fn code_of(keys: &[u8]) -> [u8; 32] {
    hash(PAIRING_CODE, keys)
}

fn hash(label: &[u8], message: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(label)
        .chain_update(message)
        .finalize()
        .into()
}

fn write(pairing: PairingId, step: Step, fields: u64, content: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut message = Vec::new();
    let mut out = Writer(&mut message);
    out.map(3 + fields);
    out.unsigned(1).unsigned(VERSION);
    out.unsigned(2).bytes(&pairing.0);
    out.unsigned(3).unsigned(step.code());
    content(&mut out);
    message
}

fn read<T>(
    pairing: PairingId,
    step: Step,
    fields: u64,
    message: &[u8],
    content: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, NotPaired> {
    if message.len() > PAIRING_MESSAGE_LEN_MAX {
        return Err(NotPaired::Malformed);
    }
    let mut input = Reader(message);
    let input = &mut input;
    let found = input.map().ok_or(NotPaired::Malformed)?;
    // A newer version may have other fields.
    match at(input, 1).and_then(Reader::unsigned) {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(NotPaired::NewerVersion),
        _ => return Err(NotPaired::Malformed),
    }
    let rest = || {
        let belongs =
            found == 3 + fields && bytes(input, 2)? == pairing.0 && at(input, 3)?.unsigned()? == step.code();
        let content = content(input).filter(|_| belongs)?;
        input.end().map(|()| content)
    };
    rest().ok_or(NotPaired::Malformed)
}

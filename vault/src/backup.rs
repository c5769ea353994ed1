//! A backup file: every passkey that may leave this device, sealed under a passphrase of its own. Nothing of the vault's
//! keys is in it, so it can be read wherever there is a vault, and by nobody else's key. `FORMAT.md` §13.
//!
//! Credentials with a signature counter stay: a second copy would count from elsewhere, and sites take that for a clone.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::kdf::{KdfCost, KdfParameters, KdfRefused, OutOfMemory};
use crate::keys::{COMMITMENT_LEN, TAG_LEN};
use crate::pin::{GuessLimit, PinRefused, VaultPin};
use crate::{CredentialId, Error, Passkey, Profile, padding, payload};

/// Starts a backup; a version follows.
const MAGIC: &[u8; 4] = b"PKVB";
const VERSION: u8 = 1;
const RANDOM_LEN: usize = 16;
/// The heads of all maps, arrays, strings and numbers around the passkeys.
const OVERHEAD: usize = 32;
/// The head of one passkey's byte string.
const HEAD_LEN: usize = 5;

/// A backup that was made.
pub struct Backup {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many passkeys are in it.
    pub passkeys: usize,
    /// Those of the given ones that are not: they are bound to this device.
    pub left_out: Vec<CredentialId>,
}

/// Why no backup was made.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// The passphrase may not be chosen.
    #[error("this passphrase cannot protect a backup: {0}")]
    Passphrase(#[from] PinRefused),
    /// There is not enough memory to stretch the passphrase.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// A passkey is longer than any in a vault.
    #[error(transparent)]
    Passkey(#[from] Error),
    /// More than 64 MiB.
    #[error("there are too many passkeys for one backup")]
    TooLarge,
}

/// Why a backup was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// Something else.
    #[error("this is no backup of passkeys")]
    NotABackup,
    /// A newer program wrote it.
    #[error("this backup was made by a newer version")]
    NewerVersion,
    /// Its parameters would make the passphrase cheap to guess, or hang this device.
    #[error("this backup is not safe to open: {0}")]
    Kdf(#[from] KdfRefused),
    /// The passphrase is wrong, or the file is damaged: the two cannot be told apart.
    #[error("the passphrase is wrong, or the backup is damaged")]
    WrongPassphrase,
    /// There is not enough memory to stretch the passphrase.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Seals the synced ones of these passkeys under a passphrase that is asked for twice and kept nowhere.
pub fn export(
    passkeys: &[Passkey],
    passphrase: &str,
    cost: KdfCost,
    created_unix_ms: u64,
    rng: &mut dyn CryptoRng,
) -> Result<Backup, NotExported> {
    // The file goes to places where nothing limits guessing.
    let passphrase = VaultPin::chosen(passphrase, GuessLimit::None)?;
    let (mut payloads, mut left_out) = (Vec::new(), Vec::new());
    for passkey in passkeys {
        match passkey.profile {
            Profile::Synced => payloads.push(payload::encode(passkey)?),
            Profile::DeviceBound | Profile::U2f => left_out.push(passkey.id.clone()),
        }
    }
    let text = encode(&payloads, created_unix_ms).ok_or(NotExported::TooLarge)?;
    let mut text = padding::pad_exchanged(text).ok_or(NotExported::TooLarge)?;

    let kdf = KdfParameters::new(cost, rng);
    let mut random = [0; RANDOM_LEN];
    rng.fill_bytes(&mut random);
    let start = [MAGIC.as_slice(), &[VERSION], &random, &kdf.to_bytes()].concat();
    let (key, commitment) = kdf.stretch(&passphrase)?.backup_key(&start);
    let tag = key.encrypt(&start, &mut text);
    Ok(Backup {
        bytes: [start.as_slice(), &commitment, &text, &tag].concat(),
        passkeys: payloads.len(),
        left_out,
    })
}

/// The passkeys of a backup, oldest first.
pub fn open_backup(bytes: &[u8], passphrase: &str) -> Result<Vec<Passkey>, NotImported> {
    let version = bytes.strip_prefix(MAGIC).ok_or(NotImported::NotABackup)?;
    match version.first() {
        Some(&VERSION) => {}
        Some(newer) if *newer > VERSION => return Err(NotImported::NewerVersion),
        Some(_) | None => return Err(NotImported::NotABackup),
    }
    let parameters = version.get(1 + RANDOM_LEN..).ok_or(NotImported::NotABackup)?;
    let mut input = Reader(parameters);
    let kdf = KdfParameters::decode(&mut input)?;
    let sealed = input.0;
    let passphrase = VaultPin::typed(passphrase).ok_or(NotImported::WrongPassphrase)?;
    let start = bytes
        .get(..bytes.len() - sealed.len())
        .ok_or(NotImported::NotABackup)?;
    let (found, sealed) = sealed
        .split_first_chunk::<COMMITMENT_LEN>()
        .ok_or(NotImported::NotABackup)?;
    let (text, tag) = sealed
        .split_last_chunk::<TAG_LEN>()
        .filter(|(text, _)| text.len() <= padding::EXCHANGED_SIZE_MAX)
        .ok_or(NotImported::NotABackup)?;
    let (key, commitment) = kdf.stretch(&passphrase)?.backup_key(start);
    if !bool::from(commitment.ct_eq(found)) {
        return Err(NotImported::WrongPassphrase);
    }
    let mut text = Zeroizing::new(text.to_vec());
    key.decrypt(start, &mut text, tag)
        .and_then(|()| padding::unpad_exchanged(text))
        .and_then(|text| decode(&text))
        .ok_or(NotImported::WrongPassphrase)
}

fn encode(payloads: &[Zeroizing<Vec<u8>>], created_unix_ms: u64) -> Option<Zeroizing<Vec<u8>>> {
    let len: usize = payloads.iter().map(|payload| HEAD_LEN + payload.len()).sum();
    // Room for the padding, too: the buffer is never moved, and no copy is left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(padding::exchanged_len(OVERHEAD + len)?));
    let mut out = Writer(&mut text);
    out.map(2);
    out.unsigned(1).unsigned(created_unix_ms);
    out.unsigned(2)
        .array(u64::try_from(payloads.len()).expect("a length fits in 64 bits"));
    for payload in payloads {
        out.bytes(payload);
    }
    Some(text)
}

fn decode(text: &[u8]) -> Option<Vec<Passkey>> {
    let mut input = Reader(text);
    if (input.map()?, input.unsigned()?) != (2, 1) {
        return None;
    }
    input.unsigned()?;
    if input.unsigned()? != 2 {
        return None;
    }
    let mut passkeys = Vec::new();
    for _ in 0..input.array()? {
        let passkey = payload::decode(input.bytes()?)?;
        // Nothing else is ever exported, and nothing with a counter may come in.
        if passkey.profile != Profile::Synced {
            return None;
        }
        passkeys.push(passkey);
    }
    input.end().map(|()| passkeys)
}

#[cfg(test)]
mod tests;

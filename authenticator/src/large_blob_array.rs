//! The array of large blobs in a vault that syncs: what belongs to a credential is kept with it, where it reaches the
//! other devices, and what belongs to none is kept as it is, on this device. `CTAP 2.3 §6.10` leaves the key out of it: the
//! platform encrypts each element for one credential, with its largeBlobKey. The key knows all of them, and so takes the
//! array apart when it is written, and puts it together when it is read.
//!
//! A platform replaces the whole array. What it means by that is what differs from the array that it was shown: a blob that
//! another device wrote meanwhile stays.

use std::collections::{BTreeMap, BTreeSet};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use wardkey_vault::{CredentialId, LargeBlob, Passkey, Secret};
use zeroize::Zeroizing;

use crate::cbor::{self, Map, Value};

/// The beginning of SHA-256 of the array, behind the array.
pub(crate) const CHECK_LEN: usize = 16;
/// An array without elements.
const EMPTY: &[u8] = &[0x80];

const CIPHERTEXT: u64 = 1;
const NONCE: u64 = 2;
const ORIGINAL_SIZE: u64 = 3;

/// The longest blob, compressed, that is kept with its credential. A longer one stays in the array of this device.
pub(crate) const BLOB_LEN_MAX: usize = 12_288;

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// What follows from a largeBlobKey besides encryption.
const NONCE_LABEL: &[u8] = b"wardkey/large-blob-nonce\0";

/// The check that stands behind an array.
pub(crate) fn check(content: &[u8]) -> [u8; CHECK_LEN] {
    let digest: [u8; 32] = Sha256::digest(content).into();
    *digest.first_chunk().expect("16 is less than 32")
}

/// An array with its check.
pub(crate) fn with_check(content: &[u8]) -> Vec<u8> {
    [content, &check(content)].concat()
}

/// As it is before anything was written.
pub(crate) fn empty() -> Vec<u8> {
    with_check(EMPTY)
}

/// A credential that can have a blob.
pub(crate) struct Owner {
    pub(crate) id: CredentialId,
    key: Secret<32>,
    created_unix_ms: u64,
    /// The blob that is kept with it.
    pub(crate) blob: Option<LargeBlob>,
}

impl Owner {
    /// `None` for a credential without a largeBlobKey.
    pub(crate) fn of(passkey: Passkey) -> Option<Self> {
        Some(Self {
            id: passkey.id,
            key: passkey.large_blob_key?,
            created_unix_ms: passkey.created_unix_ms,
            blob: passkey.large_blob,
        })
    }

    /// Whether no blob is kept with it.
    pub(crate) fn has_none(&self) -> bool {
        self.blob.is_none()
    }
}

/// An array, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// What belongs to a credential; of two for one the first, as platforms look for it.
    pub(crate) blobs: BTreeMap<CredentialId, LargeBlob>,
    /// The elements that belong to none, encoded.
    pub(crate) others: Vec<Vec<u8>>,
}

impl Parts {
    /// `None` where this is not what platforms write.
    pub(crate) fn of(array: &[u8], owners: &[Owner]) -> Option<Self> {
        let (content, _) = array.split_last_chunk::<CHECK_LEN>()?;
        let Value::Array(elements) = cbor::decode(content).ok()? else {
            return None;
        };
        let mut parts = Self::default();
        for element in elements {
            match belongs(&element, owners) {
                Some((owner, blob)) => {
                    parts.blobs.entry(owner.id.clone()).or_insert(blob);
                }
                None => parts.others.push(cbor::encode(&element)),
            }
        }
        Some(parts)
    }

    /// What belongs to no credential, as an array.
    pub(crate) fn array_of_others(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(join(&self.others))
    }

    /// What a platform that was shown `shown` changed when it wrote this.
    pub(crate) fn changes_since(&self, shown: &Self) -> Vec<(CredentialId, Option<LargeBlob>)> {
        let ids: BTreeSet<_> = self.blobs.keys().chain(shown.blobs.keys()).collect();
        ids.into_iter()
            .filter(|id| self.blobs.get(*id) != shown.blobs.get(*id))
            .map(|id| (id.clone(), self.blobs.get(id).cloned()))
            .collect()
    }
}

/// The array that is shown: `others`, which is an array with its check, and the blobs of the credentials, the newest
/// first, as far as all of it is not longer than `len_max`. The same blobs give the same bytes: platforms read in pieces.
pub(crate) fn build(others: &[u8], owners: &[Owner], len_max: usize) -> Vec<u8> {
    const HEAD_LEN_MAX: usize = 3;
    let Some(Parts {
        others: mut elements, ..
    }) = Parts::of(others, &[])
    else {
        return others.to_vec();
    };
    let mut len = HEAD_LEN_MAX + CHECK_LEN + elements.iter().map(Vec::len).sum::<usize>();
    let mut owners: Vec<&Owner> = owners.iter().collect();
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.created_unix_ms));
    for owner in owners {
        let Some(element) = owner.blob.as_ref().map(|blob| encrypt(&owner.key, blob)) else {
            continue;
        };
        if len + element.len() <= len_max {
            len += element.len();
            elements.push(element);
        }
    }
    join(&elements)
}

/// The array of these encoded elements.
fn join(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.iter();
    let elements = elements.map(|element| cbor::decode(element).expect("it was encoded here"));
    with_check(&cbor::encode(&Value::Array(elements.collect())))
}

/// Whose an element is.
fn belongs<'a>(element: &Value<'_>, owners: &'a [Owner]) -> Option<(&'a Owner, LargeBlob)> {
    let Value::Map(element) = element else {
        return None;
    };
    let (Some(Value::Bytes(ciphertext)), Some(Value::Bytes(nonce)), Some(Value::Unsigned(original_size))) = (
        element.get(CIPHERTEXT),
        element.get(NONCE),
        element.get(ORIGINAL_SIZE),
    ) else {
        return None;
    };
    let nonce = Nonce::try_from(*nonce).ok()?;
    let (data, tag) = ciphertext.split_last_chunk::<TAG_LEN>()?;
    if data.len() > BLOB_LEN_MAX {
        return None;
    }
    owners.iter().find_map(|owner| {
        let mut data = data.to_vec();
        cipher(&owner.key)
            .decrypt_inout_detached(
                &nonce,
                &associated_data(*original_size),
                data.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .ok()?;
        let original_size = *original_size;
        Some((owner, LargeBlob { data, original_size }))
    })
}

/// The element of a blob, encoded.
fn encrypt(key: &Secret<32>, blob: &LargeBlob) -> Vec<u8> {
    let LargeBlob { data, original_size } = blob;
    let nonce = nonce_of(key, blob);
    let mut ciphertext = Vec::with_capacity(data.len() + TAG_LEN);
    ciphertext.extend_from_slice(data);
    let tag = cipher(key)
        .encrypt_inout_detached(
            &nonce.into(),
            &associated_data(*original_size),
            ciphertext.as_mut_slice().into(),
        )
        .expect("a blob is short");
    ciphertext.extend_from_slice(&tag);
    cbor::encode(&Value::Map(Map::new([
        (CIPHERTEXT, Value::Bytes(&ciphertext)),
        (NONCE, Value::Bytes(&nonce)),
        (ORIGINAL_SIZE, Value::Unsigned(*original_size)),
    ])))
}

/// Follows from the key and the blob: two blobs under one key have two nonces.
fn nonce_of(key: &Secret<32>, LargeBlob { data, original_size }: &LargeBlob) -> [u8; NONCE_LEN] {
    let blob = Sha256::new()
        .chain_update(original_size.to_le_bytes())
        .chain_update(data)
        .finalize();
    let mut nonce = [0; NONCE_LEN];
    Hkdf::<Sha256>::new(None, key.expose_secret())
        .expand_multi_info(&[NONCE_LABEL, &blob], &mut nonce)
        .expect("12 bytes are not too many");
    nonce
}

fn associated_data(original_size: u64) -> [u8; 12] {
    let mut data = *b"blob\0\0\0\0\0\0\0\0";
    data[4..].copy_from_slice(&original_size.to_le_bytes());
    data
}

fn cipher(key: &Secret<32>) -> Aes256Gcm {
    Aes256Gcm::new(key.expose_secret().into())
}

#[cfg(test)]
mod tests;

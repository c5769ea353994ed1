//! authenticatorLargeBlobs, `CTAP 2.3 §6.10`: one array in which relying parties keep data, encrypted by the platform. It is
//! read and written in fragments; a write counts when its last fragment is there and the whole is sound. How it is kept
//! where the vault syncs is in `large_blob_array.rs`.

use sha2::{Digest, Sha256};
use wardkey_transport::time::Instant;
use wardkey_vault::{Document, Error, Event};
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::command::MESSAGE_LEN_MAX;
use crate::large_blob_array::{self, CHECK_LEN, Owner, Parts, check};
use crate::parameters::{Parameters, bytes, unsigned};
use crate::pin::permissions::Permission;
use crate::pin_uv_auth::PinUvAuth;
use crate::response::Response;
use crate::session::{LargeBlobWrite, Session};
use crate::status::StatusCode;

/// The longest array, shown as `maxSerializedLargeBlobArray`.
pub(crate) const LEN_MAX: usize = 16_000;
const _: () = assert!(LEN_MAX <= Document::LEN_MAX);

/// The longest fragment.
const FRAGMENT_LEN_MAX: usize = MESSAGE_LEN_MAX - 64;
/// An empty array and the check behind it.
const LEN_MIN: usize = 17;

/// The number of this command and a zero, as they are authenticated.
const AUTHENTICATED: [u8; 2] = [0x0C, 0x00];

/// The parameters.
pub(crate) struct Request {
    get: Option<u64>,
    set: Option<Vec<u8>>,
    offset: Option<u64>,
    length: Option<u64>,
    pin_uv_auth: PinUvAuth,
}

impl Request {
    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, StatusCode> {
        Ok(Self {
            get: parameters.optional(0x01, unsigned)?,
            set: parameters.optional(0x02, bytes)?.map(<[u8]>::to_vec),
            offset: parameters.optional(0x03, unsigned)?,
            length: parameters.optional(0x04, unsigned)?,
            pin_uv_auth: PinUvAuth::read(parameters, 0x05, 0x06)?,
        })
    }
}

/// A fragment to be written.
struct Fragment {
    bytes: Vec<u8>,
    offset: usize,
    length: Option<u64>,
}

impl Authenticator {
    pub(crate) fn large_blobs(&mut self, now: Instant, request: Request) -> Result<Response, StatusCode> {
        let Request {
            get,
            set,
            offset,
            length,
            pin_uv_auth,
        } = request;
        // A write goes on only with the fragment that follows; whatever else comes ends it.
        let write = match core::mem::take(&mut self.session) {
            Session::LargeBlobWrite(write) => Some(write),
            Session::Idle | Session::Assertions(_) | Session::RelyingParties(_) | Session::Credentials(_) => {
                None
            }
        };
        let offset = usize::try_from(offset.ok_or(StatusCode::INVALID_PARAMETER)?)
            .map_err(|_| StatusCode::INVALID_PARAMETER)?;
        match (get, set) {
            (Some(count), None) if length.is_none() && !pin_uv_auth.is_given() => {
                self.read_large_blobs(count, offset)
            }
            (None, Some(bytes)) => {
                let fragment = Fragment {
                    bytes,
                    offset,
                    length,
                };
                self.write_large_blobs(now, write, fragment, pin_uv_auth)
            }
            (Some(_) | None, Some(_) | None) => Err(StatusCode::INVALID_PARAMETER),
        }
    }

    /// The serialized array.
    pub(crate) fn large_blob_array(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let kept = self.vault.document(Document::LargeBlobs)?;
        let kept = kept.unwrap_or_else(|| Zeroizing::new(large_blob_array::empty()));
        if !self.vault.syncs() {
            return Ok(kept);
        }
        let array = large_blob_array::build(&kept, &self.large_blob_owners()?, LEN_MAX);
        Ok(Zeroizing::new(array))
    }

    fn large_blob_owners(&self) -> Result<Vec<Owner>, Error> {
        let passkeys = self.vault.with_large_blob_key()?.into_iter();
        Ok(passkeys.filter_map(Owner::of).collect())
    }

    /// Whether the array is kept as it is written, with the blobs of credentials in it: where the vault does not sync. Else
    /// they are kept with the credentials.
    fn keeps_whole_array(&self) -> bool {
        self.config.large_blobs.is_array() && !self.vault.syncs()
    }

    /// Gives what the array of this device has for credentials, from before the vault synced or the key offered another
    /// way, to them. One that has a blob keeps that.
    pub(crate) fn give_large_blobs_to_credentials(&mut self) -> Result<(), Error> {
        if self.keeps_whole_array() {
            return Ok(());
        }
        let Some(kept) = self.vault.document(Document::LargeBlobs)? else {
            return Ok(());
        };
        let owners = self.large_blob_owners()?;
        let parts = Parts::of(&kept, &owners).unwrap_or_default();
        if parts.blobs.is_empty() {
            return Ok(());
        }
        let others = parts.array_of_others();
        let mut blobs = parts.blobs;
        for owner in owners.iter().filter(|owner| owner.blob.is_some()) {
            blobs.remove(&owner.id);
        }
        let blobs = blobs.into_iter().map(|(id, blob)| (id, Some(blob))).collect();
        self.vault.put_large_blobs(&mut *self.rng, blobs, others, None)
    }

    /// Gives what credentials have, from an import or because the key offered another way, to the array, behind what is
    /// there, as far as there is room.
    fn give_large_blobs_to_array(&mut self) -> Result<(), Error> {
        if !self.keeps_whole_array() {
            return Ok(());
        }
        let mut owners = self.large_blob_owners()?;
        if owners.iter().all(Owner::has_none) {
            return Ok(());
        }
        let kept = self.large_blob_array()?;
        let Some(there) = Parts::of(&kept, &owners) else {
            return Ok(());
        };
        owners.retain(|owner| !owner.has_none() && !there.blobs.contains_key(&owner.id));
        let array = large_blob_array::build(&kept, &owners, LEN_MAX);
        let moved = Parts::of(&array, &owners).unwrap_or_default().blobs;
        if moved.is_empty() {
            return Ok(());
        }
        let moved = moved.into_keys().map(|id| (id, None)).collect();
        self.vault
            .put_large_blobs(&mut *self.rng, moved, Zeroizing::new(array), None)
    }

    /// Puts each large blob where it is looked for, when the vault was opened. Where there is no room, all stays as it is.
    pub(crate) fn begin_with_large_blobs(&mut self) -> Result<(), Error> {
        match self
            .give_large_blobs_to_credentials()
            .and_then(|()| self.give_large_blobs_to_array())
        {
            Err(Error::TooLarge) => Ok(()),
            result => result,
        }
    }

    /// The array for a platform that reads from `offset` on. It reads on in the one whose beginning it was shown, whatever
    /// other devices change meanwhile.
    fn shown_large_blobs(&mut self, offset: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
        if !self.vault.syncs() {
            return self.large_blob_array();
        }
        match &self.large_blobs_shown {
            Some(shown) if offset > 0 => Ok(Zeroizing::new(shown.clone())),
            Some(_) | None => {
                self.begin_with_large_blobs()?;
                let array = self.large_blob_array()?;
                self.large_blobs_shown = Some(array.to_vec());
                Ok(array)
            }
        }
    }

    fn read_large_blobs(&mut self, count: u64, offset: usize) -> Result<Response, StatusCode> {
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= FRAGMENT_LEN_MAX)
            .ok_or(StatusCode::INVALID_LENGTH)?;
        let array = self.shown_large_blobs(offset)?;
        let rest = array.get(offset..).ok_or(StatusCode::INVALID_PARAMETER)?;
        let fragment = rest.get(..count).unwrap_or(rest);
        Ok(Response::with(Map::new([(0x01_u64, Value::Bytes(fragment))])))
    }

    fn write_large_blobs(
        &mut self,
        now: Instant,
        write: Option<LargeBlobWrite>,
        fragment: Fragment,
        pin_uv_auth: PinUvAuth,
    ) -> Result<Response, StatusCode> {
        let mut write = begin_or_continue(write, &fragment)?;
        if self.is_protected() || self.state.always_uv {
            let proof = pin_uv_auth.required()?;
            let offset = u32::try_from(fragment.offset).map_err(|_| StatusCode::INVALID_PARAMETER)?;
            let hash = Sha256::digest(&fragment.bytes);
            let message = [&[0xFF; 32][..], &AUTHENTICATED, &offset.to_le_bytes(), &hash];
            self.token
                .authorize(now, &proof, &message, Permission::LargeBlobWrite)?;
        }
        if write.buffer.len() + fragment.bytes.len() > write.expected {
            return Err(StatusCode::INVALID_PARAMETER);
        }
        write.buffer.extend(fragment.bytes);
        if write.buffer.len() < write.expected {
            self.session = Session::LargeBlobWrite(write);
        } else {
            self.keep_large_blobs(now, write.buffer)?;
        }
        Ok(Response::empty())
    }

    fn keep_large_blobs(&mut self, now: Instant, array: Vec<u8>) -> Result<(), StatusCode> {
        let is_sound = array
            .split_last_chunk::<CHECK_LEN>()
            .is_some_and(|(content, found)| check(content) == *found);
        if !is_sound {
            return Err(StatusCode::INTEGRITY_FAILURE);
        }
        match self.keep_sound_large_blobs(now, array) {
            // A credential has no room for its blob.
            Err(Error::TooLarge) => Err(StatusCode::LARGE_BLOB_STORAGE_FULL),
            result => Ok(result?),
        }
    }

    fn keep_sound_large_blobs(&mut self, now: Instant, array: Vec<u8>) -> Result<(), Error> {
        let entry = self.entry(now, Event::LargeBlobsWritten);
        if !self.vault.syncs() {
            let (document, array) = (Document::LargeBlobs, Zeroizing::new(array));
            return self
                .vault
                .put_document(&mut *self.rng, document, array, entry.as_ref());
        }
        self.give_large_blobs_to_credentials()?;
        let owners = self.large_blob_owners()?;
        let shown = match &self.large_blobs_shown {
            Some(shown) => Parts::of(shown, &owners),
            None => Parts::of(&self.large_blob_array()?, &owners),
        };
        // What is no array changes no credential.
        let (blobs, others) = match Parts::of(&array, &owners) {
            Some(written) => {
                let blobs = written.changes_since(&shown.unwrap_or_default());
                (blobs, written.array_of_others())
            }
            None => (Vec::new(), Zeroizing::new(array.clone())),
        };
        self.vault
            .put_large_blobs(&mut *self.rng, blobs, others, entry.as_ref())?;
        self.large_blobs_shown = Some(array);
        Ok(())
    }
}

/// The write that this fragment belongs to: a new one where it is the first.
fn begin_or_continue(
    write: Option<LargeBlobWrite>,
    fragment: &Fragment,
) -> Result<LargeBlobWrite, StatusCode> {
    let Fragment {
        bytes,
        offset,
        length,
    } = fragment;
    if bytes.len() > FRAGMENT_LEN_MAX {
        return Err(StatusCode::INVALID_LENGTH);
    }
    if *offset == 0 {
        let expected = usize::try_from(length.ok_or(StatusCode::INVALID_PARAMETER)?)
            .ok()
            .filter(|length| *length <= LEN_MAX)
            .ok_or(StatusCode::LARGE_BLOB_STORAGE_FULL)?;
        if expected < LEN_MIN {
            return Err(StatusCode::INVALID_PARAMETER);
        }
        return Ok(LargeBlobWrite {
            buffer: Vec::new(),
            expected,
        });
    }
    if length.is_some() {
        return Err(StatusCode::INVALID_PARAMETER);
    }
    write
        .filter(|write| write.buffer.len() == *offset)
        .ok_or(StatusCode::INVALID_SEQ)
}

#[cfg(test)]
mod tests;

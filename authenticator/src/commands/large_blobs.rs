//! authenticatorLargeBlobs, `CTAP 2.3 §6.10`: one array in which relying parties keep data, encrypted by the platform. It is
//! read and written in fragments; a write counts when its last fragment is there and the whole is sound.

use sha2::{Digest, Sha256};
use wardkey_transport::time::Instant;
use wardkey_vault::{Document, Event};
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::command::MESSAGE_LEN_MAX;
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
/// The beginning of SHA-256 of the array, behind the array.
const CHECK_LEN: usize = 16;
/// An array that was never written.
const EMPTY_ARRAY: u8 = 0x80;

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

    /// The serialized array as it is kept.
    fn large_blob_array(&self) -> Result<Zeroizing<Vec<u8>>, StatusCode> {
        let kept = self.vault.document(Document::LargeBlobs)?;
        Ok(kept.unwrap_or_else(|| Zeroizing::new([&[EMPTY_ARRAY][..], &check(&[EMPTY_ARRAY])].concat())))
    }

    fn read_large_blobs(&self, count: u64, offset: usize) -> Result<Response, StatusCode> {
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= FRAGMENT_LEN_MAX)
            .ok_or(StatusCode::INVALID_LENGTH)?;
        let array = self.large_blob_array()?;
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
        let entry = self.entry(now, Event::LargeBlobsWritten);
        let (document, array) = (Document::LargeBlobs, Zeroizing::new(array));
        Ok(self
            .vault
            .put_document(&mut *self.rng, document, array, entry.as_ref())?)
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

fn check(content: &[u8]) -> [u8; CHECK_LEN] {
    let digest: [u8; 32] = Sha256::digest(content).into();
    *digest.first_chunk().expect("16 is less than 32")
}

#[cfg(test)]
mod tests;

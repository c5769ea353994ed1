//! authenticatorLargeBlobs, CTAP 2.3 §6.10.2: the serialized large-blob array, in fragments.

use ciborium::Value;
use sha2::{Digest, Sha256};

use super::cbor::{self, Members};
use super::command::parameters;
use super::pin::PinUvAuthToken;
use super::{Error, FidoClient, MessagePipe};

const LARGE_BLOBS: u8 = 0x0C;
/// What a fragment leaves of a message.
const OVERHEAD_LEN: u32 = 64;
/// The first half of a SHA-256 ends the serialized array.
const DIGEST_LEN: usize = 16;

/// The parameters of authenticatorLargeBlobs. `None` is not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LargeBlobs {
    /// How many bytes to read.
    pub get: Option<u32>,
    /// The bytes to write.
    pub set: Option<Vec<u8>>,
    /// Where.
    pub offset: Option<u32>,
    /// The length of the whole array, with the first fragment.
    pub length: Option<u32>,
    /// Authenticates a fragment that is written.
    pub pin_uv_auth_param: Option<Vec<u8>>,
    /// The number of the PIN/UV auth protocol.
    pub protocol: Option<u8>,
}

impl LargeBlobs {
    /// Reads up to `count` bytes from `offset` on.
    pub fn get(offset: u32, count: u32) -> Self {
        Self {
            get: Some(count),
            offset: Some(offset),
            ..Self::default()
        }
    }

    /// Writes a fragment of an array that is `length` bytes long.
    pub fn set(fragment: &[u8], offset: u32, length: u32) -> Self {
        Self {
            set: Some(fragment.to_vec()),
            offset: Some(offset),
            length: (offset == 0).then_some(length),
            ..Self::default()
        }
    }

    /// The same, with permission to write.
    #[must_use]
    pub fn authorized_by(self, token: &PinUvAuthToken) -> Self {
        let mut message = vec![0xFF; 32];
        message.extend([LARGE_BLOBS, 0x00]);
        message.extend(self.offset.unwrap_or_default().to_le_bytes());
        message.extend(Sha256::digest(self.set.as_deref().unwrap_or_default()));
        Self {
            pin_uv_auth_param: Some(token.authenticate(&message)),
            protocol: Some(token.protocol().number()),
            ..self
        }
    }

    /// The parameters as CBOR.
    pub fn to_bytes(&self) -> Vec<u8> {
        let members = [
            (0x01, self.get.map(Value::from)),
            (0x02, self.set.as_deref().map(Value::from)),
            (0x03, self.offset.map(Value::from)),
            (0x04, self.length.map(Value::from)),
            (0x05, self.pin_uv_auth_param.as_deref().map(Value::from)),
            (0x06, self.protocol.map(Value::from)),
        ];
        let present = members.into_iter().filter_map(|(key, value)| Some((key, value?)));
        parameters(present.collect())
    }
}

/// The serialized form of a large-blob array: its CBOR and the first half of the SHA-256 of that.
pub fn serialize_large_blobs(array: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(array);
    array
        .iter()
        .chain(digest.iter().take(DIGEST_LEN))
        .copied()
        .collect()
}

/// The longest fragment for a key with this `maxMsgSize`.
pub const fn largest_fragment(message_len_max: u32) -> u32 {
    message_len_max.saturating_sub(OVERHEAD_LEN)
}

impl<M: MessagePipe> FidoClient<M> {
    /// authenticatorLargeBlobs with any parameters; the bytes it read, if it read.
    pub fn large_blobs(&mut self, request: &LargeBlobs) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.call(LARGE_BLOBS, &request.to_bytes())?;
        if answer.is_empty() {
            return Ok(None);
        }
        Members::read(&answer)?.optional(0x01, "config", cbor::bytes)
    }

    /// Reads the whole serialized array, `fragment_len` bytes at a time.
    pub fn read_large_blobs(&mut self, fragment_len: u32) -> Result<Vec<u8>, Error> {
        let mut read = Vec::new();
        loop {
            let offset = u32::try_from(read.len()).map_err(|_| Error::Member("config"))?;
            let fragment = self.large_blobs(&LargeBlobs::get(offset, fragment_len))?;
            let fragment = fragment.ok_or(Error::Member("config"))?;
            let is_last = u32::try_from(fragment.len()).is_ok_and(|length| length < fragment_len);
            read.extend(fragment);
            if is_last {
                return Ok(read);
            }
        }
    }

    /// Replaces the whole serialized array, `fragment_len` bytes at a time.
    pub fn write_large_blobs(
        &mut self,
        token: Option<&PinUvAuthToken>,
        serialized: &[u8],
        fragment_len: usize,
    ) -> Result<(), Error> {
        let number = |length: usize| u32::try_from(length).map_err(|_| Error::Member("length"));
        let mut offset = 0;
        for fragment in serialized.chunks(fragment_len) {
            let request = LargeBlobs::set(fragment, number(offset)?, number(serialized.len())?);
            self.large_blobs(&match token {
                Some(token) => request.authorized_by(token),
                None => request,
            })?;
            offset += fragment.len();
        }
        Ok(())
    }
}

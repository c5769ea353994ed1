//! Bytes in JSON: base64url, `RFC 4648 §5`, without padding. What may be secret is wiped.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

/// Bytes that are written.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(Base64UrlUnpadded::encode_string(self.0));
        serializer.serialize_str(&text)
    }
}

/// Bytes that were read. Padding is not missed, and not minded.
pub(super) struct ReadBytes(pub(super) Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for ReadBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Decodes in place: a text without escapes, and base64url needs none, is nowhere but in the file.
struct Text;

impl Visitor<'_> for Text {
    type Value = ReadBytes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("base64url")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ReadBytes, E> {
        let text = text.trim_end_matches('=');
        let mut bytes = Zeroizing::new(vec![0; text.len()]);
        // The error names nothing of the text.
        let len = Base64UrlUnpadded::decode(text, &mut bytes)
            .map_err(|_| E::custom("no base64url"))?
            .len();
        bytes.truncate(len);
        Ok(ReadBytes(bytes))
    }
}

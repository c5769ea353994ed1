//! The things that requests name: relying party, user, credential descriptors, the hash of the client data.
//! In: CBOR items. Out: owned values within their bounds, or a status code. `WebAuthn L3 §5.4`, `CTAP 2.3 §6.1.2`.

use sha2::{Digest, Sha256};
use wardkey_vault::{CredentialId, RpIdHash};

use crate::cbor::{Map, Value};
use crate::parameters::{array, bytes, map, member, optional_text, text};
use crate::status::StatusCode;

/// How many descriptors an allowList or excludeList may have; shown as `maxCredentialCountInList`.
pub(crate) const DESCRIPTORS_MAX: usize = 20;

/// The longest user handle, `WebAuthn L3 §5.4.3`.
pub(crate) const USER_ID_LEN_MAX: usize = 64;

/// How much of a name is kept, in bytes: as much as an e-mail address can have. `WebAuthn L3 §6.4.1.2` wants 64 or more,
/// and with names of any length an answer might not fit into a message.
pub(crate) const NAME_LEN_MAX: usize = 256;

/// The one type of credential there is.
pub(crate) const PUBLIC_KEY: &str = "public-key";

/// SHA-256 of the client data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientDataHash(pub(crate) [u8; 32]);

impl ClientDataHash {
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        bytes(value)?
            .try_into()
            .map(Self)
            .map_err(|_| StatusCode::INVALID_LENGTH)
    }

    pub(crate) fn of(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }
}

/// A relying party's id, byte for byte as sent: not only domains occur (`ssh:`), so it is not read as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RpId(pub(crate) String);

impl RpId {
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let id = text(value)?;
        // Nobody is served in the name of no one.
        if id.is_empty() {
            Err(StatusCode::INVALID_PARAMETER)
        } else {
            Ok(Self(id.to_owned()))
        }
    }

    pub(crate) fn hash(&self) -> RpIdHash {
        RpIdHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// PublicKeyCredentialRpEntity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelyingParty {
    pub(crate) id: RpId,
    pub(crate) name: Option<String>,
}

impl RelyingParty {
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let rp = map(value)?;
        let id = RpId::read(member(rp, "id")?)?;
        Ok(Self {
            id,
            name: optional_name(rp, "name")?,
        })
    }
}

/// PublicKeyCredentialUserEntity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: Vec<u8>,
    pub(crate) name: Option<String>,
    pub(crate) display_name: Option<String>,
}

impl User {
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let user = map(value)?;
        let id = bytes(member(user, "id")?)?;
        if !(1..=USER_ID_LEN_MAX).contains(&id.len()) {
            return Err(StatusCode::INVALID_LENGTH);
        }
        let (name, display_name) = (optional_name(user, "name")?, optional_name(user, "displayName")?);
        Ok(Self {
            id: id.to_owned(),
            name,
            display_name,
        })
    }
}

/// A name, cut at the end of a character where it is too long.
fn optional_name(entity: &Map<'_>, member: &str) -> Result<Option<String>, StatusCode> {
    let mut name = optional_text(entity, member)?;
    if let Some(name) = &mut name {
        name.truncate(name.floor_char_boundary(NAME_LEN_MAX));
    }
    Ok(name)
}

/// An allowList or excludeList: the ids in it that could be ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Descriptors {
    ids: Vec<CredentialId>,
    announced: usize,
}

impl Descriptors {
    /// Reads every descriptor. One of another type than "public-key" and one whose id cannot be ours are passed
    /// over, a malformed one is not.
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let items = array(value)?;
        let mut ids = Vec::new();
        for item in items {
            ids.extend(Self::read_one(item)?);
        }
        Ok(Self {
            ids,
            announced: items.len(),
        })
    }

    /// Reads one descriptor; `None` where it cannot be ours.
    pub(crate) fn read_one(value: &Value<'_>) -> Result<Option<CredentialId>, StatusCode> {
        let descriptor = map(value)?;
        let kind = text(member(descriptor, "type")?)?;
        let id = bytes(member(descriptor, "id")?)?;
        Ok(CredentialId::new(id).filter(|_| kind == PUBLIC_KEY))
    }

    /// Whether the list names nothing at all, which is the same as no list, `CTAP 2.3 §6.2.2 step 7`.
    pub(crate) fn is_empty(&self) -> bool {
        self.announced == 0
    }

    /// The list, if it has no more descriptors than getInfo allows.
    pub(crate) fn within_limit(self) -> Result<Self, StatusCode> {
        if self.announced > DESCRIPTORS_MAX {
            Err(StatusCode::LIMIT_EXCEEDED)
        } else {
            Ok(self)
        }
    }

    /// The ids, in the order sent, each once or more.
    pub(crate) fn ids(&self) -> &[CredentialId] {
        &self.ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str) -> String {
        let user = Value::Map(Map::new([
            ("id", Value::Bytes(&[1])),
            ("name", Value::Text(name)),
            ("displayName", Value::Text(name)),
        ]));
        let User {
            name, display_name, ..
        } = User::read(&user).unwrap();
        assert_eq!(name, display_name);
        name.unwrap()
    }

    #[test]
    fn a_name_is_kept_as_it_is_or_cut_at_the_end_of_a_character() {
        let longest = "n".repeat(NAME_LEN_MAX);
        assert_eq!(kept(""), "");
        assert_eq!(kept(&longest), longest);
        assert_eq!(kept(&format!("{longest}n")), longest);
        assert_eq!(
            kept(&format!("n{}", "é".repeat(NAME_LEN_MAX))),
            format!("n{}", "é".repeat(127))
        );
    }

    #[test]
    fn a_relying_partys_name_is_cut_too() {
        let name = "n".repeat(1000);
        let rp = Value::Map(Map::new([
            ("id", Value::Text("example.org")),
            ("name", Value::Text(&name)),
        ]));
        let kept = RelyingParty::read(&rp).unwrap().name;
        assert_eq!(kept.as_deref(), name.get(..NAME_LEN_MAX));
    }
}

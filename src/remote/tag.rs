//! What was seen of an object, so that the next look at it costs little.

/// More bytes than a service needs to name a version.
const ENTITY_TAG_LEN_MAX: usize = 256;

/// A version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(Version);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    /// As the service names it (RFC 9110 §8.8.3).
    Entity(String),
    /// By what it held.
    Content(Vec<u8>),
}

impl Tag {
    /// The service's own, if it can be sent back.
    pub(super) fn entity(tag: &str) -> Option<Self> {
        let is_sound =
            tag.len() <= ENTITY_TAG_LEN_MAX && tag.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        is_sound.then(|| Self(Version::Entity(tag.to_owned())))
    }

    /// By what the object holds.
    pub(super) fn content(bytes: &[u8]) -> Self {
        Self(Version::Content(bytes.to_vec()))
    }

    /// What to ask the service for.
    pub(super) fn as_entity(&self) -> Option<&str> {
        match &self.0 {
            Version::Entity(tag) => Some(tag),
            Version::Content(_) => None,
        }
    }

    /// Whether an object that holds this is the same version.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        match &self.0 {
            Version::Entity(_) => false,
            Version::Content(seen) => seen == bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_cannot_be_sent_back_is_not_kept() {
        assert_eq!(Tag::entity("W/\"1-2\"").unwrap().as_entity(), Some("W/\"1-2\""));
        for tag in ["\"a\r\nb\"", "\"a b\"", "\"\u{e4}\"", &"x".repeat(257)] {
            assert_eq!(Tag::entity(tag), None, "{tag}");
        }
    }
}

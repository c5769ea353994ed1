//! What is recognized while the vault is locked, so that a request for a site or a credential that is not here is
//! answered at once and without a PIN. Each is a keyed hash of 16 bytes in a table of its own; nothing but equality
//! can be seen. `FORMAT.md` §14.

use crate::database::Database;
use crate::keys::{KNOWN_ANY_WRAPPED, KNOWN_CREDENTIAL, KNOWN_KEY, KNOWN_SITE, KNOWN_WRAPPED, KnownKey};
use crate::{CredentialId, Error, RpIdHash, wrap};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KnownHash(pub(crate) [u8; 16]);

impl KnownKey {
    /// A relying party has a stored credential.
    pub(crate) fn site(&self, rp: &RpIdHash) -> KnownHash {
        KnownHash(self.hash(KNOWN_SITE, &[&rp.0]))
    }

    /// A credential is stored.
    pub(crate) fn credential(&self, rp: &RpIdHash, id: &CredentialId) -> KnownHash {
        KnownHash(self.hash(KNOWN_CREDENTIAL, &[&rp.0, id.as_bytes()]))
    }

    /// A credential that is not stored was made for a relying party.
    pub(crate) fn wrapped(&self, rp: &RpIdHash) -> KnownHash {
        KnownHash(self.hash(KNOWN_WRAPPED, &[&rp.0]))
    }

    /// For which relying parties such credentials were made is not known.
    pub(crate) fn any_wrapped(&self) -> KnownHash {
        KnownHash(self.hash(KNOWN_ANY_WRAPPED, &[]))
    }

    /// Tells a table that was made with this key from one that was not.
    pub(crate) fn check(&self) -> [u8; 16] {
        self.hash(KNOWN_KEY, &[])
    }
}

/// Whether a credential with this id could be used for this relying party. Never `false` for one that can.
pub(crate) fn may_have(
    database: &Database,
    key: &KnownKey,
    rp: &RpIdHash,
    id: &CredentialId,
) -> Result<bool, Error> {
    if database.knows(&key.credential(rp, id))? {
        return Ok(true);
    }
    Ok(wrap::may_be_wrapped(id)
        && (database.knows(&key.wrapped(rp))? || database.knows(&key.any_wrapped())?))
}

//! Two states of one passkey become one: what they amount to together is what all that led to either amounts to.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Contradiction, Merged, Register, Stamp};
use crate::cbor::Writer;
use crate::sync::versions::Versions;
use crate::{CredentialId, payload};

/// Whether the operation was read, as far as `versions` goes.
fn covered(versions: &Versions, stamp: &Stamp) -> bool {
    stamp.seq <= versions.head(stamp.device).seq()
}

impl<T: Clone> Register<T> {
    fn has(&self, stamp: &Stamp) -> bool {
        self.0.iter().any(|(written, _)| written == stamp)
    }

    /// A value that one side does not have though it had read that it was written was seen, and written over.
    fn join(&mut self, here: &Versions, other: &Self, there: &Versions) {
        self.0
            .retain(|(written, _)| other.has(written) || !covered(there, written));
        for (written, value) in &other.0 {
            if !self.has(written) && !covered(here, written) {
                let at = self.0.partition_point(|(before, _)| before < written);
                self.0.insert(at, (*written, value.clone()));
            }
        }
    }

    fn within(&self, versions: &Versions) -> bool {
        self.0.iter().all(|(written, _)| covered(versions, written))
    }
}

impl Merged {
    /// Adds another state of the same passkey. `here` and `there` is how far the logs were read that led to the two.
    pub(crate) fn join(
        &mut self,
        here: &Versions,
        other: &Self,
        there: &Versions,
    ) -> Result<(), Contradiction> {
        self.life.join(here, &other.life, there);
        self.names.join(here, &other.names, there);
        self.large_blob.join(here, &other.large_blob, there);
        self.leave_trash();
        match &other.core {
            Some((stamp, core)) => self.take_core(core, *stamp),
            None => Ok(()),
        }
    }

    /// Whether all of it was written by operations that were read as far as `versions` goes.
    pub(crate) fn is_within(&self, versions: &Versions) -> bool {
        let core = self.core.as_ref();
        core.is_none_or(|(stamp, _)| covered(versions, stamp))
            && self.life.within(versions)
            && self.names.within(versions)
            && self.large_blob.within(versions)
    }

    /// Stands for this in the hash of a state: whether it is there and, if it is, what it is. `SYNC.md` §6.
    pub(crate) fn fingerprint(&self, id: &CredentialId) -> [u8; 32] {
        let visible = self.visible();
        let payload = visible.as_ref().map(payload::encode);
        let payload = payload.and_then(Result::ok).unwrap_or_default();
        let len = 512 + payload.len() + 64 * self.life.0.len();
        let mut encoded = Zeroizing::new(Vec::with_capacity(2 * len));
        let mut out = Writer(&mut encoded);
        out.array(3).bytes(id.as_bytes());
        self.encode_life(&mut out);
        out.bytes(&payload);
        Sha256::digest(&encoded).into()
    }
}

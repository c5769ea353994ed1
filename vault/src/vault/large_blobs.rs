//! What relying parties keep with credentials, where all of it is written at once: as a platform does that has one array
//! for all. What belongs to a credential is stored with it, and so reaches the other devices.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Vault, seal_document, seal_store_state, synced};
use crate::database::{Change, Meta};
use crate::{CredentialId, Document, Error, LargeBlob, Passkey, Profile, Record, StoreState};

impl Vault {
    /// The stored credentials that have a key for large blobs and may leave this device.
    pub fn with_large_blob_key(&self) -> Result<Vec<Passkey>, Error> {
        let mut found = Vec::new();
        for id in self.index.with_large_blob_key() {
            let passkey = self.load(id)?.ok_or(Error::Tampered)?;
            if passkey.profile == Profile::Synced {
                found.push(passkey);
            }
        }
        Ok(found)
    }

    /// Gives stored credentials other large blobs, or none, and writes the document with what belongs to no credential, in
    /// one transaction, with `record`. A credential that is not stored is passed over.
    pub fn put_large_blobs(
        &mut self,
        rng: &mut dyn CryptoRng,
        blobs: Vec<(CredentialId, Option<LargeBlob>)>,
        others: Zeroizing<Vec<u8>>,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        let sealed = seal_document(&self.keys, Document::LargeBlobs, others, rng)?;
        let mut change = Change {
            put_meta: vec![(Document::LargeBlobs.meta(), sealed)],
            ..Change::default()
        };
        let (mut operations, mut stored) = (Vec::new(), Vec::new());
        for (id, blob) in blobs {
            let (Some(was), Some(mut passkey)) = (self.load(&id)?, self.load(&id)?) else {
                continue;
            };
            passkey.large_blob = blob;
            if passkey.profile == Profile::Synced {
                operations.extend(synced::changes(&was, &passkey));
            }
            let (row, sealed) = self.seal_passkey(rng, &passkey)?;
            change.remove_passkeys.extend(self.index.row(&id));
            change.put_passkeys.push((row, sealed));
            stored.push((passkey, row));
        }
        let store_state = match stored.as_slice() {
            [] => self.store_state,
            _ => StoreState::random(rng),
        };
        let sealed = seal_store_state(&self.keys, store_state, rng);
        change.put_meta.push((Meta::StoreState, sealed));
        let said = self.say(rng, &mut change, &operations, record)?;
        self.apply(rng, change, record)?;
        self.said(said);
        self.store_state = store_state;
        for (passkey, row) in &stored {
            self.index.remove(&passkey.id);
            self.index
                .insert(passkey, *row)
                .expect("what was in the way is removed");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

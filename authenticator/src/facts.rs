//! What the owner of the key may want to know of it, at the computer rather than through a host.

use wardkey_vault::{Document, Error};

use crate::authenticator::Authenticator;
use crate::config::{Aaguid, KeyKind, LargeBlobs};
use crate::large_blob_array;
use crate::pin::built_in::Verifier;

/// What a key is, and how it stands. No secret is among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where new credentials may live.
    pub kind: KeyKind,
    /// The model.
    pub aaguid: Aaguid,
    /// The protocol versions, as getInfo lists them.
    pub versions: Vec<&'static str>,
    /// How many credentials are stored.
    pub credentials: usize,
    /// Whether a PIN is set.
    pub has_pin: bool,
    /// How many wrong PINs block it for ever.
    pub pin_retries: u8,
    /// Whether no PIN is compared until the key has been without power.
    pub pin_needs_power_cycle: bool,
    /// The built-in user verification, if there is one; `ready` says what getInfo's `uv` says.
    pub verifier: Option<Verifier>,
    /// How many failed verifications block that way, until the PIN is entered.
    pub uv_retries: u8,
    /// How relying parties can keep data with a credential.
    pub large_blobs: LargeBlobs,
    /// The length of the array of large blobs; 0 when nothing was ever written.
    pub large_blob_array_len: usize,
}

impl Authenticator {
    /// How things stand.
    pub fn facts(&self) -> Result<Facts, Error> {
        let array = self.large_blob_array()?;
        let is_new =
            self.vault.document(Document::LargeBlobs)?.is_none() && *array == large_blob_array::empty();
        Ok(Facts {
            kind: self.config.kind,
            aaguid: self.config.kind.aaguid(),
            versions: self.versions(),
            credentials: self.vault.len(),
            has_pin: self.state.pin.is_some(),
            pin_retries: self.state.pin_retries,
            pin_needs_power_cycle: self.needs_power_cycle(),
            verifier: self.verifier.map(|verifier| Verifier {
                ready: self.is_built_in_ready(),
                ..verifier
            }),
            uv_retries: self.state.uv_retries,
            large_blobs: self.config.large_blobs,
            large_blob_array_len: if is_new { 0 } else { array.len() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Modality;
    use crate::testing::Key;

    #[test]
    fn a_new_key_has_no_pin_and_no_built_in_verification() {
        let key = Key::new(KeyKind::DeviceBound);
        let facts = key.authenticator.facts().unwrap();
        assert_eq!(
            (facts.kind, facts.aaguid),
            (KeyKind::DeviceBound, Aaguid::DEVICE_BOUND)
        );
        assert_eq!(
            (facts.has_pin, facts.pin_retries, facts.uv_retries),
            (false, 8, 8)
        );
        assert_eq!((facts.credentials, facts.large_blob_array_len), (0, 0));
        assert!(facts.verifier.is_none() && !facts.pin_needs_power_cycle);
        assert!(facts.versions.contains(&"FIDO_2_3"));
    }

    #[test]
    fn verification_by_the_pin_is_ready_only_with_a_pin() {
        let mut key = Key::new(KeyKind::Synced);
        for (modality, ready) in [(Modality::Fingerprint, true), (Modality::Pin, false)] {
            let verifier = Verifier {
                modality,
                ready: true,
            };
            key.authenticator.set_verifier(Some(verifier));
            let facts = key.authenticator.facts().unwrap();
            assert_eq!(facts.verifier, Some(Verifier { modality, ready }));
        }
    }
}

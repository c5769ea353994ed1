//! The keys of this device in a TPM 2.0 (TCG, Trusted Platform Module Library, family 2.0), which gives out none of them
//! and counts wrong guesses by itself.
//!
//! Under a storage key that the TPM makes again for each use are three objects: a P-256 key that signs, one that agrees,
//! and the seed of the X-Wing key, sealed. Each has the same authorization value, from the Vault PIN, and is under the
//! TPM's dictionary attack protection: a wrong PIN is counted in the TPM, and after some it answers no more. What is kept
//! on the disk are these objects as the TPM encrypted them, and public keys: `FORMAT.md` beside this file.
//!
//! Not here: when a PIN may be tried, and where the bytes are kept.

mod chip;
mod conversation;
mod counting;
mod error;
mod kept;
mod library;
mod objects;

use rand_core::CryptoRng;
use wardkey_vault::{
    GuessLimit, KeyAuth, KeyStore, KeyStoreError, PublicKeys, PublicPoint, RecipientPublic, Secret,
    Signature, SignedHash, XWingPublic,
};

pub(crate) use self::chip::Chip;
#[cfg(test)]
use self::chip::DEVICE;
pub(crate) use self::counting::Counting;
pub(crate) use self::error::TpmError;
pub(crate) use self::library::silence;

use self::conversation::Conversation;
use self::kept::{Kept, Private};
use super::{DeviceKeys, Place};
use crate::error::Failure;

/// The keys of this device, which a TPM holds.
pub(crate) struct TpmKeys {
    chip: Chip,
    kept: Kept,
    failure: Option<TpmError>,
}

impl TpmKeys {
    /// New keys in `chip`, for whoever has `auth`. Each was used once, so a TPM that cannot is found out here.
    pub(crate) fn generate(chip: Chip, auth: &KeyAuth, rng: &mut dyn CryptoRng) -> Result<Self, TpmError> {
        let seed = Secret::random(rng);
        let mut tpm = Conversation::begin(&chip, None)?;
        let signing = tpm.create(objects::signing(None)?, auth, None)?;
        let agreement = tpm.create(objects::agreement(None)?, auth, None)?;
        let sealed = tpm.create(objects::sealed(None)?, auth, Some(&seed))?;
        let kept = Kept {
            storage: *tpm.storage(),
            public: PublicKeys {
                signing: objects::point(&signing.out_public)?,
                recipient: RecipientPublic {
                    agreement: objects::point(&agreement.out_public)?,
                    post_quantum: XWingPublic::of(&seed),
                },
            },
            seed_name: objects::digest(&sealed.out_public)?,
            signing: Private::of(&signing.out_private)?,
            agreement: Private::of(&agreement.out_private)?,
            seed: Private::of(&sealed.out_private)?,
        };
        let mut keys = Self {
            chip,
            kept,
            failure: None,
        };
        keys.try_out(auth)?;
        Ok(keys)
    }

    fn try_out(&mut self, auth: &KeyAuth) -> Result<(), TpmError> {
        let PublicKeys { signing, recipient } = self.kept.public.clone();
        let used = self
            .post_quantum(auth)
            .and_then(|seed| self.agree(auth, &signing).map(|_| seed))
            .map_err(|_| self.failure.unwrap_or(TpmError::Nonsense))?;
        if XWingPublic::of(&used) == recipient.post_quantum {
            Ok(())
        } else {
            Err(TpmError::Nonsense)
        }
    }

    /// Keys from the bytes that [`Self::to_bytes`] or [`KeyStore::resealed`] gave; `None` when they are something else.
    pub(crate) fn from_bytes(chip: Chip, bytes: &[u8]) -> Option<Self> {
        Some(Self {
            chip,
            kept: Kept::from_bytes(bytes)?,
            failure: None,
        })
    }

    /// What the shell keeps. It is of use to nobody without the TPM.
    #[cfg(test)]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.kept.to_bytes()
    }

    /// Talks to the TPM that holds the keys.
    fn with<T>(
        &mut self,
        say: impl FnOnce(&mut Conversation, &Kept) -> Result<T, TpmError>,
    ) -> Result<T, KeyStoreError> {
        let result = Conversation::begin(&self.chip, Some(&self.kept.storage))
            .and_then(|mut tpm| say(&mut tpm, &self.kept));
        self.failure = result.as_ref().err().copied();
        result.map_err(KeyStoreError::from)
    }
}

impl DeviceKeys for TpmKeys {
    fn place(&self) -> Place {
        Place::Tpm
    }

    fn check(&mut self) -> Result<(), Failure> {
        let found = Conversation::begin(&self.chip, Some(&self.kept.storage));
        found.map(|_| ()).map_err(|error| self.chip.explain(error))
    }

    fn check_not_locked_out(&self) -> Result<(), Failure> {
        let counting = self.chip.counting();
        let counting = counting.map_err(|error| self.chip.explain(error))?;
        counting.lockout().map_or(Ok(()), Err)
    }

    fn trouble(&self) -> Option<Failure> {
        self.failure.map(|error| self.chip.explain(error))
    }

    fn guessing(&self) -> Result<(GuessLimit, String), Failure> {
        let counting = self.chip.counting();
        let counting = counting.map_err(|error| self.chip.explain(error))?;
        Ok((counting.limit(), counting.to_string()))
    }
}

impl KeyStore for TpmKeys {
    fn public(&self) -> &PublicKeys {
        &self.kept.public
    }

    /// Asked of the TPM each time, since others can change it.
    fn guess_limit(&self) -> GuessLimit {
        self.chip
            .counting()
            .map_or(GuessLimit::None, |counting| counting.limit())
    }

    fn sign(&mut self, auth: &KeyAuth, hash: &SignedHash) -> Result<Signature, KeyStoreError> {
        self.with(|tpm, kept| {
            let public = objects::signing(Some(&kept.public.signing))?;
            let key = tpm.load(public, &kept.signing, auth)?;
            tpm.sign(key, hash)
        })
    }

    fn agree(&mut self, auth: &KeyAuth, point: &PublicPoint) -> Result<Secret<32>, KeyStoreError> {
        self.with(|tpm, kept| {
            let public = objects::agreement(Some(&kept.public.recipient.agreement))?;
            let key = tpm.load(public, &kept.agreement, auth)?;
            tpm.agree(key, point)
        })
    }

    fn post_quantum(&mut self, auth: &KeyAuth) -> Result<Secret<32>, KeyStoreError> {
        self.with(|tpm, kept| {
            let sealed = tpm.load(objects::sealed(Some(&kept.seed_name))?, &kept.seed, auth)?;
            tpm.unseal(sealed)
        })
    }

    fn resealed(
        &mut self,
        auth: &KeyAuth,
        new_auth: &KeyAuth,
        _: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError> {
        self.with(|tpm, kept| {
            let signing = objects::signing(Some(&kept.public.signing))?;
            let agreement = objects::agreement(Some(&kept.public.recipient.agreement))?;
            let sealed = objects::sealed(Some(&kept.seed_name))?;
            let changed = Kept {
                signing: tpm.change_auth(signing, &kept.signing, auth, new_auth)?,
                agreement: tpm.change_auth(agreement, &kept.agreement, auth, new_auth)?,
                seed: tpm.change_auth(sealed, &kept.seed, auth, new_auth)?,
                ..kept.clone()
            };
            Ok(changed.to_bytes())
        })
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

//! The keys of this device behind the vault's `KeyStore`: in software, or with the feature `tpm` in a TPM 2.0.
//!
//! Which it is stands in what is kept of them. New keys come into a TPM where one works.

#[cfg(feature = "tpm")]
pub(crate) mod tpm;

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;
use wardkey_vault::{GuessLimit, KeyAuth, KeyStore, SoftwareKeys};

use crate::error::Failure;
use crate::host;

/// Starts what is kept of keys in a TPM, whatever its version. `FORMAT.md`.
const MAGIC_OF_TPM: &[u8; 4] = b"PKVT";

/// Where the keys of a device are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// In a file, sealed under what the Vault PIN gives
    Software,
    /// In the TPM 2.0 of this computer, which gives out none of them
    Tpm,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Software => "in software",
            Self::Tpm => "in the TPM",
        })
    }
}

/// The keys of this device, wherever they are.
pub(crate) trait DeviceKeys: KeyStore + Send {
    /// Where.
    fn place(&self) -> Place;

    /// Whether they can be used here, as far as that is seen without the Vault PIN.
    fn check(&mut self) -> Result<(), Failure>;

    /// Whether a Vault PIN would be compared now.
    fn check_not_locked_out(&self) -> Result<(), Failure>;

    /// Why they were last not used, where more is known than a `KeyStoreError` says.
    fn trouble(&self) -> Option<Failure>;

    /// What stops somebody who has the device from guessing the Vault PIN, and how far that went.
    fn guessing(&self) -> Result<(GuessLimit, String), Failure>;
}

impl DeviceKeys for SoftwareKeys {
    fn place(&self) -> Place {
        Place::Software
    }

    fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn check_not_locked_out(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn trouble(&self) -> Option<Failure> {
        None
    }

    fn guessing(&self) -> Result<(GuessLimit, String), Failure> {
        let limit = self.guess_limit();
        Ok((limit, describe(limit).to_owned()))
    }
}

/// Why bytes are not the keys of a device, or cannot be used as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// They are something else.
    Damaged,
    /// They are in a TPM, and this program was built without.
    #[cfg_attr(feature = "tpm", expect(dead_code, reason = "this one was built with"))]
    NeedTpm,
}

/// The keys of a device from what was kept of them.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Box<dyn DeviceKeys>, NotRead> {
    if bytes.starts_with(MAGIC_OF_TPM) {
        return in_tpm::from_bytes(bytes);
    }
    match SoftwareKeys::from_bytes(bytes) {
        Some(keys) => Ok(Box::new(keys)),
        None => Err(NotRead::Damaged),
    }
}

/// New keys of this device.
pub(crate) struct New {
    pub(crate) keys: Box<dyn DeviceKeys>,
    /// What lets them be used until the Vault PIN does.
    pub(crate) auth: KeyAuth,
    /// Why they are not in the TPM of this computer, where there is one.
    without_tpm: Option<Failure>,
}

impl New {
    /// Makes them in `place`; where none is given, in a TPM if one works. Nothing is kept of them yet, here or there.
    pub(crate) fn make(place: Option<Place>) -> Result<Self, Failure> {
        let rng = &mut host::rng();
        let auth = KeyAuth::random(rng);
        let in_software = |auth, without_tpm| Self {
            keys: Box::new(SoftwareKeys::generate(&auth, &mut host::rng())),
            auth,
            without_tpm,
        };
        if place == Some(Place::Software) {
            return Ok(in_software(auth, None));
        }
        match in_tpm::generate(&auth, rng) {
            Ok(keys) => Ok(Self {
                keys,
                auth,
                without_tpm: None,
            }),
            Err(NotMade { failure, .. }) if place == Some(Place::Tpm) => Err(failure),
            Err(NotMade { failure, is_usual }) => Ok(in_software(auth, (!is_usual).then_some(failure))),
        }
    }

    /// For the person: where they are, why they are not elsewhere, and what that is worth.
    pub(crate) fn explanation(&self) -> Result<String, Failure> {
        let without_tpm = match &self.without_tpm {
            None => String::new(),
            Some(failure) => format!("The TPM is not used: {failure}.\nhint: {}\n", failure.hint()),
        };
        let (_, guessing) = self.keys.guessing()?;
        Ok(format!(
            "{without_tpm}The keys of this device are {}; guess limit: {guessing}.\n",
            self.keys.place()
        ))
    }
}

/// Why keys were not made in a TPM.
struct NotMade {
    failure: Failure,
    /// Many computers have none, or this program cannot use any.
    is_usual: bool,
}

#[cfg(feature = "tpm")]
mod in_tpm {
    use rand_core::CryptoRng;
    use wardkey_vault::KeyAuth;

    use super::tpm::{Chip, TpmError, TpmKeys};
    use super::{DeviceKeys, NotMade, NotRead};

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Box<dyn DeviceKeys>, NotRead> {
        match TpmKeys::from_bytes(Chip::of_this_computer(), bytes) {
            Some(keys) => Ok(Box::new(keys)),
            None => Err(NotRead::Damaged),
        }
    }

    pub(super) fn generate(auth: &KeyAuth, rng: &mut dyn CryptoRng) -> Result<Box<dyn DeviceKeys>, NotMade> {
        let chip = Chip::of_this_computer();
        match TpmKeys::generate(chip.clone(), auth, rng) {
            Ok(keys) => Ok(Box::new(keys)),
            Err(error) => Err(NotMade {
                failure: chip.explain(error),
                is_usual: error == TpmError::Missing,
            }),
        }
    }
}

#[cfg(not(feature = "tpm"))]
mod in_tpm {
    use rand_core::CryptoRng;
    use wardkey_vault::KeyAuth;

    use super::{DeviceKeys, NotMade, NotRead};
    use crate::error::Failure;

    pub(super) fn from_bytes(_: &[u8]) -> Result<Box<dyn DeviceKeys>, NotRead> {
        Err(NotRead::NeedTpm)
    }

    pub(super) fn generate(_: &KeyAuth, _: &mut dyn CryptoRng) -> Result<Box<dyn DeviceKeys>, NotMade> {
        Err(NotMade {
            failure: Failure::new(
                "this wardkey was built without the use of a TPM",
                "build it with --features tpm, or keep the keys in software",
            ),
            is_usual: true,
        })
    }
}

/// What stops somebody who has the device from guessing, in words.
pub(crate) fn describe(limit: GuessLimit) -> &'static str {
    match limit {
        GuessLimit::Hardware => "hardware",
        GuessLimit::OperatingSystem => "operating system only",
        GuessLimit::None => "none",
    }
}

#[cfg(test)]
mod tests;

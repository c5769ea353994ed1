//! Where the TPM is, and what can be asked without a key.

use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
#[cfg(test)]
use std::path::Path;
use std::str::FromStr as _;

use tss_esapi::constants::property_tag::PropertyTag;
use tss_esapi::{Context, TctiNameConf};

use super::counting::Counting;
use super::error::TpmError;
use crate::error::Failure;

/// The TPM of this computer, through the kernel's resource manager, which keeps programs apart.
pub(super) const DEVICE: &str = "/dev/tpmrm0";
/// The variable that names another one.
const VARIABLE: &str = "WARDKEY_TPM";

/// A TPM, as the TCG's TCTI loader names it: `device:/dev/tpmrm0`, `swtpm:host=127.0.0.1,port=2321`.
#[derive(Debug, Clone)]
pub(crate) struct Chip(String);

impl Chip {
    /// The one that the environment names, or else the one behind [`DEVICE`].
    pub(crate) fn of_this_computer() -> Self {
        Self(env::var(VARIABLE).unwrap_or_else(|_| format!("device:{DEVICE}")))
    }

    /// The one behind a device.
    #[cfg(test)]
    pub(crate) fn at(device: &Path) -> Self {
        Self(format!("device:{}", device.display()))
    }

    /// The one behind a port of this computer.
    #[cfg(test)]
    pub(super) fn at_port(port: u16) -> Self {
        Self(format!("swtpm:host=127.0.0.1,port={port}"))
    }

    /// What the TPM says about wrong guesses.
    pub(crate) fn counting(&self) -> Result<Counting, TpmError> {
        let mut context = self.connect()?;
        let mut ask = |property| context.get_tpm_property(property)?.ok_or(TpmError::Nonsense);
        Ok(Counting::new(
            ask(PropertyTag::Permanent)?,
            ask(PropertyTag::LockoutCounter)?,
            ask(PropertyTag::MaxAuthFail)?,
            ask(PropertyTag::LockoutInterval)?,
        ))
    }

    /// What a person has to know about `error`.
    pub(crate) fn explain(&self, error: TpmError) -> Failure {
        if error == TpmError::LockedOut
            && let Some(lockout) = self.counting().ok().and_then(|counting| counting.lockout())
        {
            return lockout;
        }
        Failure::new(error, error.hint())
    }

    /// Opens it. What is loaded in the meantime is flushed when the context is dropped.
    pub(super) fn connect(&self) -> Result<Context, TpmError> {
        if let Some(path) = self.0.strip_prefix("device:") {
            // The library tells neither of these from other errors.
            match OpenOptions::new().read(true).write(true).open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(TpmError::Missing),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Err(TpmError::NotAllowed);
                }
                Ok(_) | Err(_) => {}
            }
        }
        TctiNameConf::from_str(&self.0)
            .and_then(Context::new)
            .map_err(TpmError::Unreachable)
    }
}

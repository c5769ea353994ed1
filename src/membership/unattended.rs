//! The commands as a script calls them: nobody is asked. For the demo.

use std::io::{self, Write, sink};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde_json::Value;

use super::dialogue::Nobody;
use super::{Call, add_device, approve_device, init, set_up_sync};
use crate::cli::device::{AddDevice, ApproveDevice};
use crate::cli::membership::{DeviceKeys, Init, VaultPinSource};
use crate::cli::sync::{Setup, StoreOptions};
use crate::device_keys::Place;
use crate::error::Failure;
use crate::state::State;

/// A computer: its state folder, and a file with the Vault PIN.
pub(crate) struct Computer<'a> {
    pub(crate) name: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) vault_pin_file: PathBuf,
}

impl Computer<'_> {
    /// Makes a vault without a recovery kit; the keys of the device are in software.
    pub(crate) fn make_vault(&self) -> Result<State, Failure> {
        let options = Init {
            vault_pin: self.vault_pin(),
            no_recovery_kit: true,
            device_keys: in_software(),
        };
        self.call(
            &mut sink(),
            |call| Ok(init::make_vault(call, &options, "")?.state),
        )
    }

    /// From now on the vault is exchanged at `store`, a folder.
    pub(crate) fn set_up_sync(&self, store: &Path) -> Result<(), Failure> {
        let options = Setup {
            store: at(store),
            device_name: Some(self.name.to_owned()),
            vault_pin: self.vault_pin(),
        };
        self.call(&mut sink(), |call| set_up_sync(call, &options))
    }

    /// Becomes a device of the vault of `member`, which lets this one in. The two meet at `store`.
    pub(crate) fn join(&self, member: &Self, store: &Path) -> Result<(), Failure> {
        let options = AddDevice {
            store: at(store),
            device_name: Some(self.name.to_owned()),
            device_keys: in_software(),
            vault_pin: self.vault_pin(),
        };
        let (told, lines) = channel();
        thread::scope(|scope| {
            let joining = scope.spawn(|| self.call(&mut Told(told), |call| add_device(call, &options)));
            let code = lines
                .iter()
                .find_map(|line: Value| line["code"].as_str().map(str::to_owned));
            let approved = match code {
                Some(code) => member.approve(code),
                // It failed before it had one, and says why.
                None => Ok(()),
            };
            let joined = joining.join().unwrap_or_else(|panic| resume_unwind(panic));
            approved.and(joined)
        })
    }

    fn approve(&self, code: String) -> Result<(), Failure> {
        let options = ApproveDevice {
            code: Some(code),
            verify: None,
            verify_command: None,
            vault_pin: self.vault_pin(),
        };
        self.call(&mut sink(), |call| approve_device(call, &options))
    }

    fn vault_pin(&self) -> VaultPinSource {
        VaultPinSource {
            vault_pin_file: Some(self.vault_pin_file.clone()),
        }
    }

    fn call<T>(
        &self,
        out: &mut dyn Write,
        command: impl FnOnce(&mut Call<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        Call::new(Some(self.folder), "demo", &mut Nobody, out)
            .json(true)
            .carry_out(command)
    }
}

fn at(store: &Path) -> StoreOptions {
    StoreOptions {
        store: store.display().to_string(),
        credentials_file: None,
    }
}

fn in_software() -> DeviceKeys {
    DeviceKeys {
        place: Some(Place::Software),
    }
}

/// Passes on what a command prints as JSON.
struct Told(Sender<Value>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(line) = serde_json::from_slice(bytes) {
            // Whoever listened may have heard what it wanted.
            let _ = self.0.send(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Where the keys of this device are, whether they can be used, and what limits guesses at the Vault PIN.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, Machine};
use crate::device_keys::{NotRead, describe, from_bytes};

const CHECK: &str = "device keys";

/// Nothing where there are none yet.
pub(super) fn check(machine: &Machine) -> Option<Finding> {
    // What cannot be read, the check of the state folder is about.
    let bytes = fs::read(newest(&machine.state)?).ok()?;
    let mut keys = match from_bytes(&bytes) {
        Ok(keys) => keys,
        Err(NotRead::Damaged) => {
            return Some(Finding::fail(
                CHECK,
                "damaged",
                "take the vault over with its recovery kit: wardkey recover",
            ));
        }
        Err(NotRead::NeedTpm) => {
            return Some(Finding::fail(
                CHECK,
                "in a TPM, which this wardkey was built without",
                "use a wardkey that was built with --features tpm",
            ));
        }
    };
    let place = keys.place();
    let guessing = keys.check().and_then(|()| keys.guessing());
    Some(match guessing {
        Ok((limit, _)) => Finding::ok(CHECK, format!("{place}; guess limit: {}", describe(limit))),
        Err(failure) => Finding::fail(CHECK, format!("{place}: {failure}"), failure.hint()),
    })
}

/// The file of the newest Vault PIN.
fn newest(state: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(state).ok()?.flatten();
    let generation = |name: &str| name.strip_prefix("device-keys.")?.parse::<u32>().ok();
    let files = entries.filter_map(|entry| Some((generation(entry.file_name().to_str()?)?, entry.path())));
    files.max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use wardkey_vault::{KeyAuth, SoftwareKeys};

    use super::super::Level;
    use super::super::testing::{MadeUp, expect};
    use super::*;
    use crate::host;

    const FOLDER: &str = "/home/alice/.local/state/wardkey";

    fn with_keys(made: MadeUp, generation: u32, bytes: &[u8]) -> MadeUp {
        made.with(&format!("{FOLDER}/device-keys.{generation}"), bytes)
    }

    #[test]
    fn keys_in_software_limit_no_guesses() {
        let keys = SoftwareKeys::generate(&KeyAuth::random(&mut host::rng()), &mut host::rng());
        let made = with_keys(MadeUp::empty(), 9, b"the keys of before");
        let made = with_keys(made, 10, keys.as_bytes());
        let found = check(&made.machine).unwrap();
        expect(&found, Level::Ok, "in software; guess limit: none");
    }

    #[test]
    fn damaged_keys_and_none_are_told_apart() {
        assert_eq!(check(&MadeUp::empty().machine), None);
        assert_eq!(check(&MadeUp::empty().with_folder(FOLDER).machine), None);
        let made = with_keys(MadeUp::empty(), 1, b"something");
        let mend = expect(&check(&made.machine).unwrap(), Level::Fail, "damaged");
        assert!(mend.contains("wardkey recover"), "{mend}");
    }

    #[cfg(not(feature = "tpm"))]
    #[test]
    fn keys_in_a_tpm_need_another_build() {
        let made = with_keys(MadeUp::empty(), 1, b"PKVT\x01");
        let found = check(&made.machine).unwrap();
        let mend = expect(
            &found,
            Level::Fail,
            "in a TPM, which this wardkey was built without",
        );
        assert!(mend.contains("--features tpm"), "{mend}");
    }
}

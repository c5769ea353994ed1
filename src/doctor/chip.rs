//! Whether there is a chip that can hold the keys of this device, and how many guesses at a Vault PIN it allows.

use wardkey_vault::GuessLimit;

use super::Finding;
use crate::device_keys::tpm::{Chip, Counting, TpmError};

const CHECK: &str = "chip";

pub(super) fn check(chip: &Chip) -> Finding {
    finding(chip.counting())
}

fn finding(counting: Result<Counting, TpmError>) -> Finding {
    let counting = match counting {
        Ok(counting) => counting,
        // Nothing is wrong: many computers have none.
        Err(TpmError::Missing) => {
            return Finding::ok(
                CHECK,
                "no TPM 2.0; guess limit: none, so a Vault PIN has to be a passphrase",
            );
        }
        Err(error) => return Finding::warn(CHECK, error.to_string(), error.hint()),
    };
    let found = format!("TPM 2.0; guess limit: {counting}");
    match counting.limit() {
        GuessLimit::Hardware => Finding::ok(CHECK, found),
        GuessLimit::OperatingSystem => Finding::warn(
            CHECK,
            found,
            "a Vault PIN has to be a passphrase, unless the TPM's lockout hierarchy has a password:\n\
             sudo tpm2_changeauth --object-context=lockout PASSWORD",
        ),
        GuessLimit::None => Finding::warn(
            CHECK,
            found,
            "a Vault PIN has to be a passphrase, unless the TPM allows fewer guesses:\n\
             sudo tpm2_dictionarylockout --setup-parameters --max-tries=32 --recovery-time=7200 \
             --lockout-recovery-time=86400",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Level;
    use super::super::testing::expect;
    use super::*;

    const PROTECTED: u32 = 1 << 2;

    fn found(permanent: u32, interval: u32) -> Finding {
        finding(Ok(Counting::new(permanent, 0, 32, interval)))
    }

    #[test]
    fn a_computer_without_a_chip_is_well() {
        let found = check(&Chip::at(Path::new("/nonexistent/tpm")));
        expect(
            &found,
            Level::Ok,
            "no TPM 2.0; guess limit: none, so a Vault PIN has to be a passphrase",
        );
    }

    #[test]
    fn a_chip_that_limits_guesses_is_well() {
        expect(
            &found(PROTECTED, 7200),
            Level::Ok,
            "TPM 2.0; guess limit: hardware; 0 of 32 wrong guesses counted, one forgotten every 2 hours",
        );
    }

    #[test]
    fn a_chip_that_does_not_says_how_it_would() {
        let mend = expect(
            &found(0, 7200),
            Level::Warn,
            "TPM 2.0; guess limit: operating system only; 0 of 32 wrong guesses counted, one forgotten every 2 \
             hours; whoever starts another system can have all forgotten",
        );
        assert!(mend.contains("tpm2_changeauth"), "{mend}");
        let mend = expect(
            &found(PROTECTED, 0),
            Level::Warn,
            "TPM 2.0; guess limit: none; it counts no wrong guesses",
        );
        assert!(mend.contains("tpm2_dictionarylockout"), "{mend}");
    }

    #[test]
    fn a_chip_that_may_not_be_used_says_who_may() {
        let found = finding(Err(TpmError::NotAllowed));
        let mend = expect(&found, Level::Warn, "this user may not use the TPM");
        assert!(mend.contains("usermod"), "{mend}");
    }
}

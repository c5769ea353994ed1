//! How a TPM counts wrong guesses (TPM 2.0 part 1, "Dictionary Attack Protection"), and what that is worth.
//!
//! After some wrong guesses the TPM compares no more. It forgets one of them after each interval in which it is on. Who
//! has the password of the lockout hierarchy can have all forgotten at once; on most computers nobody has set one, and
//! then whoever starts another system can.

use std::fmt;
use std::time::Duration;

use wardkey_vault::GuessLimit;

use crate::device_keys::describe;
use crate::error::Failure;

/// `TPMA_PERMANENT` (TPM 2.0 part 2): the lockout hierarchy has a password.
const LOCKOUT_AUTH_SET: u32 = 1 << 2;
/// And: no guess is compared now.
const IN_LOCKOUT: u32 = 1 << 9;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// More wrong guesses in a year than this are no limit: a PIN of six random digits would be found within twenty. The
/// usual settings allow about 4,000 (32 at once, one in two hours) or 50,000 (32, one in ten minutes).
const GUESSES_IN_A_YEAR_MAX: u64 = 55_000;

/// What a TPM says about wrong guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counting {
    is_reset_protected: bool,
    is_locked_out: bool,
    counted: u32,
    allowed: u32,
    interval: Duration,
}

impl Counting {
    /// From the TPM's properties: `permanent` holds flags, `counted` the wrong guesses now, `allowed` how many there may
    /// be, `interval` the seconds after which one is forgotten.
    pub(crate) fn new(permanent: u32, counted: u32, allowed: u32, interval: u32) -> Self {
        Self {
            is_reset_protected: permanent & LOCKOUT_AUTH_SET != 0,
            is_locked_out: permanent & IN_LOCKOUT != 0,
            counted,
            allowed,
            interval: Duration::from_secs(interval.into()),
        }
    }

    /// What stops somebody who has the device.
    pub(crate) fn limit(&self) -> GuessLimit {
        if self
            .guesses_in_a_year()
            .is_none_or(|guesses| guesses > GUESSES_IN_A_YEAR_MAX)
        {
            GuessLimit::None
        } else if self.is_reset_protected {
            GuessLimit::Hardware
        } else {
            GuessLimit::OperatingSystem
        }
    }

    /// What a person has to know while no guess is compared.
    pub(super) fn lockout(&self) -> Option<Failure> {
        self.is_locked_out.then(|| {
            Failure::new(
                format!(
                    "the TPM has counted {} wrong guesses, of this or another program, and checks no more for up to {}",
                    self.counted,
                    in_words(self.interval)
                ),
                "leave the computer on and wait: the TPM forgets one wrong guess after the other",
            )
        })
    }

    /// Nothing when there is no limit: an interval of zero switches the protection off.
    fn guesses_in_a_year(&self) -> Option<u64> {
        let forgotten = YEAR.as_secs().checked_div(self.interval.as_secs())?;
        Some(u64::from(self.allowed) + forgotten)
    }

    #[cfg(test)]
    pub(super) fn counted(&self) -> u32 {
        self.counted
    }
}

/// In plain words.
impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(describe(self.limit()))?;
        if self.interval.is_zero() {
            return f.write_str("; it counts no wrong guesses");
        }
        write!(
            f,
            "; {} of {} wrong guesses counted, one forgotten every {}",
            self.counted,
            self.allowed,
            in_words(self.interval)
        )?;
        if self.is_locked_out {
            f.write_str("; it checks none now")?;
        }
        if !self.is_reset_protected {
            f.write_str("; whoever starts another system can have all forgotten")?;
        }
        Ok(())
    }
}

fn in_words(interval: Duration) -> String {
    match interval.as_secs() {
        seconds @ ..120 => format!("{seconds} seconds"),
        seconds @ ..7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTECTED: u32 = LOCKOUT_AUTH_SET;

    #[test]
    fn a_chip_limits_guesses_only_when_nobody_can_reset_its_counter() {
        let limit = |permanent| Counting::new(permanent, 0, 32, 7200).limit();
        assert_eq!(limit(PROTECTED), GuessLimit::Hardware);
        assert_eq!(limit(0), GuessLimit::OperatingSystem);
        // The password of another hierarchy does not count.
        assert_eq!(limit(0b1011), GuessLimit::OperatingSystem);
    }

    #[test]
    fn a_chip_that_allows_too_many_guesses_limits_nothing() {
        let limit = |allowed, interval| Counting::new(PROTECTED, 0, allowed, interval).limit();
        assert_eq!(limit(32, 600), GuessLimit::Hardware);
        assert_eq!(limit(3, 1000), GuessLimit::Hardware);
        assert_eq!(limit(32, 60), GuessLimit::None);
        assert_eq!(limit(32, 0), GuessLimit::None);
        assert_eq!(limit(u32::MAX, u32::MAX), GuessLimit::None);
    }

    #[test]
    fn it_says_in_words_what_it_counts() {
        let says = |permanent, interval| Counting::new(permanent, 3, 32, interval).to_string();
        assert_eq!(
            says(PROTECTED, 7200),
            "hardware; 3 of 32 wrong guesses counted, one forgotten every 2 hours"
        );
        assert_eq!(
            says(IN_LOCKOUT, 7200),
            "operating system only; 3 of 32 wrong guesses counted, one forgotten every 2 hours; \
             it checks none now; whoever starts another system can have all forgotten"
        );
        assert_eq!(says(PROTECTED, 0), "none; it counts no wrong guesses");
    }
}

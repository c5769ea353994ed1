//! Wrong Vault PINs: counted before they are checked, slower and slower, and never a reason to destroy anything.
//!
//! A PIN is checked with a [`Counted`], which only [`Attempts::count`] makes, after the caller has made the greater
//! count durable; so a program that is killed at any point has counted each PIN that it checked. What the count is
//! worth depends on where it is kept: see [`GuessLimit`](crate::GuessLimit).

use std::time::Duration;

/// So many wrong PINs cost no time.
const FREE: u32 = 3;
const DELAY_MIN: Duration = Duration::from_secs(5);
const DELAY_MAX: Duration = Duration::from_secs(3600);

/// How many wrong PINs there were since the last right one, and from when on the next may be tried.
pub struct Attempts {
    failed: u32,
    not_before: Duration,
}

/// One PIN may be checked: it is counted.
pub struct Counted(());

/// A PIN was checked, and it was right.
pub struct RightPin(());

/// Why a PIN may not be checked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted<E> {
    /// Too many were wrong.
    #[error("after {failed} wrong Vault PINs the next can be tried in {} seconds", .wait.as_secs().saturating_add(1))]
    TooSoon {
        /// How many were wrong.
        failed: u32,
        /// How long to wait.
        wait: Duration,
    },
    /// The count could not be kept.
    #[error("the number of wrong Vault PINs could not be kept: {0}")]
    NotKept(E),
}

impl Attempts {
    /// From what was kept; `now` is the time since some moment that does not change while the program runs. The wait
    /// after a wrong PIN starts again with the program: there is no clock that can be trusted while it does not run.
    pub fn from_bytes(kept: Option<&[u8]>, now: Duration) -> Self {
        let failed = match kept.map(<[u8; 4]>::try_from) {
            None => 0,
            Some(Ok(failed)) => u32::from_be_bytes(failed),
            // Damaged: as slow as can be, until a right PIN mends it.
            Some(Err(_)) => u32::MAX,
        };
        Self {
            failed,
            not_before: now.saturating_add(delay(failed)),
        }
    }

    /// How many PINs were wrong since the last right one.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    /// Counts the PIN that is to be checked next. `keep` makes the bytes durable before it returns.
    pub fn count<E>(
        &mut self,
        now: Duration,
        keep: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<Counted, NotCounted<E>> {
        if let Some(wait) = self.not_before.checked_sub(now).filter(|wait| !wait.is_zero()) {
            return Err(NotCounted::TooSoon {
                failed: self.failed,
                wait,
            });
        }
        let failed = self.failed.saturating_add(1);
        keep(&failed.to_be_bytes()).map_err(NotCounted::NotKept)?;
        self.failed = failed;
        self.not_before = now.saturating_add(delay(failed));
        Ok(Counted(()))
    }

    /// Forgets the wrong PINs, because one was right.
    pub fn forget<E>(&mut self, _: &RightPin, keep: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        keep(&0_u32.to_be_bytes())?;
        self.failed = 0;
        self.not_before = Duration::ZERO;
        Ok(())
    }
}

impl Counted {
    /// The PIN was right.
    pub(crate) fn was_right(self) -> RightPin {
        RightPin(())
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self(())
    }
}

fn delay(failed: u32) -> Duration {
    match failed.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => DELAY_MIN
            .saturating_mul(2_u32.saturating_pow(more))
            .min(DELAY_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn kept(failed: u32) -> Attempts {
        Attempts::from_bytes(Some(&failed.to_be_bytes()), NOW)
    }

    fn wait(attempts: &mut Attempts, now: Duration) -> Option<Duration> {
        match attempts.count(now, |_| Ok::<_, ()>(())) {
            Err(NotCounted::TooSoon { wait, .. }) => Some(wait),
            Ok(_) | Err(NotCounted::NotKept(())) => None,
        }
    }

    #[test]
    fn the_first_wrong_pins_cost_no_time_and_the_next_ever_more_up_to_an_hour() {
        let seconds = |failed| wait(&mut kept(failed), NOW).map(|wait| wait.as_secs());
        let waits: Vec<_> = (0..15).map(seconds).collect();
        assert_eq!(waits[..6], [None, None, None, Some(5), Some(10), Some(20)]);
        assert_eq!(waits[12..], [Some(2560), Some(3600), Some(3600)]);
        assert_eq!(seconds(u32::MAX), Some(3600));
    }

    #[test]
    fn the_wait_ends_and_starts_again_with_the_program() {
        let mut attempts = kept(3);
        let four = Duration::from_secs(4);
        assert_eq!(wait(&mut attempts, NOW + four), Some(Duration::from_secs(1)));
        assert_eq!(wait(&mut attempts, NOW + DELAY_MIN), None);
        // That was the fourth.
        assert_eq!(attempts.failed(), 4);
        assert_eq!(
            wait(&mut attempts, NOW + DELAY_MIN),
            Some(Duration::from_secs(10))
        );
        assert_eq!(wait(&mut kept(4), NOW), Some(Duration::from_secs(10)));
    }

    #[test]
    fn what_cannot_be_kept_is_not_counted_and_not_checked() {
        let mut attempts = kept(1);
        assert_eq!(
            attempts.count(NOW, |_| Err("full")).err(),
            Some(NotCounted::NotKept("full"))
        );
        assert_eq!(attempts.failed(), 1);
    }

    #[test]
    fn a_damaged_count_is_slow_and_a_right_pin_mends_it() {
        let mut attempts = Attempts::from_bytes(Some(&[1, 2, 3]), NOW);
        assert_eq!(wait(&mut attempts, NOW), Some(DELAY_MAX));
        let right = attempts
            .count(NOW + DELAY_MAX, |_| Ok::<_, ()>(()))
            .unwrap()
            .was_right();
        let mut mended = Vec::new();
        attempts
            .forget(&right, |bytes| {
                mended.extend_from_slice(bytes);
                Ok::<_, ()>(())
            })
            .unwrap();
        assert_eq!(Attempts::from_bytes(Some(&mended), NOW).failed(), 0);
        assert_eq!(wait(&mut attempts, NOW), None);
    }
}

//! How long to wait before a device that the kernel dropped is attached again. No clock: the caller says how
//! long the device was attached.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);
/// A device that was attached for so long was dropped for a reason of its own: a suspend, a module reload.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Waits longer after each failure, up to a limit, and never gives up.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The kernel dropped the device after `attached_for`.
    pub(crate) fn after_loss(&mut self, attached_for: Duration) -> Duration {
        if attached_for >= STABLE_AFTER {
            *self = Self::default();
        }
        self.after_failure()
    }

    /// It could not be attached.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_again_after_a_stable_time() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.after_failure().as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(backoff.after_loss(Duration::from_secs(9)), LONGEST);
        assert_eq!(backoff.after_loss(Duration::from_secs(10)), FIRST);
        assert_eq!(backoff.after_loss(Duration::ZERO), FIRST * 2);
    }
}

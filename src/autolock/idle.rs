//! The time after which an open vault that nobody uses locks.

use std::time::Duration;

use wardkey_transport::time::Instant;

/// Knows when the vault was last used. Time comes from the caller.
pub(crate) struct IdleLock {
    /// Never, where there is nothing.
    after: Option<Duration>,
    /// Nothing while the vault is locked.
    last_use: Option<Instant>,
}

impl IdleLock {
    /// For a vault that is locked.
    pub(crate) fn new(after: Option<Duration>) -> Self {
        Self {
            after,
            last_use: None,
        }
    }

    /// The vault was unlocked, or has served.
    pub(crate) fn used(&mut self, now: Instant) {
        self.last_use = Some(now);
    }

    /// The vault was locked.
    pub(crate) fn locked(&mut self) {
        self.last_use = None;
    }

    /// Whether the vault is to be locked now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.poll_timeout().is_some_and(|at| at <= now)
    }

    /// When the vault is to be locked, unless it is used before.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.last_use? + self.after?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(900);

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn it_is_due_when_the_time_has_passed_and_not_before() {
        let mut idle = IdleLock::new(Some(AFTER));
        idle.used(at(100));
        assert_eq!(idle.poll_timeout(), Some(at(1000)));
        assert!(!idle.is_due(Instant::from_millis(999_999)));
        assert!(idle.is_due(at(1000)));
        // Nobody looked while the computer slept.
        assert!(idle.is_due(at(90_000)));
    }

    #[test]
    fn use_puts_it_off() {
        let mut idle = IdleLock::new(Some(AFTER));
        idle.used(at(0));
        idle.used(at(899));
        assert!(!idle.is_due(at(900)));
        assert_eq!(idle.poll_timeout(), Some(at(1799)));
    }

    #[test]
    fn a_locked_vault_has_nothing_to_wait_for() {
        let mut idle = IdleLock::new(Some(AFTER));
        assert_eq!(idle.poll_timeout(), None);
        assert!(!idle.is_due(at(90_000)));
        idle.used(at(0));
        idle.locked();
        assert_eq!(idle.poll_timeout(), None);
        assert!(!idle.is_due(at(90_000)));
        idle.used(at(90_000));
        assert_eq!(idle.poll_timeout(), Some(at(90_900)));
    }

    #[test]
    fn never_is_never() {
        let mut idle = IdleLock::new(None);
        idle.used(at(0));
        assert_eq!(idle.poll_timeout(), None);
        assert!(!idle.is_due(Instant::from_millis(u64::MAX)));
    }
}

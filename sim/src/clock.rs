//! The only place of this crate that reads a clock or waits.

use std::time::{Duration, Instant, SystemTime};

/// The time on a clock that never goes back.
#[expect(
    clippy::disallowed_methods,
    reason = "the clients of this crate measure and give up on time; the machines take no clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "U2F clients poll, CTAP 2.3 §11.2: a client has to wait between two polls"
)]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Seconds since the Unix epoch; 0 when the clock is before it.
#[expect(clippy::disallowed_methods, reason = "a measurement says when it was made")]
pub fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

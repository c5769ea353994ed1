//! The only place here that reads a clock or waits.

use std::time::{Duration, Instant};

#[allow(
    clippy::disallowed_methods,
    reason = "chores measure real time; the rule is for the libraries"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "files carry the time of day")]
pub(crate) fn time_of_day() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// `1.5 s`, `2 min 05 s`.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "nothing wakes us when a child process ends"
)]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

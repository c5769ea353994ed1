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

/// What the processors have done for the programs that this one has started and that have ended: fields 16 and 17 of
/// proc_pid_stat(5).
pub(crate) fn spent_by_children() -> Duration {
    /// A clock tick of that file.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Field 2 is a name in brackets, and may be anything.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let times = behind_name.split_whitespace().skip(13).take(2);
    let ticks: u32 = times.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    TICK * ticks
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

//! When and where a measurement was made.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use wardkey_sim::clock;

/// The date and the machine.
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
}

impl Machine {
    /// This machine now; `folder` is where credentials are stored.
    pub(crate) fn describe(folder: &Path) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            date: date(clock::unix_seconds()),
            processor: model.map_or("unknown processor", |(_, name)| name).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("Linux {}", release.trim()),
            file_system: file_system(folder),
        }
    }
}

/// The type of the file system with the longest mount point above `folder`.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(point).then_some((point, kind))
    });
    above
        .max_by_key(|(point, _)| point.len())
        .map_or("unknown", |(_, kind)| kind)
        .to_owned()
}

/// The civil date of a Unix time: days since 0000-03-01 in eras of 400 years.
fn date(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// What a process used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Time on a processor.
    pub(crate) processor: Duration,
    /// How often it was put on one.
    pub(crate) runs: u64,
}

impl Usage {
    /// All threads of a process since they started, from `/proc/PID/task/*/schedstat`.
    pub(crate) fn of(process: u32) -> Self {
        let mut usage = Self {
            processor: Duration::ZERO,
            runs: 0,
        };
        for thread in fs::read_dir(format!("/proc/{process}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let stat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let mut fields = stat.split_whitespace().map(|field| field.parse().unwrap_or(0));
            let (on, _waiting, runs) = (fields.next(), fields.next(), fields.next());
            usage.processor += Duration::from_nanos(on.unwrap_or(0));
            usage.runs += runs.unwrap_or(0);
        }
        usage
    }

    /// What a process uses in `duration`, after a moment in which it may finish what it does.
    pub(crate) fn during(process: u32, duration: Duration) -> Self {
        clock::pause(Duration::from_millis(500));
        let before = Self::of(process);
        clock::pause(duration);
        let after = Self::of(process);
        Self {
            processor: after.processor.saturating_sub(before.processor),
            runs: after.runs.saturating_sub(before.runs),
        }
    }
}

/// How much memory a process has in use, in bytes.
pub(crate) fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_709_251_199), "2024-02-29");
        assert_eq!(date(4_102_444_800), "2100-01-01");
        assert_eq!(date(1_795_305_600), "2026-11-22");
    }
}

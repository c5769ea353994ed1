//! Times of one operation.

use std::time::Duration;

use wardkey_sim::clock;

use crate::failure::Failure;

/// No round is longer, if it has [`SAMPLES_MIN`].
const BUDGET: Duration = Duration::from_secs(2);
const SAMPLES_MIN: usize = 10;

/// Sorted times.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Does `operation` `count` times, after a tenth of that to warm up.
    pub(crate) fn take(
        count: usize,
        mut operation: impl FnMut() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let start = clock::now();
        for _ in 0..count / 10 {
            operation()?;
            if start.elapsed() > BUDGET / 10 {
                break;
            }
        }
        let start = clock::now();
        let mut times = Vec::with_capacity(count);
        while times.len() < count && (times.len() < SAMPLES_MIN || start.elapsed() < BUDGET) {
            let start = clock::now();
            operation()?;
            times.push(start.elapsed());
        }
        times.sort();
        Ok(Self(times))
    }

    /// Does `operation` once more.
    pub(crate) fn time(&mut self, operation: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        let start = clock::now();
        operation()?;
        self.push(start.elapsed());
        Ok(())
    }

    /// Adds one that was measured elsewhere.
    pub(crate) fn push(&mut self, time: Duration) {
        self.add(Self(vec![time]));
    }

    /// Adds the times of another round.
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of the samples did not exceed, in milliseconds.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank).copied().unwrap_or_default().as_secs_f64() * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let samples = Samples((1..=200).map(Duration::from_millis).collect());
        assert_eq!(
            (samples.percentile_ms(50), samples.percentile_ms(99)),
            (100.0, 198.0)
        );
        let one = Samples(vec![Duration::from_millis(3)]);
        assert_eq!((one.percentile_ms(50), one.percentile_ms(99)), (3.0, 3.0));
    }
}

//! Statistics of repeated measurements.

use std::time::Duration;

/// The durations of repeated measurements.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The percentile by nearest rank, in milliseconds: the smallest sample that at least `percent` % of the samples do
    /// not exceed; 0 without samples.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().map_or(0.0, milliseconds)
    }

    pub fn median(&self) -> f64 {
        self.percentile(50)
    }
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// How many times a second something happened that happened `count` times in `elapsed`.
pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    if elapsed.is_zero() {
        return 0.0;
    }
    f64::from(count) / elapsed.as_secs_f64()
}

/// How many times as large `other` is than `one`; 0 if `one` is 0.
pub fn ratio(other: f64, one: f64) -> f64 {
    if one > 0.0 { other / one } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(milliseconds: impl IntoIterator<Item = u64>) -> Samples {
        Samples(
            milliseconds
                .into_iter()
                .map(Duration::from_millis)
                .collect(),
        )
    }

    fn is(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 1e-9
    }

    #[test]
    fn percentiles_are_samples_whatever_their_order() {
        let hundred = samples((1..=100).rev());
        assert!(is(hundred.percentile(50), 50.0));
        assert!(is(hundred.percentile(95), 95.0));
        assert!(is(hundred.percentile(99), 99.0));
        assert!(is(hundred.percentile(100), 100.0));
        assert!(is(samples([7]).percentile(1), 7.0));
        assert!(is(samples([1, 2, 9]).median(), 2.0));
    }

    #[test]
    fn nothing_measured_is_nothing() {
        assert!(is(samples([]).percentile(99), 0.0));
        assert!(is(per_second(3, Duration::ZERO), 0.0));
        assert!(is(ratio(1.0, 0.0), 0.0));
    }

    #[test]
    fn rates_and_ratios() {
        assert!(is(per_second(50, Duration::from_millis(500)), 100.0));
        assert!(is(ratio(30.0, 10.0), 3.0));
    }
}

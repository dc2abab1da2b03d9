//! Randomness that can be repeated.

use std::sync::Arc;

use twins::SeededRandomness;

/// Dice with a seed: every run gets the same throws. Clones share one sequence.
#[derive(Clone)]
pub struct Dice(Arc<SeededRandomness>);

impl Dice {
    /// The dice with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(SeededRandomness::new(seed)))
    }

    /// A number below `bound`; 0 if `bound` is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        self.0.bits().checked_rem(bound).unwrap_or(0)
    }

    /// True once in `times` on average; never if `times` is 0.
    #[must_use]
    pub fn one_in(&self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// One of `things` at random; `None` if there are none.
    #[must_use]
    pub fn pick<'a, T>(&self, things: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(things.len())
            .ok()
            .filter(|count| *count > 0)?;
        things.get(usize::try_from(self.below(count)).ok()?)
    }

    /// Puts `things` in a random order.
    pub fn shuffle<T>(&self, things: &mut [T]) {
        for end in (1..things.len()).rev() {
            let other = u64::try_from(end + 1).map_or(0, |bound| self.below(bound));
            things.swap(end, usize::try_from(other).unwrap_or(0));
        }
    }
}

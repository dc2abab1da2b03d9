//! The choices that AWS leaves open, as AWS most likely makes them when all is well.

use source_mapping::{Choice, Chooser};
use uuid::Uuid;

/// Chooses for the real clock: no delay but the pause after a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Likely;

impl Chooser for Likely {
    fn choose(&mut self, choice: Choice, options: u64) -> u64 {
        match choice {
            // AWS hashes a key to its lane. A random lane for each new key spreads the keys as a hash does.
            Choice::LaneOfKey => random_below(options),
            Choice::BackOff => back_off(options),
            // AWS's guide says that a shard is paused until the error is resolved.
            Choice::ShardPaused => 1,
            // Ready lanes are all invoked in the same step, so their order does not matter.
            Choice::NextLane
            // Reads are as prompt as AWS allows.
            | Choice::PollDelay
            | Choice::HeldBack
            // The parts of a split batch keep its count, so that no record has more attempts than the owner set.
            | Choice::PartsBeginAnew
            // An update takes effect in the moment in which it is asked for.
            | Choice::UpdatePauses
            | Choice::UpdateMisses
            // AWS's recordings have one report for each discarded batch. A report that waits would be after its
            // checkpoint, and could be lost with the process.
            | Choice::Consolidate => 0,
        }
    }
}

/// A pause from the upper half of the allowed range. A batch that always fails does not keep the machine busy, and
/// batches that failed together do not come back together.
fn back_off(options: u64) -> u64 {
    let longest = options.saturating_sub(1);
    let least = longest.div_ceil(2);
    least + random_below(longest - least + 1)
}

fn random_below(options: u64) -> u64 {
    // The lower half of a random UUID has two fixed bits, at its top.
    let (_, lower) = Uuid::new_v4().as_u64_pair();
    (lower & (u64::MAX >> 2)) % options.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_in_the_upper_half_of_their_range_and_differ() {
        let pauses: Vec<_> = (0..200)
            .map(|_| Likely.choose(Choice::BackOff, 501))
            .collect();
        assert!(pauses.iter().all(|pause| (250..=500).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        assert_eq!(Likely.choose(Choice::BackOff, 1), 0);
    }

    #[test]
    fn keys_are_spread_over_all_lanes() {
        let lanes: std::collections::BTreeSet<_> = (0..500)
            .map(|_| Likely.choose(Choice::LaneOfKey, 10))
            .collect();
        assert_eq!(lanes.len(), 10);
    }
}

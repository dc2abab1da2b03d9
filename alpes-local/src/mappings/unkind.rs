//! The choices that AWS leaves open: as it most likely makes them, or unkindly by the seed of chaos.
//!
//! A mapping delivers at least once, and its polls, batches and changes take the time that they take:
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html>. Each choice is one that
//! `source-mapping` allows, so the rules of `rules.yaml` hold with chaos too.

use std::{sync::Arc, time::Duration};

use source_mapping::{Choice, Chooser};

use super::likely::Likely;
use crate::chaos::{Chaos, Kind};

/// The longest pause before a failed batch is delivered again, in milliseconds. AWS waits longer; nobody would learn more
/// from it.
const LONGEST_BACK_OFF: u64 = 1_000;

/// The chooser of a shard's machine, and the decisions of its reader.
#[derive(Clone)]
pub(super) struct Choosing {
    chaos: Option<Arc<Chaos>>,
    /// The function and the shard, which are the same in each run.
    place: String,
}

impl Choosing {
    pub(super) fn of(chaos: Option<&Arc<Chaos>>, function: &str, part: &str) -> Self {
        Self {
            chaos: chaos.cloned(),
            place: format!("mapping of {function} {part}"),
        }
    }

    /// Whether a batch is delivered again with which its function is done.
    pub(super) fn repeats(&self, kind: Kind, batch: &str) -> bool {
        let chaos = self.chaos.as_ref();
        chaos.is_some_and(|chaos| chaos.strikes(kind, &self.place, batch))
    }

    /// One of two options.
    pub(super) fn coin(&self) -> bool {
        let chaos = self.chaos.as_ref();
        chaos.is_some_and(|chaos| chaos.below(2, &self.place) == 1)
    }

    /// Waits, if it is time to.
    pub(super) async fn wait(&self, kind: Kind, batch: &str) {
        if let Some(delay) = self.delay(kind, batch) {
            tokio::time::sleep(delay).await;
        }
    }

    fn delay(&self, kind: Kind, batch: &str) -> Option<Duration> {
        self.chaos.as_ref()?.delay(kind, &self.place, batch)
    }

    /// The arrival time of a record, as the function sees it.
    pub(super) fn arrival(&self, sequence: &str, millis: u64) -> u64 {
        let chaos = self.chaos.as_ref();
        chaos.map_or(millis, |chaos| chaos.arrival(sequence, millis))
    }
}

impl Chooser for Choosing {
    fn choose(&mut self, choice: Choice, options: u64) -> u64 {
        match &self.chaos {
            None => Likely.choose(choice, options),
            Some(chaos) => unkind(chaos, &self.place, choice, options),
        }
    }
}

fn unkind(chaos: &Chaos, place: &str, choice: Choice, options: u64) -> u64 {
    let place = format!("{choice:?} {place}");
    let any = || chaos.below(options, &place);
    match choice {
        Choice::NextLane
        | Choice::LaneOfKey
        | Choice::PartsBeginAnew
        | Choice::ShardPaused
        | Choice::UpdatePauses
        | Choice::UpdateMisses => any(),
        Choice::BackOff => chaos.below(options.min(LONGEST_BACK_OFF + 1), &place),
        // Most reads are prompt, so that the work goes on, and some are late or short.
        Choice::PollDelay | Choice::HeldBack => {
            let is_kind = chaos.below(4, &place) > 0;
            if is_kind { 0 } else { any() }
        }
        // A report that waits would be after its checkpoint, and be lost if the runtime is killed. AWS documents no lost
        // reports.
        Choice::Consolidate => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_follow_from_the_seed_and_use_their_range() {
        let folder = std::env::temp_dir().join(format!("alpes-unkind-{}", uuid::Uuid::new_v4()));
        let chosen = |seed, choice, options| -> Vec<u64> {
            let chaos = Chaos::new(seed, &folder).unwrap();
            let mut choosing = Choosing::of(Some(&chaos), "f", "shard");
            (0..100).map(|_| choosing.choose(choice, options)).collect()
        };
        let delays = chosen(1, Choice::PollDelay, 1_000);
        assert_eq!(delays, chosen(1, Choice::PollDelay, 1_000));
        assert_ne!(delays, chosen(2, Choice::PollDelay, 1_000));
        assert!(delays.contains(&0) && delays.iter().any(|delay| *delay > 500));
        let pauses = chosen(1, Choice::BackOff, 300_001);
        assert!(pauses.iter().all(|pause| *pause <= 1_000));
        assert_eq!(chosen(1, Choice::Consolidate, 2), [0; 100]);
        assert!(chosen(1, Choice::ShardPaused, 2).contains(&0));
        std::fs::remove_dir_all(folder).unwrap();
    }
}

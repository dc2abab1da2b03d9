//! Plays many seeds.

use std::sync::{Mutex, PoisonError};

use simulation::play_seeds;

use crate::{Planted, Report, Scenario, exercised::Counts, run_with};

/// The number of failed seeds that ends a search.
const ENOUGH: usize = 10;

/// The runs of a search.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first seed.
    pub first: u64,
    /// The number of seeds.
    pub seeds: u64,
    /// The scenarios. The scenarios take turns, and the first one has every other turn.
    pub scenarios: Vec<Scenario>,
    /// The planted mistake to find.
    pub planted: Option<Planted>,
    /// True if the search ends with the first failed seed.
    pub one_is_enough: bool,
}

/// The outcome of a search.
#[derive(Debug, Default)]
pub struct Tally {
    /// The number of runs.
    pub played: u64,
    /// The occurrences in all runs.
    pub counts: Counts,
    /// The reports of the failed runs.
    pub failed: Vec<Report>,
    /// The number of polls.
    pub steps: u64,
    /// The number of sagas.
    pub sagas: u64,
}

impl Plan {
    /// The scenario of a seed.
    #[must_use]
    pub fn scenario(&self, seed: u64) -> Option<&Scenario> {
        let count = u64::try_from(self.scenarios.len()).ok()?;
        let place = if seed.is_multiple_of(2) {
            0
        } else {
            (seed / 2).checked_rem(count)?
        };
        self.scenarios.get(usize::try_from(place).ok()?)
    }

    /// Plays one of the plan's seeds.
    #[must_use]
    pub fn play(&self, seed: u64, keep: bool) -> Option<Report> {
        let scenario = self.scenario(seed)?;
        Some(run_with(scenario, seed, keep, self.planted))
    }
}

impl Tally {
    fn add(&mut self, report: &Report) {
        for (what, times) in &report.counts {
            *self.counts.entry(what.clone()).or_default() += times;
        }
        self.played += 1;
        self.steps += report.steps;
        self.sagas += report.sagas;
    }
}

/// Plays the plan on every core, until too many seeds failed. `each` is called after every run, with the number of runs
/// so far.
#[must_use]
pub fn search(plan: &Plan, each: impl Fn(&Report, u64) + Sync) -> Tally {
    let tally = Mutex::new(Tally::default());
    let enough = if plan.one_is_enough { 1 } else { ENOUGH };
    play_seeds(plan.first, plan.seeds, |seed| {
        let Some(report) = plan.play(seed, false) else {
            return true;
        };
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(&report);
        each(&report, tally.played);
        if !report.broken.is_empty() {
            tally.failed.push(report);
        }
        tally.failed.len() >= enough
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.failed.sort_by_key(|report| report.seed);
    tally
}

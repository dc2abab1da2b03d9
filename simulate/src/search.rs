//! Many runs.

use std::sync::{Mutex, PoisonError};

use simulation::play_seeds;

use crate::{Planted, Report, Scenario, exercised::Counts, run_with};

/// So many seeds that fail end a search.
const ENOUGH: usize = 10;

/// Which runs there are.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first seed.
    pub first: u64,
    /// How many there are.
    pub seeds: u64,
    /// What is played. Each has its turn, the first every other time.
    pub scenarios: Vec<Scenario>,
    /// A mistake that is to be found.
    pub planted: Option<Planted>,
    /// The search ends with the first seed that fails.
    pub one_is_enough: bool,
}

/// What came of a search.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many seeds were played.
    pub played: u64,
    /// All that they came by.
    pub counts: Counts,
    /// Those that failed, by their seeds.
    pub failed: Vec<Report>,
    /// Steps that processes took.
    pub steps: u64,
    /// Sagas that there were.
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

    /// Plays one of its seeds.
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

/// Plays all of a plan on every core, until too many failed. `each` hears of every run.
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

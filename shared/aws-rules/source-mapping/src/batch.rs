//! Batches of records, and the rules after a batch fails.

use crate::{Choice, Chooser, Rule, Settings, chooser::choose};

/// The function's last response to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// The function failed.
    Error,
    /// The function answered, and named records that failed.
    Report,
}

/// Records of one lane that are delivered together, by their positions in the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub places: Vec<usize>,
    /// The number of failures that count for `MaximumRetryAttempts`.
    pub failures: u32,
    /// The number of invocations that the report on a discarded batch tells: those since the batch was made or last
    /// succeeded in part.
    pub attempts: u32,
    /// The number of invocations with this batch, or with the batch from which it was split.
    pub invocations: u32,
    pub response: Option<Response>,
}

/// The mapping's action after a batch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// Deliver these batches instead of the failed one, one after the other.
    Again(Vec<Batch>),
    /// Discard the batch.
    GiveUp(Batch),
}

impl Batch {
    pub(crate) fn new(places: Vec<usize>) -> Self {
        Self {
            places,
            failures: 0,
            attempts: 0,
            invocations: 0,
            response: None,
        }
    }

    /// The action after the function failed, or its response could not be understood.
    pub(crate) fn failed(
        mut self,
        settings: &Settings,
        chooser: &mut dyn Chooser,
        rules: &mut Vec<Rule>,
    ) -> Aftermath {
        if !settings.bisect_batch_on_function_error {
            return self.retried(settings, rules);
        }
        if self.places.len() < 2 {
            rules.push(Rule::BisectSingle);
            return self.retried(settings, rules);
        }
        rules.extend([Rule::BisectHalves, Rule::BisectFree]);
        if settings.report_batch_item_failures {
            rules.push(Rule::BisectRegardless);
        }
        if choose(chooser, Choice::PartsBeginAnew, 2) == 1 {
            self.failures = 0;
        }
        let middle = self.places.len() / 2;
        let (mut first, mut second) = (self.clone(), self);
        first.places.truncate(middle);
        second.places.drain(..middle);
        Aftermath::Again(vec![first, second])
    }

    /// The action after the function named the first record as failed: no done records can be split off, so the attempt
    /// counts.
    pub(crate) fn failed_at_first(self, settings: &Settings, rules: &mut Vec<Rule>) -> Aftermath {
        self.retried(settings, rules)
    }

    /// The action after the function named records as failed. The first of these records has this position in the
    /// batch.
    pub(crate) fn failed_from(
        mut self,
        place: usize,
        settings: &Settings,
        rules: &mut Vec<Rule>,
    ) -> Aftermath {
        self.places.drain(..place);
        (self.failures, self.attempts) = (0, 0);
        rules.push(Rule::ReportCounts);
        if settings.bisect_batch_on_function_error {
            rules.push(Rule::BisectAtCheckpoint);
        }
        Aftermath::Again(vec![self])
    }

    /// Delivers the whole batch again, if another attempt is allowed.
    fn retried(mut self, settings: &Settings, rules: &mut Vec<Rule>) -> Aftermath {
        self.failures = self.failures.saturating_add(1);
        match settings.maximum_retry_attempts {
            None => rules.push(Rule::RetryForever),
            Some(most) if self.failures > most => {
                rules.push(Rule::RetryAttempts);
                return Aftermath::GiveUp(self);
            }
            Some(_) => {}
        }
        rules.push(Rule::RetryWholeBatch);
        Aftermath::Again(vec![self])
    }
}

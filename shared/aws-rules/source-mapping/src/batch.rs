//! Records that are delivered together, and what becomes of them when that fails.

use crate::{Rule, Settings};

/// What a function did with a batch last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// It failed.
    Error,
    /// It answered, and named records that failed.
    Report,
}

/// Records of one lane that are delivered together, by their places in the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub places: Vec<usize>,
    /// Failures that count for `MaximumRetryAttempts`.
    pub failures: u32,
    /// Times that the function was given it, or what it was split from.
    pub invocations: u32,
    pub response: Option<Response>,
}

/// What becomes of a batch that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// These are delivered instead, one after the other.
    Again(Vec<Batch>),
    /// It is delivered no more.
    GiveUp(Batch),
}

impl Batch {
    pub(crate) fn new(places: Vec<usize>) -> Self {
        Self {
            places,
            failures: 0,
            invocations: 0,
            response: None,
        }
    }

    /// After the function failed, or its response could not be understood.
    pub(crate) fn failed(self, settings: &Settings, rules: &mut Vec<Rule>) -> Aftermath {
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
        let middle = self.places.len() / 2;
        let (mut first, mut second) = (self.clone(), self);
        first.places.truncate(middle);
        second.places.drain(..middle);
        Aftermath::Again(vec![first, second])
    }

    /// After the function named its first record as failed: nothing can be split off, so the attempt counts.
    pub(crate) fn failed_at_first(self, settings: &Settings, rules: &mut Vec<Rule>) -> Aftermath {
        self.retried(settings, rules)
    }

    /// After the function named records as failed, of which the first has this place in the batch.
    pub(crate) fn failed_from(
        mut self,
        place: usize,
        settings: &Settings,
        rules: &mut Vec<Rule>,
    ) -> Aftermath {
        self.places.drain(..place);
        if settings.bisect_batch_on_function_error {
            rules.push(Rule::BisectAtCheckpoint);
            return Aftermath::Again(vec![self]);
        }
        rules.push(Rule::ReportCounts);
        self.retried(settings, rules)
    }

    /// As a whole, if one more attempt is allowed.
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

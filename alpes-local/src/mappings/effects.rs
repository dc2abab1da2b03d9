//! The outputs of a machine's step, sorted by what a reader does with them.

use source_mapping::{DestinationRecord, Invocation, Output, Rule, SequenceNumber, Step};

use super::status::{Act, Counts};

/// The consequences of a step.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) invocations: Vec<Invocation>,
    /// Reports for the destination.
    pub(super) reports: Vec<DestinationRecord>,
    /// The last checkpoint.
    pub(super) through: Option<SequenceNumber>,
    /// The actions to publish, without invocations and reports.
    pub(super) acts: Vec<Act>,
    pub(super) rules: Vec<&'static str>,
    pub(super) counts: Counts,
    pub(super) discarded: u64,
    pub(super) bisections: u64,
}

impl Effects {
    /// `has_destination` is true if discarded records are reported.
    pub(super) fn of(step: Step, has_destination: bool) -> Self {
        let mut effects = Self::default();
        let splits = step
            .rules
            .iter()
            .filter(|rule| **rule == Rule::BisectHalves);
        effects.bisections = number(splits.count());
        effects.rules = ids(&step.rules);
        for output in step.outputs {
            effects.take(output, has_destination);
        }
        effects
    }

    fn take(&mut self, output: Output, has_destination: bool) {
        match output {
            Output::Invoke(invocation) => self.invocations.push(invocation),
            Output::Sent(report) => self.reports.push(report),
            Output::Checkpointed { through, .. } => {
                let told = through.to_string();
                self.acts.push(Act::Checkpointed { through: told });
                self.through = Some(through);
            }
            Output::Filtered { records, .. } => {
                self.counts.filtered_out += number(records.len());
                let records = records.len();
                self.acts.push(Act::Filtered { records });
            }
            Output::Skipped { records, .. } => {
                let records = records.len();
                self.acts.push(Act::Skipped { records });
            }
            Output::Expired { records, .. } => {
                self.counts.dropped += number(records.len());
                let records = records.len();
                self.acts.push(Act::Expired { records });
            }
            Output::Discarded {
                records, condition, ..
            } => {
                self.discarded += number(records.len());
                if !has_destination {
                    self.counts.dropped += number(records.len());
                }
                let (records, condition) = (records.len(), condition.as_str());
                self.acts.push(Act::Discarded { records, condition });
            }
            Output::GaveUp { orphans, .. } => {
                let in_flight = orphans.len();
                self.acts.push(Act::GaveUp { in_flight });
            }
            // The age of each shard's oldest record is in its view.
            Output::IteratorAge { .. } => {}
        }
    }
}

/// The ids of rules, each once, in the order in which the rules were applied.
pub(super) fn ids(rules: &[Rule]) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> = vec![];
    for rule in rules {
        if !ids.contains(&rule.id()) {
            ids.push(rule.id());
        }
    }
    ids
}

pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

//! Event source mappings with a planted mistake. Each mistake is made from outside: a wrapper changes the inputs or
//! outputs of a mapping as the mistake in its code would.

use std::collections::BTreeMap;

use source_mapping::{
    Change, Chooser, Input, Invocation, InvocationId, Mapping, Outcome, Output, Record, Settings,
    ShardId, Step,
};

use crate::model::BEGIN;

/// A planted mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Lanes ignore keys: each record chooses its own lane.
    LanesMixKeys,
    /// The record that is named as failed counts as done.
    CheckpointOffByOne,
    /// An empty response `{}` counts as a failure.
    EmptyResponseFails,
    /// Child shards do not wait for their parents.
    ChildBeforeParent,
    /// After a split, only the first part is delivered.
    SecondHalfLost,
    /// A failed batch is retried without limit.
    RetriesNotCounted,
    /// Throttles count as attempts.
    ThrottlesCounted,
    /// A lane is invoked again while its batch is in flight.
    TwoBatchesALane,
    FilterIgnored,
    AgeIgnored,
    RetentionIgnored,
    /// A batch has one record too many.
    BatchTooLarge,
    /// Records are discarded without a report.
    DiscardedUntold,
    /// A partial batch response counts although the setting is off.
    ReportHeardUnasked,
    /// A batch is discarded although it should be split.
    NotSplit,
    /// A batch is delivered again although it succeeded.
    SuccessForgotten,
}

impl Bug {
    pub const ALL: [Self; 16] = [
        Self::LanesMixKeys,
        Self::CheckpointOffByOne,
        Self::EmptyResponseFails,
        Self::ChildBeforeParent,
        Self::SecondHalfLost,
        Self::RetriesNotCounted,
        Self::ThrottlesCounted,
        Self::TwoBatchesALane,
        Self::FilterIgnored,
        Self::AgeIgnored,
        Self::RetentionIgnored,
        Self::BatchTooLarge,
        Self::DiscardedUntold,
        Self::ReportHeardUnasked,
        Self::NotSplit,
        Self::SuccessForgotten,
    ];

    fn settings(self, settings: &mut Settings) {
        match self {
            Self::FilterIgnored => settings.filters.clear(),
            Self::AgeIgnored => settings.maximum_record_age = None,
            Self::RetentionIgnored => settings.retention *= 2,
            Self::BatchTooLarge => settings.batch_size += 1,
            Self::ReportHeardUnasked => settings.report_batch_item_failures = true,
            Self::NotSplit => settings.bisect_batch_on_function_error = false,
            _ => {}
        }
    }
}

/// A mapping with or without a planted mistake.
pub struct Subject {
    pub mapping: Mapping,
    bug: Option<Bug>,
    out: BTreeMap<InvocationId, Invocation>,
    /// Failed batches. Only the first part of each will be delivered.
    failed: Vec<Invocation>,
    /// The records as they arrived, by shard and number.
    records: BTreeMap<(ShardId, String), Record>,
}

impl Subject {
    pub fn new(mut settings: Settings, bug: Option<Bug>) -> Self {
        if let Some(bug) = bug {
            bug.settings(&mut settings);
        }
        Self {
            mapping: Mapping::new(settings, BEGIN).unwrap(),
            bug,
            out: BTreeMap::new(),
            failed: vec![],
            records: BTreeMap::new(),
        }
    }

    pub fn step(&mut self, input: Input, chooser: &mut dyn Chooser) -> Step {
        let Some(bug) = self.bug else {
            return self.mapping.step(input, chooser).unwrap();
        };
        let mut step = Step::default();
        for input in self.changed(bug, input) {
            let came = self.mapping.step(input, chooser).unwrap();
            self.came(bug, came, &mut step, chooser);
        }
        step
    }

    /// The inputs that the mapping receives instead of `input`.
    fn changed(&mut self, bug: Bug, input: Input) -> Vec<Input> {
        match (bug, input) {
            (Bug::LanesMixKeys, Input::Appended { shard, records }) => {
                let records = records.into_iter().map(|record| {
                    let number = record.sequence.to_string();
                    let place = (shard.clone(), number.clone());
                    self.records.insert(place, record.clone());
                    let partition_key = number.as_str().into();
                    Record {
                        partition_key,
                        ..record
                    }
                });
                let records = records.collect();
                vec![Input::Appended { shard, records }]
            }
            (Bug::ChildBeforeParent, Input::Split { children, .. }) => {
                children.map(Input::Opened).into()
            }
            (Bug::ChildBeforeParent, Input::Merged { child, .. }) => vec![Input::Opened(child)],
            (
                _,
                Input::Finished {
                    invocation,
                    outcome,
                },
            ) => {
                let outcome = self.outcome(bug, invocation, outcome);
                let ended = self.out.remove(&invocation);
                let finished = Input::Finished {
                    invocation,
                    outcome: outcome.clone(),
                };
                let mut inputs = vec![finished];
                if let Some(ended) = ended {
                    if bug == Bug::SuccessForgotten && matches!(outcome, Outcome::Returned(_)) {
                        inputs.push(Input::LeaseLost {
                            shard: ended.shard.clone(),
                            checkpoint_too: true,
                        });
                    }
                    self.failed.push(ended);
                }
                inputs
            }
            (Bug::TwoBatchesALane, Input::TimePassed(now)) => {
                let out = self.out.values().next();
                let lost = out.map(|out| Input::LeaseLost {
                    shard: out.shard.clone(),
                    checkpoint_too: false,
                });
                lost.into_iter().chain([Input::TimePassed(now)]).collect()
            }
            (_, Input::ChangeAsked(Change::Update(mut settings))) => {
                bug.settings(&mut settings);
                vec![Input::ChangeAsked(Change::Update(settings))]
            }
            (_, input) => vec![input],
        }
    }

    fn outcome(&self, bug: Bug, invocation: InvocationId, outcome: Outcome) -> Outcome {
        match (bug, &outcome) {
            (Bug::EmptyResponseFails, Outcome::Returned(response)) if response == b"{}" => {
                Outcome::FunctionError
            }
            (Bug::RetriesNotCounted, Outcome::FunctionError) => Outcome::Throttled,
            (Bug::ThrottlesCounted, Outcome::Throttled) => Outcome::FunctionError,
            (Bug::CheckpointOffByOne, Outcome::Returned(response)) => {
                let batch = &self.out.get(&invocation);
                let batch = batch.map(|out| out.records.as_slice()).unwrap_or_default();
                let sequences: Vec<_> = batch.iter().map(|record| &record.sequence).collect();
                let (verdict, _) = source_mapping::judge(response, &sequences);
                match verdict {
                    source_mapping::Verdict::DoneBefore(place) => {
                        Outcome::failed_at(sequences.get(place + 1).copied())
                    }
                    _ => outcome,
                }
            }
            _ => outcome,
        }
    }

    /// Adds the outputs of a step, changed by the mistake.
    fn came(&mut self, bug: Bug, came: Step, step: &mut Step, chooser: &mut dyn Chooser) {
        step.rules.extend(came.rules);
        for output in came.outputs {
            match (bug, output) {
                (Bug::DiscardedUntold, Output::Discarded { .. })
                | (Bug::TwoBatchesALane | Bug::SuccessForgotten, Output::GaveUp { .. }) => {}
                (Bug::LanesMixKeys, Output::Invoke(mut invocation)) => {
                    for record in &mut invocation.records {
                        let number = record.sequence.to_string();
                        let place = (invocation.shard.clone(), number);
                        *record = self.records[&place].clone().into();
                    }
                    step.outputs.push(Output::Invoke(invocation));
                }
                (Bug::SecondHalfLost, Output::Invoke(invocation))
                    if self.is_second_half(&invocation) =>
                {
                    let finished = Input::Finished {
                        invocation: invocation.id,
                        outcome: Outcome::done(),
                    };
                    let more = self.mapping.step(finished, chooser).unwrap();
                    self.came(bug, more, step, chooser);
                }
                (_, output) => {
                    if let Output::Invoke(invocation) = &output {
                        self.out.insert(invocation.id, invocation.clone());
                    }
                    step.outputs.push(output);
                }
            }
        }
    }

    /// True if the records are the end of a failed batch, but not all of it.
    fn is_second_half(&self, invocation: &Invocation) -> bool {
        self.failed.iter().any(|failed| {
            let ends = failed.records.ends_with(&invocation.records);
            ends && failed.records.len() > invocation.records.len()
        })
    }
}

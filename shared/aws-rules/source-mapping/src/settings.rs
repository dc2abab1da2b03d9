//! How a mapping is set up, within the limits that AWS sets.

use std::time::Duration;

use thiserror::Error;

use crate::{Filter, InvalidFilter, Millis, Rule};

/// Where a mapping begins in a shard that it has not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// At the oldest record that the stream still has.
    TrimHorizon,
    /// After the newest record that there is when it begins to read.
    Latest,
    /// At the first record that arrived then, or later.
    AtTimestamp(Millis),
}

/// How shards are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Lambda asks each shard once a second, within limits that all such consumers of a shard share.
    Shared,
    /// Kinesis pushes what arrives, within limits of this consumer's own.
    FanOut,
}

/// Where word of discarded batches goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A bucket: it is given the batch itself, too.
    S3,
    /// A queue.
    Sqs,
    /// A topic.
    Sns,
}

/// The names that events and destination records carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The stream.
    pub stream_arn: String,
    /// The function.
    pub function_arn: String,
    /// The role of the function.
    pub role_arn: String,
}

impl Names {
    /// The region of the stream.
    pub(crate) fn region(&self) -> &str {
        self.stream_arn.split(':').nth(3).unwrap_or_default()
    }
}

impl Default for Names {
    fn default() -> Self {
        Self {
            stream_arn: "arn:aws:kinesis:us-east-1:123456789012:stream/stream".to_owned(),
            function_arn: "arn:aws:lambda:us-east-1:123456789012:function:function".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/role".to_owned(),
        }
    }
}

/// The settings of a mapping, and what of its stream matters to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `StartingPosition`, with its timestamp.
    pub starting_position: StartingPosition,
    /// `BatchSize`: the most records of a batch, 1 to 10,000.
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: whole seconds, 300 at most.
    pub batching_window: Duration,
    /// `ParallelizationFactor`: batches of a shard that may be out at once, 1 to 10.
    pub parallelization_factor: usize,
    /// `MaximumRetryAttempts`, 10,000 at most; `None` is -1, without end.
    pub maximum_retry_attempts: Option<u32>,
    /// `MaximumRecordAgeInSeconds`: whole seconds, a minute to a week; `None` is -1, without end.
    pub maximum_record_age: Option<Duration>,
    /// `BisectBatchOnFunctionError`.
    pub bisect_batch_on_function_error: bool,
    /// `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub report_batch_item_failures: bool,
    /// `DestinationConfig.OnFailure`.
    pub on_failure: Option<Destination>,
    /// `FilterCriteria`: five at most.
    pub filters: Vec<Filter>,
    /// `Enabled`: whether it begins to read once it is created.
    pub enabled: bool,
    /// Whether the event source is the stream, or a consumer with enhanced fan-out.
    pub reads: Reads,
    /// How long the stream keeps a record, 24 to 8,760 hours.
    pub retention: Duration,
    /// Names.
    pub names: Names,
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSettings {
    /// A number is outside of its limits.
    #[error("{setting} must be {limits}")]
    OutOfRange {
        /// The setting, as AWS calls it.
        setting: &'static str,
        /// What it may be.
        limits: &'static str,
    },
    /// A filter is none.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
}

impl InvalidSettings {
    /// The rule that they break.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match self {
            Self::OutOfRange { .. } => Rule::SettingsLimits,
            Self::Filter(InvalidFilter::NotData(_)) => Rule::FilterDataOnly,
            Self::Filter(_) => Rule::FilterPattern,
        }
    }
}

impl Settings {
    /// What a mapping is that is given a stream, a function and a starting position alone; and a stream that is given nothing.
    #[must_use]
    pub fn new(starting_position: StartingPosition) -> Self {
        Self {
            starting_position,
            batch_size: 100,
            batching_window: Duration::ZERO,
            parallelization_factor: 1,
            maximum_retry_attempts: None,
            maximum_record_age: None,
            bisect_batch_on_function_error: false,
            report_batch_item_failures: false,
            on_failure: None,
            filters: vec![],
            enabled: true,
            reads: Reads::Shared,
            retention: Duration::from_hours(24),
            names: Names::default(),
        }
    }

    /// Adds a filter by its pattern, `{"data":{"kind":["order"]}}`.
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] if it is none.
    pub fn filter(mut self, pattern: &str) -> Result<Self, InvalidSettings> {
        self.filters.push(Filter::parse(pattern)?);
        Ok(self)
    }

    /// Checks what AWS checks.
    pub(crate) fn check(&self) -> Result<(), InvalidSettings> {
        let limits = [
            (
                "BatchSize",
                "1 to 10,000",
                (1..=10_000).contains(&self.batch_size),
            ),
            (
                "MaximumBatchingWindowInSeconds",
                "0 to 300, in whole seconds",
                seconds_within(self.batching_window, 0, 300),
            ),
            (
                "ParallelizationFactor",
                "1 to 10",
                (1..=10).contains(&self.parallelization_factor),
            ),
            (
                "MaximumRetryAttempts",
                "-1, or 0 to 10,000",
                self.maximum_retry_attempts
                    .is_none_or(|most| most <= 10_000),
            ),
            (
                "MaximumRecordAgeInSeconds",
                "-1, or 60 to 604,800, in whole seconds",
                self.maximum_record_age
                    .is_none_or(|age| seconds_within(age, 60, 604_800)),
            ),
            (
                "FilterCriteria",
                "five filters at most",
                self.filters.len() <= 5,
            ),
            (
                "RetentionPeriodHours",
                "24 to 8,760 hours",
                seconds_within(self.retention, 24 * 3600, 8760 * 3600),
            ),
        ];
        let broken = limits.into_iter().find(|(_, _, holds)| !holds);
        match broken {
            None => Ok(()),
            Some((setting, limits, _)) => Err(InvalidSettings::OutOfRange { setting, limits }),
        }
    }
}

fn seconds_within(duration: Duration, least: u64, most: u64) -> bool {
    duration.subsec_nanos() == 0 && (least..=most).contains(&duration.as_secs())
}

//! The settings of an event source mapping, with AWS's limits.

use std::time::Duration;

use thiserror::Error;

use crate::{Filter, InvalidFilter, Millis, Rule};

/// The position at which a mapping begins to read a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// The mapping begins at the oldest record that the stream still has.
    TrimHorizon,
    /// The mapping begins after the newest record at the time when it begins to read.
    Latest,
    /// The mapping begins at the first record that arrived at this time or later.
    AtTimestamp(Millis),
}

/// The way in which shards are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Lambda polls each shard once a second, within limits that all readers of the shard share.
    Shared,
    /// Kinesis pushes records as they arrive, within limits of this consumer alone.
    FanOut,
    /// The caller polls the shards, within limits that it keeps itself, and appends what it read. The mapping takes
    /// records as they are appended.
    ByCaller,
}

/// The destination of reports on discarded batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An S3 bucket, which also receives the batch itself.
    S3,
    /// An SQS queue.
    Sqs,
    /// An SNS topic.
    Sns,
}

/// The ARNs in events and destination records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The ARN of the stream.
    pub stream_arn: String,
    /// The ARN of the function, with its alias if the mapping names one.
    pub function_arn: String,
    /// The version of the function to which the ARN leads: `$LATEST` without an alias or a version.
    pub executed_version: String,
    /// The ARN of the function's role.
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
            executed_version: "$LATEST".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/role".to_owned(),
        }
    }
}

/// The settings of an event source mapping, and the settings of its stream and function that affect it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `StartingPosition`, with its timestamp.
    pub starting_position: StartingPosition,
    /// `BatchSize`: the largest number of records in a batch, 1 to 10,000.
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: whole seconds, at most 300.
    pub batching_window: Duration,
    /// `ParallelizationFactor`: the number of a shard's batches that may be in flight, 1 to 10.
    pub parallelization_factor: usize,
    /// `MaximumRetryAttempts`, at most 10,000; `None` stands for -1, without limit.
    pub maximum_retry_attempts: Option<u32>,
    /// `MaximumRecordAgeInSeconds`: whole seconds, from a minute to a week; `None` stands for -1, without limit.
    pub maximum_record_age: Option<Duration>,
    /// `BisectBatchOnFunctionError`: true if a failed batch is split.
    pub bisect_batch_on_function_error: bool,
    /// True if `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub report_batch_item_failures: bool,
    /// `DestinationConfig.OnFailure`: the destination of reports on discarded batches.
    pub on_failure: Option<Destination>,
    /// `FilterCriteria`: at most five filters.
    pub filters: Vec<Filter>,
    /// `Enabled`: true if the mapping begins to read once it is created.
    pub enabled: bool,
    /// The event source: the stream itself, or a consumer with enhanced fan-out.
    pub reads: Reads,
    /// The retention of the stream, 24 to 8,760 hours.
    pub retention: Duration,
    /// The names of the stream, the function and the role.
    pub names: Names,
}

/// The reason why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSettings {
    /// A number is out of its limits.
    #[error("{setting} must be {limits}")]
    OutOfRange {
        /// The name of the setting on AWS.
        setting: &'static str,
        /// The limits in words.
        limits: &'static str,
    },
    /// A filter is invalid.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
}

impl InvalidSettings {
    /// The rule that the settings break.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match self {
            Self::OutOfRange { .. } => Rule::SettingsLimits,
            Self::Filter(InvalidFilter::UnknownField(_)) => Rule::FilterFields,
            Self::Filter(_) => Rule::FilterPattern,
        }
    }
}

impl Settings {
    /// AWS's defaults for an event source mapping with this starting position, and for its stream.
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

    /// Adds the filter of a pattern, for example `{"data":{"kind":["order"]}}`.
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] if the pattern is invalid.
    pub fn filter(mut self, pattern: &str) -> Result<Self, InvalidSettings> {
        self.filters.push(Filter::parse(pattern)?);
        Ok(self)
    }

    /// Checks the settings as AWS does.
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

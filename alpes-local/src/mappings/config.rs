//! The settings of a mapping, as they are stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use source_mapping::{Destination, Filter, Millis, Reads, Settings, StartingPosition};

use crate::{
    error::AwsError,
    names::{ACCOUNT, FunctionName},
};

/// The settings of a mapping, for the deployment of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingSpec {
    /// The function: a name, `name:qualifier`, or an ARN.
    pub function: String,
    /// The ARN of the stream or queue.
    pub source_arn: String,
    /// The ARN of the stream's consumer, for enhanced fan-out.
    pub consumer: Option<String>,
    /// The settings. A queue uses the batch size, the batching window, `report_batch_item_failures` and `enabled`.
    /// The names, the retention and the kind of reads are found otherwise, but for the role.
    pub settings: Settings,
    /// The ARN of the on-failure destination.
    pub destination_arn: Option<String>,
    /// `ScalingConfig.MaximumConcurrency` of a queue, 2 to 1,000.
    pub maximum_concurrency: Option<usize>,
}

impl MappingSpec {
    /// All settings in JSON. Equal texts stand for equal settings.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` if the source is no stream or queue.
    pub fn to_json(&self) -> Result<String, AwsError> {
        let config = Config::of(self.clone())?;
        serde_json::to_string(&config).map_err(AwsError::internal)
    }
}

/// `StartingPosition`, with the timestamp in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Position {
    TrimHorizon,
    Latest,
    AtTimestamp(u64),
}

/// A group of metrics that AWS publishes on request. This runtime always counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Metric {
    EventCount,
}

/// The event source of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A Kinesis stream, by its name, read by polls or by a consumer with enhanced fan-out.
    Stream { name: String, reads: Reads },
    /// An SQS queue.
    Queue,
}

/// Everything that the owner of a mapping decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Config {
    /// The ARN of the function, with its qualifier if it has one.
    pub(super) function: String,
    /// `EventSourceArn`: the ARN of a stream, of a stream's consumer, or of a queue.
    pub(super) source: String,
    /// `None` for a queue.
    pub(super) position: Option<Position>,
    pub(super) batch_size: usize,
    pub(super) window_seconds: u64,
    pub(super) factor: usize,
    pub(super) retries: Option<u32>,
    pub(super) age_seconds: Option<u64>,
    pub(super) bisects: bool,
    pub(super) reports: bool,
    pub(super) destination: Option<String>,
    pub(super) patterns: Vec<String>,
    pub(super) enabled: bool,
    pub(super) maximum_concurrency: Option<usize>,
    /// `MetricsConfig.Metrics`.
    pub(super) metrics: Vec<Metric>,
    /// The role in events, `invokeIdentityArn`.
    pub(super) role: String,
}

impl Source {
    /// The source of an `EventSourceArn`.
    pub(super) fn parse(arn: &str) -> Result<Self, AwsError> {
        let mut parts = arn.splitn(6, ':');
        let service = parts.nth(2).unwrap_or_default();
        let resource = parts.nth(2).unwrap_or_default();
        match (service, resource.strip_prefix("stream/")) {
            ("kinesis", Some(stream)) => Ok(match stream.split_once("/consumer/") {
                Some((name, _)) => Self::stream(name, Reads::FanOut),
                None => Self::stream(stream, Reads::Shared),
            }),
            ("sqs", _) if is_fifo(resource) => {
                Err(invalid("EventSourceArn: FIFO queues are not supported"))
            }
            ("sqs", _) if !resource.is_empty() => Ok(Self::Queue),
            _ => Err(invalid(format!(
                "Unrecognized event source, must be kinesis or sqs: EventSourceArn {arn}"
            ))),
        }
    }

    fn stream(name: &str, reads: Reads) -> Self {
        let name = name.to_owned();
        Self::Stream { name, reads }
    }
}

impl Config {
    /// AWS's defaults.
    pub(super) fn new(function: &str, source_arn: &str) -> Result<Self, AwsError> {
        let source = Source::parse(source_arn)?;
        let function = FunctionName::parse(function)?;
        Ok(Self {
            role: format!("arn:aws:iam::{ACCOUNT}:role/{}", function.name),
            function: function.arn(),
            source: source_arn.to_owned(),
            position: None,
            batch_size: if source == Source::Queue { 10 } else { 100 },
            window_seconds: 0,
            factor: 1,
            retries: None,
            age_seconds: None,
            bisects: false,
            reports: false,
            destination: None,
            patterns: vec![],
            enabled: true,
            maximum_concurrency: None,
            metrics: vec![],
        })
    }

    /// The settings that a template declares.
    pub(super) fn of(spec: MappingSpec) -> Result<Self, AwsError> {
        let settings = spec.settings;
        let source = spec.consumer.unwrap_or(spec.source_arn);
        let mut config = Self::new(&spec.function, &source)?;
        if let Source::Stream { .. } = Source::parse(&source)? {
            config.position = Some(Position::of(settings.starting_position));
            config.role = settings.names.role_arn;
        }
        Ok(Self {
            batch_size: settings.batch_size,
            window_seconds: settings.batching_window.as_secs(),
            factor: settings.parallelization_factor,
            retries: settings.maximum_retry_attempts,
            age_seconds: settings.maximum_record_age.map(|age| age.as_secs()),
            bisects: settings.bisect_batch_on_function_error,
            reports: settings.report_batch_item_failures,
            destination: spec.destination_arn,
            patterns: settings
                .filters
                .iter()
                .map(|filter| filter.pattern().to_owned())
                .collect(),
            enabled: settings.enabled,
            maximum_concurrency: spec.maximum_concurrency,
            ..config
        })
    }

    /// The settings for the machine of a stream's shard.
    pub(super) fn settings(&self, retention: Duration) -> Result<Settings, AwsError> {
        let position = self.position.unwrap_or(Position::TrimHorizon);
        let mut settings = Settings::new(position.into());
        settings.batch_size = self.batch_size;
        settings.batching_window = Duration::from_secs(self.window_seconds);
        settings.parallelization_factor = self.factor;
        settings.maximum_retry_attempts = self.retries;
        settings.maximum_record_age = self.age_seconds.map(Duration::from_secs);
        settings.bisect_batch_on_function_error = self.bisects;
        settings.report_batch_item_failures = self.reports;
        settings.on_failure = self.destination.as_deref().map(destination).transpose()?;
        settings.filters = self
            .patterns
            .iter()
            .map(|pattern| filter(pattern))
            .collect::<Result<_, _>>()?;
        settings.retention = retention;
        if let Source::Stream { reads, .. } = Source::parse(&self.source)? {
            settings.reads = reads;
        }
        let stream = self.source.split("/consumer/").next();
        stream
            .unwrap_or_default()
            .clone_into(&mut settings.names.stream_arn);
        settings.names.function_arn.clone_from(&self.function);
        settings.names.role_arn.clone_from(&self.role);
        Ok(settings)
    }
}

impl Position {
    fn of(position: StartingPosition) -> Self {
        match position {
            StartingPosition::TrimHorizon => Self::TrimHorizon,
            StartingPosition::Latest => Self::Latest,
            StartingPosition::AtTimestamp(at) => Self::AtTimestamp(at.0),
        }
    }
}

impl From<Position> for StartingPosition {
    fn from(position: Position) -> Self {
        match position {
            Position::TrimHorizon => Self::TrimHorizon,
            Position::Latest => Self::Latest,
            Position::AtTimestamp(at) => Self::AtTimestamp(Millis(at)),
        }
    }
}

fn destination(arn: &str) -> Result<Destination, AwsError> {
    let service = arn.split(':').nth(2).unwrap_or_default();
    match service {
        "s3" => Ok(Destination::S3),
        "sqs" | "sns" if is_fifo(arn) => Err(invalid(format!(
            "DestinationConfig.OnFailure.Destination: FIFO queues and topics are not supported: {arn}"
        ))),
        "sqs" => Ok(Destination::Sqs),
        "sns" => Ok(Destination::Sns),
        _ => Err(invalid(format!(
            "DestinationConfig.OnFailure.Destination must be the ARN of a bucket, a queue or a topic: {arn}"
        ))),
    }
}

fn is_fifo(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, kind)| kind == "fifo")
}

fn filter(pattern: &str) -> Result<Filter, AwsError> {
    let refused = |cause| {
        invalid(format!(
            "Invalid filter pattern definition. FilterCriteria.Filters: {cause}"
        ))
    };
    Filter::parse(pattern).map_err(refused)
}

/// The error of a value that AWS refuses.
pub(super) fn invalid(message: impl std::fmt::Display) -> AwsError {
    AwsError::client("InvalidParameterValueException", message.to_string()).with("Type", "User")
}

/// The error of a setting that the kind of source does not have.
pub(super) fn unsupported(setting: &str) -> AwsError {
    invalid(format!(
        "Unsupported {setting} parameter for given event source mapping type."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/log";
    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";

    #[test]
    fn sources_are_streams_consumers_and_queues() {
        let shared = Source::stream("log", Reads::Shared);
        assert_eq!(Source::parse(STREAM), Ok(shared));
        let fan_out = Source::stream("log", Reads::FanOut);
        assert_eq!(
            Source::parse(&format!("{STREAM}/consumer/me:1")),
            Ok(fan_out)
        );
        assert_eq!(Source::parse(QUEUE), Ok(Source::Queue));
        for other in [
            "log",
            "arn:aws:sqs:us-east-1:000000000000:jobs.fifo",
            "arn:aws:s3:::b",
        ] {
            let error = Source::parse(other).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException");
            assert!(error.message.contains("EventSourceArn"), "{error}");
        }
    }
    #[test]
    fn a_mapping_has_the_arn_of_its_function() {
        let config = Config::new("order-function:live", STREAM).unwrap();
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:order-function:live";
        assert_eq!(config.function, arn);
        assert!(
            config.role.ends_with(":role/order-function"),
            "{}",
            config.role
        );
        let error = Config::new("a b", STREAM).unwrap_err();
        assert_eq!(error.code, "ValidationException");
    }
}

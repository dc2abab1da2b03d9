//! Event source mappings: of Kinesis streams and of SQS queues.

use std::time::Duration;

use source_mapping::{Names, Settings};
use template::{Properties, Resource, TemplateError};

use super::{
    draft::{Draft, Source},
    events::Target,
};

/// An event source mapping of a Kinesis stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMapping {
    /// The logical id.
    pub id: String,
    /// The function: its name, or `name:qualifier`.
    pub function: String,
    /// The ARN of the stream, or of its consumer.
    pub source_arn: String,
    /// The name of the consumer, if the mapping reads with enhanced fan-out.
    pub consumer: Option<String>,
    /// The settings, with the retention of the stream and the ARNs for events.
    pub settings: Settings,
    /// The ARN of the destination of reports on discarded batches.
    pub destination_arn: Option<String>,
}

/// An event source mapping of an SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMapping {
    /// The logical id.
    pub id: String,
    /// The function: its name, or `name:qualifier`.
    pub function: String,
    /// The ARN of the queue.
    pub queue_arn: String,
    /// The most messages of a batch.
    pub batch_size: usize,
    /// The time to wait for a full batch.
    pub batching_window: Duration,
    /// True if the function reports the messages of a batch that failed.
    pub report_batch_item_failures: bool,
    /// The most batches at once: 2 to 1,000; `None` for no limit of the mapping.
    pub maximum_concurrency: Option<u32>,
    /// The filter patterns: a message must match one of them. Empty for all messages.
    pub filters: Vec<String>,
    /// True if the mapping reads at once.
    pub enabled: bool,
}

/// The ARN of a source, and the property that has it.
type SourceArn<'a> = (&'a str, &'static str);

/// An `AWS::Lambda::EventSourceMapping`.
pub(super) fn mapping(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        draft.skip(set, &["Tags"]);
        let (function, alias) = draft.function(set, "FunctionName")?;
        let target = Target {
            function: function.name.clone(),
            alias,
        };
        let arn = set.required("EventSourceArn")?;
        let source = (arn.as_str(), "EventSourceArn");
        match arn.split(':').nth(2) {
            Some("kinesis") => add_stream(set, &resource.id, source, &target, draft),
            Some("sqs") => add_queue(set, &resource.id, source, &target, draft),
            _ => {
                let why = "a source is a Kinesis stream or an SQS queue here";
                Err(set.unsupported("EventSourceArn", why))
            }
        }
    })
}

/// Adds the mapping of a stream. `set` has the settings.
pub(super) fn add_stream(
    set: &Properties<'_>,
    id: &str,
    (arn, property): SourceArn<'_>,
    target: &Target,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    draft.skip(set, &["KmsKeyArn", "MetricsConfig"]);
    if set.number::<u32>("TumblingWindowInSeconds")?.unwrap_or(0) > 0 {
        let why = "this runtime has no tumbling windows";
        return Err(set.unsupported("TumblingWindowInSeconds", why));
    }
    let (stream, consumer) = match arn.split_once("/consumer/") {
        Some((stream, consumer)) => (stream, consumer.split(':').next()),
        None => (arn, None),
    };
    let hours = draft.stream(stream, set, property)?.retention_hours;
    let names = names(stream, target, draft);
    let retention = Duration::from_hours(hours.into());
    let read = template::StreamMapping::read(set, arn, names, retention)?;
    draft.plan.stream_mappings.push(StreamMapping {
        id: id.to_owned(),
        function: qualified(target),
        source_arn: arn.to_owned(),
        consumer: consumer.map(str::to_owned),
        settings: read.settings,
        destination_arn: read.destination_arn,
    });
    Ok(())
}

fn names(stream: &str, target: &Target, draft: &Draft) -> Names {
    let mut functions = draft.plan.functions.iter();
    let function = functions.find(|function| function.name == target.function);
    let arn = function
        .map(|function| function.arn.as_str())
        .unwrap_or_default();
    let role = function.map(|function| function.role_arn.clone());
    let alias = target.alias.as_deref();
    Names {
        stream_arn: stream.to_owned(),
        function_arn: alias.map_or_else(|| arn.to_owned(), |alias| format!("{arn}:{alias}")),
        executed_version: draft.version(&target.function, alias),
        role_arn: role.unwrap_or_default(),
    }
}

/// Adds the mapping of a queue. `set` has the settings.
pub(super) fn add_queue(
    set: &Properties<'_>,
    id: &str,
    (arn, property): SourceArn<'_>,
    target: &Target,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    draft.skip(set, &["KmsKeyArn", "MetricsConfig"]);
    if !draft.plan.queues.iter().any(|queue| queue.arn == arn) {
        let name = format!("queue {arn}");
        return Err(TemplateError::dangling(set.place(property), name));
    }
    let batch_size = set.number("BatchSize")?.unwrap_or(10);
    let window: u32 = set.number("MaximumBatchingWindowInSeconds")?.unwrap_or(0);
    if !(1..=10_000).contains(&batch_size) {
        return Err(set.must("BatchSize", "1 to 10000"));
    }
    if window > 300 {
        return Err(set.must("MaximumBatchingWindowInSeconds", "0 to 300"));
    }
    if batch_size > 10 && window == 0 {
        let rule = "1 or more where BatchSize is more than 10";
        return Err(set.must("MaximumBatchingWindowInSeconds", rule));
    }
    draft.plan.queue_mappings.push(QueueMapping {
        id: id.to_owned(),
        function: qualified(target),
        queue_arn: arn.to_owned(),
        batch_size,
        batching_window: Duration::from_secs(window.into()),
        report_batch_item_failures: template::reports_failures(set)?,
        maximum_concurrency: maximum_concurrency(set)?,
        filters: template::filters(set)?,
        enabled: set.truth("Enabled")?.unwrap_or(true),
    });
    Ok(())
}

fn maximum_concurrency(set: &Properties<'_>) -> Result<Option<u32>, TemplateError> {
    let most = set.within("ScalingConfig", |scaling| {
        let most = scaling.number("MaximumConcurrency")?;
        match most {
            Some(most) if !(2..=1000).contains(&most) => {
                Err(scaling.must("MaximumConcurrency", "2 to 1000"))
            }
            most => Ok(most),
        }
    })?;
    Ok(most.flatten())
}

fn qualified(target: &Target) -> String {
    match &target.alias {
        Some(alias) => format!("{}:{alias}", target.function),
        None => target.function.clone(),
    }
}

//! `EventSourceMappingConfiguration`: a mapping as the API answers it.

use serde_json::{Map, Value, json};

use super::super::{
    config::{Config, Position, Source},
    core::Live,
};
use crate::names;

/// The document of a mapping in this state.
pub(super) fn of(live: &Live, state: &str) -> Value {
    let config = live.config();
    let is_queue = Source::parse(&config.source) == Ok(Source::Queue);
    let mut document = common(&config, live, state);
    document.extend(if is_queue {
        of_queue(&config)
    } else {
        of_stream(&config, live)
    });
    document.into()
}

fn common(config: &Config, live: &Live, state: &str) -> Map<String, Value> {
    let types = if config.reports {
        vec!["ReportBatchItemFailures"]
    } else {
        vec![]
    };
    let arn = names::arn("lambda", &format!("event-source-mapping:{}", live.uuid));
    let mut document = map(json!({
        "UUID": live.uuid,
        "EventSourceMappingArn": arn,
        "EventSourceArn": config.source,
        "FunctionArn": config.function,
        "BatchSize": config.batch_size,
        "MaximumBatchingWindowInSeconds": config.window_seconds,
        "FunctionResponseTypes": types,
        "LastModified": seconds(live.modified()),
        "State": state,
    }));
    if !config.metrics.is_empty() {
        document.insert(
            "MetricsConfig".to_owned(),
            json!({"Metrics": config.metrics}),
        );
    }
    document
}

fn of_queue(config: &Config) -> Map<String, Value> {
    let mut document = map(json!({"StateTransitionReason": "USER_INITIATED"}));
    if let Some(most) = config.maximum_concurrency {
        document.insert(
            "ScalingConfig".to_owned(),
            json!({"MaximumConcurrency": most}),
        );
    }
    document
}

fn of_stream(config: &Config, live: &Live) -> Map<String, Value> {
    let on_failure = match &config.destination {
        Some(arn) => json!({"Destination": arn}),
        None => json!({}),
    };
    let mut document = map(json!({
        "StateTransitionReason": "User action",
        "LastProcessingResult": live.status.last_result(),
        "ParallelizationFactor": config.factor,
        "BisectBatchOnFunctionError": config.bisects,
        "MaximumRetryAttempts": config.retries.map_or(-1, i64::from),
        "MaximumRecordAgeInSeconds": config.age_seconds.map_or(json!(-1), Value::from),
        "TumblingWindowInSeconds": 0,
        "DestinationConfig": {"OnFailure": on_failure},
    }));
    let (name, time) = match config.position {
        Some(Position::Latest) => ("LATEST", None),
        Some(Position::AtTimestamp(millis)) => ("AT_TIMESTAMP", Some(millis)),
        Some(Position::TrimHorizon) | None => ("TRIM_HORIZON", None),
    };
    document.insert("StartingPosition".to_owned(), name.into());
    if let Some(millis) = time {
        document.insert("StartingPositionTimestamp".to_owned(), seconds(millis));
    }
    if !config.patterns.is_empty() {
        let filters = config
            .patterns
            .iter()
            .map(|pattern| json!({"Pattern": pattern}));
        let filters: Vec<_> = filters.collect();
        document.insert("FilterCriteria".to_owned(), json!({"Filters": filters}));
    }
    document
}

/// A time as the API writes it: seconds since 1970, with milliseconds.
fn seconds(millis: u64) -> Value {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    serde_json::from_str(&text).unwrap_or_default()
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

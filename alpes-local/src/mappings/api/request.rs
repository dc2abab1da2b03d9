//! Requests to create and to update a mapping.

use serde_json::{Map, Value};

use super::{
    super::config::{Config, Metric, Position, Source, invalid, unsupported},
    members::{Members, constraint},
};
use crate::{error::AwsError, names};

/// The members that a request to update may have.
const MEMBERS: [&str; 13] = [
    "FunctionName",
    "Enabled",
    "BatchSize",
    "FilterCriteria",
    "MetricsConfig",
    "ScalingConfig",
    "MaximumBatchingWindowInSeconds",
    "ParallelizationFactor",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
];
/// The further members of a request to create.
const MEMBERS_OF_CREATE: [&str; 3] = [
    "EventSourceArn",
    "StartingPosition",
    "StartingPositionTimestamp",
];
/// The members that only streams have.
const OF_STREAMS: [&str; 5] = [
    "ParallelizationFactor",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
];

/// The settings of a request to create a mapping.
pub(super) fn created(body: &[u8]) -> Result<Config, AwsError> {
    let members = Members::parse(body, &MEMBERS, &MEMBERS_OF_CREATE)?;
    let source = members.text("EventSourceArn")?;
    let source =
        source.ok_or_else(|| invalid("Unrecognized event source: EventSourceArn is missing"))?;
    let function = members.text("FunctionName")?;
    let function = function.ok_or_else(|| constraint("functionName", "null", "not be null"))?;
    let mut config = Config::new(function, source)?;
    config.position = members.position()?;
    members.apply(&mut config)?;
    Ok(config)
}

/// The settings of a mapping after a request to update it.
pub(super) fn updated(body: &[u8], before: &Config) -> Result<Config, AwsError> {
    let members = Members::parse(body, &MEMBERS, &["UUID"])?;
    let mut config = before.clone();
    if let Some(function) = members.text("FunctionName")? {
        config.function = names::FunctionName::parse(function)?.arn();
    }
    members.apply(&mut config)?;
    Ok(config)
}

impl Members {
    /// Changes the settings to those that the request names.
    fn apply(&self, config: &mut Config) -> Result<(), AwsError> {
        self.check_kind(config)?;
        if let Some(enabled) = self.truth("Enabled")? {
            config.enabled = enabled;
        }
        if let Some(size) = self.count("BatchSize", 1, 10_000)? {
            config.batch_size = size;
        }
        if let Some(seconds) = self.count("MaximumBatchingWindowInSeconds", 0, 300)? {
            config.window_seconds = seconds;
        }
        if let Some(factor) = self.count("ParallelizationFactor", 1, 10)? {
            config.factor = factor;
        }
        self.limit("MaximumRetryAttempts", 10_000, &mut config.retries)?;
        self.limit(
            "MaximumRecordAgeInSeconds",
            604_800,
            &mut config.age_seconds,
        )?;
        if let Some(bisects) = self.truth("BisectBatchOnFunctionError")? {
            config.bisects = bisects;
        }
        if let Some(types) = self.texts("FunctionResponseTypes", "ReportBatchItemFailures")? {
            config.reports = types;
        }
        self.apply_objects(config)
    }

    fn apply_objects(&self, config: &mut Config) -> Result<(), AwsError> {
        if let Some(set) = self.object("DestinationConfig")? {
            config.destination = destination(set)?;
        }
        if let Some(set) = self.object("FilterCriteria")? {
            config.patterns = patterns(set)?;
        }
        if let Some(set) = self.object("ScalingConfig")? {
            let set = Members(set.clone());
            config.maximum_concurrency = set.count("MaximumConcurrency", 2, 1000)?;
        }
        if let Some(set) = self.object("MetricsConfig")? {
            let set = Members(set.clone());
            let is_set = set.texts("Metrics", "EventCount")?.unwrap_or(false);
            config.metrics = is_set.then_some(Metric::EventCount).into_iter().collect();
        }
        Ok(())
    }

    /// Refuses members that this kind of source does not have.
    fn check_kind(&self, config: &Config) -> Result<(), AwsError> {
        let wrong: &[&str] = match Source::parse(&config.source)? {
            Source::Queue => &OF_STREAMS,
            Source::Stream { .. } => &["ScalingConfig"],
        };
        match wrong.iter().find(|name| self.0.contains_key(**name)) {
            Some(name) => Err(unsupported(name)),
            None => Ok(()),
        }
    }

    fn position(&self) -> Result<Option<Position>, AwsError> {
        let time = self.read(
            "StartingPositionTimestamp",
            "seconds since 1970",
            Value::as_f64,
        )?;
        match (self.text("StartingPosition")?, time) {
            (Some("AT_TIMESTAMP"), Some(seconds)) => timestamp(seconds).map(Some),
            (Some("AT_TIMESTAMP"), None) => Err(invalid(
                "StartingPositionTimestamp is needed with StartingPosition AT_TIMESTAMP",
            )),
            (_, Some(_)) => Err(invalid(
                "StartingPositionTimestamp is only valid with StartingPosition AT_TIMESTAMP",
            )),
            (Some("TRIM_HORIZON"), None) => Ok(Some(Position::TrimHorizon)),
            (Some("LATEST"), None) => Ok(Some(Position::Latest)),
            (Some(other), None) => {
                let rule = "satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]";
                Err(constraint("startingPosition", other, rule))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The starting position of a time in seconds, which must not be in the future.
fn timestamp(seconds: f64) -> Result<Position, AwsError> {
    let refused = |rule| invalid(format!("StartingPositionTimestamp {seconds} {rule}"));
    let since = std::time::Duration::try_from_secs_f64(seconds);
    let since = since.map_err(|_| refused("must be seconds since 1970"))?;
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    if millis > names::now_millis() {
        return Err(refused("cannot be in the future"));
    }
    Ok(Position::AtTimestamp(millis))
}

/// `OnFailure.Destination`; an empty text stands for none.
fn destination(set: &Map<String, Value>) -> Result<Option<String>, AwsError> {
    if let Some(other) = set.keys().find(|name| *name != "OnFailure") {
        return Err(unsupported(&format!("DestinationConfig.{other}")));
    }
    let arn = set
        .get("OnFailure")
        .and_then(|target| target.get("Destination"));
    match arn {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(arn)) => Ok(Some(arn.clone()).filter(|arn| !arn.is_empty())),
        Some(_) => Err(invalid(
            "DestinationConfig.OnFailure.Destination must be a text",
        )),
    }
}

fn patterns(set: &Map<String, Value>) -> Result<Vec<String>, AwsError> {
    let filters = match set.get("Filters") {
        None | Some(Value::Null) => return Ok(vec![]),
        Some(Value::Array(filters)) => filters,
        Some(_) => return Err(invalid("FilterCriteria.Filters must be a list")),
    };
    let pattern = |filter: &Value| Some(filter.get("Pattern")?.as_str()?.to_owned());
    let patterns = filters.iter().map(pattern).collect::<Option<_>>();
    patterns.ok_or_else(|| {
        invalid("Invalid filter pattern definition. FilterCriteria.Filters: each filter needs a Pattern")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(change: &Value) -> Result<Config, AwsError> {
        let mut body = json!({
            "FunctionName": "worker",
            "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/log",
            "StartingPosition": "TRIM_HORIZON",
        });
        let change = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(change);
        created(body.to_string().as_bytes())
    }

    #[test]
    fn every_setting_of_a_stream_is_read() {
        let config = request(&json!({
            "BatchSize": 5, "MaximumBatchingWindowInSeconds": 2, "ParallelizationFactor": 3,
            "MaximumRetryAttempts": 0, "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": true, "Enabled": false,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failed"}},
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
            "MetricsConfig": {"Metrics": ["EventCount"]},
            "TumblingWindowInSeconds": 0, "ScalingConfig": null,
        }));
        let expected = Config {
            position: Some(Position::TrimHorizon),
            batch_size: 5,
            window_seconds: 2,
            factor: 3,
            retries: Some(0),
            age_seconds: Some(60),
            bisects: true,
            reports: true,
            destination: Some("arn:aws:s3:::failed".to_owned()),
            patterns: vec!["{}".to_owned()],
            enabled: false,
            metrics: vec![Metric::EventCount],
            ..request(&json!({})).unwrap()
        };
        assert_eq!(config, Ok(expected.clone()));

        let body = br#"{"MaximumRetryAttempts":-1,"DestinationConfig":{"OnFailure":{}}}"#;
        let after = updated(body, &expected).unwrap();
        assert_eq!((after.retries, after.destination.as_deref()), (None, None));
        assert_eq!(after.patterns, expected.patterns);
    }

    #[test]
    fn refusals_name_the_member() {
        let refused = [
            (json!({"BatchSize": 0}), "ValidationException", "batchSize"),
            (
                json!({"BatchSize": 10_001}),
                "ValidationException",
                "batchSize",
            ),
            (
                json!({"BatchSize": "5"}),
                "SerializationException",
                "BatchSize",
            ),
            (
                json!({"StartingPosition": "NOW"}),
                "ValidationException",
                "startingPosition",
            ),
            (
                json!({"StartingPosition": "AT_TIMESTAMP"}),
                "InvalidParameterValueException",
                "Timestamp",
            ),
            (
                json!({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1e11}),
                "InvalidParameterValueException",
                "future",
            ),
            (
                json!({"ScalingConfig": {}}),
                "InvalidParameterValueException",
                "ScalingConfig",
            ),
            (json!({"Topics": ["t"]}), "ValidationException", "Topics"),
            (
                json!({"TumblingWindowInSeconds": 1}),
                "ValidationException",
                "Tumbling",
            ),
            (
                json!({"FunctionResponseTypes": ["x"]}),
                "ValidationException",
                "functionResponseTypes",
            ),
            (
                json!({"FunctionName": null}),
                "ValidationException",
                "functionName",
            ),
            (
                json!({"EventSourceArn": null}),
                "InvalidParameterValueException",
                "EventSourceArn",
            ),
            (
                json!({"DestinationConfig": {"OnSuccess": {}}}),
                "InvalidParameterValueException",
                "OnSuccess",
            ),
        ];
        for (change, code, named) in refused {
            let error = request(&change).unwrap_err();
            assert_eq!(error.code, code, "{change}");
            assert!(error.message.contains(named), "{error}");
        }
    }
}

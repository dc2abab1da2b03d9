//! The settings of functions and event source mappings in a template.

use std::time::Duration;

use serde_json::{Map, Value};
use source_mapping::{Destination, Millis, Reads, Settings, StartingPosition};

use crate::{Resource, Template, TemplateError};

/// A function, with the settings that a runtime needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The name of the function.
    pub name: String,
    /// The time limit of an invocation.
    pub timeout: Duration,
    /// The memory of the function, in MB.
    pub memory: u64,
    /// The environment variables, by name.
    pub environment: Map<String, Value>,
}

impl Template {
    /// All functions of the template.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if a function has invalid settings.
    pub fn functions(&self) -> Result<Vec<Function>, TemplateError> {
        let found = self.of_kind("AWS::Serverless::Function");
        found
            .map(|(id, function)| self.function_of(id, function))
            .collect()
    }

    /// The function of this name.
    ///
    /// # Errors
    ///
    /// [`TemplateError::NoFunction`], or [`TemplateError::Malformed`] if any function has invalid settings.
    pub fn function(&self, name: &str) -> Result<Function, TemplateError> {
        let mut all = self.functions()?.into_iter();
        let found = all.find(|function| function.name == name);
        found.ok_or_else(|| TemplateError::NoFunction(name.to_owned()))
    }

    /// The names of the functions that have an event source mapping.
    pub fn mapped(&self) -> impl Iterator<Item = &str> {
        let mappings = self.of_kind("AWS::Lambda::EventSourceMapping");
        mappings.filter_map(|(_, mapping)| mapping.properties.get("FunctionName")?.as_str())
    }

    /// The settings of this function's event source mapping, with the retention of the Kinesis stream.
    ///
    /// # Errors
    ///
    /// [`TemplateError::NoMapping`], or the error of an invalid setting.
    pub fn mapping(&self, function: &str) -> Result<Settings, TemplateError> {
        let mut mappings = self.of_kind("AWS::Lambda::EventSourceMapping");
        let found = mappings.find(|(_, mapping)| {
            mapping
                .properties
                .get("FunctionName")
                .and_then(Value::as_str)
                == Some(function)
        });
        let (id, mapping) = found.ok_or_else(|| TemplateError::NoMapping(function.to_owned()))?;
        self.settings(
            &At {
                id,
                set: &mapping.properties,
            },
            function,
        )
    }

    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = (&str, &Resource)> {
        let all = self.resources.iter();
        let of_kind = all.filter(move |(_, resource)| resource.kind == kind);
        of_kind.map(|(id, resource)| (id.as_str(), resource))
    }

    fn function_of(&self, id: &str, function: &Resource) -> Result<Function, TemplateError> {
        let mut set = self
            .globals
            .get("Function")
            .and_then(Value::as_object)
            .cloned();
        let set = set.get_or_insert_default();
        let variables = |set: &Map<String, Value>| {
            let variables = set.get("Environment").and_then(|all| all.get("Variables"));
            variables
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let mut environment = variables(set);
        environment.extend(variables(&function.properties));
        set.extend(function.properties.clone());
        let at = At { id, set };
        Ok(Function {
            name: at.text("FunctionName")?.unwrap_or(id).to_owned(),
            timeout: Duration::from_secs(at.number("Timeout")?.unwrap_or(3)),
            memory: at.number("MemorySize")?.unwrap_or(128),
            environment,
        })
    }

    fn settings(&self, at: &At<'_>, function: &str) -> Result<Settings, TemplateError> {
        let starting_position = match at.text("StartingPosition")? {
            Some("TRIM_HORIZON") => StartingPosition::TrimHorizon,
            Some("LATEST") => StartingPosition::Latest,
            Some("AT_TIMESTAMP") => {
                let missing = || at.must("StartingPositionTimestamp", "seconds since 1970");
                let seconds = at
                    .number("StartingPositionTimestamp")?
                    .ok_or_else(missing)?;
                StartingPosition::AtTimestamp(Millis(seconds.saturating_mul(1_000)))
            }
            _ => return Err(at.must("StartingPosition", "TRIM_HORIZON, LATEST or AT_TIMESTAMP")),
        };
        let mut settings = Settings::new(starting_position);
        if let Some(size) = at.number("BatchSize")? {
            settings.batch_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
        if let Some(window) = at.number("MaximumBatchingWindowInSeconds")? {
            settings.batching_window = Duration::from_secs(window);
        }
        if let Some(factor) = at.number("ParallelizationFactor")? {
            settings.parallelization_factor = usize::try_from(factor).unwrap_or(usize::MAX);
        }
        let attempts = at.bound("MaximumRetryAttempts")?;
        settings.maximum_retry_attempts =
            attempts.map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX));
        settings.maximum_record_age = at
            .bound("MaximumRecordAgeInSeconds")?
            .map(Duration::from_secs);
        settings.bisect_batch_on_function_error =
            at.truth("BisectBatchOnFunctionError")?.unwrap_or(false);
        settings.enabled = at.truth("Enabled")?.unwrap_or(true);
        let reports = Value::from("ReportBatchItemFailures");
        let types = at.list("FunctionResponseTypes")?;
        settings.report_batch_item_failures = types.contains(&reports);
        settings.on_failure = self.destination(at)?;
        settings.names.function_arn = format!(
            "arn:aws:lambda:{}:{}:function:{function}",
            crate::REGION,
            crate::ACCOUNT
        );
        let source = at.text("EventSourceArn")?.unwrap_or_default();
        if source.ends_with(".ConsumerARN") {
            settings.reads = Reads::FanOut;
        }
        settings.retention = self.retention()?;
        for filter in at.filters()? {
            let refused = |cause| TemplateError::Refused {
                at: at.path("FilterCriteria"),
                cause,
            };
            settings = settings.filter(filter).map_err(refused)?;
        }
        Ok(settings)
    }

    /// The retention of the template's first Kinesis stream. A template is expected to have only one.
    fn retention(&self) -> Result<Duration, TemplateError> {
        let Some((id, stream)) = self.of_kind("AWS::Kinesis::Stream").next() else {
            return Ok(Duration::from_hours(24));
        };
        let at = At {
            id,
            set: &stream.properties,
        };
        Ok(Duration::from_hours(
            at.number("RetentionPeriodHours")?.unwrap_or(24),
        ))
    }

    /// The destination of discarded batches, by the type of the resource that the setting names.
    fn destination(&self, at: &At<'_>) -> Result<Option<Destination>, TemplateError> {
        let config = at
            .set
            .get("DestinationConfig")
            .and_then(|set| set.get("OnFailure"));
        let Some(arn) = config.and_then(|set| set.get("Destination")?.as_str()) else {
            return Ok(None);
        };
        let id = arn.rsplit_once('.').map_or(arn, |(name, _)| name);
        let named = |(known, resource): &(&String, &Resource)| {
            let mut names = resource
                .properties
                .iter()
                .filter(|(name, _)| name.ends_with("Name"));
            known.as_str() == id || names.any(|(_, name)| name == id)
        };
        let kind = self
            .resources
            .iter()
            .find(named)
            .map(|(_, resource)| resource.kind.as_str());
        match kind {
            Some("AWS::S3::Bucket") => Ok(Some(Destination::S3)),
            Some("AWS::SQS::Queue") => Ok(Some(Destination::Sqs)),
            Some("AWS::SNS::Topic") => Ok(Some(Destination::Sns)),
            _ => Err(at.must(
                "DestinationConfig",
                "a bucket, a queue or a topic of the template",
            )),
        }
    }
}

/// The properties of a resource, with its id for errors.
struct At<'a> {
    id: &'a str,
    set: &'a Map<String, Value>,
}

impl<'a> At<'a> {
    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.id)
    }

    fn must(&self, name: &str, rule: &'static str) -> TemplateError {
        TemplateError::Malformed {
            at: self.path(name),
            rule,
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, TemplateError> {
        self.read(name, "a text", Value::as_str)
    }

    /// Reads a setting. `rule` is the required form of the setting, in words.
    fn read<T>(
        &self,
        name: &str,
        rule: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, TemplateError> {
        let Some(value) = self.set.get(name) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| self.must(name, rule))
    }

    /// A whole number. A number that comes from a parameter is a text.
    fn integer(&self, name: &str) -> Result<Option<i64>, TemplateError> {
        self.read(name, "a whole number", |value| {
            value.as_i64().or_else(|| value.as_str()?.parse().ok())
        })
    }

    fn number(&self, name: &str) -> Result<Option<u64>, TemplateError> {
        let negative = |_| self.must(name, "a whole number that is not negative");
        let number = self.integer(name)?;
        number
            .map(|number| u64::try_from(number).map_err(negative))
            .transpose()
    }

    /// A number; `None` for -1, which means no limit.
    fn bound(&self, name: &str) -> Result<Option<u64>, TemplateError> {
        match self.integer(name)? {
            Some(-1) => Ok(None),
            _ => self.number(name),
        }
    }

    fn truth(&self, name: &str) -> Result<Option<bool>, TemplateError> {
        self.read(name, "true or false", |value| {
            value.as_bool().or_else(|| value.as_str()?.parse().ok())
        })
    }

    fn list(&self, name: &str) -> Result<&'a [Value], TemplateError> {
        let Some(value) = self.set.get(name) else {
            return Ok(&[]);
        };
        let list = value.as_array().map(Vec::as_slice);
        list.ok_or_else(|| self.must(name, "a list"))
    }

    fn filters(&self) -> Result<Vec<&'a str>, TemplateError> {
        let Some(criteria) = self.set.get("FilterCriteria") else {
            return Ok(vec![]);
        };
        let filters = criteria.get("Filters").and_then(Value::as_array);
        let filters = filters.ok_or_else(|| self.must("FilterCriteria", "a list of Filters"))?;
        let pattern = |filter: &'a Value| filter.get("Pattern")?.as_str();
        let patterns = filters.iter().map(pattern).collect::<Option<_>>();
        patterns.ok_or_else(|| self.must("FilterCriteria", "filters of a Pattern each"))
    }
}

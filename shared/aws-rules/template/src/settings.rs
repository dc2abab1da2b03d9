//! The settings of functions and event source mappings in a template.

use std::{collections::BTreeMap, time::Duration};

use source_mapping::{
    Destination, InvalidSettings, Mapping, Millis, Names, Reads, Settings, StartingPosition,
};

use crate::{Properties, Resource, Template, TemplateError};

/// The settings of a Kinesis stream's event source mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMapping {
    /// The settings by which records are delivered.
    pub settings: Settings,
    /// The ARN of the destination of reports on discarded batches.
    pub destination_arn: Option<String>,
}

impl StreamMapping {
    /// Reads the settings from the properties of an `AWS::Lambda::EventSourceMapping`, or of a SAM function's event of
    /// type `Kinesis`. The caller reads the function and the source: the ARNs in `names`, and the stream's retention.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the property and the rule that it breaks.
    pub fn read(
        set: &Properties<'_>,
        source_arn: &str,
        names: Names,
        retention: Duration,
    ) -> Result<Self, TemplateError> {
        let mut settings = Settings::new(starting_position(set)?);
        if let Some(size) = set.number("BatchSize")? {
            settings.batch_size = size;
        }
        if let Some(window) = set.number::<u32>("MaximumBatchingWindowInSeconds")? {
            settings.batching_window = Duration::from_secs(window.into());
        }
        if let Some(factor) = set.number("ParallelizationFactor")? {
            settings.parallelization_factor = factor;
        }
        settings.maximum_retry_attempts = set.bound("MaximumRetryAttempts")?;
        settings.maximum_record_age = set
            .bound::<u32>("MaximumRecordAgeInSeconds")?
            .map(|seconds| Duration::from_secs(seconds.into()));
        settings.bisect_batch_on_function_error =
            set.truth("BisectBatchOnFunctionError")?.unwrap_or(false);
        settings.enabled = set.truth("Enabled")?.unwrap_or(true);
        settings.report_batch_item_failures = reports_failures(set)?;
        let destination_arn = destination_arn(set)?;
        settings.on_failure = match &destination_arn {
            Some(arn) => Some(destination(arn, set)?),
            None => None,
        };
        settings.reads = if source_arn.contains("/consumer/") {
            Reads::FanOut
        } else {
            Reads::Shared
        };
        settings.names = names;
        settings.retention = retention;
        for pattern in filters(set)? {
            let refused = |cause| TemplateError::Refused {
                place: set.place("FilterCriteria"),
                cause,
            };
            settings = settings.filter(&pattern).map_err(refused)?;
        }
        check(&settings, set)?;
        Ok(Self {
            settings,
            destination_arn,
        })
    }
}

/// The patterns of `FilterCriteria`; empty if there are none.
///
/// # Errors
///
/// [`TemplateError::Malformed`] if a filter is no `Pattern`.
pub fn filters(set: &Properties<'_>) -> Result<Vec<String>, TemplateError> {
    let patterns = set.within("FilterCriteria", |criteria| {
        criteria.each("Filters", |filter| filter.required("Pattern"))
    })?;
    Ok(patterns.unwrap_or_default())
}

/// True if `FunctionResponseTypes` has `ReportBatchItemFailures`.
///
/// # Errors
///
/// [`TemplateError::Malformed`] if the list has anything else.
pub fn reports_failures(set: &Properties<'_>) -> Result<bool, TemplateError> {
    let types = set.texts("FunctionResponseTypes")?;
    if types.iter().any(|known| known != "ReportBatchItemFailures") {
        let rule = "a list of ReportBatchItemFailures";
        return Err(set.must("FunctionResponseTypes", rule));
    }
    Ok(!types.is_empty())
}

fn starting_position(set: &Properties<'_>) -> Result<StartingPosition, TemplateError> {
    let timestamp = set.get("StartingPositionTimestamp", "seconds since 1970", |value| {
        let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let duration = Duration::try_from_secs_f64(seconds?).ok()?;
        u64::try_from(duration.as_millis()).ok().map(Millis)
    })?;
    match set.text("StartingPosition")?.as_deref() {
        Some("TRIM_HORIZON") => Ok(StartingPosition::TrimHorizon),
        Some("LATEST") => Ok(StartingPosition::Latest),
        Some("AT_TIMESTAMP") => {
            let missing = || set.must("StartingPositionTimestamp", "seconds since 1970");
            Ok(StartingPosition::AtTimestamp(
                timestamp.ok_or_else(missing)?,
            ))
        }
        _ => Err(set.must("StartingPosition", "TRIM_HORIZON, LATEST or AT_TIMESTAMP")),
    }
}

fn destination_arn(set: &Properties<'_>) -> Result<Option<String>, TemplateError> {
    let destination = set.within("DestinationConfig", |config| {
        config.within("OnFailure", |destination| {
            // The type only says what SAM makes where the destination is missing.
            destination.text("Type")?;
            destination.required("Destination")
        })
    })?;
    Ok(destination.flatten())
}

fn destination(arn: &str, set: &Properties<'_>) -> Result<Destination, TemplateError> {
    match arn.split(':').nth(2) {
        Some("s3") => Ok(Destination::S3),
        Some("sqs") => Ok(Destination::Sqs),
        Some("sns") => Ok(Destination::Sns),
        _ => {
            let rule = "the ARN of a bucket, a queue or a topic";
            Err(set.must("DestinationConfig.OnFailure.Destination", rule))
        }
    }
}

/// Checks the limits of the settings.
fn check(settings: &Settings, set: &Properties<'_>) -> Result<(), TemplateError> {
    let refused = |cause: InvalidSettings| {
        let place = match &cause {
            InvalidSettings::OutOfRange { setting, .. } => set.place(setting),
            InvalidSettings::Filter(_) => set.place("FilterCriteria"),
        };
        TemplateError::Refused { place, cause }
    };
    let made = Mapping::new(settings.clone(), Millis(0));
    made.map(|_| ()).map_err(refused)
}

/// A function, with the settings that a simulation needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The name of the function.
    pub name: String,
    /// The time limit of an invocation.
    pub timeout: Duration,
    /// The memory of the function, in MB.
    pub memory: u64,
    /// The environment variables, by name.
    pub environment: BTreeMap<String, String>,
}

impl Template {
    /// All functions of the template.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if a function has invalid settings.
    pub fn functions(&self) -> Result<Vec<Function>, TemplateError> {
        self.function_resources().map(function).collect()
    }

    /// The function of this name.
    ///
    /// # Errors
    ///
    /// [`TemplateError::NoFunction`], or [`TemplateError::Malformed`] if the function has invalid settings.
    pub fn function(&self, name: &str) -> Result<Function, TemplateError> {
        let found = self.function_resources().find(|known| known.name == name);
        function(found.ok_or_else(|| TemplateError::NoFunction(name.to_owned()))?)
    }

    /// The names of the functions that have an event source mapping, in the order of the mappings' logical ids.
    pub fn mapped(&self) -> impl Iterator<Item = &str> {
        let mut mappings: Vec<_> = self.of_kind("AWS::Lambda::EventSourceMapping").collect();
        mappings.sort_by_key(|mapping| &mapping.id);
        mappings.into_iter().filter_map(mapped_function)
    }

    /// The settings of this function's event source mapping of a Kinesis stream.
    ///
    /// # Errors
    ///
    /// [`TemplateError::NoMapping`], or the error of an invalid setting.
    pub fn mapping(&self, function: &str) -> Result<Settings, TemplateError> {
        let mut mappings = self.of_kind("AWS::Lambda::EventSourceMapping");
        let found = mappings.find(|mapping| mapped_function(mapping) == Some(function));
        let mapping = found.ok_or_else(|| TemplateError::NoMapping(function.to_owned()))?;
        mapping.read(|set| {
            let source = set.required("EventSourceArn")?;
            let names = self.names(function, &source);
            let retention = self.retention(&names.stream_arn)?;
            let read = StreamMapping::read(set, &source, names, retention)?;
            set.accept_rest();
            Ok(read.settings)
        })
    }

    fn names(&self, function: &str, source: &str) -> Names {
        let stream = source.split_once("/consumer/");
        let function = self
            .function_resources()
            .find(|known| known.name == function);
        let role = function.and_then(|function| function.properties.get("Role")?.as_str());
        let known = Names::default();
        Names {
            stream_arn: stream.map_or(source, |(stream, _)| stream).to_owned(),
            function_arn: function
                .and_then(|function| function.arn.clone())
                .unwrap_or(known.function_arn),
            executed_version: known.executed_version,
            role_arn: role.map_or(known.role_arn, str::to_owned),
        }
    }

    /// The retention of this stream; a day if the template does not have the stream.
    fn retention(&self, stream_arn: &str) -> Result<Duration, TemplateError> {
        let mut streams = self.of_kind("AWS::Kinesis::Stream");
        let Some(stream) = streams.find(|stream| stream.arn.as_deref() == Some(stream_arn)) else {
            return Ok(Duration::from_hours(24));
        };
        stream.read(|set| {
            set.accept_rest();
            let hours: Option<u32> = set.number("RetentionPeriodHours")?;
            Ok(Duration::from_hours(hours.unwrap_or(24).into()))
        })
    }

    /// The resources of this kind, in the order of the template.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(move |resource| resource.kind == kind)
    }

    fn function_resources(&self) -> impl Iterator<Item = &Resource> {
        let kinds = ["AWS::Serverless::Function", "AWS::Lambda::Function"];
        let all = self.resources.iter();
        all.filter(move |resource| kinds.contains(&resource.kind.as_str()))
    }
}

/// The name of the function to which a mapping delivers.
fn mapped_function(mapping: &Resource) -> Option<&str> {
    mapping.properties.get("FunctionName")?.as_str()
}

fn function(resource: &Resource) -> Result<Function, TemplateError> {
    resource.read(|set| {
        set.accept_rest();
        let environment = set.within("Environment", |set| set.named_texts("Variables"))?;
        Ok(Function {
            name: resource.name.clone(),
            timeout: Duration::from_secs(set.number::<u32>("Timeout")?.unwrap_or(3).into()),
            memory: set.number("MemorySize")?.unwrap_or(128),
            environment: environment.unwrap_or_default(),
        })
    })
}

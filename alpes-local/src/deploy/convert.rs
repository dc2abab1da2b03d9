//! Converts the resources of a plan to the forms that the services take.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Function, LogFormat, QueueMapping, StreamMapping};
use crate::{
    error::AwsError,
    lambda::{Code, FunctionSpec},
    mappings::MappingSpec,
};

/// A function, with its code in the folder of artifacts.
pub fn function(function: &Function, artifacts: &Path) -> Result<FunctionSpec, AwsError> {
    let code = code(&function.code, artifacts)?;
    let mut environment: BTreeMap<_, _> = function.environment.clone();
    if function.log_format == LogFormat::Json {
        environment.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
        if let Some(level) = &function.log_level {
            environment.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.clone());
        }
    }
    Ok(FunctionSpec {
        handler: function.handler.clone(),
        runtime: function.runtime.clone(),
        memory_mb: function.memory_mb,
        timeout: u32::try_from(function.timeout.as_secs()).unwrap_or(u32::MAX),
        environment,
        role_arn: function.role_arn.clone(),
        log_group: Some(function.log_group.clone()),
        reserved_concurrency: function.reserved_concurrency,
        architecture: function.architecture,
        ephemeral_mb: function.ephemeral_mb,
        asynchronous: function.asynchronous.clone(),
        ..FunctionSpec::new(&function.name, code)
    })
}

/// The code in the folder of artifacts. The template's `dist/NAME.zip` is the folder NAME with a `bootstrap`, or the
/// file NAME.zip: a folder saves the zipping of a build for this machine.
fn code(written: &str, artifacts: &Path) -> Result<Code, AwsError> {
    let path = Path::new(written);
    let folder = artifacts.join(path.file_stem().unwrap_or_default());
    if folder.join("bootstrap").is_file() {
        return Ok(Code::Folder(folder));
    }
    let zip: PathBuf = artifacts.join(path.file_name().unwrap_or_default());
    if zip.is_file() {
        return Ok(Code::Zip(zip));
    }
    let (folder, zip) = (folder.display(), zip.display());
    let rule = format!("CodeUri {written}: there is neither {folder}/bootstrap nor the file {zip}");
    Err(AwsError::client("InvalidParameterValueException", rule))
}

/// The mapping of a stream.
pub fn from_stream(mapping: &StreamMapping) -> MappingSpec {
    MappingSpec {
        function: mapping.function.clone(),
        source_arn: mapping.source_arn.clone(),
        consumer: mapping
            .consumer
            .as_ref()
            .map(|_| mapping.source_arn.clone()),
        settings: mapping.settings.clone(),
        destination_arn: mapping.destination_arn.clone(),
        maximum_concurrency: None,
    }
}

/// The mapping of a queue.
pub fn from_queue(mapping: &QueueMapping) -> Result<MappingSpec, AwsError> {
    let position = source_mapping::StartingPosition::TrimHorizon;
    let mut settings = source_mapping::Settings::new(position);
    settings.batch_size = mapping.batch_size;
    settings.batching_window = mapping.batching_window;
    settings.report_batch_item_failures = mapping.report_batch_item_failures;
    settings.enabled = mapping.enabled;
    if !mapping.filters.is_empty() {
        let rule = "FilterCriteria: this runtime does not filter the messages of queues";
        return Err(AwsError::client("InvalidParameterValueException", rule));
    }
    let most = mapping.maximum_concurrency.map(usize::try_from);
    Ok(MappingSpec {
        function: mapping.function.clone(),
        source_arn: mapping.queue_arn.clone(),
        consumer: None,
        settings,
        destination_arn: None,
        maximum_concurrency: most.transpose().map_err(AwsError::internal)?,
    })
}

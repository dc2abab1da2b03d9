//! The shapes of requests and answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    error::AwsError,
    lambda::{
        limits::invalid,
        reference::LATEST,
        registry::Deployment,
        spec::{Architecture, FunctionSpec},
    },
    names::FunctionName,
    time::at_millis,
};

/// The settings of a function, as requests give them; what is not given stays as it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Settings {
    handler: Option<String>,
    runtime: Option<String>,
    role: Option<String>,
    timeout: Option<u32>,
    memory_size: Option<u32>,
    environment: Option<Environment>,
    dead_letter_config: Option<DeadLetterConfig>,
    ephemeral_storage: Option<EphemeralStorage>,
    logging_config: Option<LoggingConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeadLetterConfig {
    target_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EphemeralStorage {
    size: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LoggingConfig {
    log_format: Option<String>,
    log_group: Option<String>,
}

impl Settings {
    /// Changes a function as the request says.
    pub(super) fn apply(self, spec: &mut FunctionSpec) -> Result<(), AwsError> {
        replace(&mut spec.handler, self.handler);
        replace(&mut spec.runtime, self.runtime);
        replace(&mut spec.role_arn, self.role);
        replace(&mut spec.timeout, self.timeout);
        replace(&mut spec.memory_mb, self.memory_size);
        let environment = self.environment.map(|environment| environment.variables);
        replace(&mut spec.environment, environment);
        // An empty ARN removes the queue.
        let dead_letter = self.dead_letter_config.map(|config| config.target_arn);
        let dead_letter = dead_letter.map(|arn| arn.filter(|arn| !arn.is_empty()));
        replace(&mut spec.asynchronous.dead_letter, dead_letter);
        let size = self.ephemeral_storage.map(|storage| storage.size);
        replace(&mut spec.ephemeral_mb, size);
        if let Some(logging) = self.logging_config {
            if logging.log_format.is_some_and(|format| format != "Text") {
                return Err(invalid(
                    "LoggingConfig.LogFormat: this runtime has Text only",
                ));
            }
            spec.log_group = logging.log_group;
        }
        Ok(())
    }
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// The architecture of a request, which is a list of one.
pub(super) fn architecture(list: Option<&[Architecture]>) -> Result<Architecture, AwsError> {
    match list {
        None => Ok(Architecture::default()),
        Some([one]) => Ok(*one),
        Some(_) => Err(invalid("Architectures: there must be exactly one")),
    }
}

/// The configuration of a function, or of a version or alias that it has.
pub(super) fn configuration(function: &Deployment, qualifier: Option<&str>) -> Value {
    let spec = &function.spec;
    let modified = at_millis(function.modified);
    let mut configuration = json!({
        "FunctionName": spec.name,
        "FunctionArn": arn(spec, qualifier),
        "Runtime": spec.runtime,
        "Role": spec.role_arn,
        "Handler": spec.handler,
        "CodeSize": function.code.size,
        "CodeSha256": function.sha256_base64(),
        "Description": "",
        "Timeout": spec.timeout,
        "MemorySize": spec.memory_mb,
        "LastModified": modified.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
        "Version": spec.version(qualifier).unwrap_or(LATEST),
        "TracingConfig": { "Mode": "PassThrough" },
        "RevisionId": function.revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [spec.architecture],
        "EphemeralStorage": { "Size": spec.ephemeral_mb },
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": spec.log_group() },
    });
    if let Some(object) = configuration.as_object_mut() {
        if !spec.environment.is_empty() {
            let environment = json!({ "Variables": spec.environment });
            object.insert("Environment".to_owned(), environment);
        }
        if let Some(arn) = &spec.asynchronous.dead_letter {
            let dead_letter = json!({ "TargetArn": arn });
            object.insert("DeadLetterConfig".to_owned(), dead_letter);
        }
    }
    configuration
}

/// The answer to an update: AWS says that it goes on. Here it is done, as the next request sees.
pub(super) fn updating(function: &Deployment) -> Value {
    let mut updating = configuration(function, None);
    if let Some(members) = updating.as_object_mut() {
        for (member, text) in [
            ("LastUpdateStatus", "InProgress"),
            ("LastUpdateStatusReason", "The function is being created."),
            ("LastUpdateStatusReasonCode", "Creating"),
        ] {
            members.insert(member.to_owned(), text.into());
        }
    }
    updating
}

fn arn(spec: &FunctionSpec, qualifier: Option<&str>) -> String {
    let (name, qualifier) = (spec.name.clone(), qualifier.map(str::to_owned));
    FunctionName { name, qualifier }.arn()
}

/// An alias of a function.
pub(super) fn alias(function: &Deployment, name: &str, version: &str) -> Value {
    json!({
        "AliasArn": arn(&function.spec, Some(name)),
        "Name": name,
        "FunctionVersion": version,
        "Description": "",
        "RevisionId": function.revision,
    })
}

/// The settings of a function's asynchronous invocations.
pub(super) fn event_invoke_config(function: &Deployment) -> Value {
    let asynchronous = &function.spec.asynchronous;
    let destination = |arn: &Option<String>| -> Map<String, Value> {
        let arn = arn
            .iter()
            .map(|arn| ("Destination".to_owned(), arn.clone().into()));
        arn.collect()
    };
    let seconds = function.modified / 1_000;
    json!({
        "LastModified": seconds,
        "FunctionArn": arn(&function.spec, Some(LATEST)),
        "MaximumRetryAttempts": asynchronous.max_retries,
        "MaximumEventAgeInSeconds": asynchronous.max_age_seconds,
        "DestinationConfig": {
            "OnSuccess": destination(&asynchronous.on_success),
            "OnFailure": destination(&asynchronous.on_failure),
        },
    })
}
